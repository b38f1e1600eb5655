"""The sign of an open microphone; it looks like nothing else in the window."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QStyle, QWidget

from app.ui.icons import icon_pixmap
from app.ui.theme import Theme
from app.ui.voice.meters import QUIETEST_DB

_SIZE = 34
_DISC = 26
_ICON = 16


class MicrophoneSign(QWidget):
    """A filled disc with a microphone; a ring around it grows with what is heard."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Show a closed microphone."""
        super().__init__(parent)
        self._theme = theme
        self._is_open = False
        self._share = 0.0
        self.setFixedSize(QSize(_SIZE, _SIZE))
        self.show_open(False)
        theme.changed.connect(self.update)

    @property
    def is_open(self) -> bool:
        """Whether it says that the microphone is open."""
        return self._is_open

    def show_open(self, is_open: bool) -> None:
        """Say whether the microphone is open."""
        self._is_open = is_open
        self._share = 0.0
        self.setAccessibleName(
            self.tr("The microphone is open") if is_open else self.tr("The microphone is closed")
        )
        self.update()

    def show_level(self, level_db: float) -> None:
        """Let the ring follow a level, unless the platform asks for no movement."""
        moves = self.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration) > 0
        self._share = min(1.0, max(0.0, 1.0 - level_db / QUIETEST_DB)) if moves else 0.0
        self.update()

    # Qt overrides

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Draw ring, disc and microphone."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            middle = QRectF(self.rect()).center()
            if self._is_open:
                ring = self._theme.colour("error")
                ring.setAlphaF(0.28)
                size = _DISC + (_SIZE - _DISC) * max(0.35, self._share)
                painter.setBrush(ring)
                painter.drawEllipse(middle, size / 2, size / 2)
            painter.setBrush(self._theme.colour("error" if self._is_open else "pressed"))
            painter.drawEllipse(middle, _DISC / 2, _DISC / 2)
            name, role = ("microphone-open", "raised") if self._is_open else ("microphone", "text_muted")
            shown = icon_pixmap(name, self._theme.colour(role), _ICON, self.devicePixelRatioF())
            painter.drawPixmap(round((_SIZE - _ICON) / 2), round((_SIZE - _ICON) / 2), shown)
