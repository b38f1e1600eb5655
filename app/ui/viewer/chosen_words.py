"""What the user chose in a document, as it is stored: copied, or read aloud."""

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QGuiApplication

from app.core.errors import AppError
from app.ui.elements.banner import Banner
from app.ui.tasks import TaskSpawner
from app.ui.viewer.document_reader import DocumentReader
from app.ui.viewer.marks import Range

LIMIT = 1_000_000  # code points; what one GetText gives


class ChosenWords(QObject):
    """Fetches ranges of the open document's stored text.

    Signals:
        reading_requested: words (str) to read aloud.
    """

    reading_requested = Signal(str)

    def __init__(self, reader: DocumentReader, tasks: TaskSpawner, banner: Banner, parent: QObject) -> None:
        """Fetch from `reader`; failures are told through `banner`."""
        super().__init__(parent)
        self._reader, self._tasks, self._banner = reader, tasks, banner

    @Slot(object)
    def copy(self, chosen: Range) -> None:
        """Put a range's words on the clipboard."""
        if self._reader.info is not None:
            self._tasks.spawn(self._copy(self._reader.info.document_id, chosen), "viewer.copy")

    @Slot(object)
    def read_aloud(self, chosen: Range) -> None:
        """Ask for a range's words to be read aloud."""
        if self._reader.info is not None:
            self._tasks.spawn(self._read_aloud(self._reader.info.document_id, chosen), "viewer.read_aloud")

    async def _copy(self, document_id: int, chosen: Range) -> None:
        words = await self._fetch(document_id, chosen)
        if words is None:
            return
        QGuiApplication.clipboard().setText(words)
        if chosen[1] - chosen[0] > LIMIT:
            told = self.tr("Only the first {n} characters were copied.")
            self._banner.say("info", told.replace("{n}", f"{LIMIT:,}"))

    async def _read_aloud(self, document_id: int, chosen: Range) -> None:
        words = await self._fetch(document_id, chosen)
        if words is not None and words.strip():
            self.reading_requested.emit(words)

    async def _fetch(self, document_id: int, chosen: Range) -> str | None:
        """Give the words of a range, its first LIMIT at most; None where that failed, which is told."""
        try:
            piece = await self._reader.read(document_id, chosen[0], min(chosen[1], chosen[0] + LIMIT))
        except AppError as error:
            self._banner.say_error(error)
            return None
        return piece.text
