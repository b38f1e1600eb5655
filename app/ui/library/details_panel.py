"""What became of the chosen file, why, and what can be done about it."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.protocol.library import FileEntry
from app.ui.elements.buttons import tool_button
from app.ui.elements.elided_label import ElidedLabel
from app.ui.library.controller import Length, Preview
from app.ui.library.file_words import (
    RETRYABLE,
    WORKING,
    extent_words,
    state_role,
    state_words,
)
from app.ui.recording_names import is_recording
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS

_PREVIEW_HEIGHT = 150
_BADGES = {"ok": "badge-ok", "warning": "badge-warning", "error": "badge-error", "busy": "badge-busy"}


class DetailsPanel(QFrame):
    """Shows one chosen file, or how many are chosen; hidden when none is.

    Signals:
        open_requested: open the file in the viewer.
        retry_requested: read again.
        cancel_requested: stop reading.
        folder_requested: show in the file manager.
        menu_requested: show all actions at the button `more`.
        preview_requested: document id whose text is wanted.
        length_requested: document id of a recording whose length is wanted.
    """

    open_requested = Signal()
    retry_requested = Signal()
    cancel_requested = Signal()
    folder_requested = Signal()
    menu_requested = Signal()
    preview_requested = Signal(int)
    length_requested = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        self._files: list[FileEntry] = []
        self._preview_of: int | None = None
        self._length: Length | None = None
        self._name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self._path = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.state, self.extent, self.reason = QLabel(), QLabel(), QLabel()
        self.more = tool_button("more", self.tr("More actions"), theme, self)
        self.open_button = self._link(self.tr("Open"), self.open_requested)
        self.retry_button = self._link(self.tr("Read again"), self.retry_requested)
        self.cancel_button = self._link(self.tr("Stop reading"), self.cancel_requested)
        self.folder_button = self._link(self.tr("Show in folder"), self.folder_requested)
        self.preview_button = self._link(self.tr("Show text"), None)
        self.preview_button.clicked.connect(self._on_preview_clicked)
        self.preview = QPlainTextEdit(self)
        self._dress()
        self._lay_out()
        self.more.clicked.connect(self.menu_requested)
        self.hide()

    @property
    def title(self) -> str:
        """What the panel is about."""
        return self._name.full_text

    def show_files(self, files: Sequence[FileEntry]) -> None:
        """Show the chosen files as they are now."""
        self._files = list(files)
        self.setVisible(bool(files))
        if not files:
            return
        one = files[0] if len(files) == 1 else None
        words = self.tr("{n} files chosen").replace("{n}", f"{len(files):,}")
        self._name.set_full_text(one.name if one else words)
        self._path.setVisible(one is not None)
        self.state.setVisible(one is not None)
        self.extent.setVisible(one is not None)
        self._show_one(one)
        self.open_button.setVisible(one is not None and one.document_id is not None)
        self.folder_button.setVisible(one is not None)
        self.retry_button.setVisible(all(file.state in RETRYABLE for file in files))
        self.cancel_button.setVisible(any(file.state in WORKING for file in files))
        self.preview_button.setVisible(one is not None and one.document_id is not None)
        if one is None or one.document_id != self._preview_of:
            self._hide_preview()

    def show_length(self, length: Length) -> None:
        """Show how long the chosen recording is."""
        self._length = length
        if len(self._files) == 1 and self._files[0].document_id == length.document_id:
            self.extent.setText(extent_words(self._files[0], length.sound_seconds))

    def _known_length(self, file: FileEntry) -> float | None:
        """Give how long a recording is; where that is not known yet, it is asked for, once."""
        if file.document_id is None or not is_recording(file.name):
            return None
        if self._length is None or self._length.document_id != file.document_id:
            self._length = Length(file.document_id, None)
            self.length_requested.emit(file.document_id)
        return self._length.sound_seconds

    def show_preview(self, preview: Preview) -> None:
        """Show the beginning of the text asked for last."""
        if preview.document_id != self._preview_of:
            return
        if preview.error is not None:
            self.preview.setPlainText(f"{preview.error.user_message} {preview.error.hint}".strip())
        elif not preview.text:
            self.preview.setPlainText(self.tr("No text was found in this file."))
        else:
            self.preview.setPlainText(preview.text if preview.is_whole else f"{preview.text} …")

    def _show_one(self, file: FileEntry | None) -> None:
        if file is None:
            self.reason.hide()
            return
        self._path.set_full_text(file.path)
        set_role(self.state, _BADGES.get(state_role(file.state), "muted"))
        QApplication.sendEvent(self.state, QEvent(QEvent.Type.StyleChange))  # a label learns its padding so
        self.state.setText(state_words(file))
        self.extent.setText(extent_words(file, self._known_length(file)))
        words = " ".join(part for part in (file.reason, file.hint) if part)
        self.reason.setText(words)
        self.reason.setVisible(bool(words))

    def _hide_preview(self) -> None:
        self._preview_of = None
        self.preview.hide()
        self.preview.clear()
        self.preview_button.setText(self.tr("Show text"))

    @Slot()
    def _on_preview_clicked(self) -> None:
        document_id = self._files[0].document_id if len(self._files) == 1 else None
        if self._preview_of is not None or document_id is None:
            self._hide_preview()
            return
        self._preview_of = document_id
        self.preview.setPlainText(self.tr("Loading …"))
        self.preview.show()
        self.preview_button.setText(self.tr("Hide text"))
        self.preview_requested.emit(document_id)

    def _link(self, text: str, signal: object) -> QPushButton:
        button = QPushButton(text, self)
        set_role(button, "link")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        if signal is not None:
            button.clicked.connect(signal)
        return button

    def _dress(self) -> None:
        set_role(self, "surface")
        set_role(self._path, "faint")
        set_role(self.reason, "muted")
        font = self._name.font()
        font.setBold(True)
        self._name.setFont(font)
        set_role(self.extent, "faint")
        for label in (self.state, self.extent, self.reason):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setMinimumWidth(1)  # rather cut than force the pane wider
        self.reason.setWordWrap(True)
        self.reason.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.preview.setReadOnly(True)
        self.preview.document().setDocumentMargin(0)
        self.preview.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.preview.setFixedHeight(_PREVIEW_HEIGHT)
        self.preview.setAccessibleName(self.tr("Beginning of the text as it was read"))
        self.preview.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.preview.hide()

    def _lay_out(self) -> None:
        header = QHBoxLayout()
        header.addWidget(self._name, 1)
        header.addWidget(self.more)
        badge = QHBoxLayout()
        badge.setSpacing(SPACE_S)
        badge.addWidget(self.state)
        badge.addWidget(self.extent)
        badge.addStretch(1)
        links = QHBoxLayout()
        links.setSpacing(SPACE_S)
        for button in (
            self.open_button,
            self.retry_button,
            self.cancel_button,
            self.preview_button,
            self.folder_button,
        ):
            links.addWidget(button)
        links.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setSpacing(SPACE_XS)
        layout.addLayout(header)
        layout.addWidget(self._path)
        layout.addLayout(badge)
        layout.addWidget(self.reason)
        layout.addLayout(links)
        layout.addWidget(self.preview)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_S, SPACE_S)
