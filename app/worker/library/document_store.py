"""Documents: their text, pages, headings, chunks and keywords; written in one go, read in slices."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from app.core.errors import NotFoundError
from app.protocol.documents import Heading, PageRange
from app.protocol.library import FileState
from app.worker.library.boxes import pack_boxes, unpack_boxes
from app.worker.library.chunking import Chunk
from app.worker.library.database import Database, translated
from app.worker.library.keyword import index_text
from app.worker.library.schema import ORDINAL_BITS, SEGMENT_CHARS, chunk_id, split_chunk_id
from app.worker.parser.result import Parsed

_SLICE_CHUNKS = 500
_PURGE_CHUNKS = 2000
_MERGE_PAGES = 500
EMPTY_CODE = "file.no_text"
EMPTY_REASON = "The file can be read, but it holds no text."
EMPTY_HINT = "If it is a scan, only its pictures can be looked at."
NO_SPEECH = (
    "recording.no_speech",
    "No speech was found in this recording.",
    "If somebody speaks in it, make sure that it can be heard in a player, then retry.",
)


@dataclass(frozen=True)
class DocumentRow:
    """What is known of a live document besides its text."""

    document_id: int
    title: str
    format: str
    n_chars: int
    content_hash: bytes
    state: FileState
    sound_seconds: float | None = None


@dataclass(frozen=True)
class Passage:
    """A chunk with its text, as a search shows it."""

    chunk_id: int
    document_id: int
    char_start: int
    char_end: int
    heading: str
    page: int | None
    text: str
    title: str


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


class DocumentStore:
    """Reads and writes documents; any thread reads.

    The reading thread of ingestion writes, and the lane of recordings; never two of the same content at once.
    """

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def find_live(self, content_hash: bytes) -> int | None:
        """Give the document of this content; None where it was not read yet."""
        row = self._database.row(
            "SELECT id FROM documents WHERE content_hash = ? AND stage = 'live'", (content_hash,)
        )
        return None if row is None else int(row[0])

    def store(
        self,
        document: NewDocument,
        cancelled: threading.Event,
        publish: Callable[[apsw.Connection, int], bool],
    ) -> int | None:
        """Write a document so that it becomes visible whole, in one transaction.

        A small one is one transaction altogether. A large one is prepared unseen in several, so that others
        can write in between; a preparation that never ended is deleted at the next start.

        Args:
            document: what to write.
            cancelled: ends the preparation.
            publish: called inside the last transaction with the new id; links locations, and takes a document
                of the same content away that this one replaces. Gives False where nobody wants the document
                any more: then nothing is kept.

        Returns:
            The document's id; None where it was cancelled or not wanted.
        """
        numbered = list(enumerate(document.chunks))
        slices = [numbered[i : i + _SLICE_CHUNKS] for i in range(0, max(1, len(numbered)), _SLICE_CHUNKS)]
        document_id = None
        for number, chunks in enumerate(slices):
            if cancelled.is_set():
                break
            with self._database.write() as connection:
                if document_id is None:
                    document_id = _insert_document(connection, document)
                _insert_chunks(connection, document_id, document.parsed, chunks)
                if number == len(slices) - 1:
                    if publish(connection, document_id):
                        connection.execute("UPDATE documents SET stage = 'live' WHERE id = ?", (document_id,))
                        return document_id
                    discard(connection, [document_id])
        if document_id is not None:
            with self._database.write() as connection:
                discard(connection, [document_id])
        return None

    def discard_unfinished(self) -> None:
        """Mark what an interrupted worker left half written, to be deleted. Called at the start."""
        with self._database.write() as connection:
            connection.execute("UPDATE documents SET stage = 'discarded' WHERE stage = 'staging'")

    def purge(self, stopping: Callable[[], bool]) -> bool:
        """Delete discarded documents in small steps; give whether any was deleted."""
        found = False
        while not stopping():
            row = self._database.row("SELECT id FROM documents WHERE stage = 'discarded' LIMIT 1")
            if row is None:
                break
            found = True
            self._purge_step(int(row[0]))
        return found

    def _purge_step(self, document_id: int) -> None:
        with self._database.write() as connection:
            last = connection.execute(
                "SELECT max(ordinal) FROM chunks WHERE document_id = ?", (document_id,)
            ).get
            if last is None:
                for table in ("segments", "pages", "headings", "times"):
                    connection.execute(f"DELETE FROM {table} WHERE document_id = ?", (document_id,))  # noqa: S608
                connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('keywords_to_clean', 1)")
                return
            first = max(0, last + 1 - _PURGE_CHUNKS)
            connection.execute(
                "DELETE FROM keywords WHERE rowid BETWEEN ? AND ?",
                (chunk_id(document_id, first), chunk_id(document_id, last)),
            )
            for table in ("embeddings", "chunks"):
                connection.execute(
                    f"DELETE FROM {table} WHERE document_id = ? AND ordinal >= ?",  # noqa: S608
                    (document_id, first),
                )

    def clean_keywords(self, stopping: Callable[[], bool]) -> None:
        """Rewrite the keyword index so that no word of a deleted text is left in it, then empty the log.

        FTS5 only marks deleted rows; merging all its segments into one drops what was marked.
        """
        with translated():
            reader = self._database.reader()
            pending = reader.execute("SELECT 1 FROM meta WHERE key = 'keywords_to_clean'").fetchone()
        if pending is None:
            return
        step = -_MERGE_PAGES  # negative: begin to merge everything into one segment
        while not stopping():
            with self._database.write(durable=False) as connection:
                before = connection.total_changes()
                connection.execute("INSERT INTO keywords (keywords, rank) VALUES ('merge', ?)", (step,))
                finished = connection.total_changes() - before < 2
                if finished:
                    connection.execute("DELETE FROM meta WHERE key = 'keywords_to_clean'")
                    connection.execute("PRAGMA incremental_vacuum")
            step = _MERGE_PAGES
            if finished:
                self._database.checkpoint()
                return

    def get(self, document_id: int) -> DocumentRow:
        """Give a live document.

        Raises:
            NotFoundError: `document.not_found`.
        """
        row = self._database.row(
            "SELECT id, title, format, n_chars, content_hash, state, sound_ms FROM documents"
            " WHERE id = ? AND stage = 'live'",
            (document_id,),
        )
        if row is None:
            raise NotFoundError(
                "document.not_found",
                "This document is not in the library any more.",
                "It was removed, or its file was changed and read again.",
            )
        seconds = None if row[6] is None else row[6] / 1000
        return DocumentRow(row[0], row[1], row[2], row[3], row[4], FileState(row[5]), seconds)

    def pages(self, document_id: int) -> tuple[PageRange, ...]:
        """Give the pages of a document; empty where its format has none."""
        rows = self._database.rows(
            "SELECT page, char_start, char_end, width, height FROM pages WHERE document_id = ? ORDER BY page",
            (document_id,),
        )
        return tuple(
            PageRange(page=row[0], char_start=row[1], char_end=row[2], width=row[3], height=row[4])
            for row in rows
        )

    def outline(self, document_id: int) -> tuple[Heading, ...]:
        """Give the headings of a document in text order."""
        rows = self._database.rows(
            "SELECT title, level, char_start FROM headings WHERE document_id = ? ORDER BY ordinal",
            (document_id,),
        )
        return tuple(Heading(title=row[0], level=row[1], char_start=row[2]) for row in rows)

    def is_transcript(self, document_id: int) -> bool:
        """Tell whether a document is the text of a recording."""
        return bool(
            self._database.rows(
                "SELECT 1 FROM documents WHERE id = ? AND sound_ms IS NOT NULL", (document_id,)
            )
        )

    def times(
        self, document_id: int, start: int, end: int | None
    ) -> tuple[tuple[int, int, float, float], ...]:
        """Give (char_start, char_end, start_s, end_s) of what is said within a range of a transcript."""
        rows = self._database.rows(
            "SELECT char_start, char_end, start_ms, end_ms FROM times"
            " WHERE document_id = ? AND char_end > ? AND char_start < ? ORDER BY char_start",
            (document_id, start, (1 << 62) if end is None else end),
        )
        return tuple((row[0], row[1], row[2] / 1000, row[3] / 1000) for row in rows)

    def text(self, document_id: int, start: int = 0, end: int | None = None) -> str:
        """Give the slice `[start, end)` of the stored text, cut at its ends; the whole of it by default."""
        stop = (1 << 62) if end is None else end
        first = max(0, start) // SEGMENT_CHARS * SEGMENT_CHARS
        rows = self._database.rows(
            "SELECT text FROM segments WHERE document_id = ? AND char_start >= ? AND char_start < ?"
            " ORDER BY char_start",
            (document_id, first, stop),
        )
        joined = "".join(row[0] for row in rows)
        return joined[max(0, start) - first : max(0, stop - first)]

    def boxes(
        self, document_id: int, page: int
    ) -> tuple[float, float, tuple[tuple[int, int, float, float, float, float], ...]]:
        """Give (width, height, word boxes) of a page.

        Raises:
            NotFoundError: `page.not_found`.
        """
        row = self._database.row(
            "SELECT width, height, boxes FROM pages WHERE document_id = ? AND page = ?",
            (document_id, page),
        )
        if row is None:
            raise NotFoundError("page.not_found", f"This document has no page {page}.")
        ranges, boxes = unpack_boxes(row[2])
        words = tuple(
            (start, end, x0, y0, x1, y1)
            for (start, end), (x0, y0, x1, y1) in zip(ranges.tolist(), boxes.tolist(), strict=True)
        )
        return row[0] or 0.0, row[1] or 0.0, words

    def passages(self, chunk_ids: Collection[int]) -> dict[int, Passage]:
        """Give the chunks that exist of these, of live documents, with their text."""
        found = {}
        with translated():
            reader = self._database.reader()
            for value in chunk_ids:
                document_id, ordinal = split_chunk_id(value)
                row = reader.execute(
                    "SELECT c.char_start, c.char_end, c.heading, d.title,"
                    " (SELECT max(p.page) FROM pages p WHERE p.document_id = d.id"
                    "  AND p.char_start <= c.char_start)"
                    " FROM chunks c JOIN documents d ON d.id = c.document_id AND d.stage = 'live'"
                    " WHERE c.document_id = ? AND c.ordinal = ?",
                    (document_id, ordinal),
                ).fetchone()
                if row is not None:
                    text = self.text(document_id, row[0], row[1])
                    found[value] = Passage(value, document_id, row[0], row[1], row[2], row[4], text, row[3])
        return found

    def documents_in(self, collection_ids: Collection[int] | None) -> set[int]:
        """Give the live documents with a location in one of these collections (None: any collection)."""
        condition, arguments = "l.collection_id IS NOT NULL", list[str]()
        if collection_ids is not None:
            condition = "l.collection_id IN (SELECT value FROM json_each(?))"
            arguments.append(json.dumps(list(collection_ids)))
        rows = self._database.rows(
            "SELECT DISTINCT l.document_id FROM locations l"  # noqa: S608
            f" JOIN documents d ON d.id = l.document_id AND d.stage = 'live' WHERE {condition}",
            arguments,
        )
        return {int(row[0]) for row in rows}

    def live_ids(self) -> list[int]:
        """Give the live documents."""
        return [
            row[0] for row in self._database.rows("SELECT id FROM documents WHERE stage = 'live' ORDER BY id")
        ]

    def n_indexed(self) -> int:
        """Give the number of documents that have rows in the indexes, live or not."""
        return int(self._database.value("SELECT count(*) FROM documents"))

    def totals(self) -> tuple[int, int, int]:
        """Give the numbers of live documents, of their chunks and of those with a vector."""
        row: Any = self._database.row(
            "SELECT count(*), coalesce(sum(n_chunks), 0), coalesce(sum(n_embedded), 0) FROM documents"
            " WHERE stage = 'live'"
        )
        return int(row[0]), int(row[1]), int(row[2])


def discard(connection: apsw.Connection, document_ids: Collection[int]) -> list[int]:
    """Mark those documents that no location holds as discarded; give them."""
    gone = []
    for document_id in document_ids:
        connection.execute(
            "UPDATE documents SET stage = 'discarded' WHERE id = ?1 AND stage <> 'discarded'"
            " AND NOT EXISTS (SELECT 1 FROM locations WHERE document_id = ?1)",
            (document_id,),
        )
        if connection.changes():
            gone.append(document_id)
    return gone


def _insert_document(connection: apsw.Connection, document: NewDocument) -> int:
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


def _insert_chunks(
    connection: apsw.Connection, document_id: int, parsed: Parsed, chunks: Sequence[tuple[int, Chunk]]
) -> None:
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
