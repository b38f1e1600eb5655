"""Numbers and dates in text, in forms that can be compared: `1,234` is `1234`, `three` is `3`.

Search, the relevance gate and the verification of citations all compare numbers by what is read here.
"""

import re
import unicodedata
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal

from app.core.number_reading import Certainty, Said, said_numbers

_DIGIT = re.compile(r"\d")
_GROUP_SEPARATORS = ".,'’\u00a0\u202f"
_PATTERN = re.compile(
    r"""(?<![^\W_])(?:
      (?P<date>\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})(?!\d)
    | (?P<number>(?:\d{1,3}(?:[.,'’\u00a0\u202f]\d{3})+(?!\d)|\d+)(?:[.,]\d+)?)
    )""",
    re.VERBOSE,
)
_WORD_AFTER = re.compile(r"[ \u00a0\u202f-]?([^\W\d_]+)")
_ENDINGS: dict[str, tuple[int, ...]] = {
    "st": (), "nd": (), "rd": (), "th": (), "er": (1, 3), "re": (1,), "ère": (1,), "e": (), "ème": (),
    "eme": (), "nde": (2,), "de": (), "ste": (), "º": (), "ª": (), ".º": (), ".ª": (),
}  # fmt: skip
"""Of ordinals in digits in several languages, and the only numbers that take them."""
_ENGLISH_ENDINGS = frozenset({"st", "nd", "rd", "th"})
_PLURALS = frozenset({"s", "'s", "’s"})
_ENDING = re.compile(
    rf"(?:{'|'.join(re.escape(ending) for ending in [*_ENDINGS, *_PLURALS])})(?![^\W_])", re.IGNORECASE
)
_MAX_ORDINAL_DIGITS = 12
_MAX_DAY = 31
_MONTH_BEFORE = re.compile(
    r"(?P<joint>(?:[^\W\d_]+[ ])?)(?P<month>(?!the[ ])[^\W\d_]+)(?P<mark>[.,]?)[ \u00a0\u202f]"
    r"(?P<article>(?:the[ ])?)$",
    re.IGNORECASE,
)
_MONTH_AFTER = re.compile(
    r"(?P<joint>[ ](?:of|de)[ ]|\.[ ]|[ \u00a0\u202f-]?)(?P<month>[^\W\d_]+)", re.IGNORECASE
)
_WORD_BEHIND = re.compile(r"[ \u00a0\u202f][^\W\d_]")
_VERBS = frozenset({"may", "march"})
_PREPOSITIONS = "on of by since until before after from for to in between and"
_BEFORE_DATES = frozenset(_PREPOSITIONS.split())
_DECIMAL = re.compile(r"\d+(?:\.\d+)?")
_LOOK_BACK = 24

_SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "millions": 10**6, "billions": 10**9, "k": 10**3, "m": 10**6, "mn": 10**6, "bn": 10**9,
    "tausend": 10**3, "mio": 10**6, "millionen": 10**6, "mrd": 10**9, "milliarden": 10**9, "milliarde": 10**9,
    "mille": 10**3, "milliard": 10**9, "milliards": 10**9, "mil": 10**3, "millón": 10**6, "millones": 10**6,
}  # fmt: skip
_SCALES_OF_ONE_SIGN = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_MAYBE_UNITS = frozenset({"k", "m"})

