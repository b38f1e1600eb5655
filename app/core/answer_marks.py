"""The marks `[n]` that a model writes into an answer: find them, take them out, put right ones back in."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WORD = r"(?:passages?|sources?|documents?|refs?\.?)"
_LIST = r"\d{1,3}(?:\s*(?:,|;|&|and|–|-)\s*\d{1,3})*"
_MARK = re.compile(
    rf"[ \t]*(?:\[\s*{_WORD}?\s*(?P<square>{_LIST})\s*\](?!\()"
    rf"|\(\s*{_WORD}\s*(?P<round>{_LIST})\s*\)"
    r"|【\s*(?P<wide>\d{1,3})[^】\n]{0,40}】)",
    re.IGNORECASE,
)
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]+`", re.DOTALL)
_RANGE = re.compile(r"(\d+)\s*[–-]\s*(\d+)")
_MAX_RANGE = 20
_SENTENCE_END = re.compile(r"[.!?…。！？．｡]+[\"'”’»›)\]}」』）*_]*\Z")
_UNSPACED_END = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]\Z")


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark that the model wrote.

    Attributes:
        position: where it stood, in the text without marks.
        numbers: the passages it names, in order.
    """

    position: int
    numbers: tuple[int, ...]


def code_ranges(text: str) -> list[tuple[int, int]]:
    """Give the ranges of Markdown code, where brackets are no marks."""
    return [match.span() for match in _CODE.finditer(text)]


def mark_ranges(text: str) -> list[tuple[int, int]]:
    """Give the ranges of the marks, each with the space before it: what `without_marks` takes out."""
    return [match.span() for match in _marks(text)]


def without_marks(text: str) -> tuple[str, tuple[Mark, ...]]:
    """Take the model's marks out of an answer; return what remains and where they stood."""
    pieces: list[str] = []
    marks: list[Mark] = []
    length = position = 0
    for match in _marks(text):
        piece = text[position : match.start()]
        pieces.append(piece)
        length += len(piece)
        position = match.end()
        marks.append(Mark(length, _numbers(match["square"] or match["round"] or match["wide"])))
    pieces.append(text[position:])
    return "".join(pieces), tuple(marks)


def _marks(text: str) -> Iterator[re.Match[str]]:
    code = code_ranges(text)
    for match in _MARK.finditer(text):
        if not any(start < match.end() and match.start() < end for start, end in code):
            yield match


def _numbers(text: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in re.split(r",|;|&|and", text):
        span = _RANGE.search(part)
        if span and 0 <= int(span[2]) - int(span[1]) <= _MAX_RANGE:
            numbers.extend(range(int(span[1]), int(span[2]) + 1))
        else:
            numbers.extend(int(number) for number in re.findall(r"\d+", part))
    return tuple(dict.fromkeys(numbers))


def with_marks(sentence: str, numbers: Iterable[int]) -> str:
    """Put marks at the end of a sentence, before its full stop."""
    marks = "".join(f"[{number}]" for number in dict.fromkeys(numbers))
    if not marks:
        return sentence
    end = _SENTENCE_END.search(sentence)
    cut = end.start() if end else len(sentence)
    body = sentence[:cut].rstrip()
    space = "" if _UNSPACED_END.search(body) else " "
    return f"{body}{space}{marks}{sentence[cut:]}"
