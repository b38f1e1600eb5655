"""Documents: their text, pages, headings and chunks; written in one go, read in slices."""

import json
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import apsw

from app.core.errors import NotFoundError
from app.protocol.documents import Heading, PageRange
from app.protocol.library import FileState
from app.worker.library.boxes import unpack_boxes
from app.worker.library.database import Database, translated
from app.worker.library.discarded_documents import discard
from app.worker.library.new_document import NewDocument, insert_chunks, insert_document
from app.worker.library.schema import SEGMENT_CHARS, split_chunk_id

_SLICE_CHUNKS = 500


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
                    document_id = insert_document(connection, document)
                insert_chunks(connection, document_id, document.parsed, chunks)
                if number == len(slices) - 1:
                    if publish(connection, document_id):
                        connection.execute("UPDATE documents SET stage = 'live' WHERE id = ?", (document_id,))
                        return document_id
                    discard(connection, [document_id])
        if document_id is not None:
            with self._database.write() as connection:
                discard(connection, [document_id])
        return None

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
