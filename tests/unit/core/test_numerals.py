"""Numbers and dates are the same number however they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.numerals import figures


def values(text: str) -> list[set[str]]:
    return [set(figure.values) for figure in figures(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1234", [{"1234"}]),
        ("1,234", [{"1234", "1.234"}]),
        ("1.234.567,89", [{"1234567.89"}]),
        ("1\u00a0234", [{"1234"}]),
        ("3.50", [{"3.5"}]),
        ("007", [{"7"}]),
        ("0.0", [{"0"}]),
        ("12 thousand", [{"12000"}]),
        ("2,5 Mio. Euro", [{"2500000"}]),
        ("5 m", [{"5", "5000000"}]),  # metres or millions
        ("3万人", [{"30000"}]),
        ("forty-two", [{"42"}]),
        ("zwölf Tage", [{"12"}]),
        ("two million", [{"2000000"}]),
        ("5kg and 42days", [{"5"}, {"42"}]),
        ("X200 and v2", []),
        ("one of them", []),
        ("2021-05-07", [{"2021"}, {"5", "5th", "month 5"}, {"7", "7th", "month 7"}]),
        ("31/12/1999", [{"31", "31st"}, {"12", "12th", "month 12"}, {"1999"}]),
        ("May 5, 2021", [{"month 5"}, {"5", "5th"}, {"2021"}]),
        ("5 mai 2021", [{"5", "5th"}, {"month 5"}, {"2021"}]),
        ("it may rain", []),
        ("14:30", [{"14"}, {"30"}]),
        ("third of May", [{"3rd"}, {"month 5"}]),
        ("may third", [{"month 5"}, {"3rd"}]),
        ("3rd of May", [{"3", "3rd"}, {"month 5"}]),
        ("May the 4th", [{"month 5"}, {"4", "4th"}]),
        ("three May", [{"3", "3rd"}, {"month 5"}]),
        ("3. Mai", [{"3", "3rd"}, {"month 5"}]),
        ("5 de mayo", [{"5", "5th"}, {"month 5"}]),
        ("First of May", [{"1st"}, {"month 5"}]),
        ("on may first", [{"month 5"}, {"1st"}]),
        ("you may first check", [{"1st"}]),
        ("step 3 may be used", [{"3"}]),
        ("see step 3. May you", [{"3"}]),
        ("in 2003. August was hot", [{"2003"}]),
        ("3 may 1987", [{"3", "3rd"}, {"month 5"}, {"1987"}]),
        ("the third may apply", [{"3rd"}]),
        ("the second", [{"2nd"}]),
        ("10 per second, at first", [{"10"}]),
        ("a third of the 21st", [{"21", "21st"}]),
        ("11st 2th", [{"11"}, {"2"}]),
        ("1er 2e 3º 10er", [{"1", "1st"}, {"2", "2nd"}, {"3", "3rd"}, {"10"}]),
        ("1980s 1987s 90s", [{"1980", "1980s"}, {"1987"}, {"90"}]),
        ("nineteen eighties", [{"1980s"}]),
        ("nineteen eighty-seven", [{"1987"}]),
        ("deux mille", [{"2000"}]),
        ("٣", [{"3"}]),
        ("9" * 5000, [{"9" * 5000}]),
        ("", []),
    ],
)
def test_reads_numbers_and_dates(text: str, expected: list[set[str]]) -> None:
    assert values(text) == expected


def test_knows_where_a_figure_stands() -> None:
    text = "On 5 May it was 1,234 km."
    assert [text[f.start : f.end] for f in figures(text)] == ["5", "May", "1,234"]
    text = "The 25th, two hundred and one and the first"
    assert [text[f.start : f.end] for f in figures(text)] == ["25th", "two hundred and one", "first"]
    assert [figure.is_word for figure in figures(text)] == [False, False, True]


@given(st.text())
def test_takes_any_text(text: str) -> None:
    for figure in figures(text):
        assert 0 <= figure.start < figure.end <= len(text)
        assert figure.values


@given(st.integers(min_value=0, max_value=10**15))
def test_grouping_does_not_matter(number: int) -> None:
    (plain,) = figures(str(number))
    (grouped,) = figures(f"{number:,}")
    assert plain.values & grouped.values
