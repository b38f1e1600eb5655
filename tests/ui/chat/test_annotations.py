"""Marks for citations and unsupported ranges inside Markdown."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.protocol.chat import Citation
from app.ui.chat.annotations import annotated, without_annotations

CITATION = Citation(
    n=1,
    document_id=3,
    path="/d/a.pdf",
    name="a.pdf",
    page=2,
    char_start=10,
    char_end=20,
    quote="some quote",
    verified=True,
    answer_start=0,
    answer_end=0,
)


def cite(n: int, text: str, sentence: str, **changes: object) -> Citation:
    """A citation of one sentence of an answer."""
    start = text.index(sentence)
    return replace(CITATION, n=n, answer_start=start, answer_end=start + len(sentence), **changes)  # type: ignore[arg-type]


def test_a_number_becomes_the_mark_of_its_citation() -> None:
    text = "It lasts two years [1]. It costs ten [2][1]."
    citations = (
        cite(1, text, "It lasts two years [1]."),
        cite(2, text, "It costs ten [2][1]."),
        cite(1, text, "It costs ten [2][1]."),
    )
    assert annotated(text, citations, ()) == "It lasts two years ⸨c0⸩. It costs ten ⸨c1⸩⸨c2⸩."


def test_a_number_that_no_citation_has_stays_text() -> None:
    text = "See [7], and array[1] in `code [1]`. True [1]."
    assert annotated(text, (cite(1, text, "True [1]."),), ()) == (
        "See [7], and array[1] in `code [1]`. True ⸨c0⸩."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", "⸨u⸩One. Two.⸨v⸩"),
        ("- item text\n", "- ⸨u⸩item text⸨v⸩\n"),
        ("1. item", "1. ⸨u⸩item⸨v⸩"),
        ("> # quoted heading", "> # ⸨u⸩quoted heading⸨v⸩"),
        ("| a | b |", "| ⸨u⸩a | b⸨v⸩ |"),
        ("**bold** words", "⸨u⸩**bold** words⸨v⸩"),
        ("   ", "   "),
    ],
)
def test_unsupported_ranges_leave_block_markers_alone(text: str, expected: str) -> None:
    assert annotated(text, (), ((0, len(text)),)) == expected


def test_unsupported_code_is_not_marked() -> None:
    text = "```\ncode\n```"
    assert annotated(text, (), ((0, len(text)),)) == text


def test_brackets_of_the_answer_cannot_pose_as_marks() -> None:
    assert annotated("⸨c0⸩ and ⸨u⸩", (), ()) == "(c0) and (u)"


@given(st.text(alphabet="ab [1].\n`*⸨⸩c0uv", max_size=60), st.data())
def test_marks_can_always_be_taken_out_again(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    citation = replace(CITATION, answer_start=start, answer_end=end)
    plain = text.replace("⸨", "(").replace("⸩", ")")
    marked = annotated(text, (citation,), ((start, end),))
    assert without_annotations(marked).replace("[1]", "") == plain.replace("[1]", "")
