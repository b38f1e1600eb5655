"""What the parts of the voice worker are to each other, as protocols so that tests can stand in."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.errors import AppError

Samples = NDArray[np.int16]
"""(n,) samples of one channel, 16,000 a second where nothing else is said."""


class OpenMicrophone(Protocol):
    """A microphone that is open; its sign in the system shows."""

    def close(self) -> None:
        """Close it; afterwards no callback comes any more. Any thread, also twice."""


class Microphones(Protocol):
    """Opens microphones."""

    def open(
        self, device: str, on_samples: Callable[[Samples], None], on_lost: Callable[[AppError], None]
    ) -> OpenMicrophone:
        """Open a microphone.

        Args:
            device: id; empty for the system's.
            on_samples: gets what it hears, resampled to 16,000 a second, in blocks of 10 to 100 ms; in a
                thread that is not the sound system's own, so that it may take its time.
            on_lost: called once when the device goes away or fails; then no more samples come.

        Raises:
            AppError: `microphone.none`, `microphone.not_found`, `microphone.denied`, `microphone.busy`,
                `microphone.failed`.
        """


class TimeLine(Protocol):
    """What a loudspeaker plays and when: a line of numbers, 16,000 a second of a clock.

    Samples that follow each other in the sound follow each other on the line; only where a stream begins
    does it trust the sound system's account of when that will be heard.
    """

    def now(self) -> int:
        """Give the number of this moment."""

    def heard(self, first: int, n_samples: int) -> NDArray[np.float32]:
        """Give what was sent to be heard from a number on, -1 to 1; zeros where it was quiet."""


class Loudspeaker(TimeLine, Protocol):
    """What is heard."""

    @property
    def is_sounding(self) -> bool:
        """Whether something is heard at this moment (not paused, not silent between sentences)."""

    def interrupt(self) -> bool:
        """Be silent at once because somebody speaks; give whether anything was heard. Any thread."""


class Voice(Protocol):
    """A loaded voice that speaks."""

    @property
    def sample_rate(self) -> int:
        """Samples a second of what it speaks."""

    def parts(
        self, text: str, speed: float, is_wanted: Callable[[], bool], hurry: bool = False
    ) -> Iterator[Samples]:
        """Speak a text, part by part; ends early once it is not wanted. Raises AppError.

        Args:
            text: what to speak; where nothing in it can be spoken, there are no parts.
            speed: 1 is the voice's own.
            is_wanted: asked between parts.
            hurry: the first part is short where the text allows it, because somebody waits for it.
        """
