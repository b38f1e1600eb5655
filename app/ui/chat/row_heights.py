"""Where rows of a column stand, by heights that are measured or, for rows never seen, estimated; geometry."""

from collections.abc import Iterable
from itertools import accumulate


class RowHeights:
    """Heights of rows that stand below each other, in pixels."""

    def __init__(self, margin: int) -> None:
        """Begin without rows, `margin` pixels below the top."""
        self._margin = margin
        self._heights: list[int] = []
        self._measured: list[bool] = []

    def __len__(self) -> int:
        """Give the number of rows."""
        return len(self._heights)

    def __getitem__(self, row: int) -> int:
        """Give the height of a row."""
        return self._heights[row]

    def reset(self, estimates: Iterable[int]) -> None:
        """Take other rows."""
        self._heights = list(estimates)
        self.forget_all()

    def insert(self, row: int, estimate: int) -> None:
        """Put a row before another one, or at the end."""
        self._heights.insert(row, estimate)
        self._measured.insert(row, False)

    def remove(self, first: int, last: int) -> None:
        """Take rows away, `last` included."""
        del self._heights[first : last + 1]
        del self._measured[first : last + 1]

    def is_measured(self, row: int) -> bool:
        """Whether the height of a row is what it takes now."""
        return self._measured[row]

    def measure(self, row: int, height: int) -> bool:
        """Take the height that a row has; give whether it is another than before."""
        changed = height != self._heights[row]
        self._heights[row], self._measured[row] = height, True
        return changed

    def forget(self, row: int) -> None:
        """Let a row's height be an estimate."""
        self._measured[row] = False

    def forget_all(self) -> None:
        """Let all heights be estimates."""
        self._measured = [False] * len(self._heights)

    def tops(self) -> list[int]:
        """Give the top of every row, and of the end."""
        return list(accumulate(self._heights, initial=self._margin))

    def at(self, place: int) -> tuple[int, int]:
        """Give the row at a place, and how many pixels of it are above that; (0, 0) behind the end."""
        top = self._margin
        for row, height in enumerate(self._heights):
            if top + height > place:
                return row, place - top
            top += height
        return 0, 0

    def between(self, low: float, high: float) -> list[int]:
        """Give the rows that stand, at least in part, between two places of the column."""
        tops = self.tops()
        return [
            row for row, height in enumerate(self._heights) if tops[row] < high and tops[row] + height > low
        ]
