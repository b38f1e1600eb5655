"""The numbers of a question, and how else a text may write them."""

import pytest

from app.core.numerals import figures
from app.core.spellings import in_digits, spelled_numbers


def ways(question: str) -> dict[str, tuple[str, ...]]:
    return {question[n.start : n.end]: n.spellings for n in spelled_numbers(question)}


@pytest.mark.parametrize(
    ("question", "typed", "other"),
    [
        ("on the third of May", "third", "3rd"),
        ("on the third of May", "third", "may 3"),
        ("on the third of May", "third", "3 may"),
        ("on the 3rd of May", "3rd", "third"),
        ("on May 3", "3", "third"),
        ("am 3. Mai", "3", "3 mai"),
        ("January 5", "January", "jan"),
        ("on 2021-05-03", "03", "may 3"),
        ("twenty-five pumps", "twenty-five", "25"),
        ("25 pumps", "25", "twenty five"),
        ("1,987 people", "1,987", "1987"),
        ("in 1987", "1987", "1 987"),
        ("in 1987", "1987", "nineteen eighty seven"),
        ("nineteen eighty-seven", "nineteen eighty-seven", "1987"),
        ("in the 1980s", "1980s", "nineteen eighties"),
        ("the nineteen eighties", "nineteen eighties", "1980s"),
        ("the first president", "first", "1st"),
        ("two million people", "two million", "2000000"),
        ("two million people", "two million", "2 million"),
        ("3 million people", "3", "three million"),
        ("2.5 million people", "2.5", "2500000"),
        ("2500000 people", "2500000", "2 5 million"),
    ],
)
def test_gives_other_ways_to_write_a_number(question: str, typed: str, other: str) -> None:
    assert other in ways(question)[typed]


@pytest.mark.parametrize(
    "question",
    ["one of them", "may I", "a second", "3.50 euros", "0 or 1", "in May", "X200", "007", "7kg", ""],
)
def test_leaves_out_what_can_be_written_in_one_way(question: str) -> None:
    assert "May" not in ways(question)
    assert not {"one", "may", "a", "second", "3.50", "0", "1", "200", "007", "7"} & set(ways(question))


def test_an_ordinal_is_not_written_like_its_cardinal() -> None:
    assert "3" not in ways("the third step")["third"]
    assert "three" not in ways("the 3rd step")["3rd"]


@pytest.mark.parametrize("question", ["twenty-five", "third of May", "1,987", "1980s", "two million"])
def test_every_way_means_the_number(question: str) -> None:
    for spelled in spelled_numbers(question):
        for way in spelled.spellings:
            digits = way if " " not in way or not way.replace(" ", "").isdigit() else way.replace(" ", ",")
            assert any(figure.values & spelled.values for figure in figures(digits)) or way == "05 03"


def test_writes_numbers_of_several_words_in_digits() -> None:
    assert in_digits("In nineteen eighty-seven, three of thirty thousand") == "In 1987, three of 30,000"
    assert in_digits("the twenty-fifth of the nineteen eighties") == "the 25th of the 1980s"
    assert in_digits("nothing") == "nothing"


def test_a_table_of_numbers_takes_no_time() -> None:
    assert len(spelled_numbers("3 May 2024, " * 5_000)) == 10_000
