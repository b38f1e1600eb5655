"""The times beside the paragraphs of a transcript; a click plays from one."""

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.ui.elements.clock import clock
from app.ui.theme import Theme
from app.ui.tokens import FONT_SMALL, SPACE_S

PlacedTime = tuple[int, int, float]
"""(top, height, seconds) of a mark, in pixels of the view's viewport."""


class TimeGutter(QWidget):
    """Stands left of the text and scrolls with it.

    Signals:
        time_activated: seconds of the mark that was clicked.
    """

    time_activated = Signal(float)

    def __init__(self, theme: Theme, view: QPlainTextEdit) -> None:
        """Show nothing yet."""
        super().__init__(view)
        self._theme = theme
        self._marks: list[PlacedTime] = []
        self._heard_s: float | None = None
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Times of the paragraphs"))
        self.hide()

    def width_for(self, total_s: float) -> int:
        """Give the width that the longest time needs."""
        return self._metrics_width(clock(max(total_s, 600.0))) + 2 * SPACE_S

    def show_marks(self, marks: list[PlacedTime], heard_s: float | None) -> None:
        """Show these marks; that of the paragraph that is heard in another colour."""
        if (marks, heard_s) != (self._marks, self._heard_s):
            self._marks, self._heard_s = marks, heard_s
            self.update()

    @property
    def times(self) -> list[str]:
        """What is shown, from top to bottom."""
        return [clock(seconds) for _, _, seconds in self._marks]

    def _metrics_width(self, words: str) -> int:
        self.ensurePolished()
        return self.fontMetrics().horizontalAdvance(words)

    def _mark_at(self, y: float) -> float | None:
        for top, height, seconds in self._marks:
            if top <= y < top + height:
                return seconds
        return None

    # Qt overrides

    def sizeHint(self) -> QSize:
        """Give a width for an hour."""
        return QSize(self.width_for(3600.0), 0)

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Draw the times, right-aligned."""
        with QPainter(self) as painter:
            font = QFont(self.font())
            font.setPointSizeF(font.pointSizeF() * FONT_SMALL)
            painter.setFont(font)
            for top, height, seconds in self._marks:
                heard = seconds == self._heard_s
                painter.setPen(self._theme.colour("accent" if heard else "text_faint"))
                box = QRect(0, top, self.width() - SPACE_S, height)
                painter.drawText(
                    box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, clock(seconds)
                )

    def mouseMoveEvent(self, event: QMouseEvent, /) -> None:
        """Show that a time can be clicked."""
        over = self._mark_at(event.position().y())
        self.setCursor(Qt.CursorShape.ArrowCursor if over is None else Qt.CursorShape.PointingHandCursor)
        words = self.tr("Play from {0}")
        self.setToolTip("" if over is None else words.format(clock(over)))

    def mousePressEvent(self, event: QMouseEvent, /) -> None:
        """Play from the time that is clicked."""
        seconds = self._mark_at(event.position().y())
        if seconds is not None and event.button() == Qt.MouseButton.LeftButton:
            self.time_activated.emit(seconds)

    def changeEvent(self, event: QEvent, /) -> None:
        """Draw anew in another font."""
        super().changeEvent(event)
        self.update()
