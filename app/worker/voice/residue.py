"""Take out what a canceller left of the echo, band by band, well enough to notice somebody speaking."""

import numpy as np
from numpy.typing import NDArray

from app.protocol.audio import SPEECH_RATE
from app.worker.voice.activity import Waveform
from app.worker.voice.canceller import BLOCK

_WINDOW = 2 * BLOCK
_HOP_S = BLOCK / SPEECH_RATE
_N_BANDS = 20
_LOWEST_HZ, _HIGHEST_HZ = 100.0, 7500.0
_AUDIBLE_DB = -75.0
_SILENT_DB = -120.0
_MARGIN_DB = 5.0
_UNKNOWN_DB = -60.0
_LEARNING_HOPS = round(0.6 / _HOP_S)
_UNSURE_HOPS = round(3.0 / _HOP_S)
_UNSURE_RISE_DB, _RISE_DB, _FALL_DB = 20.0 * _HOP_S, 4.0 * _HOP_S, 0.7 * _HOP_S
_FOLLOWING_HOPS = round(2.0 / _HOP_S)
_DECAY_DB = 120.0 * _HOP_S
_LEFT_RISE_DB, _LEFT_FALL_DB, _LEFT_FIRST_FALL_DB = 20.0 * _HOP_S, 3.0 * _HOP_S, 9.0 * _HOP_S
_LIKE_FORGETS = 0.9
_FAINT = 1e-6
_AGREEING_HOPS, _NOTHING = 10, 0.1
_FIRST_MARGIN_DB, _WIDE_HOPS = 10.0, round(6.0 / _HOP_S)

Bands = NDArray[np.float64]
"""(n_bands,) or (n_hops, n_bands) of power or dB."""
Spectrum = NDArray[np.complex128]
"""(n_bins,) of a window."""


