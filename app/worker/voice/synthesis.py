"""Text to speech: Piper voices on ONNX Runtime, with the pronunciation data that the package brings."""

import json
import logging
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.core.errors import ModelError, UsageError
from app.core.sentences import split_sentences
from app.worker.voice.ports import Samples, Voice

log = logging.getLogger(__name__)

MAX_CHARACTERS = 40_000
"""Of one text: about three quarters of an hour of speech, 120 MB of samples."""
MAX_PIECE = 200
"""Characters spoken in one go: about a second of work, after which it can be stopped; memory grows too."""
HURRIED_PIECE = 90
MAX_LOADED = 2
SPEEDS = (0.5, 2.0)

_PHONEME_TYPES = ("espeak", "text")
"""The ways to pronounce that need nothing but the package; others would fetch models."""
_BRACKETS = re.compile(r"\[{2,}|\]{2,}")
_CLAUSES = re.compile(r"[;:,–—](?=\s)")
_SPACES = re.compile(r"\s")
_REPAIR = "Download the voice again on the Models page, or choose another one in the voice settings."


class PiperVoice:
    """A loaded Piper voice; speaks in one thread at a time."""

    def __init__(self, path: Path, n_threads: int = 0) -> None:
        """Load a voice (about half a second) and say a first sound with it.

        Args:
            path: its `.onnx` file, with `.onnx.json` beside it.
            n_threads: 0: two, or one where there is only one core.

        Raises:
            ModelError: `voice.model_missing`, `voice.model_damaged`, `voice.no_memory`.
        """
        config_path = _config_path(path)
        for needed in (path, config_path):
            if not needed.is_file():
                raise ModelError(
                    "voice.model_missing",
                    f"The voice “{path.stem}” is not complete: {needed.name} is missing.",
                    _REPAIR,
                )
        try:
            self._voice = _load(path, config_path, n_threads or min(2, os.cpu_count() or 1))
            self._default_length = float(self._voice.config.length_scale)
            self._rate = int(self._voice.config.sample_rate)
            list(self._voice.synthesize("a"))
        except MemoryError as error:
            raise ModelError(
                "voice.no_memory",
                "There is not enough free memory for the voice.",
                "Close other programs, or unload a model, and try again.",
            ) from error
        except _UnsupportedVoiceError as error:
            raise ModelError(
                "voice.model_damaged",
                f"The voice “{path.stem}” needs parts that this program does not have.",
                "Choose another voice in the voice settings.",
                {"cause": str(error)},
            ) from error
        except Exception as error:  # ONNX Runtime and JSON raise what they like for a damaged file
            raise ModelError(
                "voice.model_damaged",
                f"The voice “{path.stem}” is damaged.",
                _REPAIR,
                {"cause": f"{type(error).__name__}: {error}"[:300]},
            ) from error

    @property
    def sample_rate(self) -> int:
        """Samples a second of what it speaks."""
        return self._rate

    def parts(
        self, text: str, speed: float, is_wanted: Callable[[], bool], hurry: bool = False
    ) -> Iterator[Samples]:
        """Speak a text, part by part, see `ports.Voice`.

        Raises:
            UsageError: `voice.text_too_long`.
            ModelError: `voice.failed`.
        """
        if len(text) > MAX_CHARACTERS:
            raise UsageError(
                "voice.text_too_long",
                f"At most {MAX_CHARACTERS:,} characters can be spoken in one piece.",
                "Give it in parts.",
            )
        from piper import SynthesisConfig

        speed = min(max(speed, SPEEDS[0]), SPEEDS[1])
        config = SynthesisConfig(speaker_id=None, length_scale=self._default_length / speed)
        for piece in pieces(text, hurry):
            try:
                for chunk in self._voice.synthesize(piece, config):
                    yield chunk.audio_int16_array
                    if not is_wanted():
                        return
            except Exception as error:  # whatever the engine raises for this text
                raise ModelError(
                    "voice.failed",
                    "A sentence could not be spoken.",
                    "Try again; if it happens again, choose another voice in the voice settings.",
                    {"cause": f"{type(error).__name__}: {error}"[:300]},
                ) from error


