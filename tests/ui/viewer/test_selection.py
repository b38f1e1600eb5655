"""Choosing text by mouse and keys, without widgets."""

from app.ui.viewer.marks import Marks
from app.ui.viewer.selection import TextSelection

LINES = (
    (0, 3, 0.0, 0.0, 30.0, 12.0),
    (4, 9, 40.0, 0.0, 90.0, 12.0),
    (10, 15, 0.0, 20.0, 50.0, 32.0),
    (16, 20, 60.0, 20.0, 100.0, 32.0),
)


def test_a_range_reads_forwards_whatever_the_direction() -> None:
    selection = TextSelection()
    assert selection.range is None
    selection.begin(9, extend=False)
    assert selection.range is None
    selection.move_to(4)
    assert selection.range == (4, 9)
    selection.begin(15, extend=True)
    assert selection.range == (9, 15)
    selection.begin(2, extend=False)
    assert selection.range is None
    selection.clear()
    assert selection.anchor is None


def test_words_are_chosen_by_keys() -> None:
    selection = TextSelection()
    selection.step_word(LINES, forward=True)
    assert selection.range == (0, 3)
    selection.step_word(LINES, forward=True)
    selection.step_word(LINES, forward=True)
    assert selection.range == (0, 15)
    selection.step_word(LINES, forward=False)
    assert selection.range == (0, 10)
    for _ in range(9):
        selection.step_word(LINES, forward=True)
    assert selection.range == (0, 20)


def test_lines_are_chosen_by_keys() -> None:
    selection = TextSelection()
    selection.step_line(LINES, forward=True)
    assert selection.range == (0, 9)
    selection.step_line(LINES, forward=True)
    assert selection.range == (0, 20)
    selection.step_line(LINES, forward=False)
    assert selection.range == (0, 10)


def test_a_page_without_words_has_nothing_to_choose() -> None:
    selection = TextSelection()
    selection.step_word((), forward=True)
    selection.step_line((), forward=False)
    assert selection.range is None


def test_marks_are_worked_out_for_each_kind() -> None:
    marks = Marks()
    marks.set_cited((5, 12))
    marks.set_matches(((0, 2), (16, 18), (900, 905)), 1)
    marks.set_selected((4, 6))
    page = marks.of_page(1, LINES)
    assert page.cited == ((40.0, 0.0, 90.0, 12.0), (0.0, 20.0, 50.0, 32.0))
    assert page.matches == ((0.0, 0.0, 20.0, 12.0),)
    assert page.current_match == ((60.0, 20.0, 80.0, 32.0),)
    assert page.selected == ((40.0, 0.0, 60.0, 12.0),)
    assert marks.of_page(1, LINES) is page
    marks.set_selected((6, 6))
    assert marks.of_page(1, LINES).selected == ()
    marks.clear()
    empty = marks.of_page(1, LINES)
    assert (empty.cited, empty.matches, empty.current_match) == ((), (), ())
    assert marks.of_page(2, ()).cited == ()
