"""A message's text on the screen: selectable, as high as it needs, and unable to load anything."""

from collections.abc import Iterator, Sequence
from typing import Any

from PySide6.QtCore import (
    QEvent,
    QMimeData,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    QUrl,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QFont,
    QGuiApplication,
    QHelpEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTextBlock,
    QTextCursor,
    QTextDocument,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QMenu,
    QSizePolicy,
    QTextBrowser,
    QToolButton,
    QToolTip,
    QWidget,
)

from app.protocol.chat import Citation
from app.ui.chat.annotations import annotated
from app.ui.chat.citation_times import CitationTimes
from app.ui.chat.citation_words import citation_tooltip
from app.ui.chat.markdown_blocks import Block, parse
from app.ui.chat.rich_text import CODE_HEADER_HEIGHT, LIST_INDENT, QUOTE_INDENT, Property, RichTextWriter
from app.ui.chat.spoken_mark import SpokenMark
from app.ui.chat.spoken_places import ShownMarkdown, Span, source_range
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import bind_icon
from app.ui.theme import Theme
from app.ui.tokens import FONT_SMALL, RADIUS_M, SPACE_M

_FIRST_WIDTH = 600  # until the list tells the real one


class MessageText(QTextBrowser):
    """Shows one message; text that only grew is written on, not anew.

    Signals:
        citation_activated: index of the citation that was clicked or opened by keyboard.
        link_activated: the address (str) of a link; nothing is opened here.
        reading_requested: read the message aloud.
        selection_reading_requested: (text, code point of the message where it stands, or -1 where that
            cannot be told): read what is chosen aloud.
    """

    citation_activated = Signal(int)
    link_activated = Signal(str)
    reading_requested = Signal()
    selection_reading_requested = Signal(str, int)

    def __init__(
        self, theme: Theme, parent: QWidget | None = None, times: CitationTimes | None = None
    ) -> None:
        """Show nothing yet; without `times` citations of recordings are told without them."""
        super().__init__(parent)
        self._theme, self._times = theme, times
        self._text = ""
        self._citations: tuple[Citation, ...] = ()
        self._unsupported: tuple[tuple[int, int], ...] = ()
        self._blocks: list[tuple[Block, tuple[int, bool]]] = []
        self._copy_buttons: list[QToolButton] = []
        self._code_blocks: list[QTextBlock] = []
        self._is_plain = False
        self._spoken = SpokenMark(self, theme)
        self._set_up_view()
        self._writer = self._new_writer()
        theme.changed.connect(self._on_theme_changed)
        self.anchorClicked.connect(self._on_anchor_clicked)

    def _set_up_view(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setOpenLinks(False)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.setLineWrapMode(QTextBrowser.LineWrapMode.FixedPixelWidth)
        self.setLineWrapColumnOrWidth(_FIRST_WIDTH)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.viewport().setAutoFillBackground(False)
        self.setUndoRedoEnabled(False)
        self.document().setDocumentMargin(0)

    def _new_writer(self) -> RichTextWriter:
        self.document().clear()
        self.document().setDefaultFont(self.font())
        self.document().setIndentWidth(LIST_INDENT)
        self._blocks = []
        return RichTextWriter(self.document(), self._theme.palette)

    def set_markdown(
        self,
        text: str,
        citations: tuple[Citation, ...] = (),
        unsupported: tuple[tuple[int, int], ...] = (),
    ) -> None:
        """Show Markdown with citations as numbered links and unsupported ranges underlined with dots."""
        if (text, citations, unsupported) == (self._text, self._citations, self._unsupported):
            return
        self._is_plain = False
        source = annotated(text, citations, unsupported)
        before = annotated(self._text, self._citations, self._unsupported)
        if not (self._blocks and citations == self._citations and source.startswith(before)):
            self._writer = self._new_writer()
        self._writer.citations = citations
        self._text, self._citations, self._unsupported = text, citations, unsupported
        self._write_tail(source)
        self._after_writing()

    def set_plain(self, text: str) -> None:
        """Show text without markup."""
        self._text, self._citations, self._unsupported = text, (), ()
        self._is_plain, self._blocks = True, []
        self._writer = self._new_writer()
        self._writer.write_plain(text)
        self._after_writing()

    def set_spoken(self, spoken: Span | None) -> None:
        """Mark the sentence that is read aloud; a range of the text, or None.

        A range that begins where text is still to come is marked when it has come.
        """
        if spoken != self._spoken.wanted:
            self._spoken.wanted = spoken
            self._spoken.show(self._spoken_spans())

    def spoken_rect(self) -> QRect:
        """Give where the sentence that is read aloud stands, in pixels of this widget; empty: nowhere."""
        return self._spoken.rect()

    def chosen_source(self) -> tuple[str, int]:
        """Give the Markdown behind the chosen words and where it begins; -1 and plain words if unknown."""
        cursor = self.textCursor()
        chosen = cursor.selection().toPlainText()
        if not chosen.strip():
            return "", -1
        before = QTextCursor(self.document())
        before.setPosition(cursor.selectionStart(), QTextCursor.MoveMode.KeepAnchor)
        found = source_range(self._text, before.selection().toPlainText(), chosen)
        return (self._text[found[0] : found[1]], found[0]) if found else (chosen, -1)

    def _spoken_spans(self) -> list[Span]:
        wanted = self._spoken.wanted
        if wanted is None or wanted[0] >= wanted[1]:
            return []
        if self._is_plain:
            start, end = (_n_units(self._text[:place]) for place in wanted)
            return [(start, min(end, self.document().characterCount() - 1))]
        shown = ShownMarkdown(
            self._text,
            self._citations,
            self._unsupported,
            self._blocks,
            self.document(),
            self._theme.palette,
        )
        return shown.spans_of(wanted)

    def _write_tail(self, source: str) -> None:
        """Write the last block shown and what follows it; blocks before it cannot change by appending."""
        start = 0
        if self._blocks:
            last, mark = self._blocks.pop()
            start = last.start
            self._writer.rewind(mark)
        for block in parse(source[start:]):
            mark = self._writer.mark()
            self._writer.write(block)
            self._blocks.append((Block(start + block.start, block.source, block.tokens), mark))

    def height_for(self, width: int) -> int:
        """Give the height in pixels that the text needs at a width in pixels."""
        self._set_text_width(width)
        last = self.document().lastBlock()
        # A document ends with the text of its last block; the box around code reaches further.
        below = SPACE_M + 1 if _code_language(last) is not None else 0
        return int(self.document().size().height() + 0.999) + below

    def ideal_width(self, room: int) -> int:
        """Give the width of the longest line where `room` pixels are there at most."""
        self._set_text_width(room)
        return int(self.document().idealWidth() + 1.999)

    def _set_text_width(self, width: int) -> None:
        """Wrap at a width of our own: left alone, the view lays out anew for whatever its size is now."""
        if self.lineWrapColumnOrWidth() != width:
            self.setLineWrapColumnOrWidth(width)

    def _after_writing(self) -> None:
        self._code_blocks = [block for block in _blocks(self.document()) if _code_language(block) is not None]
        self._make_room_above()
        while len(self._copy_buttons) > len(self._code_blocks):
            self._copy_buttons.pop().deleteLater()
        while len(self._copy_buttons) < len(self._code_blocks):
            self._copy_buttons.append(self._new_copy_button())
        self._place_copy_buttons()
        self._spoken.show(self._spoken_spans())
        self.viewport().update()
        self.updateGeometry()

    def _make_room_above(self) -> None:
        """Leave room for the head of a code box at the very top: a first block's own margin is not kept."""
        first = self.document().begin()
        wanted = first.blockFormat().topMargin() if _code_language(first) is not None else 0.0
        frame = self.document().rootFrame()
        layout = frame.frameFormat()
        if layout.topMargin() != wanted:
            layout.setTopMargin(wanted)
            frame.setFrameFormat(layout)

    def _new_copy_button(self) -> QToolButton:
        button = QToolButton(self.viewport())
        button.setAccessibleName(self.tr("Copy this code"))
        button.setToolTip(self.tr("Copy this code"))
        button.setIconSize(QSize(14, 14))
        button.setCursor(Qt.CursorShape.ArrowCursor)
        bind_icon(button, "copy", self._theme)
        button.clicked.connect(self._on_copy_clicked)
        button.show()
        return button

    def _place_copy_buttons(self) -> None:
        for button, block in zip(self._copy_buttons, self._code_blocks, strict=True):
            box = self._code_box(block)
            size = button.sizeHint()
            top = int(box.top() + (CODE_HEADER_HEIGHT - size.height()) / 2)
            button.setGeometry(int(box.right()) - size.width() - 4, top + 1, size.width(), size.height())

    def _code_box(self, block: QTextBlock) -> QRectF:
        rect = self.document().documentLayout().blockBoundingRect(block)
        left = block.blockFormat().leftMargin() - SPACE_M
        top = rect.top() - CODE_HEADER_HEIGHT
        return QRectF(left, top, self.viewport().width() - left, rect.bottom() + SPACE_M - top)

    def _paint_backgrounds(self, painter: QPainter) -> None:
        palette = self._theme.palette
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for block in self._code_blocks:
            box = self._code_box(block).adjusted(0.5, 0.5, -0.5, -0.5)
            painter.setPen(QPen(QColor(palette.border), 1))
            painter.setBrush(QColor(palette.code))
            painter.drawRoundedRect(box, RADIUS_M, RADIUS_M)
            painter.setPen(QColor(palette.text_faint))
            font = QFont(self.font())
            font.setPointSizeF(font.pointSizeF() * FONT_SMALL)
            painter.setFont(font)
            header = QRectF(box.left() + SPACE_M, box.top(), box.width(), CODE_HEADER_HEIGHT)
            painter.drawText(header, Qt.AlignmentFlag.AlignVCenter, _code_language(block) or self.tr("code"))
        for block in _blocks(self.document()):
            self._paint_quote_bars(painter, block)
            self._paint_chips(painter, block)

    def _paint_quote_bars(self, painter: QPainter, block: QTextBlock) -> None:
        depth = _quote_depth(block)
        rect = self.document().documentLayout().blockBoundingRect(block)
        if block.blockFormat().boolProperty(Property.RULE):
            painter.fillRect(
                QRectF(0, rect.center().y(), self.viewport().width(), 1), self._theme.colour("border_strong")
            )
        joined = block.blockFormat().bottomMargin() if _quote_depth(block.next()) else 0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("border_strong"))
        for level in range(depth):
            painter.drawRect(QRectF(level * QUOTE_INDENT, rect.top(), 3, rect.height() + joined))

    def _paint_chips(self, painter: QPainter, block: QTextBlock) -> None:
        """Draw the rounded ground behind each citation number."""
        for start, length, index in _citation_spans(block):
            if index >= len(self._citations):
                continue
            verified = self._citations[index].verified
            line = block.layout().lineForTextPosition(start)
            if not line.isValid():
                continue
            origin = self.document().documentLayout().blockBoundingRect(block).topLeft()
            left = _cursor_x(line, start)
            right = _cursor_x(line, min(start + length, line.textStart() + line.textLength()))
            ascent = line.ascent()
            box = QRectF(origin.x() + left, origin.y() + line.y(), right - left, ascent + line.descent())
            box = box.adjusted(-0.5, 1, 0.5, 0)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent_soft" if verified else "warning_soft"))
            painter.drawRoundedRect(box, 4, 4)

    @Slot(QUrl)
    def _on_anchor_clicked(self, url: QUrl) -> None:
        address = url.toString()
        if address.startswith("cite:"):
            self.citation_activated.emit(int(address.removeprefix("cite:")))
        else:
            self.link_activated.emit(address)

    @Slot()
    def _on_copy_clicked(self) -> None:
        button = self.sender()
        assert isinstance(button, QToolButton)
        block = self._code_blocks[self._copy_buttons.index(button)]
        QGuiApplication.clipboard().setText(block.text().replace("\u2028", "\n"))
        bind_icon(button, "check", self._theme, "ok")

    @Slot()
    def _on_theme_changed(self) -> None:
        text, citations, unsupported = self._text, self._citations, self._unsupported
        if self._is_plain:
            self.set_plain(text)
            return
        self._text, self._writer = "", self._new_writer()
        self.set_markdown(text, citations, unsupported)

    def tooltip_at(self, position: QPoint) -> str:
        """Give the words for what is under a position of the viewport; empty where there are none."""
        address = self.anchorAt(position)
        if address.startswith("cite:"):
            citation = self._citations[int(address.removeprefix("cite:"))]
            return citation_tooltip(citation, self._times.time_of(citation) if self._times else None)
        if address:
            return address
        cursor = self.cursorForPosition(position)
        if cursor.charFormat().boolProperty(Property.UNSUPPORTED):
            return self.tr("No passage of your documents supports this sentence.")
        return ""

    def context_menu(self, position: QPoint) -> QMenu:
        """Make the menu for a position of the viewport."""
        menu = self.createStandardContextMenu(position)
        first = menu.actions()[0]
        whole = QAction(self.tr("Read aloud"), menu)
        chosen = QAction(self.tr("Read selection aloud"), menu)
        for action in (whole, chosen):
            bind_icon(action, "read-aloud", self._theme)
        whole.setEnabled(bool(self._text.strip()))
        chosen.setEnabled(self.textCursor().hasSelection())
        whole.triggered.connect(self.reading_requested)
        chosen.triggered.connect(self.read_selection)
        menu.insertActions(first, [whole, chosen])
        menu.insertSeparator(first)
        return menu

    @Slot()
    def read_selection(self) -> None:
        """Ask for the chosen words to be read aloud; nothing where none are."""
        words, start = self.chosen_source()
        if words:
            self.selection_reading_requested.emit(words, start)

    # Qt overrides

    def contextMenuEvent(self, event: QContextMenuEvent, /) -> None:
        """Offer to read aloud, beside what text always offers."""
        menu = self.context_menu(event.pos())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def loadResource(self, kind: int, name: QUrl | str, /) -> Any:
        """Load nothing: a message has no resource of its own, and none of the world's is wanted."""
        return None

    def event(self, event: QEvent, /) -> bool:
        """Show our own tooltips, as plain text."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            words = self.tooltip_at(self.viewport().mapFrom(self, event.pos()))
            QToolTip.showText(event.globalPos(), plain_tooltip(words), self)
            return True
        return super().event(event)

    def viewportEvent(self, event: QEvent, /) -> bool:
        """See `event`; tooltips of a scroll area arrive here."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), plain_tooltip(self.tooltip_at(event.pos())), self)
            return True
        return super().viewportEvent(event)

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Paint grounds of code, quotes and citations, then the text."""
        with QPainter(self.viewport()) as painter:
            self._paint_backgrounds(painter)
        super().paintEvent(event)

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Keep copy buttons at the right edge."""
        super().resizeEvent(event)
        self._place_copy_buttons()

    def wheelEvent(self, event: QWheelEvent, /) -> None:
        """Leave scrolling to the list of messages."""
        event.ignore()

    def createMimeDataFromSelection(self) -> QMimeData:
        """Copy as plain text: pasted elsewhere, colours of this window would only disturb."""
        data = QMimeData()
        data.setText(self.textCursor().selection().toPlainText())
        return data


def _n_units(text: str) -> int:
    """Give how many positions of a document a text takes: Qt counts UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def _code_language(block: QTextBlock) -> str | None:
    layout = block.blockFormat()
    return layout.stringProperty(Property.CODE) if layout.hasProperty(Property.CODE) else None


def _quote_depth(block: QTextBlock) -> int:
    return block.blockFormat().intProperty(Property.QUOTE_DEPTH) if block.isValid() else 0


def _citation_spans(block: QTextBlock) -> Sequence[tuple[int, int, int]]:
    """Give (start in block, length, citation index) of each citation number in a block."""
    spans = []
    fragments = block.begin()
    while not fragments.atEnd():
        fragment = fragments.fragment()
        formatted = fragment.charFormat()
        if formatted.hasProperty(Property.CITATION):
            start = fragment.position() - block.position()
            spans.append((start, fragment.length(), formatted.intProperty(Property.CITATION)))
        fragments += 1
    return spans


def _cursor_x(line: Any, position: int) -> float:
    """Give the x of a text position in a line (PySide gives a pair of it and the position)."""
    x = line.cursorToX(position)
    return float(x[0] if isinstance(x, tuple) else x)
