"""Titles come from first questions."""

from hypothesis import given
from hypothesis import strategies as st

from app.core.titles import MAX_TITLE_CHARS, title_of


def test_a_short_question_is_its_own_title() -> None:
    assert title_of("  How long is\n the warranty? ") == "How long is the warranty?"


def test_a_long_question_is_cut_at_a_word() -> None:
    title = title_of("How long is the warranty of the pump that we bought in Hamburg, and who pays?")
    assert title == "How long is the warranty of the pump that we bought in…"


def test_a_long_word_is_cut_anywhere() -> None:
    assert title_of("字" * 100) == "字" * (MAX_TITLE_CHARS - 1) + "…"


@given(st.text())
def test_titles_are_short_lines(question: str) -> None:
    title = title_of(question)
    assert len(title) <= MAX_TITLE_CHARS
    assert title.isprintable()
