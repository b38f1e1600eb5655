"""Where a question is written: grows with its text, sends on Enter, stops on Esc."""

from PySide6.QtCore import QMimeData, QSize, Qt, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QTextEdit, QToolButton, QVBoxLayout, QWidget

from app.ui.icons import bind_icon
from app.ui.intake import local_paths
from app.ui.theme import Theme, set_role
from app.ui.tokens import CONTROL_HEIGHT, SPACE_S, SPACE_XS

_MAX_LINES = 9
MAX_CHARACTERS = 100_000


class QuestionEdit(QTextEdit):
    """The text field of the composer; plain text only.

    Signals:
        send_requested: Enter was pressed.
        files_pasted: local paths (list of str) were pasted or dropped here.
    """

    send_requested = Signal()
    files_pasted = Signal(list)
    focus_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty, one line high."""
        super().__init__(parent)
        self.setAcceptRichText(False)
        self.setTabChangesFocus(True)
        self.setPlaceholderText(self.tr("Ask about your documents"))
        self.setAccessibleName(self.tr("Your question"))
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(2)
        self.textChanged.connect(self._on_text_changed)
        self._on_text_changed()

    @Slot()
    def _on_text_changed(self) -> None:
        line = self.fontMetrics().lineSpacing()
        height = int(self.document().size().height()) + 4
        self.setFixedHeight(max(line + 10, min(height, _MAX_LINES * line + 10)))

    # Qt overrides

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Send on Enter; Shift+Enter begins a new line."""
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.send_requested.emit()
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Text wraps anew, so the height may change."""
        super().resizeEvent(event)
        self._on_text_changed()

    def focusInEvent(self, event: QFocusEvent, /) -> None:
        """Tell the frame to show the focus."""
        super().focusInEvent(event)
        self.focus_changed.emit()

    def focusOutEvent(self, event: QFocusEvent, /) -> None:
        """Tell the frame to hide the focus."""
        super().focusOutEvent(event)
        self.focus_changed.emit()

    def dragEnterEvent(self, event: QDragEnterEvent, /) -> None:
        """Leave files to the window, which says what will happen to them; take text."""
        if local_paths(event.mimeData()):
            event.ignore()
        else:
            super().dragEnterEvent(event)

    def canInsertFromMimeData(self, source: QMimeData, /) -> bool:
        """Take text and files."""
        return source.hasText() or bool(local_paths(source))

    def insertFromMimeData(self, source: QMimeData, /) -> None:
        """Files go to the library; everything else is plain text."""
        paths = local_paths(source)
        if paths:
            self.files_pasted.emit(paths)
        elif source.hasText():
            self.textCursor().insertText(source.text()[:MAX_CHARACTERS])


class Composer(QFrame):
    """Text field, attach button, room for the choosers, and one button that sends or stops.

    Signals:
        send_requested: the question (str), stripped, never empty.
        stop_requested: stop the answer that is being written.
        text_edited: the present text (str), after each change by the user.
        files_pasted: local paths (list of str).
        attach_requested: the user wants to choose files.
    """

    send_requested = Signal(str)
    stop_requested = Signal()
    text_edited = Signal(str)
    files_pasted = Signal(list)
    attach_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Start empty and idle."""
        super().__init__(parent)
        self._theme = theme
        self._is_busy = False
        self._is_setting = False
        set_role(self, "composer")
        self.edit = QuestionEdit(self)
        self.edit.send_requested.connect(self._on_send_clicked)
        self.edit.textChanged.connect(self._on_text_changed)
        self.edit.files_pasted.connect(self.files_pasted)
        self.edit.focus_changed.connect(self._on_focus_changed)
        self._attach = QToolButton(self)
        self._attach.setToolTip(self.tr("Add files to the library (Ctrl+O)"))
        self._attach.setAccessibleName(self.tr("Add files to the library"))
        self._attach.setFixedSize(QSize(CONTROL_HEIGHT, CONTROL_HEIGHT))
        bind_icon(self._attach, "add", theme)
        self._attach.clicked.connect(self.attach_requested)
        self._send = QToolButton(self)
        self._send.setFixedSize(QSize(CONTROL_HEIGHT + 2, CONTROL_HEIGHT + 2))
        set_role(self._send, "primary")
        self._send.clicked.connect(self._on_send_or_stop_clicked)
        self._row = QHBoxLayout()
        self._row.setSpacing(SPACE_XS)
        self._row.addWidget(self._attach)
        self._row.addStretch()
        self._row.addWidget(self._send)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_XS)
        layout.addWidget(self.edit)
        layout.addLayout(self._row)
        self.setFocusProxy(self.edit)
        self._refresh()

    def add_chooser(self, chooser: QWidget) -> None:
        """Put a chooser into the row under the text."""
        self._row.insertWidget(self._row.count() - 2, chooser)

    def text(self) -> str:
        """Give the text as it is."""
        return self.edit.toPlainText()

    def set_text(self, text: str) -> None:
        """Show another text (a stored draft, or nothing); no `text_edited` follows."""
        self._is_setting = True
        self.edit.setPlainText(text)
        cursor = self.edit.textCursor()
        cursor.movePosition(cursor.MoveOperation.End)
        self.edit.setTextCursor(cursor)
        self._is_setting = False
        self._refresh()

    def set_busy(self, busy: bool) -> None:
        """Offer to stop instead of to send."""
        self._is_busy = busy
        self._refresh()

    def _refresh(self) -> None:
        words = self.tr("Stop (Esc)") if self._is_busy else self.tr("Send (Enter)")
        self._send.setToolTip(words)
        self._send.setAccessibleName(self.tr("Stop") if self._is_busy else self.tr("Send"))
        can_send = bool(self.text().strip())
        self._send.setEnabled(self._is_busy or can_send)
        bind_icon(self._send, "stop" if self._is_busy else "send", self._theme, "on_accent")

    @Slot()
    def _on_text_changed(self) -> None:
        self._refresh()
        if not self._is_setting:
            self.text_edited.emit(self.text())

    @Slot()
    def _on_send_clicked(self) -> None:
        question = self.text().strip()
        if question and not self._is_busy:
            self.send_requested.emit(question)

    @Slot()
    def _on_send_or_stop_clicked(self) -> None:
        if self._is_busy:
            self.stop_requested.emit()
        else:
            self._on_send_clicked()

    @Slot()
    def _on_focus_changed(self) -> None:
        set_role(self, "composer-focused" if self.edit.hasFocus() else "composer")
