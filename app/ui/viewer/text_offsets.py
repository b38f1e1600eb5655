"""From code points of the stored text to positions in a QTextDocument and back."""

import re
from bisect import bisect_left, bisect_right

_ASTRAL_OR_CR = re.compile("[\U00010000-\U0010ffff]|\r(?=\n)")
_NOT_SHOWN = re.compile("[\x00\ufdd0\ufdd1\ufffc]")  # Qt gives the last three a meaning of its own
MAX_LINE = (
    4000  # a longer line is broken where it is shown: laying out a megabyte in one line stalls the window
)


class TextOffsets:
    """Maps positions while a text is appended slice by slice.

    A QTextDocument counts UTF-16 units and keeps CR LF as one separator; the stored text counts code points
    and keeps both. Very long lines get breaks that the stored text does not have. All other characters are
    shown one for one.

    Attributes:
        start: code point where the shown text begins.
        end: code point where it ends so far.
    """

    def __init__(self, start: int = 0) -> None:
        """Begin with an empty text at code point `start`."""
        self.start = self.end = start
        self._astral: list[int] = []
        self._dropped: list[int] = []
        self._breaks: list[int] = []
        self._line_length = 0

    def append(self, text: str) -> str:
        """Take the next slice and give what to append to the document; a slice must not part CR from LF."""
        for match in _ASTRAL_OR_CR.finditer(text):
            (self._dropped if match.group() == "\r" else self._astral).append(self.end + match.start())
        shown = "\n".join(self._broken(text))
        self.end += len(text)
        return _NOT_SHOWN.sub("\ufffd", shown.replace("\r\n", "\n").replace("\r", "\n"))

    def to_position(self, offset: int) -> int:
        """Give the document position of a code point; outside the shown text the nearer end."""
        offset = min(max(offset, self.start), self.end)
        shift = bisect_left(self._astral, offset) - bisect_left(self._dropped, offset)
        return offset - self.start + shift + bisect_right(self._breaks, offset)

    def to_offset(self, position: int) -> int:
        """Give the code point at a document position; inside a surrogate pair, the pair's own."""
        low, high = self.start, self.end
        while low < high:
            middle = (low + high + 1) // 2
            if self.to_position(middle) <= position:
                low = middle
            else:
                high = middle - 1
        return low

    def _broken(self, text: str) -> list[str]:
        lines = text.split("\n")
        result: list[str] = []
        at = self.end
        length = self._line_length
        for line in lines:
            piece_start = 0
            while length + len(line) - piece_start > MAX_LINE:
                cut = piece_start + MAX_LINE - length
                result.append(line[piece_start:cut])
                self._breaks.append(at + cut)
                piece_start, length = cut, 0
            result.append(line[piece_start:])
            at += len(line) + 1
            last_length, length = length + len(line) - piece_start, 0
        self._line_length = last_length
        return result