class Residue:
    """Lets through what is louder than the loudspeaker can be, in each of 20 bands (spectral subtraction).

    First, what still runs like the predicted echo is taken off in each bin (its gain or phase is off by a
    little: a canceller follows clocks that drift, but always behind). Of the rest, two limits say what can
    be the loudspeaker; both are learnt while nobody speaks.

    - By the level: the coupling says by how much the microphone hears a band louder or softer than its
      loudest moment in the half second that was played. It needs no canceller and no delay, and is safe from
      the start: nothing passes in the first 0.6 s of sound in an unknown room. It rises by 20 dB/s at first,
      by 4 dB/s after 3 s of sound, slowly, or a voice would be learnt as echo; it falls by 0.7 dB/s.
    - By the canceller: what it leaves of a band, against the echo that it predicted for this moment. It is
      far lower, and takes the place of the other from 2 s of sound on, with a margin that is wider at first
      (10 dB less what was learnt of 6 s). After a doubt about the canceller it must first agree for 0.16 s
      that nobody speaks.

    Attributes:
        coupling_db: by the level, of each band.
        left_db: by the canceller, of each band.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.coupling_db: Bands = np.full(_N_BANDS, _UNKNOWN_DB)
        self.left_db: Bands = np.zeros(_N_BANDS)
        self._learnt_hops = self._followed_hops = 0
        self._hann = np.hanning(_WINDOW + 1)[:-1]
        self._weights = _band_weights()
        self._covered = np.maximum(self._weights.sum(axis=1), 1e-9)
        self.reset()

    def reset(self) -> None:
        """Begin a new recording; what is known about the room stays."""
        self._before = np.zeros((3, BLOCK), np.float32)
        self._overlap = np.zeros(BLOCK)
        self._agreed_hops = 0
        self._echo_db: Bands = np.full(_N_BANDS, _SILENT_DB)
        self._both: Spectrum = np.zeros(BLOCK + 1, np.complex128)
        self._power = np.zeros(BLOCK + 1)

    def step(
        self, played: Waveform, heard: Waveform, left: Waveform, echo: Waveform, trusted: bool, speaks: bool
    ) -> Waveform:
        """Take one block; give what of it was not the loudspeaker, (BLOCK,), a block late.

        Args:
            played: (n,) what may be heard at this moment, from any delay and reverberation.
            heard: (BLOCK,) of the microphone.
            left: (BLOCK,) of it, by the canceller.
            echo: (BLOCK,) that the canceller took out.
            trusted: whether the canceller knows what it does.
            speaks: whether somebody is known to speak; then nothing is learnt.
        """
        now = np.stack([heard, left, echo])
        spectra = np.fft.rfft(np.concatenate([self._before, now], axis=1) * self._hann, axis=1)
        self._before = now
        spectra[1] -= self._like(spectra[1], spectra[2])
        heard_db, left_db, echo_db = _decibels(np.square(np.abs(spectra)) @ self._weights)
        self._echo_db = np.maximum(self._echo_db - _DECAY_DB, echo_db)
        spectrum = spectra[1]
        loudest = self._loudest(played)
        audible = loudest > _AUDIBLE_DB
        if audible.any():
            if not speaks:
                self._learn(heard_db - loudest, audible)
                self._follow(left_db - self._echo_db, self._echo_db > _AUDIBLE_DB, trusted)
            share = np.where(audible, self._share(loudest, heard_db, left_db, trusted), 1.0)
            gains = np.sqrt(self._weights @ share / self._covered)
            spectrum = spectrum * gains
        cleaned = np.fft.irfft(spectrum, _WINDOW)
        out = self._overlap + cleaned[:BLOCK]
        self._overlap = cleaned[BLOCK:]
        return out.astype(np.float32)

    def _like(self, left: Spectrum, echo: Spectrum) -> Spectrum:
        """Give what of the rest still runs like the predicted echo, in each bin: its gain or phase is off."""
        self._both = _LIKE_FORGETS * self._both + left * np.conj(echo)
        self._power = _LIKE_FORGETS * self._power + np.square(np.abs(echo))
        return np.asarray(self._both / (self._power + _FAINT) * echo)

    def _share(self, loudest: Bands, heard_db: Bands, left_db: Bands, trusted: bool) -> Bands:
        """Give the share of each band's power that is not the loudspeaker."""
        share = _above(heard_db, loudest + self.coupling_db + _MARGIN_DB)
        if self._learnt_hops < _LEARNING_HOPS:
            share[:] = 0.0
        elif not trusted:
            self._agreed_hops = 0
        elif self._followed_hops >= _FOLLOWING_HOPS:
            wider_db = _FIRST_MARGIN_DB * max(0.0, 1 - self._followed_hops / _WIDE_HOPS)
            limit = np.maximum(self._echo_db, _AUDIBLE_DB) + self.left_db + _MARGIN_DB + wider_db
            by_canceller = _above(left_db, limit)
            if self._agreed_hops >= _AGREEING_HOPS:
                share = by_canceller
            else:
                self._agreed_hops = self._agreed_hops + 1 if np.mean(by_canceller) < _NOTHING else 0
        return share * np.minimum(1.0, 10.0 ** ((heard_db - left_db) / 10.0))

    def _learn(self, ratio: Bands, audible: NDArray[np.bool_]) -> None:
        self._learnt_hops += 1
        if self._learnt_hops <= _LEARNING_HOPS:
            new = np.maximum(self.coupling_db, ratio)
        else:
            rise_db = _UNSURE_RISE_DB if self._learnt_hops < _UNSURE_HOPS else _RISE_DB
            new = self.coupling_db + np.clip(ratio - self.coupling_db, -_FALL_DB, rise_db)
        self.coupling_db = np.where(audible, new, self.coupling_db)

    def _follow(self, ratio: Bands, audible: NDArray[np.bool_], trusted: bool) -> None:
        """Learn what the canceller leaves."""
        if not trusted or not audible.any():
            return
        self._followed_hops += 1
        fall_db = _LEFT_FIRST_FALL_DB if self._followed_hops < _UNSURE_HOPS else _LEFT_FALL_DB
        change = np.clip(ratio - self.left_db, -fall_db, _LEFT_RISE_DB)
        if self._followed_hops <= _FOLLOWING_HOPS:
            change = ratio - self.left_db
        self.left_db = np.where(audible, np.clip(self.left_db + change, -40.0, 20.0), self.left_db)

    def _loudest(self, played: Waveform) -> Bands:
        """Give the highest level of each band in dB."""
        if not np.any(played):
            return np.full(_N_BANDS, -np.inf)
        frames = np.lib.stride_tricks.sliding_window_view(played, _WINDOW)[::BLOCK]
        powers = np.square(np.abs(np.fft.rfft(frames * self._hann, axis=1))) @ self._weights
        return _decibels(powers.max(axis=0))


def _above(level_db: Bands, limit_db: Bands) -> Bands:
    """Give the share of power that stands above a limit."""
    return np.clip(1.0 - 10.0 ** ((limit_db - level_db) / 10.0), 0.0, 1.0)


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
