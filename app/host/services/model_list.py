"""Requests that change the list of models: import, other programs' folders, removal, settings of a model."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from app.core.errors import ModelError, NotFoundError, UsageError
from app.host.services import model_removal
from app.host.services.model_files import ModelFile, all_parts, found_at
from app.host.services.model_folders import ForeignFolder
from app.host.services.model_inspection import Inspector
from app.host.services.model_loading import ModelLoader, handle_of
from app.host.services.model_places import ModelPlaces
from app.host.services.model_settings import ModelSettingsStore
from app.host.services.models import ModelsService
from app.host.services.ports import Events, Handler, RequestContext
from app.protocol.body import Body
from app.protocol.models import (
    FindFolders,
    FoundFolders,
    GetModelSettings,
    ImportModel,
    ModelEntry,
    ModelsChanged,
    ModelSettingsBody,
    RemovedModel,
    RemoveModel,
    UpdateModelSettings,
    UseFolder,
)


class ModelListService:
    """Answers what changes the list of models or a model's settings."""

    def __init__(
        self,
        models: ModelsService,
        places: ModelPlaces,
        loader: ModelLoader,
        inspector: Inspector,
        store: ModelSettingsStore,
        events: Events,
    ) -> None:
        """Bind the list and what it is made of."""
        self._models, self._places, self._loader = models, places, loader
        self._inspector, self._store, self._events = inspector, store, events

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {
            ImportModel: self._import,
            FindFolders: self._find_folders,
            UseFolder: self._use_folder,
            RemoveModel: self._remove,
            GetModelSettings: self._get_settings,
            UpdateModelSettings: self._update_settings,
        }

    async def _import(self, request: ImportModel, context: RequestContext) -> ModelEntry:
        if not request.path:
            raise UsageError("path.not_whole", "No file is named.", "Name the model file to import.")
        path = all_parts(_whole_path(request.path))[0]
        found = await asyncio.to_thread(found_at, path, "imported")
        if found is None:
            raise _not_there(path)
        problem = (await self._inspector.inspect(found)).problem
        if problem is not None:
            raise ModelError(problem.code, problem.user_message, problem.hint, problem.context)
        if not any(item.file.path == path for item in await self._models.candidates()):
            await asyncio.to_thread(self._places.add, path)
            self._events.publish(ModelsChanged())
        for item in await self._models.candidates():
            if item.file.path == path:
                return item.entry
        raise _not_there(path)

    async def _find_folders(self, request: FindFolders, context: RequestContext) -> FoundFolders:
        return FoundFolders(folders=await asyncio.to_thread(self._places.find_folders))

    async def _use_folder(self, request: UseFolder, context: RequestContext) -> FoundFolders:
        path = _whole_path(request.path)
        self._places.use(ForeignFolder(request.program, path), request.use)
        self._events.publish(ModelsChanged())
        return await self._find_folders(FindFolders(), context)

    async def _remove(self, request: RemoveModel, context: RequestContext) -> RemovedModel:
        candidates = await self._models.candidates()
        model = self._models.chosen(request.name, candidates).file if request.name else None
        if model is None:
            raise UsageError("model.not_found", "No model is named.", "Name the model to remove.")
        model_removal.refuse_bundled(model)
        await self._loader.unload([handle_of(model.path)])
        removed = await asyncio.to_thread(
            self._removed, model, [item.file for item in candidates], request.delete_file
        )
        self._store.forget(model.name)
        self._events.publish(ModelsChanged())
        return removed

    def _removed(self, model: ModelFile, others: list[ModelFile], delete_file: bool) -> RemovedModel:
        if not model.is_there or not (delete_file or model.source == "downloaded"):
            self._places.forget(model)
            return RemovedModel(freed_bytes=0, kept_path=str(model.path) if model.is_there else "")
        files = model_removal.files_to_delete(model, others, self._places)
        freed = model_removal.delete(model, files)
        if model.source == "imported":
            self._places.forget(model)
        self._places.forget_record(files)
        return RemovedModel(freed_bytes=freed)

    async def _get_settings(self, request: GetModelSettings, context: RequestContext) -> ModelSettingsBody:
        self._models.chosen(request.name, await self._models.candidates())
        return self._store.body(request.name)

    async def _update_settings(
        self, request: UpdateModelSettings, context: RequestContext
    ) -> ModelSettingsBody:
        model = self._models.chosen(request.name, await self._models.candidates()).file
        self._store.update(request.name, request.values, reset=request.reset)
        self._loader.forgive(model)
        self._events.publish(ModelsChanged())
        return self._store.body(request.name)


def _not_there(path: Path) -> NotFoundError:
    """Say what stands there instead of a model file."""
    if path.is_dir():
        words, hint = f"{path} is a folder.", "Choose a model file in it, or use the whole folder."
    elif path.is_symlink():
        words = f"{path.name} in {path.parent} leads to a file that is not there."
        hint = "Choose the model file itself."
    elif path.exists():
        words, hint = f"{path} is not a file that holds a model.", "Choose a model file."
    else:
        words = f"There is no file {path.name} in {path.parent}."
        hint = "Choose a model file that is there."
    return NotFoundError("model.not_found", words, hint)


def _whole_path(text: str) -> Path:
    """Make a path absolute without following links; one that is not whole belongs to nobody's folder.

    Raises:
        UsageError: `path.not_whole`.
    """
    path = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100  # links stay as they are
    if not Path(text).expanduser().is_absolute():
        raise UsageError("path.not_whole", f"{text} is not a whole path.", "Give the path from its root.")
    return path
