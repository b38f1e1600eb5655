"""A small turning arc: something is going on."""

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QWidget

from app.ui.theme import Theme

_STEP_MS = 80
_STEP_DEGREES = 30


class BusyIndicator(QWidget):
    """Turns while it is visible; costs nothing while it is not."""

    def __init__(self, theme: Theme, size: int = 16, parent: QWidget | None = None) -> None:
        """Draw an arc of `size` pixels."""
        super().__init__(parent)
        self._theme = theme
        self._angle = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_STEP_MS)
        self._timer.timeout.connect(self._on_timeout)
        self.setFixedSize(QSize(size, size))
        self.setAccessibleName(self.tr("Busy"))

    @Slot()
    def _on_timeout(self) -> None:
        self._angle = (self._angle - _STEP_DEGREES) % 360
        self.update()

    # Qt overrides

    def showEvent(self, event: QShowEvent, /) -> None:
        """Start turning."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent, /) -> None:
        """Stop turning."""
        super().hideEvent(event)
        self._timer.stop()

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Draw the arc."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            box = QRectF(self.rect()).adjusted(2, 2, -2, -2)
            painter.setPen(QPen(self._theme.colour("border"), 2))
            painter.drawEllipse(box)
            painter.setPen(
                QPen(self._theme.colour("busy"), 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
            )
            painter.drawArc(box, self._angle * 16, 100 * 16)
