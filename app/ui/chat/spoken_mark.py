"""The mark on the sentence that is read aloud, in the view of a message."""

from collections.abc import Sequence

from PySide6.QtCore import QRect
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QTextBrowser, QTextEdit

from app.ui.chat.spoken_places import Span
from app.ui.theme import Theme


class SpokenMark:
    """Marks ranges of a view's document in the colour of the theme.

    Attributes:
        wanted: code points of the message's text; None while nothing of it is heard.
    """

    def __init__(self, view: QTextBrowser, theme: Theme) -> None:
        """Mark nothing yet."""
        self._view, self._theme = view, theme
        self.wanted: Span | None = None

    def show(self, spans: Sequence[Span]) -> None:
        """Mark these positions of the document, and no others."""
        look = QTextCharFormat()
        look.setBackground(self._theme.colour("highlight"))
        selections = []
        for start, end in spans:
            selection = QTextEdit.ExtraSelection()
            selection.cursor = self._cursor(start)
            selection.cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            selection.format = look
            selections.append(selection)
        if selections or self._view.extraSelections():
            self._view.setExtraSelections(selections)

    def rect(self) -> QRect:
        """Give where the mark stands, in pixels of the view; empty where there is none."""
        rect = QRect()
        for selection in self._view.extraSelections():
            for position in (selection.cursor.selectionStart(), selection.cursor.selectionEnd()):
                place = self._view.cursorRect(self._cursor(position))
                rect = rect.united(place.adjusted(0, 0, 1, 0))
        return rect.translated(self._view.viewport().pos())

    def _cursor(self, position: int) -> QTextCursor:
        cursor = QTextCursor(self._view.document())
        cursor.setPosition(position)
        return cursor
