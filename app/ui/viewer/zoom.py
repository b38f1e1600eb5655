"""Zoom factors: 1.0 shows a page at its printed size."""

from bisect import bisect_left, bisect_right
from enum import StrEnum

PIXELS_PER_POINT = 96 / 72
"""Device-independent pixels of a point at zoom 1. Source: Qt's and CSS's reference pixel, 1/96 inch."""

STEPS = (0.1, 0.25, 0.33, 0.5, 0.67, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)
MIN_ZOOM, MAX_ZOOM = STEPS[0], STEPS[-1]


class Fit(StrEnum):
    """Whether the zoom follows the size of the view."""

    NONE = "none"
    WIDTH = "width"
    PAGE = "page"


def clamped(zoom: float) -> float:
    """Give the nearest zoom that is allowed."""
    return min(MAX_ZOOM, max(MIN_ZOOM, zoom))


def stepped(zoom: float, steps: int) -> float:
    """Give the zoom some steps up (or, negative, down) from a present one that may stand between two."""
    for _ in range(abs(steps)):
        if steps > 0:
            zoom = STEPS[min(bisect_right(STEPS, zoom + 0.005), len(STEPS) - 1)]
        else:
            zoom = STEPS[max(bisect_left(STEPS, zoom - 0.005) - 1, 0)]
    return zoom
