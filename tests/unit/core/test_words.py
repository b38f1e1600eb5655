"""Content words compare across inflection, case and script; function words do not count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.words import (
    Kind,
    TermSet,
    content_terms,
    distinct,
    is_function_word,
    negation_places,
    stem,
)


def words(text: str) -> list[str]:
    return [text[term.start : term.end] for term in content_terms(text)]


def test_function_words_are_left_out() -> None:
    assert words("What is the warranty of the pump, and when does it end?") == ["warranty", "pump", "end"]
    assert is_function_word("The") and not is_function_word("pump")


def test_clitics_are_cut() -> None:
    assert words("John's dogs' l'eau d’Artagnan") == ["John", "dogs", "eau", "Artagnan"]
    assert words("It isn't and won't; rock'n'roll") == ["rock"]


def test_kinds() -> None:
    kinds = {t.key: t.kind for t in content_terms("The X200 weighs 5 kg, says NASA")}
    assert kinds == {
        "x200": Kind.IDENTIFIER,
        "weigh": Kind.WORD,
        "5": Kind.NUMBER,
        "kg": Kind.WORD,
        "nasa": Kind.WORD,
    }
    assert [t.acronym for t in content_terms("NASA Nasa")] == [True, False]


def test_scripts_without_spaces_give_pairs_of_signs_between_particles() -> None:
    assert words("法国的首都是巴黎") == ["法国", "首都", "巴黎"]
    assert words("巴黎市") == ["巴黎", "黎市"]
    assert words("水") == ["水"]
    assert content_terms("水")[0].kind is Kind.BIGRAM


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("warranty", "warranties"),
        ("invent", "inventions"),
        ("invented", "inventor"),
        ("stop", "stopped"),
        ("Überprüfung", "überprüfungen"),
        ("café", "cafes"),
    ],
)
def test_inflected_words_share_their_stem(first: str, second: str) -> None:
    assert stem(first) == stem(second)


@pytest.mark.parametrize(("first", "second"), [("glass", "glad"), ("virus", "vir"), ("motor", "mot")])
def test_short_and_odd_words_are_not_cut(first: str, second: str) -> None:
    assert stem(first) != stem(second)


def test_a_set_holds_inflected_words_and_numbers_in_any_form() -> None:
    held = TermSet(content_terms("The computer has 1,234 inventions by NASA and an X200"))

    def holds(text: str) -> bool:
        return all(held.holds(term) for term in content_terms(text))

    assert holds("1234")
    assert holds("computing invented")
    assert holds("x200")
    assert not holds("X20")
    assert not holds("NASAL")
    assert not holds("NAS")
    assert not holds("12")
    assert not holds("comparison")
    assert not holds("ant")


def test_distinct_keeps_each_term_once() -> None:
    assert len(distinct(content_terms("pump Pump pumps 5 5"))) == 2


def test_negations_are_found() -> None:
    text = "It is not waterproof, isn't new, never was; 它不防水"
    assert [text[place : place + 3].strip() for place in negation_places(text)] == [
        "not",
        "isn",
        "nev",
        "不防水",
    ]


@given(st.text())
def test_takes_any_text(text: str) -> None:
    for term in content_terms(text):
        assert 0 <= term.start < term.end <= len(text)
        assert term.key or term.values
    negation_places(text)
