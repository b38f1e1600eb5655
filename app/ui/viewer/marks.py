"""What is marked on the pages: the cited words, matches of a search, and the selection."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from app.ui.viewer.word_boxes import Rect, WordBox, line_rects

Range = tuple[int, int]
"""(char_start, char_end), code points of the document's text, half-open."""


@dataclass(frozen=True)
class PageMarks:
    """Rectangles on one page, in points."""

    cited: tuple[Rect, ...] = ()
    matches: tuple[Rect, ...] = ()
    current_match: tuple[Rect, ...] = ()
    selected: tuple[Rect, ...] = ()


class Marks:
    """Keeps the marked ranges and works out a page's rectangles once for each change.

    Attributes:
        cited: the range that a citation names, or None.
        selected: the range that the user chose (start < end), or None.
        matches: of the search, in document order.
        current: index of the match looked at; -1 for none.
    """

    def __init__(self) -> None:
        """Start with nothing marked."""
        self.cited: Range | None = None
        self.selected: Range | None = None
        self.matches: tuple[Range, ...] = ()
        self.current = -1
        self._starts: list[int] = []
        self._pages: dict[int, tuple[int, PageMarks]] = {}

    def clear(self) -> None:
        """Mark nothing."""
        self.cited = self.selected = None
        self.set_matches((), -1)

    def set_cited(self, cited: Range | None) -> None:
        """Mark the words of a citation."""
        self.cited = cited
        self._pages.clear()

    def set_selected(self, selected: Range | None) -> None:
        """Mark what the user chose; an empty range is none."""
        self.selected = selected if selected and selected[0] < selected[1] else None
        self._pages.clear()

    def set_matches(self, matches: tuple[Range, ...], current: int) -> None:
        """Mark the matches of a search and the one looked at."""
        self.matches, self.current = matches, current
        self._starts = [start for start, _ in matches]
        self._pages.clear()

    def of_page(self, page: int, boxes: tuple[WordBox, ...]) -> PageMarks:
        """Give a page's rectangles."""
        known = self._pages.get(page)
        if known is None or known[0] != id(boxes):
            known = self._pages[page] = (id(boxes), self._work_out(boxes))
        return known[1]

    def _work_out(self, boxes: tuple[WordBox, ...]) -> PageMarks:
        if not boxes:
            return PageMarks()
        start, end = boxes[0][0], max(box[1] for box in boxes)
        matches: list[Rect] = []
        current: tuple[Rect, ...] = ()
        first = bisect_left(self._starts, start)
        for index in range(max(0, first - 1), bisect_right(self._starts, end)):
            rects = line_rects(boxes, *self.matches[index], whole_words=False)
            if index == self.current:
                current = tuple(rects)
            else:
                matches.extend(rects)
        cited = tuple(line_rects(boxes, *self.cited)) if self.cited else ()
        selected = tuple(line_rects(boxes, *self.selected, whole_words=False)) if self.selected else ()
        return PageMarks(cited, tuple(matches), current, selected)
