"""The view of a document's stored text, with the same marks by offsets as the pages."""

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QFont,
    QFontDatabase,
    QKeyEvent,
    QMouseEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QFrame, QMenu, QPlainTextEdit, QTextEdit, QWidget

from app.protocol.documents import DocumentInfo
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.tokens import SPACE_M
from app.ui.viewer.document_reader import DocumentReader
from app.ui.viewer.glide import Glide
from app.ui.viewer.loaded_text import LoadedText
from app.ui.viewer.marks import Range
from app.ui.viewer.page_layout import page_of
from app.ui.viewer.zoom import Fit, clamped, stepped

_REVEAL_SHARE = 1 / 3
_COLUMN_CHARS = 92
_MIN_MARGIN = 20
_MONOSPACE = frozenset({"code", "csv", "tsv", "json", "xml", "yaml", "log", "source", "spreadsheet", "xlsx"})
_UNWRAPPED = frozenset({"code", "csv", "tsv", "source", "xlsx", "spreadsheet"})
_LINE_HEIGHTS_NEAR = 120
_MIN_LINES = 3


class TextView(QPlainTextEdit):
    """Shows the text as it was read.

    Signals:
        current_page_changed: number of the page looked at, where the document has pages.
        zoom_changed: the zoom factor.
        part_changed: which part of a very long text shows: (index from 1, number of parts).
        load_failed: AppError.
        reading_requested: (start, end) of the text to read aloud.
        place_activated: code point that was clicked, or asked for by key or menu, while `plays_places`.

    Attributes:
        plays_places: the text is a transcript, and its places can be played.
    """

    current_page_changed = Signal(int)
    zoom_changed = Signal(float)
    part_changed = Signal(int, int)
    load_failed = Signal(object)
    reading_requested = Signal(object)
    place_activated = Signal(int)

    def __init__(
        self, reader: DocumentReader, tasks: TaskSpawner, theme: Theme, parent: QWidget | None = None
    ) -> None:
        """Create an empty view."""
        super().__init__(parent)
        self._theme = theme
        self._loaded = LoadedText(self.document(), reader, tasks, self)
        self._page, self._zoom = 0, 1.0
        self._target: Range | None = None
        self._cited: Range | None = None
        self._heard: Range | None = None
        self._follows, self._is_following = True, False
        self._pressed_at: QPoint | None = None
        self._room_at_left = 0
        self.plays_places = False
        self._matches: tuple[Range, ...] = ()
        self._current = -1
        self._glide = Glide(self.verticalScrollBar(), _MIN_LINES)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setCornerWidget(QWidget(self))
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setAccessibleName(self.tr("Text of the document"))
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self._loaded.grew.connect(self._on_text_grew)
        self._loaded.ended.connect(self._on_text_ended)
        self._loaded.failed.connect(self.load_failed)
        theme.changed.connect(self._on_theme_changed)

    @property
    def page(self) -> int:
        """Number of the page looked at; 0 where the document has none."""
        return self._page

    @property
    def zoom(self) -> float:
        """The zoom factor of the text's size."""
        return self._zoom

    @property
    def is_loaded(self) -> bool:
        """Whether the part that shows is here to its end."""
        return self._loaded.is_complete

    def show_document(self, info: DocumentInfo, at: int = 0) -> None:
        """Load a document's text, around code point `at` where it is very long."""
        self._page = 0
        self._loaded.open(info)
        self._target = self._cited = self._heard = None
        self._matches, self._current = (), -1
        monospace = info.format in _MONOSPACE
        wrapped = info.format not in _UNWRAPPED
        mode = QPlainTextEdit.LineWrapMode
        self.setLineWrapMode(mode.WidgetWidth if wrapped else mode.NoWrap)
        self._set_font(monospace=monospace)
        self._load_part(self._loaded.part_of(at))

    def clear_document(self) -> None:
        """Show nothing; what is being loaded is dropped."""
        self._loaded.forget()
        self.setExtraSelections([])
        self.clear()

    # --- parts of a very long text

    @property
    def part(self) -> int:
        """The part that shows, from 0."""
        return self._loaded.part

    def show_part(self, part: int) -> None:
        """Show another part from its beginning."""
        if self._loaded.info is not None:
            self._target = None
            self._load_part(min(max(part, 0), self._loaded.n_parts - 1))

    def _load_part(self, part: int) -> None:
        self._glide.stop()
        self.setExtraSelections([])
        self.clear()
        self._loaded.load(part)
        self.part_changed.emit(part + 1, self._loaded.n_parts)

    @Slot()
    def _on_text_grew(self) -> None:
        if self._target is not None and self._target[1] <= self._loaded.offsets.end:
            self._mark()
            self._scroll_to_target()

    @Slot()
    def _on_text_ended(self) -> None:
        self._mark()
        self._on_scrolled()

    # --- marks

    def set_cited(self, cited: Range | None) -> None:
        """Mark the words of a citation."""
        self._cited = cited
        self._mark()

    def set_matches(self, matches: tuple[Range, ...], current: int) -> None:
        """Mark the matches of a search and the one looked at."""
        self._matches, self._current = matches, current
        self._mark()

    def set_heard(self, heard: Range | None) -> None:
        """Mark the line of a transcript that is heard, and keep it in view unless the user scrolled away."""
        if heard != self._heard:
            self._heard = heard
            self._mark()
            if heard is not None and self._follows:
                self._follow(heard)

    def follow_again(self) -> None:
        """Keep what is heard in view from now on."""
        self._follows = True

    def _follow(self, heard: Range) -> None:
        if not self._loaded.has(heard) or self._shows(heard):
            return
        self._is_following = True
        chosen = self.textCursor()
        self._target = heard
        self._scroll_to_target()
        if chosen.hasSelection():
            value = self.verticalScrollBar().value()
            self.setTextCursor(chosen)
            self.verticalScrollBar().setValue(value)

    def _shows(self, wanted: Range) -> bool:
        """Tell whether a range is in view to its end, or fills the view."""
        cursor = self._loaded.cursor(wanted)
        end = self.cursorRect(cursor)
        cursor.setPosition(cursor.selectionStart())
        start = self.cursorRect(cursor)
        return start.top() >= 0 and (end.bottom() <= self.viewport().height() or start.top() < end.height())

    def _mark(self) -> None:
        quiet, active = QTextCharFormat(), QTextCharFormat()
        quiet.setBackground(self._theme.colour("highlight"))
        active.setBackground(self._theme.colour("highlight_active"))
        active.setForeground(self._theme.colour("on_highlight"))
        heard = QTextCharFormat()
        heard.setBackground(self._theme.colour("accent_soft"))
        selections = [self._selection(self._heard, heard)] if self._heard is not None else []
        selections += [
            self._selection(match, quiet) for i, match in enumerate(self._matches) if i != self._current
        ]
        if self._cited is not None:
            selections.append(self._selection(self._cited, active))
        if 0 <= self._current < len(self._matches):
            outlined = QTextCharFormat(active)
            outlined.setFontUnderline(True)
            selections.append(self._selection(self._matches[self._current], outlined))
        self.setExtraSelections([s for s in selections if s is not None])

    def _selection(self, marked: Range, look: QTextCharFormat) -> QTextEdit.ExtraSelection | None:
        if marked[1] <= self._loaded.offsets.start or marked[0] >= self._loaded.offsets.end:
            return None
        selection = QTextEdit.ExtraSelection()
        selection.cursor = self._loaded.cursor(marked)
        selection.format = look
        return selection

    @property
    def chosen(self) -> Range | None:
        """The range that is chosen; None where none is."""
        cursor = self.textCursor()
        if not cursor.hasSelection():
            return None
        positions = cursor.selectionStart(), cursor.selectionEnd()
        return self._loaded.offsets.to_offset(positions[0]), self._loaded.offsets.to_offset(positions[1])

    def context_menu(self, position: QPoint) -> QMenu:
        """Make the menu for a position of the viewport."""
        menu = self.createStandardContextMenu(position)
        first = menu.actions()[0]
        aloud = QAction(self.tr("Read selection aloud"), menu)
        aloud.setEnabled(self.chosen is not None)
        aloud.triggered.connect(self._on_reading_triggered)
        menu.insertAction(first, aloud)
        if self.plays_places:
            self._menu_offset = self._loaded.offsets.to_offset(self.cursorForPosition(position).position())
            here = QAction(self.tr("Play from here"), menu)
            here.triggered.connect(self._on_play_triggered)
            menu.insertAction(aloud, here)
        menu.insertSeparator(first)
        return menu

    @Slot()
    def _on_reading_triggered(self) -> None:
        self.reading_requested.emit(self.chosen)

    @Slot()
    def _on_play_triggered(self) -> None:
        self.place_activated.emit(self._menu_offset)

    # --- places

    def visible_paragraphs(self) -> list[tuple[Range, int, int]]:
        """Give the range of each paragraph that shows, with top and height of its first line in pixels."""
        found = []
        block, shift = self.firstVisibleBlock(), self.contentOffset()
        while block.isValid():
            top = self.blockBoundingGeometry(block).translated(shift).top()
            if top > self.viewport().height():
                break
            start, end = block.position(), block.position() + block.length()
            line = block.layout().lineAt(0)
            height = line.height() if line.isValid() else self.fontMetrics().height()
            ends = self._loaded.offsets.to_offset(start), self._loaded.offsets.to_offset(end)
            found.append((ends, round(top), round(height)))
            block = block.next()
        return found

    def set_room_at_left(self, pixels: int) -> None:
        """Keep so much room left of the text for what stands beside it."""
        self._room_at_left = pixels
        self._update_margins()

    def reveal(self, target: Range, page: int | None = None) -> None:
        """Scroll until a range stands at a third of the height, as soon as it is loaded."""
        del page  # offsets suffice here
        self._target = target
        if self._loaded.info is None:
            return
        if self._loaded.part_of(target[0]) != self.part:
            self._load_part(self._loaded.part_of(target[0]))
        elif self._loaded.can_show(target):
            self._scroll_to_target()

    def go_to_page(self, number: int) -> None:
        """Show the beginning of a page."""
        if self._loaded.info is not None and self._loaded.info.pages:
            index = min(max(number, 1), len(self._loaded.info.pages)) - 1
            start = self._loaded.info.pages[index].char_start
            self.reveal((start, start))

    def top_offset(self) -> int:
        """Give the first character that shows."""
        return self._loaded.offsets.to_offset(self.firstVisibleBlock().position())

    def _scroll_to_target(self) -> None:
        assert self._target is not None
        start, self._target = self._loaded.cursor(self._target), None
        start.setPosition(start.selectionStart())
        caret = QTextCursor(start)
        self.setTextCursor(caret)  # scrolls so that it shows, and lays out the text around it
        line_height = max(1, self.fontMetrics().lineSpacing())
        wanted = self.viewport().height() * _REVEAL_SHARE
        lines = round((self.cursorRect(start).top() - wanted) / line_height)
        bar = self.verticalScrollBar()
        if abs(lines) < _LINE_HEIGHTS_NEAR:
            self._glide.to(bar.value() + lines)
        else:
            bar.setValue(bar.value() + lines)

    @Slot()
    def _on_scrolled(self) -> None:
        self._note_scrolling()
        if self._loaded.info is None or not self._loaded.info.pages:
            return
        bar = self.verticalScrollBar()
        at_end = self.is_loaded and bar.value() >= bar.maximum() > 0
        position = self.document().characterCount() - 1 if at_end else self._top_position()
        number = page_of(self._loaded.info.pages, self._loaded.offsets.to_offset(position))
        if number != self._page:
            self._page = number
            self.current_page_changed.emit(number)

    def _note_scrolling(self) -> None:
        """Follow what is heard no longer once the user scrolled it out of view; again when it is back."""
        if self._is_following:
            self._is_following = self._glide.is_running
        elif self._heard is not None:
            self._follows = self._shows(self._heard)

    def _top_position(self) -> int:
        point = self.viewport().rect().topLeft()
        point.setY(round(self.viewport().height() * _REVEAL_SHARE))
        return self.cursorForPosition(point).position()

    # --- size

    @property
    def fit(self) -> Fit:
        """Always Fit.NONE: text flows, it is not fitted."""
        return Fit.NONE

    def set_zoom(self, zoom: float) -> None:
        """Set the size of the text."""
        self._zoom = clamped(zoom)
        self._set_font(monospace=self._loaded.info is not None and self._loaded.info.format in _MONOSPACE)
        self.zoom_changed.emit(self._zoom)

    def step_zoom(self, steps: int) -> None:
        """Make the text larger (positive) or smaller by steps."""
        self.set_zoom(stepped(self._zoom, steps))

    def _set_font(self, *, monospace: bool) -> None:
        parent = self.parentWidget()
        base = parent.font() if parent else QFont()
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont) if monospace else QFont(base)
        font.setPointSizeF(max(4.0, base.pointSizeF() * 1.05 * self._zoom))
        self.setFont(font)
        self._update_margins()

    def _update_margins(self) -> None:
        side = _MIN_MARGIN
        if self.lineWrapMode() == QPlainTextEdit.LineWrapMode.WidgetWidth:
            column = self.fontMetrics().averageCharWidth() * _COLUMN_CHARS
            side = max(side, (self.width() - column) // 2)
        self.setViewportMargins(max(side, self._room_at_left), SPACE_M, side, 0)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.set_zoom(self._zoom)  # a new style sheet takes the font back
        self._mark()

    # --- Qt

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer to read aloud, beside what text always offers."""
        menu = self.context_menu(event.pos())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the column readable, and what is heard in view."""
        follows = self._follows
        super().resizeEvent(event)
        self._update_margins()
        self._follows = follows
        if self._heard is not None and follows:
            self._follow(self._heard)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Remember where a click begins."""
        super().mousePressEvent(event)
        is_left = event.button() == Qt.MouseButton.LeftButton
        self._pressed_at = event.position().toPoint() if is_left else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Play a transcript from the word that was clicked; choosing words is no click."""
        super().mouseReleaseEvent(event)
        pressed, self._pressed_at = self._pressed_at, None
        place = event.position().toPoint()
        if pressed is None or not self.plays_places or self.textCursor().hasSelection():
            return
        if (place - pressed).manhattanLength() < QApplication.startDragDistance():
            self._activate(self.cursorForPosition(place))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Play a transcript from the text cursor with Enter."""
        if self.plays_places and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._activate(self.textCursor())
            return
        super().keyPressEvent(event)

    def _activate(self, cursor: QTextCursor) -> None:
        self.place_activated.emit(self._loaded.offsets.to_offset(cursor.position()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll, or change the size with Ctrl."""
        self._glide.stop()
        self._is_following = False
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if steps := event.angleDelta().y():
                self.step_zoom(1 if steps > 0 else -1)
            event.accept()
            return
        super().wheelEvent(event)
