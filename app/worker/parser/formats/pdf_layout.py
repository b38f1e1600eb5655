"""From a page's words to its text: lines, reading order, broken words, and a box for each word.

Decisions, because searching, quoting and highlighting all stand on this text:

- A record is one run of letters on one line; `text[start:end]` is exactly that run.
- Words of a line are joined by a blank, cells far apart by a tab, lines by a newline, paragraphs by a blank
  line.
- A word broken at a line's end is joined, as a reader would say it, so that it can be found. Its two parts
  are two records that touch. The hyphen goes, unless the document spells the word with it elsewhere
  ("well-known"), a digit or capital follows, or the first part is a single letter.
- Scripts without blanks between words (Chinese, Japanese, Thai) get a record a character, the line's box
  divided by the characters' widths, so that a highlight covers the words meant and not the whole line.
- Reading order is the order of the page's own drawing instructions, which programs write paragraph by
  paragraph; only where that jumps back and forth between two columns is each column read to its end first.
"""

import re
import struct
import unicodedata
from collections.abc import Sequence
from itertools import pairwise, zip_longest
from typing import NamedTuple

from app.worker.parser.builder import clean
from app.worker.parser.result import WORD_RECORD

WordTuple = tuple[float, float, float, float, str, int, int, int]
"""As PyMuPDF gives it: x0, y0, x1, y1, word, block, line, word number."""

_CELL_GAP = 2.5  # of a line's height; wider than any space between words, also in justified text
_MIN_OVERLAP = 0.5
_SPLIT_SCRIPTS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\uff66-\uff9f\U00020000-\U0003ffff]"
)
_HYPHENS = "-\u2010\u00ad"
_MAX_VOCABULARY = 300_000
_SENTENCE_END = re.compile(r"[.!?:;。！？…\"”»)\]]$")


class Piece(NamedTuple):
    """A word on the page."""

    x0: float
    y0: float
    x1: float
    y1: float
    text: str


class Line(NamedTuple):
    """Words on one baseline, from one block.

    Attributes:
        block: number of the paragraph that MuPDF saw.
    """

    block: int
    x0: float
    y0: float
    x1: float
    y1: float
    pieces: list[Piece]

    @property
    def height(self) -> float:
        """Height of the letters' boxes in points."""
        return self.y1 - self.y0

    @property
    def text(self) -> str:
        """The words joined by blanks."""
        return " ".join(piece.text for piece in self.pieces)


class LineMark(NamedTuple):
    """What finding headings needs of a line: its place in the whole text, and its height."""

    start: int
    end: int
    height: float
    block: int


class PageText(NamedTuple):
    """A page's text with its boxes.

    Attributes:
        records: packed WORD_RECORDs with offsets that count from `base`.
        lines: for finding headings.
        ends_open: the last sentence seems to go on on the next page.
    """

    text: str
    records: bytes
    lines: list[LineMark]
    ends_open: bool


class Vocabulary:
    """The words a document has shown so far, to judge hyphens at line ends."""

    def __init__(self) -> None:
        """Start empty."""
        self._words: set[str] = set()

    def learn(self, pieces: Sequence[Piece]) -> None:
        """Take the words of a page."""
        if len(self._words) < _MAX_VOCABULARY:
            self._words.update(piece.text.lower().strip(".,;:()") for piece in pieces)

    def keeps_hyphen(self, first: str, second: str) -> bool:
        """Tell whether `first-second` is written with its hyphen where no line ends."""
        first, second = first.lower(), second.lower().strip(".,;:()")
        stem = first.lstrip("(\"'“„»«")
        if f"{stem}-{second}" in self._words:
            return True
        if f"{stem}{second}" in self._words:
            return False
        return len(stem) < 2 or not second[:1].isalpha()


def page_text(words: Sequence[WordTuple], vocabulary: Vocabulary, base: int) -> PageText:
    """Build the text of a page.

    Args:
        words: in the order of drawing, as the page is shown.
        vocabulary: learns from this page.
        base: offset of the page's first character in the whole text.
    """
    lines = reading_order(merge_lines(words))
    for line in lines:
        vocabulary.learn(line.pieces)
    writer = _Writer(vocabulary, base)
    for line, following in zip_longest(lines, lines[1:]):
        writer.line(line, following)
    return PageText(
        "".join(writer.parts), writer.packed(), writer.lines, bool(lines) and not _ends(lines[-1].text)
    )


def merge_lines(words: Sequence[WordTuple]) -> list[Line]:
    """Group words into lines; MuPDF parts a line at wide spaces, which are joined here again."""
    lines: list[Line] = []
    pieces: list[Piece] = []
    key: tuple[int, int] | None = None
    box = (0.0, 0.0, 0.0, 0.0)
    for x0, y0, x1, y1, word, block, line, _ in words:
        text = word if word.isascii() and word.isprintable() else _word(word)
        if not text:
            continue
        if key != (block, line):
            if pieces and key is not None:
                _append(lines, Line(key[0], *box, pieces))
            key, pieces, box = (block, line), [], (x0, y0, x1, y1)
        pieces.append(Piece(x0, y0, x1, y1, text))
        box = (min(box[0], x0), min(box[1], y0), max(box[2], x1), max(box[3], y1))
    if pieces and key is not None:
        _append(lines, Line(key[0], *box, pieces))
    return lines


def _append(lines: list[Line], line: Line) -> None:
    if lines and _continues(lines[-1], line):
        last = lines[-1]
        lines[-1] = Line(
            last.block,
            min(last.x0, line.x0),
            min(last.y0, line.y0),
            max(last.x1, line.x1),
            max(last.y1, line.y1),
            last.pieces + line.pieces,
        )
    else:
        lines.append(line)


