"""Pages as pixels in one long column: scrolling, zoom, marks, selecting text."""

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QMenu, QWidget

from app.protocol.documents import DocumentInfo
from app.ui.theme import Theme
from app.ui.viewer.document_reader import DocumentReader
from app.ui.viewer.glide import Glide
from app.ui.viewer.marks import Marks, PageMarks, Range
from app.ui.viewer.page_images import PageImages
from app.ui.viewer.page_layout import MARGIN, PageLayout, page_of
from app.ui.viewer.page_mouse import PageMouse
from app.ui.viewer.page_painter import PageContent, PagePainter
from app.ui.viewer.selection import TextSelection
from app.ui.viewer.word_boxes import line_rects
from app.ui.viewer.zoom import PIXELS_PER_POINT, Fit, clamped, stepped

_RENDER_DELAY_MS = 120  # after the last change of zoom; meanwhile the pictures at hand are stretched
_REVEAL_SHARE = 1 / 3  # of the height, where revealed words come to stand
_LINE_STEP = 48
_MAX_PIXELS = 9_000_000  # of a page's picture: 27 MB on the way here; beyond, it is stretched
_NEIGHBOUR_PIXELS = 3_000_000  # larger pages are fetched only when they show


class PagesView(QAbstractScrollArea):
    """Shows the pages of one document; asks for the pictures of those that show and of their neighbours.

    Signals:
        current_page_changed: number of the page looked at, from 1.
        zoom_changed: the zoom factor; `fit` tells whether it follows the view's size.
        copy_requested: (start, end) of the text to copy.
        reading_requested: (start, end) of the text to read aloud.
    """

    current_page_changed = Signal(int)
    zoom_changed = Signal(float)
    copy_requested = Signal(object)
    reading_requested = Signal(object)

    def __init__(
        self, reader: DocumentReader, images: PageImages, theme: Theme, parent: QWidget | None = None
    ) -> None:
        """Create an empty view."""
        super().__init__(parent)
        self.marks = Marks()
        self.selection = TextSelection()
        self._reader, self._images = reader, images
        self._painter = PagePainter(theme)
        self._info: DocumentInfo | None = None
        self._layout = PageLayout(())
        self._zoom, self._fit = 1.0, Fit.WIDTH
        self._page = 0
        self._target: Range | None = None
        self._glide = Glide(self.verticalScrollBar(), _LINE_STEP // 2)
        self._mouse = PageMouse(self)
        self._render_timer = QTimer(self, singleShot=True, interval=_RENDER_DELAY_MS)
        self._render_timer.timeout.connect(self._want_pictures)
        self._want_timer = QTimer(self, singleShot=True, interval=0)  # one wish for all scrolling of a turn
        self._want_timer.timeout.connect(self._want_pictures)
        images.page_ready.connect(self._on_page_changed)
        images.page_failed.connect(self._on_page_changed)
        reader.words_ready.connect(self._on_words_ready)
        reader.page_text_ready.connect(self._on_page_changed)
        theme.changed.connect(self._on_theme_changed)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setCornerWidget(QWidget(self))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.setAccessibleName(self.tr("Pages of the document"))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)

    @property
    def page(self) -> int:
        """Number of the page looked at; 0 without a document."""
        return self._page

    @property
    def zoom(self) -> float:
        """The zoom factor; 1 is the printed size."""
        return self._zoom

    @property
    def fit(self) -> Fit:
        """Whether the zoom follows the view's size."""
        return self._fit

    @property
    def scale(self) -> float:
        """Device-independent pixels per point."""
        return self._zoom * PIXELS_PER_POINT

    def show_document(self, info: DocumentInfo) -> None:
        """Show a document from its first page."""
        self.clear()
        self._info = info
        self._layout = PageLayout.of_pages(info.pages)
        self._images.show_document(info.document_id)
        self._apply_fit()
        self._update_scroll_bars()
        self.verticalScrollBar().setValue(0)
        self._on_scrolled()

    def clear(self) -> None:
        """Show nothing and let go of every picture."""
        self._info, self._layout, self._page, self._target = None, PageLayout(()), 0, None
        self._glide.stop()
        self.marks.clear()
        self.selection.clear()
        self._images.show_document(None)
        self._update_scroll_bars()
        self.viewport().update()

    # --- zoom

    def set_zoom(self, zoom: float, anchor: QPointF | None = None) -> None:
        """Zoom so that the point at `anchor` (of the viewport; its centre by default) keeps its place."""
        self._fit = Fit.NONE
        self._zoom_to(clamped(zoom), anchor)

    def set_fit(self, fit: Fit) -> None:
        """Let the zoom follow the view's width or a whole page; Fit.NONE keeps the present zoom."""
        self._fit = fit
        self._apply_fit()
        self.zoom_changed.emit(self._zoom)

    def step_zoom(self, steps: int, anchor: QPointF | None = None) -> None:
        """Zoom in (positive) or out by steps."""
        self.set_zoom(stepped(self._zoom, steps), anchor)

    def _apply_fit(self) -> None:
        if self._fit is Fit.NONE or not len(self._layout):
            return
        room = self.viewport().size()
        if self.verticalScrollBar().isHidden():
            # the bar will show as soon as the pages are taller than the view
            room.setWidth(room.width() - self.verticalScrollBar().sizeHint().width())
        zoom = (room.width() - 2 * MARGIN) / self._layout.max_width
        if self._fit is Fit.PAGE:
            width, height = self._layout.sizes[max(0, self._page - 1)]
            zoom = min((room.width() - 2 * MARGIN) / width, (room.height() - 2 * MARGIN) / height)
        self._zoom_to(clamped(zoom / PIXELS_PER_POINT), None)

    def _zoom_to(self, zoom: float, anchor: QPointF | None) -> None:
        if zoom != self._zoom:
            at = anchor or QPointF(self.viewport().width() / 2, self.viewport().height() * _REVEAL_SHARE)
            spot = self.spot_at(at) if self.verticalScrollBar().value() else None  # the top stays the top
            self._glide.stop()
            self._zoom = zoom
            self._update_scroll_bars()
            if spot is not None:
                index, x, y = spot
                place = self._layout.rect(index, self.scale, self._column_width())
                self.horizontalScrollBar().setValue(round(place.left() + x * self.scale - at.x()))
                self.verticalScrollBar().setValue(round(place.top() + y * self.scale - at.y()))
            self._render_timer.start()
            self.viewport().update()
            self.zoom_changed.emit(zoom)

    # --- places

    def go_to_page(self, number: int) -> None:
        """Show the top of a page; numbers beyond the ends go to the ends."""
        if len(self._layout):
            self._target = None
            self._glide.stop()
            index = min(max(number, 1), len(self._layout)) - 1
            self.verticalScrollBar().setValue(round(self._layout.top(index, self.scale) - MARGIN))

    def reveal(self, target: Range, page: int | None = None) -> None:
        """Scroll until the first words of a range stand at a third of the height, as soon as they are known.

        Args:
            target: the range.
            page: where it begins, where the caller knows; else the pages' ranges tell.
        """
        number = page or self.page_of(target[0])
        if not 0 < number <= len(self._layout):
            return
        place = self._layout.rect(number - 1, self.scale, self._column_width())
        bar = self.verticalScrollBar()
        if not place.top() - 2 * bar.pageStep() < bar.value() < place.bottom() + bar.pageStep():
            self._glide.stop()  # from afar, gliding would only blur
            bar.setValue(round(place.top() - MARGIN))
        self._target = target
        self._follow_target(number)

    def set_cited(self, cited: Range | None) -> None:
        """Mark the words of a citation."""
        self.marks.set_cited(cited)
        self.viewport().update()

    def set_matches(self, matches: tuple[Range, ...], current: int) -> None:
        """Mark the matches of a search and the one looked at."""
        self.marks.set_matches(matches, current)
        self.viewport().update()

    def page_of(self, offset: int) -> int:
        """Give the number of the page that holds a character; 0 without pages."""
        return page_of(self._info.pages, offset) if self._info else 0

    def top_offset(self) -> int:
        """Give the first character of the page looked at."""
        page = self._reader.page(self._page)
        return page.char_start if page else 0

    def spot_at(self, point: QPointF) -> tuple[int, float, float] | None:
        """Give the page index (from 0) nearest to a point of the viewport, and the point on it in points."""
        if not len(self._layout):
            return None
        column = point + QPointF(self.horizontalScrollBar().value(), self.verticalScrollBar().value())
        index = self._layout.index_at(column.y(), self.scale)
        place = self._layout.rect(index, self.scale, self._column_width())
        offset = column - place.topLeft()
        return index, offset.x() / self.scale, offset.y() / self.scale

    def page_rect(self, number: int) -> QRectF:
        """Give the place of a page in the viewport."""
        place = self._layout.rect(number - 1, self.scale, self._column_width())
        return place.translated(-self.horizontalScrollBar().value(), -self.verticalScrollBar().value())

    def _follow_target(self, number: int) -> None:
        boxes = self._reader.words(number)
        if self._target is None or boxes is None:
            return
        rects = line_rects(boxes, *self._target)
        self._target = None
        if not rects:
            return
        x0, y0, x1, _ = rects[0]
        place = self._layout.rect(number - 1, self.scale, self._column_width())
        across, width = self.horizontalScrollBar(), self.viewport().width()
        left, right = place.left() + x0 * self.scale, place.left() + x1 * self.scale
        if not across.value() <= left <= right <= across.value() + width:
            across.setValue(round(left - MARGIN))
        y = place.top() + y0 * self.scale - self.viewport().height() * _REVEAL_SHARE
        self._glide.to(round(y))

    # --- selecting

    def select_page(self) -> None:
        """Choose the whole text of the page looked at."""
        page = self._reader.page(self._page)
        if page is not None:
            self.selection.choose(page.char_start, page.char_end)
            self.update_selection()

    def copy(self) -> None:
        """Ask for the chosen text to be copied."""
        if self.selection.range is not None:
            self.copy_requested.emit(self.selection.range)

    def update_selection(self) -> None:
        """Draw the selection as it is now."""
        self.marks.set_selected(self.selection.range)
        self.viewport().update()

    def words_of(self, number: int) -> tuple[tuple[int, int, float, float, float, float], ...]:
        """Give the words of a page, or none while they are not here."""
        return self._reader.words(number) or ()

    def _extend_selection(self, key: Qt.Key) -> bool:
        forward = key in (Qt.Key.Key_Right, Qt.Key.Key_Down)
        number = self._page if self.selection.anchor is None else self.page_of(self.selection.cursor)
        before = self.selection.cursor
        for page in (number, number + (1 if forward else -1)):
            boxes = self.words_of(page)
            if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
                self.selection.step_word(boxes, forward=forward)
            else:
                self.selection.step_line(boxes, forward=forward)
            if self.selection.cursor != before:
                break
        self.update_selection()
        return True

    # --- pictures

    def _visible(self) -> range:
        top = self.verticalScrollBar().value()
        return self._layout.visible(top, top + self.viewport().height(), self.scale)

    @Slot()
    def _want_pictures(self) -> None:
        shown = self._visible()
        if not len(shown) or self._render_timer.isActive():
            return
        scale = self._picture_scale()
        around = (shown.stop, shown.start - 1) if self._layout.max_pixels(scale) <= _NEIGHBOUR_PIXELS else ()
        wanted = [*shown, *(index for index in around if 0 <= index < len(self._layout))]
        middle = self._page - 1
        wanted.sort(key=lambda index: (index not in shown, abs(index - middle)))
        self._images.want([index + 1 for index in wanted], scale)

    def _picture_scale(self) -> float:
        """Give the pixels per point of the pictures: those of the screen, unless they would be too many."""
        return self._layout.scale_within(_MAX_PIXELS, self.scale * self.viewport().devicePixelRatioF())

    def _content(self, number: int) -> PageContent:
        boxes = self._reader.words(number)
        marks = self.marks.of_page(number, boxes) if boxes else PageMarks()
        image = self._images.image(number, self._picture_scale())
        page = self._reader.page(number)
        if self._images.failure(number) is None or image is not None or page is None:
            words = self.tr("Loading page {n} …").replace("{n}", str(number))
            return PageContent(number, image, marks, waiting_text=words)
        text = self._reader.page_text(number) or ""
        return PageContent(
            number, None, marks, fallback=True, boxes=boxes or (), text=text, text_start=page.char_start
        )

    # --- events of others

    @Slot()
    def _on_scrolled(self) -> None:
        if not len(self._layout):
            return
        at = self.verticalScrollBar().value() + self.viewport().height() * _REVEAL_SHARE
        number = self._layout.index_at(at, self.scale) + 1
        if self.verticalScrollBar().value() >= self.verticalScrollBar().maximum() > 0:
            number = self._visible()[-1] + 1
        if number != self._page:
            self._page = number
            self.current_page_changed.emit(number)
        self._want_timer.start()
        self.viewport().update()

    @Slot(int)
    def _on_page_changed(self, number: int) -> None:
        if number - 1 in self._visible():
            self.viewport().update()

    @Slot(int)
    def _on_words_ready(self, number: int) -> None:
        if self._target is not None and number == self.page_of(self._target[0]):
            self._follow_target(number)
        self._on_page_changed(number)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.viewport().update()

    # --- scroll bars

    def _column_width(self) -> float:
        return max(self._layout.width(self.scale), self.viewport().width())

    def _update_scroll_bars(self) -> None:
        room = self.viewport().size()
        n_pages = len(self._layout)
        height = self._layout.height(self.scale) if n_pages else 0
        width = self._layout.width(self.scale) if n_pages else 0
        down, across = self.verticalScrollBar(), self.horizontalScrollBar()
        down.setPageStep(room.height())
        down.setSingleStep(_LINE_STEP)
        down.setRange(0, max(0, round(height - room.height())))
        across.setPageStep(room.width())
        across.setSingleStep(_LINE_STEP)
        slack = 0 if self._fit is not Fit.NONE else round(width - room.width())
        across.setRange(0, max(0, slack))

    # --- Qt

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the pages that show."""
        with QPainter(self.viewport()) as painter:
            painter.fillRect(event.rect(), self._painter.surround())
            for index in self._visible():
                rect = self.page_rect(index + 1)
                if rect.toAlignedRect().intersects(event.rect().adjusted(-8, -8, 8, 8)):
                    self._painter.draw(painter, rect, self.scale, self._content(index + 1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the place on the page; zoom anew where the zoom follows the size."""
        del event
        self._apply_fit()
        self._update_scroll_bars()
        self._want_timer.start()

    def viewportEvent(self, event: QEvent) -> bool:
        """Draw anew for another screen's resolution."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._want_pictures()
        return super().viewportEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll, or zoom at the pointer with Ctrl."""
        self._glide.stop()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if steps := event.angleDelta().y():
                self.step_zoom(1 if steps > 0 else -1, event.position())
            event.accept()
            return
        super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll, select and copy by keys."""
        self._glide.stop()
        if not self._handle_key(event):
            super().keyPressEvent(event)

    def _handle_key(self, event: QKeyEvent) -> bool:
        key, shift = Qt.Key(event.key()), event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        arrows = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.matches(QKeySequence.StandardKey.SelectAll):
            self.select_page()
        elif shift and key in arrows:
            return self._extend_selection(key)
        elif key == Qt.Key.Key_Space:
            self._glide.by(round(self.verticalScrollBar().pageStep() * (-0.9 if shift else 0.9)))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.go_to_page(1 if key == Qt.Key.Key_Home else len(self._layout))
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and not self.horizontalScrollBar().maximum():
            self.go_to_page(self._page + (1 if key == Qt.Key.Key_Right else -1))
        elif key == Qt.Key.Key_Escape and self.selection.range is not None:
            self.selection.clear()
            self.update_selection()
        else:
            return False
        return True

    @property
    def chosen(self) -> Range | None:
        """The range that is chosen; None where none is."""
        return self.selection.range

    @Slot()
    def _on_reading_triggered(self) -> None:
        self.reading_requested.emit(self.selection.range)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to select."""
        self._glide.stop()
        self._mouse.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Select on, or show whether there is text under the pointer."""
        self._mouse.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End selecting."""
        self._mouse.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Select the word."""
        self._mouse.double_click(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer copying and selecting."""
        self.context_menu().popup(event.globalPos())

    def context_menu(self) -> QMenu:
        """Give a menu for the pages; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        copy = menu.addAction(self.tr("Copy"), self.copy)
        copy.setEnabled(self.selection.range is not None)
        aloud = menu.addAction(self.tr("Read selection aloud"), self._on_reading_triggered)
        aloud.setEnabled(self.selection.range is not None)
        menu.addAction(self.tr("Select all on this page"), self.select_page)
        return menu
