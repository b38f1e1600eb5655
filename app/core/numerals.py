"""Numbers and dates in text, in forms that can be compared: `1,234` is `1234`, `three` is `3`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_GROUP_SEPARATORS = ".,'’\u00a0\u202f"
_PATTERN = re.compile(
    r"""(?<![^\W_])(?:
      (?P<date>\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?!\d)
    | (?P<number>(?:\d{1,3}(?:[.,'’\u00a0\u202f]\d{3})+(?!\d)|\d+)(?:[.,]\d+)?)
    )""",
    re.VERBOSE,
)
_WORD_AFTER = re.compile(r"[ \u00a0\u202f-]?([^\W\d_]+)")
_WORD_BEFORE = re.compile(r"([^\W\d_]+)[.,]?[ \u00a0\u202f]$")
_LOOK_BACK = 16

_SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "millions": 10**6, "billions": 10**9, "k": 10**3, "m": 10**6, "mn": 10**6, "bn": 10**9,
    "tausend": 10**3, "mio": 10**6, "millionen": 10**6, "mrd": 10**9, "milliarden": 10**9, "milliarde": 10**9,
    "mille": 10**3, "milliard": 10**9, "milliards": 10**9, "mil": 10**3, "millón": 10**6, "millones": 10**6,
}  # fmt: skip
_SCALES_OF_ONE_SIGN = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_MAYBE_UNITS = frozenset({"k", "m"})

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_GERMAN = ("zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf")
_FRENCH = ("deux", "trois", "quatre", "cinq", "six", "sept", "huit")
_SPANISH = ("dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez")
_WORDS = {word: value for value, word in enumerate(_UNITS)}
_WORDS |= {word: 10 * value for value, word in enumerate(_TENS, start=2)}
_WORDS |= {word: value for words in (_GERMAN, _FRENCH, _SPANISH) for value, word in enumerate(words, start=2)}
del _WORDS["one"], _WORDS["zero"]  # "one" is a pronoun more often than a number
_NUMBER_WORD = re.compile(
    rf"(?<![^\W_])(?:(?P<tens>{'|'.join(_TENS)})[- ](?P<unit>{'|'.join(_UNITS[1:10])})"
    rf"|(?P<word>{'|'.join(sorted(_WORDS, key=len, reverse=True))}))(?![^\W_])",
    re.IGNORECASE,
)

_MONTHS: dict[str, int] = {}
for _names in (
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
):
    _MONTHS |= {_name: _month for _month, _name in enumerate(_names.split(), start=1)}
_MONTHS["sept"] = 9


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, or one part of a date, as it stands in a text.

    Attributes:
        start: half-open range in code points.
        values: the ways to read it, any of which may be meant (`1,234` is 1234 or 1.234).
    """

    start: int
    end: int
    values: frozenset[str]


def figures(text: str) -> list[Figure]:
    """Find the numbers, number words and dates of a text, in order of their place."""
    found = [figure for match in _PATTERN.finditer(text) for figure in _of_match(text, match)]
    found.extend(_of_words(text))
    # A month between two numbers is found from both.
    return sorted(set(found), key=lambda figure: (figure.start, figure.end))


def _of_match(text: str, match: re.Match[str]) -> Iterator[Figure]:
    if match["date"]:
        yield from _of_date(match)
        return
    values = _readings(match["number"])
    after = _WORD_AFTER.match(text, match.end())
    yield Figure(match.start(), match.end(), _scaled(values, after))
    yield from _month_beside(text, match, after)


def _scaled(values: set[str], after: re.Match[str] | None) -> frozenset[str]:
    """Apply the word of magnitude behind a number; `k` and `m` may be units as well."""
    word = after[1].casefold() if after else ""
    scale = _SCALES.get(word) or _SCALES_OF_ONE_SIGN.get(word[:1])
    if not scale:
        return frozenset(values)
    scaled = {_plain(float(value) * scale) for value in values}
    return frozenset(scaled | values if word in _MAYBE_UNITS else scaled)


def _of_date(match: re.Match[str]) -> Iterator[Figure]:
    """Give each field of a numeric date; fields that can be a month may be read as one."""
    for field in re.finditer(r"\d+", match["date"]):
        value = int(field[0])
        values = {str(value)} | ({f"month {value}"} if 1 <= value <= 12 else set())
        yield Figure(match.start() + field.start(), match.start() + field.end(), frozenset(values))


def _month_beside(text: str, number: re.Match[str], after: re.Match[str] | None) -> Iterator[Figure]:
    """Give the month that is named beside a number ("5 May", "May 5")."""
    start = max(0, number.start() - _LOOK_BACK)
    before = _WORD_BEFORE.search(text[start : number.start()])
    for word, offset in ((before, start), (after, 0)):
        if word and (month := _MONTHS.get(word[1].casefold())):
            yield Figure(offset + word.start(1), offset + word.end(1), frozenset({f"month {month}"}))


def _of_words(text: str) -> Iterator[Figure]:
    for match in _NUMBER_WORD.finditer(text):
        if match["tens"]:
            value = _WORDS[match["tens"].casefold()] + _UNITS.index(match["unit"].casefold())
        else:
            value = _WORDS[match["word"].casefold()]
        yield Figure(*match.span(), _scaled({str(value)}, _WORD_AFTER.match(text, match.end())))


def _readings(text: str) -> set[str]:
    """Give the values that digits with separators can mean."""
    digits = re.sub(rf"[{_GROUP_SEPARATORS}]", "", text)
    readings = set()
    if re.fullmatch(rf"\d{{1,3}}(?:[{_GROUP_SEPARATORS}]\d{{3}})+|\d+", text):
        readings.add(_plain(digits))
    decimal = re.fullmatch(rf"([\d{_GROUP_SEPARATORS}]*\d)[.,](\d+)", text)
    if decimal:
        whole = re.sub(r"\D", "", decimal[1])
        readings.add(_plain(f"{whole}.{decimal[2]}"))
    return readings


def _plain(value: str | float) -> str:
    """Write a decimal number without leading and trailing zeros."""
    text = value if isinstance(value, str) else f"{value:.6f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction else whole
