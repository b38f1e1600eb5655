"""The list that shows a RowModel, and how its rows are drawn."""

from typing import Any

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QContextMenuEvent, QFont, QFontMetrics, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.ui.icons import icon_pixmap
from app.ui.models.row_model import Heading, RowLook, RowModel, RowRole
from app.ui.models.words import Mark
from app.ui.theme import Theme
from app.ui.tokens import FONT_SMALL, RADIUS_M, SPACE_L, SPACE_M, SPACE_S, SPACE_XS

Index = QModelIndex | QPersistentModelIndex
_BADGE = QSize(44, 38)
_MARK_ICON = 14
_BAR_HEIGHT = 3
_BADGE_TINT = 0.14
_BADGE_FONT = 0.74
_RIGHT_SHARE = 0.45
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute


class RowDelegate(QStyledItemDelegate):
    """Paints rows of a RowModel: badge, title and small words above, marks below, perhaps a bar."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        """Take colours from `theme`."""
        super().__init__(parent)
        self._theme = theme

    def _draw_heading(self, painter: QPainter, option: QStyleOptionViewItem, words: str) -> None:
        area = option.rect.adjusted(SPACE_M, SPACE_M, -SPACE_M, -SPACE_XS)
        small = _scaled(option.font, FONT_SMALL)
        small.setBold(True)
        painter.setFont(small)
        painter.setPen(self._theme.colour("text_muted"))
        shown = QFontMetrics(small).elidedText(words, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, shown)

    def _draw_row(self, painter: QPainter, option: QStyleOptionViewItem, look: RowLook) -> None:
        self._draw_ground(painter, option)
        inner = option.rect.adjusted(SPACE_M, SPACE_S, -SPACE_M, -SPACE_S - _BAR_HEIGHT)
        words = QRect(inner)
        if look.badge:
            badge = QRect(inner.left(), inner.top() + (inner.height() - _BADGE.height()) // 2, 0, 0)
            badge.setSize(_BADGE)
            self._draw_badge(painter, option.font, _mirrored(option, inner, badge), look)
            words.setLeft(words.left() + _BADGE.width() + SPACE_M)
            words = _mirrored(option, inner, words)
        self._draw_first_line(painter, option, words, look)
        self._draw_marks(painter, option, words, look.marks)
        if look.progress is not None:
            self._draw_progress(painter, words, look.progress)

    def _draw_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        area = QRectF(option.rect).adjusted(SPACE_XS, 1, -SPACE_XS, -1)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if chosen or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent_soft" if chosen else "hover"))
            painter.drawRoundedRect(area, RADIUS_M, RADIUS_M)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour("focus"), 1))
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_M, RADIUS_M)

    def _draw_badge(self, painter: QPainter, font: QFont, area: QRect, look: RowLook) -> None:
        colour = self._theme.colour(look.badge_role)
        tint = QColor(colour)
        tint.setAlphaF(_BADGE_TINT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        painter.drawRoundedRect(QRectF(area), RADIUS_M, RADIUS_M)
        small = _scaled(font, _BADGE_FONT)
        small.setBold(True)
        while QFontMetrics(small).horizontalAdvance(look.badge) > area.width() - 4 and small.pointSizeF() > 5:
            small.setPointSizeF(small.pointSizeF() - 0.5)
        painter.setFont(small)
        painter.setPen(colour)
        painter.drawText(area, Qt.AlignmentFlag.AlignCenter, look.badge)

    def _draw_first_line(
        self, painter: QPainter, option: QStyleOptionViewItem, words: QRect, look: RowLook
    ) -> None:
        small = _scaled(option.font, FONT_SMALL)
        height = option.fontMetrics.height()
        line = QRect(words.left(), words.top(), words.width(), height)
        if not look.marks:
            line.moveTop(words.top() + (words.height() - height) // 2)
        right_width = QFontMetrics(small).horizontalAdvance(look.right)
        is_mirrored = option.direction == Qt.LayoutDirection.RightToLeft
        if look.right and right_width <= words.width() * _RIGHT_SHARE:
            painter.setFont(small)
            painter.setPen(self._theme.colour("text_faint"))
            painter.drawText(line, _LEFT if is_mirrored else _RIGHT, look.right)
            line = line.adjusted(
                *((right_width + SPACE_M, 0, 0, 0) if is_mirrored else (0, 0, -right_width - SPACE_M, 0))
            )
        painter.setFont(option.font)
        painter.setPen(self._theme.colour("text"))
        title = option.fontMetrics.elidedText(look.title, Qt.TextElideMode.ElideMiddle, line.width())
        painter.drawText(line, _RIGHT if is_mirrored else _LEFT, title)

    def _draw_marks(
        self, painter: QPainter, option: QStyleOptionViewItem, words: QRect, marks: tuple[Mark, ...]
    ) -> None:
        small = _scaled(option.font, FONT_SMALL)
        metrics = QFontMetrics(small)
        line = QRect(words.left(), words.bottom() - metrics.height() + 1, words.width(), metrics.height())
        ratio = painter.device().devicePixelRatio()
        painter.setFont(small)
        left = line.left()
        for mark in marks:
            room = line.right() - left - _MARK_ICON - SPACE_XS
            if room < metrics.averageCharWidth() * 4:
                return
            colour = self._theme.colour(mark.role)
            place = QRect(left, line.top() + (line.height() - _MARK_ICON) // 2, _MARK_ICON, _MARK_ICON)
            if mark.icon:
                pixmap = icon_pixmap(mark.icon, colour, _MARK_ICON, ratio)
                painter.drawPixmap(_mirrored(option, line, place).topLeft(), pixmap)
                left += _MARK_ICON + SPACE_XS
            text = metrics.elidedText(mark.words, Qt.TextElideMode.ElideRight, room)
            area = QRect(left, line.top(), metrics.horizontalAdvance(text) + 2, line.height())
            painter.setPen(colour)
            painter.drawText(_mirrored(option, line, area), _LEFT, text)
            left = area.right() + SPACE_M

    def _draw_progress(self, painter: QPainter, words: QRect, progress: float) -> None:
        bar = QRectF(words.left(), words.bottom() + SPACE_XS, words.width(), _BAR_HEIGHT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("pressed"))
        painter.drawRoundedRect(bar, 1.5, 1.5)
        bar.setWidth(bar.width() * min(1.0, max(0.0, progress)))
        painter.setBrush(self._theme.colour("busy"))
        painter.drawRoundedRect(bar, 1.5, 1.5)

    # Qt overrides

    def sizeHint(self, option: QStyleOptionViewItem, index: Index, /) -> QSize:
        """Give the height of a row."""
        small = QFontMetrics(_scaled(option.font, FONT_SMALL))
        if isinstance(index.data(RowRole.ITEM), Heading):
            return QSize(0, small.height() + SPACE_L + SPACE_XS)
        look = index.data(RowRole.LOOK)
        lines = option.fontMetrics.height()
        if not isinstance(look, RowLook) or look.marks:
            lines += SPACE_XS + small.height()
        if not isinstance(look, RowLook) or look.badge:
            lines = max(lines, _BADGE.height())
        return QSize(0, lines + 2 * SPACE_S + _BAR_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, /) -> None:
        """Draw a row."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        item = index.data(RowRole.ITEM)
        if isinstance(item, Heading):
            self._draw_heading(painter, option, item.title)
        elif isinstance(look := index.data(RowRole.LOOK), RowLook):
            self._draw_row(painter, option, look)
        painter.restore()


