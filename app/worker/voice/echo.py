"""Take what the loudspeaker says out of what the microphone hears, well enough to notice somebody speaking.

There is no echo canceller in the system on every platform, so the program does what is needed for barge-in
and no more: what is left is for detecting speech, not for understanding it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.protocol.audio import SPEECH_RATE
from app.worker.voice.activity import Waveform

_WINDOW, _HOP = 512, 256
_HOP_S = _HOP / SPEECH_RATE
_N_BANDS = 20
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 7500.0
_HEARD_BACK_S = 0.4
_AUDIBLE_DB = -75.0
_MARGIN_DB = 5.0
_LEARNING_HOPS = round(0.6 / _HOP_S)
_UNSURE_HOPS = round(3.0 / _HOP_S)
_UNSURE_RISE_DB, _RISE_DB, _FALL_DB = 20.0 * _HOP_S, 4.0 * _HOP_S, 0.7 * _HOP_S
_UNKNOWN_DB = -60.0

Bands = NDArray[np.float64]
"""(n_bands,) or (n_hops, n_bands) of power or dB."""


class EchoFilter:
    """Gives a microphone's sound without the loudspeaker's echo; one room, one pair of devices.

    For each of 20 bands it learns the coupling: by how much the microphone hears a band louder or softer
    than the loudest moment of it in the last 0.4 s of what was sent to the loudspeaker. That span covers the
    delays of sound systems and the reverberation of rooms, which need not be known then. What is louder than
    coupling and margin allow is somebody else; only that part of each band is let through (spectral
    subtraction). The first 0.6 s of sound in an unknown room are for learning, and nothing is let through.
    The coupling grows by 20 dB/s at first, by 4 dB/s after 3 s of sound, where the microphone hears more and
    nobody was noticed: slowly, or a voice would be learnt as echo. It falls by 0.7 dB/s.

    Attributes:
        coupling_db: of each band.
    """

    def __init__(self, recent: Callable[[float], Waveform]) -> None:
        """Take what gives the loudspeaker's last seconds."""
        self._recent = recent
        self.coupling_db: Bands = np.full(_N_BANDS, _UNKNOWN_DB)
        self._learnt_hops = 0
        self._hann = np.hanning(_WINDOW + 1)[:-1]
        self._weights = _band_weights()
        self.reset()

    def reset(self) -> None:
        """Begin a new recording; what is known about the room stays."""
        self._input = np.zeros(_WINDOW - _HOP, np.float32)
        self._overlap = np.zeros(_HOP)

    def feed(self, waveform: Waveform, somebody_speaks: bool) -> Waveform:
        """Take what the microphone heard; give what of it was not the loudspeaker, 16 ms late, in whole hops.

        Args:
            waveform: what came now.
            somebody_speaks: as far as known; then nothing is learnt.
        """
        sound = np.concatenate([self._input, waveform])
        n_hops = max(0, (len(sound) - _WINDOW) // _HOP + 1)
        self._input = sound[n_hops * _HOP :]
        if not n_hops:
            return np.zeros(0, np.float32)
        played = self._recent(_HEARD_BACK_S + len(waveform) / SPEECH_RATE)
        loudest = _loudest(played, self._hann, self._weights)
        out = np.empty(n_hops * _HOP, np.float32)
        for hop in range(n_hops):
            frame = sound[hop * _HOP : hop * _HOP + _WINDOW]
            cleaned = self._cleaned(frame, loudest, somebody_speaks)
            out[hop * _HOP : (hop + 1) * _HOP] = self._overlap + cleaned[:_HOP]
            self._overlap = cleaned[_HOP:]
        return out

    def _cleaned(self, frame: Waveform, loudest: Bands, somebody_speaks: bool) -> NDArray[np.float64]:
        """Give a window without echo, weighted for adding it to its neighbours."""
        spectrum = np.fft.rfft(frame * self._hann)
        audible = loudest > _AUDIBLE_DB
        if not audible.any():
            return np.fft.irfft(spectrum, _WINDOW)
        heard = _decibels(np.square(np.abs(spectrum)) @ self._weights)
        if not somebody_speaks:
            self._learn(heard - loudest, audible)
        if self._learnt_hops < _LEARNING_HOPS:
            return np.zeros(_WINDOW)
        echo = np.where(audible, loudest + self.coupling_db + _MARGIN_DB, -np.inf)
        left = np.clip(1.0 - 10.0 ** ((echo - heard) / 10.0), 0.0, 1.0)
        covered = self._weights.sum(axis=1)
        gains = self._weights @ left / np.maximum(covered, 1e-9)
        return np.fft.irfft(spectrum * np.sqrt(gains), _WINDOW)

    def _learn(self, ratio: Bands, audible: NDArray[np.bool_]) -> None:
        self._learnt_hops += 1
        if self._learnt_hops <= _LEARNING_HOPS:
            new = np.maximum(self.coupling_db, ratio)
        else:
            rise_db = _UNSURE_RISE_DB if self._learnt_hops < _UNSURE_HOPS else _RISE_DB
            new = self.coupling_db + np.clip(ratio - self.coupling_db, -_FALL_DB, rise_db)
        self.coupling_db = np.where(audible, new, self.coupling_db)


def _loudest(played: Waveform, hann: NDArray[np.float64], weights: Bands) -> Bands:
    """Give the highest level of each band in dB."""
    n_hops = (len(played) - _WINDOW) // _HOP + 1
    if n_hops < 1 or not np.any(played):
        return np.full(_N_BANDS, -np.inf)
    frames = np.lib.stride_tricks.sliding_window_view(played, _WINDOW)[::_HOP]
    powers = np.square(np.abs(np.fft.rfft(frames * hann, axis=1))) @ weights
    return _decibels(powers.max(axis=0))


def _decibels(power: Bands) -> Bands:
    """Give band powers in dB of full scale (a full-scale sine within a band is about 0)."""
    full = (_WINDOW / 4) ** 2
    return np.asarray(10 * np.log10(power / full + 1e-12))


def _band_weights() -> Bands:
    """Give (n_bins, n_bands): overlapping triangles, even on a logarithmic scale."""
    bins = np.fft.rfftfreq(_WINDOW, 1 / SPEECH_RATE)
    centres = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _N_BANDS)
    positions = np.interp(bins, centres, np.arange(_N_BANDS), left=-1.0, right=-1.0)
    weights = np.maximum(0.0, 1.0 - np.abs(positions[:, None] - np.arange(_N_BANDS)[None, :]))
    return np.asarray(np.where(positions[:, None] < 0, 0.0, weights))