def _continues(last: Line, line: Line) -> bool:
    """Tell whether a line goes on where the last one stopped, on the same baseline of the same block."""
    if last.block != line.block or line.x0 < last.x1 - 0.5 * line.height:
        return False
    overlap = min(last.y1, line.y1) - max(last.y0, line.y0)
    return overlap > _MIN_OVERLAP * min(last.height, line.height)


def reading_order(lines: list[Line]) -> list[Line]:
    """Give the lines as they are read: as drawn, but columns drawn row by row are read column by column."""
    gutter = _crossed_gutter(lines)
    if gutter is None:
        return lines
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in sorted(lines, key=lambda item: (item.y0, item.x0)):
        if line.x1 <= gutter:
            left.append(line)
        elif line.x0 >= gutter:
            right.append(line)
        else:  # a line across both columns ends what stands above it
            ordered += [*left, *right, line]
            left, right = [], []
    return [*ordered, *left, *right]


def _crossed_gutter(lines: list[Line]) -> float | None:
    """Find the gap between two columns of prose that the drawing order keeps crossing; None without."""
    crossings = [
        (before, after)
        for before, after in pairwise(lines)
        if after.x0 > before.x1 and abs(after.y0 - before.y0) < before.height
    ]
    if len(crossings) < 6 or 3 * len(crossings) < len(lines):
        return None
    if sum(min(len(a.text), len(b.text)) >= 20 for a, b in crossings) < 0.6 * len(crossings):
        return None  # short cells: a table, which is read by rows
    left_end = sorted(before.x1 for before, _ in crossings)[int(0.9 * (len(crossings) - 1))]
    right_start = sorted(after.x0 for _, after in crossings)[int(0.1 * (len(crossings) - 1))]
    return (left_end + right_start) / 2 if left_end < right_start else None


class _Writer:
    """Writes lines and remembers where each word went."""

    def __init__(self, vocabulary: Vocabulary, base: int) -> None:
        self.parts: list[str] = []
        self.lines: list[LineMark] = []
        self._records: list[float | int] = []
        self._vocabulary = vocabulary
        self._base = base
        self._length = 0

    def line(self, line: Line, following: Line | None) -> None:
        start = self._length
        pieces = line.pieces
        for index, piece in enumerate(pieces):
            if index:
                self._put(_separator(pieces[index - 1], piece, line.height))
            if index + 1 == len(pieces) and following is not None and self._broken(piece, line, following):
                self._mark(line, start)
                return
            self._word(piece, piece.text)
        self._mark(line, start)
        if following is not None:
            self._put("\n\n" if _parts_from(line, following) else "\n")

    def packed(self) -> bytes:
        n = len(self._records) // 6
        return struct.pack(f"<{WORD_RECORD.format[1:] * n}", *self._records)

    def _mark(self, line: Line, start: int) -> None:
        mark = LineMark(self._base + start, self._base + self._length, line.height, line.block)
        self.lines.append(mark)

    def _broken(self, piece: Piece, line: Line, following: Line) -> bool:
        """Write the first part of a word broken at the line's end; tell whether it was one."""
        text = piece.text
        if len(text) < 2 or text[-1] not in _HYPHENS or not text[-2].isalpha() or following.y0 < line.y0:
            return False
        second = following.pieces[0].text
        if not second[:1].isalnum() or following.x0 > line.x1:
            return False
        first = text[:-1]
        keeps = second[0].isupper() or self._vocabulary.keeps_hyphen(first, second)
        self._word(piece, text if keeps else first)
        return True

    def _word(self, piece: Piece, text: str) -> None:
        if not text.isascii() and _SPLIT_SCRIPTS.search(text):
            self._letters(piece, text)
            return
        start = self._base + self._length
        self._records += (start, start + len(text), piece.x0, piece.y0, piece.x1, piece.y1)
        self._put(text)

    def _letters(self, piece: Piece, text: str) -> None:
        """Write a record a character (with the marks on it), dividing the box by the characters' widths."""
        groups = re.findall(r"[!-~]+|.[\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u3099\u309a]*", text)
        widths = [_width(group) for group in groups]
        unit = (piece.x1 - piece.x0) / max(1.0, sum(widths))
        x = piece.x0
        for group, width in zip(groups, widths, strict=True):
            start = self._base + self._length
            self._records += (start, start + len(group), x, piece.y0, x + width * unit, piece.y1)
            self._put(group)
            x += width * unit

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self._length += len(text)


def _width(group: str) -> float:
    if group.isascii():
        return float(len(group))
    return 2.0 if unicodedata.east_asian_width(group[0]) in "WF" else 1.0


def _separator(before: Piece, after: Piece, height: float) -> str:
    gap = after.x0 - before.x1
    return "\t" if gap > _CELL_GAP * height else " "


def _parts_from(line: Line, following: Line) -> bool:
    """Tell whether a new paragraph begins."""
    if line.block == following.block:
        return False
    gap = following.y0 - line.y1
    return (
        not -line.height < gap < 0.25 * line.height or abs(line.height - following.height) > 0.2 * line.height
    )


def _ends(text: str) -> bool:
    return bool(_SENTENCE_END.search(text))


def _word(word: str) -> str:
    """Clean a word that is not plain ASCII: composed letters, nothing invisible, no blanks."""
    return unicodedata.normalize("NFC", "".join(clean(word).split()))
