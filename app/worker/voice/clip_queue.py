"""What is to be heard, in order: filled into the sound system's buffers, and counted as it is heard."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.protocol.audio import SPEECH_RATE
from app.worker.voice.ports import Samples

REMEMBERED_S = 30.0
_DRIFT_S = 0.03
"""The clock follows the sound system's slowly, and jumps where they are further apart than this."""
_FOLLOW = 0.1
_RAMP_S = 0.005
REPEATED_S = 0.05
"""Said twice when the sound goes on after a pause: what a sound system says about its delay is not exact."""


@dataclass(eq=False)
class Clip:
    """Samples that are heard as one.

    Attributes:
        samples: at `sample_rate`.
        volume: 0 to 1.
        n_quiet: samples of silence behind it.
        at_speech_rate: the same at 16,000 a second, for the echo guard.
        device: id of the loudspeaker that they are for.
        is_whole: no more samples will be appended.
        written: samples (with the silence) given to the sound system.
        heard: of these, how many have been heard.
    """

    samples: Samples
    sample_rate: int
    volume: float
    n_quiet: int
    at_speech_rate: Samples
    device: str = ""
    is_whole: bool = True
    written: int = 0
    heard: int = 0

    @property
    def n_total(self) -> int:
        """Samples with the silence behind them, as far as they are there."""
        return len(self.samples) + (self.n_quiet if self.is_whole else 0)

    @property
    def is_heard(self) -> bool:
        """Whether the last sample was heard, whatever of the silence."""
        return self.is_whole and self.heard >= len(self.samples)

    def append(self, samples: Samples, at_speech_rate: Samples) -> None:
        """Put more samples behind the others."""
        self.samples = np.concatenate([self.samples, samples])
        self.at_speech_rate = np.concatenate([self.at_speech_rate, at_speech_rate])


@dataclass
class _Stretch:
    """A part of a clip that was written: from `frame` of the stream on, from `position` in the clip on."""

    frame: int
    clip: Clip
    position: int
    n_samples: int


@dataclass
class _Past:
    """What is or was heard from number `first` of the time line on."""

    first: int
    samples: Samples
    volume: float


