"""Word error rate, with what is written differently and sounds the same made equal.

Before words are compared: letters are made small; punctuation goes, hyphens part words; "Mr.", "Dr." and "&"
are written out; numbers are written in words (years as they are said: 1891 is "eighteen ninety one"; "21st"
is "twenty first"; "%" is "percent"). Nothing else is forgiven: a misspelt name is an error.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SHORT = {"mr": "mister", "mrs": "missus", "dr": "doctor", "st": "saint", "&": "and", "%": "percent"}
_ONES = (
    *(
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth"} | {
    "nine": "ninth",
    "twelve": "twelfth",
}
_TOKEN = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:st|nd|rd|th)?|[^\W\d_]+(?:['’][^\W\d_]+)*|[&%]")
_NUMBER = re.compile(r"(\d+(?:,\d{3})*)(?:\.(\d+))?(st|nd|rd|th)?")


@dataclass(frozen=True)
class WordErrors:
    """Errors of one text or of many.

    Attributes:
        n_errors: words changed, left out and put in.
        n_words: of what was said.
    """

    n_errors: int
    n_words: int

    @property
    def rate(self) -> float:
        """Errors a word."""
        return self.n_errors / self.n_words if self.n_words else float(self.n_errors > 0)


def word_errors(said: str, understood: str) -> WordErrors:
    """Compare what was understood with what was said."""
    reference, found = words(said), words(understood)
    return WordErrors(_distance(reference, found), len(reference))


def total(errors: Iterable[WordErrors]) -> WordErrors:
    """Add up."""
    every = list(errors)
    return WordErrors(sum(one.n_errors for one in every), sum(one.n_words for one in every))


def words(text: str) -> list[str]:
    """Give the words of a text as they are compared."""
    found: list[str] = []
    for token in _TOKEN.findall(text.casefold()):
        if token[0].isdigit():
            found.extend(_spoken_number(token))
        else:
            found.append(_SHORT.get(token, token.replace("’", "'")))
    return found


def _distance(reference: Sequence[str], found: Sequence[str]) -> int:
    """Give the fewest changes, omissions and additions (Levenshtein)."""
    row = list(range(len(found) + 1))
    for index, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], index
        for column, other in enumerate(found, 1):
            best = min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
            diagonal, row[column] = row[column], best
    return row[-1]


def _spoken_number(token: str) -> list[str]:
    match = _NUMBER.fullmatch(token)
    assert match is not None
    whole, fraction, ordinal = match.groups()
    is_year = len(whole) == 4 and not fraction and not ordinal and whole[0] in "12" and whole[1:3] != "00"
    number = int(whole.replace(",", ""))
    said = _year(number) if is_year else _cardinal(number)
    if fraction:
        said = [*said, "point", *(_ONES[int(digit)] for digit in fraction)]
    if ordinal:
        last = said[-1]
        said[-1] = _ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return said


def _year(number: int) -> list[str]:
    century, rest = divmod(number, 100)
    end = ["hundred"] if not rest else ["oh", _ONES[rest]] if rest < 10 else _cardinal(rest)
    return [*_cardinal(century), *end]


def _cardinal(number: int) -> list[str]:
    for size, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            many, rest = divmod(number, size)
            return [*_cardinal(many), name, *(_cardinal(rest) if rest else [])]
    if number < 20:
        return [_ONES[number]]
    tens, ones = divmod(number, 10)
    return [_TENS[tens], *([_ONES[ones]] if ones else [])]
