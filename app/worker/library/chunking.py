"""Cut a document into chunks: whole sentences packed to about 128 tokens, never across a heading.

Measured choice (docs/decisions, design section 6): 128 tokens without overlap found more than longer or
overlapping chunks. A chunk goes over a page's end only where a sentence does.
"""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.core.sentences import split_sentences
from app.worker.parser.result import Parsed, ParsedHeading

TARGET_TOKENS = 128
HEADING_SEPARATOR = " › "
_BATCH = 4096
_MAX_HEADING_CHARS = 200


class TokenCounter(Protocol):
    """Tells how the embedding model cuts text into tokens."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Give the number of tokens of each text, without the model's start and end marks."""

    def cuts(self, text: str, n_tokens: int) -> list[int]:
        """Give the offsets in `text` at which pieces of at most `n_tokens` tokens end."""


@dataclass(frozen=True)
class Chunk:
    """A passage of a document.

    Attributes:
        char_start: half-open range of code points in the document's whole text; starts and ends visible.
        heading: heading path at its start, levels joined by ` › `.
        n_tokens: of the text itself, without what is put before it when it is embedded.
    """

    char_start: int
    char_end: int
    heading: str
    n_tokens: int


@dataclass(frozen=True)
class _Section:
    start: int
    end: int
    heading: str


def chunk_document(parsed: Parsed, counter: TokenCounter, target_tokens: int = TARGET_TOKENS) -> list[Chunk]:
    """Give the chunks of a document in text order.

    Args:
        parsed: the document.
        counter: the embedding model's tokenizer.
        target_tokens: the most tokens of a chunk.
    """
    page_starts = [page.char_start for page in parsed.pages]
    chunks: list[Chunk] = []
    for section in _sections(parsed):
        sentences = split_sentences(parsed.text, section.start, section.end)
        pieces = _measure(parsed.text, sentences, counter, target_tokens)
        chunks.extend(_pack(pieces, section.heading, page_starts, target_tokens))
    return chunks


def chunk_ranges(
    parsed: Parsed,
    ranges: Sequence[tuple[int, int]],
    counter: TokenCounter,
    target_tokens: int = TARGET_TOKENS,
) -> list[Chunk]:
    """Give the chunks of a text whose parts must stay whole, such as what is said in one go.

    Args:
        parsed: the document, without pages.
        ranges: half-open ranges of the parts, in order, none across a heading.
        counter: the embedding model's tokenizer.
        target_tokens: the most tokens of a chunk; a longer part is a chunk of its own.
    """
    counts = counter.count([parsed.text[start:end] for start, end in ranges])
    pieces = [(start, end, n) for (start, end), n in zip(ranges, counts, strict=True)]
    chunks: list[Chunk] = []
    for section in _sections(parsed):
        inside = (piece for piece in pieces if section.start <= piece[0] < section.end)
        chunks.extend(_pack(inside, section.heading, (), target_tokens))
    return chunks


def _sections(parsed: Parsed) -> Iterator[_Section]:
    """Cut the text at its headings; the heading's own line belongs to the section that it opens."""
    end = len(parsed.text)
    headings = [heading for heading in parsed.headings if 0 <= heading.char_start < end]
    first = headings[0].char_start if headings else end
    if first:
        yield _Section(0, first, "")
    path: list[ParsedHeading] = []
    for number, heading in enumerate(headings):
        path = [*(above for above in path if above.level < heading.level), heading]
        stop = headings[number + 1].char_start if number + 1 < len(headings) else end
        if stop > heading.char_start:  # several headings of one place: the deepest path is used
            title = HEADING_SEPARATOR.join(part.title[:_MAX_HEADING_CHARS] for part in path)
            yield _Section(heading.char_start, stop, title)


def _measure(
    text: str, sentences: Sequence[tuple[int, int]], counter: TokenCounter, limit: int
) -> Iterator[tuple[int, int, int]]:
    """Give (start, end, n_tokens) a sentence; one that is over the limit comes in several pieces."""
    for first in range(0, len(sentences), _BATCH):
        batch = sentences[first : first + _BATCH]
        counts = counter.count([text[start:end] for start, end in batch])
        for (start, end), n_tokens in zip(batch, counts, strict=True):
            if n_tokens <= limit:
                yield start, end, n_tokens
            else:
                yield from _split(text, start, end, n_tokens, counter, limit)


def _split(
    text: str, start: int, end: int, n_tokens: int, counter: TokenCounter, limit: int
) -> Iterator[tuple[int, int, int]]:
    begin = start
    for cut in counter.cuts(text[start:end], limit):
        piece_start, piece_end = begin, start + cut
        begin = piece_end
        while piece_start < piece_end and text[piece_start].isspace():
            piece_start += 1
        while piece_end > piece_start and text[piece_end - 1].isspace():
            piece_end -= 1
        if piece_start < piece_end:
            yield piece_start, piece_end, max(1, min(limit, n_tokens))
        n_tokens -= limit


def _pack(
    pieces: Iterator[tuple[int, int, int]], heading: str, page_starts: Sequence[int], limit: int
) -> Iterator[Chunk]:
    """Join neighbours while they fit and begin on the same page."""
    current: tuple[int, int, int] | None = None
    for start, end, n_tokens in pieces:
        if current is None:
            current = (start, end, n_tokens)
        elif current[2] + n_tokens <= limit and not _page_begins(page_starts, current[1], start):
            current = (current[0], end, current[2] + n_tokens)
        else:
            yield Chunk(current[0], current[1], heading, current[2])
            current = (start, end, n_tokens)
    if current is not None:
        yield Chunk(current[0], current[1], heading, current[2])


def _page_begins(page_starts: Sequence[int], previous_end: int, start: int) -> bool:
    """Tell whether a page begins between the end of one sentence and the start of the next."""
    return bisect.bisect_left(page_starts, previous_end) < bisect.bisect_right(page_starts, start)
