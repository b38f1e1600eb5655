"""Carry citations and unsupported ranges through the Markdown parser, as marks inside the text.

A mark is `⸨c3⸩` (citation 3 of the answer stands here), `⸨u⸩` (what follows has no support), `⸨v⸩` (the end
of that), `⸨r⸩` (what follows is being read aloud) or `⸨q⸩` (the end of that). The brackets are punctuation to
CommonMark, so emphasis beside a mark stays emphasis; those in the answer itself become plain brackets first.
"""

import re
from collections.abc import Sequence

from app.core.answer_marks import code_ranges
from app.protocol.chat import Citation

_NUMBER = re.compile(r"\[(\d{1,3})\]")
_BLOCK_START = re.compile(r"(?:\s*(?:[-*+•>|]|\d{1,9}[.)]|#{1,6})(?=\s))*\s*")
_BLOCK_END = re.compile(r"[\s|]*\Z")
MARK = re.compile("⸨(c\\d+|u|v|r|q)⸩")

Edit = tuple[int, int, str]
"""Start and end (half-open, code points) of what is replaced, and by what."""
_UNBRACKET = str.maketrans({"⸨": "(", "⸩": ")"})


def annotated(text: str, citations: Sequence[Citation], unsupported: Sequence[tuple[int, int]]) -> str:
    """Put marks into the Markdown of an answer.

    Args:
        text: the answer.
        citations: their `answer_start` and `answer_end` are ranges of `text` that hold `[n]`.
        unsupported: ranges of `text`.
    """
    text = text.translate(_UNBRACKET)
    for start, end, replacement in reversed(_edits(text, citations, unsupported)):
        text = text[:start] + replacement + text[end:]
    return text


def annotated_range(
    text: str,
    citations: Sequence[Citation],
    unsupported: Sequence[tuple[int, int]],
    wanted: tuple[int, int],
) -> tuple[int, int]:
    """Give where a range of the text stands in what `annotated` makes of it; whole marks only."""
    first, last = wanted
    start, end = wanted
    for edit_start, edit_end, replacement in _edits(text.translate(_UNBRACKET), citations, unsupported):
        growth = len(replacement) - (edit_end - edit_start)
        if edit_end <= first and edit_start < first:
            start += growth
        if edit_start < last:
            end += growth
    return start, max(start, end)


def with_spoken(source: str, start: int, end: int) -> str | None:
    """Put the marks of reading aloud around a range of one annotated block; None where they cannot stand.

    They stand behind the marks of a list, heading or quote, and around inline code, never in it.
    """
    first = _BLOCK_START.match(source, start, end)
    start = first.end() if first else start
    last = _BLOCK_END.search(source, start, end)
    end = last.start() if last else end
    for code_start, code_end in code_ranges(source):
        if not _touches([(code_start, code_end)], start, end):
            continue
        if "\n" in source[code_start:code_end]:
            return None
        start, end = min(start, code_start), max(end, code_end)
    return f"{source[:start]}⸨r⸩{source[start:end]}⸨q⸩{source[end:]}" if start < end else None


def without_annotations(text: str) -> str:
    """Take the marks out again, where they cannot be shown (in code)."""
    return MARK.sub("", text)


def _edits(text: str, citations: Sequence[Citation], unsupported: Sequence[tuple[int, int]]) -> list[Edit]:
    """Give the marks to put in, in order of their places."""
    code = code_ranges(text)
    edits = _citation_edits(text, citations, code)
    for start, end in unsupported:
        if not _touches(code, start, end):
            edits += _unsupported_edits(text, start, end)
    return sorted(edits, key=lambda edit: edit[:2])


def _citation_edits(text: str, citations: Sequence[Citation], code: Sequence[tuple[int, int]]) -> list[Edit]:
    edits = []
    for match in _NUMBER.finditer(text):
        start, end = match.span()
        if _touches(code, start, end):
            continue
        for index, citation in enumerate(citations):
            if (
                citation.n == int(match[1])
                and citation.answer_start <= start
                and end <= max(citation.answer_end, end)
                and start <= citation.answer_end
            ):
                edits.append((start, end, f"⸨c{index}⸩"))
                break
    return edits


def _unsupported_edits(text: str, start: int, end: int) -> list[Edit]:
    first = _BLOCK_START.match(text, start, end)
    start = first.end() if first else start
    last = _BLOCK_END.search(text, start, end)
    end = last.start() if last else end
    return [(start, start, "⸨u⸩"), (end, end, "⸨v⸩")] if start < end else []


def _touches(ranges: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    return any(a < end and start < b for a, b in ranges)
