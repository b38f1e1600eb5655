"""How far reading the library has come, and pausing it."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from app.protocol.library import LibraryStatus
from app.ui.elements.buttons import tool_button
from app.ui.elements.elided_label import ElidedLabel
from app.ui.icons import bind_icon
from app.ui.library.file_words import duration_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS


class IngestionBar(QFrame):
    """Shows itself while files wait or are read.

    Signals:
        pause_requested: True to pause, False to resume.
    """

    pause_requested = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        self._theme = theme
        self._most = 0
        self._paused = False
        self.words = ElidedLabel()
        set_role(self.words, "small")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress of reading"))
        self.button = tool_button("pause", self.tr("Pause reading"), theme, self)
        self.button.clicked.connect(self._on_button_clicked)
        column = QVBoxLayout()
        column.setSpacing(SPACE_XS)
        column.addStretch(1)
        column.addWidget(self.words)
        column.addWidget(self.bar)
        column.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_XS, SPACE_S, SPACE_XS)
        layout.setSpacing(SPACE_S)
        layout.addLayout(column, 1)
        layout.addWidget(self.button)
        self.hide()

    def show_status(self, status: LibraryStatus) -> None:
        """Show where ingestion stands; hidden when nothing is to be done."""
        self._most = max(self._most, status.waiting) if status.waiting else 0
        self.setVisible(status.waiting > 0 or status.paused)
        self._set_paused(paused=status.paused)
        self.bar.setVisible(status.waiting > 0)
        self.bar.setRange(0, max(1, self._most))
        self.bar.setValue(self._most - status.waiting)
        self.words.set_full_text(self._words(status))

    def _words(self, status: LibraryStatus) -> str:
        left = self.tr("1 file") if status.waiting == 1 else self.tr("{n} files")
        left = left.replace("{n}", f"{status.waiting:,}")
        if status.paused:
            if not status.waiting:
                return self.tr("Reading is paused")
            return self.tr("Reading is paused; {files} to go").replace("{files}", left)
        words = self.tr("Reading; {files} to go").replace("{files}", left)
        return words if status.eta_s is None else f"{words}, {duration_words(status.eta_s)}"

    def _set_paused(self, *, paused: bool) -> None:
        self._paused = paused
        bind_icon(self.button, "play" if paused else "pause", self._theme)
        words = self.tr("Resume reading") if paused else self.tr("Pause reading")
        self.button.setToolTip(words)
        self.button.setAccessibleName(words)

    @Slot()
    def _on_button_clicked(self) -> None:
        self.pause_requested.emit(not self._paused)
