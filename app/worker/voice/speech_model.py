"""A speech-to-text model in memory: loaded, run on a GPU where one works, and its failures in words."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.core.errors import ModelError
from app.core.free_memory import available_memory
from app.core.processes import worker_command, worker_environment
from app.protocol.audio import SPEECH_RATE
from app.worker.inference.cores import generation_threads
from app.worker.voice.activity import Waveform

log = logging.getLogger(__name__)

TRY_GPU = "try-gpu"
"""Argument of the voice worker that makes it try a model on the GPU and end; the model's folder follows."""
_NEEDED = ("model.bin", "config.json", "tokenizer.json")
_VOCABULARIES = ("vocabulary.txt", "vocabulary.json")
_MARKS = ("<|startoftranscript|>", "<|notimestamps|>")
_TRIAL_PATIENCE_S = 120.0
_COMPUTING_BYTES = 160_000_000
"""What computing takes beside the weights: features, caches and libraries; the starter model took 130 MB."""
_N_AT_ONCE = 2
_BEAMS = 5
_TEMPERATURES = (0.0, 0.5)
_MAX_REPETITION = 2.4
_LEAST_LOG_PROBABILITY = -1.0
_SILENT_FROM = 0.6
_TOKENS_PER_S, _TOKENS_AT_LEAST, _TOKENS_AT_MOST = 12, 24, 440


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """What a model understood of a piece, one segment.

    Attributes:
        start_s: from the beginning of the piece.
        log_probability: mean over its tokens, natural logarithm.
        n_tokens: that it was written with.
        was_guessed: the first try went in circles or was improbable, and this one was drawn by lot.
    """

    start_s: float
    end_s: float
    text: str
    log_probability: float
    n_tokens: int
    was_guessed: bool


class SpeechModel:
    """A loaded faster-whisper model. Two threads may use it at the same time.

    Attributes:
        path: its folder.
        multilingual: it knows more than English.
        languages: that it knows, ISO 639-1 codes.
        device: `cpu` or `cuda`.
    """

    def __init__(self, path: Path, n_threads: int = 0) -> None:
        """Load it.

        Args:
            path: folder of the model.
            n_threads: 0: as many as there are cores that count.

        Raises:
            ModelError: `speech.model_missing`, `speech.model_damaged`, `speech.no_memory`.
        """
        self.path = path
        _look_at_files(path)
        _need_memory(path)
        self._n_threads = n_threads
        self.device = "cuda" if works_on_gpu(path) else "cpu"
        self._whisper = self._loaded()
        self.multilingual = bool(self._whisper.model.is_multilingual)
        self.languages = tuple(map(str, self._whisper.supported_languages))

    def detect_language(self, sound: Waveform) -> tuple[str, float]:
        """Give the language of a piece (ISO 639-1) and its probability; of several languages only."""
        language, probability, _ = self._whisper.detect_language(sound)
        return str(language), float(probability)

    def understand(
        self, sound: Waveform, language: str, translate: bool, is_wanted: Callable[[], bool]
    ) -> list[Utterance]:
        """Understand a piece of at most 30 s; stops between segments, with those that came, once unwanted.

        Raises:
            ModelError: `speech.no_memory`, `speech.failed`.
        """
        for device in dict.fromkeys((self.device, "cpu")):
            try:
                return self._understood(device, sound, language, translate, is_wanted)
            except (RuntimeError, ValueError, MemoryError) as error:
                if device == "cpu":
                    raise _in_words(self.path, error, "speech.failed") from error
                log.info("the GPU is not used for speech any more: %s", error)
        raise AssertionError("the last device is always the processor")

    def _understood(
        self, device: str, sound: Waveform, language: str, translate: bool, is_wanted: Callable[[], bool]
    ) -> list[Utterance]:
        if device != self.device:  # something else has taken the GPU's memory meanwhile
            self.device = device
            self._whisper = self._loaded()
        found: list[Utterance] = []
        for utterance in self._utterances(sound, language, translate):
            if not is_wanted():
                break
            found.append(utterance)
        return found

    def _loaded(self) -> Any:
        """Load on the device, or on the processor where the GPU has no room."""
        if self.device == "cuda":
            try:
                return _load(self.path, "cuda", self._n_threads)
            except (RuntimeError, ValueError, MemoryError) as error:
                log.info("the GPU is not used for speech: %s", error)
                self.device = "cpu"
        return _in_words_where_it_fails(self.path, lambda: _load(self.path, "cpu", self._n_threads))

    def _utterances(self, sound: Waveform, language: str, translate: bool) -> Iterator[Utterance]:
        """Give segments as they come.

        Each piece stands for itself: what was understood before is not given to the model, which would make
        it go on in circles. Loops end early by a limit on tokens, more than anybody speaks in that time.
        """
        n_tokens = int(_TOKENS_AT_LEAST + _TOKENS_PER_S * len(sound) / SPEECH_RATE)
        segments, _ = self._whisper.transcribe(
            sound,
            language=language,
            task="translate" if translate else "transcribe",
            beam_size=_BEAMS,
            temperature=_TEMPERATURES,
            compression_ratio_threshold=_MAX_REPETITION,
            log_prob_threshold=_LEAST_LOG_PROBABILITY,
            no_speech_threshold=_SILENT_FROM,
            condition_on_previous_text=False,
            max_new_tokens=min(_TOKENS_AT_MOST, n_tokens),
        )
        for segment in segments:
            if text := segment.text.strip():
                yield Utterance(
                    start_s=float(segment.start),
                    end_s=float(segment.end),
                    text=text,
                    log_probability=float(segment.avg_logprob),
                    n_tokens=len(segment.tokens) + 1,
                    was_guessed=segment.temperature > 0 or segment.compression_ratio > _MAX_REPETITION,
                )


