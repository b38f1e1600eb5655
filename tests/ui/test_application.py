"""The window's process: starting, ending, and what it does where there is no host."""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PySide6.QtWidgets import QApplication

from app.core.errors import WorkerError
from app.core.paths import DataPaths
from app.ui import session as session_module
from app.ui.application import Program, create_application
from tests.ui.conftest import until


def arguments(tmp_path: Path, *paths: str) -> argparse.Namespace:
    return argparse.Namespace(
        began=time.time(), timings=tmp_path / "timings.json", paths=list(paths), n_refused=0
    )


async def test_without_a_host_the_window_says_so_and_closes(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_paths: DataPaths, _on_event: object) -> object:
        raise WorkerError("host.start_failed", "It does not start.", "Look at the log.")

    monkeypatch.setattr(session_module, "connect_to_host", refuse)
    program = Program(create_application(), DataPaths(tmp_path / "data"), arguments(tmp_path))
    running = asyncio.ensure_future(program.run())
    await until(lambda: program.window.banner.isVisible())
    assert program.window.banner.text == "It does not start. Look at the log."
    await until(lambda: program.stalls.figures()["n_beats"] > 0)
    program.window.close()
    await running
    timings = json.loads((tmp_path / "timings.json").read_text())
    assert timings["shown_ms"] <= timings["ready_ms"]
    assert timings["n_beats"] > 0
    program.deleteLater()
    await asyncio.sleep(0)


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.parametrize(("place", "words"), [("file", "is not a folder"), ("file/below", "is not a folder")])
async def test_a_data_folder_that_cannot_be_used_is_told_in_the_window(
    qapp: QApplication, tmp_path: Path, place: str, words: str
) -> None:
    (tmp_path / "file").touch()
    program = Program(create_application(), DataPaths(tmp_path / place), arguments(tmp_path, "/a"))
    running = asyncio.ensure_future(program.run())
    await until(lambda: words in program.window.banner.text, timeout_s=20)
    assert "Choose another folder with --data-dir" in program.window.banner.text
    assert program.window.banner.isVisible()
    program.window.close()
    await running
    program.deleteLater()
    await asyncio.sleep(0)


def start(tmp_path: Path, *extra: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "app.ui", "--data-dir", str(tmp_path / "data")),
            *("--timings", str(tmp_path / "timings.json"), *extra),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    )


def wait_for(condition: object, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_connected(tmp_path: Path) -> bool:
    path = tmp_path / "timings.json"
    return path.exists() and "connected_ms" in (path.read_text() or "")


def left(tmp_path: Path) -> list[str]:
    """Command lines of processes that still work on the data folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(tmp_path / "data") in command:
            found.append(command)
    return found


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a signal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_real_window_starts_its_host_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    sample = tmp_path / "a file é 中.txt"
    sample.write_text("The valve was replaced in 1987.")
    process = start(tmp_path, str(sample))
    try:
        wait_for(lambda: is_connected(tmp_path))
        wait_for(lambda: (tmp_path / "data" / "logs").is_dir())
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    noise = "This plugin does not support"
    assert [line for line in errors.splitlines() if noise not in line] == []
    assert (tmp_path / "data" / "window.json").exists()
    wait_for(lambda: not left(tmp_path))


def test_the_command_line_is_explained() -> None:
    for option, words in (("--help", "--data-dir"), ("--version", "h2oGPT Desktop")):
        done = subprocess.run(
            [sys.executable, "-m", "app.ui", option], capture_output=True, text=True, timeout=60, check=True
        )
        assert words in done.stdout
