"""What stands behind the words of a message: boxes of code, bars of quotes, rules and citation chips."""

from collections.abc import Iterator, Sequence
from typing import Any

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QTextBlock, QTextDocument
from PySide6.QtWidgets import QTextBrowser

from app.protocol.chat import Citation
from app.ui.chat.text_properties import CODE_HEADER_HEIGHT, QUOTE_INDENT, Property
from app.ui.theme import Theme
from app.ui.tokens import FONT_SMALL, RADIUS_M, SPACE_M


class TextGrounds:
    """Finds and draws the grounds of a view's document, as `rich_text` marked them.

    Attributes:
        code_blocks: the document's blocks of code, in order.
    """

    def __init__(self, view: QTextBrowser, theme: Theme) -> None:
        """Draw on `view`, whose document is empty yet."""
        self._view, self._theme = view, theme
        self.code_blocks: list[QTextBlock] = []

    def update(self) -> None:
        """Look at the document again, after it was written."""
        self.code_blocks = [b for b in _blocks(self._view.document()) if code_language(b) is not None]

    def code_box(self, block: QTextBlock) -> QRectF:
        """Give the box around a block of code, with its head, in pixels of the view."""
        rect = self._view.document().documentLayout().blockBoundingRect(block)
        left = block.blockFormat().leftMargin() - SPACE_M
        top = rect.top() - CODE_HEADER_HEIGHT
        return QRectF(left, top, self._view.viewport().width() - left, rect.bottom() + SPACE_M - top)

    def paint(self, painter: QPainter, citations: Sequence[Citation]) -> None:
        """Draw what stands behind the words."""
        palette = self._theme.palette
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for block in self.code_blocks:
            box = self.code_box(block).adjusted(0.5, 0.5, -0.5, -0.5)
            painter.setPen(QPen(QColor(palette.border), 1))
            painter.setBrush(QColor(palette.code))
            painter.drawRoundedRect(box, RADIUS_M, RADIUS_M)
            painter.setPen(QColor(palette.text_faint))
            font = QFont(self._view.font())
            font.setPointSizeF(font.pointSizeF() * FONT_SMALL)
            painter.setFont(font)
            header = QRectF(box.left() + SPACE_M, box.top(), box.width(), CODE_HEADER_HEIGHT)
            painter.drawText(
                header, Qt.AlignmentFlag.AlignVCenter, code_language(block) or self._view.tr("code")
            )
        for block in _blocks(self._view.document()):
            self._paint_quote_bars(painter, block)
            self._paint_chips(painter, block, citations)

    def _paint_quote_bars(self, painter: QPainter, block: QTextBlock) -> None:
        depth = _quote_depth(block)
        rect = self._view.document().documentLayout().blockBoundingRect(block)
        if block.blockFormat().boolProperty(Property.RULE):
            painter.fillRect(
                QRectF(0, rect.center().y(), self._view.viewport().width(), 1),
                self._theme.colour("border_strong"),
            )
        joined = block.blockFormat().bottomMargin() if _quote_depth(block.next()) else 0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("border_strong"))
        for level in range(depth):
            painter.drawRect(QRectF(level * QUOTE_INDENT, rect.top(), 3, rect.height() + joined))

    def _paint_chips(self, painter: QPainter, block: QTextBlock, citations: Sequence[Citation]) -> None:
        """Draw the rounded ground behind each citation number."""
        for start, length, index in _citation_spans(block):
            if index >= len(citations):
                continue
            verified = citations[index].verified
            line = block.layout().lineForTextPosition(start)
            if not line.isValid():
                continue
            origin = self._view.document().documentLayout().blockBoundingRect(block).topLeft()
            left = _cursor_x(line, start)
            right = _cursor_x(line, min(start + length, line.textStart() + line.textLength()))
            ascent = line.ascent()
            box = QRectF(origin.x() + left, origin.y() + line.y(), right - left, ascent + line.descent())
            box = box.adjusted(-0.5, 1, 0.5, 0)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent_soft" if verified else "warning_soft"))
            painter.drawRoundedRect(box, 4, 4)


def _blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def code_language(block: QTextBlock) -> str | None:
    """Give the language that a block of code names, maybe empty; None for other blocks."""
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
