"""The list of messages: only those near the visible part exist as widgets, so a thousand scroll like ten."""

from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QScrollBar, QToolButton, QWidget

from app.protocol.chat import ChatMessage
from app.ui.chat.citation_times import CitationTimes
from app.ui.chat.focus_walk import focus_stops, next_outside
from app.ui.chat.message_model import MessageModel
from app.ui.chat.message_widgets import MAX_CONTENT_WIDTH, AnswerWidget, MessageWidget, UserMessageWidget
from app.ui.chat.row_heights import RowHeights
from app.ui.chat.spoken_places import Spoken
from app.ui.chat.thumbnails import Thumbnails
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_XL

_MARGIN = SPACE_L
_N_SPARE_SCREENS = 0.6  # how far beyond the visible part widgets are made
_NEAR_BOTTOM_PX = 24
_MAX_ROUNDS = 4  # measuring moves what is visible; this often at most per layout


class MessageList(QAbstractScrollArea):
    """Shows a MessageModel, sticks to the end unless the user scrolled up, and keeps what is read in place.

    Heights of messages that were never visible are estimates; the message at the top of the view is the
    anchor, so that better figures for others do not move it.

    Signals:
        As MessageWidget: citation_activated, link_activated, retry_requested, general_requested,
        image_opened, models_requested, reading_requested, selection_reading_requested.
    """

    citation_activated = Signal(str, int)
    link_activated = Signal(str)
    retry_requested = Signal(str)
    general_requested = Signal(str)
    image_opened = Signal(object)
    models_requested = Signal()
    reading_requested = Signal(str)
    selection_reading_requested = Signal(str, str, int)

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        thumbnails: Thumbnails | None = None,
        times: CitationTimes | None = None,
    ) -> None:
        """Show nothing yet; without `thumbnails` images are left out, without `times` times."""
        super().__init__(parent)
        self._theme, self._thumbnails, self._times = theme, thumbnails, times
        self._model = MessageModel(self)
        self._heights = RowHeights(_MARGIN)
        self._widgets: dict[int, MessageWidget] = {}
        self._sticks = True
        self._anchor: tuple[int, int] = (0, 0)  # row at the view's top, pixels of it that are above
        self._is_laying_out = False
        self._spoken = Spoken()
        self._follows_reading = True
        self._is_revealing = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.lay_out)
        self._spare_timer = QTimer(self)
        self._spare_timer.setSingleShot(True)
        self._spare_timer.setInterval(10)
        self._spare_timer.timeout.connect(self._on_spare_time)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Messages"))
        self.verticalScrollBar().setSingleStep(40)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self._jump_button = self._new_jump_button()

    def _new_jump_button(self) -> QToolButton:
        button = QToolButton(self)
        set_role(button, "bordered")
        bind_icon(button, "arrow-down", self._theme)
        button.setToolTip(self.tr("To the newest message"))
        button.setAccessibleName(self.tr("To the newest message"))
        button.setFixedSize(QSize(36, 36))
        button.clicked.connect(self.scroll_to_end)
        button.hide()
        return button

    @property
    def model(self) -> MessageModel:
        """What is shown."""
        return self._model

    @property
    def n_widgets(self) -> int:
        """How many messages exist as widgets now."""
        return len(self._widgets)

    def set_model(self, model: MessageModel) -> None:
        """Show another conversation, from its end."""
        self._model.disconnect(self)
        self._model = model
        model.modelReset.connect(self._on_model_reset)
        model.rowsInserted.connect(self._on_rows_inserted)
        model.rowsRemoved.connect(self._on_rows_removed)
        model.dataChanged.connect(self._on_data_changed)
        self._on_model_reset()

    def widget_at(self, row: int) -> MessageWidget | None:
        """Give the widget of a row, where it exists now."""
        return self._widgets.get(row)

    def show_spoken(self, spoken: Spoken) -> None:
        """Mark the sentence that is read aloud and keep it in view, unless the user scrolled away from it."""
        before, self._spoken = self._spoken, spoken
        if spoken.message_id != before.message_id:
            self._follows_reading = True
        for row, widget in self._widgets.items():
            if self._model.row(row).message.id in (before.message_id, spoken.message_id):
                self._show_reading(row, widget)
        if spoken.wanted and spoken.wanted != before.wanted and self._follows_reading:
            self.reveal_spoken()

    @Slot()
    def reveal_spoken(self) -> None:
        """Bring the sentence that is read aloud into view, and follow the reading from now on."""
        self._follows_reading = True
        row = self._model.find(self._spoken.message_id) if self._spoken.message_id else None
        if row is None:
            return
        self._is_revealing = True
        if row not in self._widgets:
            self._reveal(row, 0, 0)
        widget = self._widgets[row]
        rect = widget.text.spoken_rect()
        if not rect.isEmpty():
            top = widget.text.y() + rect.top()
            self._reveal(row, max(0, top - SPACE_L), rect.height() + 2 * SPACE_L)
        self._is_revealing = False

    def _show_reading(self, row: int, widget: MessageWidget) -> None:
        message, spoken = self._model.row(row).message, self._spoken
        is_read = bool(spoken.message_id) and message.id == spoken.message_id
        widget.show_reading(is_read=is_read, spoken=spoken.range_in(message.text) if is_read else None)

    def _is_spoken_in_view(self) -> bool:
        """Tell whether the sentence that is read aloud can be seen, or at least its beginning."""
        row = self._model.find(self._spoken.message_id) if self._spoken.message_id else None
        widget = None if row is None else self._widgets.get(row)
        if widget is None:
            return False
        rect = widget.text.spoken_rect()
        top = widget.y() + widget.text.y() + rect.top()
        return not rect.isEmpty() and -rect.height() < top < self.viewport().height()

    def is_at_end(self) -> bool:
        """Tell whether the newest text is in view."""
        bar = self.verticalScrollBar()
        return bar.value() >= bar.maximum() - _NEAR_BOTTOM_PX

    @Slot()
    def scroll_to_end(self) -> None:
        """Show the newest message and stick to it."""
        self._sticks = True
        self.lay_out()

    @Slot()
    def _on_model_reset(self) -> None:
        for widget in self._widgets.values():
            widget.hide()
            widget.deleteLater()
        self._widgets.clear()
        rows = range(self._model.rowCount())
        self._heights.reset(self._estimate(self._model.row(row).message) for row in rows)
        self._sticks = True
        self._timer.start()

    @Slot(QModelIndex, int, int)
    def _on_rows_inserted(self, _parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            self._heights.insert(row, self._estimate(self._model.row(row).message))
        self._timer.start()

    @Slot(QModelIndex, int, int)
    def _on_rows_removed(self, _parent: QModelIndex, first: int, last: int) -> None:
        n_gone = last - first + 1
        for row in range(first, last + 1):
            if (widget := self._widgets.pop(row, None)) is not None:
                widget.hide()
                widget.deleteLater()
        self._widgets = {row - n_gone if row > last else row: widget for row, widget in self._widgets.items()}
        self._heights.remove(first, last)
        self._timer.start()

    @Slot(QModelIndex, QModelIndex)
    def _on_data_changed(self, first: QModelIndex, last: QModelIndex) -> None:
        for row in range(first.row(), last.row() + 1):
            self._heights.forget(row)
            widget = self._widgets.get(row)
            if widget is not None:
                widget.show_row(self._model.row(row))
                self._show_reading(row, widget)
        self._timer.start()

    @Slot(int)
    def _on_scrolled(self, value: int) -> None:
        if self._is_laying_out:
            return
        self._sticks = self.is_at_end()
        self._anchor = self._heights.at(value)
        self.lay_out()
        if self._spoken.wanted and not self._is_revealing:
            self._follows_reading = self._is_spoken_in_view()

    @Slot()
    def _on_widget_resized(self) -> None:
        for row, widget in self._widgets.items():
            if widget is self.sender():
                self._heights.forget(row)
        self._timer.start()

    @Slot()
    def lay_out(self) -> None:
        """Make, measure and place the widgets of what is visible."""
        if self._is_laying_out:
            return
        self._is_laying_out = True
        try:
            for _ in range(_MAX_ROUNDS):
                if not self._measure_visible():
                    break
            self._place()
        finally:
            self._is_laying_out = False
        self._spare_timer.start()
        self._jump_button.setVisible(bool(self._heights) and not self._sticks and not self.is_at_end())

    @Slot()
    def _on_spare_time(self) -> None:
        """Make one message that may soon scroll into view, and come back for the next."""
        for row in self._rows_near(_N_SPARE_SCREENS):
            if row not in self._widgets:
                self._make(row).setGeometry(0, -10_000, 10, 10)
                self.lay_out()
                return

    def _measure_visible(self) -> bool:
        """Measure what came into view; tell whether a height changed."""
        self._update_scroll_bar()
        changed = False
        width = self.viewport().width() - 2 * _MARGIN
        for row in self._rows_near(0):
            widget = self._widgets.get(row) or self._make(row)
            if not self._heights.is_measured(row):
                changed |= self._heights.measure(row, widget.height_for(width))
        if changed:
            self._update_scroll_bar()
        return changed

    def _place(self) -> None:
        """Put each widget where it belongs and let go of those far away."""
        top_of = self._heights.tops()
        scroll = self.verticalScrollBar().value()
        width = self.viewport().width() - 2 * _MARGIN
        kept = set(self._rows_near(_N_SPARE_SCREENS * 2))
        for row in list(self._widgets):
            widget = self._widgets[row]
            if row not in kept and not widget.is_in_use():
                del self._widgets[row]
                widget.hide()
                widget.deleteLater()
                continue
            if not self._heights.is_measured(row):
                self._heights.measure(row, widget.height_for(width))
            widget.setGeometry(QRect(_MARGIN, top_of[row] - scroll, width, self._heights[row]))
            widget.show()

    def _focus_from(self, row: int, step: int, *, inside: QWidget | None) -> bool:
        """Move the focus to the stop after `inside` in a row, or in the next ones; False at the end."""
        while 0 <= row < len(self._heights):
            self._reveal(row, 0, 0)
            stops = focus_stops(self._widgets[row])[::step]
            if inside in stops:
                stops = stops[stops.index(inside) + 1 :]
            if stops:
                reason = Qt.FocusReason.TabFocusReason if step > 0 else Qt.FocusReason.BacktabFocusReason
                top = stops[0].mapTo(self._widgets[row], QPoint(0, 0)).y()
                self._reveal(row, top, stops[0].height())
                stops[0].setFocus(reason)
                return True
            row, inside = row + step, None
        return False

    def _reveal(self, row: int, top: int, height: int) -> None:
        """Make a row, and scroll as little as needed to show `height` pixels of it from `top`."""
        if row not in self._widgets:
            self._make(row)
            self.lay_out()
        bar = self.verticalScrollBar()
        start = self._heights.tops()[row] + top
        if start < bar.value():
            bar.setValue(start)
        elif start + height > bar.value() + self.viewport().height():
            bar.setValue(min(start, start + height - self.viewport().height()))

    def _row_of(self, widget: QWidget | None) -> int | None:
        for row, message in self._widgets.items():
            if widget is not None and message.isAncestorOf(widget):
                return row
        return None

    def _make(self, row: int) -> MessageWidget:
        message_row = self._model.row(row)
        is_user = message_row.message.role == "user"
        widget = (UserMessageWidget if is_user else AnswerWidget)(
            self._theme, self.viewport(), self._thumbnails, self._times
        )
        widget.show_row(message_row)
        widget.citation_activated.connect(self.citation_activated)
        widget.link_activated.connect(self.link_activated)
        widget.retry_requested.connect(self.retry_requested)
        widget.general_requested.connect(self.general_requested)
        widget.image_opened.connect(self.image_opened)
        widget.models_requested.connect(self.models_requested)
        widget.reading_requested.connect(self.reading_requested)
        widget.selection_reading_requested.connect(self.selection_reading_requested)
        widget.resized.connect(self._on_widget_resized)
        self._show_reading(row, widget)
        self._widgets[row] = widget
        self._heights.forget(row)
        return widget

    def _update_scroll_bar(self) -> None:
        """Set range and value from the heights: at the end if it sticks, else so that the anchor stays."""
        bar = self.verticalScrollBar()
        tops = self._heights.tops()
        page = self.viewport().height()
        bar.setPageStep(page)
        bar.setRange(0, max(0, tops[-1] + _MARGIN - page))
        if self._sticks:
            bar.setValue(bar.maximum())
        elif self._heights:
            row, above = self._anchor
            row = min(row, len(self._heights) - 1)
            bar.setValue(tops[row] + min(above, self._heights[row]))

    def _rows_near(self, screens: float) -> list[int]:
        """Give the rows that are visible or at most so many screens away."""
        page = self.viewport().height()
        low = self.verticalScrollBar().value() - screens * page
        high = self.verticalScrollBar().value() + (1 + screens) * page
        return self._heights.between(low, high)

    def _estimate(self, message: ChatMessage) -> int:
        """Guess a message's height from its length."""
        width = max(200, min(self.viewport().width() - 2 * _MARGIN, MAX_CONTENT_WIDTH))
        metrics = self.fontMetrics()
        per_line = max(20, width // max(1, metrics.averageCharWidth()))
        n_lines = sum(1 + len(line) // per_line for line in message.text.split("\n"))
        extra = 34 if message.role == "user" else 60 + 34 * min(4, len(message.citations))
        extra += 150 if message.images else 0
        return int(n_lines * metrics.lineSpacing() * 1.35) + extra

    # Qt overrides

    def focusNextPrevChild(self, forward: bool, /) -> bool:
        """Tab through the messages from top to bottom, also those that are not made yet."""
        focused = QApplication.focusWidget()
        row, step = self._row_of(focused), 1 if forward else -1
        enters = focused is self and forward and bool(self._heights)
        start = self._heights.at(self.verticalScrollBar().value())[0] if enters else row
        if start is not None and self._focus_from(start, step, inside=focused):
            return True
        if row is not None and not forward:
            self.setFocus(Qt.FocusReason.BacktabFocusReason)
            return True
        if focused is not None and forward and (after := next_outside(self)) is not None:
            after.setFocus(Qt.FocusReason.TabFocusReason)
            return True
        return super().focusNextPrevChild(forward)

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Measure again where the width changed."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._heights.forget_all()
        button = self._jump_button
        button.move((self.width() - button.width()) // 2, self.height() - button.height() - SPACE_L)
        button.raise_()
        self.lay_out()

    def scrollContentsBy(self, dx: int, dy: int, /) -> None:
        """Do nothing: `lay_out` places the widgets."""

    def wheelEvent(self, event: QWheelEvent, /) -> None:
        """Scroll by the wheel, wherever the pointer is."""
        bar: QScrollBar = self.verticalScrollBar()
        if not event.pixelDelta().isNull():
            bar.setValue(bar.value() - event.pixelDelta().y())
        else:
            bar.setValue(bar.value() - round(event.angleDelta().y() / 120 * 3 * bar.singleStep()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Scroll by keyboard; Home and End go to the ends."""
        bar = self.verticalScrollBar()
        step = {
            Qt.Key.Key_Up: -bar.singleStep(),
            Qt.Key.Key_Down: bar.singleStep(),
            Qt.Key.Key_PageUp: SPACE_XL - bar.pageStep(),
            Qt.Key.Key_PageDown: bar.pageStep() - SPACE_XL,
            Qt.Key.Key_Home: -bar.maximum(),
            Qt.Key.Key_End: bar.maximum(),
        }.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        bar.setValue(bar.value() + step)
