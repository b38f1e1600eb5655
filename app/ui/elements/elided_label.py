"""A label of one line that shortens its text to the room it has."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.ui.elements.tooltips import plain_tooltip

_MIN_WIDTH = 40


class ElidedLabel(QLabel):
    """Shows as much of a text as fits; the whole stands in the tool tip and for screen readers."""

    def __init__(
        self,
        text: str = "",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        """Show `text`, shortened where `mode` says."""
        super().__init__(parent)
        self._mode = mode
        self._full_text = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.set_full_text(text)

    @property
    def full_text(self) -> str:
        """The text as it was set."""
        return self._full_text

    def set_full_text(self, text: str) -> None:
        """Show another text; line breaks become spaces."""
        self._full_text = " ".join(text.split())
        self.setAccessibleName(self._full_text)
        self.updateGeometry()
        self._elide()

    def _elide(self) -> None:
        shown = self.fontMetrics().elidedText(self._full_text, self._mode, self.contentsRect().width())
        self.setText(shown)
        self.setToolTip(plain_tooltip(self._full_text) if shown != self._full_text else "")

    def sizeHint(self) -> QSize:
        """Give room for the whole text."""
        self.ensurePolished()
        margins = self.contentsMargins()
        width = self.fontMetrics().horizontalAdvance(self._full_text) + margins.left() + margins.right() + 2
        return QSize(width, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Allow a few letters only."""
        return QSize(_MIN_WIDTH, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shorten anew."""
        super().resizeEvent(event)
        self._elide()
