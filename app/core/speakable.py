"""From the Markdown of a message to the sentences that are read aloud, each with its place in the text.

An answer is read while it is written: `sentences(text, whole=False)` gives only sentences that later text
cannot change, so what was given for a text is given again, the same, for every text that begins with it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.core.markdown_blocks import CODE, FORMULA, HEADING, TABLE, Block, blocks
from app.core.sentences import split_sentences
from app.core.spoken_words import (
    ADDRESS,
    CODE_SPAN,
    TARGET,
    Phrases,
    code_words,
    ended,
    formula_words,
    more_rows_words,
    phrases_of,
    spoken,
)
from app.core.spoken_words import FORMULA as FORMULA_SPAN

MAX_CHARS = 240
"""Longer sentences are cut at commas: the voice begins sooner, and skipping stays useful."""
MAX_ROWS = 8
"""Rows of a table that are read; of the others, how many there are."""
BETWEEN_S, PARAGRAPH_S, HEADING_S = 0.12, 0.35, 0.5
_MIN_PART_CHARS = 60

_DELIMITERS = re.compile(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_CELL = re.compile(r"(?<!\\)\|")
# Marks that stand around words; to the rules of sentences they are quotation marks.
_HIDDEN = re.compile(
    rf"{CODE_SPAN}|{FORMULA_SPAN}|{ADDRESS}|{TARGET}"
    r"|(?P<mark>\[\^?[\w,;&–\- ]{1,30}\](?!\()|【[^】\n]{1,60}】)"
    r"|(?P<emphasis>(?<!\s)[*_~]+|[*_~]+(?!\s)|`+(?=\s))"
    r"|(?P<tick>`+)"  # it may begin code: a word
    r"|(?P<quote>\n[^\S\n]*(?:>[^\S\n]?)+)",
    re.DOTALL,
)
# The first word behind an end mark decides whether it ends the sentence. Brackets may be marks of citations.
_OPENING = "\\s\"'“„‘‚«‹(¿¡"
_MARKS = "*_~`!"
_NEXT_WORD = re.compile(
    rf"(?:[{_OPENING}{_MARKS}]|\[[^\[\]\n]{{0,80}}\]|\]\([^\s()]*\)|\](?!\())*"
    rf"(?:\[[^\]\n]{{81}}|[^{_OPENING}{_MARKS}\[\]]\S*\s)"
)
_COMMA = re.compile(r"[,;:–—،、，；]\s+|\s[–—(]")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence to speak.

    Attributes:
        start: half-open range in the text, in code points.
        words: what the voice says.
        pause_s: quiet behind it.
    """

    start: int
    end: int
    words: str
    pause_s: float = BETWEEN_S


def sentences(text: str, whole: bool = True, language: str = "en") -> list[Sentence]:
    """Give the sentences of a Markdown text in order; their ranges do not overlap.

    Args:
        text: Markdown, as messages hold it.
        whole: no more text will come; else what later text might change is left out.
        language: ISO 639-1 code of the voice, for what it says in place of code, links and formulas.
    """
    phrases = phrases_of(language)
    return [sentence for block in blocks(text, whole) for sentence in _of_block(text, block, phrases)]


def _of_block(text: str, block: Block, phrases: Phrases) -> Iterator[Sentence]:
    if block.kind == TABLE:
        yield from _of_table(text, block, phrases)
    elif block.kind == CODE:
        if block.settled and block.lines:
            n_lines = sum(1 for start, end in block.lines if text[start:end].strip())
            yield Sentence(block.start, block.end, code_words(block.language, n_lines, phrases), PARAGRAPH_S)
    elif block.kind == FORMULA:
        if block.settled:
            yield Sentence(block.start, block.end, formula_words(phrases), PARAGRAPH_S)
    else:
        yield from _of_text(text, block, phrases)


