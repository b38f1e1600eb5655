"""Selecting text on the pages with the mouse."""

from typing import Protocol

from PySide6.QtCore import QObject, QPointF, QRect, Qt, QTimer, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QScrollBar, QWidget

from app.ui.viewer.selection import TextSelection
from app.ui.viewer.word_boxes import WordBox, line_around, offset_near, word_at, word_near

_SCROLL_INTERVAL_MS = 30


class Pages(Protocol):
    """What selecting needs of the view."""

    selection: TextSelection

    def spot_at(self, point: QPointF) -> tuple[int, float, float] | None:
        """Give page index and point on the page."""

    def words_of(self, number: int) -> tuple[WordBox, ...]:
        """Give a page's words."""

    def update_selection(self) -> None:
        """Draw the selection."""

    def viewport(self) -> QWidget:
        """Give what shows the pages."""

    def verticalScrollBar(self) -> QScrollBar:
        """Give the bar that scrolls."""


class PageMouse(QObject):
    """Turns presses and moves into a selection; scrolls while the pointer is dragged out of the view."""

    def __init__(self, view: Pages) -> None:
        """Serve `view`, a QObject that owns this."""
        assert isinstance(view, QObject)
        super().__init__(view)
        self._view = view
        self._dragging = False
        self._last_point = QPointF()
        self._double_click_at: QPointF | None = None
        self._scroll_timer = QTimer(self, interval=_SCROLL_INTERVAL_MS)
        self._scroll_timer.timeout.connect(self._on_scroll_timer)
        self._click_timer = QTimer(self, singleShot=True, interval=QApplication.doubleClickInterval())

    def press(self, event: QMouseEvent) -> None:
        """Begin at the nearest character; with Shift extend; third click of three chooses the line."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        point = event.position()
        if self._click_timer.isActive() and self._choose_line(point):
            return
        offset = self._offset_at(point)
        if offset is None:
            self._view.selection.clear()
        else:
            extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._view.selection.begin(offset, extend=extend)
            self._dragging = True
        self._view.update_selection()

    def move(self, event: QMouseEvent) -> None:
        """Extend while dragging; else show a text cursor over words."""
        if not self._dragging:
            spot = self._view.spot_at(event.position())
            over = spot and word_at(self._view.words_of(spot[0] + 1), spot[1], spot[2])
            shape = Qt.CursorShape.IBeamCursor if over else Qt.CursorShape.ArrowCursor
            self._view.viewport().setCursor(shape)
            return
        self._last_point = event.position()
        self._extend()
        inside = QRect(0, 0, self._view.viewport().width(), self._view.viewport().height())
        if inside.contains(event.position().toPoint()):
            self._scroll_timer.stop()
        elif not self._scroll_timer.isActive():
            self._scroll_timer.start()

    def release(self, event: QMouseEvent) -> None:
        """End dragging."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragging = False
            self._scroll_timer.stop()

    def double_click(self, event: QMouseEvent) -> None:
        """Choose the nearest word."""
        spot = self._view.spot_at(event.position())
        word = word_near(self._view.words_of(spot[0] + 1), spot[1], spot[2]) if spot else None
        if word is not None:
            self._view.selection.choose(word[0], word[1])
            self._view.update_selection()
            self._click_timer.start()

    def _choose_line(self, point: QPointF) -> bool:
        self._click_timer.stop()
        spot, offset = self._view.spot_at(point), self._offset_at(point)
        if spot is None or offset is None:
            return False
        line = line_around(self._view.words_of(spot[0] + 1), offset)
        if line is not None:
            self._view.selection.choose(*line)
            self._view.update_selection()
        return line is not None

    def _offset_at(self, point: QPointF) -> int | None:
        spot = self._view.spot_at(point)
        return offset_near(self._view.words_of(spot[0] + 1), spot[1], spot[2]) if spot else None

    def _extend(self) -> None:
        offset = self._offset_at(self._last_point)
        if offset is not None:
            self._view.selection.move_to(offset)
            self._view.update_selection()

    @Slot()
    def _on_scroll_timer(self) -> None:
        y, height = self._last_point.y(), self._view.viewport().height()
        beyond = min(0.0, y) + max(0.0, y - height)
        bar = self._view.verticalScrollBar()
        bar.setValue(bar.value() + round(max(-60.0, min(60.0, beyond))))
        self._extend()
