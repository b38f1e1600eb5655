"""A document's stored text on its way into a view: slice by slice, in parts where it is very long."""

from bisect import bisect_left

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QFont, QTextCharFormat, QTextCursor, QTextDocument

from app.core.errors import AppError
from app.protocol.documents import DocumentInfo
from app.ui.tasks import TaskSpawner
from app.ui.viewer.document_reader import DocumentReader
from app.ui.viewer.marks import Range
from app.ui.viewer.text_offsets import TextOffsets

SLICE = 60_000
PART = 2_000_000  # code points shown at once; a longer text is shown in parts


class LoadedText(QObject):
    """Fills a view's document; whoever owns the view empties it before another part comes.

    Signals:
        grew: another slice was appended.
        ended: the part is here to its end.
        failed: AppError.

    Attributes:
        info: of the document that is loaded; None while there is none.
        offsets: of what is here, in the whole text.
    """

    grew = Signal()
    ended = Signal()
    failed = Signal(object)

    def __init__(
        self, document: QTextDocument, reader: DocumentReader, tasks: TaskSpawner, parent: QObject
    ) -> None:
        """Load nothing yet."""
        super().__init__(parent)
        self._document, self._reader, self._tasks = document, reader, tasks
        self.info: DocumentInfo | None = None
        self.offsets = TextOffsets()
        self._end = 0
        self._job = 0

    @property
    def is_complete(self) -> bool:
        """Whether the part is here to its end."""
        return self.info is not None and self.offsets.end >= self._end

    @property
    def n_parts(self) -> int:
        """Number of parts that the text is shown in."""
        return max(1, -(-self.info.n_chars // PART)) if self.info else 1

    @property
    def part(self) -> int:
        """The part that is loaded, from 0."""
        return self.offsets.start // PART

    def part_of(self, offset: int) -> int:
        """Give the part that a code point is in."""
        return min(max(offset, 0) // PART, self.n_parts - 1)

    def has(self, wanted: Range) -> bool:
        """Whether a range is in the part that is loaded, and here to its end."""
        return self.part_of(wanted[0]) == self.part and wanted[1] <= self.offsets.end

    def can_show(self, wanted: Range) -> bool:
        """Whether a range of the part that is loaded is here to its end, or as far as it will ever be."""
        return wanted[1] <= self.offsets.end or self.is_complete

    def cursor(self, wanted: Range) -> QTextCursor:
        """Give a cursor over a range; what is not here is cut off."""
        cursor = QTextCursor(self._document)
        cursor.setPosition(self.offsets.to_position(wanted[0]))
        cursor.setPosition(self.offsets.to_position(wanted[1]), QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def open(self, info: DocumentInfo) -> None:
        """Take the document whose parts are to be loaded."""
        self.info = info

    def forget(self) -> None:
        """Drop what is being loaded."""
        self._job += 1
        self.info = None
        self.offsets, self._end = TextOffsets(), 0

    def load(self, part: int) -> None:
        """Load a part of the document into the empty view."""
        assert self.info is not None
        self._job += 1
        self.offsets = TextOffsets(part * PART)
        self._end = min(self.info.n_chars, (part + 1) * PART)
        self._tasks.spawn(self._load(self.info.document_id, self._job), "viewer.text")

    async def _load(self, document_id: int, job: int) -> None:
        while self.offsets.end < self._end:
            start = self.offsets.end
            try:
                end = min(start + SLICE, self._end)
                piece = await self._reader.read(document_id, start, end)
            except AppError as error:
                if job == self._job:
                    self.failed.emit(error)
                return
            if job != self._job:
                return
            if not piece.text:
                break  # the store holds less than it announced
            self._append(piece.text, start)
        if job == self._job:
            self._end = self.offsets.end
            self.ended.emit()

    def _append(self, text: str, start: int) -> None:
        shown = self.offsets.append(text)
        cursor = QTextCursor(self._document)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        cursor.insertText(shown, QTextCharFormat())
        self._style_headings(start, start + len(text))
        cursor.endEditBlock()
        self.grew.emit()

    def _style_headings(self, start: int, end: int) -> None:
        assert self.info is not None
        outline = self.info.outline
        bold = QTextCharFormat()
        bold.setFontWeight(QFont.Weight.Bold)
        first = bisect_left(outline, start, key=lambda heading: heading.char_start)
        for heading in outline[first:]:
            if heading.char_start >= end:
                break
            cursor = QTextCursor(self._document)
            cursor.setPosition(self.offsets.to_position(heading.char_start))
            cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(bold)
