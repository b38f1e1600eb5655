"""Images attached to questions: kept as `images/<sha256>`, decoded by the confined render worker.

The folder is the host's alone; `files/` belongs to the library worker, which sweeps what it does not know.
"""

import asyncio
import hashlib
import logging
import os
import re
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from app.core.errors import AppError, FileError, NotFoundError, StorageError, UsageError
from app.host.services.ports import Handler, Picture, Reply, RequestContext
from app.host.supervision import Worker
from app.protocol.body import Body
from app.protocol.chat import AttachImage, GetImage, ImageAttachment, ImageThumbnail
from app.protocol.pictures import DecodedImage, DecodeImage

log = logging.getLogger(__name__)

_MIB = 1024 * 1024
MAX_FILE_BYTES = 32 * _MIB
MAX_IMAGES = 16
MODEL_SIDE = 1_568
"""Longest side in pixels that models get; the encoders of today's models make larger ones smaller."""
MAX_SIDE = 2_048
UNUSED_KEPT_S = 24 * 3600.0
_KEPT_PICTURE_BYTES = 64 * _MIB
_UNUSABLE = ("image.not_found", "image.bad", "image.too_large")
_MAX_NAME_CHARS = 200
_DIGEST = re.compile(r"[0-9a-f]{64}")


class ImagesService:
    """Keeps and decodes images (ports.ImagesPort)."""

    def __init__(self, images_dir: Path, renderer: Worker) -> None:
        """Name the folder; nothing is read or made."""
        self._images_dir, self._renderer = images_dir, renderer
        self._pictures: OrderedDict[str, Picture] = OrderedDict()

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {AttachImage: self._attach, GetImage: self._get}

    async def _attach(self, request: AttachImage, context: RequestContext) -> ImageAttachment:
        data = context.payload
        if len(data) > MAX_FILE_BYTES:
            raise FileError(
                "image.too_large",
                f"The image file has {len(data) / _MIB:.0f} MB; {MAX_FILE_BYTES // _MIB} MB are the most.",
                "Save it smaller, or as JPEG, and attach that.",
            )
        decoded, pixels = await self._decode(data, MODEL_SIDE)
        digest = await asyncio.to_thread(_stored, self._images_dir, data)
        self._remember(Picture(digest, decoded.width, decoded.height, pixels))
        return ImageAttachment(
            sha256=digest,
            name=Path(request.name).name[:_MAX_NAME_CHARS],
            width=decoded.source_width,
            height=decoded.source_height,
        )

    async def _get(self, request: GetImage, context: RequestContext) -> Reply:
        data = await asyncio.to_thread(_read, self._images_dir, request.sha256)
        decoded, pixels = await self._decode(data, max(1, min(request.max_side, MAX_SIDE)))
        return Reply(ImageThumbnail(width=decoded.width, height=decoded.height), pixels)

    async def _decode(self, data: bytes, max_side: int) -> tuple[DecodedImage, bytes]:
        return await self._renderer.call_with_payload(
            DecodeImage(max_side=max_side), data, activity="while reading an image"
        )

    async def check(self, images: Sequence[ImageAttachment]) -> None:
        """Refuse images that are not kept, or too many. Raises NotFoundError or UsageError."""
        if len(images) > MAX_IMAGES:
            raise UsageError(
                "image.too_many",
                f"The question has {len(images)} images; {MAX_IMAGES} are the most.",
                "Ask about fewer of them at once.",
            )
        for image in images:
            if not await asyncio.to_thread(_is_kept, self._images_dir, image.sha256):
                raise _not_found()

    async def pictures(self, digests: Sequence[str]) -> Mapping[str, Picture]:
        """Decode images as models get them; what is gone or damaged is left out. Raises AppError."""
        found: dict[str, Picture] = {}
        for digest in digests:
            picture = self._pictures.get(digest)
            try:
                found[digest] = picture or await self._picture(digest)
            except AppError as error:
                if error.code not in _UNUSABLE:
                    raise
                log.info("an image is left out of a prompt: %s", error.code)
        return found

    async def _picture(self, digest: str) -> Picture:
        data = await asyncio.to_thread(_read, self._images_dir, digest)
        decoded, pixels = await self._decode(data, MODEL_SIDE)
        return self._remember(Picture(digest, decoded.width, decoded.height, pixels))

    def _remember(self, picture: Picture) -> Picture:
        """Keep the pictures decoded last: the next question of a conversation shows them again."""
        self._pictures[picture.sha256] = picture
        self._pictures.move_to_end(picture.sha256)
        while sum(len(kept.pixels) for kept in self._pictures.values()) > _KEPT_PICTURE_BYTES:
            self._pictures.popitem(last=False)
        return picture


def sweep(images_dir: Path, used: Collection[str], now: float | None = None) -> int:
    """Delete images that no message names and that were attached more than a day ago; give their number.

    Args:
        images_dir: where they are.
        used: sha256 of those that messages name.
        now: seconds since the epoch, if not the clock's.
    """
    before = (time.time() if now is None else now) - UNUSED_KEPT_S
    n_deleted = 0
    try:
        paths = list(images_dir.iterdir())
    except OSError:  # none was ever attached
        return 0
    for path in paths:
        try:
            if path.name not in used and path.stat().st_mtime < before:
                path.unlink()
                n_deleted += 1
        except OSError as error:  # a disk's trouble must not keep the conversations from opening
            log.info("an image that is not used any more could not be deleted: %s", error.strerror)
    return n_deleted


def _stored(images_dir: Path, data: bytes) -> str:
    """Keep a file under its sha256, complete or not at all; give the sha256.

    Raises:
        StorageError: `storage.full`, `image.not_kept`.
    """
    digest = hashlib.sha256(data).hexdigest()
    path = images_dir / digest
    temporary = images_dir / f"{digest}.part"
    try:
        images_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600
        )
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor, opened with its mode
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)  # also where it is there already: its time begins anew, damage is repaired
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(
            "image.not_kept",
            f"The image could not be kept in the data folder ({error.strerror}).",
            "Check the free space and the permissions of the data folder, then attach it again.",
        ) from error
    return digest


def _path(images_dir: Path, digest: str) -> Path:
    """Give the place of an image. Raises NotFoundError for what is no sha256 (such as `../settings.json`)."""
    if not _DIGEST.fullmatch(digest):
        raise _not_found()
    return images_dir / digest


def _is_kept(images_dir: Path, digest: str) -> bool:
    return bool(_DIGEST.fullmatch(digest)) and (images_dir / digest).is_file()


def _read(images_dir: Path, digest: str) -> bytes:
    """Read an image and check it. Raises NotFoundError or FileError `image.bad`."""
    try:
        data = _path(images_dir, digest).read_bytes()
    except OSError as error:
        raise _not_found() from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise FileError(
            "image.bad", "The stored copy of this image is damaged.", "Attach the image again from its file."
        )
    return data


def _not_found() -> NotFoundError:
    return NotFoundError(
        "image.not_found", "This image is not kept any more.", "Attach it again from its file."
    )
