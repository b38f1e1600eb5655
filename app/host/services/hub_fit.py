"""Advice on the files of a repository on the hub, before any of them is downloaded."""

import asyncio
import io
import logging
from dataclasses import replace

from app.core.errors import AppError
from app.core.fit import ModelShape, Room, shape_of
from app.core.gguf import read_head_from
from app.host.services.fit import FitService
from app.host.services.hub import Hub
from app.host.services.hub_listing import Listing
from app.host.services.models import ModelsService
from app.protocol.catalogue import CatalogueFile, CatalogueModel
from app.protocol.models import Fit

log = logging.getLogger(__name__)

HEAD_DEADLINE_S = 12.0
_ANY_SIZE = 2**60
_KEPT_SHAPES = 32


class HubAdvisor:
    """Tells of each file of a repository whether it fits this machine.

    The files are one model in several quantizations: one head, that of the smallest file, tells the shape of
    all, and the sizes that the hub gives tell the weights of each.
    """

    def __init__(
        self, hub: Hub, models: ModelsService, fit: FitService, head_deadline_s: float = HEAD_DEADLINE_S
    ) -> None:
        """Take the hub, and what advises."""
        self._hub, self._models, self._fit = hub, models, fit
        self._head_deadline_s = head_deadline_s
        self._shapes: dict[tuple[str, str], ModelShape] = {}

    async def advised(self, listing: Listing) -> CatalogueModel:
        """Give a repository's model with advice for each of its files; opens a connection."""
        await self._fit.know_speed(wait=False)
        shape = await self._shape(listing)
        room = await self._models.room()
        files = tuple(replace(file, fit=self._advice(file, shape, room)) for file in listing.model.files)
        return replace(listing.model, files=files)

    async def _shape(self, listing: Listing) -> ModelShape | None:
        """Give the shape of a repository's model; None where no head could be had in time."""
        key = listing.repository, listing.revision
        weights = [file for file in listing.model.files if file.role == "model" and file.size_bytes]
        if key in self._shapes or not weights:
            return self._shapes.get(key)
        smallest = min(weights, key=lambda file: file.size_bytes or 0)
        try:
            async with asyncio.timeout(self._head_deadline_s):
                data = await self._hub.head_of(listing.repository, listing.revision, smallest.name)
            head = await asyncio.to_thread(read_head_from, io.BytesIO(data), smallest.name, _ANY_SIZE)
        except (AppError, TimeoutError) as error:
            log.info("no head of %s: %s", listing.repository, type(error).__name__)
            return None
        if len(self._shapes) >= _KEPT_SHAPES:
            self._shapes.pop(next(iter(self._shapes)))
        self._shapes[key] = shape_of(head)
        return self._shapes[key]

    def _advice(self, file: CatalogueFile, shape: ModelShape | None, room: Room) -> Fit | None:
        if file.role != "model" or not file.size_bytes:
            return None
        if shape is None or not shape.weight_bytes:
            return self._fit.advise_size(file.size_bytes, room)
        return self._fit.advise(of_size(shape, file.size_bytes), room)


def of_size(shape: ModelShape, size_bytes: int) -> ModelShape:
    """Give the shape of the same model in a file of another size: each weight takes so many more bytes."""
    ratio = size_bytes / shape.weight_bytes
    return replace(
        shape,
        weight_bytes=size_bytes,
        active_bytes=int(shape.active_bytes * ratio),
        input_bytes=int(shape.input_bytes * ratio),
        output_bytes=int(shape.output_bytes * ratio),
    )
