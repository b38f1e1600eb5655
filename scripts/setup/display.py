"""A virtual X display for the tests that open the real window."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.setup.progress import SetupError

START_SECONDS = 20


@contextmanager
def virtual_display(size: str = "1600x1000x24") -> Iterator[dict[str, str]]:
    """Run Xvfb on a free display number and give the variables that lead to it.

    Args:
        size: Width, height and colour depth of its screen.

    Yields:
        Variables for the environment of what shall run on it.

    Raises:
        SetupError: Xvfb is missing or does not start.
    """
    program = shutil.which("Xvfb")
    if program is None:
        raise SetupError("Xvfb is missing.", "On Debian and Ubuntu: sudo apt-get install xvfb")
    read_end, write_end = os.pipe()
    command = [program, "-displayfd", str(write_end), "-screen", "0", size, "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(command, pass_fds=(write_end,), stderr=subprocess.DEVNULL)
    os.close(write_end)
    try:
        yield {"DISPLAY": f":{_display_number(read_end)}", "QT_QPA_PLATFORM": "xcb"}
    finally:
        os.close(read_end)
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _display_number(read_end: int) -> int:
    """Return the number that Xvfb writes when it is ready."""
    text = b""
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([read_end], [], [], START_SECONDS)
        block = os.read(read_end, 32) if ready else b""
        if not block:
            raise SetupError("The virtual display did not start.", "Try: Xvfb -displayfd 1")
        text += block
    return int(text)
