"""Places of pages and zoom steps."""

import pytest
from PySide6.QtCore import QRectF

from app.protocol.documents import PageRange
from app.ui.viewer.page_layout import GAP, MARGIN, PageLayout, page_of
from app.ui.viewer.zoom import MAX_ZOOM, MIN_ZOOM, clamped, stepped


def test_pages_stand_below_each_other_and_centred() -> None:
    layout = PageLayout([(100, 200), (50, 100)])
    assert layout.rect(0, 2.0, 300) == QRectF(50, MARGIN, 200, 400)
    assert layout.rect(1, 2.0, 300) == QRectF(100, MARGIN + 400 + GAP, 100, 200)
    assert layout.height(2.0) == 2 * MARGIN + 400 + GAP + 200
    assert layout.width(2.0) == 2 * MARGIN + 200


def test_a_height_finds_its_page() -> None:
    layout = PageLayout([(100, 100)] * 1000)
    for index in (0, 1, 500, 999):
        top = layout.top(index, 1.5)
        assert layout.index_at(top, 1.5) == index
        assert layout.index_at(top + 149, 1.5) == index
    assert layout.index_at(-50, 1.5) == 0
    assert layout.index_at(10**9, 1.5) == 999
    assert layout.visible(layout.top(3, 1.0), layout.top(5, 1.0), 1.0) == range(3, 6)
    assert PageLayout(()).visible(0, 100, 1.0) == range(0)


def test_a_page_without_size_counts_as_letter() -> None:
    layout = PageLayout.of_pages([PageRange(page=1, char_start=0, char_end=3)])
    assert layout.sizes == ((612.0, 792.0),)


def test_a_character_finds_its_page_past_empty_ones() -> None:
    ranges = [(0, 10), (10, 10), (10, 25)]
    pages = [PageRange(page=i, char_start=a, char_end=b) for i, (a, b) in enumerate(ranges, 1)]
    assert [page_of(pages, offset) for offset in (0, 9, 10, 24, 99)] == [1, 1, 3, 3, 3]
    assert page_of([], 3) == 0


def test_zoom_steps_through_round_figures_and_stays_in_bounds() -> None:
    assert stepped(1.0, 1) == 1.1
    assert stepped(0.93, 1) == 1.0
    assert stepped(0.93, -1) == 0.9
    assert stepped(1.0, -2) == 0.75
    assert stepped(MAX_ZOOM, 3) == MAX_ZOOM
    assert stepped(MIN_ZOOM, -3) == MIN_ZOOM
    assert clamped(99) == MAX_ZOOM
    assert clamped(0) == pytest.approx(MIN_ZOOM)


def test_pictures_of_very_large_pages_are_held_within_bounds() -> None:
    layout = PageLayout([(100, 100), (1000, 400)])
    assert layout.max_pixels(2.0) == 1_600_000
    assert layout.scale_within(1_600_000, 1.5) == 1.5
    assert layout.scale_within(1_600_000, 6.0) == pytest.approx(2.0)
    assert PageLayout(()).scale_within(10, 3.0) == 3.0
