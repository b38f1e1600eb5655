"""Write what stands inside a block of Markdown: emphasis, code, links, citations, marks of sentences."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QColor, QFont, QTextCharFormat, QTextCursor

from app.protocol.chat import Citation
from app.ui.chat.annotations import MARK, without_annotations
from app.ui.chat.links import is_openable
from app.ui.chat.text_properties import Property
from app.ui.tokens import Palette

if TYPE_CHECKING:
    from markdown_it.token import Token


@dataclass
class _Inline:
    """Formats in force within one run of text."""

    stack: list[QTextCharFormat]
    unsupported: bool = False
    hidden_href: list[str] = field(default_factory=list)


class InlineWriter:
    """Writes into the block under a cursor.

    Attributes:
        citations: what the marks `⸨cN⸩` refer to; set before writing.
        spoken: positions in the document where `⸨r⸩` and `⸨q⸩` stood; equal where none did.
    """

    def __init__(self, palette: Palette, font: QFont, fixed: QFont) -> None:
        """Write in these colours, sizes and, for code, letters of equal width."""
        self._palette, self._font, self._fixed = palette, font, fixed
        self._cursor = QTextCursor()
        self.citations: Sequence[Citation] = ()
        self.spoken = (0, 0)

    def write(self, cursor: QTextCursor, token: "Token", base: QTextCharFormat) -> None:
        """Write the children of a token at a cursor; `base` is the format of plain text there."""
        self._cursor = cursor
        state = _Inline([base])
        for child in token.children or ():
            kind = child.type
            if kind == "text":
                self._insert(child.content, state)
            elif kind == "code_inline":
                self._insert_code(child.content, state)
            elif kind == "softbreak":
                self._cursor.insertText(" ", state.stack[-1])
            elif kind == "hardbreak":
                self._cursor.insertText("\u2028", state.stack[-1])
            else:
                self._write_span(child, state)

    def _write_span(self, token: "Token", state: _Inline) -> None:
        if token.type == "image":
            self._insert_blocked_image(token, state)
        elif token.type == "link_open":
            self._open_link(str(token.attrs.get("href", "")), state)
        elif token.type == "link_close":
            self._close_link(state)
        elif token.nesting > 0:
            state.stack.append(_emphasised(state.stack[-1], token.type))
        elif token.nesting < 0 and len(state.stack) > 1:
            state.stack.pop()

    def _insert(self, text: str, state: _Inline) -> None:
        for number, piece in enumerate(MARK.split(text)):
            if number % 2 == 0:
                if piece:
                    self._cursor.insertText(piece, self._underlined(state))
            elif piece == "u":
                state.unsupported = True
            elif piece == "v":
                state.unsupported = False
            elif piece == "r":
                self.spoken = self._cursor.position(), self._cursor.position()
            elif piece == "q":
                self.spoken = self.spoken[0], self._cursor.position()
            else:
                self._insert_citation(int(piece[1:]), state)

    def _underlined(self, state: _Inline) -> QTextCharFormat:
        formatted = QTextCharFormat(state.stack[-1])
        if state.unsupported:
            formatted.setUnderlineStyle(QTextCharFormat.UnderlineStyle.DotLine)
            formatted.setUnderlineColor(QColor(self._palette.warning))
            formatted.setProperty(Property.UNSUPPORTED, True)
        return formatted

    def _insert_citation(self, index: int, state: _Inline) -> None:
        if index >= len(self.citations):
            return
        citation = self.citations[index]
        formatted = QTextCharFormat(state.stack[-1])
        formatted.setAnchor(True)
        formatted.setAnchorHref(f"cite:{index}")
        formatted.setFontWeight(QFont.Weight.DemiBold)
        formatted.setFontPointSize(self._font.pointSizeF() * 0.85)
        formatted.setForeground(QColor(self._palette.accent if citation.verified else self._palette.warning))
        formatted.setUnderlineStyle(QTextCharFormat.UnderlineStyle.NoUnderline)
        formatted.setProperty(Property.CITATION, index)
        self._cursor.insertText(f"[{citation.n}]", formatted)

    def _insert_code(self, code: str, state: _Inline) -> None:
        formatted = QTextCharFormat(state.stack[-1])
        formatted.setFontFamilies(self._fixed.families())
        formatted.setFontFixedPitch(True)
        formatted.setBackground(QColor(self._palette.hover))
        self._cursor.insertText(without_annotations(code), formatted)

    def _insert_blocked_image(self, token: "Token", state: _Inline) -> None:
        formatted = QTextCharFormat(state.stack[-1])
        formatted.setForeground(QColor(self._palette.warning))
        formatted.setBackground(QColor(self._palette.warning_soft))
        label = QCoreApplication.translate("InlineWriter", "blocked image")
        name = without_annotations(token.content).strip()
        self._cursor.insertText(f" ⊘ {label}{': ' + name if name else ''} ", formatted)

    def _open_link(self, href: str, state: _Inline) -> None:
        state.hidden_href.append(href)
        formatted = QTextCharFormat(state.stack[-1])
        if is_openable(href):
            formatted.setAnchor(True)
            formatted.setAnchorHref(href)
            formatted.setForeground(QColor(self._palette.accent))
            formatted.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
        state.stack.append(formatted)

    def _close_link(self, state: _Inline) -> None:
        state.stack.pop()
        if not is_openable(state.hidden_href.pop()):
            formatted = QTextCharFormat(state.stack[-1])
            formatted.setForeground(QColor(self._palette.warning))
            formatted.setBackground(QColor(self._palette.warning_soft))
            label = QCoreApplication.translate("InlineWriter", "blocked link")
            self._cursor.insertText(f" ⊘ {label} ", formatted)


def _emphasised(base: QTextCharFormat, kind: str) -> QTextCharFormat:
    formatted = QTextCharFormat(base)
    if kind == "strong_open":
        formatted.setFontWeight(QFont.Weight.Bold)
    elif kind == "em_open":
        formatted.setFontItalic(True)
    elif kind == "s_open":
        formatted.setFontStrikeOut(True)
    return formatted