def _load(path: Path, device: str, n_threads: int) -> Any:
    from faster_whisper import WhisperModel
    from faster_whisper.feature_extractor import FeatureExtractor

    logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # it counts every piece
    whisper = WhisperModel(
        str(path),
        device=device,
        compute_type="float16" if device == "cuda" else "int8",
        cpu_threads=n_threads or generation_threads(),
        num_workers=_N_AT_ONCE,
        local_files_only=True,
    )
    # Newer models hear in 128 bands; where the folder does not say so, the weights do.
    n_bands = int(whisper.model.n_mels)
    if whisper.feature_extractor.mel_filters.shape[0] != n_bands:
        whisper.feature_extractor = FeatureExtractor(feature_size=n_bands)
    return whisper


def _in_words_where_it_fails(path: Path, load: Callable[[], Any]) -> Any:
    """Load, with every way that damaged files make the libraries fail said in words.

    The border of a library: the tokenizer raises bare `Exception`.
    """
    try:
        return load()
    except Exception as error:
        raise _in_words(path, error, "speech.model_damaged") from error


def _in_words(path: Path, error: BaseException, code: str) -> ModelError:
    log.info("speech model %s: %s", path.name, error)
    context = {"model": path.name, "error": type(error).__name__}
    if isinstance(error, MemoryError) or "alloc" in str(error) or "out of memory" in str(error).lower():
        return _no_memory(context)
    if code == "speech.failed":
        return ModelError(
            code,
            f"The speech model {path.name} could not go on.",
            "Try again; if it happens again, choose another speech model.",
            context,
        )
    return ModelError(
        code,
        f"The speech model {path.name} is damaged and cannot be loaded.",
        "Download it again, or choose another speech model.",
        context,
    )


def _no_memory(context: dict[str, Any]) -> ModelError:
    return ModelError(
        "speech.no_memory",
        "There is too little free memory for this speech model.",
        "Close other programs or choose a smaller speech model.",
        context,
    )


def _look_at_files(path: Path) -> None:
    """Refuse a folder that lacks a file; without its tokenizer, the library would ask the network for one."""
    if not path.is_dir():
        raise ModelError(
            "speech.model_missing",
            f"The speech model {path.name} is not here any more.",
            "Choose another speech model, or download it again.",
            {"model": path.name},
        )
    missing = [name for name in _NEEDED if not (path / name).is_file()]
    if not any((path / name).is_file() for name in _VOCABULARIES):
        missing.append(_VOCABULARIES[0])
    if missing:
        raise ModelError(
            "speech.model_damaged",
            f"The speech model {path.name} is not complete: {', '.join(missing)} is missing.",
            "Download it again, or choose another speech model.",
            {"model": path.name, "missing": missing},
        )
    if not _has_marks(path):
        raise _in_words(path, ValueError("vocabulary or configuration is cut off"), "speech.model_damaged")


def _has_marks(path: Path) -> bool:
    """Whether vocabulary and configuration hold what the library looks for only once it computes."""
    vocabulary = next(path / name for name in _VOCABULARIES if (path / name).is_file())
    try:
        text = vocabulary.read_text("utf-8")
        config = json.loads((path / "config.json").read_text("utf-8"))
    except ValueError:
        return False
    return isinstance(config, dict) and "suppress_ids" in config and all(mark in text for mark in _MARKS)


def _need_memory(path: Path) -> None:
    """Refuse a model that the free memory cannot hold; its weights are read whole before they shrink."""
    needed = (path / "model.bin").stat().st_size + _COMPUTING_BYTES
    free = available_memory()
    if needed > free:
        raise _no_memory({"model": path.name, "needed_bytes": needed, "free_bytes": free})


def works_on_gpu(path: Path) -> bool:
    """Whether a model understands a second of sound on this machine's GPU.

    Tried in a process of its own: a driver or library that does not fit ends the process that uses it.
    """
    from ctranslate2 import get_cuda_device_count  # type: ignore[import-untyped]

    if get_cuda_device_count() == 0:
        return False
    command = worker_command("voice", [TRY_GPU, str(path)])
    try:
        trial = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=worker_environment(),
            timeout=_TRIAL_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.info("the GPU is not used for speech: %s", type(error).__name__)
        return False
    if trial.returncode:
        log.info("the GPU is not used for speech: the trial ended with %d", trial.returncode)
    return trial.returncode == 0


def try_gpu(path: Path) -> int:
    """Run a model on the GPU for a second of faint noise; give the exit code. The trial's own process."""
    noise = np.random.default_rng(0).normal(0, 0.01, SPEECH_RATE).astype(np.float32)
    try:
        whisper = _load(path, "cuda", 0)
        segments, _ = whisper.transcribe(noise, language="en", max_new_tokens=8)
        list(segments)
    except Exception as error:  # the border of a process: whatever the libraries raise means no
        print(error, file=sys.stderr)  # noqa: T201  # nobody reads it but a person who tries by hand
        return 1
    return 0
