"""Where a question is written: grows with its text, sends on Enter, stops on Esc."""

from PySide6.QtCore import QMimeData, QSize, Qt, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QFocusEvent, QImage, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QTextEdit, QToolButton, QVBoxLayout, QWidget

from app.ui.chat.draft_images import DraftImage
from app.ui.chat.image_chips import ImageChips
from app.ui.chat.thumbnails import Thumbnails
from app.ui.elements.banner import Banner
from app.ui.elements.buttons import tool_button
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import bind_icon
from app.ui.intake import local_paths
from app.ui.models.parts import order_tabs
from app.ui.theme import Theme, set_role
from app.ui.toasts import announce
from app.ui.tokens import CONTROL_HEIGHT, SPACE_S, SPACE_XS
from app.ui.voice.microphone_button import VoiceButtons
from app.ui.voice.talk_strip import TalkStrip

_MAX_LINES = 9
_ROOMY_PX = 400
MAX_CHARACTERS = 100_000
_OPENING, _CLOSING = "([{“‘«¿¡/—", ".,;:!?)]}”’»…/—"


class QuestionEdit(QTextEdit):
    """The text field of the composer; plain text only.

    Signals:
        send_requested: Enter was pressed.
        files_pasted: local paths (list of str) were pasted or dropped here.
        image_pasted: QImage that was pasted or dropped here.
        focus_changed: the focus came or went.
    """

    send_requested = Signal()
    files_pasted = Signal(list)
    image_pasted = Signal(object)
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
        """Take text, files and images."""
        return source.hasText() or source.hasImage() or bool(local_paths(source))

    def insertFromMimeData(self, source: QMimeData, /) -> None:
        """Files and images are passed on; everything else is plain text.

        Where a program offers its text as a picture too (office programs do), the text is meant.
        """
        paths = local_paths(source)
        text = source.text() if source.hasText() and not source.hasUrls() else ""
        if paths:
            self.files_pasted.emit(paths)
        elif source.hasImage() and not text.strip():
            self.image_pasted.emit(QImage(source.imageData()))
        elif source.hasText():
            self.textCursor().insertText(source.text()[:MAX_CHARACTERS])


