"""Numbers said in words: `nineteen eighty-seven` is 1987, `the twenty-fifth` is the ordinal 25.

What differs between languages stands in a `NumberWords` table. A language that writes its numbers up to a
hundred as one word each (German, Dutch) fits by listing those words as `small`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_HUNDRED, _THOUSAND = 100, 1000


@dataclass(frozen=True)
class NumberWords:
    """The number words of one language, in small letters.

    Attributes:
        small: numbers from 1 to 99 that are one word.
        ordinals: the same as ordinals.
        hundred: the word for 100; empty where hundreds are words of their own.
        scales: 1,000 and more.
        large_ordinals: of 100 and more.
        joiner: may stand before what is less than a hundred ("two hundred and five").
        one: words for 1 that are a number only before a greater one ("a hundred"; "one" alone is a pronoun).
        zero: words for a zero in the tens of a year ("nineteen oh five").
        centuries: the first halves of years that are said as pairs; those that may be a time are left out.
        decades: the tens of a decade ("nineteen eighties").
        range_word: behind it the joiner parts two numbers ("between one hundred and twenty").
        doubtful: ordinals that often mean something else ("first of all", "a second").
        units: those of them that are units of measure ("a thirty-second timer").
        before_doubtful: words behind which they are ordinals: articles and the like, and months.
        articles: before a fraction ("a third of").
        of: behind a fraction.
    """

    small: Mapping[str, int]
    ordinals: Mapping[str, int] = field(default_factory=dict)
    hundred: str = ""
    scales: Mapping[str, int] = field(default_factory=dict)
    large_ordinals: Mapping[str, int] = field(default_factory=dict)
    joiner: str = ""
    one: frozenset[str] = frozenset()
    zero: frozenset[str] = frozenset()
    centuries: range = range(0)
    decades: Mapping[str, int] = field(default_factory=dict)
    range_word: str = ""
    doubtful: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    before_doubtful: frozenset[str] = frozenset()
    articles: frozenset[str] = frozenset()
    of: str = ""


_UNIT_WORDS = """
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
"""
_ORDINAL_WORDS = """
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
    fifteenth sixteenth seventeenth eighteenth nineteenth
"""
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS, _ORDINAL_UNITS, _TENS = _UNIT_WORDS.split(), _ORDINAL_WORDS.split(), _TENS_WORDS.split()
_ENGLISH_MONTHS = (
    "january february march april may june july august september october november december"
    " jan feb mar apr jun jul aug sep sept oct nov dec"
)
_ENGLISH_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
ENGLISH = NumberWords(
    small={word: n for n, word in enumerate(_UNITS, 1)} | {word: 10 * n for n, word in enumerate(_TENS, 2)},
    ordinals={word: n for n, word in enumerate(_ORDINAL_UNITS, 1)}
    | {f"{word[:-1]}ieth": 10 * n for n, word in enumerate(_TENS, 2)},
    hundred="hundred",
    scales=_ENGLISH_SCALES | {"millions": 10**6, "billions": 10**9, "trillions": 10**12},
    large_ordinals={"hundredth": _HUNDRED} | {f"{word}th": value for word, value in _ENGLISH_SCALES.items()},
    joiner="and",
    one=frozenset({"a", "one"}),
    zero=frozenset({"oh", "o"}),
    # "Ten fifteen" to "twelve fifteen" are times more often than years.
    centuries=range(13, 21),
    decades={f"{word[:-1]}ies": 10 * n for n, word in enumerate(_TENS, 2)},
    range_word="between",
    doubtful=frozenset({"first", "second"}),
    units=frozenset({"second"}),
    before_doubtful=frozenset(f"the this that his her its their our my your {_ENGLISH_MONTHS}".split()),
    articles=frozenset({"a", "an"}),
    of="of",
)
"""American and British; up to 999,999,999,999."""

# Of these languages only words of one digit or two are known yet, and no ordinals.
_GERMAN = "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf"
_FRENCH = "deux trois quatre cinq six sept huit"
_SPANISH = "dos tres cuatro cinco seis siete ocho nueve diez"
LANGUAGES = (
    ENGLISH,
    *(
        NumberWords({word: value for value, word in enumerate(words.split(), start=2)})
        for words in (_GERMAN, _FRENCH, _SPANISH)
    ),
)


def in_words(value: int) -> tuple[str, ...]:
    """Give the ways in which English says a whole number, the one of a year included.

    Args:
        value: 1 to 999,999; nothing is given for others.
    """
    if not 1 <= value < _THOUSAND**2:
        return ()
    ways = [_spelled(value, "and ")]
    ways += [way for way in (_spelled(value, ""), *_year_words(value)) if way and way not in ways]
    return tuple(ways)


def ordinal_in_words(value: int) -> tuple[str, ...]:
    """Give the ways in which English says an ordinal; see `in_words`."""
    cardinal = (_spelled(value, "and "), _spelled(value, ""))
    alone = [word for word, number in ENGLISH.large_ordinals.items() if number == value]
    return tuple(dict.fromkeys([*(_as_ordinal(way) for way in cardinal if way), *alone]))


def decade_in_words(year: int) -> tuple[str, ...]:
    """Give the way in which English says a decade ("nineteen eighties"), by its first year."""
    century, last = divmod(year, _HUNDRED)
    words = [word for word, tens in ENGLISH.decades.items() if tens == last]
    return tuple(f"{_below_hundred(century)} {word}" for word in words if century in ENGLISH.centuries)


_CARDINALS = {value: word for word, value in ENGLISH.small.items()}
_ORDINALS = {_CARDINALS[value]: word for word, value in ENGLISH.ordinals.items()}


def _below_hundred(value: int) -> str:
    if word := _CARDINALS.get(value):
        return word
    return f"{_CARDINALS[value // 10 * 10]} {_CARDINALS[value % 10]}"


def _spelled(value: int, joiner: str) -> str:
    if not 1 <= value < _THOUSAND**2:
        return ""
    thousands, rest = divmod(value, _THOUSAND)
    hundreds, last = divmod(rest, _HUNDRED)
    parts = [f"{_spelled(thousands, joiner)} thousand"] if thousands else []
    parts += [f"{_CARDINALS[hundreds]} hundred"] if hundreds else []
    parts += [f"{joiner if parts else ''}{_below_hundred(last)}"] if last else []
    return " ".join(parts)


def _year_words(value: int) -> Iterator[str]:
    century, last = divmod(value, _HUNDRED)
    if not 11 <= century < 100 or century % 10 == 0:
        if century != 20 or last < 10:
            return
        yield f"twenty {_below_hundred(last)}"
        return
    if last == 0:
        yield f"{_below_hundred(century)} hundred"
    elif century in ENGLISH.centuries:
        yield f"{_below_hundred(century)} {'oh ' if last < 10 else ''}{_below_hundred(last)}"


def _as_ordinal(words: str) -> str:
    head, space, last = words.rpartition(" ")
    return f"{head}{space}{_ORDINALS.get(last, f'{last}th')}"
