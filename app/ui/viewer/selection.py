"""What the user chose on the pages, by mouse or keys, as a range of the document's characters."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from app.ui.viewer.marks import Range
from app.ui.viewer.word_boxes import WordBox, lines_of


class TextSelection:
    """An anchor that stays and a cursor that moves; both stand between characters.

    Attributes:
        anchor: where choosing began; None while nothing was chosen.
        cursor: where it stands now.
    """

    def __init__(self) -> None:
        """Start with nothing chosen."""
        self.anchor: int | None = None
        self.cursor = 0

    @property
    def range(self) -> Range | None:
        """The chosen range; None where it is empty."""
        if self.anchor is None or self.anchor == self.cursor:
            return None
        return min(self.anchor, self.cursor), max(self.anchor, self.cursor)

    def clear(self) -> None:
        """Choose nothing."""
        self.anchor = None

    def choose(self, start: int, end: int) -> None:
        """Choose a range; the cursor stands at its end."""
        self.anchor, self.cursor = start, end

    def begin(self, offset: int, *, extend: bool) -> None:
        """Begin at a character boundary, or move the cursor there when extending."""
        if not extend or self.anchor is None:
            self.anchor = offset
        self.cursor = offset

    def move_to(self, offset: int) -> None:
        """Move the cursor."""
        self.cursor = offset

    def step_word(self, boxes: Sequence[WordBox], *, forward: bool) -> None:
        """Move the cursor by a word over these words; begins at the first one."""
        if not boxes:
            return
        if self.anchor is None:
            self.begin(boxes[0][0], extend=False)
        if forward:
            ends = [box[1] for box in boxes]
            self.cursor = ends[min(bisect_right(ends, self.cursor), len(ends) - 1)]
        else:
            starts = [box[0] for box in boxes]
            self.cursor = starts[max(bisect_left(starts, self.cursor) - 1, 0)]

    def step_line(self, boxes: Sequence[WordBox], *, forward: bool) -> None:
        """Move the cursor to the end of this or the next line, or to the start of this or the one before."""
        if not boxes:
            return
        if self.anchor is None:
            self.begin(boxes[0][0], extend=False)
        lines = list(lines_of(boxes))
        if forward:
            ends = [line[-1][1] for line in lines]
            self.cursor = ends[min(bisect_right(ends, self.cursor), len(ends) - 1)]
        else:
            starts = [line[0][0] for line in lines]
            self.cursor = starts[max(bisect_left(starts, self.cursor) - 1, 0)]
