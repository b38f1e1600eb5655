"""The models on this computer as front ends and other services see them."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from app.core.errors import AppError, ModelError, NotFoundError
from app.core.fit import Room, Wish
from app.core.free_memory import available_memory
from app.core.frozen import is_frozen
from app.core.settings import Settings
from app.host.services.answer_queue import AnswerQueue
from app.host.services.fit import SOUND_KINDS, FitService
from app.host.services.model_entries import CRASHES, entry_of, missing_entry
from app.host.services.model_files import ModelFile
from app.host.services.model_inspection import Inspection, Inspector
from app.host.services.model_loading import Candidate, LoadedModel, ModelLoader
from app.host.services.model_places import ModelPlaces
from app.host.services.model_settings import ModelSettingsStore
from app.host.services.ports import Events, GenerationOptions, Handler, RequestContext, SettingsPort
from app.protocol.body import Body
from app.protocol.engine import EngineInfo, Generation
from app.protocol.models import (
    ChooseModel,
    Fit,
    ListModels,
    ModelEntry,
    ModelList,
    ModelsChanged,
    UnloadModelNamed,
)
from app.protocol.system import Empty

log = logging.getLogger(__name__)

WATCH_PERIOD_S = 5.0
SCAN_DEADLINE_S = 15.0
_RESERVE_BYTES = 400_000_000  # context, compute buffers, and room for everybody else
_SHARE_OF_WEIGHTS = 1.1


class ModelsService:
    """Finds the models, keeps the list, and loads what is asked for (ports.ModelsPort)."""

    def __init__(
        self,
        places: ModelPlaces,
        loader: ModelLoader,
        inspector: Inspector,
        store: ModelSettingsStore,
        fit: FitService,
        queue: AnswerQueue,
        settings: SettingsPort,
        events: Events,
        watch_period_s: float = WATCH_PERIOD_S,
    ) -> None:
        """Bind what the list is made of; nothing is read yet."""
        self._places, self._loader, self._inspector = places, loader, inspector
        self._store, self._fit, self._queue = store, fit, queue
        self._settings, self._events = settings, events
        self._watch_period_s = watch_period_s
        self._watch: asyncio.Task[None] | None = None
        self._forgetting: asyncio.Task[None] | None = None
        self._seen: dict[str, ModelFile] = {}
        self._scanner = ThreadPoolExecutor(1, "ThreadPoolExecutor-models")  # a dead disk holds up only this

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {
            ListModels: self._list,
            ChooseModel: self._choose,
            UnloadModelNamed: self._unload,
        }

    async def close(self) -> None:
        """End the watch over files and idle models."""
        tasks = [task for task in (self._watch, self._forgetting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._queue.close()
        self._scanner.shutdown(wait=False, cancel_futures=True)
        self._inspector.close()

    # ------------------------------------------------------------------------------------------ for services

    async def ensure_loaded(
        self, name: str = "", on_progress: Callable[[float], None] | None = None
    ) -> EngineInfo:
        """Load a model unless it is loaded.

        Args:
            name: of the model; empty for the default one.
            on_progress: gets 0 to 1 while it loads.

        Raises:
            AppError: `model.none`, `model.not_found`, `model.missing`, `model.not_chat`, the worker's
                reasons, `worker.died`.
        """
        return (await self.load(name, on_progress)).info

    async def load(self, name: str = "", on_progress: Callable[[float], None] | None = None) -> LoadedModel:
        """Load a model unless it is loaded; raises as `ensure_loaded`."""
        candidates = await self.candidates()
        return await self._loader.ensure(self._usable(self.chosen(name, candidates), candidates), on_progress)

    def generation_options(self, name: str) -> GenerationOptions:
        """Say how a model writes: its own settings, else the program's."""
        return self._store.generation_options(name)

    async def note_answer(self, handle: str, generation: Generation) -> None:
        """Take note of a finished answer of the model with this handle."""
        await self._loader.note_answer(handle, generation)

    def on_settings(self, settings: Settings) -> None:
        """Follow a change of the settings; the loop's thread."""
        if not settings.kv_snapshots and self._forgetting is None:
            self._forgetting = asyncio.create_task(self._forget_all(), name="forgetting snapshots")

    async def _forget_all(self) -> None:
        try:
            await self._loader.forget_snapshots()
        finally:
            self._forgetting = None

    async def forget_snapshots(self, conversation: str = "") -> None:
        """Delete what models have read of a conversation that is gone for good; of all where it is empty."""
        await self._loader.forget_snapshots(conversation)

    async def path_of(self, name: str) -> Path:
        """Give the file of a model; raises NotFoundError `model.not_found`."""
        return self.chosen(name, await self.candidates()).file.path

    async def candidate(self, name: str) -> Candidate | None:
        """Give a model of the list by its name, whatever its state; None where there is none."""
        return next((item for item in await self.candidates() if item.entry.name == name), None)

    async def entries(self, *, with_fit: bool = False) -> list[ModelEntry]:
        """Give all models by name, with what is wrong with the broken ones."""
        candidates = await self.candidates()
        if not with_fit:
            return [item.entry for item in candidates]
        await self._fit.know_speed(wait=False)
        return [replace(item.entry, fit=await self.advice(item)) for item in candidates]

    async def advice(self, item: Candidate, wish: Wish | None = None) -> Fit | None:
        """Say whether a model fits in place of what is loaded; None for what neither answers nor sounds.

        Speech models and voices are in memory beside the model that answers: nothing is given back for them.
        """
        if item.entry.state in ("broken", "missing"):
            return None
        if item.inspection.kind in SOUND_KINDS:
            room = await self._fit.room()
            return self._fit.advise_sound(item.inspection.kind, item.entry.size_bytes, room)
        if item.inspection.kind != "chat":
            return None
        room = await self.room()
        if item.inspection.shape is None:
            return self._fit.advise_size(item.entry.size_bytes, room)
        return self._fit.advise(item.inspection.shape, room, wish or self._wish(item.entry.name))

    async def room(self) -> Room:
        """Give the memory for a model: what is free, and what the loaded ones would give back."""
        return await self._fit.room(self._loaded_infos())

    def room_now(self) -> Room:
        """Give the same without asking the graphics processor anew."""
        return self._fit.room_now(self._loaded_infos())

    def _loaded_infos(self) -> list[EngineInfo]:
        return [item.info for item in self._loader.present().values()]

    def _wish(self, name: str) -> Wish:
        chosen = self._store.effective(name)
        return Wish(
            context_length=chosen.context_length or 0,
            kv_type="" if chosen.kv_type == "auto" else chosen.kv_type,
            gpu_layers=chosen.gpu_layers,
            batch_tokens=chosen.batch_tokens,
        )

    # ------------------------------------------------------------------------------------------ the list

    async def candidates(self) -> list[Candidate]:
        """Give all models by name, as they are now."""
        self._start_watch()
        found = self._seen = await self._scan()
        records = await asyncio.to_thread(self._places.records)
        models = sorted(found.values(), key=lambda model: model.name.casefold())
        inspections = await asyncio.gather(
            *(self._inspector.inspect(model) if model.is_there else _nothing() for model in models)
        )
        candidates = []
        for model, inspection in zip(models, inspections, strict=True):
            if not model.is_there:
                candidates.append(Candidate(model, inspection, missing_entry(model)))
                continue
            entry = entry_of(model, inspection, records, crashes=self._loader.crashes(model))
            candidates.append(Candidate(model, inspection, self._with_state(model, entry)))
        return candidates

    async def _scan(self) -> dict[str, ModelFile]:
        """Look through all places; where a disk does not answer, what was seen last counts."""
        scan = asyncio.get_running_loop().run_in_executor(self._scanner, self._places.scan)
        try:
            async with asyncio.timeout(SCAN_DEADLINE_S):
                return await asyncio.shield(scan)
        except TimeoutError:
            log.info("looking for models took longer than %.0f s", SCAN_DEADLINE_S)
            return self._seen

    def _with_state(self, model: ModelFile, entry: ModelEntry) -> ModelEntry:
        loaded = self._loader.loaded(model)
        if loaded is not None:
            return replace(
                entry, state="loaded", context_length=loaded.info.context_length, loaded=loaded.body()
            )
        if self._loader.loading_path == model.path:
            return replace(entry, state="loading")
        return entry

    def _start_watch(self) -> None:
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_on(), name="models watch")

    async def _watch_on(self) -> None:
        """Notice files that come, go and change; unload and snapshot what is idle."""
        while True:
            await asyncio.sleep(self._watch_period_s)
            try:
                found = await self._scan()
                if found != self._seen:
                    self._seen = found
                    self._events.publish(ModelsChanged())
                await self._loader.tick()
            except (AppError, OSError) as error:  # the next look may succeed
                log.info("the models were not looked at: %s", error)

    def _default(self, entries: Sequence[ModelEntry]) -> ModelEntry | None:
        """Choose the model of the settings, else the largest that fits into memory, else the smallest."""
        usable = [
            entry for entry in entries if entry.kind == "chat" and entry.state not in ("broken", "missing")
        ]
        chosen = self._settings.current().default_model
        for entry in usable:
            if entry.name == chosen:
                return entry
        given_back = sum(item.info.measured_bytes for item in self._loader.present().values())
        room = available_memory() + given_back - _RESERVE_BYTES
        fitting = [
            entry
            for entry in usable
            if entry.state == "loaded" or entry.size_bytes * _SHARE_OF_WEIGHTS <= room
        ]
        if fitting:
            return max(fitting, key=lambda entry: entry.size_bytes)
        return min(usable, key=lambda entry: entry.size_bytes, default=None)

    def chosen(self, name: str, candidates: Sequence[Candidate]) -> Candidate:
        """Give a model by its name, the default one for an empty name.

        Raises:
            ModelError: `model.none`.
            NotFoundError: `model.not_found`.
        """
        by_name = {item.entry.name: item for item in candidates}
        if not name:
            default = self._default([item.entry for item in candidates])
            if default is not None:
                return by_name[default.name]
            chat = [item for item in candidates if item.entry.kind == "chat"]
            if not chat:
                raise ModelError(
                    "model.none",
                    "There is no chat model on this computer.",
                    _no_model_hint(self._places.models_dir),
                )
            return chat[0]  # it is broken, and says why
        if name in by_name:
            return by_name[name]
        raise NotFoundError(
            "model.not_found",
            f"There is no model called {name}.",
            f"Models here: {', '.join(by_name) or 'none'}.",
        )

    def _usable(self, item: Candidate, candidates: Sequence[Candidate]) -> Candidate:
        """Refuse what cannot answer, and add the draft model that was chosen for it."""
        entry = item.entry
        if entry.state == "missing":
            raise NotFoundError("model.missing", entry.problem, entry.hint)
        if self._loader.crashes(item.file):
            raise ModelError(CRASHES.code, CRASHES.user_message, CRASHES.hint, {"model": entry.name})
        problem = item.inspection.problem
        if problem is not None:
            raise ModelError(problem.code, problem.user_message, problem.hint, problem.context)
        if entry.kind != "chat":
            raise ModelError(
                "model.not_chat",
                f"{entry.name} is not a model that answers: it is for {entry.kind}.",
                "Choose a chat model.",
            )
        item = replace(item, entry=replace(entry, state="available", context_length=None, loaded=None))
        wanted = self._store.effective(entry.name).draft_model
        if not wanted:
            return item
        for other in candidates:
            if other.entry.name == wanted and other.entry.state not in ("missing", "broken"):
                return replace(item, draft=other.file.path)
        return replace(item, note=f"The draft model {wanted} is not there; answers are written without it.")

    # ------------------------------------------------------------------------------------------ requests

    async def _list(self, request: ListModels, context: RequestContext) -> ModelList:
        entries = await self.entries(with_fit=request.with_fit)
        default = self._default(entries)
        return ModelList(
            models=tuple(entries),
            default=default.name if default is not None else "",
            folder=str(self._places.models_dir),
            disk_bytes=sum(entry.size_bytes for entry in entries if entry.source in ("downloaded", "folder")),
        )

    async def _choose(self, request: ChooseModel, context: RequestContext) -> ModelEntry:
        async with self._queue.turn():
            loaded = await self.load(request.name)
        return loaded.entry()

    async def _unload(self, request: UnloadModelNamed, context: RequestContext) -> Empty:
        present = self._loader.present()
        if not request.name:
            await self._loader.unload(list(present))
            return Empty()
        for handle, item in present.items():
            if item.candidate.entry.name == request.name:
                await self._loader.unload([handle])
                return Empty()
        self.chosen(request.name, await self.candidates())  # says so where there is no such model
        return Empty()


async def _nothing() -> Inspection:
    return Inspection()


def _no_model_hint(models_dir: Path) -> str:
    """Give the next step of somebody without a model; a slim installation comes without one."""
    bring = f"Put a model (a GGUF file) into {models_dir}"
    if is_frozen():
        return f"{bring} and choose it."
    return f"{bring}, or start the program with scripts/run.py, which fetches the starter model."
