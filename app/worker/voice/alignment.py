"""Which part of what was played belongs to what the microphone heard."""

import numpy as np

from app.protocol.audio import SPEECH_RATE
from app.worker.voice.activity import Waveform
from app.worker.voice.canceller import BLOCK

AHEAD = SPEECH_RATE // 10
"""An echo can come this much sooner than the sound system's account of its delay says."""
_STEADY = SPEECH_RATE // 25
_LOOK_BLOCKS = 500
_QUIET_BLOCKS = 32
_AUDIBLE = 1e-3
_FIRST_LOOK, _LAST_LOOK, _LOOK_EVERY = 8, 64, 2
_SPAN = _FIRST_LOOK * BLOCK
_FURTHEST = SPEECH_RATE // 10
_CLEAR = 10.0
_SAME = 1
_FAINT = 1e-7


class Alignment:
    """Counts the microphone's samples along the loudspeaker's time line. One thread at a time.

    Blocks come late by more or less, but their samples follow each other evenly: so the clock is looked at
    when a recording begins, and then samples are counted. Where the two part for good (samples were lost),
    the clock is right.

    Each recording and each stream of a loudspeaker begins some milliseconds off the ones before, and a sound
    system that is short of time leaves gaps. A canceller would have to learn anew, and its leavings would be
    taken for a voice. So what it predicts is compared with what is heard, at all delays up to 0.1 s; where
    two looks in a row agree, the time line is shifted, and the next look says whether that was right.

    Source of the comparison: C. Knapp, G. Carter, "The generalized correlation method for estimation of time
    delay", IEEE Trans. ASSP 24 (1976), with the phase transform.

    Attributes:
        is_certain: False at the beginning of a reading, and where a look speaks against it.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.reset(is_known=False)

    def reset(self, is_known: bool) -> None:
        """Begin a new recording, in a room whose echo is known or not; in one that is not, all is certain."""
        self._n_counted = 0
        self._offset: int | None = None
        self._least_late: list[int] = []
        self._quiet_blocks = _QUIET_BLOCKS if is_known else 0
        self._n_compared = 0
        self._suspected: int | None = None
        self.is_certain = True
        self._heard = np.zeros(_SPAN, np.float32)
        self._echo = np.zeros(_SPAN, np.float32)

    def count(self, n_samples: int, now: int) -> None:
        """Take that so many samples came, at the number `now` of the time line."""
        self._n_counted += n_samples
        offset = now - self._n_counted
        if self._offset is None:
            self._offset = offset
        self._least_late.append(offset - self._offset)
        del self._least_late[:-_LOOK_BLOCKS]
        late = min(self._least_late)
        if late < -_STEADY or (late > _STEADY and len(self._least_late) == _LOOK_BLOCKS):
            self._offset += late
            self._least_late.clear()

    def number(self, n_behind: int) -> int:
        """Give the number on the time line, AHEAD of the sample behind which so many came."""
        return (self._offset or 0) + self._n_counted - n_behind + AHEAD

    def compare(self, played: Waveform, heard: Waveform, echo: Waveform) -> None:
        """Take a block that was heard, and the echo that was predicted for it; shift where they disagree.

        Args:
            played: what it was predicted from, to see where a reading begins.
            heard: (BLOCK,).
            echo: (BLOCK,).
        """
        self._heard = np.concatenate([self._heard[BLOCK:], heard])
        self._echo = np.concatenate([self._echo[BLOCK:], echo])
        if not np.any(np.abs(played) > _AUDIBLE):
            self._quiet_blocks += 1
            return
        if self._quiet_blocks >= _QUIET_BLOCKS:
            self._begin()
            self.is_certain = False
        self._quiet_blocks = 0
        if min(np.mean(np.square(echo)), np.mean(np.square(heard))) > _FAINT:
            self._n_compared += 1
            if self._n_compared >= _FIRST_LOOK and self._n_compared % _LOOK_EVERY == 0:
                self._look()

    def _begin(self) -> None:
        """Compare only what comes from now on."""
        self._n_compared = 0
        self._suspected = None
        self._heard[:] = 0.0
        self._echo[:] = 0.0

    def _look(self) -> None:
        shift, clearness = _delay(self._echo, self._heard)
        if clearness < _CLEAR:
            self.is_certain |= self._n_compared >= _LAST_LOOK
        elif abs(shift) <= _SAME:
            self.is_certain, self._suspected = True, None
        elif self._suspected is not None and abs(shift - self._suspected) <= _SAME:
            self._offset = (self._offset or 0) - shift
            self._begin()
        else:
            self.is_certain, self._suspected = False, shift


def _delay(of: Waveform, against: Waveform) -> tuple[int, float]:
    """Give by how many samples `against` comes later, and how clear that is: a peak in its noise (RMS)."""
    n_points = 2 * len(of)
    soft = np.hanning(len(of))  # the edges of both would agree
    cross = np.fft.rfft(against * soft, n_points) * np.conj(np.fft.rfft(of * soft, n_points))
    cross /= np.abs(cross) + 1e-9
    correlation = np.fft.irfft(cross, n_points)
    near = np.concatenate([correlation[-_FURTHEST:], correlation[: _FURTHEST + 1]])
    at = int(np.argmax(near))
    return at - _FURTHEST, float(near[at] / (np.sqrt(np.mean(np.square(near))) + 1e-12))
