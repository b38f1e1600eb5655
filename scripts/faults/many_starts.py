"""Start the program many times at once, and again after its window was killed or closed.

Every start names a file of its own. After each round there must be one window, every other start must have
ended well, and at the end all files must be in the library. The windows run offscreen.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.core.processes import window_command, worker_environment
from scripts.faults.make_documents import make_notes
from scripts.faults.program import TOP_DIR, Program, report

PATIENCE_S = 60.0
_SETTLE_S = 0.5
Window = subprocess.Popen[bytes]


class Starts:
    """Starts of the program on one data folder, each with the next of some files.

    Attributes:
        given: the files that were given to starts.
        window: the one that is open, where one is.
    """

    def __init__(self, program: Program, files: list[Path], work_dir: Path) -> None:
        """Give `files` to starts, one each."""
        self.program, self._files, self._work_dir = program, files, work_dir
        self.given: list[str] = []
        self.window: Window | None = None

    def start(self) -> Window:
        """Start the program."""
        path = os.fspath(self._files[len(self.given)])
        self.given.append(path)
        arguments = [
            "--data-dir",
            os.fspath(self.program.data_dir),
            "--timings",
            os.fspath(self._timings_path),
        ]
        return subprocess.Popen(
            window_command([*arguments, path]),
            stderr=subprocess.DEVNULL,
            cwd=TOP_DIR,
            env=worker_environment() | {"QT_QPA_PLATFORM": "offscreen"},
        )

    @property
    def _timings_path(self) -> Path:
        """Of the latest start."""
        return self._work_dir / f"timings-{len(self.given)}.json"

    def many(self, n_starts: int) -> float | None:
        """Start many at once; give the seconds until one window was left, None where that did not come."""
        began = time.monotonic()
        starts = [self.start() for _ in range(n_starts)]
        n_left = int(self.window is None)
        if not until(lambda: sum(start.poll() is None for start in starts) <= n_left):
            return None
        took_s = time.monotonic() - began
        time.sleep(_SETTLE_S)
        left = [start for start in starts if start.poll() is None]
        if len(left) != n_left or any(start.poll() for start in starts):
            return None
        self.window = self.window or left[0]
        return took_s

    def hand_over(self) -> float | None:
        """Start once beside the window; give the seconds that it took, None where it failed."""
        began = time.monotonic()
        return time.monotonic() - began if self.start().wait(PATIENCE_S) == 0 else None

    def replace(self, end: Callable[[Window], None]) -> float | None:
        """End the window so and start at once; give the seconds until the start is the connected window."""
        assert self.window is not None
        end(self.window)
        began = time.monotonic()
        self.window, old = self.start(), self.window
        connected = until(self._is_connected)
        took_s = time.monotonic() - began
        old.wait(PATIENCE_S)
        return took_s if connected and self.window.poll() is None else None

    def _is_connected(self) -> bool:
        try:
            return "connected_ms" in json.loads(self._timings_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False

    def all_ready(self) -> bool:
        """Whether the library has read every file that was given to a start, and no other."""
        return until(lambda: self._states() == dict.fromkeys(self.given, "ready"))

    def _states(self) -> dict[str, str]:
        return {value["path"]: value["state"] for value in self.program.json("library", "list")}


def until(condition: Callable[[], bool]) -> bool:
    """Wait for a condition; whether it came about."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def told(name: str, seconds: list[float | None]) -> bool:
    """Report the times of one scenario; each None is a failure."""
    good = sorted(value for value in seconds if value is not None)
    times = f"; median {statistics.median(good):.2f} s, most {good[-1]:.2f} s" if good else ""
    return report(name, len(good) == len(seconds), f"{len(good)} of {len(seconds)}{times}")


def many_at_once(starts: Starts, n_rounds: int, n_starts: int) -> bool:
    """Start many at once, beside an open window in every other round."""
    rounds = []
    for number in range(n_rounds):
        if starts.window is not None and number % 2 == 0:
            starts.window.terminate()
            starts.window.wait(PATIENCE_S)
            starts.window = None
        rounds.append(starts.many(n_starts))
    return told(f"{n_starts} starts at once leave one window", rounds)


def again_and_again(starts: Starts, n_times: int) -> bool:
    """Start beside the window, and after it was killed and while it closes."""
    handed = [starts.hand_over() for _ in range(n_times)]
    early, killed, closed = [], [], []
    for _ in range(n_times):
        killed.append(starts.replace(Window.kill))
        early.append(starts.hand_over())  # the library is still being opened
        closed.append(starts.replace(Window.terminate))
        early.append(starts.hand_over())
    ok = told("a second start hands over and ends", handed)
    ok &= told("a second start just after the first one", early)
    ok &= told("after a kill the next start is the window", killed)
    return ok & told("a start while the window closes is the window", closed)


def main() -> int:
    """Run the drill."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=20, help="starts at once (default 20)")
    parser.add_argument("--rounds", type=int, default=10, help="rounds of those (default 10)")
    parser.add_argument("--kills", type=int, default=20, help="kills of the window (default 20)")
    options = parser.parse_args()
    n_files = options.starts * options.rounds + 5 * options.kills
    with tempfile.TemporaryDirectory(prefix="h2ogpt-starts-") as name:
        program = Program(Path(name) / "data é 🙂")
        starts = Starts(program, make_notes(Path(name) / "notes", n_files), Path(name))
        ok = many_at_once(starts, options.rounds, options.starts)
        ok &= again_and_again(starts, options.kills)
        ok &= report("every file is in the library", starts.all_ready(), f"{len(starts.given)} files")
        errors = program.doctor_errors()
        ok &= report("doctor", not errors, "; ".join(errors) or "clean")
        if starts.window is not None:
            starts.window.terminate()
            starts.window.wait(PATIENCE_S)
        program.stop_host()
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