def _of_text(text: str, block: Block, phrases: Phrases) -> Iterator[Sentence]:
    """Split running text; of a block that may grow, the last sentence waits."""
    source = text[block.start : block.end]
    masked = _masked(source)
    ranges = split_sentences(masked)
    pause_s = HEADING_S if block.kind == HEADING else PARAGRAPH_S
    for number, (start, end) in enumerate(ranges):
        is_last = number == len(ranges) - 1
        if not block.settled and (is_last or not _is_certain(source, end)):
            return
        parts = [
            Sentence(block.start + part_start, block.start + part_end, words)
            for part_start, part_end in _parts(source, start, end)
            if (words := spoken(source[part_start:part_end], phrases))
        ]
        if parts and is_last:
            last = parts[-1]
            parts[-1] = Sentence(last.start, last.end, ended(last.words), pause_s)
        yield from parts


def _is_certain(source: str, end: int) -> bool:
    """Tell whether a sentence ends there whatever comes: what follows decides, by its first word."""
    if source[end : end + 1].isalnum():  # Chinese and others: the mark itself ends it
        return True
    return bool(_NEXT_WORD.match(source, end))


def _masked(source: str) -> str:
    """Give the text in the same length, with the marks of Markdown as quotation marks and code as a word."""
    return _HIDDEN.sub(_mask, source)


def _mask(match: re.Match[str]) -> str:
    length = match.end() - match.start()
    if match["quote"] is not None:
        return "\n" + " " * (length - 1)
    is_word = match["emphasis"] is None and match["target"] is None
    if match["mark"] is not None:  # of the sentence before it; one that stands alone begins the next
        is_word = match.string[match.start() - 1 : match.start()].isspace()
    if not is_word:
        return '"' * length
    return "".join(" " if character.isspace() else "X" for character in match.group())


def _parts(source: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut a long sentence at commas into parts of a sensible length."""
    while end - start > MAX_CHARS:
        cuts = [
            match.start() + (1 if not match.group()[0].isspace() else 0)
            for match in _COMMA.finditer(source, start + _MIN_PART_CHARS, start + MAX_CHARS)
        ]
        cut = cuts[-1] if cuts else source.rfind(" ", start + _MIN_PART_CHARS, start + MAX_CHARS)
        if cut < 0:
            break
        yield start, cut
        start = cut + len(source[cut:end]) - len(source[cut:end].lstrip())
    yield start, end


def _of_table(text: str, block: Block, phrases: Phrases) -> Iterator[Sentence]:
    """Read rows with the names of their columns; what comes after the first ones is counted."""
    lines = block.lines
    if len(lines) < 2 and not block.settled:
        return
    names: list[str] = []
    rows = lines
    if len(lines) >= 2 and _DELIMITERS.fullmatch(text[slice(*lines[1])]):
        names, rows = _cells(text[slice(*lines[0])], phrases), lines[2:]
        if not rows and block.settled:  # nothing below the names: they are all there is
            names, rows = [], lines[:1]
    n_more = len(rows) - MAX_ROWS
    for number, (start, end) in enumerate(rows[:MAX_ROWS]):
        words = _row_words(names, _cells(text[start:end], phrases))
        is_last = block.settled and number == len(rows) - 1
        if not words or (number == len(rows) - 1 and not block.settled):
            continue  # the last one waits: the pause behind it is not known
        yield Sentence(start, end, words, PARAGRAPH_S if is_last else BETWEEN_S)
    if n_more > 0 and block.settled:
        yield Sentence(rows[MAX_ROWS][0], rows[-1][1], more_rows_words(n_more, phrases), PARAGRAPH_S)


def _cells(line: str, phrases: Phrases) -> list[str]:
    inner = line.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [spoken(cell.strip(), phrases) for cell in _CELL.split(inner)]


def _row_words(names: list[str], cells: list[str]) -> str:
    said = []
    for number, cell in enumerate(cells):
        name = names[number].rstrip(":") if number < len(names) else ""
        if cell:
            said.append(f"{name}: {cell}" if name else cell)
    return ended("; ".join(said)) if said else ""
