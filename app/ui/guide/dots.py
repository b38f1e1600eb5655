"""Which page of several is shown, as dots."""

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.ui.theme import Theme

_RADIUS = 4
_STEP = 16


class Dots(QWidget):
    """One dot a page; that of the present page is filled with the accent colour."""

    def __init__(self, count: int, theme: Theme, parent: QWidget | None = None) -> None:
        """Mark the first of `count` pages."""
        super().__init__(parent)
        self._count, self._theme, self._current = count, theme, 0
        self.setFixedSize(QSize(_STEP * count, _STEP))
        theme.changed.connect(self.update)

    def set_current(self, number: int) -> None:
        """Mark the page `number`, counted from 0."""
        self._current = number
        self.update()

    # Qt overrides

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Draw the dots."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            for number in range(self._count):
                is_current = number == self._current
                painter.setBrush(self._theme.colour("accent" if is_current else "border_strong"))
                radius = _RADIUS if is_current else _RADIUS - 1
                painter.drawEllipse(QPointF(_STEP * (number + 0.5), _STEP / 2), radius, radius)
