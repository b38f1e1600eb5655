"""Read the numbers that stand in a text in words: `nineteen eighty-seven` is 1987.

The grammar is that of English and of languages built alike; the words are in `app.core.number_words`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from app.core.number_words import LANGUAGES, NumberWords

_TOKEN = re.compile(r"[^\W\d_]+")
_JOINT = re.compile(r"[-\u2010\u2011]\n?|[ \u00a0\u202f]{1,2}|[ \u00a0\u202f]?\n[ \u00a0\u202f]?")
_HUNDRED = 100
_NO_SCALE_YET = 10**15


class Certainty(Enum):
    """How sure it is that words mean a number."""

    SURE = "sure"
    LIKELY = "likely"  # "the first"
    DOUBTFUL = "doubtful"  # "first", "a second": none, unless it is a day of a month


@dataclass(frozen=True, slots=True)
class Said:
    """A number in words.

    Attributes:
        start: half-open range in code points.
        value: at least 1.
        is_ordinal: "third", not "three".
        is_decade: "nineteen eighties"; the value is its first year.
    """

    start: int
    end: int
    value: int
    is_ordinal: bool = False
    is_decade: bool = False
    certainty: Certainty = Certainty.SURE


def said_numbers(text: str) -> list[Said]:
    """Find the numbers that are said in words, in order of their place; each is of one language."""
    tokens = tuple(_TOKEN.finditer(text))
    words = tuple(match[0].casefold() for match in tokens)
    found: list[Said] = []
    end = 0
    for index, word in enumerate(words):
        if index < end:
            continue
        for table in _TABLES_OF.get(word, ()):
            reader = _Reader(table, text, tokens, words)
            if part := reader.at(index):
                end = part.end
                found.append(reader.said(index, part))
                break
    return found


def _tables_of() -> dict[str, list[NumberWords]]:
    tables: dict[str, list[NumberWords]] = {}
    for table in LANGUAGES:
        for word in {*table.small, *table.ordinals, *table.large_ordinals, *table.one}:
            tables.setdefault(word, []).append(table)
    return tables


_TABLES_OF = _tables_of()


@dataclass(frozen=True, slots=True)
class _Part:
    """A number read up to before word `end`."""

    value: int
    end: int
    is_ordinal: bool = False
    is_decade: bool = False


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads a text's words as numbers of one language."""

    table: NumberWords
    text: str
    tokens: Sequence[re.Match[str]]
    words: Sequence[str]

    def at(self, index: int) -> _Part | None:
        """Give the longest number that begins at a word."""
        if self._touches(self.tokens[index].start() - 1):
            return None
        part = self._year(index) or self._number(index)
        if part is None or self._touches(self.tokens[part.end - 1].end()) or self._is_fraction(index, part):
            return None
        return part

    def said(self, index: int, part: _Part) -> Said:
        """Give a number with its place."""
        start, end = self.tokens[index].start(), self.tokens[part.end - 1].end()
        certainty = Certainty.SURE
        if part.end == index + 1 and self.words[index] in self.table.doubtful:
            certainty = Certainty.LIKELY if self._is_pointed_at(index) else Certainty.DOUBTFUL
        return Said(start, end, part.value, part.is_ordinal, part.is_decade, certainty)

    def _is_pointed_at(self, index: int) -> bool:
        return self._joined(index) and self.words[index - 1] in self.table.before_doubtful

    # ------------------------------------------------------------------------------------------- words

    def _touches(self, place: int) -> bool:
        """Tell whether a digit or the like stands directly beside a word."""
        return 0 <= place < len(self.text) and (self.text[place].isalnum() or self.text[place] == "_")

    def _joined(self, index: int) -> bool:
        """Tell whether a word follows the one before it with nothing but a space or hyphen between."""
        if not index:
            return False
        between = self.text[self.tokens[index - 1].end() : self.tokens[index].start()]
        return _JOINT.fullmatch(between) is not None

    def _word(self, index: int, first: int) -> str:
        """Give a word that goes on with the number begun at word `first`; empty where none does."""
        if index >= len(self.words) or (index > first and not self._joined(index)):
            return ""
        return self.words[index]

    def _is_fraction(self, index: int, part: _Part) -> bool:
        """Tell "one third" and "a third of" from an ordinal."""
        if not part.is_ordinal or part.end > index + 1 or not index or not self._joined(index):
            return False
        table, before = self.table, self.words[index - 1]
        if before in table.small:
            return True
        return before in table.articles and bool(table.of) and self._word(index + 1, index) == table.of

    # ----------------------------------------------------------------------------------------- grammar

    def _below_hundred(self, index: int, first: int) -> _Part | None:
        word = self._word(index, first)
        if word in self.table.ordinals and not (index > first and self._is_unit(index, first)):
            return _Part(self.table.ordinals[word], index + 1, is_ordinal=True)
        value = self.table.small.get(word, 0)
        if not value:
            return None
        if value % 10 == 0 and value > 10:
            unit = self._word(index + 1, first)
            if 0 < self.table.small.get(unit, 0) < 10:
                return _Part(value + self.table.small[unit], index + 2)
            if 0 < self.table.ordinals.get(unit, 0) < 10 and not self._is_unit(index + 1, first):
                return _Part(value + self.table.ordinals[unit], index + 2, is_ordinal=True)
        return _Part(value, index + 1)

    def _is_unit(self, index: int, first: int) -> bool:
        """Tell "a thirty-second timer" from "the thirty-second" and "thirty-second of"."""
        if self.words[index] not in self.table.units:
            return False
        return not self._is_pointed_at(first) and self._word(index + 1, index) != self.table.of

    def _below_thousand(self, index: int, first: int) -> _Part | None:
        """Read "three", "a hundred", "nineteen hundred and five"; "a" alone is given as 1."""
        head = self._below_hundred(index, first)
        if head is None and (large := self.table.large_ordinals.get(self._word(index, first), 0)):
            return _Part(large, index + 1, is_ordinal=True)
        if head is None and index == first and self.words[index] in self.table.one:
            head = _Part(1, index + 1)
        if head is None or head.is_ordinal:
            return head
        return self._hundreds(head, first)

    def _hundreds(self, head: _Part, first: int) -> _Part:
        word = self._word(head.end, first)
        if not word or (head.value % 10 == 0 and head.value > 10):
            return head  # nobody says "twenty hundred"
        if (
            self.table.large_ordinals.get(word) == _HUNDRED and head.value > 1
        ):  # "one hundredth" is a fraction
            return _Part(head.value * _HUNDRED, head.end + 1, is_ordinal=True)
        if word != self.table.hundred:
            return head
        whole = _Part(head.value * _HUNDRED, head.end + 1)
        tail = self._tail(whole.end, first)
        return whole if tail is None else replace(tail, value=whole.value + tail.value)

    def _tail(self, index: int, first: int) -> _Part | None:
        """Read what is less than a hundred, with or without the joiner before it."""
        if self._word(index, first) != self.table.joiner:
            part = self._below_hundred(index, first)
        elif first and self.words[first - 1] == self.table.range_word:
            return None
        else:
            part = self._below_hundred(index + 1, first)
        if part and self._word(part.end, first) == self.table.hundred:
            return None
        return part

    def _number(self, first: int) -> _Part | None:
        """Read a number with its thousands, millions and so on, each scale less than the one before."""
        total, limit, end = 0, _NO_SCALE_YET, first
        part = self._below_thousand(first, first)
        while part:
            word = "" if part.is_ordinal else self._word(part.end, first)
            scale = self.table.large_ordinals.get(word, 0)
            if scale and total + part.value > 1:
                return _Part(total + part.value * scale, part.end + 1, is_ordinal=True)
            scale = self.table.scales.get(word, 0)
            if scale >= limit:
                break  # "two thousand three thousand" are two numbers
            if not scale:
                return self._last(total, part, first)
            total, limit, end = total + part.value * scale, scale, part.end + 1
            part = self._after_scale(end, first)
        return _Part(total, end) if total else None

    def _after_scale(self, index: int, first: int) -> _Part | None:
        if self._word(index, first) != self.table.joiner:
            return self._below_thousand(index, first) if self._word(index, first) else None
        part = self._tail(index, first)
        return None if part and self._word(part.end, first) in self.table.scales else part

    def _last(self, total: int, part: _Part, first: int) -> _Part | None:
        """End a number with a part that has no scale."""
        if part.end == first + 1 and self.words[first] in self.table.one:
            return None
        return replace(part, value=total + part.value)

    def _year(self, first: int) -> _Part | None:
        """Read a year said as a pair, or its decade."""
        table = self.table
        head = self._below_hundred(first, first)
        if head is None or head.is_ordinal or head.value not in table.centuries:
            return None
        word = self._word(head.end, first)
        if word in table.decades:
            return _Part(head.value * _HUNDRED + table.decades[word], head.end + 1, is_decade=True)
        if word in table.zero:
            last = self._below_hundred(head.end + 1, first)
            fits = last is not None and last.value < 10
        else:
            last = self._below_hundred(head.end, first)
            fits = last is not None and last.value >= 10
        if last is None or not fits or last.is_ordinal or self._goes_on(last.end, first):
            return None
        return _Part(head.value * _HUNDRED + last.value, last.end)

    def _goes_on(self, index: int, first: int) -> bool:
        """Tell whether a pair is no year: "twenty twenty-pound notes", "thirteen twenty thousand"."""
        word = self._word(index, first)
        is_glued = bool(word) and self.text[self.tokens[index - 1].end()] == "-"
        return is_glued or word == self.table.hundred or word in self.table.scales