class Voices:
    """Loaded voices by file; the last few are kept. Any thread."""

    def __init__(self, load: Callable[[Path], Voice] = PiperVoice) -> None:
        """Load nothing yet."""
        self._load = load
        self._loaded: OrderedDict[tuple[str, int, int], Voice] = OrderedDict()
        self._lock = threading.Lock()

    def sample_rate(self, path: str) -> int:
        """Give the samples a second that a voice speaks, without loading it; 0 where that is not told."""
        try:
            facts = json.loads(_config_path(Path(path)).read_text(encoding="utf-8"))
            return int(facts["audio"]["sample_rate"])
        except (OSError, ValueError, TypeError, KeyError):
            return 0

    def get(self, path: str) -> Voice:
        """Give a voice, loading it if need be; a file that has changed is loaded again.

        Raises:
            ModelError: see `PiperVoice`.
        """
        with self._lock:
            key = _identity(Path(path))
            voice = self._loaded.get(key)
            if voice is None:
                voice = self._load(Path(path))
                self._loaded[key] = voice
            self._loaded.move_to_end(key)
            while len(self._loaded) > MAX_LOADED:
                self._loaded.popitem(last=False)
            return voice


def pieces(text: str, hurry: bool = False) -> Iterator[str]:
    """Give what can be spoken of a text, in parts of at most MAX_PIECE characters, cut where one breathes.

    In a hurry the first part is cut earlier, where there is a clause of at most HURRIED_PIECE characters.
    """
    for start, end in split_sentences(text):
        # Piper takes [[…]] for phonemes of its own, which a link of a wiki is not.
        rest = _BRACKETS.sub(" ", text[start:end]).strip()
        while rest:
            cut = _cut(rest, hurry)
            piece, rest = rest[:cut], rest[cut:].lstrip()
            if any(character.isalnum() for character in piece):
                hurry = False
                yield piece


def _cut(text: str, hurry: bool) -> int:
    if hurry and len(text) > HURRIED_PIECE and (cut := _last_place(_CLAUSES, text, HURRIED_PIECE)):
        return cut
    if len(text) <= MAX_PIECE:
        return len(text)
    return _last_place(_CLAUSES, text, MAX_PIECE) or _last_place(_SPACES, text, MAX_PIECE) or MAX_PIECE


def _last_place(marks: re.Pattern[str], text: str, limit: int) -> int:
    """Give the end of the last mark before `limit` and not near the beginning; 0 where there is none."""
    return max((match.end() for match in marks.finditer(text, limit // 4, limit)), default=0)


class _UnsupportedVoiceError(ValueError):
    """A voice that is pronounced by something that is not in the package."""


def _config_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _load(path: Path, config_path: Path, n_threads: int) -> Any:
    import onnxruntime  # 30 MB and 0.3 s that a recording without reading aloud does not need
    from piper import PiperConfig
    from piper import PiperVoice as Engine

    # WORKAROUND(onnxruntime): it warns about every CPU detail that it cannot read inside containers; remove
    # when it does so at the level "info". Errors still come as exceptions.
    onnxruntime.set_default_logger_severity(3)
    facts = json.loads(config_path.read_text(encoding="utf-8"))
    if facts.get("phoneme_type", "espeak") not in _PHONEME_TYPES:
        raise _UnsupportedVoiceError(facts["phoneme_type"])
    config = PiperConfig.from_dict(facts)
    if not 4_000 <= config.sample_rate <= 192_000 or not 0.05 <= config.length_scale <= 20:
        raise ValueError(f"rate {config.sample_rate}, length {config.length_scale}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    # Idle threads sleep instead of spinning: an answer may be streaming beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # To find an earlier result of the same size for each of 2,800 takes longer than all else, for nothing:
    # memory and speed are the same without. Nor do the later rounds of rewriting pay for what they cost.
    options.enable_mem_reuse = False
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Engine(session=session, config=config, download_dir=path.parent)


def _identity(path: Path) -> tuple[str, int, int]:
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), status.st_size, status.st_mtime_ns
