"""Which citation of an answer is shown, and steps to the others."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from app.protocol.chat import Citation
from app.ui.elements.buttons import tool_button
from app.ui.elements.clock import clock
from app.ui.elements.elided_label import ElidedLabel
from app.ui.icons import bind_icon, icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import ICON_SIZE, SPACE_M, SPACE_S, SPACE_XS


class CitationBar(QFrame):
    """Shows "2 of 5" and the quoted words.

    Signals:
        step_requested: 1 for the next citation, -1 for the previous one.
        play_requested: seconds of the recording from which the words are to be heard.

    Attributes:
        play_button: plays the words of a recording; hidden elsewhere.
    """

    step_requested = Signal(int)
    play_requested = Signal(float)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        self._theme = theme
        self._icon = QLabel()
        self._quote = ElidedLabel()
        self.count = QLabel()
        set_role(self.count, "muted")
        set_role(self._quote, "muted")
        self.previous = tool_button("chevron-left", self.tr("Previous citation"), theme, self, "Alt+Left")
        self.next = tool_button("chevron-right", self.tr("Next citation"), theme, self, "Alt+Right")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, 0, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_XS)
        layout.addWidget(self._icon)
        layout.addWidget(self._quote, 1)
        layout.addSpacing(SPACE_XS)
        for widget in (self.previous, self.count, self.next):
            layout.addWidget(widget)
        self._play_s: float | None = None
        self.play_button = QPushButton()
        set_role(self.play_button, "chip")
        bind_icon(self.play_button, "play", theme, "accent")
        self.play_button.clicked.connect(self._on_play_clicked)
        self.play_button.hide()
        layout.insertWidget(2, self.play_button)
        self.next.clicked.connect(self._on_next_clicked)
        self.previous.clicked.connect(self._on_previous_clicked)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self.hide()

    @property
    def quote(self) -> str:
        """The words quoted."""
        return self._quote.full_text

    def show_citation(self, citations: tuple[Citation, ...], index: int) -> None:
        """Show one citation of an answer; without citations the bar hides."""
        self.setVisible(bool(citations))
        if not citations:
            return
        citation = citations[index]
        self._quote.set_full_text(f"“{citation.quote}”")
        words = self.tr("{n} of {total}").replace("{n}", str(index + 1))
        self.count.setText(words.replace("{total}", str(len(citations))))
        described = self.tr("Citation {n} of {total}").replace("{n}", str(index + 1))
        self.count.setAccessibleName(described.replace("{total}", str(len(citations))))
        self.previous.setEnabled(index > 0)
        self.next.setEnabled(index < len(citations) - 1)

    def set_play_time(self, seconds: float | None) -> None:
        """Offer to play the words from a time in seconds; None: they cannot be played."""
        self._play_s = seconds
        self.play_button.setVisible(seconds is not None)
        if seconds is not None:
            self.play_button.setText(self.tr("Play from {time}").replace("{time}", clock(seconds)))

    @Slot()
    def _on_play_clicked(self) -> None:
        if self._play_s is not None:
            self.play_requested.emit(self._play_s)

    @Slot()
    def _on_next_clicked(self) -> None:
        self.step_requested.emit(1)

    @Slot()
    def _on_previous_clicked(self) -> None:
        self.step_requested.emit(-1)

    @Slot()
    def _on_theme_changed(self) -> None:
        self._icon.setPixmap(icon("quote", self._theme, "accent").pixmap(ICON_SIZE, ICON_SIZE))
