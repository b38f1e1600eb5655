"""Where each page of a document stands in one long column; geometry only."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import sqrt

from PySide6.QtCore import QRectF

from app.protocol.documents import PageRange

MARGIN = 16
GAP = 14
_LETTER = (612.0, 792.0)  # points; for a page whose size the document does not tell


class PageLayout:
    """Places pages below each other, centred, at any scale.

    Positions are device-independent pixels from the column's top left; `scale` is pixels per PDF point.
    Every question costs O(log n), so a document of a thousand pages opens as fast as one of three.

    Attributes:
        sizes: (width, height) of each page in points.
    """

    def __init__(self, sizes: Sequence[tuple[float, float]]) -> None:
        """Keep the sizes of the pages, in points."""
        self.sizes = tuple(sizes)
        self._tops = (0.0, *accumulate(height for _, height in self.sizes))
        self._max_area = max((width * height for width, height in self.sizes), default=0.0)
        self.max_width = max((width for width, _ in self.sizes), default=_LETTER[0])

    @classmethod
    def of_pages(cls, pages: Sequence[PageRange]) -> "PageLayout":
        """Lay out a document's pages; one without a size counts as US letter."""
        return cls([(page.width or _LETTER[0], page.height or _LETTER[1]) for page in pages])

    def __len__(self) -> int:
        """Give the number of pages."""
        return len(self.sizes)

    def width(self, scale: float) -> float:
        """Give the column's width with its margins."""
        return self.max_width * scale + 2 * MARGIN

    def height(self, scale: float) -> float:
        """Give the column's height with its margins."""
        return self._tops[-1] * scale + GAP * max(0, len(self) - 1) + 2 * MARGIN

    def max_pixels(self, scale: float) -> float:
        """Give the number of pixels of the largest page."""
        return self._max_area * scale * scale

    def scale_within(self, n_pixels: float, scale: float) -> float:
        """Give the scale, lowered so that no page has more than `n_pixels`."""
        return min(scale, sqrt(n_pixels / self._max_area)) if self._max_area else scale

    def top(self, index: int, scale: float) -> float:
        """Give the upper edge of the page at `index` (from 0)."""
        return MARGIN + self._tops[index] * scale + GAP * index

    def rect(self, index: int, scale: float, column_width: float) -> QRectF:
        """Give the place of a page in a column that is `column_width` wide."""
        width, height = self.sizes[index]
        left = (max(column_width, self.width(scale)) - width * scale) / 2
        return QRectF(left, self.top(index, scale), width * scale, height * scale)

    def index_at(self, y: float, scale: float) -> int:
        """Give the page at a height; between two pages the upper one, outside the first or last."""
        found = bisect_right(range(len(self)), y, key=lambda index: self.top(index, scale))
        return max(0, found - 1)

    def visible(self, top: float, bottom: float, scale: float) -> range:
        """Give the pages that show between two heights."""
        if not self.sizes:
            return range(0)
        return range(self.index_at(top, scale), self.index_at(bottom, scale) + 1)


def page_of(pages: Sequence[PageRange], offset: int) -> int:
    """Give the number of the page that holds a character of the text; 0 where there are no pages."""
    found = bisect_right(pages, offset, key=lambda page: page.char_start)
    return pages[max(0, found - 1)].page if pages else 0
