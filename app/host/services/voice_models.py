"""Speech models and voices that are here, and which of them are used."""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.errors import ModelError, NotFoundError
from app.core.frozen import is_frozen
from app.host.services.model_files import ModelFile
from app.host.services.model_sets import sets_in
from app.host.services.ports import SettingsPort
from app.protocol.voice import SpeechModelEntry, VoiceChoices

SPEECH_DIR, VOICE_DIR = "speech-to-text", "text-to-speech"
"""Folders of the starter models that come with the program."""

# Source: openai/whisper, tokenizer.py: models of English alone have 51,864 tokens, all others more.
_N_TOKENS_ENGLISH = 51_864
_MAX_VOCABULARY_BYTES = 8_000_000
_MAX_CONFIG_BYTES = 1_000_000
_SIZES = ("tiny", "base", "small", "medium", "large")


@dataclass(frozen=True)
class VoiceFile:
    """A speech model or a voice.

    Attributes:
        entry: as front ends see it.
        path: folder of a speech model, `.onnx` file of a voice.
    """

    entry: SpeechModelEntry
    path: Path


@dataclass(frozen=True)
class Found:
    """All that are here, in the order of their names; bundled ones first."""

    speech_models: tuple[VoiceFile, ...]
    voices: tuple[VoiceFile, ...]


class VoiceModels:
    """Finds models and chooses among them."""

    def __init__(self, bundled_dir: Path, models_dir: Path, settings: SettingsPort) -> None:
        """Name the places; nothing is read.

        Args:
            bundled_dir: the starter models, a read-only root.
            models_dir: of the data folder.
            settings: say which are used.
        """
        self._bundled_dir, self._models_dir, self._settings = bundled_dir, models_dir, settings

    async def find(self) -> Found:
        """Look what is here; short disk work in a thread."""
        return await asyncio.to_thread(self._scan)

    async def choices(self) -> VoiceChoices:
        """Give what can be chosen and what is used."""
        found = await self.find()
        speech, voice = self._speech(found.speech_models), self._voice(found.voices)
        return VoiceChoices(
            speech_models=tuple(model.entry for model in found.speech_models),
            voices=tuple(voice.entry for voice in found.voices),
            speech_model=speech.entry.name if speech is not None else "",
            voice=voice.entry.name if voice is not None else "",
        )

    async def speech_model(self, name: str = "", language: str = "") -> VoiceFile:
        """Give the model of that name, or the one to use.

        Args:
            name: empty: as set, or else the best for the language.
            language: ISO 639-1 code of what is spoken; empty: not known.

        Raises:
            AppError: `speech.none`, `speech.not_found`.
        """
        models = (await self.find()).speech_models
        if name:
            return _named(name, models, "speech.not_found", "speech model")
        chosen = self._speech(models, language)
        if chosen is None:
            raise ModelError(
                "speech.none",
                "No model that understands speech is here.",
                _bring("Get a speech model on the page of models."),
            )
        return chosen

    async def voice(self, name: str = "") -> VoiceFile:
        """Give the voice of that name, or the one to use.

        Raises:
            AppError: `voice.none`, `voice.not_found`.
        """
        voices = (await self.find()).voices
        if name:
            return _named(name, voices, "voice.not_found", "voice")
        chosen = self._voice(voices)
        if chosen is None:
            raise ModelError(
                "voice.none",
                "No voice that reads aloud is here.",
                _bring("Get a voice on the page of models."),
            )
        return chosen

    # ------------------------------------------------------------------------------------------ choosing

    def _speech(self, models: Sequence[VoiceFile], language: str = "") -> VoiceFile | None:
        """Choose the set one, else one that knows the language, else the most capable: the largest."""
        settings = self._settings.current()
        for model in models:
            if model.entry.name == settings.speech_model:
                return model
        if (language or settings.speech_language) not in ("", "en") or settings.speech_translate:
            models = [model for model in models if model.entry.multilingual] or models
        return max(models, key=lambda model: (not model.entry.bundled, model.entry.size_bytes), default=None)

    def _voice(self, voices: Sequence[VoiceFile]) -> VoiceFile | None:
        """Choose the set one, else one that speaks the language spoken to it, a downloaded one first."""
        settings = self._settings.current()
        for voice in voices:
            if voice.entry.name == settings.voice:
                return voice
        language = settings.speech_language or "en"
        if settings.speech_translate:
            language = "en"
        return max(
            voices,
            key=lambda voice: (language in voice.entry.languages, not voice.entry.bundled),
            default=None,
        )

    # ------------------------------------------------------------------------------------------ finding

    def _scan(self) -> Found:
        bundled = [model for name in (SPEECH_DIR, VOICE_DIR) for model in sets_in(self._bundled_dir / name)]
        own = sets_in(self._models_dir)
        taken: set[str] = set()
        speech_models, voices = [], []
        for model in [*bundled, *own]:
            name = _free(model.name, taken)
            if model.kind == "speech":
                speech_models.append(_speech_file(model, name, model in bundled))
            elif model.kind == "voice":
                voices.append(_voice_file(model, name, model in bundled))
        return Found(tuple(speech_models), tuple(voices))


