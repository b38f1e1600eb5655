"""One window a data folder: real processes started at once, again, and after the window was killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core.locks import FileLock
from app.core.paths import DataPaths
from app.core.processes import window_command
from tests.e2e.timings import timings_in

pytestmark = [pytest.mark.ui, pytest.mark.e2e, pytest.mark.slow]

TOP_DIR = Path(__file__).resolve().parents[2]
ODD_NAMES = ("a b.txt", "é 中文.md", "🙂.txt", "new\nline.txt", "\udcff\udcfe.txt", "%41 #?.txt", "-dash.txt")
N_STARTS = 10
PATIENCE_S = 60.0
Window = subprocess.Popen[str]


class Starts:
    """Starts of the program on one data folder."""

    def __init__(self, tmp_path: Path) -> None:
        self.paths = DataPaths(tmp_path / "data é 🙂")
        self.files_dir = tmp_path / "files"
        self.files_dir.mkdir()
        self.timings_path = tmp_path / "timings.json"
        self.all: list[Window] = []
        self.environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(TOP_DIR)}

    def start(self, *arguments: str) -> Window:
        """Start the program in the folder of the files."""
        command = window_command(["--data-dir", str(self.paths.root), *arguments])
        window = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd=self.files_dir, env=self.environment
        )
        self.all.append(window)
        return window

    def start_window(self, *arguments: str) -> Window:
        """Start the program where no window is open, and wait until it is connected."""
        self.timings_path.unlink(missing_ok=True)
        window = self.start("--timings", str(self.timings_path), *arguments)
        until(lambda: "connected_ms" in self.timings(), window)
        return window

    def timings(self) -> dict[str, Any]:
        return timings_in(self.timings_path)

    def make_file(self, name: str) -> str:
        path = self.files_dir / name
        path.write_text(f"The valve {len(list(self.files_dir.iterdir()))} was replaced.", encoding="utf-8")
        return str(path)

    def library(self) -> dict[str, str]:
        """Give the states of the library's files by path."""
        command = [sys.executable, "-P", "-m", "app.cli", "--data-dir", str(self.paths.root)]
        done = subprocess.run(
            [*command, "library", "list", "--json"], capture_output=True, text=True, env=self.environment
        )
        assert done.returncode == 0, done.stderr
        return {value["path"]: value["state"] for value in map(json.loads, done.stdout.splitlines())}

    def until_ready(self, *files: str) -> None:
        """Wait until the library holds these files, and nothing else, and has read them."""
        until(lambda: self.library() == dict.fromkeys(files, "ready"))

    def is_locked(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            lock = FileLock.acquire(self.paths.window_lock_path)
            if lock is None:
                return True
            lock.release()
        return False

    def close(self) -> None:
        """End what is open, and wait for the host's end."""
        for window in self.all:
            if window.poll() is None:
                window.send_signal(signal.SIGCONT)
                window.terminate()
        for window in self.all:
            window.communicate(timeout=PATIENCE_S)
        until(lambda: not self.left())

    def left(self) -> list[list[str]]:
        commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        return [command for command in commands if str(self.paths.root) in command]


def until(condition: Callable[[], object], window: Window | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        assert window is None or window.poll() is None, window.communicate()
        time.sleep(0.02)


def ends_well(window: Window) -> None:
    _, errors = window.communicate(timeout=PATIENCE_S)
    assert (window.returncode, errors) == (0, "")


@pytest.fixture
def starts(tmp_path: Path) -> Iterator[Starts]:
    starts = Starts(tmp_path)
    yield starts
    starts.close()


def test_ten_at_once_are_one_window_with_all_files(starts: Starts) -> None:
    names = [*ODD_NAMES, *(f"{number}.txt" for number in range(N_STARTS - len(ODD_NAMES)))]
    files = [starts.make_file(name) for name in names]
    named = [*files[:-2], Path(files[-2]).as_uri(), names[-1]]
    windows = [starts.start("--", argument) for argument in named]
    until(lambda: sum(window.poll() is None for window in windows) == 1)
    began = time.monotonic()
    (window,) = [window for window in windows if window.poll() is None]
    for other in windows:
        if other is not window:
            ends_well(other)
    starts.until_ready(*files)
    assert window.poll() is None and time.monotonic() - began < PATIENCE_S
    window.terminate()
    _, errors = window.communicate(timeout=PATIENCE_S)
    assert window.returncode == 0 and "Traceback" not in errors


def test_after_a_kill_the_next_start_is_the_window(starts: Starts) -> None:
    files = [starts.make_file(f"{number}.txt") for number in range(5)]
    for file in files:
        window = starts.start_window()
        # 3 s are promised; a loaded machine must not fail the test
        assert starts.timings()["connected_ms"] < 10_000
        ends_well(starts.start(file))
        window.kill()  # what the second start was rid of is safe
        window.communicate()
    starts.start_window()
    starts.until_ready(*files)


def test_a_second_start_while_the_first_is_not_connected(starts: Starts) -> None:
    first = starts.start()
    until(starts.is_locked, first)
    first.send_signal(signal.SIGSTOP)
    file = starts.make_file("a.txt")
    second = starts.start(file)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(1.0)
    first.send_signal(signal.SIGCONT)
    ends_well(second)
    starts.until_ready(file)


def test_a_window_that_ends_without_taking_it_is_replaced(starts: Starts) -> None:
    first = starts.start_window()
    first.send_signal(signal.SIGSTOP)
    file = starts.make_file("a.txt")
    starts.timings_path.unlink()
    second = starts.start("--timings", str(starts.timings_path), file)
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(1.0)
    first.kill()
    first.communicate()
    until(lambda: "connected_ms" in starts.timings(), second)
    starts.until_ready(file)


def test_a_window_that_hangs_is_told_in_words(starts: Starts) -> None:
    first = starts.start_window()
    first.send_signal(signal.SIGSTOP)
    second = starts.start()
    _, errors = second.communicate(timeout=PATIENCE_S)
    first.send_signal(signal.SIGCONT)
    assert second.returncode == 1
    assert errors.startswith("h2oGPT is already open but does not answer.\n") and "Traceback" not in errors
    ends_well(starts.start())
    assert first.poll() is None


def test_where_nothing_can_be_locked_each_start_opens(starts: Starts) -> None:
    starts.paths.root.write_text("a file")
    timings_paths = [starts.timings_path.with_name(f"{name}.json") for name in ("first", "second")]
    windows = [starts.start("--timings", str(path)) for path in timings_paths]
    until(lambda: all("ready_ms" in timings_in(path) for path in timings_paths))
    for window in windows:
        assert window.poll() is None
        window.terminate()
        _, errors = window.communicate(timeout=PATIENCE_S)
        assert window.returncode == 0 and "Traceback" not in errors
