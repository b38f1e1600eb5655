"""Small pictures of attached images: asked for when they show, kept up to a number of bytes."""

from collections import OrderedDict

from PySide6.QtCore import QObject, QSize, Signal
from PySide6.QtGui import QImage

from app.core.errors import AppError
from app.protocol.chat import GetImage, ImageAttachment, ImageThumbnail
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

MAX_BYTES = 32 * 1024 * 1024
SIDE = 320
"""Pixels that a thumbnail has at most either way; twice what is shown, for dense screens."""


class Thumbnails(QObject):
    """Keeps the thumbnails that were used last.

    Signals:
        arrived: sha256 of an image whose thumbnail is there now, or cannot be had.
    """

    arrived = Signal(str)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        parent: QObject | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Ask through `session`; keep at most `max_bytes`."""
        super().__init__(parent)
        self._session, self._tasks, self._max_bytes = session, tasks, max_bytes
        self._images: OrderedDict[str, QImage] = OrderedDict()
        self._asked: set[str] = set()
        self._failures: dict[str, AppError] = {}
        self._n_bytes = 0
        session.connected.connect(self._failures.clear)

    @property
    def n_bytes(self) -> int:
        """Bytes of the thumbnails kept."""
        return self._n_bytes

    def image(self, sha256: str) -> QImage | None:
        """Give a thumbnail; None where it is asked for now and `arrived` follows, or cannot be had."""
        if sha256 in self._images:
            self._images.move_to_end(sha256)
            return self._images[sha256]
        if sha256 not in self._asked and sha256 not in self._failures:
            self._asked.add(sha256)
            self._tasks.spawn(self._fetch(sha256), "get thumbnail")
        return None

    def failure(self, sha256: str) -> AppError | None:
        """Give the reason why there is no thumbnail."""
        return self._failures.get(sha256)

    async def large(self, sha256: str, max_side: int) -> QImage:
        """Give a larger picture, which is not kept.

        Raises:
            AppError: it cannot be had.
        """
        request = GetImage(sha256=sha256, max_side=max_side)
        image = to_image(*await self._session.call_with_payload(request))
        if image.isNull():
            raise AppError("image.bad", self.tr("The picture came incomplete."), "")
        return image

    async def _fetch(self, sha256: str) -> None:
        try:
            self._keep(sha256, await self.large(sha256, SIDE))
        except AppError as error:
            self._failures[sha256] = error
        finally:
            self._asked.discard(sha256)
        self.arrived.emit(sha256)

    def _keep(self, sha256: str, image: QImage) -> None:
        self._images[sha256] = image
        self._n_bytes += image.sizeInBytes()
        while self._n_bytes > self._max_bytes and len(self._images) > 1:
            self._n_bytes -= self._images.popitem(last=False)[1].sizeInBytes()


def to_image(body: ImageThumbnail, payload: bytes) -> QImage:
    """Copy raw RGB888 rows without gaps into a QImage; one that is too short gives a null image."""
    stride = body.width * 3
    if body.width < 1 or body.height < 1 or len(payload) < stride * body.height:
        return QImage()
    raw = QImage(payload, body.width, body.height, stride, QImage.Format.Format_RGB888)
    return raw.convertToFormat(QImage.Format.Format_RGB32)


def shown_size(image: ImageAttachment, width: int, height: int) -> QSize:
    """Give the size that an image has within `width` × `height`, never larger than it is.

    A very long or high one keeps a side of 24, so that it can be seen and clicked.
    """
    size = QSize(max(1, image.width), max(1, image.height))
    factor = min(1.0, width / size.width(), height / size.height())
    least = 24
    return QSize(
        min(width, max(least, round(size.width() * factor))),
        min(height, max(least, round(size.height() * factor))),
    )
