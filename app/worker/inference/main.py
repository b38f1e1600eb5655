"""The inference worker: answers the messages of `app.protocol.engine`."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator

import psutil

from app.core.errors import ModelError
from app.protocol.engine import (
    Calibrate,
    Calibration,
    CountTokens,
    EngineInfo,
    EngineProgress,
    Generate,
    Generation,
    LoadModel,
    MeasuredSpeed,
    MeasureSpeed,
    TokenCounts,
    TokenGenerated,
    UnloadModel,
)
from app.protocol.system import Empty
from app.worker.inference.backend import AbortFlag, start_backend
from app.worker.inference.calibrating import calibrate
from app.worker.inference.opening import open_model
from app.worker.inference.template import Renderer, RenderStopped
from app.worker.inference.text_model import Sink, Surroundings, TextModel
from app.worker.runtime import Job, Worker

log = logging.getLogger(__name__)

_NICENESS = 5


class InferenceService:
    """Holds the loaded models, by handle.

    `load`, `unload`, `generate` and `measure` run in one thread (the lane `engine`); `count_tokens` in
    another, so that it does not wait for an answer: tokenizing needs the vocabulary only, and
    `_vocabulary_lock` keeps that from being freed.
    """

    def __init__(self) -> None:
        """Load nothing yet."""
        self._models: dict[str, TextModel] = {}
        self._vocabulary_lock = threading.Lock()
        self._abort = AbortFlag()
        self._running: Job | None = None
        self._stop_lock = threading.Lock()
        self._renderer = Renderer()

    def load(self, request: LoadModel, job: Job) -> EngineInfo:
        """Load a model in place of the one of its handle; the very same one is kept."""
        present = self._models.get(request.handle)
        if present is not None and present.options == request:
            try:
                present.raise_if_changed()
                return present.info
            except ModelError:
                log.info("the model file has changed and is loaded again")
        self._unload(request.handle)
        self._renderer.start()
        around = Surroundings(
            abort=self._abort,
            renderer=self._renderer,
            vocabulary_lock=self._vocabulary_lock,
            on_progress=lambda done, note: job.progress(EngineProgress(fraction=done, note=note)),
            is_cancelled=job.cancelled.is_set,
        )
        with self._stoppable(job):
            model = open_model(request, around)
        with self._vocabulary_lock:
            self._models[request.handle] = model
        return model.info

    def unload(self, request: UnloadModel, _job: Job) -> Empty:
        """Free a model."""
        self._unload(request.handle)
        return Empty()

    def _unload(self, handle: str) -> None:
        model = self._models.get(handle)
        if model is None:
            return
        model.save_snapshot()
        with self._vocabulary_lock:
            del self._models[handle]
            model.close()

    def generate(self, request: Generate, job: Job) -> Generation:
        """Continue a conversation."""
        model = self._present(request.handle)
        sink = Sink(job.progress, lambda text: job.progress(TokenGenerated(text=text)))
        try:
            with self._stoppable(job):
                return model.generate(request, job.payload, self._abort, sink)
        except ModelError as error:
            if error.code == "model.changed":
                self._unload(request.handle)
            raise

    def measure(self, request: MeasureSpeed, job: Job) -> MeasuredSpeed:
        """Measure a model's speed."""
        with self._stoppable(job):
            return self._present(request.handle).measure(request, self._abort)

    def calibrate(self, request: Calibrate, job: Job) -> Calibration:
        """Measure this machine."""
        with self._stoppable(job):
            return calibrate(request.n_threads, self._abort, job.cancelled.is_set)

    @contextlib.contextmanager
    def _stoppable(self, job: Job) -> Iterator[None]:
        """Let a cancel of this job abort what the engine evaluates meanwhile."""
        with self._stop_lock:
            self._running = job
            self._abort.clear()
        job.on_cancel = lambda: self._stop(job)
        if job.cancelled.is_set():  # it came before on_cancel stood
            self._stop(job)
        try:
            yield
        finally:
            with self._stop_lock:
                self._running = None
                self._abort.clear()

    def _stop(self, job: Job) -> None:
        """Stop the engine's thread if it still works for this request; the reader thread."""
        with self._stop_lock:
            if self._running is job:
                self._abort.set()
                self._renderer.stop()

    def count_tokens(self, request: CountTokens, _job: Job) -> TokenCounts:
        """Count tokens of texts, or of a rendered conversation."""
        while True:
            try:
                with self._vocabulary_lock:
                    return self._present(request.handle).count(request)
            except RenderStopped:
                log.info("a cancelled answer took the template process along; counting starts again")

    def _present(self, handle: str) -> TextModel:
        model = self._models.get(handle)
        if model is None:
            raise ModelError("model.not_loaded", "No model is loaded.", "Choose a model.")
        return model

    def close(self) -> None:
        """Free everything."""
        self._renderer.close()
        for handle in list(self._models):
            self._unload(handle)


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
                MeasureSpeed: service.measure,
                Calibrate: service.calibrate,
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
