"""Pictures of pages: asked for when they are about to show, kept up to a number of bytes."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from app.core.errors import AppError
from app.protocol.pictures import PageImage, RenderPage
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

MAX_BYTES = 64 * 1024 * 1024
_IN_FLIGHT = 2
SOURCE_LOST = frozenset({"document.source_changed", "document.source_missing"})

Key = tuple[int, int]
"""Page number and scale in thousandths of a pixel per point."""


def scale_key(scale: float) -> int:
    """Give the scale in thousandths, by which pictures are kept; the renderer accepts 0.1 to 8."""
    return round(min(8.0, max(0.1, scale)) * 1000)


def to_image(body: PageImage, payload: bytes) -> QImage:
    """Copy raw RGB888 rows into a QImage of the format that is painted fastest.

    The copy also frees the picture from the life of `payload`; one that is too short gives a null image.
    """
    if body.width < 1 or body.height < 1 or len(payload) < body.stride * body.height:
        return QImage()
    raw = QImage(payload, body.width, body.height, body.stride, QImage.Format.Format_RGB888)
    return raw.convertToFormat(QImage.Format.Format_RGB32)


class PageImages(QObject):
    """Keeps the pages that `want` named last coming, most urgent first.

    Signals:
        page_ready: number of a page that has a new picture.
        page_failed: number of a page that cannot be drawn; `failure` gives the reason.
        source_lost: AppError; the file changed or vanished, so no page of it can be drawn any more.
    """

    page_ready = Signal(int)
    page_failed = Signal(int)
    source_lost = Signal(object)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        parent: QObject | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Ask through `session`; keep at most `max_bytes` of pictures beyond those that show."""
        super().__init__(parent)
        self._session, self._spawner, self._max_bytes = session, tasks, max_bytes
        self._job = 0
        self._document_id: int | None = None
        self._images: OrderedDict[Key, QImage] = OrderedDict()
        self._n_bytes = 0
        self._wanted: tuple[Key, ...] = ()
        self._in_flight: dict[Key, asyncio.Task[None]] = {}
        self._failures: dict[int, AppError] = {}

    @property
    def n_bytes(self) -> int:
        """Bytes of the pictures kept."""
        return self._n_bytes

    @property
    def has_failures(self) -> bool:
        """Whether a page could not be drawn."""
        return bool(self._failures)

    def show_document(self, document_id: int | None) -> None:
        """Forget every picture and take later ones from this document; None shows nothing."""
        self._job += 1
        self._document_id = document_id
        self._images.clear()
        self._failures.clear()
        self._n_bytes = 0
        self._wanted = ()
        self._cancel_unwanted()

    def want(self, pages: Sequence[int], scale: float) -> None:
        """Say which pages are needed at which scale (pixels per point), the most urgent first."""
        key = scale_key(scale)
        self._wanted = tuple((page, key) for page in pages)
        self._cancel_unwanted()
        self._start_next()

    def image(self, page: int, scale: float) -> QImage | None:
        """Give a page's picture at this scale, else the nearest other one, to be stretched meanwhile."""
        key = (page, scale_key(scale))
        if key in self._images:
            self._images.move_to_end(key)
            return self._images[key]
        others = [other for other in self._images if other[0] == page]
        if not others:
            return None
        return self._images[min(others, key=lambda other: abs(other[1] - key[1]))]

    def failure(self, page: int) -> AppError | None:
        """Give the reason why a page cannot be drawn."""
        return self._failures.get(page)

    def retry(self) -> None:
        """Try the pages again that could not be drawn."""
        self._failures.clear()
        self._start_next()

    def _cancel_unwanted(self) -> None:
        """Let go of what is under way and no longer needed, so that its pixels do not travel in vain."""
        for key in [key for key in self._in_flight if key not in self._wanted]:
            self._in_flight.pop(key).cancel()

    def _start_next(self) -> None:
        for key in self._wanted:
            if len(self._in_flight) >= _IN_FLIGHT or self._document_id is None:
                return
            if key not in self._images and key[0] not in self._failures and key not in self._in_flight:
                request = RenderPage(document_id=self._document_id, page=key[0], scale=key[1] / 1000)
                task = self._spawner.spawn(self._fetch(request, self._job, key), "viewer.render")
                if task is not None:
                    self._in_flight[key] = task

    async def _fetch(self, request: RenderPage, job: int, key: Key) -> None:
        try:
            body, payload = await self._session.call_with_payload(request)
        except AppError as error:
            if self._end(job, key):
                self._fail(key[0], error)
                self._start_next()
        else:
            if self._end(job, key):
                self._keep(key, to_image(body, payload))
                self._start_next()

    def _end(self, job: int, key: Key) -> bool:
        """Take a picture off the list of those under way; False if nobody needs it any more."""
        if job != self._job:
            return False
        self._in_flight.pop(key, None)
        return True

    def _fail(self, page: int, error: AppError) -> None:
        if error.code in SOURCE_LOST:
            self._document_id, self._wanted = None, ()  # no other page of it is worth asking for
            self._cancel_unwanted()
            self.source_lost.emit(error)
            return
        self._failures[page] = error
        self.page_failed.emit(page)

    def _keep(self, key: Key, image: QImage) -> None:
        if image.isNull():
            self._fail(
                key[0],
                AppError("page.bad_image", self.tr("The picture of the page came incomplete."), ""),
            )
            return
        self._images[key] = image
        self._n_bytes += image.sizeInBytes()
        needed = set(self._wanted)
        for other in [other for other in self._images if other not in needed]:
            if self._n_bytes <= self._max_bytes:
                break
            self._n_bytes -= self._images.pop(other).sizeInBytes()
        self.page_ready.emit(key[0])
