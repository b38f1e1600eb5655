"""Where a sentence that is read aloud stands in a message: in its Markdown, and in the document shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtGui import QTextCursor, QTextDocument

from app.core.answer_marks import mark_ranges
from app.protocol.chat import Citation
from app.ui.chat.annotations import annotated_range, with_spoken
from app.ui.chat.markdown_tokens import Block, parse
from app.ui.chat.rich_text import RichTextWriter
from app.ui.chat.text_properties import LIST_INDENT
from app.ui.tokens import Palette

Span = tuple[int, int]
"""Half-open range of code points in a Markdown source, or of positions in a document."""
_LOOK_AHEAD = 400  # characters; markup between two that are shown (an address) is seldom longer


@dataclass(frozen=True)
class Spoken:
    """What is heard of which message.

    Attributes:
        message_id: empty: nothing is read aloud, or no message.
        wanted: code points of its Markdown; None while nothing is heard.
        without_marks: the range counts in `without_marks(text)`: while an answer is being written, its
            citation marks are not final.
    """

    message_id: str = ""
    wanted: Span | None = None
    without_marks: bool = False

    def range_in(self, text: str) -> Span | None:
        """Give the range in the message's text as it is now."""
        if self.wanted is None or not self.without_marks:
            return self.wanted
        return with_marks_counted(text, self.wanted)


@dataclass(frozen=True)
class ShownMarkdown:
    """A message as it is shown.

    Attributes:
        text: its Markdown.
        blocks: each top-level block of the annotated Markdown, with what the writer's `mark` gave before it.
    """

    text: str
    citations: tuple[Citation, ...]
    unsupported: tuple[Span, ...]
    blocks: Sequence[tuple[Block, tuple[int, bool]]]
    document: QTextDocument
    palette: Palette

    def spans_of(self, wanted: Span) -> list[Span]:
        """Give the positions in the document of a range of the text; code blocks count as a whole."""
        start, end = annotated_range(self.text, self.citations, self.unsupported, wanted)
        if start >= end:
            return []
        ends = [mark[0] for _, mark in self.blocks[1:]] + [self.document.characterCount() - 1]
        spans = []
        for (block, (position, blank)), shown_end in zip(self.blocks, ends, strict=True):
            block_end = block.start + len(block.source)
            if block.start < end and start < block_end:
                shown = position if blank else position + 1, shown_end
                inside = max(start, block.start) - block.start, min(end, block_end) - block.start
                spans.append(self._within(block, shown, inside))
        return [span for span in spans if span[0] < span[1]]

    def _within(self, block: Block, shown: Span, inside: Span) -> Span:
        """Find a range of a block's source by writing the block once more, with marks around it.

        Where that cannot be told, the whole block is given.
        """
        if block.tokens[0].type in ("fence", "code_block"):
            return shown
        if not block.source[inside[0] : inside[1]].strip():
            return 0, 0
        marked = with_spoken(block.source, *inside)
        if marked is None:
            return shown
        scratch = QTextDocument()
        scratch.setDefaultFont(self.document.defaultFont())
        scratch.setIndentWidth(LIST_INDENT)
        writer = RichTextWriter(scratch, self.palette)
        writer.inline.citations = self.citations
        for part in parse(marked):
            writer.write(part)
        whole = 0, scratch.characterCount() - 1
        same = _words(scratch, whole) == _words(self.document, (shown[0], shown[0] + whole[1]))
        start, end = writer.inline.spoken
        return (shown[0] + start, shown[0] + end) if same and start < end else shown


def with_marks_counted(text: str, wanted: Span) -> Span:
    """Give where a range of `without_marks(text)` stands in the text."""
    start, end = wanted
    removed = 0
    for mark_start, mark_end in mark_ranges(text):
        length = mark_end - mark_start
        if mark_start - removed <= wanted[0]:
            start += length
        if mark_start - removed < wanted[1]:
            end += length
        removed += length
    return start, max(start, end)


def source_range(text: str, before: str, chosen: str) -> Span | None:
    """Find the Markdown behind words that were chosen in the message shown; None where it cannot be told.

    The characters shown stand in the source in the same order, with markup between them.

    Args:
        text: Markdown.
        before: what is shown before the chosen words.
        chosen: the chosen words as they are shown.
    """
    start = _behind(text, before, 0)
    first = text.find(_letters(chosen)[:1], start)
    end = _behind(text, chosen, start)
    if first < 0 or end <= first:
        return None
    found = _letters(text[first:end])
    is_same = all(word in found for word in map(_letters, chosen.split()))
    return (first, end) if is_same and len(found) <= 2 * len(_letters(chosen)) + _LOOK_AHEAD else None


def _behind(text: str, shown: str, place: int) -> int:
    """Give the place in the source behind characters that are shown, which follow `place`."""
    for character in _letters(shown):
        found = text.find(character, place, place + _LOOK_AHEAD)
        if found >= 0:
            place = found + 1
    return place


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _words(document: QTextDocument, span: Span) -> str:
    cursor = QTextCursor(document)
    last = document.characterCount() - 1
    cursor.setPosition(min(span[0], last))
    cursor.setPosition(min(span[1], last), QTextCursor.MoveMode.KeepAnchor)
    return cursor.selectedText()
