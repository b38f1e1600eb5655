"""The walls themselves, each tried from inside a forked process."""

import faulthandler
import os
import platform
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.worker import sandbox
from app.worker.sandbox import Rights

pytestmark = [
    pytest.mark.linux,
    # the test process may have threads; what is forked here uses none of them
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Landlock and seccomp are Linux's"),
]


def inside(deed: Callable[[], object], rights: Rights = Rights()) -> str:  # noqa: B008  # frozen
    """Confine a forked process, let it do the deed and give `done` or the name of what stopped it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            sandbox.confine(rights)
            deed()
            os.write(writer, b"done")
        except BaseException as error:
            os.write(writer, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        outcome = stream.read().decode()
    os.waitpid(pid, 0)
    return outcome


def start_thread() -> None:
    thread = threading.Thread(target=time.sleep, args=(0,))
    thread.start()
    thread.join()


def test_what_is_refused(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("x")
    assert inside(socket.socket) == "PermissionError"
    assert inside(socket.socketpair) == "PermissionError"
    assert inside(os.fork) == "PermissionError"
    assert inside(lambda: os.execv("/bin/true", ["true"])) == "PermissionError"
    assert inside(lambda: os.kill(os.getppid(), 0)) == "PermissionError"
    assert inside(lambda: canary.write_text("y")) == "PermissionError"
    assert inside(canary.unlink) == "PermissionError"
    assert inside(lambda: canary.rename(tmp_path / "b")) == "PermissionError"
    assert inside(lambda: canary.chmod(0o777)) == "PermissionError"
    assert inside(start_thread) == "RuntimeError"
    assert canary.read_text() == "x"


@pytest.mark.skipif(not sandbox.landlock_abi(), reason="this kernel has no Landlock")
def test_only_named_places_can_be_read(tmp_path: Path) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    rights = Rights(readable=(str(tmp_path / "open"), str(tmp_path / "absent")))
    assert inside((tmp_path / "open/file").read_text, rights) == "done"
    assert inside((tmp_path / "closed/file").read_text, rights) == "PermissionError"
    assert inside(lambda: (tmp_path / "open/file").write_text("y"), rights) == "PermissionError"
    single = Rights(readable=(str(tmp_path / "closed/file"),))
    assert inside((tmp_path / "closed/file").read_text, single) == "done"


def test_writing_is_refused_without_landlock_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "landlock_abi", lambda: 0)
    canary = tmp_path / "canary"
    canary.write_text("x")
    assert inside(lambda: canary.write_text("y")) == "PermissionError"
    assert inside(canary.read_text) == "done"
    assert "no Landlock" in sandbox.describe()


def test_what_a_process_needs_stays() -> None:
    assert inside(lambda: os.kill(os.getpid(), 0)) == "done"
    assert inside(start_thread, Rights(threads=True)) == "done"
    assert inside(lambda: bytearray(50_000_000)) == "done"


def test_abort_still_ends_the_process() -> None:
    pid = os.fork()
    if pid == 0:
        faulthandler.disable()  # pytest turns it on
        sandbox.confine(Rights())
        os.abort()
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGABRT


def test_other_platforms_do_nothing_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    sandbox.confine(Rights())
    assert "no system sandbox" in sandbox.describe()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "no system-call filter on riscv64" in sandbox.describe()
