"""The pages' names at the left of the window."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import (
    QFrame,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.ui.icons import icon_pixmap
from app.ui.theme import Theme
from app.ui.tokens import FONT_SMALL, RADIUS_M, SPACE_M, SPACE_S, SPACE_XS

Index = QModelIndex | QPersistentModelIndex
KEY = Qt.ItemDataRole.UserRole + 1
ICON = Qt.ItemDataRole.UserRole + 2
BADGE = Qt.ItemDataRole.UserRole + 3
_ICON_SIZE = 18


class Navigation(QListWidget):
    """A list of pages, one chosen.

    Signals:
        page_chosen: key of the page.
    """

    page_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Start without pages."""
        super().__init__(parent)
        self._theme = theme
        self.setItemDelegate(NavigationDelegate(theme, self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Pages"))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setStyleSheet(
            "QListView { selection-background-color: transparent; }"
            "QListView::item:selected, QListView::item:hover { background: transparent; }"
        )
        self.currentItemChanged.connect(self._on_current_changed)
        theme.changed.connect(self.viewport().update)

    @property
    def keys(self) -> tuple[str, ...]:
        """The pages, from above."""
        return tuple(str(self.item(row).data(KEY)) for row in range(self.count()))

    @property
    def current_key(self) -> str:
        """The chosen page; empty while there is none."""
        row = self.currentRow()
        return self.keys[row] if row >= 0 else ""

    def add(self, key: str, title: str, icon_name: str) -> None:
        """Add a page below the others."""
        item = QListWidgetItem(title)
        item.setData(KEY, key)
        item.setData(ICON, icon_name)
        self.addItem(item)

    def choose(self, key: str) -> None:
        """Choose a page; nothing if there is none of this key."""
        if key in self.keys:
            self.setCurrentRow(self.keys.index(key))

    def set_badge(self, key: str, number: int, words: str) -> None:
        """Show a number beside a page, 0 for none; `words` tell it to a screen reader."""
        item = self.item(self.keys.index(key))
        item.setData(BADGE, number)
        spoken = f"{item.text()}, {words}" if number else item.text()
        item.setData(Qt.ItemDataRole.AccessibleTextRole, spoken)
        item.setToolTip(words if number else "")

    @property
    def wanted_width(self) -> int:
        """The width that shows every title and a badge."""
        metrics = self.fontMetrics()
        widest = max(
            (metrics.horizontalAdvance(self.item(row).text()) for row in range(self.count())), default=0
        )
        return widest + _ICON_SIZE + 5 * SPACE_M + metrics.horizontalAdvance("00")

    def _on_current_changed(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.page_chosen.emit(str(item.data(KEY)))


class NavigationDelegate(QStyledItemDelegate):
    """Draws a page's icon, title and badge."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Take colours from `theme`."""
        super().__init__(parent)
        self._theme = theme

    def _draw_ground(self, painter: QPainter, option: QStyleOptionViewItem, *, chosen: bool) -> None:
        area = QRectF(option.rect).adjusted(SPACE_XS, 1, -SPACE_XS, -1)
        if chosen or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent_soft" if chosen else "hover"))
            painter.drawRoundedRect(area, RADIUS_M, RADIUS_M)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour("focus"), 1))
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_M, RADIUS_M)

    def _draw_badge(self, painter: QPainter, option: QStyleOptionViewItem, number: int) -> None:
        font = QFont(option.font)
        font.setPointSizeF(font.pointSizeF() * FONT_SMALL)
        metrics = QFontMetrics(font)
        width = max(metrics.horizontalAdvance(str(number)) + SPACE_M, metrics.height() + SPACE_XS)
        height = metrics.height() + 2
        area = option.rect.adjusted(0, 0, -SPACE_M, 0)
        pill = QRectF(area.right() - width, area.center().y() - height / 2 + 1, width, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("busy"))
        painter.drawRoundedRect(pill, height / 2, height / 2)
        painter.setFont(font)
        painter.setPen(self._theme.colour("on_accent"))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, str(number))

    # Qt overrides

    def sizeHint(self, option: QStyleOptionViewItem, index: Index, /) -> QSize:
        """Give the height of a row."""
        del index
        return QSize(0, max(option.fontMetrics.height(), _ICON_SIZE) + 2 * SPACE_S + 2)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, /) -> None:
        """Draw a row."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        self._draw_ground(painter, option, chosen=chosen)
        line = option.rect.adjusted(SPACE_M, 0, -SPACE_M, 0)
        colour = self._theme.colour("accent" if chosen else "text_muted")
        pixmap = icon_pixmap(str(index.data(ICON)), colour, _ICON_SIZE, painter.device().devicePixelRatio())
        icon_area = QStyle.alignedRect(
            option.direction,
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
            QSize(_ICON_SIZE, _ICON_SIZE),
            line,
        )
        painter.drawPixmap(icon_area.topLeft(), pixmap)
        words = QStyle.visualRect(option.direction, line, line.adjusted(_ICON_SIZE + SPACE_S, 0, 0, 0))
        painter.setFont(option.font)
        painter.setPen(self._theme.colour("text"))
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, str(index.data()))
        if number := index.data(BADGE):
            self._draw_badge(painter, option, int(number))
        painter.restore()
