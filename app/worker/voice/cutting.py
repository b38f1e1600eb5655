"""Cut long sound into pieces that are understood at one go: at silences, silence left out, times kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.worker.voice.activity import FRAME, FRAME_S, SPEECH_DOWN_TO, SPEECH_FROM, Waveform

PIECE_S = 28.0
"""Longest piece. Whisper always computes a window of 30 s: a piece that fits needs one, and no word can be
lost or doubled where windows meet, because they meet in silence."""
_LEAST_PIECE_S = 14.0
_PAD = round(0.25 / FRAME_S)
_GAP = round(0.3 / FRAME_S)
_SHORTEST = 2
_LONGEST_WAIT = round(90.0 / FRAME_S)
_SMOOTHED = 3


@dataclass(frozen=True)
class Stretch:
    """Frames in a row, half-open."""

    start: int
    end: int

    @property
    def n_frames(self) -> int:
        """Its length."""
        return self.end - self.start


@dataclass(frozen=True)
class Piece:
    """What is understood at one go.

    Attributes:
        stretches: of speech, put together without the silence between them.
        done: frames that are not needed any more once it is understood.
    """

    stretches: tuple[Stretch, ...]
    done: int

    def sound(self, waveform: Waveform) -> Waveform:
        """Give its samples out of those that begin with frame 0."""
        return np.concatenate([waveform[part.start * FRAME : part.end * FRAME] for part in self.stretches])

    def time(self, seconds: float, at_end: bool = False) -> float:
        """Give the time, from frame 0 on, of a moment of the piece's own sound.

        Args:
            seconds: from the beginning of the piece's sound.
            at_end: something ends there: on a seam it belongs to the stretch before.
        """
        left = max(0.0, seconds)
        for part in self.stretches:
            length = part.n_frames * FRAME_S
            if left < length or (at_end and left <= length):
                return part.start * FRAME_S + left
            left -= length
        return self.stretches[-1].end * FRAME_S


def speech_stretches(probabilities: NDArray[np.float32]) -> list[Stretch]:
    """Find speech, each stretch with a little quiet around it; short quiet within speech belongs to it.

    Args:
        probabilities: (n_frames,) that somebody speaks.
    """
    found: list[Stretch] = []
    start, last = -1, -1
    for index, probability in enumerate(probabilities.tolist()):
        if probability >= SPEECH_FROM or (start >= 0 and probability >= SPEECH_DOWN_TO):
            start = index if start < 0 else start
            last = index
        elif start >= 0 and index - last > _GAP:
            found.append(Stretch(start, last + 1))
            start = -1
    if start >= 0:
        found.append(Stretch(start, last + 1))
    return _padded([part for part in found if part.n_frames >= _SHORTEST], len(probabilities))


def _padded(stretches: Sequence[Stretch], n_frames: int) -> list[Stretch]:
    padded: list[Stretch] = []
    for index, part in enumerate(stretches):
        before = padded[-1].end if padded else 0
        middle = (part.end + stretches[index + 1].start + 1) // 2 if index + 1 < len(stretches) else n_frames
        padded.append(Stretch(max(before, part.start - _PAD), min(middle, part.end + _PAD, n_frames)))
    return padded


def next_piece(
    probabilities: NDArray[np.float32], waveform: Waveform, last: bool, piece_s: float = PIECE_S
) -> Piece | None:
    """Give the next piece of sound that waits; None where it should wait for more.

    A piece without stretches is silence.

    Args:
        probabilities: (n_frames,) that somebody speaks.
        waveform: the same frames' samples.
        last: no more will come.
        piece_s: longest piece in seconds.
    """
    stretches = speech_stretches(probabilities)
    n_frames = len(probabilities)
    if not stretches:
        kept = 0 if last else min(n_frames, _PAD + _SHORTEST)
        return Piece((), n_frames - kept) if n_frames > kept else None
    limit = int(piece_s / FRAME_S)
    if stretches[0].n_frames > limit:
        return _cut_within(stretches[0], waveform, limit)
    fitting = _fitting(stretches, limit)
    whole = fitting == len(stretches)
    if whole and last:
        return Piece(tuple(stretches), n_frames)
    if whole:
        waited = n_frames - stretches[0].start
        is_quiet = n_frames - stretches[-1].end > _GAP
        if waited < _LONGEST_WAIT or not is_quiet:
            return None
        return Piece(tuple(stretches), stretches[-1].end)
    chosen = _at_longest_gap(stretches, fitting, int(limit * _LEAST_PIECE_S / PIECE_S))
    return Piece(tuple(stretches[:chosen]), stretches[chosen - 1].end)


def _fitting(stretches: Sequence[Stretch], limit: int) -> int:
    """Give how many stretches from the first on fit into a piece."""
    total = 0
    for index, part in enumerate(stretches):
        total += part.n_frames
        if total > limit:
            return index
    return len(stretches)


def _at_longest_gap(stretches: Sequence[Stretch], fitting: int, least: int) -> int:
    """Give behind how many stretches to cut: at the longest silence that makes no short piece."""
    total, best, longest = 0, fitting, -1
    for index in range(fitting):
        total += stretches[index].n_frames
        gap = stretches[index + 1].start - stretches[index].end
        if total >= least and gap >= longest:
            best, longest = index + 1, gap
    return best


def _cut_within(part: Stretch, waveform: Waveform, limit: int) -> Piece:
    """Cut speech without a pause at its quietest moment, which lies between words."""
    first, behind = part.start + limit * 2 // 3, part.start + limit
    frames = waveform[first * FRAME : behind * FRAME].reshape(-1, FRAME)
    power = np.convolve(np.mean(np.square(frames), axis=1), np.ones(_SMOOTHED) / _SMOOTHED, mode="same")
    # the edges of "same" are sums of fewer frames and would look quiet
    cut = first + 1 + int(np.argmin(power[1:-1]))
    return Piece((Stretch(part.start, cut),), cut)
