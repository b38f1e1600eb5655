"""Draws a file's row: kind, name and extent above, state and reason below."""

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.protocol.library import FileEntry
from app.ui.icons import icon_pixmap
from app.ui.library.file_model import Role
from app.ui.library.file_words import (
    extent_words,
    kind_of,
    state_icon,
    state_role,
    state_words,
)
from app.ui.theme import Theme
from app.ui.tokens import FONT_SMALL, RADIUS_M, SPACE_M, SPACE_S, SPACE_XS

_BADGE = QSize(34, 38)
_STATE_ICON = 14
_BAR_HEIGHT = 3
_BADGE_TINT = 0.14
_BADGE_FONT = 0.68

Index = QModelIndex | QPersistentModelIndex


class FileDelegate(QStyledItemDelegate):
    """Paints rows of a FileModel; all rows are equally high."""

    def __init__(self, theme: Theme, parent: QObject | None = None) -> None:
        """Take colours from `theme`."""
        super().__init__(parent)
        self._theme = theme
        self._pixmaps: dict[tuple[str, str, float], QPixmap] = {}
        theme.changed.connect(self._on_theme_changed)

    @Slot()
    def _on_theme_changed(self) -> None:
        self._pixmaps.clear()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Give the height of a row."""
        del index
        small = QFontMetrics(_scaled(option.font, FONT_SMALL))
        lines = option.fontMetrics.height() + SPACE_XS + small.height()
        return QSize(0, max(lines, _BADGE.height()) + 2 * SPACE_S + _BAR_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a row."""
        file = index.data(Role.FILE)
        if not isinstance(file, FileEntry):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_ground(painter, option)
        inner = option.rect.adjusted(SPACE_M, SPACE_S, -SPACE_M, -SPACE_S - _BAR_HEIGHT)
        self._draw_kind(painter, option.font, inner, file)
        words = inner.adjusted(_BADGE.width() + SPACE_M, 0, 0, 0)
        if option.direction == Qt.LayoutDirection.RightToLeft:
            words = inner.adjusted(0, 0, -_BADGE.width() - SPACE_M, 0)
        self._draw_first_line(painter, option.font, words, file)
        self._draw_second_line(painter, option, words, file)
        if file.progress is not None:
            self._draw_progress(painter, words, file.progress)
        painter.restore()

    def _draw_ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        area = QRectF(option.rect).adjusted(SPACE_XS, 1, -SPACE_XS, -1)
        state = option.state
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(self._theme.colour("accent_soft"))
            painter.drawRoundedRect(area, RADIUS_M, RADIUS_M)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(self._theme.colour("hover"))
            painter.drawRoundedRect(area, RADIUS_M, RADIUS_M)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self._theme.colour("focus"), 1))
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS_M, RADIUS_M)

    def _draw_kind(self, painter: QPainter, font: QFont, inner: QRect, file: FileEntry) -> None:
        kind = kind_of(file.name)
        left = (
            inner.left()
            if painter.layoutDirection() != Qt.LayoutDirection.RightToLeft
            else (inner.right() - _BADGE.width())
        )
        top = inner.top() + (inner.height() - _BADGE.height()) // 2
        badge = QRectF(left, top, _BADGE.width(), _BADGE.height())
        colour = self._theme.colour(kind.role)
        tint = QColor(colour)
        tint.setAlphaF(_BADGE_TINT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(tint)
        painter.drawRoundedRect(badge, RADIUS_M, RADIUS_M)
        small = _scaled(font, _BADGE_FONT)
        small.setBold(True)
        painter.setFont(small)
        painter.setPen(colour)
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, kind.letters or "?")

    def _draw_first_line(self, painter: QPainter, font: QFont, words: QRect, file: FileEntry) -> None:
        metrics = QFontMetrics(font)
        small = _scaled(font, FONT_SMALL)
        extent = extent_words(file)
        extent_width = QFontMetrics(small).horizontalAdvance(extent)
        line = QRect(words.left(), words.top(), words.width(), metrics.height())
        if extent_width > words.width() * 0.45:
            extent, extent_width = "", 0
        if extent:
            painter.setFont(small)
            painter.setPen(self._theme.colour("text_faint"))
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, extent)
            line.setWidth(words.width() - extent_width - SPACE_M)
        painter.setFont(font)
        painter.setPen(self._theme.colour("text"))
        name = metrics.elidedText(file.name, Qt.TextElideMode.ElideMiddle, line.width())
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)

    def _draw_second_line(
        self, painter: QPainter, option: QStyleOptionViewItem, words: QRect, file: FileEntry
    ) -> None:
        small = _scaled(option.font, FONT_SMALL)
        metrics = QFontMetrics(small)
        role = state_role(file.state)
        line = QRect(words.left(), words.bottom() - metrics.height() + 1, words.width(), metrics.height())
        icon_top = line.top() + (line.height() - _STATE_ICON) // 2
        ratio = painter.device().devicePixelRatio()
        painter.drawPixmap(line.left(), icon_top, self._pixmap(state_icon(file.state), role, ratio))
        line.setLeft(line.left() + _STATE_ICON + SPACE_XS + 2)
        painter.setFont(small)
        painter.setPen(self._theme.colour(role))
        state = metrics.elidedText(state_words(file), Qt.TextElideMode.ElideRight, line.width())
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(line, flags, state)
        line.setLeft(line.left() + metrics.horizontalAdvance(state))
        if file.reason and line.width() > 0:
            painter.setPen(self._theme.colour("text_muted"))
            reason = metrics.elidedText(f" — {file.reason}", Qt.TextElideMode.ElideRight, line.width())
            painter.drawText(line, flags, reason)

    def _draw_progress(self, painter: QPainter, words: QRect, progress: float) -> None:
        bar = QRectF(words.left(), words.bottom() + SPACE_XS, words.width(), _BAR_HEIGHT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("pressed"))
        painter.drawRoundedRect(bar, 1.5, 1.5)
        bar.setWidth(bar.width() * min(1.0, max(0.0, progress)))
        painter.setBrush(self._theme.colour("busy"))
        painter.drawRoundedRect(bar, 1.5, 1.5)

    def _pixmap(self, name: str, role: str, ratio: float) -> QPixmap:
        key = (name, role, ratio)
        if key not in self._pixmaps:
            self._pixmaps[key] = icon_pixmap(name, self._theme.colour(role), _STATE_ICON, ratio)
        return self._pixmaps[key]


