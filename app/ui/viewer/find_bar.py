"""Looking for words in the document."""

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QWidget

from app.ui.elements.buttons import tool_button
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS
from app.ui.viewer.document_reader import Found

_TYPING_PAUSE_MS = 200


class FindBar(QFrame):
    """A field, "3 of 17" and buttons for the next and the previous match.

    Signals:
        search_requested: the text to look for; empty to look for nothing.
        step_requested: 1 for the next match, -1 for the previous one.
        closed: the bar was closed.
    """

    search_requested = Signal(str)
    step_requested = Signal(int)
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        self.field = QLineEdit(self)
        self.field.setPlaceholderText(self.tr("Find in the document"))
        self.field.setAccessibleName(self.tr("Find in the document"))
        self.field.setClearButtonEnabled(True)
        self.count = QLabel()
        set_role(self.count, "muted")
        self.previous = tool_button("chevron-up", self.tr("Previous match"), theme, self, "Shift+F3")
        self.next = tool_button("chevron-down", self.tr("Next match"), theme, self, "F3")
        self.close_button = tool_button("close", self.tr("Close the search"), theme, self, "Esc")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_XS, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_XS)
        layout.addWidget(self.field, 1)
        layout.addSpacing(SPACE_XS)
        for widget in (self.count, self.previous, self.next, self.close_button):
            layout.addWidget(widget)
        self._timer = QTimer(self, singleShot=True, interval=_TYPING_PAUSE_MS)
        self._timer.timeout.connect(self._on_timer_timeout)
        self._asked = ""
        self.field.textChanged.connect(self._on_text_changed)
        self.next.clicked.connect(self._on_next_clicked)
        self.previous.clicked.connect(self._on_previous_clicked)
        self.close_button.clicked.connect(self.close_search)
        self.hide()

    def open(self) -> None:
        """Show the bar, ready to type."""
        self.show()
        self.field.setFocus()
        self.field.selectAll()
        if self.field.text() and self.field.text() != self._asked:
            self._on_timer_timeout()

    @Slot()
    def close_search(self) -> None:
        """Hide the bar and forget the matches."""
        self._timer.stop()
        self._asked = ""
        self.hide()
        self.closed.emit()

    def forget(self) -> None:
        """Take the field's text as not looked for yet (another document is shown)."""
        self._asked = ""
        self.count.clear()

    def show_found(self, found: Found, current: int) -> None:
        """Show "n of m", that there is nothing, or why the search failed."""
        set_role(self.count, "muted")
        if found.error is not None:
            words = self.tr("Search failed: {reason}").replace("{reason}", found.error.user_message)
        elif not found.text:
            words = ""
        elif not found.total:
            words = self.tr("Not found")
        else:
            n_of_m = self.tr("{n} of {total}").replace("{n}", str(current + 1))
            words = n_of_m.replace("{total}", f"{found.total:,}")
        self.count.setText(words)
        self.count.setToolTip(self._limit_words(found))
        for button in (self.previous, self.next):
            button.setEnabled(bool(found.matches))

    def _limit_words(self, found: Found) -> str:
        if found.total <= len(found.matches):
            return ""
        words = self.tr("Only the first {n} matches can be stepped through.")
        return words.replace("{n}", f"{len(found.matches):,}")

    @Slot(str)
    def _on_text_changed(self, text: str) -> None:
        if text:
            self._timer.start()
        else:
            self._on_timer_timeout()

    @Slot()
    def _on_timer_timeout(self) -> None:
        self._timer.stop()
        self._asked = self.field.text()
        self.search_requested.emit(self._asked)

    @Slot()
    def _on_next_clicked(self) -> None:
        self._step(1)

    @Slot()
    def _on_previous_clicked(self) -> None:
        self._step(-1)

    def _step(self, direction: int) -> None:
        if self.field.text() != self._asked:
            self._on_timer_timeout()
        else:
            self.step_requested.emit(direction)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter steps on, Shift+Enter back, Escape closes."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            back = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self._step(-1 if back else 1)
        elif event.key() == Qt.Key.Key_Escape:
            self.close_search()
        else:
            super().keyPressEvent(event)
