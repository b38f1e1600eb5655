"""Which models are in memory: loaded when needed, the least recently used ones leave, idle ones too."""

import asyncio
import contextlib
import functools
import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import AppError, ModelError
from app.host.services.answer_queue import AnswerQueue
from app.host.services.engine import EngineService
from app.host.services.fit import FitService
from app.host.services.model_files import FileVersion, ModelFile, version_of
from app.host.services.model_inspection import Inspection, Inspector
from app.host.services.model_settings import ModelSettingsStore
from app.host.services.ports import Events, SettingsPort
from app.protocol.engine import (
    EngineInfo,
    EngineProgress,
    ForgetSnapshots,
    Generation,
    LoadModel,
    LoraAdapter,
    SaveSnapshot,
    UnloadModel,
)
from app.protocol.models import Fit, Loaded, ModelChanged, ModelEntry

log = logging.getLogger(__name__)

N_LOADING_CRASHES = 2
SNAPSHOT_AFTER_S = 20.0
_MEGABYTE = 1_000_000
# Reasons of the engine that lie in the file, so that the next try would end the same way.
_LASTING = frozenset(
    {"model.not_gguf", "model.truncated", "model.unsupported", "model.damaged", "model.load_failed"}
)
GPU_CRASHED = (
    "The engine crashed while it put the model on the graphics processor; the processor alone computes now."
)


@dataclass(frozen=True)
class Candidate:
    """A model that is to be loaded.

    Attributes:
        entry: as it stands in the list.
        draft: the model that guesses ahead; None for none.
        note: what is done otherwise than set, in words; empty where nothing.
    """

    file: ModelFile
    inspection: Inspection
    entry: ModelEntry
    draft: Path | None = None
    note: str = ""


@dataclass(frozen=True)
class LoadedModel:
    """A model in the worker, and what it was loaded from and with.

    Attributes:
        worker: which start of the worker holds it.
        predicted: for the way it is loaded.
    """

    candidate: Candidate
    version: FileVersion
    request: LoadModel
    info: EngineInfo
    worker: int
    predicted: Fit
    notes: tuple[str, ...]
    tokens_per_s: float | None = None

    def body(self) -> Loaded:
        """Give what front ends see of it."""
        info = self.info
        return Loaded(
            context_length=info.context_length,
            kv_type=info.kv_type,
            n_gpu_layers=info.n_gpu_layers,
            n_layers=info.n_layers,
            device=info.device,
            n_threads=info.n_threads,
            notes=self.notes,
            predicted_bytes=info.predicted_bytes or self.predicted.needed_bytes,
            measured_bytes=info.measured_bytes,
            predicted_tokens_per_s=self.predicted.tokens_per_s,
            measured_tokens_per_s=self.tokens_per_s,
        )

    def entry(self) -> ModelEntry:
        """Give its entry in the list."""
        return replace(
            self.candidate.entry,
            state="loaded",
            context_length=self.info.context_length,
            loaded=self.body(),
        )


