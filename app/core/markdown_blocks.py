"""Cut Markdown into blocks with their places in the source, also while it is still being written.

Markdown parsers give no places inside lines and know no unfinished text; reading aloud needs both. The rules
follow what answers of language models look like: no indented code, and a table's lines begin with `|`.

Source: CommonMark 0.31, GitHub Flavored Markdown (tables).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

TEXT, ITEM, HEADING, CODE, TABLE, FORMULA = "text", "item", "heading", "code", "table", "formula"
_BLANK, _SILENT, _FENCE = "blank", "silent", "fence"

_QUOTE = re.compile(r"[^\S\n]*(?:>[^\S\n]?)*[^\S\n]*")
_FENCE_START = re.compile(r"(`{3,}|~{3,})[^\S\n]*([^\s`{]*)")
_HEADING = re.compile(r"#{1,6}(?:\s+|$)")
_RULE = re.compile(r"([-*_])(?:\s*\1){2,}\s*$|=+\s*$|-+\s*$")
_ITEM = re.compile(r"(?:(?P<bullet>[-*+])|\d{1,3}[.)])(?:\s+|$)")
_REFERENCE = re.compile(r"\[(?!\^)[^\]\n]+\]:")

# What an unfinished line may still become; nothing is decided as long as one of these is all there is.
_UNDECIDED = re.compile(
    r"`{1,2}$|~{1,2}$|\#{1,6}$|[-*+][-*+\s]*$|[=_][=_\s]*$|\d{1,3}(?:[.)]\s*)?$|\$$|\\$|\[[^\]\n]*\]?$"
)


@dataclass
class Block:
    """A block of Markdown.

    Attributes:
        kind: `text`, `item`, `heading`, `code`, `table` or `formula`.
        start: half-open range in the source, without the marks before it (a numbered item keeps its number).
        settled: later text cannot lengthen it.
        language: of code, as its fence says.
        lines: half-open ranges of the whole lines of code and tables, fences left out.
    """

    kind: str
    start: int
    end: int
    settled: bool = False
    language: str = ""
    lines: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line: its range, where it begins behind marks of quotation, and whether it is complete."""

    start: int
    content: int
    end: int
    depth: int
    complete: bool


def blocks(text: str, whole: bool) -> list[Block]:
    """Give the blocks in order; what is left of an unfinished text may only follow them or extend the last.

    Args:
        text: Markdown.
        whole: no more text will come.
    """
    found: list[Block] = []
    current: Block | None = None
    depth, closing = 0, ""
    for line in _lines(text, whole):
        content = text[line.content : line.end]
        if closing and current is not None:
            if _continue_enclosed(current, line, content, closing):
                current, closing = None, ""
            continue
        kind = _kind_of(content, line.complete)
        if kind is None:
            break
        if current is not None and _goes_on(current, kind) and line.depth == depth:
            current.end = line.end
            if kind == TABLE and line.complete:
                current.lines.append((line.content, line.end))
            continue
        if current is not None:
            current.settled = True
        current, closing, depth = *_opened(kind, line, content), line.depth
        if current is not None:
            found.append(current)
    if whole and current is not None:
        current.settled = True
    return found


def _lines(text: str, whole: bool) -> Iterator[_Line]:
    start = 0
    while start < len(text):
        newline = text.find("\n", start)
        end = newline if newline >= 0 else len(text)
        match = _QUOTE.match(text, start, end)
        content = match.end() if match else start
        yield _Line(start, content, end, text.count(">", start, content), newline >= 0 or whole)
        start = end + 1


def _kind_of(content: str, complete: bool) -> str | None:
    """Tell what a line begins or goes on with; None where an unfinished one does not tell yet."""
    if not content.strip():
        return _BLANK if complete else None
    if not complete and _UNDECIDED.match(content):
        return None
    if content.startswith("|"):
        return TABLE
    if content.startswith(("$$", "\\[")):
        return FORMULA
    for kind, pattern in (
        (_FENCE, _FENCE_START),
        (HEADING, _HEADING),
        (_SILENT, _RULE),
        (ITEM, _ITEM),
        (_SILENT, _REFERENCE),
    ):
        if pattern.match(content):
            return kind
    return TEXT


def _goes_on(block: Block, kind: str) -> bool:
    if block.kind == TABLE:
        return kind == TABLE
    return kind == TEXT and block.kind in (TEXT, ITEM)


def _opened(kind: str, line: _Line, content: str) -> tuple[Block | None, str]:
    """Give the block that a line begins, if any, and the text that closes it."""
    if kind in (_BLANK, _SILENT):
        return None, ""
    block = Block(kind, line.content, line.end)
    if kind == _FENCE:
        match = _FENCE_START.match(content)
        assert match is not None
        block.kind, block.language = CODE, match[2]
        return block, match[1]
    if kind == FORMULA:
        closing = "$$" if content.startswith("$$") else "\\]"
        if content.rstrip().endswith(closing) and len(content.rstrip()) > 2:
            block.settled = line.complete
            return block, ""
        return block, closing
    if kind == TABLE and line.complete:
        block.lines.append((line.content, line.end))
    if kind == HEADING:
        block.start += _skipped(_HEADING, content)
        block.settled = line.complete
    if kind == ITEM:
        match = _ITEM.match(content)
        assert match is not None
        block.start += match.end() if match["bullet"] else 0
    return block, ""


def _skipped(pattern: re.Pattern[str], content: str) -> int:
    match = pattern.match(content)
    return match.end() if match else 0


def _continue_enclosed(block: Block, line: _Line, content: str, closing: str) -> bool:
    """Add a line to code or a formula; give whether it closes it."""
    block.end = line.end
    stripped = content.strip()
    if block.kind == CODE:
        ends = stripped.startswith(closing) and not stripped.strip(closing[0])
    else:
        ends = stripped.endswith(closing)
    if ends:
        block.settled = block.settled or line.complete
    elif line.complete:
        block.lines.append((line.start, line.end))
    return ends and line.complete
