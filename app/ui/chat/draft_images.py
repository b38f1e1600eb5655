"""The images that go along with a question that is not sent yet."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from typing import TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from app.core.errors import AppError, UsageError
from app.protocol.chat import AttachImage, ImageAttachment
from app.ui.chat.image_files import png_of, read_image
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

T = TypeVar("T")

MAX_IMAGES = 8
READING, READY, FAILED = "reading", "ready", "failed"


@dataclass(frozen=True)
class DraftImage:
    """An image beside the unsent text.

    Attributes:
        key: its number in this window.
        state: `reading` (on its way to the host), `ready` or `failed`.
        attachment: what the host knows it as, once ready.
        error: why it failed.
        path: of the file; empty for a pasted image.
    """

    key: int
    name: str
    state: str = READING
    attachment: ImageAttachment | None = None
    error: AppError | None = None
    path: str = ""


class DraftImages(QObject):
    """The images of one conversation's unsent question; kept in memory only.

    Signals:
        changed: an image came, went, or got another state.
        refused: AppError; more images were given than a question may have.
    """

    changed = Signal()
    refused = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Start without images."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self._keys = itertools.count(1)
        self._items: dict[int, DraftImage] = {}
        self._running: dict[int, asyncio.Task[None]] = {}

    @property
    def items(self) -> tuple[DraftImage, ...]:
        """All images, in the order they were added."""
        return tuple(self._items.values())

    @property
    def is_pending(self) -> bool:
        """Whether an image is still on its way."""
        return any(item.state == READING for item in self._items.values())

    @property
    def attachments(self) -> tuple[ImageAttachment, ...]:
        """What can be sent."""
        return tuple(item.attachment for item in self._items.values() if item.attachment is not None)

    def add_files(self, paths: Sequence[str]) -> None:
        """Attach image files by absolute path."""
        for path in self._as_many_as_allowed(paths):
            self._start(PurePath(path).name, partial(read_image, path), path)

    def add_image(self, image: QImage) -> None:
        """Attach a pasted image."""
        for pasted in self._as_many_as_allowed((image.copy(),)):
            name = self.tr("Pasted image")
            self._start(name, partial(png_of, pasted, name))

    def remove(self, key: int) -> None:
        """Take an image away; what is on its way is given up."""
        if (task := self._running.pop(key, None)) is not None:
            task.cancel()
        if self._items.pop(key, None) is not None:
            self.changed.emit()

    def clear(self) -> None:
        """Take all images away."""
        for key in list(self._items):
            self.remove(key)

    def _as_many_as_allowed(self, things: Sequence[T]) -> Sequence[T]:
        room = MAX_IMAGES - len(self._items)
        if len(things) > room:
            words = self.tr("A question can have at most {0} images.").format(MAX_IMAGES)
            hint = self.tr("Send these first, or take some away.")
            self.refused.emit(UsageError("image.too_many", words, hint))
        return things[: max(0, room)]

    def _start(self, name: str, read: Callable[[], bytes], path: str = "") -> None:
        item = DraftImage(next(self._keys), name, path=path)
        self._items[item.key] = item
        self.changed.emit()
        task = self._tasks.spawn(self._attach(item, read), "attach image")
        if task is not None:
            self._running[item.key] = task

    async def _attach(self, item: DraftImage, read: Callable[[], bytes]) -> None:
        try:
            content = await asyncio.to_thread(read)
            attachment = await self._session.call(AttachImage(name=item.name), content)
        except AppError as error:
            item = replace(item, state=FAILED, error=error)
        else:
            item = replace(item, state=READY, attachment=attachment)
        self._running.pop(item.key, None)
        if item.key in self._items:
            self._items[item.key] = item
            self.changed.emit()
