"""Chat models: found on the disk, one of them loaded."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from app.core.errors import AppError, ModelError, NotFoundError
from app.core.frozen import is_frozen
from app.core.gguf import read_head
from app.host.services.engine import EngineService
from app.host.services.ports import Events, Handler, RequestContext, SettingsPort
from app.protocol.body import Body
from app.protocol.engine import EngineInfo, EngineProgress, LoadModel
from app.protocol.models import ChooseModel, ListModels, ModelChanged, ModelEntry, ModelList

log = logging.getLogger(__name__)

N_LOADING_CRASHES = 2
_RESERVE_BYTES = 400_000_000  # context, compute buffers, and room for everybody else
_SHARE_OF_WEIGHTS = 1.1
# Reasons of the engine that lie in the file, so that the next try would end the same way.
_LASTING = frozenset(
    {"model.not_gguf", "model.truncated", "model.unsupported", "model.damaged", "model.load_failed"}
)


@dataclass(frozen=True)
class _Version:
    """What tells that a file is still the same."""

    path: Path
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True)
class _Loaded:
    """The model in the worker, and what it was loaded from and with."""

    info: EngineInfo
    version: _Version
    context_length: int
    n_threads: int
    generation: int


class ModelsService:
    """Finds the models and keeps one loaded (ports.ModelsPort)."""

    def __init__(
        self, folders: Sequence[Path], engine: EngineService, settings: SettingsPort, events: Events
    ) -> None:
        """Name the folders, the user's own one last."""
        self._folders, self._engine, self._settings, self._events = folders, engine, settings, events
        self._loading = asyncio.Lock()
        self._loaded: _Loaded | None = None
        self._loading_name = ""
        self._problems: dict[_Version, ModelError | None] = {}
        self._crashes: dict[_Version, int] = {}

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {ListModels: self._list, ChooseModel: self._choose}

    async def ensure_loaded(
        self, name: str = "", on_progress: Callable[[float], None] | None = None
    ) -> EngineInfo:
        """Load a model unless it is loaded; one at a time.

        Args:
            name: of the model; empty for the default one.
            on_progress: gets 0 to 1 while it loads.

        Raises:
            AppError: `model.none`, `model.not_found`, the worker's reasons, `worker.died`.
        """
        async with self._loading:
            entry = await self._find(name)
            settings = self._settings.current()
            version = _version(Path(entry.path))
            loaded = self._present()
            if (
                loaded is not None
                and loaded.version == version
                and (loaded.context_length, loaded.n_threads) == (settings.context_length, settings.n_threads)
            ):
                return loaded.info
            self._refuse_broken(entry)
            return await self._load(entry, version, on_progress)

    async def entries(self) -> list[ModelEntry]:
        """Give all models by name, with what is wrong with the broken ones."""
        found = await asyncio.to_thread(self._scan)
        loaded = self._present()
        entries = []
        for name, version in sorted(found.items(), key=lambda item: item[0].casefold()):
            entry = self._entry(name, version)
            if loaded is not None and loaded.version == version:
                entry = replace(entry, state="loaded", context_length=loaded.info.context_length)
            elif name == self._loading_name:
                entry = replace(entry, state="loading")
            entries.append(entry)
        return entries

    async def _list(self, request: ListModels, context: RequestContext) -> ModelList:
        entries = await self.entries()
        default = self._default(entries)
        return ModelList(models=tuple(entries), default=default.name if default is not None else "")

    async def _choose(self, request: ChooseModel, context: RequestContext) -> ModelEntry:
        await self.ensure_loaded(request.name)
        return await self._find(request.name)

    def _scan(self) -> dict[str, _Version]:
        """Find the files and look at their heads. A thread of the pool: disks can be slow."""
        found: dict[str, _Version] = {}
        for folder in self._folders:
            for path in sorted(folder.glob("*.gguf")):
                with contextlib.suppress(OSError, NotFoundError):  # it vanished meanwhile
                    version = _version(path)
                    found[_free_name(path.stem, found)] = version
                    if version not in self._problems:
                        self._problems[version] = _problem(path)
        return found

    def _entry(self, name: str, version: _Version) -> ModelEntry:
        problem = self._problems.get(version)
        if self._crashes.get(version, 0) >= N_LOADING_CRASHES:
            problem = ModelError(
                "model.crashes",
                "The engine crashed each time that this model was loaded.",
                "Choose another model, or fetch this one again.",
            )
        return ModelEntry(
            name=name,
            path=str(version.path),
            size_bytes=version.size_bytes,
            state="available" if problem is None else "broken",
            problem=problem.user_message if problem is not None else "",
            hint=problem.hint if problem is not None else "",
        )

    def _default(self, entries: Sequence[ModelEntry]) -> ModelEntry | None:
        """Choose the model of the settings, else the largest that fits into memory, else the smallest."""
        usable = [entry for entry in entries if entry.state != "broken"]
        chosen = self._settings.current().default_model
        for entry in usable:
            if entry.name == chosen:
                return entry
        room = psutil.virtual_memory().available - _RESERVE_BYTES
        fitting = [
            entry
            for entry in usable
            if entry.state == "loaded" or entry.size_bytes * _SHARE_OF_WEIGHTS <= room
        ]
        if fitting:
            return max(fitting, key=lambda entry: entry.size_bytes)
        return min(usable, key=lambda entry: entry.size_bytes, default=None)

    async def _find(self, name: str) -> ModelEntry:
        entries = await self.entries()
        if not name:
            default = self._default(entries)
            if default is not None:
                return default
            if not entries:
                raise ModelError(
                    "model.none",
                    "There is no chat model on this computer.",
                    _no_model_hint(self._folders[-1]),
                )
            self._refuse_broken(entries[0])
        for entry in entries:
            if entry.name == name:
                return entry
        raise NotFoundError(
            "model.not_found",
            f"There is no model called {name}.",
            f"Models here: {', '.join(entry.name for entry in entries) or 'none'}.",
        )

    def _refuse_broken(self, entry: ModelEntry) -> None:
        version = _version(Path(entry.path))
        problem = self._problems.get(version)
        if problem is not None:
            raise ModelError(problem.code, problem.user_message, problem.hint, problem.context)
        if entry.state == "broken":
            raise ModelError("model.crashes", entry.problem, entry.hint, {"model": entry.name})

    def _present(self) -> _Loaded | None:
        """Give the loaded model; None where its worker has ended since."""
        if self._loaded is not None and self._loaded.generation != self._engine.generation:
            self._loaded = None
        return self._loaded if self._engine.is_ready else None

    async def _load(
        self, entry: ModelEntry, version: _Version, on_progress: Callable[[float], None] | None
    ) -> EngineInfo:
        before = self._present()
        self._loading_name, self._loaded = entry.name, None
        if before is not None and before.version != version:
            self._tell_unloaded(before)
        if version not in self._crashes:
            self._engine.forgive()  # what crashed before was another model
        try:
            info = await self._run_load(entry, on_progress)
        except AppError as error:
            self._note_failure(entry, version, error)
            raise
        except BaseException:
            self._events.publish(ModelChanged(model=entry))
            raise
        finally:
            self._loading_name = ""
        settings = self._settings.current()
        self._crashes.pop(version, None)
        self._loaded = _Loaded(
            info, version, settings.context_length, settings.n_threads, self._engine.generation
        )
        entry = replace(entry, state="loaded", context_length=info.context_length)
        self._events.publish(ModelChanged(model=entry, progress=1.0))
        return info

    async def _run_load(self, entry: ModelEntry, on_progress: Callable[[float], None] | None) -> EngineInfo:
        settings = self._settings.current()
        request = LoadModel(
            path=entry.path, context_length=settings.context_length, n_threads=settings.n_threads
        )
        entry = replace(entry, state="loading")
        self._events.publish(ModelChanged(model=entry, progress=0.0))
        async with contextlib.aclosing(self._engine.stream(request)) as bodies:
            async for body in bodies:
                if isinstance(body, EngineInfo):
                    return body
                if isinstance(body, EngineProgress):
                    self._events.publish(ModelChanged(model=entry, progress=body.fraction))
                    if on_progress is not None:
                        on_progress(body.fraction)
        raise AssertionError("a stream ends with its result or raises")  # pragma: no cover

    def _note_failure(self, entry: ModelEntry, version: _Version, error: AppError) -> None:
        if error.code in ("worker.died", "worker.failed"):
            self._crashes[version] = self._crashes.get(version, 0) + 1
            broken = self._crashes[version] >= N_LOADING_CRASHES
        else:
            broken = error.code in _LASTING
            if broken:
                self._problems[version] = ModelError(
                    error.code, error.user_message, error.hint, error.context
                )
        state = "broken" if broken else "available"
        self._events.publish(
            ModelChanged(model=replace(entry, state=state, problem=error.user_message, hint=error.hint))
        )

    def _tell_unloaded(self, loaded: _Loaded) -> None:
        path = loaded.version.path
        self._events.publish(
            ModelChanged(
                model=ModelEntry(
                    name=loaded.info.name or path.stem,
                    path=str(path),
                    size_bytes=loaded.version.size_bytes,
                    state="available",
                )
            )
        )


def _version(path: Path) -> _Version:
    try:
        state = path.stat()
    except OSError as error:
        raise NotFoundError(
            "model.not_found",
            f"The model file {path.name} is not there any more.",
            "Choose another model.",
        ) from error
    return _Version(path, state.st_size, state.st_mtime_ns)


def _free_name(stem: str, taken: Mapping[str, _Version]) -> str:
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem} ({number})"
    return name


def _problem(path: Path) -> ModelError | None:
    """Look at a file's head before any engine does."""
    try:
        read_head(path)
    except ModelError as error:
        return error
    return None


def _no_model_hint(models_dir: Path) -> str:
    """Give the next step of somebody without a model; a slim installation comes without one."""
    bring = f"Put a model (a GGUF file) into {models_dir}"
    if is_frozen():
        return f"{bring} and choose it."
    return f"{bring}, or start the program with scripts/run.py, which fetches the starter model."
