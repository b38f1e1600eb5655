"""Searching files by name and by state."""

from PySide6.QtCore import QRect, QTimer, Signal, Slot
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QStyle, QWidget

from app.protocol.library import FileState, LibraryStatus
from app.ui.icons import icon, icon_pixmap
from app.ui.library.file_words import state_name
from app.ui.theme import Theme
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS

_TYPING_PAUSE_MS = 180
_ARROW = 16


class ChevronBox(QComboBox):
    """A box of choices whose arrow has the theme's colour (a style sheet cannot tint one)."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Take the colour from `theme`."""
        super().__init__(parent)
        self._theme = theme

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the box and the arrow."""
        super().paintEvent(event)
        with QPainter(self) as painter:
            ratio = self.devicePixelRatioF()
            pixmap = icon_pixmap("chevron-down", self._theme.colour("text_muted"), _ARROW, ratio)
            place = QStyle.visualRect(
                self.layoutDirection(),
                self.rect(),
                QRect(self.width() - _ARROW - SPACE_S, (self.height() - _ARROW) // 2, _ARROW, _ARROW),
            )
            painter.drawPixmap(place.topLeft(), pixmap)


class FilterBar(QWidget):
    """A field and a list of states with their numbers.

    Signals:
        changed: the field or the state changed; the pause of typing is over.
    """

    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it, admitting every file."""
        super().__init__(parent)
        self._theme = theme
        self.field = QLineEdit(self)
        self.field.setPlaceholderText(self.tr("Find by name"))
        self.field.setAccessibleName(self.tr("Find files by name"))
        self.field.setClearButtonEnabled(True)
        self._search = self.field.addAction(icon("search", theme), QLineEdit.ActionPosition.LeadingPosition)
        self.states = ChevronBox(theme, self)
        self.states.setAccessibleName(self.tr("Show files in this state"))
        self.states.addItem(self.tr("All states"), None)
        for state in FileState:
            self.states.addItem(state_name(state), state)
        self.states.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.states.setMinimumContentsLength(10)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_XS, SPACE_M, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.field, 3)
        layout.addWidget(self.states, 2)
        self._timer = QTimer(self, singleShot=True, interval=_TYPING_PAUSE_MS)
        self._timer.timeout.connect(self.changed)
        self.field.textChanged.connect(self._on_text_changed)
        self.states.currentIndexChanged.connect(self._on_state_changed)
        theme.changed.connect(self._on_theme_changed)

    @property
    def contains(self) -> str:
        """What names must contain."""
        return self.field.text().strip()

    @property
    def state(self) -> FileState | None:
        """The state chosen; None for all."""
        chosen = self.states.currentData()
        return FileState(chosen) if chosen else None

    @Slot()
    def clear(self) -> None:
        """Admit every file again."""
        self.field.clear()
        self.states.setCurrentIndex(0)
        self._timer.stop()
        self.changed.emit()

    def show_counts(self, status: LibraryStatus) -> None:
        """Show how many files of the library are in each state."""
        for row in range(1, self.states.count()):
            state = FileState(self.states.itemData(row))
            count = status.counts.get(state.value, 0)
            self.states.setItemText(row, f"{state_name(state)} ({count:,})" if count else state_name(state))

    @Slot()
    def _on_text_changed(self) -> None:
        self._timer.start()

    @Slot()
    def _on_state_changed(self) -> None:
        self._timer.stop()
        self.changed.emit()

    @Slot()
    def _on_theme_changed(self) -> None:
        self._search.setIcon(icon("search", self._theme))
