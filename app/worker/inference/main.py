"""The inference worker: answers the messages of `app.protocol.engine`."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from app.core.errors import ModelError, StorageError
from app.protocol.engine import (
    Calibrate,
    Calibration,
    CountTokens,
    EngineInfo,
    EngineProgress,
    ForgetSnapshots,
    Generate,
    Generation,
    LoadModel,
    MeasuredSpeed,
    MeasureSpeed,
    RenderPrompt,
    SaveSnapshot,
    TokenCounts,
    TokenGenerated,
    UnloadModel,
)
from app.protocol.system import Empty
from app.worker.inference.backend import AbortFlag, start_backend, take_errors
from app.worker.inference.calibrating import calibrate
from app.worker.inference.gpu_trust import GpuTrust
from app.worker.inference.opening import open_model
from app.worker.inference.preview import PromptPreview
from app.worker.inference.snapshots import forget_snapshots
from app.worker.inference.template import Renderer, RenderStopped
from app.worker.inference.text_model import Sink, Surroundings, TextModel
from app.worker.runtime import Cancelled, Job, Worker

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
        self._gpu_trust = GpuTrust()

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
        job.ends_at_once = True
        with self._stoppable(job):
            model = open_model(request, self._surroundings(job))
        if not job.is_wanted():
            model.close()
            raise Cancelled
        with self._vocabulary_lock:
            self._models[request.handle] = model
        return model.info

    def _surroundings(self, job: Job, without_gpu: str = "") -> Surroundings:
        def on_progress(done: float, note: str) -> None:
            if not job.cancelled.is_set():
                job.progress(EngineProgress(fraction=done, note=note))

        self._renderer.start()
        return Surroundings(
            abort=self._abort,
            renderer=self._renderer,
            vocabulary_lock=self._vocabulary_lock,
            on_progress=on_progress,
            is_cancelled=job.cancelled.is_set,
            gpu_trust=self._gpu_trust,
            without_gpu=without_gpu,
        )

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
        wrote = threading.Event()

        def on_text(text: str) -> None:
            wrote.set()
            job.progress(TokenGenerated(text=text))

        sink = Sink(job.progress, on_text)
        try:
            with self._stoppable(job):
                return model.generate(request, job.payload, self._abort, sink)
        except ModelError as error:
            if error.code == "model.changed":
                self._unload(request.handle)
            if error.code != "engine.failed" or not model.info.n_gpu_layers:
                raise
            model = self._reload_without_gpu(model, job)
            if wrote.is_set():
                raise _ask_again(error) from error
        with self._stoppable(job):
            return model.generate(request, job.payload, self._abort, sink)

    def _reload_without_gpu(self, model: TextModel, job: Job) -> TextModel:
        """Load a model onto the processor whose graphics processor failed; raises as `load`."""
        log.warning("the graphics processor failed during an answer: %s", take_errors())
        note = "The graphics processor failed during an answer: the model runs on the processor."
        self._unload(model.options.handle)
        with self._stoppable(job):
            lower = open_model(model.options, self._surroundings(job, note))
        with self._vocabulary_lock:
            self._models[model.options.handle] = lower
        return lower

    def measure(self, request: MeasureSpeed, job: Job) -> MeasuredSpeed:
        """Measure a model's speed."""
        with self._stoppable(job):
            return self._present(request.handle).measure(request, self._abort)

    def save_snapshot(self, request: SaveSnapshot, _job: Job) -> Empty:
        """Keep the KV cache of the conversation that a model holds."""
        self._present(request.handle).save_snapshot()
        return Empty()

    def forget_snapshots(self, request: ForgetSnapshots, _job: Job) -> Empty:
        """Delete a conversation's snapshots, on the disk and in memory."""
        for model in self._models.values():
            model.forget(request.conversation)
        try:
            forget_snapshots(Path(request.directory), request.conversation)
        except OSError as error:
            raise StorageError(
                "snapshot.not_deleted",
                f"What was kept of a conversation cannot be deleted: {error.strerror}.",
                "Check that the data folder can be written to.",
                {"errno": error.errno},
            ) from error
        return Empty()

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


def _ask_again(error: ModelError) -> ModelError:
    return ModelError(
        error.code,
        "The graphics processor failed during the answer. The model now runs on the processor.",
        "Ask again.",
        error.context,
    )


def main(_argv: list[str]) -> int:
    """Serve until stdin ends; the exit code."""
    lower_priority()
    start_backend()
    service, preview = InferenceService(), PromptPreview()
    worker = Worker(
        "inference",
        {
            "engine": {
                LoadModel: service.load,
                UnloadModel: service.unload,
                Generate: service.generate,
                MeasureSpeed: service.measure,
                SaveSnapshot: service.save_snapshot,
                ForgetSnapshots: service.forget_snapshots,
                Calibrate: service.calibrate,
            },
            "tokens": {CountTokens: service.count_tokens},
            "preview": {RenderPrompt: preview.render},
        },
    )
    worker.at_exit(service.close)
    worker.at_exit(preview.close)
    return worker.run()


def lower_priority() -> None:
    """Run below the window's priority: two cores are shared by rule."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(_NICENESS)
