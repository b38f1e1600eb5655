"""Write Markdown blocks into a QTextDocument, format by format: without HTML, nothing can be loaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFrameFormat,
    QTextListFormat,
    QTextTableCellFormat,
    QTextTableFormat,
)

from app.ui.chat.annotations import without_annotations
from app.ui.chat.code_colours import coloured
from app.ui.chat.inline_text import InlineWriter
from app.ui.chat.markdown_tokens import Block
from app.ui.chat.text_properties import CODE_HEADER_HEIGHT, LIST_INDENT, QUOTE_INDENT, Property
from app.ui.tokens import SPACE_M, SPACE_S, Palette

if TYPE_CHECKING:
    from markdown_it.token import Token

_LINE_HEIGHT_PERCENT = 130.0
_MAX_LIST_DEPTH = 8
_HEADING_SIZES = {1: 1.4, 2: 1.25, 3: 1.12}


@dataclass(frozen=True)
class _Place:
    """Where a block stands: inside which lists and quotes."""

    list_depth: int = 0
    quote_depth: int = 0
    marker: QTextListFormat | None = None


class RichTextWriter:
    """Writes blocks at the end of a document and can take them away again from any block on.

    Attributes:
        inline: writes what stands inside a block; knows the citations and where marked sentences stand.
    """

    def __init__(self, document: QTextDocument, palette: Palette) -> None:
        """Write into `document`, which should be empty."""
        self._document = document
        self._palette = palette
        self._font = document.defaultFont()
        self._fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self._fixed.setPointSizeF(self._font.pointSizeF() * 0.95)
        self.inline = InlineWriter(palette, self._font, self._fixed)
        self._cursor = QTextCursor(document)
        self._blank = True  # the block under the cursor has nothing in it yet

    def mark(self) -> tuple[int, bool]:
        """Give the present end, for `rewind`."""
        return self._document.characterCount() - 1, self._blank

    def rewind(self, mark: tuple[int, bool]) -> None:
        """Take away everything written after `mark`."""
        position, self._blank = mark
        self._cursor.setPosition(position)
        self._cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        self._cursor.removeSelectedText()

    def write_plain(self, text: str) -> None:
        """Write text without markup."""
        self._start_block(_Place())
        layout = QTextBlockFormat(self._cursor.blockFormat())
        layout.setBottomMargin(0)
        self._cursor.setBlockFormat(layout)
        self._cursor.insertText(text.replace("\n", "\u2028"), self._text_format())

    def write(self, block: Block) -> None:
        """Write one top-level block."""
        self._cursor.movePosition(QTextCursor.MoveOperation.End)
        self._write_tokens(list(block.tokens), _Place())

    def _write_tokens(self, tokens: "list[Token]", place: _Place) -> None:
        """Write block tokens that stand side by side."""
        for children, opening in _siblings(tokens):
            kind = opening.type
            if kind in ("fence", "code_block"):
                self._write_code(opening, place)
            elif kind == "hr":
                self._write_rule(place)
            elif kind == "paragraph_open":
                self._write_paragraph(children, place, 0)
            elif kind == "heading_open":
                self._write_paragraph(children, place, int(opening.tag[1]))
            elif kind == "blockquote_open":
                self._write_tokens(children, replace(place, quote_depth=place.quote_depth + 1))
            elif kind in ("bullet_list_open", "ordered_list_open"):
                self._write_list(opening, children, place)
            elif kind == "table_open":
                self._write_table(children, place)

    def _write_paragraph(self, children: "list[Token]", place: _Place, level: int) -> None:
        self._start_block(place, level)
        formatted = self._text_format()
        if level:
            formatted.setFontWeight(QFont.Weight.DemiBold)
            formatted.setFontPointSize(self._font.pointSizeF() * _HEADING_SIZES.get(level, 1.0))
        if place.quote_depth:
            formatted.setForeground(QColor(self._palette.text_muted))
        for token in children:
            self.inline.write(self._cursor, token, formatted)

    def _write_list(self, opening: "Token", children: "list[Token]", place: _Place) -> None:
        depth = min(place.list_depth + 1, _MAX_LIST_DEPTH)
        number = int(opening.attrs.get("start", 1)) if opening.type == "ordered_list_open" else None
        for item, _ in _siblings(children):
            marker = QTextListFormat()
            marker.setIndent(depth)
            if number is None:
                marker.setStyle(_BULLETS[(depth - 1) % len(_BULLETS)])
            else:
                marker.setStyle(QTextListFormat.Style.ListDecimal)
                marker.setStart(number)
                number += 1
            self._write_item(item, _Place(depth, place.quote_depth), marker)
        if depth == 1:
            layout = QTextBlockFormat(self._cursor.blockFormat())
            layout.setBottomMargin(SPACE_M)
            self._cursor.setBlockFormat(layout)

    def _write_item(self, item: "list[Token]", inside: _Place, marker: QTextListFormat) -> None:
        parts = list(_siblings(item))
        if not parts or parts[0][1].type != "paragraph_open":
            self._start_block(replace(inside, marker=marker))  # an item that begins with no line of its own
            self._write_tokens(item, inside)
            return
        self._write_paragraph(parts[0][0], replace(inside, marker=marker), 0)
        for content, token in parts[1:]:
            self._write_tokens([token, *content, _closing(token)] if token.nesting else [token], inside)

    def _write_code(self, token: "Token", place: _Place) -> None:
        code = without_annotations(token.content.rstrip("\n"))
        language = token.info.strip().split()[0][:40] if token.info.strip() else ""
        self._start_block(place)
        layout = QTextBlockFormat(self._cursor.blockFormat())
        layout.setProperty(Property.CODE, language)
        layout.setLeftMargin(layout.leftMargin() + place.list_depth * LIST_INDENT + SPACE_M)
        layout.setRightMargin(SPACE_M)
        layout.setTopMargin(CODE_HEADER_HEIGHT + SPACE_S)
        layout.setBottomMargin(SPACE_M + SPACE_S)
        layout.setIndent(0)
        self._cursor.setBlockFormat(layout)
        self._make_room_under_table()
        for piece, colour in coloured(code, language, self._palette):
            formatted = self._text_format()
            formatted.setFont(
                self._fixed, QTextCharFormat.FontPropertiesInheritanceBehavior.FontPropertiesAll
            )
            formatted.setForeground(QColor(colour or self._palette.text))
            self._cursor.insertText(piece.replace("\n", "\u2028"), formatted)

    def _make_room_under_table(self) -> None:
        """Leave room for the head of a code box: a block's own margin is not kept right under a table."""
        table = QTextCursor(self._cursor.block().previous()).currentTable()
        if table is not None:
            layout = QTextTableFormat(table.format().toTableFormat())
            layout.setBottomMargin(CODE_HEADER_HEIGHT + SPACE_S)
            table.setFormat(layout)

    def _write_rule(self, place: _Place) -> None:
        self._start_block(place)
        layout = QTextBlockFormat(self._cursor.blockFormat())
        layout.setProperty(Property.RULE, True)
        self._cursor.setBlockFormat(layout)

    def _write_table(self, tokens: "list[Token]", place: _Place) -> None:
        rows = list(_table_rows(tokens))
        if not rows:
            return
        self._start_block(place)
        layout = QTextTableFormat()
        layout.setBorder(1)
        layout.setBorderCollapse(True)
        layout.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        layout.setBorderBrush(QColor(self._palette.border_strong))
        layout.setCellPadding(6)
        layout.setCellSpacing(0)
        layout.setTopMargin(SPACE_S)
        layout.setBottomMargin(SPACE_S)
        layout.setLeftMargin(place.list_depth * LIST_INDENT)
        n_columns = max(len(row) for row in rows)
        table = self._cursor.insertTable(len(rows), n_columns, layout)
        for number, row in enumerate(rows):
            for column, (token, alignment) in enumerate(row):
                cell = table.cellAt(number, column)
                self._write_cell(cell.firstCursorPosition(), token, alignment, header=number == 0)
                if number == 0:
                    shading = QTextTableCellFormat()
                    shading.setBackground(QColor(self._palette.code))
                    cell.setFormat(shading)
        self._cursor = QTextCursor(self._document)
        self._cursor.movePosition(QTextCursor.MoveOperation.End)
        self._cursor.setBlockFormat(self._block_format(_Place(), 0))
        self._blank = True

    def _write_cell(
        self, cursor: QTextCursor, token: "Token", alignment: Qt.AlignmentFlag, *, header: bool
    ) -> None:
        layout = QTextBlockFormat()
        layout.setAlignment(alignment)
        cursor.setBlockFormat(layout)
        formatted = self._text_format()
        if header:
            formatted.setFontWeight(QFont.Weight.DemiBold)
        self.inline.write(cursor, token, formatted)

    def _start_block(self, place: _Place, level: int = 0) -> None:
        layout = self._block_format(place, level)
        if self._blank:
            self._cursor.setBlockFormat(layout)
        else:
            self._cursor.insertBlock(layout, self._text_format())
        self._blank = False
        if (listed := self._cursor.currentList()) is not None:
            listed.remove(self._cursor.block())
            self._cursor.setBlockFormat(layout)
        if place.marker is not None:
            self._cursor.createList(place.marker)

    def _block_format(self, place: _Place, level: int) -> QTextBlockFormat:
        layout = QTextBlockFormat()
        layout.setLineHeight(_LINE_HEIGHT_PERCENT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        layout.setBottomMargin(4 if place.list_depth else SPACE_S)
        if level:
            layout.setTopMargin(SPACE_S)
            layout.setHeadingLevel(level)
        if place.marker is None and place.list_depth:
            layout.setIndent(place.list_depth)
        if place.quote_depth:
            layout.setLeftMargin(QUOTE_INDENT * place.quote_depth)
            layout.setProperty(Property.QUOTE_DEPTH, place.quote_depth)
        return layout

    def _text_format(self) -> QTextCharFormat:
        formatted = QTextCharFormat()
        formatted.setFont(self._font)
        formatted.setForeground(QColor(self._palette.text))
        return formatted


_BULLETS = (
    QTextListFormat.Style.ListDisc,
    QTextListFormat.Style.ListCircle,
    QTextListFormat.Style.ListSquare,
)
_ALIGNMENTS = {"right": Qt.AlignmentFlag.AlignRight, "center": Qt.AlignmentFlag.AlignHCenter}


def _siblings(tokens: "Sequence[Token]") -> "Iterator[tuple[list[Token], Token]]":
    """Give each token of the top level with those that it encloses, without its closing one."""
    depth, opening, inside = 0, None, []
    for token in tokens:
        if depth == 0 and token.nesting == 0:
            yield [], token
            continue
        if depth == 0:
            opening = token
        elif depth > 1 or token.nesting >= 0:
            inside.append(token)
        depth += token.nesting
        if depth == 0 and opening is not None:
            yield inside, opening
            inside = []


def _closing(opening: "Token") -> "Token":
    from markdown_it.token import Token

    return Token(opening.type.replace("_open", "_close"), opening.tag, -1)


def _table_rows(tokens: "Sequence[Token]") -> "Iterator[list[tuple[Token, Qt.AlignmentFlag]]]":
    row: list[tuple[Token, Qt.AlignmentFlag]] = []
    alignment = Qt.AlignmentFlag.AlignLeft
    for token in tokens:
        if token.type in ("th_open", "td_open"):
            style = str(token.attrs.get("style", ""))
            alignment = _ALIGNMENTS.get(style.removeprefix("text-align:"), Qt.AlignmentFlag.AlignLeft)
        elif token.type == "inline":
            row.append((token, alignment))
        elif token.type == "tr_close":
            yield row
            row = []
