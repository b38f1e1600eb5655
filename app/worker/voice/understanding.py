"""Speech to text: the transcriptions that are open, and the one model that all of them use."""

import itertools
import logging
import threading
from pathlib import Path

import numpy as np

from app.core.errors import ModelError, NotFoundError, UsageError
from app.protocol.audio import SAMPLE_BYTES
from app.protocol.speech import (
    CloseTranscription,
    FeedTranscription,
    OpenTranscription,
    SpeechOptions,
    TranscriptionOpened,
    TranscriptPart,
)
from app.protocol.system import Empty
from app.worker.runtime import Job
from app.worker.voice.activity import to_waveform
from app.worker.voice.speech_model import SpeechModel
from app.worker.voice.transcriber import Transcriber

log = logging.getLogger(__name__)


class Understanding:
    """Handlers of transcriptions, and the speech model in memory: one, loaded when it is needed.

    The handlers run in one lane; `model` in any thread.
    """

    def __init__(self) -> None:
        """Begin with nothing loaded."""
        self._model: SpeechModel | None = None
        self._n_threads = 0
        self._loading = threading.Lock()
        self._numbers = itertools.count(1)
        self._open: dict[str, Transcriber] = {}

    def model(self, options: SpeechOptions) -> SpeechModel:
        """Give the model that options name; loads it, in place of another one, where it is not loaded.

        Raises:
            ModelError: `speech.model_missing`, `speech.model_damaged`, `speech.no_memory`,
                `speech.not_multilingual`, `speech.unknown_language`.
        """
        path = Path(options.model_path)
        with self._loading:
            if self._model is None or (self._model.path, self._n_threads) != (path, options.n_threads):
                self._model = None  # its memory is free before the next one is loaded
                self._model = SpeechModel(path, options.n_threads)
                self._n_threads = options.n_threads
            model = self._model
        if not model.multilingual and (options.translate or options.language not in ("", "en")):
            raise _not_multilingual(path.name)
        if options.language and options.language not in model.languages:
            raise _unknown_language(path.name, options.language)
        return model

    def transcriber(self, options: SpeechOptions) -> Transcriber:
        """Begin a transcription; the model is loaded at the first speech, unless it is already."""
        return Transcriber(options, lambda: self.model(options))

    def open(self, request: OpenTranscription, job: Job) -> TranscriptionOpened:
        """Load the model and begin. Raises as `model`."""
        job.ends_at_once = True
        model = self.model(request.options)
        transcriber = self.transcriber(request.options)
        job.raise_if_cancelled()
        handle = f"t{next(self._numbers)}"
        if job.is_wanted():
            self._open[handle] = transcriber
        return TranscriptionOpened(handle=handle, multilingual=model.multilingual, device=model.device)

    def feed(self, request: FeedTranscription, job: Job) -> TranscriptPart:
        """Take samples; give what has become certain.

        Cancelling ends the request at once: the model finishes the stretch that it works on, and what it
        gave is dropped.

        Raises:
            NotFoundError: `transcription.not_open`.
            UsageError: `transcription.bad_samples`.
            AppError: as `model`.
        """
        transcriber = self._open.get(request.handle)
        if transcriber is None:
            raise NotFoundError("transcription.not_open", "This transcription is not open any more.")
        if len(job.payload) % SAMPLE_BYTES:
            raise UsageError("transcription.bad_samples", "The sound ends within a sample.")
        job.ends_at_once = True
        waveform = to_waveform(np.frombuffer(job.payload, "<i2"))
        return transcriber.feed(waveform, request.last, lambda: not job.cancelled.is_set())

    def close(self, request: CloseTranscription, job: Job) -> Empty:
        """Forget a transcription."""
        self._open.pop(request.handle, None)
        return Empty()

    def end(self) -> None:
        """Forget everything; the worker ends."""
        self._open.clear()
        self._model = None


def _unknown_language(name: str, language: str) -> ModelError:
    return ModelError(
        "speech.unknown_language",
        f"The speech model {name} knows no language “{language}”.",
        "Name it by its code of two letters (de, fr, zh), or leave it to be found out.",
        {"model": name, "language": language},
    )


def _not_multilingual(name: str) -> ModelError:
    return ModelError(
        "speech.not_multilingual",
        f"The speech model {name} understands English only.",
        "For other languages and for translation, get a multilingual speech model on the Models page.",
        {"model": name},
    )
