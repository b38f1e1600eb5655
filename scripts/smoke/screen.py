"""A virtual screen with a person in front of it, for programs that run elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scripts.setup.display import virtual_display
from scripts.setup.layout import REPOSITORY_DIR
from scripts.setup.progress import SetupError

SIZE = "1480x900x24"
WINDOW_SIZE = (1280, 800)
SOURCE_PLACE = (1390, 40)
PATIENCE_S = 60.0
_STEP_S = 0.05


class Screen:
    """The screen, its mouse, keyboard and eyes.

    Places are points of the window that was looked for last, from its upper left corner.

    Attributes:
        display: For the environment of what shall show on it.
    """

    def __init__(self, display: str, operator: subprocess.Popen[str]) -> None:
        """Take a running screen and its operator."""
        self.display = display
        self._operator = operator
        self._origin = (0, 0)

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._operator.stdin is not None
        assert self._operator.stdout is not None
        self._operator.stdin.write(json.dumps(request) + "\n")
        self._operator.stdin.flush()
        line = self._operator.stdout.readline()
        if not line:
            raise SetupError("The person at the virtual screen has gone.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _do(self, *arguments: str | int) -> str:
        command = ["xdotool", *(str(argument) for argument in arguments)]
        environment = {**os.environ, "DISPLAY": self.display}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SetupError(f"{' '.join(command)} failed: {result.stderr.strip()}")
        return result.stdout

    def windows(self, title: str) -> list[str]:
        """Return the ids of the visible windows with this in their title."""
        environment = {**os.environ, "DISPLAY": self.display}
        command = ["xdotool", "search", "--onlyvisible", "--name", title]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return found.stdout.split()

    def window(self, title: str, patience_s: float = PATIENCE_S) -> str:
        """Wait for a window and give it the keyboard; return its id."""
        found = self.until(f"the window {title}", lambda: self.windows(title), patience_s)
        self._do("windowactivate", "--sync", found[0])
        self._do("windowsize", found[0], *WINDOW_SIZE)
        self._do("windowmove", found[0], 0, 0)
        time.sleep(0.5)
        self._origin = self._place_of(found[0])
        return str(found[0])

    def activate(self, title: str) -> None:
        """Wait for a smaller window and give it the keyboard."""
        found = self.until(f"the window {title}", lambda: self.windows(title))
        self._do("windowactivate", "--sync", found[0])
        time.sleep(0.3)

    def _place_of(self, window: str) -> tuple[int, int]:
        """Return where a window's content begins (xdotool counts the frame twice)."""
        environment = {**os.environ, "DISPLAY": self.display}
        command = ["xwininfo", "-id", window]
        text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        x, y = (re.search(rf"Absolute upper-left {axis}:\s+(-?\d+)", text) for axis in "XY")
        assert x is not None
        assert y is not None
        return int(x[1]), int(y[1])

    def shoot(self, path: Path) -> None:
        """Take a picture of the window and what lies over it."""
        self._ask(do="shoot", file=str(path), **{"in": [*self._origin, *WINDOW_SIZE]})

    def find(self, colour: str, area: tuple[int, int, int, int], at_least: int = 3) -> tuple[int, int] | None:
        """Return where a colour is in an area, from its top; None where it is not."""
        x, y = self._origin
        place = [area[0] + x, area[1] + y, *area[2:]]
        found = self._ask(do="find", colour=colour, **{"in": place, "at_least": at_least})["at"]
        return (found[0] - x, found[1] - y) if found else None

    def click(self, x: int, y: int) -> None:
        """Click with the left button."""
        self._do("mousemove", "--sync", x + self._origin[0], y + self._origin[1])
        time.sleep(0.15)
        self._do("click", 1)
        time.sleep(0.15)

    def rest(self) -> None:
        """Move the mouse to where it marks nothing."""
        self._do("mousemove", SOURCE_PLACE[0], SOURCE_PLACE[1] + 200)

    def type(self, text: str) -> None:
        """Type a text."""
        self._do("type", "--delay", 12, text)

    def press(self, *keys: str) -> None:
        """Press keys by their X names, such as `Return` or `ctrl+q`."""
        for key in keys:
            self._do("key", key)
            time.sleep(0.1)

    def drag(self, path: str, x: int, y: int) -> None:
        """Drag a file from another program to a place, and drop it."""
        start = self._ask(do="hold", path=path)["at"]
        end = (x + self._origin[0], y + self._origin[1])
        self._do("mousemove", "--sync", *start)
        self._do("mousedown", 1)
        for step in range(1, 13):  # a drag begins after some way, and the target is told of each step
            at = [round(a + (b - a) * step / 12) for a, b in zip(start, end, strict=True)]
            self._do("mousemove", *at)
            time.sleep(_STEP_S)
        time.sleep(0.5)
        self._do("mouseup", 1)

    def until(self, what: str, check: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Wait until something holds; return what it gave.

        Raises:
            SetupError: it did not in time.
        """
        found = wait_for(check, patience_s)
        if not found:
            raise SetupError(f"{what} did not come within {patience_s:.0f} s.")
        return found


def wait_for(check: Callable[[], Any], patience_s: float) -> Any:
    """Ask until the answer is yes or patience ends; return the last answer."""
    deadline = time.monotonic() + patience_s
    while not (found := check()) and time.monotonic() <= deadline:
        time.sleep(0.2)
    return found


@contextmanager
def screen() -> Iterator[Screen]:
    """Start the screen and its operator."""
    with virtual_display(SIZE) as variables:
        environment = {**os.environ, **variables}
        command = [sys.executable, "-m", "scripts.smoke.operator", *(str(value) for value in SOURCE_PLACE)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=REPOSITORY_DIR,
        )
        # A window manager gives windows their frames and the keyboard, as on a desktop.
        manager = subprocess.Popen(
            ["openbox", "--sm-disable"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield Screen(variables["DISPLAY"], process)
        finally:
            for started in (manager, process):
                started.kill()
                started.wait()
