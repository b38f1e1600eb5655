"""When the words of a transcript are said: from places in its text to times and back."""

from bisect import bisect_right
from collections.abc import Sequence

from app.ui.viewer.marks import Range

Span = tuple[int, int, float, float]
"""(char_start, char_end, start_s, end_s) of a line of speech."""
_QUIET_S = 0.5  # a line stays the one that is heard so long after its end


class TextTimes:
    """The lines of a transcript in order, by place and by time."""

    def __init__(self, spans: Sequence[Span] = ()) -> None:
        """Take the lines as the host gives them."""
        self._spans = tuple(spans)
        self._starts = [span[0] for span in self._spans]
        self._times = [span[2] for span in self._spans]

    def __bool__(self) -> bool:
        """Tell whether any time is known."""
        return bool(self._spans)

    def time_of(self, offset: int) -> float | None:
        """Give the time in seconds at which the line at a code point begins; None where none is known."""
        if not self._spans:
            return None
        return self._times[max(0, bisect_right(self._starts, offset) - 1)]

    def line_at(self, seconds: float) -> Range | None:
        """Give the range of the line that is heard at a time; None in a longer silence."""
        number = bisect_right(self._times, seconds) - 1
        if number < 0 or seconds > self._spans[number][3] + _QUIET_S:
            return None
        return self._spans[number][0], self._spans[number][1]

    def begins_at(self, start: int, end: int) -> float | None:
        """Give the time of the first line that begins within a range of code points; None: none does."""
        number = bisect_right(self._starts, start - 1)
        if number < len(self._starts) and self._starts[number] < end:
            return self._times[number]
        return None
