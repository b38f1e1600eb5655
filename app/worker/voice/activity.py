"""Whether somebody speaks: one detector by loudness, one by a model, and what both say together."""

import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.protocol.audio import SPEECH_RATE

FRAME = 512
"""Samples of one frame, 32 ms: what the speech detection model takes at a time."""
FRAME_S = FRAME / SPEECH_RATE
SPEECH_FROM, SPEECH_DOWN_TO = 0.5, 0.35
"""Probabilities from which speech begins, and below which it ends.

Source: the defaults of Silero's own `get_speech_timestamps`.
"""
SILENCE_DB = -90.0
_CONTEXT = 64
_STATE = (1, 1, 128)
_MODEL_FILE = "silero_vad_v6.onnx"
_RING_FRAMES, _RING_SPEECH = 5, 3

Waveform = NDArray[np.float32]
"""(n,) samples from -1 to 1, 16,000 a second."""


def to_waveform(samples: NDArray[np.int16]) -> Waveform:
    """Give samples as numbers from -1 to 1."""
    return samples.astype(np.float32) / np.float32(32768)


def level_db(waveform: Waveform) -> float:
    """Give the level of samples (RMS) in dB of full scale, SILENCE_DB at least."""
    if not waveform.size:
        return SILENCE_DB
    power = float(np.mean(np.square(waveform, dtype=np.float32)))
    return max(SILENCE_DB, 10 * math.log10(power + 1e-12))


class ModelDetector:
    """The model-based detector: Silero's network, a frame at a time, with its memory kept between calls.

    Speech in any language, also quiet; music and noise are told from it. One thread at a time.

    Source: the input and output of `silero_vad_v6.onnx` as faster-whisper ships it (MIT): frames of 512
    samples with the 64 before them, and the two states of its LSTM.
    """

    def __init__(self) -> None:
        """Load the network; about 2 MB."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self._session: Any = onnxruntime.InferenceSession(
            _model_path(), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._hidden = np.zeros(_STATE, np.float32)
        self._cell = np.zeros(_STATE, np.float32)
        self._before = np.zeros(_CONTEXT, np.float32)

    def probabilities(self, frames: Waveform) -> NDArray[np.float32]:
        """Give (n_frames,) float32 probabilities that somebody speaks, of frames in a row.

        Args:
            frames: whole frames, one after the other; they follow those of the call before.
        """
        if not frames.size:
            return np.zeros(0, np.float32)
        rows = frames.reshape(-1, FRAME)
        before = np.empty((len(rows), _CONTEXT), np.float32)
        before[0] = self._before
        before[1:] = rows[:-1, -_CONTEXT:]
        result, self._hidden, self._cell = self._session.run(
            None,
            {"input": np.concatenate([before, rows], axis=1), "h": self._hidden, "c": self._cell},
        )
        self._before = rows[-1, -_CONTEXT:].copy()
        return np.asarray(result, np.float32).reshape(-1)


def _model_path() -> str:
    """Give where faster-whisper keeps the network; without importing it, which takes a second."""
    package = find_spec("faster_whisper")
    assert package is not None and package.origin is not None
    return str(Path(package.origin).parent / "assets" / _MODEL_FILE)


class EnergyDetector:
    """The detector by loudness: a frame counts where it is clearly louder than the room.

    The floor follows the quiet moments quickly and the loud ones slowly, so that a fan that is switched on
    becomes part of the room while speech, which always has gaps, does not.

    Attributes:
        floor_db: level of the room.
    """

    CLEAR_DB = 8.0
    FAINT_DB = 4.0
    QUIETEST_DB = -62.0
    _FALL, _RISE_DB_PER_S = 0.25, 2.5
    _FLOOR_RANGE = (-80.0, -25.0)
    _FIRST_FLOOR_DB = -50.0

    def __init__(self) -> None:
        """Begin with the floor of a usual room."""
        self.floor_db = self._FIRST_FLOOR_DB

    def excess_db(self, frame: Waveform) -> float:
        """Take one frame; give by how much it is louder than the room (below QUIETEST_DB: nothing)."""
        level = level_db(frame)
        if level < self.floor_db:
            self.floor_db += (level - self.floor_db) * self._FALL
        else:
            self.floor_db += min(level - self.floor_db, self._RISE_DB_PER_S * FRAME_S)
        lowest, highest = self._FLOOR_RANGE
        self.floor_db = min(highest, max(lowest, self.floor_db))
        return level - self.floor_db if level > self.QUIETEST_DB else 0.0


class SpeechWatch:
    """Follows a microphone: when speech begins, goes on and ends. Both detectors must agree that it begins.

    Attributes:
        n_samples: heard so far, in whole frames.
        speaking: somebody speaks now, or did less than the quiet ago that ends speech.
        started_at: sample at which the last speech began; 0 before any.
        n_speech_frames: frames of speech since then.
    """

    def __init__(self, model: ModelDetector, silence_s: float) -> None:
        """Listen with a model; `silence_s` of quiet end speech."""
        self._model = model
        self._energy = EnergyDetector()
        self._silence_samples = int(silence_s * SPEECH_RATE)
        self._rest = np.zeros(0, np.float32)
        self._recent: list[bool] = []
        self._last_speech_at = 0
        self.n_samples = 0
        self.speaking = False
        self.started_at = 0
        self.n_speech_frames = 0

    def feed(self, waveform: Waveform) -> None:
        """Take what was heard next."""
        sound = np.concatenate([self._rest, waveform])
        n_whole = len(sound) // FRAME * FRAME
        self._rest = sound[n_whole:]
        frames = sound[:n_whole]
        probabilities = self._model.probabilities(frames)
        for frame, probability in zip(frames.reshape(-1, FRAME), probabilities.tolist(), strict=True):
            excess_db = self._energy.excess_db(frame)
            self.n_samples += FRAME
            if self.speaking:
                self._go_on(probability >= SPEECH_DOWN_TO and excess_db >= EnergyDetector.FAINT_DB)
            else:
                self._look(probability >= SPEECH_FROM and excess_db >= EnergyDetector.CLEAR_DB)

    def _look(self, both_agree: bool) -> None:
        self._recent.append(both_agree)
        del self._recent[:-_RING_FRAMES]
        if sum(self._recent) < _RING_SPEECH:
            return
        self.speaking = True
        self._last_speech_at = self.n_samples
        self.started_at = self.n_samples - (len(self._recent) - self._recent.index(True)) * FRAME
        self.n_speech_frames = sum(self._recent)
        self._recent.clear()

    def _go_on(self, is_speech: bool) -> None:
        if is_speech:
            self._last_speech_at = self.n_samples
            self.n_speech_frames += 1
        self.speaking = self.n_samples - self._last_speech_at < self._silence_samples
