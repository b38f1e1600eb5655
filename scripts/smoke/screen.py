"""A virtual screen with a person in front of it, for programs that run elsewhere."""

from __future__ import annotations

import json
import os
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

SIZE = "1480x860x24"
SOURCE_PLACE = (1390, 20)
PATIENCE_S = 60.0
_STEP_S = 0.05


class Screen:
    """The screen, its mouse, keyboard and eyes.

    Attributes:
        display: For the environment of what shall show on it.
    """

    def __init__(self, display: str, operator: subprocess.Popen[str]) -> None:
        """Take a running screen and its operator."""
        self.display = display
        self._operator = operator

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
        self._do("windowmove", found[0], 0, 0)
        self._do("windowfocus", "--sync", found[0])
        time.sleep(0.3)
        return str(found[0])

    def shoot(self, path: Path, area: tuple[int, int, int, int] | None = None) -> None:
        """Take a picture of the screen, or of a part of it (x, y, width, height)."""
        self._ask(do="shoot", file=str(path), **({"in": list(area)} if area else {}))

    def find(self, colour: str, area: tuple[int, int, int, int], at_least: int = 3) -> tuple[int, int] | None:
        """Return where a colour is in an area, from its top; None where it is not."""
        found = self._ask(do="find", colour=colour, **{"in": list(area), "at_least": at_least})["at"]
        return (found[0], found[1]) if found else None

    def click(self, x: int, y: int) -> None:
        """Click with the left button."""
        self._do("mousemove", "--sync", x, y)
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
        self._do("mousemove", "--sync", *start)
        self._do("mousedown", 1)
        for step in range(1, 13):  # a drag begins after some way, and the target is told of each step
            at = [round(a + (b - a) * step / 12) for a, b in zip(start, (x, y), strict=True)]
            self._do("mousemove", *at)
            time.sleep(_STEP_S)
        time.sleep(0.5)
        self._do("mouseup", 1)

    def until(self, what: str, check: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Wait until something holds; return what it gave.

        Raises:
            SetupError: it did not in time.
        """
        deadline = time.monotonic() + patience_s
        while not (found := check()):
            if time.monotonic() > deadline:
                raise SetupError(f"{what} did not come within {patience_s:.0f} s.")
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
        try:
            yield Screen(variables["DISPLAY"], process)
        finally:
            process.kill()
            process.wait()
