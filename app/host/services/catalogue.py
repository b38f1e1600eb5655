"""The catalogue with advice for this machine, and the advice for any model by name, id or path."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from app.core.catalogue import Catalogue, File, Model, installed_as, load_catalogue, recommended
from app.core.errors import ModelError, NotFoundError
from app.core.fit import Room, Wish
from app.host.services.fit import SOUND_KINDS, FitService
from app.host.services.model_files import all_parts, found_at
from app.host.services.model_inspection import Inspector
from app.host.services.models import ModelsService
from app.host.services.ports import Handler, RequestContext
from app.protocol.body import Body
from app.protocol.catalogue import CatalogueFile, CatalogueList, CatalogueModel, ListCatalogue
from app.protocol.models import Fit, FitModel


class CatalogueService:
    """Answers `catalogue.list` and `model.fit`; opens no connection."""

    def __init__(self, path: Path, models: ModelsService, fit: FitService, inspector: Inspector) -> None:
        """Name the catalogue's file; it is read at first use."""
        self._path, self._models, self._fit, self._inspector = path, models, fit, inspector
        self._catalogue: Catalogue | None = None

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {ListCatalogue: self._list, FitModel: self._fit_model}

    async def catalogue(self) -> Catalogue:
        """Give the catalogue.

        Raises:
            StorageError: `catalogue.damaged`.
        """
        if self._catalogue is None:
            self._catalogue = await asyncio.to_thread(load_catalogue, self._path)
        return self._catalogue

    async def find(self, model_id: str) -> CatalogueModel | None:
        """Give a model by its id, with advice; None where there is none."""
        model = (await self.catalogue()).find(model_id)
        if model is None:
            return None
        return self._described(model, await self._models.room(), await self._names())

    def find_now(self, model_id: str) -> CatalogueModel | None:
        """Give a model by its id with advice from what is known already; for the download manager."""
        if self._catalogue is None:
            self._catalogue = load_catalogue(self._path)
        model = self._catalogue.find(model_id)
        return None if model is None else self._described(model, self._models.room_now(), [])

    async def _list(self, request: ListCatalogue, context: RequestContext) -> CatalogueList:
        await self._fit.know_speed(wait=False)
        catalogue, room, names = await self.catalogue(), await self._models.room(), await self._names()
        return CatalogueList(
            models=tuple(
                self._described(model, room, names)
                for model in catalogue.models
                if request.kind in ("", model.kind)
            )
        )

    async def _names(self) -> list[tuple[str, str, str]]:
        paths = [(Path(entry.path), entry.name) for entry in await self._models.entries()]
        return [(path.parent.name, path.name, name) for path, name in paths]

    def _described(self, model: Model, room: Room, names: list[tuple[str, str, str]]) -> CatalogueModel:
        fits = {file.name: self._advice(model, file, room) for file in model.files}
        return CatalogueModel(
            id=model.id,
            title=model.title,
            repository=model.repository,
            kind=model.kind,
            family=model.family,
            n_params=model.n_params,
            context_length=model.context_length,
            licence=model.licence,
            licence_note=model.licence_note,
            good_for=model.good_for,
            languages=model.languages,
            needs_token=model.needs_token,
            files=tuple(
                CatalogueFile(
                    name=file.name,
                    size_bytes=file.size_bytes,
                    size_about_bytes=None if file.size_bytes is not None else model.size_bytes(file),
                    quantization=file.quantization,
                    parts=file.parts,
                    role=file.role,
                    installed=installed_as(model, file, names),
                    fit=fits[file.name],
                )
                for file in model.files
            ),
            recommended=recommended(model, lambda file: fits[file.name]),
        )

    def _advice(self, model: Model, file: File, room: Room, wish: Wish | None = None) -> Fit | None:
        if model.kind in SOUND_KINDS:
            size_bytes = model.size_bytes(file) if file.role in ("model", "voice") else None
            if size_bytes is None:
                return None
            # it is in memory beside the model that answers: nothing is given back for it
            return self._fit.advise_sound(model.kind, size_bytes, self._fit.room_now())
        if model.kind != "chat" or file.role != "model":
            return None
        return self._fit.advise(model.shape(file), room, wish)

    # ------------------------------------------------------------------------------------------ one model

    async def _fit_model(self, request: FitModel, context: RequestContext) -> Fit:
        await self._fit.know_speed(wait=True)
        wish = Wish(
            context_length=request.context_length, kv_type=request.kv_type, gpu_layers=request.gpu_layers
        )
        fit = await self._fit_here(request, wish) or await self._fit_of_catalogue(request.name, wish)
        return fit or await self._fit_of_file(request.name, wish)

    async def _fit_here(self, request: FitModel, wish: Wish) -> Fit | None:
        item = await self._models.candidate(request.name)
        if item is None:
            return None
        if item.inspection.problem is not None:
            raise item.inspection.problem
        is_plain = wish == Wish()
        fit = await self._models.advice(item, None if is_plain else wish)
        if fit is None:
            raise _no_advice(item.entry.name, item.entry.kind)
        return fit

    async def _fit_of_catalogue(self, name: str, wish: Wish) -> Fit | None:
        model = (await self.catalogue()).find(name)
        if model is None:
            return None
        room = await self._models.room()
        chosen = recommended(model, lambda file: self._advice(model, file, room, wish))
        files = [file for file in model.files if file.name == chosen] or list(model.files[:1])
        fit = self._advice(model, files[0], room, wish)
        if fit is None:
            raise _no_advice(model.title, model.kind)
        return fit

    async def _fit_of_file(self, name: str, wish: Wish) -> Fit:
        path = all_parts(Path(name))[0]
        model = await asyncio.to_thread(found_at, path, "imported") if path.is_absolute() else None
        if model is None:
            raise NotFoundError(
                "model.not_found",
                f"There is no model called “{name}” here, in the catalogue or as a file.",
                "Give a name of the list of models, an id of the catalogue, or the whole path of a file.",
            )
        found = await self._inspector.inspect(model)
        if found.problem is not None:
            raise found.problem
        room = await self._models.room()
        if found.kind != "chat":
            raise _no_advice(model.name, found.kind)
        if found.shape is None:
            return self._fit.advise_size(model.size_bytes, room)
        return self._fit.advise(found.shape, room, wish)


def _no_advice(name: str, kind: str) -> ModelError:
    return ModelError(
        "model.not_chat",
        f"{name} is not a model that answers: it is for {kind}.",
        "There is advice for models that answer, understand speech or read aloud.",
    )
