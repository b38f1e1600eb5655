"""Marks that models write are found in all their forms; brackets in code are not marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.answer_marks import Mark, mark_ranges, with_marks, without_marks


@pytest.mark.parametrize(
    ("text", "clean", "marks"),
    [
        ("It is red [1].", "It is red.", [(9, (1,))]),
        ("It is red.[1][2]", "It is red.", [(10, (1,)), (10, (2,))]),
        ("Red [1, 3].", "Red.", [(3, (1, 3))]),
        ("Red [1-3]", "Red", [(3, (1, 2, 3))]),
        ("Red [3-1]", "Red", [(3, (3, 1))]),
        ("Red [1–99]", "Red", [(3, (1, 99))]),
        ("Red [Passage 2]", "Red", [(3, (2,))]),
        ("Red (passages 1 and 2)", "Red", [(3, (1, 2))]),
        ("Red 【4†source】", "Red", [(3, (4,))]),
        ("See [the page](http://x) and [1](http://x)", "See [the page](http://x) and [1](http://x)", []),
        ("Use `a[1]` [2]", "Use `a[1]`", [(10, (2,))]),
        ("```\na[1]\n```", "```\na[1]\n```", []),
        ("In (2019) and [2019]", "In (2019) and [2019]", []),
    ],
)
def test_marks_are_taken_out(text: str, clean: str, marks: list[tuple[int, tuple[int, ...]]]) -> None:
    assert without_marks(text) == (clean, tuple(Mark(*mark) for mark in marks))


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("It is red.", "It is red [1][2]."),
        ("It is red", "It is red [1][2]"),
        ("**Red.**", "**Red [1][2].**"),
        ("他是红的。", "他是红的[1][2]。"),
        ("Is it?!”", "Is it [1][2]?!”"),
        ("and so on . . .", "and so on . . [1][2]."),
    ],
)
def test_marks_stand_before_the_full_stop(sentence: str, expected: str) -> None:
    assert with_marks(sentence, [1, 2, 1]) == expected


def test_no_numbers_leave_the_sentence() -> None:
    assert with_marks("It is red.", []) == "It is red."


@given(st.text(), st.lists(st.integers(1, 999)))
def test_marks_put_in_are_found_again(text: str, numbers: list[int]) -> None:
    clean, _ = without_marks(text)
    marked = with_marks(clean, numbers)
    assert all(f"[{number}]" in marked for number in numbers)


def test_the_places_of_marks_are_told_with_the_space_before_them() -> None:
    text = "It is red [1]. It is [passages 2, 3] big. `a[4]`"
    assert [text[start:end] for start, end in mark_ranges(text)] == [" [1]", " [passages 2, 3]"]


@given(st.text(alphabet="ab []1,`\n."))
def test_what_is_left_beside_the_marks_is_the_text_without_them(text: str) -> None:
    left, last = "", 0
    for start, end in mark_ranges(text):
        left, last = left + text[last:start], end
    assert left + text[last:] == without_marks(text)[0]
