"""Headings of a PDF: from its outline where that is true of the pages, else from the size of the letters.

Outlines lie: some are left over from another document, some name sections by numbers only. An entry counts
where its title stands at the start of a line on the page that it points to; the outline is believed where
most entries do.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from app.worker.parser.builder import one_line
from app.worker.parser.formats.pdf_layout import LineMark
from app.worker.parser.result import ParsedHeading, ParsedPage

OutlineEntry = tuple[int, str, int]
"""Level from 1, title, page from 1 (-1 where it points nowhere)."""

_MIN_FOUND_SHARE = 0.6
_MAX_ENTRIES = 20_000
_MIN_RATIO = 1.15
_MAX_TITLE_CHARS = 150
_MAX_LINES = 3
_MAX_LEVELS = 4
_MAX_SHARE_OF_TEXT = 0.15
_MAX_PER_PAGE = 6
_NUMBERING = (
    r"(?:(?:chapter|section|part|kapitel|teil|appendix)\s+)?(?:[0-9]+|[IVXLC]+|[A-Z])(?:\.[0-9]+)*[.):]?\s+"
)


def find_headings(
    outline: Sequence[OutlineEntry],
    lines: Sequence[Sequence[LineMark]],
    pages: Sequence[ParsedPage],
    text: str,
) -> list[ParsedHeading]:
    """Find a document's headings.

    Args:
        outline: the document's own.
        lines: of each page.
        pages: their ranges.
        text: the whole text.
    """
    return _from_outline(outline[:_MAX_ENTRIES], pages, text) or _from_sizes(lines, text)


def _from_outline(
    outline: Sequence[OutlineEntry], pages: Sequence[ParsedPage], text: str
) -> list[ParsedHeading]:
    headings: list[ParsedHeading] = []
    n_found = n_pointing = 0
    last_page, last_end = 0, 0
    for level, raw_title, number in outline:
        title = one_line(raw_title)
        if not title or not 1 <= number <= len(pages):
            continue
        n_pointing += 1
        page = pages[number - 1]
        start = last_end if number == last_page else page.char_start
        place = _find_title(title, text, start, page.char_end)
        n_found += place is not None
        last_page, last_end = number, place[1] if place else start
        headings.append(ParsedHeading(title, level, place[0] if place else start))
    if not n_pointing or n_found < _MIN_FOUND_SHARE * n_pointing:
        return []
    return sorted(headings, key=lambda heading: heading.char_start)


def _find_title(title: str, text: str, start: int, end: int) -> tuple[int, int] | None:
    """Find a title at the start of a line, with or without its number; alone on its lines where possible."""
    words = r"\s+".join(re.escape(word) for word in title.split())
    pattern = rf"^[ \t]*(?:{_NUMBERING})?{words}"
    for ending in (r"[ \t]*$", r"(?!\w)" if len(title) >= 10 else None):
        if ending is None:
            continue
        match = re.compile(pattern + ending, re.IGNORECASE | re.MULTILINE).search(text, start, end)
        if match:
            return match.start(), match.end()
    return None


def _from_sizes(lines: Sequence[Sequence[LineMark]], text: str) -> list[ParsedHeading]:
    """Take lines in larger letters than the body; nothing where that tells nothing."""
    n_chars: Counter[float] = Counter()
    for page in lines:
        for line in page:
            n_chars[_size(line)] += line.end - line.start
    if len(n_chars) < 2:
        return []
    body = n_chars.most_common(1)[0][0]
    found = [heading for page in lines for heading in _large_lines(page, text, body)]
    titles = Counter(title for title, _, _ in found)
    n_pages = len(lines)
    # a running head stands on many pages
    found = [item for item in found if titles[item[0]] <= max(2, 0.2 * n_pages)]
    found = [item for index, item in enumerate(found) if index == 0 or item[0] != found[index - 1][0]]
    too_many = len(found) > _MAX_PER_PAGE * n_pages
    too_long = sum(len(title) for title, _, _ in found) > _MAX_SHARE_OF_TEXT * len(text)
    if not found or too_many or (too_long and n_pages > 1):
        return []
    levels = _levels(sorted({size for _, size, _ in found}, reverse=True))
    return [ParsedHeading(title, levels[size], start) for title, size, start in found]


def _large_lines(page: Sequence[LineMark], text: str, body: float) -> list[tuple[str, float, int]]:
    """Give (title, size, start) of the runs of large lines on one page."""
    runs = []
    for size, run in groupby(page, key=_size):
        if size < _MIN_RATIO * body:
            continue
        marks = list(run)
        title = one_line(text[marks[0].start : marks[-1].end])
        if len(marks) <= _MAX_LINES and _is_title(title):
            runs.append((title, size, marks[0].start))
    return runs


def _is_title(title: str) -> bool:
    letters = sum(letter.isalpha() for letter in title)
    return letters >= 2 and letters >= 0.5 * len(title.replace(" ", "")) and len(title) <= _MAX_TITLE_CHARS


def _size(line: LineMark) -> float:
    return round(line.height * 2) / 2


def _levels(sizes: Sequence[float]) -> dict[float, int]:
    """Number sizes from the largest; sizes within 5 % share a level."""
    levels: dict[float, int] = {}
    level, last = 0, 0.0
    for size in sizes:
        if not level or size < 0.95 * last:
            level, last = min(level + 1, _MAX_LEVELS), size
        levels[size] = level
    return levels
