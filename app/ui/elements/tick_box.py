"""A box to tick, drawn in the theme's colours; a style sheet alone could not tint its tick."""

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QWidget

from app.ui.icons import icon_pixmap
from app.ui.theme import Theme
from app.ui.tokens import RADIUS_S, SPACE_S

_BOX = 16
_HEIGHT = 26


class TickBox(QCheckBox):
    """A QCheckBox with a box that is seen on every ground."""

    def __init__(self, text: str, theme: Theme, parent: QWidget | None = None) -> None:
        """Show `text` beside the box, as it is."""
        super().__init__(text.replace("&", "&&"), parent)
        self._theme = theme
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        theme.changed.connect(self.update)

    # Qt overrides

    def sizeHint(self) -> QSize:
        """Give room for box and text."""
        width = self.fontMetrics().horizontalAdvance(self.text()) + _BOX + 3 * SPACE_S
        return QSize(width, max(_HEIGHT, self.fontMetrics().height() + SPACE_S))

    def hitButton(self, pos: QPoint, /) -> bool:
        """Let the whole row be clicked."""
        return True

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Draw ground, box, tick and text."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            checked = self.isChecked()
            if self.underMouse() or self.hasFocus():
                painter.setPen(self._theme.colour("focus") if self.hasFocus() else Qt.PenStyle.NoPen)
                painter.setBrush(self._theme.colour("hover"))
                painter.drawRoundedRect(
                    QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_S, RADIUS_S
                )
            box = QRectF(SPACE_S / 2 + 0.5, (self.height() - _BOX) / 2 + 0.5, _BOX - 1, _BOX - 1)
            painter.setPen(QPen(self._theme.colour("accent" if checked else "border_strong"), 1))
            painter.setBrush(self._theme.colour("accent" if checked else "raised"))
            painter.drawRoundedRect(box, RADIUS_S, RADIUS_S)
            if checked:
                tick = icon_pixmap(
                    "check", self._theme.colour("on_accent"), _BOX - 2, self.devicePixelRatioF()
                )
                painter.drawPixmap(round(box.x() + 0.5), round(box.y() + 0.5), tick)
            painter.setPen(self._theme.colour("text" if self.isEnabled() else "text_faint"))
            words = QRectF(self.rect()).adjusted(_BOX + SPACE_S * 1.5, 0, 0, 0)
            flags = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextShowMnemonic
            painter.drawText(words, flags, self.text())
