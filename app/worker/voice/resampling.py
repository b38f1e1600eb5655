"""Samples of one rate turned into samples of another, by FFmpeg's resampler."""

from typing import Any

import numpy as np

from app.worker.voice.ports import Samples


class Resampler:
    """Changes the rate of one channel that comes piece by piece; one thread at a time.

    Attributes:
        source_rate: samples a second that go in.
        target_rate: samples a second that come out.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        """Prepare; FFmpeg is loaded only where the rates differ."""
        self.source_rate = source_rate
        self.target_rate = target_rate
        self._resampler: Any = None
        if source_rate != target_rate:
            import av  # 20 MB that a microphone of the right rate does not need

            self._frame = av.AudioFrame
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=target_rate)

    def push(self, samples: Samples) -> Samples:
        """Give what has become certain with these samples; a few milliseconds stay inside."""
        if self._resampler is None or not len(samples):
            return samples
        frame = self._frame.from_ndarray(np.ascontiguousarray(samples[None]), format="s16", layout="mono")
        frame.sample_rate = self.source_rate
        return self._join(self._resampler.resample(frame))

    def finish(self) -> Samples:
        """Give what stayed inside; nothing can be pushed afterwards."""
        if self._resampler is None:
            return np.empty(0, np.int16)
        return self._join(self._resampler.resample(None))

    @staticmethod
    def _join(frames: list[Any]) -> Samples:
        parts = [frame.to_ndarray()[0] for frame in frames]
        return np.concatenate(parts) if parts else np.empty(0, np.int16)


def resample(samples: Samples, source_rate: int, target_rate: int) -> Samples:
    """Give whole samples at another rate; their length is kept to within a millisecond."""
    if source_rate == target_rate or not len(samples):
        return samples
    resampler = Resampler(source_rate, target_rate)
    return np.concatenate([resampler.push(samples), resampler.finish()])
