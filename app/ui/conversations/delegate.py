"""Draws one conversation in the list: its title and, under the pointer, the button of its menu."""

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.ui.icons import icon_pixmap
from app.ui.theme import Theme
from app.ui.tokens import RADIUS_M, SPACE_M, SPACE_S, SPACE_XS

Index = QModelIndex | QPersistentModelIndex
_ROW_HEIGHT = 36
_MORE_SIZE = 24


class ConversationDelegate(QStyledItemDelegate):
    """Paints and edits conversations.

    Signals:
        more_requested: index of the row whose button was clicked.
    """

    more_requested = Signal(QModelIndex)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        """Paint in the theme's colours."""
        super().__init__(parent)
        self._theme = theme

    # Qt overrides

    def sizeHint(self, option: QStyleOptionViewItem, _index: Index, /) -> QSize:
        """Give the height of a row."""
        return QSize(80, max(_ROW_HEIGHT, option.fontMetrics.height() + 2 * SPACE_S))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, /) -> None:
        """Paint a row."""
        rect: QRect = option.rect.adjusted(SPACE_S, 1, -SPACE_S, -1)
        state: QStyle.StateFlag = option.state
        selected = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent_soft" if selected else "hover"))
            painter.drawRoundedRect(rect, RADIUS_M, RADIUS_M)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(self._theme.colour("focus"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect, RADIUS_M, RADIUS_M)
        right = rect.right() - SPACE_S
        if selected or hovered:
            box = _more_rect(rect)
            ratio = painter.device().devicePixelRatio()
            pixmap = icon_pixmap("more", self._theme.colour("text_muted"), 16, ratio)
            painter.drawPixmap(box.x() + 4, box.y() + 4, pixmap)
            right = box.left() - SPACE_XS
        painter.setPen(self._theme.colour("text"))
        text_rect = QRect(rect.left() + SPACE_M, rect.top(), right - rect.left() - SPACE_M, rect.height())
        title = painter.fontMetrics().elidedText(
            str(index.data()), Qt.TextElideMode.ElideRight, text_rect.width()
        )
        painter.drawText(text_rect, Qt.AlignmentFlag.AlignVCenter, title)
        painter.restore()

    def editorEvent(
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index, /
    ) -> bool:
        """Open the menu on a click on the button."""
        rect: QRect = option.rect.adjusted(SPACE_S, 1, -SPACE_S, -1)
        if (
            event.type() == QEvent.Type.MouseButtonRelease
            and isinstance(event, QMouseEvent)
            and _more_rect(rect).contains(event.position().toPoint())
        ):
            assert isinstance(index, QModelIndex)
            self.more_requested.emit(index)
            return True
        return super().editorEvent(event, model, option, index)

    def createEditor(self, parent: QWidget, _option: QStyleOptionViewItem, _index: Index, /) -> QWidget:
        """Edit a title in a line."""
        editor = QLineEdit(parent)
        editor.setMaxLength(200)
        editor.setAccessibleName(self.tr("Title of the conversation"))
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, _index: Index, /) -> None:
        """Let the editor fill the row."""
        editor.setGeometry(option.rect.adjusted(SPACE_S, 1, -SPACE_S, -1))


def _more_rect(rect: QRect) -> QRect:
    top = rect.center().y() - _MORE_SIZE // 2 + 1
    return QRect(rect.right() - _MORE_SIZE - SPACE_XS, top, _MORE_SIZE, _MORE_SIZE)
