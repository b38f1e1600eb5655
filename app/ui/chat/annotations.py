"""Carry citations and unsupported ranges through the Markdown parser, as marks inside the text.

A mark is `⸨c3⸩` (citation 3 of the answer stands here), `⸨u⸩` (what follows has no support) or `⸨v⸩` (the
end of that). The brackets are punctuation to CommonMark, so emphasis beside a mark stays emphasis; those in
the answer itself become plain brackets first.
"""

import re
from collections.abc import Sequence

from app.core.answer_marks import code_ranges
from app.protocol.chat import Citation

_NUMBER = re.compile(r"\[(\d{1,3})\]")
_BLOCK_START = re.compile(r"(?:\s*(?:[-*+•>|]|\d{1,9}[.)]|#{1,6})(?=\s))*\s*")
_BLOCK_END = re.compile(r"[\s|]*\Z")
MARK = re.compile("⸨(c\\d+|u|v)⸩")
_UNBRACKET = str.maketrans({"⸨": "(", "⸩": ")"})


def annotated(text: str, citations: Sequence[Citation], unsupported: Sequence[tuple[int, int]]) -> str:
    """Put marks into the Markdown of an answer.

    Args:
        text: the answer.
        citations: their `answer_start` and `answer_end` are ranges of `text` that hold `[n]`.
        unsupported: ranges of `text`.
    """
    text = text.translate(_UNBRACKET)
    code = code_ranges(text)
    edits = _citation_edits(text, citations, code)
    for start, end in unsupported:
        if not _touches(code, start, end):
            edits += _unsupported_edits(text, start, end)
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def without_annotations(text: str) -> str:
    """Take the marks out again, where they cannot be shown (in code)."""
    return MARK.sub("", text)


def _citation_edits(
    text: str, citations: Sequence[Citation], code: Sequence[tuple[int, int]]
) -> list[tuple[int, int, str]]:
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


def _unsupported_edits(text: str, start: int, end: int) -> list[tuple[int, int, str]]:
    first = _BLOCK_START.match(text, start, end)
    start = first.end() if first else start
    last = _BLOCK_END.search(text, start, end)
    end = last.start() if last else end
    return [(start, start, "⸨u⸩"), (end, end, "⸨v⸩")] if start < end else []


def _touches(ranges: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    return any(a < end and start < b for a, b in ranges)
