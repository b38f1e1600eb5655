"""Say in plain words what the set-up is doing, and why it stopped."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class SetupError(Exception):
    """A step that could not be done.

    Attributes:
        message: What went wrong, in one sentence without jargon.
        hint: What the user can do next.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep the sentence and the next step apart, so that both can be shown on lines of their own."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class Progress:
    """Print one line for the start and the end of each step.

    Attributes:
        stream: Where the lines go. ``run.py -- ARGS`` passes standard error, so that standard output
            belongs to the program alone.
    """

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        """Write to ``stream`` (standard output if none is given), or nowhere when ``quiet``."""
        self.stream = stream if stream is not None else sys.stdout
        self._quiet = quiet

    def say(self, text: str) -> None:
        """Print one line at once, also into a pipe."""
        if not self._quiet:
            print(text, file=self.stream, flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Announce a step and say afterwards how many seconds it took.

        Args:
            text: What happens now, as a sentence without a full stop.
        """
        self.say(f"  {text} ...")
        started = time.monotonic()
        yield
        self.say(f"  {text}: done in {time.monotonic() - started:.1f} s")


def explain(error: SetupError, stream: TextIO | None = None) -> None:
    """Print an error and its next step to ``stream`` (standard error if none is given)."""
    out = stream if stream is not None else sys.stderr
    print(f"\nSet-up stopped: {error.message}", file=out)
    if error.hint:
        print(f"What to do: {error.hint}", file=out)
    print("Running the same command again continues where it stopped.", file=out, flush=True)
