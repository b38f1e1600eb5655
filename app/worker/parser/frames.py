"""How a child's result travels to the library worker: frames of one kind letter, a length and bytes.

A child that parsed hostile content may itself have turned hostile, so the reading side trusts nothing:
lengths are limited, and `to_parsed` checks every range before a Parsed exists.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from app.worker.parser import reasons
from app.worker.parser.result import WORD_RECORD, Parsed, ParsedHeading, ParsedPage

PROGRESS, HEAD, TEXT, WORDS, DONE, REFUSED = b"P", b"H", b"T", b"W", b"D", b"R"

_FRAME = struct.Struct("<cQ")
_FRACTION = struct.Struct("<d")
_EXIT = struct.Struct("<4si")
_EXIT_MARK = b"EXIT"
_MAX_TITLE_CHARS = 500


class BadFrames(Exception):  # noqa: N818  # what was received, judged by the caller
    """The bytes received are not a result."""


@dataclass
class Extract:
    """What a format's reader makes of a file, inside the child; `Parsed` is its checked form.

    Attributes:
        partial: code and parameters (`reasons`) of the limit that was reached; None where all was read.
    """

    text: str
    format: str
    title: str
    parser: str
    pages: list[ParsedPage] = field(default_factory=list)
    headings: list[ParsedHeading] = field(default_factory=list)
    words: list[bytes] = field(default_factory=list)
    partial: reasons.Refusal | None = None


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """Give the bytes of one frame."""
    return _FRAME.pack(kind, len(payload)) + payload


def progress_frame(fraction: float) -> bytes:
    """Give the frame that tells how far reading is, 0 to 1."""
    return frame(PROGRESS, _FRACTION.pack(fraction))


def refusal_frame(refusal: reasons.Refusal) -> bytes:
    """Give the frame that ends a file without a result."""
    body = {"code": refusal.code, "values": refusal.values}
    return frame(REFUSED, json.dumps(body).encode())


def result_frames(extract: Extract) -> Iterator[bytes]:
    """Give the frames of a whole result, the last one `DONE`."""
    partial = extract.partial
    head = {
        "format": extract.format,
        "title": extract.title[:_MAX_TITLE_CHARS],
        "parser": extract.parser,
        "pages": [(page.char_start, page.char_end, page.width, page.height) for page in extract.pages],
        "headings": [(h.title[:_MAX_TITLE_CHARS], h.level, h.char_start) for h in extract.headings],
        "words": [len(words) for words in extract.words],
        "partial": {"code": partial.code, "values": partial.values} if partial else None,
    }
    yield frame(HEAD, json.dumps(head).encode())
    yield frame(TEXT, extract.text.encode())
    yield frame(WORDS, b"".join(extract.words))
    yield frame(DONE)


def exit_mark(status: int) -> bytes:
    """Give what the preloaded parent writes behind a child's frames: how it ended (wait status)."""
    return _EXIT.pack(_EXIT_MARK, status)


class FrameReader:
    """Cuts received bytes into frames."""

    def __init__(self, limit_bytes: int) -> None:
        """Take the limit of all bytes together."""
        self._buffer = bytearray()
        self._left = limit_bytes

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Take bytes; return the frames that are complete now.

        Raises:
            BadFrames: the limit is reached, or a frame announces more than the limit.
        """
        self._left -= len(data)
        if self._left < 0:
            raise BadFrames("too many bytes")
        self._buffer += data
        frames = []
        while len(self._buffer) >= _FRAME.size:
            kind, length = _FRAME.unpack_from(self._buffer)
            if kind == _EXIT_MARK[:1]:
                break  # the parent's mark; it is read at the end
            if length > self._left + len(self._buffer):
                raise BadFrames("a frame is over the limit")
            end = _FRAME.size + length
            if len(self._buffer) < end:
                break
            frames.append((kind, bytes(memoryview(self._buffer)[_FRAME.size : end])))
            del self._buffer[:end]
        return frames

    def exit_status(self) -> int | None:
        """Give the child's wait status from the bytes that are left; None where the parent said nothing."""
        tail = bytes(self._buffer[-_EXIT.size :])
        if len(tail) < _EXIT.size:
            return None
        mark, status = _EXIT.unpack(tail)
        return int(status) if mark == _EXIT_MARK else None


def read_progress(payload: bytes) -> float:
    """Give the fraction of a progress frame, held within 0 to 1.

    Raises:
        BadFrames: it is malformed.
    """
    if len(payload) != _FRACTION.size:
        raise BadFrames("progress")
    fraction = float(_FRACTION.unpack(payload)[0])
    return min(1.0, max(0.0, fraction)) if fraction == fraction else 0.0  # else it is no number


def read_refusal(payload: bytes) -> reasons.Refusal:
    """Give the refusal of a frame.

    Raises:
        BadFrames: it is malformed.
    """
    try:
        return _refusal(json.loads(payload))
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise BadFrames("refusal") from error


def to_parsed(head: bytes, text: bytes, words: bytes) -> Parsed:
    """Build the result from its frames, trusting nothing.

    Raises:
        BadFrames: a field is missing, of the wrong type or out of range.
    """
    try:
        return _to_parsed(json.loads(head), text.decode(), words)
    except (ValueError, RecursionError, KeyError, TypeError, IndexError) as error:
        raise BadFrames("result") from error


def _to_parsed(head: dict[str, Any], text: str, words: bytes) -> Parsed:
    pages = tuple(
        ParsedPage(int(start), int(end), _size(width), _size(height))
        for start, end, width, height in head["pages"]
    )
    headings = tuple(
        ParsedHeading(str(title), int(level), int(start)) for title, level, start in head["headings"]
    )
    _check_places(len(text), pages, headings)
    partial = _refusal(head["partial"]) if head["partial"] is not None else None
    return Parsed(
        text=text,
        format=str(head["format"]),
        title=str(head["title"]),
        parser=str(head["parser"]),
        pages=pages,
        headings=headings,
        words=_split_words(words, [int(length) for length in head["words"]], len(pages), len(text)),
        partial_reason=reasons.partial_words(partial) if partial else "",
        partial_code=partial.code if partial else "",
    )


def _size(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]  # a wrong type raises, as wanted


def _check_places(n_chars: int, pages: tuple[ParsedPage, ...], headings: tuple[ParsedHeading, ...]) -> None:
    bounds = [bound for page in pages for bound in (page.char_start, page.char_end)]
    places = [0, *bounds, n_chars]
    starts = [0, *(heading.char_start for heading in headings), n_chars]
    if any(before > after for before, after in pairwise(places)):
        raise ValueError("page ranges")
    if any(before > after for before, after in pairwise(starts)):
        raise ValueError("heading places")


def _split_words(words: bytes, lengths: list[int], n_pages: int, n_chars: int) -> tuple[bytes, ...]:
    if not lengths:
        return ()
    if len(lengths) != n_pages or sum(lengths) != len(words):
        raise ValueError("words")
    if any(length < 0 or length % WORD_RECORD.size for length in lengths):
        raise ValueError("word lengths")
    numbers = memoryview(words).cast("i") if words else []
    if any(not 0 <= value <= n_chars for offset in (0, 1) for value in numbers[offset::6]):
        raise ValueError("word ranges")
    parts, position = [], 0
    for length in lengths:
        parts.append(words[position : position + length])
        position += length
    return tuple(parts)


def _refusal(value: dict[str, Any]) -> reasons.Refusal:
    return reasons.Refusal(str(value["code"]), {str(key): item for key, item in value["values"].items()})
