"""How else the numbers of a question may be written in the texts that keyword search goes through."""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from app.core.number_reading import said_numbers
from app.core.number_words import decade_in_words, in_words, ordinal_in_words
from app.core.numerals import Figure, figures, month_names, ordinal

_WHOLE = re.compile(r"\d{1,13}")
_ORDINAL = re.compile(r"(\d{1,6})(?:st|nd|rd|th)")
_DECADE = re.compile(r"(\d{4})s")
_MONTH = re.compile(r"month (\d+)")
_SCALES = ((10**3, "thousand"), (10**6, "million"), (10**9, "billion"))
_MAX_WORDS = 5
"""Of one way to write a number. Longer ones hardly stand in any text, and are slow to look for."""
_LEAST_GROUPED = 10_000
_LEAST = 2  # zero and one say too little


@dataclass(frozen=True, slots=True)
class Spelled:
    """A number of a question, or a part of a date.

    Attributes:
        start: half-open range in code points.
        values: see Figure.
        spellings: other ways to write it: words in small letters between single spaces.
    """

    start: int
    end: int
    values: frozenset[str]
    spellings: tuple[str, ...]


def spelled_numbers(question: str) -> list[Spelled]:
    """Find the numbers that can be written in more than one way, in order of their place."""
    found = figures(question)
    months: dict[tuple[int, str], set[Figure]] = {}
    for figure in found:
        for month in _months(question, figure):
            months.setdefault(month, set()).add(figure)
    spelled = []
    for figure in found:
        if question[figure.end : figure.end + 1].isalnum():
            continue  # "5kg" is one word to keyword search
        typed = question[figure.start : figure.end]
        ways = dict.fromkeys([*_ways(figure.values, typed), *_days(figure, months)])
        ways.pop(" ".join(re.findall(r"[^\W_]+", typed.casefold())), None)
        short = tuple(way for way in ways if way.count(" ") < _MAX_WORDS)
        if short:
            spelled.append(Spelled(figure.start, figure.end, figure.values, short))
    return spelled


def in_digits(text: str) -> str:
    """Write the numbers of several words in digits, as most texts do: "nineteen eighty-seven" is 1987.

    A question's embedding is then nearer to that of such a text. Numbers of one word stay: texts often have
    them in words.
    """
    pieces, position = [], 0
    for said in said_numbers(text):
        if not re.search(r"\W", text[said.start : said.end]):
            continue
        number = f"{said.value:,}" if said.value >= _LEAST_GROUPED else str(said.value)
        number = ordinal(said.value) if said.is_ordinal else f"{number}{'s' if said.is_decade else ''}"
        pieces += [text[position : said.start], number]
        position = said.end
    return "".join([*pieces, text[position:]])


def _ways(values: frozenset[str], typed: str) -> Iterator[str]:
    """Give the ways to write any of the values; of an ordinal or decade, not those of its cardinal."""
    ordinals = [int(match[1]) for value in values if (match := _ORDINAL.fullmatch(value))]
    decades = [int(match[1]) for value in values if (match := _DECADE.fullmatch(value))]
    for number in ordinals:
        yield ordinal(number)
        yield from ordinal_in_words(number)
    for year in decades:
        yield f"{year}s"
        yield from decade_in_words(year)
    if ordinals or decades or typed.startswith("0"):
        return  # "007" is a name
    for value in sorted(values):
        if _WHOLE.fullmatch(value) and int(value) >= _LEAST:
            yield from _cardinals(int(value))
        elif match := _MONTH.fullmatch(value):
            yield from month_names(int(match[1]), typed)


def _cardinals(number: int) -> Iterator[str]:
    yield str(number)
    if number >= 1000:
        yield f"{number:,}".replace(",", " ")
    yield from in_words(number)
    for scale, word in reversed(_SCALES):
        whole, rest = divmod(number, scale)
        if whole and not rest * 10 % scale:
            tenths = f" {rest * 10 // scale}" if rest else ""
            yield f"{whole}{tenths} {word}"
            if not rest:
                yield from (f"{said} {word}" for said in in_words(whole))
            return


def _days(day: Figure, months: Mapping[tuple[int, str], AbstractSet[Figure]]) -> Iterator[str]:
    """Give a day with the months that the question has beside it: "may 3", "3 may", "05 03"."""
    days = [int(match[1]) for value in day.values if (match := _ORDINAL.fullmatch(value))]
    others = [month for month, named_by in months.items() if named_by != {day}] if days else []
    for number in days:
        for month, typed in others:
            for name in month_names(month, typed):
                yield from (f"{name} {number}", f"{number} {name}")
            yield f"{month:02d} {number:02d}"


def _months(question: str, figure: Figure) -> Iterator[tuple[int, str]]:
    for value in figure.values:
        if match := _MONTH.fullmatch(value):
            yield int(match[1]), question[figure.start : figure.end]
