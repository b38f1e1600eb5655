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
        ("2021-05-07", [{"2021"}, {"5", "month 5"}, {"7", "month 7"}]),
        ("31/12/1999", [{"31"}, {"12", "month 12"}, {"1999"}]),
        ("May 5, 2021", [{"month 5"}, {"5"}, {"2021"}]),
        ("5 mai 2021", [{"5"}, {"month 5"}, {"2021"}]),
        ("it may rain", []),
        ("14:30", [{"14"}, {"30"}]),
        ("", []),
    ],
)
def test_reads_numbers_and_dates(text: str, expected: list[set[str]]) -> None:
    assert values(text) == expected


def test_knows_where_a_figure_stands() -> None:
    text = "On 5 May it was 1,234 km."
    assert [text[f.start : f.end] for f in figures(text)] == ["5", "May", "1,234"]


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
