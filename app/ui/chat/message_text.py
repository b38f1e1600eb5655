"""A message's text on the screen: selectable, as high as it needs, and unable to load anything."""

from typing import Any

from PySide6.QtCore import (
    QEvent,
    QMimeData,
    QPoint,
    QRect,
    QSize,
    Qt,
    QUrl,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QGuiApplication,
    QHelpEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextCursor,
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
from app.ui.chat.markdown_tokens import Block, parse
from app.ui.chat.rich_text import RichTextWriter
from app.ui.chat.spoken_mark import SpokenMark
from app.ui.chat.spoken_places import ShownMarkdown, Span, source_range
from app.ui.chat.text_grounds import TextGrounds, code_language
from app.ui.chat.text_properties import CODE_HEADER_HEIGHT, LIST_INDENT, Property
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import bind_icon
from app.ui.theme import Theme
from app.ui.tokens import SPACE_M

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
        self._grounds = TextGrounds(self, theme)
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
        self._writer.inline.citations = citations
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
        below = SPACE_M + 1 if code_language(last) is not None else 0
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
        self._grounds.update()
        self._make_room_above()
        while len(self._copy_buttons) > len(self._grounds.code_blocks):
            self._copy_buttons.pop().deleteLater()
        while len(self._copy_buttons) < len(self._grounds.code_blocks):
            self._copy_buttons.append(self._new_copy_button())
        self._place_copy_buttons()
        self._spoken.show(self._spoken_spans())
        self.viewport().update()
        self.updateGeometry()

    def _make_room_above(self) -> None:
        """Leave room for the head of a code box at the very top: a first block's own margin is not kept."""
        first = self.document().begin()
        wanted = first.blockFormat().topMargin() if code_language(first) is not None else 0.0
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
        for button, block in zip(self._copy_buttons, self._grounds.code_blocks, strict=True):
            box = self._grounds.code_box(block)
            size = button.sizeHint()
            top = int(box.top() + (CODE_HEADER_HEIGHT - size.height()) / 2)
            button.setGeometry(int(box.right()) - size.width() - 4, top + 1, size.width(), size.height())

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
        block = self._grounds.code_blocks[self._copy_buttons.index(button)]
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
            self._grounds.paint(painter, self._citations)
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
