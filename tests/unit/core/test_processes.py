"""Commands and environment of background processes, and their end with their parent's."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.core import processes
from app.core.processes import KINDS, die_with_parent, window_command, worker_command, worker_environment

TOP = Path(processes.__file__).resolve().parents[2]


def test_commands_from_source() -> None:
    assert worker_command("host", ["--x"]) == [sys.executable, "-P", "-m", "app.host", "--x"]
    assert worker_command("library") == [sys.executable, "-P", "-m", "app.worker", "library"]
    assert window_command(["a"]) == [sys.executable, "-P", "-m", "app.ui", "a"]
    assert "parser" in KINDS
    with pytest.raises(ValueError, match="printer"):
        worker_command("printer")


@pytest.mark.parametrize(("system", "name"), [("posix", "h2ogpt-worker"), ("nt", "h2ogpt-worker.exe")])
def test_commands_when_frozen(monkeypatch: pytest.MonkeyPatch, system: str, name: str) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/h2ogpt/h2ogpt")
    monkeypatch.setattr("app.core.processes.os.name", system)
    monkeypatch.setattr(processes, "Path", type(TOP))
    command, window = worker_command("inference", ["a"]), window_command(["b"])
    monkeypatch.undo()
    assert command == [f"/opt/h2ogpt/{name}", "inference", "a"]
    assert window == [f"/opt/h2ogpt/{name.replace('worker', 'desktop')}", "b"]


def test_the_environment_is_quiet_and_names_the_source_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/other", str(TOP)]))
    environment = worker_environment()
    assert environment["PYTHONPATH"] == os.pathsep.join([str(TOP), "/other"])
    assert environment["HF_HUB_OFFLINE"] == "1" and environment["ANONYMIZED_TELEMETRY"] == "False"
    monkeypatch.delenv("PYTHONPATH")
    assert worker_environment()["PYTHONPATH"] == str(TOP)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "PYTHONPATH" not in worker_environment()


@pytest.mark.linux
def test_a_child_ends_with_a_killed_parent() -> None:
    child = (
        "from app.core.processes import die_with_parent; die_with_parent();"
        "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, env=worker_environment()
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(timeout=30.0)


def test_elsewhere_nothing_is_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []

    class Library:
        def prctl(self, option: int, value: int) -> None:
            calls.append((option, value))

    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: Library())
    monkeypatch.setattr(sys, "platform", "linux")
    die_with_parent()
    monkeypatch.setattr(sys, "platform", "darwin")
    die_with_parent()
    assert calls == [(1, signal.SIGKILL)]