class RowList(QListView):
    """Shows a RowModel; one row is chosen at a time.

    Signals:
        chosen: another item became the current one (object); None for none.
        opened: Enter or a double click on an item (object).
        remove_requested: Delete on an item (object).
        menu_requested: item (object) and the global place for its menu.
    """

    chosen = Signal(object)
    opened = Signal(object)
    remove_requested = Signal(object)
    menu_requested = Signal(object, QPoint)

    def __init__(self, model: RowModel, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        """Show `model`; `name` is for screen readers."""
        super().__init__(parent)
        self._rows = model
        self.setModel(model)
        self.setItemDelegate(RowDelegate(theme, self))
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setStyleSheet(
            "QListView { selection-background-color: transparent; }"
            "QListView::item:selected, QListView::item:hover { background: transparent; }"
        )
        self.doubleClicked.connect(self._on_double_clicked)
        theme.changed.connect(self.viewport().update)

    @property
    def current(self) -> Any:
        """The chosen item; None for none."""
        return self._rows.item(self.currentIndex())

    def choose(self, key: str) -> None:
        """Choose an item by its key; nothing if it is not here."""
        index = self._rows.index_of(key)
        if index.isValid():
            self.setCurrentIndex(index)

    def choose_first(self) -> None:
        """Choose the first item, if there is one."""
        for row in range(self._rows.rowCount()):
            if self._rows.item(self._rows.index(row)) is not None:
                self.setCurrentIndex(self._rows.index(row))
                return

    @property
    def contents_height(self) -> int:
        """How high all rows are together, in pixels."""
        rows = range(self._rows.rowCount())
        return sum(self.sizeHintForRow(row) for row in rows) + 2 * self.frameWidth()

    def _on_double_clicked(self, index: QModelIndex) -> None:
        if (item := self._rows.item(index)) is not None:
            self.opened.emit(item)

    # Qt overrides

    def currentChanged(self, current: Index, previous: Index, /) -> None:
        """Tell that another item was chosen."""
        super().currentChanged(current, previous)
        self.chosen.emit(self._rows.item(current))

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Enter opens, Delete removes."""
        item, key = self.current, event.key()
        if item is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit(item)
        elif item is not None and key == Qt.Key.Key_Delete:
            self.remove_requested.emit(item)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent, /) -> None:
        """Ask for a menu about the chosen item."""
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).center())
        if (item := self.current) is not None:
            self.menu_requested.emit(item, place)


def _mirrored(option: QStyleOptionViewItem, outer: QRect, inner: QRect) -> QRect:
    return QStyle.visualRect(option.direction, outer, inner)


def _scaled(font: QFont, factor: float) -> QFont:
    result = QFont(font)
    result.setPointSizeF(font.pointSizeF() * factor)
    return result
