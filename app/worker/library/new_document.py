"""A document that was read and cut, and the rows that it becomes: text, pages, headings, chunks, keywords."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from app.protocol.library import FileState
from app.worker.library.boxes import pack_boxes
from app.worker.library.chunking import Chunk
from app.worker.library.keyword import index_text
from app.worker.library.schema import ORDINAL_BITS, SEGMENT_CHARS
from app.worker.parser.result import Parsed

EMPTY_CODE = "file.no_text"
EMPTY_REASON = "The file can be read, but it holds no text."
EMPTY_HINT = "If it is a scan, only its pictures can be looked at."
NO_SPEECH = (
    "recording.no_speech",
    "No speech was found in this recording.",
    "If somebody speaks in it, make sure that it can be heard in a player, then retry.",
)


@dataclass(frozen=True)
class SpokenText:
    """What a transcript has besides its text.

    Attributes:
        spans: (char_start, char_end, start_ms, end_ms) of each stretch of speech, in order.
        language: code of what is spoken; empty where it is not known.
        hint: the next step where the transcript is partial.
    """

    sound_ms: int
    spans: Sequence[tuple[int, int, int, int]]
    language: str = ""
    hint: str = ""


@dataclass(frozen=True)
class NewDocument:
    """A document that was read and cut, ready to be stored.

    Attributes:
        content_hash: sha256 of the file's bytes.
        seconds: the work so far.
        spoken: of a transcript; None for other documents.
    """

    content_hash: bytes
    parsed: Parsed
    chunks: Sequence[Chunk]
    seconds: float
    spoken: SpokenText | None = None


def insert_document(connection: apsw.Connection, document: NewDocument) -> int:
    """Write a document without its chunks, unseen; give its id."""
    parsed, n_chunks = document.parsed, len(document.chunks)
    state = _first_state(parsed, n_chunks)
    spoken = document.spoken
    reason = (parsed.partial_code, parsed.partial_reason, "" if spoken is None else spoken.hint)
    if state == FileState.EMPTY:
        reason = (EMPTY_CODE, EMPTY_REASON, EMPTY_HINT) if spoken is None else NO_SPEECH
    connection.execute(
        "INSERT INTO documents (content_hash, stage, state, reason_code, reason, hint, format, title, parser,"
        " n_chars, text_hash, n_pages, n_chunks, read_seconds, created_at, sound_ms, language)"
        " VALUES (?, 'staging', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document.content_hash,
            str(state),
            *reason,
            parsed.format,
            parsed.title,
            parsed.parser,
            len(parsed.text),
            hashlib.sha256(parsed.text.encode("utf-8")).digest(),
            len(parsed.pages) or None,
            n_chunks,
            document.seconds,
            time.time(),
            None if spoken is None else spoken.sound_ms,
            "" if spoken is None else spoken.language,
        ),
    )
    document_id = connection.last_insert_rowid()
    _insert_text(connection, document_id, parsed)
    connection.executemany(
        "INSERT INTO times VALUES (?, ?, ?, ?, ?)",
        ((document_id, *span) for span in (() if spoken is None else spoken.spans)),
    )
    return document_id


def _insert_text(connection: apsw.Connection, document_id: int, parsed: Parsed) -> None:
    connection.executemany(
        "INSERT INTO segments VALUES (?, ?, ?)",
        (
            (document_id, start, parsed.text[start : start + SEGMENT_CHARS])
            for start in range(0, len(parsed.text), SEGMENT_CHARS)
        ),
    )
    connection.executemany("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?)", _page_rows(document_id, parsed))
    connection.executemany(
        "INSERT INTO headings VALUES (?, ?, ?, ?, ?)",
        (
            (document_id, ordinal, heading.title, heading.level, heading.char_start)
            for ordinal, heading in enumerate(parsed.headings)
        ),
    )


def _first_state(parsed: Parsed, n_chunks: int) -> FileState:
    """Give the state after reading; the vectors are made next."""
    if n_chunks:
        return FileState.EMBEDDING
    return FileState.PARTIAL if parsed.partial_code else FileState.EMPTY


def _page_rows(document_id: int, parsed: Parsed) -> Iterator[tuple[Any, ...]]:
    for number, page in enumerate(parsed.pages):
        boxes = pack_boxes(parsed.words[number]) if number < len(parsed.words) else None
        yield document_id, number + 1, page.char_start, page.char_end, page.width, page.height, boxes


def insert_chunks(
    connection: apsw.Connection, document_id: int, parsed: Parsed, chunks: Sequence[tuple[int, Chunk]]
) -> None:
    """Write chunks, each with its number in the document, and their keywords."""
    connection.executemany(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?)",
        (
            (document_id, ordinal, chunk.char_start, chunk.char_end, chunk.heading)
            for ordinal, chunk in chunks
        ),
    )
    connection.executemany(
        "INSERT INTO keywords (rowid, heading, body) VALUES (?, ?, ?)",
        (
            (
                document_id << ORDINAL_BITS | ordinal,
                index_text(f"{parsed.title}\n{chunk.heading}"),
                index_text(parsed.text[chunk.char_start : chunk.char_end]),
            )
            for ordinal, chunk in chunks
        ),
    )