_MONTH_NAMES = {
    "en": (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "jan feb mar apr may jun jul aug sept oct nov dec",
    ),
    "de": ("januar februar märz april mai juni juli august september oktober november dezember",),
    "fr": ("janvier février mars avril mai juin juillet août septembre octobre novembre décembre",),
    "es": ("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",),
}
_MONTHS = {
    name: month
    for rows in _MONTH_NAMES.values()
    for row in rows
    for month, name in enumerate(row.split(), start=1)
}
_FULL_NAMES = frozenset(name for rows in _MONTH_NAMES.values() for name in rows[0].split())


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, or one part of a date, as it stands in a text.

    Two figures mean the same where they share a reading. An ordinal in words is `3rd` only, so that "third"
    is not 3 of something; an ordinal in digits, and a number beside a month, is `3` as well.

    Attributes:
        start: half-open range in code points.
        values: the ways to read it, any of which may be meant (`1,234` is 1234 or 1.234).
        is_word: it may be no number ("the first"), so that a text need not have it as one.
    """

    start: int
    end: int
    values: frozenset[str]
    is_word: bool = False


def figures(text: str) -> list[Figure]:
    """Find the numbers, number words and dates of a text, in order of their place."""
    found = [figure for match in _PATTERN.finditer(text) for figure in _of_match(text, match)]
    found.extend(figure for said in said_numbers(text) for figure in _of_said(text, said))
    # A month between two numbers is found from both.
    return sorted(set(found), key=lambda figure: (figure.start, figure.end))


def _of_match(text: str, match: re.Match[str]) -> Iterator[Figure]:
    if match["date"]:
        yield from _of_date(match)
        return
    number, end = match["number"], match.end()
    values = _readings(number)
    if number.isdecimal() and len(number) <= _MAX_ORDINAL_DIGITS:
        ending, end = _ending(text, match)
        values |= {ending} if ending else set()
    months = _months_beside(text, match.start(), end)
    if months and number.isdecimal() and len(number) <= 2 and int(number) <= _MAX_DAY:
        values |= {ordinal(number)}
    yield Figure(match.start(), end, _scaled(values, _WORD_AFTER.match(text, end)))
    yield from months


def _ending(text: str, match: re.Match[str]) -> tuple[str, int]:
    """Give what the letters behind a whole number make of it ("3rd", "1980s"), and where they end."""
    number, found = int(match["number"]), _ENDING.match(text, match.end())
    if not found:
        return "", match.end()
    letters = found[0].casefold()
    if letters in _PLURALS:
        if len(match["number"]) == 4 and number % 10 == 0:
            return f"{number}s", found.end()
        return "", match.end()
    is_wrong = letters in _ENGLISH_ENDINGS and not ordinal(number).endswith(letters)
    if is_wrong or number not in (_ENDINGS[letters] or (number,)):
        return "", match.end()
    return ordinal(number), found.end()


def ordinal(number: int | str) -> str:
    """Give the reading of an ordinal: `3rd`."""
    value = int(number)
    ending = "th" if value // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


def month_names(month: int, like: str) -> list[str]:
    """Give the names of a month (1 to 12) in the languages that call it `like`, English ones else."""
    typed = like.casefold()
    chosen = [rows for rows in _MONTH_NAMES.values() if any(typed in row.split() for row in rows)]
    rows = chosen or [_MONTH_NAMES["en"]]
    return list(dict.fromkeys(row.split()[month - 1] for names in rows for row in names))


def _scaled(values: AbstractSet[str], after: re.Match[str] | None) -> frozenset[str]:
    """Apply the word of magnitude behind a number; `k` and `m` may be units as well."""
    word = after[1].casefold() if after else ""
    scale = _SCALES.get(word) or _SCALES_OF_ONE_SIGN.get(word[:1])
    if not scale or not all(_DECIMAL.fullmatch(value) for value in values):
        return frozenset(values)
    scaled = {_plain(Decimal(value) * scale) for value in values}
    return frozenset(scaled | values if word in _MAYBE_UNITS else scaled)


def _of_date(match: re.Match[str]) -> Iterator[Figure]:
    """Give each field of a numeric date; fields that can be a month or a day may be read as one."""
    for field in re.finditer(r"\d+", match["date"]):
        value = int(field[0])
        values = {str(value)} | ({f"month {value}"} if 1 <= value <= 12 else set())
        values |= {ordinal(value)} if 1 <= value <= _MAX_DAY else set()
        yield Figure(match.start() + field.start(), match.start() + field.end(), frozenset(values))


def _of_said(text: str, said: Said) -> Iterator[Figure]:
    """Give a number in words, with the month beside it."""
    months = _months_beside(text, said.start, said.end, said.certainty)
    if said.certainty is Certainty.DOUBTFUL and not months:
        return
    value = ordinal(said.value) if said.is_ordinal else f"{said.value}{'s' if said.is_decade else ''}"
    values = {value} | ({ordinal(said.value)} if months and said.value <= _MAX_DAY else set())
    is_word = said.certainty is not Certainty.SURE and not months
    yield Figure(said.start, said.end, _scaled(values, _WORD_AFTER.match(text, said.end)), is_word)
    yield from months


def _months_beside(text: str, start: int, end: int, certainty: Certainty = Certainty.SURE) -> list[Figure]:
    """Give the month that is named beside a number ("5 May", "May the fifth", "3rd of May", "3. Mai")."""
    found = []
    look_from = max(0, start - _LOOK_BACK)
    before = _MONTH_BEFORE.search(text[look_from:start])
    if before and not _ends_sentence(before) and not _is_verb_before(before, certainty):
        found += _months(before["month"], look_from + before.start("month"))
    after = _MONTH_AFTER.match(text, end)
    if after and (end - start <= 2 or after["joint"] != ". ") and not _is_verb_behind(text, after):
        found += _months(after["month"], after.start("month"))
    return found


def _months(word: str, start: int) -> list[Figure]:
    month = _MONTHS.get(word.casefold())
    return [Figure(start, start + len(word), frozenset({f"month {month}"}))] if month else []


def _ends_sentence(before: re.Match[str]) -> bool:
    """Tell "in October. The second point" from "Oct. 5"."""
    return before["mark"] == "." and (bool(before["article"]) or before["month"].casefold() in _FULL_NAMES)


def _is_verb_before(before: re.Match[str], certainty: Certainty) -> bool:
    """Tell "you may first check" from "on may first"."""
    if certainty is Certainty.SURE or before["month"] not in _VERBS:
        return False
    return before["joint"].strip().casefold() not in _BEFORE_DATES


def _is_verb_behind(text: str, after: re.Match[str]) -> bool:
    """Tell "section 3 may be used" from "3 may 1987" and "the third of may", "step 3. May" from "3. Mai"."""
    if after["month"].casefold() not in _VERBS:
        return False
    if after["joint"].startswith("."):
        return True
    is_small = after["month"].islower() and "of" not in after["joint"]
    return is_small and _WORD_BEHIND.match(text, after.end()) is not None


def _readings(text: str) -> set[str]:
    """Give the values that digits with separators can mean."""
    text = text if text.isascii() else _DIGIT.sub(lambda match: str(unicodedata.digit(match[0])), text)
    digits = re.sub(rf"[{_GROUP_SEPARATORS}]", "", text)
    readings = set()
    if re.fullmatch(rf"\d{{1,3}}(?:[{_GROUP_SEPARATORS}]\d{{3}})+|\d+", text):
        readings.add(_plain(digits))
    decimal = re.fullmatch(rf"([\d{_GROUP_SEPARATORS}]*\d)[.,](\d+)", text)
    if decimal:
        whole = re.sub(r"\D", "", decimal[1])
        readings.add(_plain(f"{whole}.{decimal[2]}"))
    return readings


def _plain(value: str | Decimal) -> str:
    """Write a decimal number without leading and trailing zeros."""
    text = value if isinstance(value, str) else f"{value:.6f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    whole = whole.lstrip("0") or "0"
    return f"{whole}.{fraction}" if fraction else whole