def _scaled(font: QFont, factor: float) -> QFont:
    result = QFont(font)
    result.setPointSizeF(font.pointSizeF() * factor)
    return result


class CollectionDelegate(QStyledItemDelegate):
    """Draws a collection's row: icon, name, number of files."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Take colours from `theme`."""
        super().__init__(parent)
        self._theme = theme
        self._count_role = Qt.ItemDataRole.UserRole + 2

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Give the height of a row."""
        del index
        return QSize(0, option.fontMetrics.height() + 2 * SPACE_S)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a row."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
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
        self._draw_words(painter, option, index, chosen=chosen)
        painter.restore()

    def _draw_words(
        self, painter: QPainter, option: QStyleOptionViewItem, index: Index, *, chosen: bool
    ) -> None:
        line = option.rect.adjusted(SPACE_M, 0, -SPACE_M, 0)
        ratio = painter.device().devicePixelRatio()
        name = "folder" if index.row() else "collection"
        colour = self._theme.colour("accent" if chosen else "text_muted")
        top = line.top() + (line.height() - 16) // 2
        painter.drawPixmap(line.left(), top, icon_pixmap(name, colour, 16, ratio))
        count = f"{index.data(self._count_role):,}"
        metrics = option.fontMetrics
        painter.setFont(option.font)
        painter.setPen(self._theme.colour("text_faint"))
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, count)
        words = line.adjusted(16 + SPACE_S, 0, -metrics.horizontalAdvance(count) - SPACE_S, 0)
        painter.setPen(self._theme.colour("text"))
        shown = metrics.elidedText(str(index.data()), Qt.TextElideMode.ElideRight, words.width())
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)