def _free(name: str, taken: set[str]) -> str:
    """Give a name that nothing else has: `whisper-tiny`, `whisper-tiny (2)`."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    taken.add(free)
    return free


def _named(name: str, files: Sequence[VoiceFile], code: str, what: str) -> VoiceFile:
    for file in files:
        if file.entry.name == name:
            return file
    names = ", ".join(file.entry.name for file in files) or "none"
    raise NotFoundError(code, f"There is no {what} called {name[:80]}.", f"Those here are: {names}.")


def _bring(hint: str) -> str:
    if is_frozen():
        return hint
    return f"{hint} Or start the program with scripts/run.py, which fetches the starter models."


def _speech_file(model: ModelFile, name: str, bundled: bool) -> VoiceFile:
    multilingual = _n_tokens(model.path.parent) > _N_TOKENS_ENGLISH
    size = next((size for size in _SIZES if size in model.name.casefold()), "")
    title = f"Whisper {size}" if size and "whisper" in model.name.casefold() else model.name
    entry = SpeechModelEntry(
        name=name,
        title=title if multilingual else f"{title} (English)",
        languages=() if multilingual else ("en",),
        multilingual=multilingual,
        bundled=bundled,
        size_bytes=model.size_bytes,
    )
    return VoiceFile(entry, model.path.parent)


def _n_tokens(folder: Path) -> int:
    """Count the tokens that a speech model knows; 0 where its vocabulary cannot be read."""
    for path in sorted(folder.glob("vocabulary.*")):
        try:
            data = path.read_bytes() if path.stat().st_size <= _MAX_VOCABULARY_BYTES else b""
            return len(json.loads(data)) if path.suffix == ".json" else len(data.splitlines())
        except (OSError, ValueError, RecursionError):
            continue
    return 0


def _voice_file(model: ModelFile, name: str, bundled: bool) -> VoiceFile:
    config = _config(model.path)
    language = config.get("language")
    language = language if isinstance(language, dict) else {}
    code = str(language.get("family") or model.path.stem.partition("_")[0])
    known = re.fullmatch(r"[a-z]{2,3}", code)
    entry = SpeechModelEntry(
        name=name,
        title=_voice_title(model, config, language),
        languages=(code,) if known else (),
        bundled=bundled,
        size_bytes=model.size_bytes,
    )
    return VoiceFile(entry, model.path)


def _voice_title(model: ModelFile, config: dict[str, Any], language: dict[str, Any]) -> str:
    """Put together `Joe, English (United States)`; the file's name where the configuration says nothing."""
    dataset, spoken = config.get("dataset"), language.get("name_english")
    if not isinstance(dataset, str) or not isinstance(spoken, str):
        return model.path.stem
    name = dataset.replace("_", " ").title()[:60]
    country = language.get("country_english")
    return f"{name}, {spoken} ({country})" if isinstance(country, str) and country else f"{name}, {spoken}"


def _config(path: Path) -> dict[str, Any]:
    """Read what stands beside a voice. Source: Piper, `.onnx.json`."""
    beside = path.with_name(f"{path.name}.json")
    try:
        value = json.loads(beside.read_bytes()) if beside.stat().st_size <= _MAX_CONFIG_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