class Composer(QFrame):
    """Images, text field, buttons that attach and talk, choosers, and one button that sends or stops.

    Attributes:
        notice: what stands in the way of sending, above the text field.
        strip: shows that the microphone is open, above the text field.
        voice: the buttons that talk.
        voice_notice: what stands in the way of talking, below everything.

    Signals:
        send_requested: the question (str), stripped, never empty.
        stop_requested: stop the answer that is being written.
        text_edited: the present text (str), after each change by the user.
        files_pasted: local paths (list of str).
        attach_requested: the user wants to choose files.
        images_requested: the user wants to choose images for the question.
        image_pasted: QImage.
        image_removed: key of an image (int).
        image_opened: ImageAttachment to be shown larger.
    """

    send_requested = Signal(str)
    stop_requested = Signal()
    text_edited = Signal(str)
    files_pasted = Signal(list)
    attach_requested = Signal()
    images_requested = Signal()
    image_pasted = Signal(object)
    image_removed = Signal(int)
    image_opened = Signal(object)

    def __init__(self, theme: Theme, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        """Start empty and idle."""
        super().__init__(parent)
        self._theme = theme
        self._is_busy = self._is_setting = self._is_drop_target = False
        self._obstacle = ""
        self._choosers: list[QWidget] = []
        set_role(self, "composer")
        self.edit = QuestionEdit(self)
        self.edit.send_requested.connect(self._on_send_clicked)
        self.edit.textChanged.connect(self._on_text_changed)
        self.edit.files_pasted.connect(self.files_pasted)
        self.edit.image_pasted.connect(self.image_pasted)
        self.edit.focus_changed.connect(self._on_focus_changed)
        self.notice = Banner(theme)
        self.chips = ImageChips(thumbnails, theme)
        self.chips.removed.connect(self.image_removed)
        self.chips.opened.connect(self.image_opened)
        self.strip = TalkStrip(theme)
        self.voice = VoiceButtons(theme)
        self.voice_notice = Banner(theme)
        self._attach = self._tool("add", self.tr("Add files to the library"), "Ctrl+O")
        self._attach.clicked.connect(self.attach_requested)
        self._image = self._tool("picture", self.tr("Attach an image to the question"), "Ctrl+Shift+I")
        self._image.clicked.connect(self.images_requested)
        self._send = QToolButton(self)
        self._send.setFixedSize(QSize(CONTROL_HEIGHT + 2, CONTROL_HEIGHT + 2))
        set_role(self._send, "primary")
        self._send.clicked.connect(self._on_send_or_stop_clicked)
        self._row = QHBoxLayout()
        self._row.setSpacing(SPACE_XS)
        self._row.addWidget(self._attach)
        self._row.addWidget(self._image)
        self._row.addStretch()
        self._row.addWidget(self.voice)
        self._row.addWidget(self._send)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_S, SPACE_S, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_XS)
        layout.addWidget(self.notice)
        layout.addWidget(self.chips)
        layout.addWidget(self.strip)
        layout.addWidget(self.edit)
        layout.addLayout(self._row)
        layout.addWidget(self.voice_notice)
        self.setFocusProxy(self.edit)
        self._order_tabs()
        self._refresh()

    def _tool(self, icon_name: str, words: str, keys: str) -> QToolButton:
        button = tool_button(icon_name, words, self._theme, self, keys)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setFixedSize(QSize(CONTROL_HEIGHT, CONTROL_HEIGHT))
        return button

    def add_chooser(self, chooser: QWidget) -> None:
        """Put a chooser into the row under the text."""
        self._row.insertWidget(self._row.count() - 3, chooser)
        self._choosers.append(chooser)
        self._order_tabs()

    def _order_tabs(self) -> None:
        """Let Tab go as the eye does."""
        strip, voice = self.strip, self.voice
        row = (
            self._attach,
            self._image,
            *self._choosers,
            voice.hands_free,
            voice.talk,
            voice.more,
            self._send,
        )
        order_tabs((strip.cancel_button, strip.finish_button, self.edit, *row))

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

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being written."""
        return self._is_busy

    @property
    def obstacle(self) -> str:
        """Why nothing can be sent now; empty where nothing is in the way."""
        return self._obstacle

    def insert_spoken(self, text: str) -> None:
        """Put what was said where the cursor is, in place of what is chosen, with spaces where needed."""
        cursor = self.edit.textCursor()
        whole = self.text()
        before, after = whole[: cursor.selectionStart()], whole[cursor.selectionEnd() :]
        cursor.insertText(spaced(text.strip(), before, after)[:MAX_CHARACTERS])
        self.edit.setTextCursor(cursor)
        self.edit.ensureCursorVisible()

    def send(self) -> None:
        """Send what is written, as the button does."""
        self._on_send_clicked()

    def show_images(self, items: tuple[DraftImage, ...]) -> None:
        """Show the images that will go along with the question."""
        self.chips.show_items(items)
        words = self.tr("Ask about your documents")
        if items:
            words = self.tr("Ask about this image") if len(items) == 1 else self.tr("Ask about these images")
        self.edit.setPlaceholderText(words)

    def set_obstacle(self, words: str) -> None:
        """Say why nothing can be sent now; empty: nothing is in the way."""
        self._obstacle = words
        self._refresh()

    def mark_drop_target(self, marked: bool) -> None:
        """Show that what is dragged would go to the question."""
        self._is_drop_target = marked
        self._on_focus_changed()

    def set_busy(self, busy: bool) -> None:
        """Offer to stop instead of to send."""
        self._is_busy = busy
        self._refresh()

    def _refresh(self) -> None:
        words = self.tr("Stop (Esc)") if self._is_busy else self._obstacle or self.tr("Send (Enter)")
        self._send.setToolTip(plain_tooltip(words))
        self._send.setAccessibleDescription("" if self._is_busy else self._obstacle)
        self._send.setAccessibleName(self.tr("Stop") if self._is_busy else self.tr("Send"))
        can_send = bool(self.text().strip()) and not self._obstacle
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
        if not question or self._is_busy:
            return
        if self._obstacle:
            announce(self, self._obstacle, urgent=True)
        else:
            self.send_requested.emit(question)

    @Slot()
    def _on_send_or_stop_clicked(self) -> None:
        if self._is_busy:
            self.stop_requested.emit()
        else:
            self._on_send_clicked()

    @Slot()
    def _on_focus_changed(self) -> None:
        is_marked = self.edit.hasFocus() or self._is_drop_target
        set_role(self, "composer-focused" if is_marked else "composer")

    # Qt overrides

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Leave out what the menu beside it offers too, where there is little room."""
        super().resizeEvent(event)
        self.voice.hands_free.setVisible(self.width() >= _ROOMY_PX)


def spaced(text: str, before: str, after: str) -> str:
    """Add the spaces that a text needs between two others; Chinese and Japanese need none."""
    is_apart = not before or before[-1].isspace() or before[-1] in _OPENING or _is_unspaced(before[-1])
    is_closed = not after or after[0].isspace() or after[0] in _CLOSING or _is_unspaced(after[0])
    if not text:
        return ""
    return f"{'' if is_apart else ' '}{text}{'' if is_closed else ' '}"


def _is_unspaced(character: str) -> bool:
    return "\u3000" <= character <= "\u9fff"
