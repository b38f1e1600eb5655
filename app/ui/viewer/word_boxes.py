"""From ranges of characters to rectangles on a page and back, by the word boxes; geometry only."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

WordBox = tuple[int, int, float, float, float, float]
"""(char_start, char_end, x0, y0, x1, y1), PDF points, top-left origin; a page's boxes ascend by character."""

Rect = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in PDF points."""

_SAME_LINE = 0.5  # of the lower word's height must overlap
_JOIN_GAP = 1.5  # of the line's height; a wider gap is another column
_LINE_WEIGHT = 8.0  # a point above or below a line is this much farther away than one beside it


def words_in(boxes: Sequence[WordBox], start: int, end: int) -> list[WordBox]:
    """Give the words that overlap `[start, end)`, in reading order."""
    first = bisect_right(boxes, start, key=_end)
    return list(boxes[first : bisect_left(boxes, end, lo=first, key=_start)])


def line_rects(boxes: Sequence[WordBox], start: int, end: int, *, whole_words: bool = True) -> list[Rect]:
    """Give one rectangle a line for the words that overlap `[start, end)`.

    Args:
        boxes: of one page, in reading order.
        start: of the range, code points of the document's text.
        end: of the range, exclusive.
        whole_words: cover words that lie in the range only in part as a whole; else the part, by its share
            of the word's letters.
    """
    lines: list[Rect] = []
    for box in words_in(boxes, start, end):
        rect = box[2:] if whole_words else _clipped(box, start, end)
        if lines and _continues(lines[-1], rect):
            lines[-1] = _union(lines[-1], rect)
        else:
            lines.append(rect)
    return lines


def word_near(boxes: Sequence[WordBox], x: float, y: float) -> WordBox | None:
    """Give the word at a point of the page, or the nearest one; None on a page without words."""
    return min(boxes, key=lambda box: _distance(box, x, y), default=None)


def word_at(boxes: Sequence[WordBox], x: float, y: float) -> WordBox | None:
    """Give the word whose box holds the point."""
    found = word_near(boxes, x, y)
    return found if found is not None and _distance(found, x, y) == 0 else None


def offset_near(boxes: Sequence[WordBox], x: float, y: float) -> int | None:
    """Give the character boundary nearest to a point; None on a page without words."""
    box = word_near(boxes, x, y)
    if box is None:
        return None
    start, end, x0, _, x1, _ = box
    share = (x - x0) / (x1 - x0) if x1 > x0 else 0.0
    return start + round(min(1.0, max(0.0, share)) * (end - start))


def line_around(boxes: Sequence[WordBox], offset: int) -> tuple[int, int] | None:
    """Give the range of the line that holds `offset`; None where no word reaches that far."""
    for line in lines_of(boxes):
        if offset < line[-1][1]:
            return line[0][0], line[-1][1]
    return None


def lines_of(boxes: Sequence[WordBox]) -> Iterator[list[WordBox]]:
    """Group a page's words into lines, in reading order."""
    line: list[WordBox] = []
    around: Rect | None = None
    for box in boxes:
        if around is not None and _continues(around, box[2:]):
            around = _union(around, box[2:])
        else:
            if line:
                yield line
            line, around = [], box[2:]
        line.append(box)
    if line:
        yield line


def _start(box: WordBox) -> int:
    return box[0]


def _end(box: WordBox) -> int:
    return box[1]


def _clipped(box: WordBox, start: int, end: int) -> Rect:
    word_start, word_end, x0, y0, x1, y1 = box
    n_chars = max(1, word_end - word_start)
    left = (max(start, word_start) - word_start) / n_chars
    right = (min(end, word_end) - word_start) / n_chars
    return (x0 + left * (x1 - x0), y0, x0 + right * (x1 - x0), y1)


def _continues(line: Rect, rect: Rect) -> bool:
    overlap = min(line[3], rect[3]) - max(line[1], rect[1])
    lower = min(line[3] - line[1], rect[3] - rect[1])
    if lower <= 0 or overlap < _SAME_LINE * lower:
        return False
    gap = max(rect[0] - line[2], line[0] - rect[2])
    return gap <= _JOIN_GAP * max(line[3] - line[1], rect[3] - rect[1])


def _union(first: Rect, second: Rect) -> Rect:
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )


def _distance(box: WordBox, x: float, y: float) -> float:
    _, _, x0, y0, x1, y1 = box
    return max(x0 - x, x - x1, 0.0) + _LINE_WEIGHT * max(y0 - y, y - y1, 0.0)