class ModelLoader:
    """Loads models into the worker and out of it; one task at a time changes what is loaded."""

    def __init__(
        self,
        engine: EngineService,
        queue: AnswerQueue,
        store: ModelSettingsStore,
        settings: SettingsPort,
        inspector: Inspector,
        fit: FitService,
        events: Events,
        snapshot_dir: Path,
    ) -> None:
        """Bind the services; nothing is loaded."""
        self._engine, self._queue, self._store, self._settings = engine, queue, store, settings
        self._inspector, self._fit, self._events = inspector, fit, events
        self._snapshot_dir = snapshot_dir
        self._lock = asyncio.Lock()
        self._loaded: dict[str, LoadedModel] = {}  # the least recently used first
        self._used_at: dict[str, float] = {}
        self._unsaved: set[str] = set()
        self._crashes: dict[FileVersion, int] = {}
        self._without_gpu: set[FileVersion] = set()
        self._listeners: dict[str, list[Callable[[float], None]]] = {}
        self.loading_path: Path | None = None

    # ------------------------------------------------------------------------------------------ state

    def present(self) -> dict[str, LoadedModel]:
        """Give what is loaded, by handle; nothing where the worker has ended since."""
        for handle, item in list(self._loaded.items()):
            if item.worker != self._engine.generation:
                self._drop(handle)
        return dict(self._loaded) if self._engine.is_ready else {}

    def loaded(self, file: ModelFile) -> LoadedModel | None:
        """Give a model if it is in memory, unchanged on the disk."""
        item = self.present().get(handle_of(file.path))
        return item if item is not None and item.version == file.version else None

    def crashes(self, file: ModelFile) -> bool:
        """Whether loading it has crashed the engine too often."""
        return self._crashes.get(file.version, 0) >= N_LOADING_CRASHES

    def forgive(self, file: ModelFile) -> None:
        """Try a model again whatever came of it: it will be loaded in another way."""
        self._crashes.pop(file.version, None)
        self._without_gpu.discard(file.version)
        self._inspector.forget(file.version)

    def _drop(self, handle: str) -> LoadedModel | None:
        self._used_at.pop(handle, None)
        self._unsaved.discard(handle)
        return self._loaded.pop(handle, None)

    # ------------------------------------------------------------------------------------------ loading

    async def ensure(
        self, candidate: Candidate, on_progress: Callable[[float], None] | None = None
    ) -> LoadedModel:
        """Load a model unless it is loaded with the same options from the same files.

        Raises:
            AppError: the worker's reasons, `worker.died`, `model.not_found`, `model.crashes`.
        """
        handle = handle_of(candidate.file.path)
        with self._told_of(handle, on_progress):
            async with self._lock:
                version = version_of(candidate.file.path)
                request = self._request(candidate, version)
                item = self.present().get(handle)
                if item is None or item.version != version or item.request != request:
                    item = await self._load(candidate, version, request)
                self._touch(handle)
                return item

    @contextlib.contextmanager
    def _told_of(self, handle: str, on_progress: Callable[[float], None] | None) -> Iterator[None]:
        """Let everybody who waits for a model see how far its loading is, whoever began it."""
        if on_progress is None:
            yield
            return
        listeners = self._listeners.setdefault(handle, [])
        listeners.append(on_progress)
        try:
            yield
        finally:
            listeners.remove(on_progress)

    def _touch(self, handle: str) -> None:
        if handle in self._loaded:
            self._loaded[handle] = self._loaded.pop(handle)  # the last one is the most recently used
            self._used_at[handle] = asyncio.get_running_loop().time()

    def _request(self, candidate: Candidate, version: FileVersion) -> LoadModel:
        chosen, program = self._store.effective(candidate.entry.name), self._settings.current()
        return LoadModel(
            path=str(candidate.file.path),
            handle=handle_of(candidate.file.path),
            context_length=chosen.context_length or 0,
            n_threads=chosen.n_threads or 0,
            kv_type="" if chosen.kv_type == "auto" else chosen.kv_type,
            flash_attention=chosen.flash_attention,
            gpu_layers=0 if version in self._without_gpu else chosen.gpu_layers,
            batch_tokens=chosen.batch_tokens,
            prompt_format=chosen.prompt_format,
            template=chosen.template,
            loras=tuple(LoraAdapter(path=lora.path, scale=lora.scale) for lora in chosen.loras),
            projector=chosen.projector or str(candidate.file.projector or ""),
            draft=str(candidate.draft or ""),
            snapshot_dir=str(self._snapshot_dir) if program.kv_snapshots else "",
            devices_path=str(self._snapshot_dir.parent / "devices.json"),
            snapshot_limit_bytes=program.kv_snapshot_limit_mb * _MEGABYTE if program.kv_snapshots else 0,
        )

    async def _load(
        self,
        candidate: Candidate,
        version: FileVersion,
        request: LoadModel,
    ) -> LoadedModel:
        await self._make_room(candidate, request.handle)
        if version not in self._crashes:
            self._engine.forgive()  # what crashed before was another model
        self.loading_path = candidate.file.path
        self._drop(request.handle)
        try:
            info, request, notes = await self._tried(candidate, version, request)
        except AppError as error:
            self._note_failure(candidate, version, request, error)
            raise
        except BaseException:
            self._events.publish(ModelChanged(model=candidate.entry))
            raise
        finally:
            self.loading_path = None
            self._fit.memory_changed()
        self._crashes.pop(version, None)
        item = LoadedModel(
            candidate,
            version,
            request,
            info,
            self._engine.generation,
            self._fit.predict(candidate.inspection.shape, info),
            tuple(note for note in (candidate.note, *notes, *info.notes) if note),
        )
        self._loaded[request.handle] = item
        self._events.publish(ModelChanged(model=item.entry(), progress=1.0))
        return item

    async def _tried(
        self,
        candidate: Candidate,
        version: FileVersion,
        request: LoadModel,
    ) -> tuple[EngineInfo, LoadModel, tuple[str, ...]]:
        """Load, and where a crash may be the graphics driver's, once more on the processor alone."""
        if version in self._without_gpu:
            return await self._run(candidate, request), request, (GPU_CRASHED,)
        try:
            return await self._run(candidate, request), request, ()
        except AppError as error:
            if error.code != "worker.died" or not request.gpu_layers or await self._fit.gpu() is None:
                raise
            log.info("a model crashed the engine on the graphics processor; it is tried without")
        self._without_gpu.add(version)
        request = replace(request, gpu_layers=0)
        entry = replace(candidate.entry, state="loading")
        self._events.publish(ModelChanged(model=entry, progress=0.0, note=GPU_CRASHED))
        return await self._run(candidate, request), request, (GPU_CRASHED,)

    async def _run(self, candidate: Candidate, request: LoadModel) -> EngineInfo:
        if request.snapshot_dir:
            await asyncio.to_thread(_make_folder, Path(request.snapshot_dir))
        entry = replace(candidate.entry, state="loading")
        self._events.publish(ModelChanged(model=entry, progress=0.0))
        async with contextlib.aclosing(self._engine.stream(request)) as bodies:
            async for body in bodies:
                if isinstance(body, EngineInfo):
                    return replace(body, handle=request.handle, name=candidate.entry.name)
                if isinstance(body, EngineProgress):
                    self._events.publish(ModelChanged(model=entry, progress=body.fraction, note=body.note))
                    for on_progress in tuple(self._listeners.get(request.handle, ())):
                        on_progress(body.fraction)
        raise AssertionError("a stream ends with its result or raises")  # pragma: no cover

    def _note_failure(
        self, candidate: Candidate, version: FileVersion, request: LoadModel, error: AppError
    ) -> None:
        if error.code in ("worker.died", "worker.failed"):
            self._crashes[version] = self._crashes.get(version, 0) + 1
            broken = self._crashes[version] >= N_LOADING_CRASHES
        else:
            # With an adapter, a draft model or a projector, their file may be what is meant.
            is_alone = not (request.loras or request.draft or request.projector)
            broken = is_alone and error.code in _LASTING
            if broken:
                problem = ModelError(error.code, error.user_message, error.hint, error.context)
                self._inspector.set_problem(version, problem)
        state = "broken" if broken else "available"
        entry = replace(candidate.entry, state=state, problem=error.user_message, hint=error.hint)
        self._events.publish(ModelChanged(model=entry))

    # ------------------------------------------------------------------------------------------ unloading

    async def _make_room(self, candidate: Candidate, handle: str) -> None:
        """Unload the least recently used models: more than the setting allows, or than fit together."""
        others = [key for key in self.present() if key != handle]
        n_kept = self._settings.current().models_in_memory - 1
        while len(others) > n_kept:
            await self._unload(others.pop(0))
        own = self.present().get(handle)
        while others and candidate.inspection.shape is not None:
            room = await self._fit.room([own.info] if own is not None else [])
            if self._fit.advise(candidate.inspection.shape, room).verdict != "too_large":
                return
            await self._unload(others.pop(0))

    async def unload(self, handles: Sequence[str]) -> None:
        """Free the memory of models, once no answer needs them."""
        async with self._queue.turn(), self._lock:
            for handle in handles:
                await self._unload(handle)

    async def _unload(self, handle: str) -> None:
        item = self._drop(handle)
        if item is None or not self._engine.is_ready or item.worker != self._engine.generation:
            return
        try:
            await self._engine.call(UnloadModel(handle=handle))
        except AppError as error:  # it has died with its models
            log.info("a model was not unloaded: %s", error.code)
        self._fit.memory_changed()
        self._events.publish(ModelChanged(model=replace(item.candidate.entry, state="available")))

    # ------------------------------------------------------------------------------------------ after answers

    async def note_answer(self, handle: str, generation: Generation) -> None:
        """Keep how fast an answer was written, and that there is something new to snapshot."""
        item = self.present().get(handle)
        if item is None:
            return
        self._touch(handle)
        self._unsaved.add(handle)
        speed = generation.tokens_per_s
        if not speed:
            return
        item = replace(item, tokens_per_s=speed)
        self._loaded[handle] = item
        self._events.publish(ModelChanged(model=item.entry()))
        if not generation.n_drafted:
            await self._fit.note_speed(
                item.candidate.inspection.shape, item.info, generation.completion_tokens, speed
            )

    async def tick(self) -> None:
        """Unload what nobody used for long, and snapshot what has been idle for a while; between answers."""
        now, settings = asyncio.get_running_loop().time(), self._settings.current()
        limit_s = settings.idle_unload_minutes * 60
        idle = {handle: now - self._used_at.get(handle, now) for handle in self.present()}
        if not idle or not self._queue.is_free or self._lock.locked():
            return
        old = [handle for handle, idle_s in idle.items() if limit_s and idle_s >= limit_s]
        if old:
            await self.unload(old)
            return
        for handle, idle_s in idle.items():
            if handle in self._unsaved and settings.kv_snapshots and idle_s >= SNAPSHOT_AFTER_S:
                self._queue.try_background(functools.partial(self._save, handle), "snapshot")
                return

    async def _save(self, handle: str) -> None:
        try:
            await self._engine.call(SaveSnapshot(handle=handle))
        except AppError as error:  # the conversation is read again then
            log.info("no snapshot was written: %s", error.code)
        self._unsaved.discard(handle)

    async def forget_snapshots(self, conversation: str = "") -> None:
        """Delete the snapshots of a conversation that is gone for good, or all of them."""
        if not await asyncio.to_thread(_has_files, self._snapshot_dir):
            return
        try:
            await self._engine.call(
                ForgetSnapshots(directory=str(self._snapshot_dir), conversation=conversation)
            )
        except AppError as error:
            log.info("snapshots were not deleted: %s", error.code)


def handle_of(path: Path) -> str:
    """Give the stable name by which the worker knows a model."""
    return hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _make_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # the worker goes without snapshots then, and says so
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _has_files(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except OSError:
        return False
