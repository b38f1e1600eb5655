"""Ranges to rectangles and back."""

from app.ui.viewer.word_boxes import line_around, line_rects, lines_of, offset_near, word_at, words_in

# "The quick fox" / "jumps over", ten points a letter, and a second column beside the first line
FIRST = ((0, 3, 0.0, 0.0, 30.0, 12.0), (4, 9, 40.0, 0.0, 90.0, 12.0), (10, 13, 100.0, 0.0, 130.0, 12.0))
SECOND = ((14, 19, 0.0, 20.0, 50.0, 32.0), (20, 24, 60.0, 20.0, 100.0, 32.0))
COLUMN = ((25, 30, 300.0, 20.0, 350.0, 32.0),)
PAGE = FIRST + SECOND + COLUMN


def test_a_range_covers_every_word_that_it_touches() -> None:
    assert words_in(PAGE, 4, 9) == [FIRST[1]]
    assert words_in(PAGE, 5, 11) == [FIRST[1], FIRST[2]]
    assert words_in(PAGE, 3, 4) == []  # the space between two words
    assert words_in(PAGE, 13, 14) == []


def test_words_of_a_line_join_to_one_rectangle_and_lines_stay_apart() -> None:
    assert line_rects(PAGE, 4, 24) == [(40.0, 0.0, 130.0, 12.0), (0.0, 20.0, 100.0, 32.0)]


def test_a_column_at_the_same_height_is_another_rectangle() -> None:
    assert line_rects(PAGE, 14, 30) == [(0.0, 20.0, 100.0, 32.0), (300.0, 20.0, 350.0, 32.0)]


def test_part_of_a_word_is_covered_by_its_share_of_letters() -> None:
    assert line_rects(PAGE, 5, 7, whole_words=False) == [(50.0, 0.0, 70.0, 12.0)]
    assert line_rects(PAGE, 5, 7) == [(40.0, 0.0, 90.0, 12.0)]


def test_a_point_finds_the_nearest_boundary_between_letters() -> None:
    assert offset_near(PAGE, 41, 6) == 4
    assert offset_near(PAGE, 66, 6) == 7
    assert offset_near(PAGE, 200, 6) == 13  # right of the line: its end, not the column below
    assert offset_near(PAGE, 20, 26) == 16
    assert offset_near((), 1, 1) is None


def test_only_a_point_inside_is_at_a_word() -> None:
    assert word_at(PAGE, 45, 6) == FIRST[1]
    assert word_at(PAGE, 95, 6) is None
    assert word_at((), 1, 1) is None


def test_lines_are_found_around_an_offset() -> None:
    assert [len(line) for line in lines_of(PAGE)] == [3, 2, 1]
    assert line_around(PAGE, 5) == (0, 13)
    assert line_around(PAGE, 15) == (14, 24)
    assert line_around(PAGE, 30) is None
    assert list(lines_of(())) == []


def test_boxes_without_height_or_width_are_harmless() -> None:
    flat = ((0, 2, 5.0, 5.0, 5.0, 5.0), (3, 5, 9.0, 5.0, 9.0, 5.0))
    assert len(line_rects(flat, 0, 5, whole_words=False)) == 2
    assert offset_near(flat, 5, 5) == 0
