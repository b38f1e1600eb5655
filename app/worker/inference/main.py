"""The inference worker: answers the messages of `app.protocol.engine`."""

import logging
import os
import sys
import threading
from pathlib import Path

import psutil

from app.core.errors import ModelError
from app.protocol.engine import (
    CountTokens,
    EngineInfo,
    EngineProgress,
    Generate,
    Generation,
    LoadModel,
    TokenCounts,
    TokenGenerated,
    UnloadModel,
)
from app.protocol.system import Empty
from app.worker.inference.engine import LoadedModel, LoadOptions, load_model
from app.worker.inference.generation import Sink, defused, generate
from app.worker.inference.llama import AbortFlag, start_backend
from app.worker.inference.template import Renderer, RenderStopped
from app.worker.runtime import Job, Worker

log = logging.getLogger(__name__)

_NICENESS = 5


class InferenceService:
    """Holds the loaded model.

    `load`, `unload` and `generate` run in one thread (the lane `engine`); `count_tokens` in another, so that
    it does not wait for an answer: tokenizing needs the vocabulary only, and `_vocabulary_lock` keeps that
    from being freed.
    """

    def __init__(self) -> None:
        """Load nothing yet."""
        self._loaded: LoadedModel | None = None
        self._vocabulary_lock = threading.Lock()
        self._abort = AbortFlag()
        self._generating: Job | None = None
        self._stop_lock = threading.Lock()
        self._renderer = Renderer()

    def load(self, request: LoadModel, job: Job) -> EngineInfo:
        """Load a model in place of the present one; the very same one is kept."""
        options = LoadOptions(Path(request.path), request.context_length, request.n_threads)
        if self._loaded is not None and self._loaded.options == options:
            try:
                self._loaded.raise_if_changed()
                return self._loaded.info
            except ModelError:
                log.info("the model file has changed and is loaded again")
        self._unload()
        self._renderer.start()
        self._loaded = load_model(
            options,
            self._abort,
            self._renderer,
            lambda done: job.progress(EngineProgress(fraction=done)),
            job.cancelled.is_set,
        )
        return self._loaded.info

    def unload(self, _request: UnloadModel, _job: Job) -> Empty:
        """Free the model."""
        self._unload()
        return Empty()

    def _unload(self) -> None:
        with self._vocabulary_lock:
            loaded, self._loaded = self._loaded, None
            if loaded is not None:
                loaded.close()

    def generate(self, request: Generate, job: Job) -> Generation:
        """Continue a conversation."""
        loaded = self._present()
        with self._stop_lock:
            self._generating = job
            self._abort.clear()
        job.on_cancel = lambda: self._stop(job)
        if job.cancelled.is_set():  # it came before on_cancel stood
            self._stop(job)
        sink = Sink(job.progress, lambda text: job.progress(TokenGenerated(text=text)))
        try:
            return generate(loaded, request, self._abort, sink)
        except ModelError as error:
            if error.code == "model.changed":
                self._unload()
            raise
        finally:
            with self._stop_lock:
                self._generating = None

    def _stop(self, job: Job) -> None:
        """Stop the engine's thread if it still works for this request; the reader thread."""
        with self._stop_lock:
            if self._generating is job:
                self._abort.set()
                self._renderer.stop()

    def count_tokens(self, request: CountTokens, _job: Job) -> TokenCounts:
        """Count tokens of texts, or of a rendered conversation."""
        while True:
            try:
                with self._vocabulary_lock:
                    return _count(self._present(), request)
            except RenderStopped:
                log.info("a cancelled answer took the template process along; counting starts again")

    def _present(self) -> LoadedModel:
        if self._loaded is None:
            raise ModelError("model.not_loaded", "No model is loaded.", "Choose a model.")
        return self._loaded

    def close(self) -> None:
        """Free everything."""
        self._renderer.close()
        self._unload()


def _count(loaded: LoadedModel, request: CountTokens) -> TokenCounts:
    if request.messages:
        prompt = loaded.template.render(defused(loaded, request.messages))
        return TokenCounts(counts=(len(loaded.vocabulary.tokenize_prompt(prompt)),))
    return TokenCounts(counts=tuple(loaded.vocabulary.count(text) for text in request.texts))


def main(_argv: list[str]) -> int:
    """Serve until stdin ends; the exit code."""
    lower_priority()
    start_backend()
    service = InferenceService()
    worker = Worker(
        "inference",
        {
            "engine": {
                LoadModel: service.load,
                UnloadModel: service.unload,
                Generate: service.generate,
            },
            "tokens": {CountTokens: service.count_tokens},
        },
    )
    worker.at_exit(service.close)
    return worker.run()


def lower_priority() -> None:
    """Run below the window's priority: two cores are shared by rule."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(_NICENESS)