class ClipQueue:
    """Clips in order, and where in them the ear is. Not locked: its owner calls from one thread at a time.

    Frames are samples of the running stream, counted from its start. A clock says when each is heard: the
    sound system tells for every buffer how long it will wait, and between buffers time goes on. What was sent
    stands on a time line of 16,000 numbers a second of that clock. It is laid once, when a stream starts (or
    the clock jumps), and counted from there, so that an echo stays where it is however the clock trembles.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._clips: deque[Clip] = deque()
        self._stretches: deque[_Stretch] = deque()
        self._past: deque[_Past] = deque()
        self._rate = SPEECH_RATE
        self._device = ""
        self._n_lead = 0
        self._frames = 0
        self._start: float | None = None
        self._line_start: float | None = None
        self._gain = 0.0

    def add(self, clip: Clip) -> None:
        """Put a clip behind the others."""
        self._clips.append(clip)

    def remove(self, clip: Clip) -> None:
        """Forget a clip; of one that is being heard only after `rewind`."""
        if clip in self._clips:
            self._clips.remove(clip)
        self._stretches = deque(stretch for stretch in self._stretches if stretch.clip is not clip)

    def clear(self) -> None:
        """Forget all clips; of those that are being heard only after `rewind`."""
        self._clips.clear()
        self._stretches.clear()

    def restart(self, sample_rate: int, device: str = "", lead_s: float = 0.0) -> None:
        """Count from a new start of the stream, which begins with so much silence."""
        self._n_lead = round(lead_s * sample_rate)
        self._rate = sample_rate
        self._device = device
        self._frames = 0
        self._start = self._line_start = None
        self._stretches.clear()
        self._gain = 0.0

    # --------------------------------------------------------------------------------------- writing

    def fill(self, n_frames: int, wait_s: float, now: float) -> Samples:
        """Give the next samples for the stream; silence where there is nothing for it.

        Args:
            n_frames: how many.
            wait_s: until the first of them is heard.
            now: seconds of a monotonic clock.
        """
        self._follow(now + wait_s)
        out = np.zeros(n_frames, np.int16)
        at = min(self._n_lead, n_frames)
        self._n_lead -= at
        for clip in list(self._clips):
            is_for_it = (clip.sample_rate, clip.device) == (self._rate, self._device)
            if at == n_frames or not is_for_it:
                break
            at += self._write(clip, out, at)
            if not clip.is_whole:
                break
        self._frames += n_frames
        return out

    def _write(self, clip: Clip, out: Samples, at: int) -> int:
        """Write what fits of a clip; give how many samples."""
        n_samples = min(len(out) - at, clip.n_total - clip.written)
        if n_samples <= 0:
            return 0
        sounding = clip.samples[clip.written : clip.written + n_samples]
        if len(sounding):
            out[at : at + len(sounding)] = self._with_volume(sounding, clip.volume)
            self._remember(clip, self._frames + at, len(sounding))
        self._stretches.append(_Stretch(self._frames + at, clip, clip.written, n_samples))
        clip.written += n_samples
        return n_samples

    def _with_volume(self, samples: Samples, volume: float) -> Samples:
        """Apply the volume; a change is a short ramp, so that it does not click."""
        before, self._gain = self._gain, volume
        if before == volume == 1.0:
            return samples
        gains = np.full(len(samples), volume, np.float32)
        n_ramp = min(len(samples), round(self._rate * _RAMP_S))
        gains[:n_ramp] = np.linspace(before, volume, n_ramp, dtype=np.float32)
        louder_or_quieter: Samples = np.rint(samples * gains).astype(np.int16)
        return louder_or_quieter

    def _remember(self, clip: Clip, frame: int, n_samples: int) -> None:
        ratio = SPEECH_RATE / clip.sample_rate
        first, last = round(clip.written * ratio), round((clip.written + n_samples) * ratio)
        if self._line_start is None:
            self._line_start = self._start or 0.0
        clip_start = self._line_start + (frame - clip.written) / self._rate
        first_number = round(clip_start * SPEECH_RATE) + first
        self._past.append(_Past(first_number, clip.at_speech_rate[first:last], clip.volume))
        while self._past[0].first < first_number - REMEMBERED_S * SPEECH_RATE:
            self._past.popleft()

    # --------------------------------------------------------------------------------------- hearing

    def _follow(self, heard_at: float) -> None:
        """Set the clock by when the next frame will be heard."""
        start = heard_at - self._frames / self._rate
        if self._start is None or abs(start - self._start) > _DRIFT_S:
            self._start = start
            self._line_start = None
        else:
            self._start += _FOLLOW * (start - self._start)

    def advance(self, now: float) -> None:
        """Count what has been heard by now."""
        if self._start is None:
            return
        frame = min(self._frames, int((now - self._start) * self._rate))
        while self._stretches:
            stretch = self._stretches[0]
            n_heard = min(max(frame - stretch.frame, 0), stretch.n_samples)
            stretch.clip.heard = max(stretch.clip.heard, stretch.position + n_heard)
            if n_heard < stretch.n_samples:
                break
            self._stretches.popleft()
        while self._clips and self._clips[0].is_whole and self._clips[0].heard >= self._clips[0].n_total:
            self._clips.popleft()

    def rewind(self, now: float) -> None:
        """The stream was stopped: what was written and not heard will be written again."""
        self.advance(now)
        for clip in self._clips:
            n_repeated = round(REPEATED_S * clip.sample_rate) if clip.heard < len(clip.samples) else 0
            clip.written = min(clip.written, max(clip.heard - n_repeated, 0))
        last = round(now * SPEECH_RATE)
        self._past = deque(_until(past, last) for past in self._past if past.first < last)
        self.restart(self._rate, self._device)

    def next_clip(self) -> Clip | None:
        """Give the clip whose samples are to be written next, or whose last ones are being heard."""
        while self._clips and self._clips[0].is_whole and not self._clips[0].n_total:
            self._clips.popleft()
        return self._clips[0] if self._clips else None

    def is_sounding(self, now: float) -> bool:
        """Whether a sample of a clip is heard now, not the silence between two."""
        if self._start is None:
            return False
        frame = int((now - self._start) * self._rate)
        for stretch in self._stretches:
            into = frame - stretch.frame
            if 0 <= into < stretch.n_samples:
                return stretch.position + into < len(stretch.clip.samples)
        return False

    def heard(self, first: int, n_samples: int) -> NDArray[np.float32]:
        """Give a part of the time line, see `ports.TimeLine`; zeros where it was quiet."""
        out = np.zeros(n_samples, np.float32)
        for past in reversed(self._past):
            at = past.first - first
            if at + len(past.samples) <= 0:
                break
            samples = past.samples[max(-at, 0) : max(n_samples - at, 0)]
            at = max(at, 0)
            out[at : at + len(samples)] = samples.astype(np.float32) * (past.volume / 32768.0)
        return out


def _until(past: _Past, last: int) -> _Past:
    """Cut off what was never heard."""
    return _Past(past.first, past.samples[: last - past.first], past.volume)
