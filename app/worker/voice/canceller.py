"""An acoustic echo canceller: learn the way from loudspeaker to microphone, and take its echo out."""

import numpy as np
from numpy.typing import NDArray

from app.worker.voice.activity import Waveform

BLOCK = 256
"""Samples of a step, 16 ms."""
N_PARTITIONS = 32
SPAN = (N_PARTITIONS + 1) * BLOCK
"""Samples of what was played that a step looks at: half a second, and the block before for the windows."""
_WINDOW = 2 * BLOCK
_N_BINS = BLOCK + 1
_STAYS = 0.99
_FORGETS = 0.6
_FIRST_BLOCKS = 16
_FIRST_SHARE = 0.3
_AUDIBLE = 1e-3
_LEAST = 1e-9
_ALIKE_FORGETS = 0.85
_ALIKE = 0.5
_LEAST_GAIN = 0.3

Spectra = NDArray[np.complex64]
"""(n_partitions, n_bins) or (n_bins,)."""
Powers = NDArray[np.float32]
"""The same shapes."""


class Canceller:
    """An adaptive filter of half a second; one room, one pair of devices. One thread at a time.

    The filter is cut into 32 partitions of 16 ms, each a spectrum. What it should be and how uncertain that
    is are followed by a Kalman filter per partition and bin: it learns quickly where it knows little and
    where the echo stands out, and hardly where something else is heard, so that a voice (double talk) does
    not spoil it. The room is taken to change a little all the time, which also follows clocks that drift.

    The first 0.3 s of sound only tell how loud the echo is at all, from which the first uncertainty follows.
    Where what is left still runs like what was predicted, the volume was changed: then the filter is scaled
    instead of learnt again.

    Source: G. Enzner, P. Vary, "Frequency-domain adaptive Kalman filter for acoustic echo control in
    hands-free telephones", Signal Processing 86 (2006); its partitions: F. Kuech, E. Mabande, G. Enzner,
    "State-space architecture of the partitioned-block-based acoustic echo controller", ICASSP 2014; overlap-
    save with partitions: J.-S. Soo, K. K. Pang, "Multidelay block frequency domain adaptive filter", IEEE
    Trans. ASSP 38 (1990).

    Attributes:
        n_learnt: steps in which it learnt something.
        is_off: what is left still runs like what was predicted: do not trust it at this moment.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._filter: Spectra = np.zeros((N_PARTITIONS, _N_BINS), np.complex64)
        self._uncertainty: Powers = np.zeros((N_PARTITIONS, _N_BINS), np.float32)
        self._other: Powers = np.full(_N_BINS, 1e-4, np.float32)
        self._played_power = self._heard_power = 0.0
        self._alike: NDArray[np.float64] = np.zeros(3)
        self.n_learnt = 0
        self.is_off = False

    def step(self, played: Waveform, heard: Waveform, learns: bool = True) -> tuple[Waveform, Waveform]:
        """Take one block.

        Args:
            played: (SPAN,) the last of it plays when the last of `heard` is heard, or later.
            heard: (BLOCK,) of the microphone.
            learns: False while it is not certain that both belong together.

        Returns:
            (BLOCK,) what is left, and (BLOCK,) the echo that was taken out.
        """
        if not np.any(np.abs(played) > _AUDIBLE):
            return heard, np.zeros(BLOCK, np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(played, _WINDOW)[::BLOCK][::-1]
        spectra: Spectra = np.fft.rfft(frames, axis=1).astype(np.complex64)
        echo = np.fft.irfft(np.sum(spectra * self._filter, axis=0), _WINDOW)[BLOCK:].astype(np.float32)
        left = heard - echo
        self._compare(left, echo)
        if learns and self._is_begun(spectra, heard):
            self._learn(spectra, left)
        if np.sum(np.square(left)) > 2 * np.sum(np.square(heard)):
            return heard, echo
        return left, echo

    def _is_begun(self, spectra: Spectra, heard: Waveform) -> bool:
        """Find out how loud the echo is; give whether that is known."""
        self.n_learnt += 1
        if self.n_learnt <= _FIRST_BLOCKS:
            self._played_power += float(np.mean(np.square(np.abs(spectra)).sum(axis=0))) / N_PARTITIONS
            self._heard_power += 2 * BLOCK * float(np.sum(np.square(heard)))
            if self.n_learnt == _FIRST_BLOCKS:
                gain = self._heard_power / max(self._played_power, 1e-6)
                self._uncertainty[:] = np.clip(_FIRST_SHARE * gain, 1e-6, 10.0)
        return self.n_learnt > _FIRST_BLOCKS

    def _learn(self, spectra: Spectra, left: Waveform) -> None:
        error: Spectra = np.fft.rfft(np.concatenate([np.zeros(BLOCK, np.float32), left])).astype(np.complex64)
        played = np.square(spectra.real) + np.square(spectra.imag)
        known = np.square(self._filter.real) + np.square(self._filter.imag)
        changed = np.float32(1 - _STAYS**2)
        uncertainty = np.float32(_STAYS**2) * self._uncertainty + changed * known
        other = np.square(error.real) + np.square(error.imag)
        self._other = (_FORGETS * self._other + (1 - _FORGETS) * other).astype(np.float32)
        step = uncertainty / (0.5 * np.sum(played * uncertainty, axis=0) + self._other + _LEAST)
        taps = np.fft.irfft(step * np.conj(spectra) * error, _WINDOW, axis=1)
        taps[:, BLOCK:] = 0.0
        self._filter += np.fft.rfft(taps, axis=1).astype(np.complex64)
        self._uncertainty = np.maximum(uncertainty * (1 - 0.5 * step * played), _LEAST).astype(np.float32)

    def _compare(self, left: Waveform, echo: Waveform) -> None:
        """Notice a changed volume: what is left is a multiple of what was predicted."""
        now = np.array([np.dot(left, echo), np.dot(left, left), np.dot(echo, echo)], np.float64)
        self._alike = _ALIKE_FORGETS * self._alike + now
        both, of_left, of_echo = self._alike.tolist()
        gain = 1 + both / max(of_echo, 1e-9)
        self.is_off = both * both > _ALIKE * of_left * of_echo and _LEAST_GAIN < gain < 1 / _LEAST_GAIN
        if self.is_off and self.n_learnt > _FIRST_BLOCKS:
            self._filter *= np.float32(gain)
            self._alike[:] = 0.0
