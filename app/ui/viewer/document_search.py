"""Ties the find bar to the document and to the view that shows it."""

from typing import Protocol

from PySide6.QtCore import QObject, Slot

from app.ui.viewer.document_reader import DocumentReader, Found
from app.ui.viewer.find_bar import FindBar
from app.ui.viewer.marks import Range


class SearchedView(Protocol):
    """What searching needs of a view."""

    def set_matches(self, matches: tuple[Range, ...], current: int) -> None:
        """Mark matches."""

    def reveal(self, target: Range, page: int | None = None) -> None:
        """Scroll to a range."""

    def top_offset(self) -> int:
        """Give the code point where what shows begins."""


class DocumentSearch(QObject):
    """Keeps the matches and the one looked at."""

    def __init__(self, reader: DocumentReader, bar: FindBar, parent: QObject | None = None) -> None:
        """Serve `bar` with what `reader` finds; no view is served before `show_in`."""
        super().__init__(parent)
        self._reader, self._bar = reader, bar
        self._view: SearchedView | None = None
        self._found, self._current = Found(""), -1
        bar.search_requested.connect(reader.find)
        bar.step_requested.connect(self.step)
        bar.closed.connect(self.forget)
        reader.found.connect(self._on_found)

    @property
    def current(self) -> int:
        """Index of the match looked at; -1 for none."""
        return self._current

    def show_in(self, view: SearchedView) -> None:
        """Mark the matches in another view."""
        if self._view is not None:
            self._view.set_matches((), -1)
        self._view = view
        view.set_matches(self._found.matches, self._current)

    def start(self) -> None:
        """Look again for what stands in the bar, if it is open: another document is shown."""
        self.forget()
        self._bar.forget()
        if self._bar.isVisible() and self._bar.field.text():
            self._bar.open()

    @Slot()
    def forget(self) -> None:
        """Forget the matches."""
        self._reader.find("")

    @Slot(int)
    def step(self, direction: int) -> None:
        """Look at the next (1) or the previous (-1) match, around the ends."""
        if self._found.matches:
            self._look_at((self._current + direction) % len(self._found.matches))

    @Slot(object)
    def _on_found(self, found: Found) -> None:
        self._found, self._current = found, -1
        if found.matches and self._view is not None:
            top = self._view.top_offset()
            after = (i for i, (start, _) in enumerate(found.matches) if start >= top)
            self._look_at(next(after, 0))
            return
        if self._view is not None:
            self._view.set_matches((), -1)
        self._bar.show_found(found, -1)

    def _look_at(self, index: int) -> None:
        self._current = index
        self._bar.show_found(self._found, index)
        if self._view is not None:
            self._view.set_matches(self._found.matches, index)
            self._view.reveal(self._found.matches[index])
