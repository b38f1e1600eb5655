"""Buttons side by side where there is room, else on further lines: large fonts must cut nothing off."""

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QStyle, QWidget

from app.ui.tokens import SPACE_S

_SET_HIDDEN = Qt.WidgetAttribute.WA_WState_ExplicitShowHide
_CHANGES = frozenset({QEvent.Type.ShowToParent, QEvent.Type.HideToParent})


class FlowBox(QWidget):
    """Lays its widgets out like words of a text.

    It is no QLayout: the items of one written in Python would belong to Qt and to Python at once.
    """

    def __init__(self, *widgets: QWidget) -> None:
        """Hold `widgets`, in this order."""
        super().__init__()
        self._widgets: list[QWidget] = []
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        for widget in widgets:
            self.add(widget)

    def add(self, widget: QWidget) -> None:
        """Add a widget at the end."""
        is_hidden = widget.isHidden() and widget.testAttribute(_SET_HIDDEN)
        widget.setParent(self)
        widget.setVisible(not is_hidden)
        widget.installEventFilter(self)
        self._widgets.append(widget)
        self._arrange()

    def _shown(self) -> list[QWidget]:
        return [widget for widget in self._widgets if not widget.isHidden()]

    def _lines(self, width: int) -> list[list[QWidget]]:
        lines: list[list[QWidget]] = []
        used = 0
        for widget in self._shown():
            wanted = _size(widget).width()
            if not lines or used + SPACE_S + wanted > width:
                lines.append([])
                used = -SPACE_S
            used += SPACE_S + wanted
            lines[-1].append(widget)
        return lines

    def _arrange(self) -> None:
        self.updateGeometry()
        y = 0
        for line in self._lines(self.width()):
            x, height = 0, _height(line)
            for widget in line:
                size = _size(widget).boundedTo(QSize(max(1, self.width()), height))
                place = QRect(QPoint(x, y + (height - size.height()) // 2), size)
                widget.setGeometry(QStyle.visualRect(self.layoutDirection(), self.rect(), place))
                x += size.width() + SPACE_S
            y += height + SPACE_S

    # Qt overrides

    def hasHeightForWidth(self) -> bool:
        """Be as high as the lines need."""
        return True

    def heightForWidth(self, width: int, /) -> int:
        """Give the height of all lines."""
        lines = self._lines(width)
        return sum(map(_height, lines)) + SPACE_S * max(0, len(lines) - 1)

    def sizeHint(self) -> QSize:
        """Give the size of everything on one line."""
        sizes = [_size(widget) for widget in self._shown()]
        width = sum(size.width() for size in sizes) + SPACE_S * max(0, len(sizes) - 1)
        return QSize(width, max((size.height() for size in sizes), default=0))

    def minimumSizeHint(self) -> QSize:
        """Give the size of the largest widget."""
        sizes = [_size(widget) for widget in self._shown()]
        width = max((size.width() for size in sizes), default=0)
        return QSize(width, max((size.height() for size in sizes), default=0))

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Lay out anew."""
        super().resizeEvent(event)
        self._arrange()

    def event(self, event: QEvent, /) -> bool:
        """Lay out anew when a widget wants another size."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._arrange()
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent, /) -> bool:
        """Lay out anew when a widget comes or goes."""
        if event.type() in _CHANGES:
            self._arrange()
        return super().eventFilter(watched, event)


def _size(widget: QWidget) -> QSize:
    return widget.sizeHint().expandedTo(widget.minimumSize())


def _height(line: list[QWidget]) -> int:
    return max(_size(widget).height() for widget in line)
