"""How loud the microphone is, for the level and the waveform in the window."""

import numpy as np

from app.protocol.audio import SPEECH_RATE
from app.worker.voice.activity import SILENCE_DB, Waveform, level_db

_PEAK_SAMPLES = SPEECH_RATE // 50
_MOMENT_SAMPLES = SPEECH_RATE // 20
_MOST_PEAKS = 250


class Meter:
    """Gathers levels between two messages."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rest = np.zeros(0, np.float32)
        self._peaks: list[float] = []
        self._loudest_db = SILENCE_DB

    def feed(self, waveform: Waveform) -> None:
        """Take what came."""
        for start in range(0, len(waveform), _MOMENT_SAMPLES):
            self._loudest_db = max(self._loudest_db, level_db(waveform[start : start + _MOMENT_SAMPLES]))
        sound = np.concatenate([self._rest, waveform])
        n_whole = len(sound) // _PEAK_SAMPLES * _PEAK_SAMPLES
        self._rest = sound[n_whole:]
        highest = np.abs(sound[:n_whole]).reshape(-1, _PEAK_SAMPLES).max(axis=1)
        self._peaks.extend(round(float(peak), 3) for peak in highest)
        del self._peaks[:-_MOST_PEAKS]

    def read(self) -> tuple[float, tuple[float, ...]]:
        """Give the level of the loudest 50 ms in dB, and a peak (0 to 1) for each 20 ms; begin anew."""
        level, peaks = round(self._loudest_db, 1), tuple(self._peaks)
        self._loudest_db, self._peaks = SILENCE_DB, []
        return level, peaks
