"""Numbers in words are read exactly, and what only looks like one is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.number_reading import Certainty, said_numbers
from app.core.number_words import in_words, ordinal_in_words


def read(text: str) -> list[tuple[str, int]]:
    return [(text[said.start : said.end], said.value) for said in said_numbers(text)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seven", 7),
        ("Twenty-five", 25),
        ("twenty five", 25),
        ("twenty-\nfive", 25),
        ("nineteen\neighty-seven", 1987),
        ("a hundred", 100),
        ("one hundred and one", 101),
        ("five hundred twelve", 512),
        ("nineteen hundred and five", 1905),
        ("two thousand and one", 2001),
        ("two thousand four", 2004),
        ("nine hundred and ninety-nine thousand nine hundred and ninety-nine", 999_999),
        ("one hundred and two thousand", 102_000),
        ("two million five hundred thousand", 2_500_000),
        ("two millions", 2_000_000),
        ("a billion", 10**9),
        ("nineteen eighty-seven", 1987),
        ("twenty twenty-four", 2024),
        ("fifteen ten", 1510),
        ("nineteen oh five", 1905),
        ("zwölf", 12),
        ("ocho", 8),
    ],
)
def test_reads_a_number(text: str, value: int) -> None:
    assert read(text) == [(text, value)]
    assert not said_numbers(text)[0].is_ordinal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("third", 3),
        ("twentieth", 20),
        ("twenty-fifth", 25),
        ("hundredth", 100),
        ("two hundredth", 200),
        ("two hundred and third", 203),
        ("one thousand and first", 1001),
        ("ten thousandth", 10_000),
    ],
)
def test_reads_an_ordinal(text: str, value: int) -> None:
    assert read(text) == [(text, value)]
    assert said_numbers(text)[0].is_ordinal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one of them, a man and I", []),
        ("hundreds of thousands", []),
        ("a third of it", []),
        ("one third, two-thirds, one hundredth and one thousandth", [("two", 2)]),
        ("a third attempt", [("third", 3)]),
        ("twenty\n\nfive", [("twenty", 20), ("five", 5)]),
        ("twenty, five", [("twenty", 20), ("five", 5)]),
        ("five_six 7seven", []),
        ("ten fifteen, twelve thirty", [("ten", 10), ("fifteen", 15), ("twelve", 12), ("thirty", 30)]),
        ("twenty twenty-pound notes", [("twenty", 20), ("twenty", 20)]),
        ("twenty twenty", [("twenty twenty", 2020)]),
        ("nineteen five", [("nineteen", 19), ("five", 5)]),
        ("nineteen oh", [("nineteen", 19)]),
        ("nineteen oh eleven", [("nineteen", 19), ("eleven", 11)]),
        ("nineteen eighty-seventh", [("nineteen", 19), ("eighty-seventh", 87)]),
        ("thirteen twenty thousand", [("thirteen", 13), ("twenty thousand", 20_000)]),
        ("fourteen eleven hundred", [("fourteen", 14), ("eleven hundred", 1100)]),
        ("between one hundred and twenty", [("one hundred", 100), ("twenty", 20)]),
        ("between one hundred and two hundred", [("one hundred", 100), ("two hundred", 200)]),
        ("one hundred and two hundred", [("one hundred", 100), ("two hundred", 200)]),
        ("three million and two thousand", [("three million", 3_000_000), ("two thousand", 2000)]),
        ("one hundred and a man", [("one hundred", 100)]),
        ("one thousand and many", [("one thousand", 1000)]),
        ("two thousand three thousand", [("two thousand", 2000), ("three thousand", 3000)]),
        ("twenty hundred", [("twenty", 20)]),
        ("a twenty-second delay, a hundred second delay", [("twenty", 20), ("a hundred", 100)]),
        ("the twenty-second century", [("twenty-second", 22)]),
        ("twenty second of May", [("twenty second", 22)]),
    ],
)
def test_leaves_alone_what_is_no_number(text: str, expected: list[tuple[str, int]]) -> None:
    assert [found for found in read(text) if found[0] not in ("second",)] == expected


@pytest.mark.parametrize(
    ("text", "certainty"),
    [
        ("the first", Certainty.LIKELY),
        ("May first", Certainty.LIKELY),
        ("first of all", Certainty.DOUBTFUL),
        ("per second", Certainty.DOUBTFUL),
        ("the, second", Certainty.DOUBTFUL),
        ("twenty-first", Certainty.SURE),
    ],
)
def test_tells_how_sure_it_is(text: str, certainty: Certainty) -> None:
    assert [said.certainty for said in said_numbers(text)] == [certainty]


def test_reads_decades() -> None:
    (said,) = said_numbers("in the nineteen eighties")
    assert (said.value, said.is_decade) == (1980, True)


@given(st.integers(min_value=2, max_value=999_999))
def test_reads_what_it_says(number: int) -> None:
    for words in in_words(number):
        assert read(words) == [(words, number)]
    for words in ordinal_in_words(number):
        if not words.endswith("second") and not words.startswith("one "):
            assert read(words) == [(words, number)]
