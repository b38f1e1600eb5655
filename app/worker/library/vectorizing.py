"""The thread that makes vectors: document by document, in small batches, resumable after each."""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import apsw
import numpy as np

from app.core.errors import AppError
from app.protocol.library import FileState
from app.worker.library.catalogue import Catalogue
from app.worker.library.database import Database
from app.worker.library.document_store import DocumentStore
from app.worker.library.embedding import Embedder, Vectors, text_to_embed
from app.worker.library.pace import EMBEDDING_STEPS, Pace, lower_priority
from app.worker.library.schema import chunk_id

log = logging.getLogger(__name__)

WINDOW_CHUNKS = 96
"""Chunks whose vectors are committed together; about a second's work, which is what a kill can cost."""
BATCH_CHUNKS = 8
"""Measured on two cores: 8 texts of a like length a batch are as fast as 32, and yield four times as soon."""
MAX_CRASHES = 2
_RETRY_S = 5.0


@dataclass(frozen=True)
class _Work:
    """One chunk without a vector."""

    document_id: int
    ordinal: int
    text: str


class Vectorizer:
    """Embeds the chunks of documents in state `embedding`, then gives the documents their final state."""

    def __init__(
        self,
        database: Database,
        documents: DocumentStore,
        catalogue: Catalogue,
        pace: Pace,
        *,
        model_id: int,
        embedder: Embedder,
        finished: Callable[[Sequence[int]], None],
        progressed: Callable[[Sequence[int]], None],
        trouble: Callable[[AppError], None],
    ) -> None:
        """Take the parts; `start` begins.

        Args:
            database: of the library.
            documents: where texts are.
            catalogue: gets the vectors.
            pace: says when to yield.
            model_id: row of the model in the database.
            embedder: makes the vectors.
            finished: gets the locations that reached their final state.
            progressed: gets the documents that came nearer to it.
            trouble: gets an error that stops the work for now.
        """
        self._database, self._documents, self._catalogue, self._pace = database, documents, catalogue, pace
        self._model_id, self._embedder = model_id, embedder
        self._finished, self._progressed, self._trouble = finished, progressed, trouble
        self._wake = threading.Condition()
        self._has_work = True
        self._paused = False
        self._stopped = False
        self._begun: set[int] = set()
        self.chunks_per_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="vectorizer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch that runs."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        self._pace.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=3.0)

    def wake(self) -> None:
        """Say that there may be work."""
        with self._wake:
            self._has_work = True
            self._wake.notify_all()

    def pause(self, paused: bool) -> None:
        """Pause or go on."""
        with self._wake:
            self._paused = paused
            self._wake.notify_all()

    @property
    def busy(self) -> bool:
        """Whether there is work, as far as is known."""
        with self._wake:
            return self._has_work and not self._paused

    def _run(self) -> None:
        lower_priority(EMBEDDING_STEPS)
        self._catalogue.loaded.wait()
        while self._wait_for_work():
            try:
                self._window()
            except AppError as error:
                self._trouble(error)
                self._pause_after_trouble()
            except Exception as error:  # the border of a thread: a fault here must not end all embedding
                log.exception("making vectors failed")
                self._trouble(
                    AppError("embedding.failed", f"Making vectors failed ({type(error).__name__}).")
                )
                self._pause_after_trouble()

    def _pause_after_trouble(self) -> None:
        with self._wake:
            self._has_work = True
            if not self._stopped:
                self._wake.wait(timeout=_RETRY_S)

    def _wait_for_work(self) -> bool:
        with self._wake:
            while not self._stopped and (self._paused or not self._has_work):
                self._wake.wait()
            return not self._stopped

    def _window(self) -> None:
        """Embed and commit one window of chunks."""
        with self._wake:
            self._has_work = False
        work = self._next_work()
        if not work:
            return
        with self._wake:
            self._has_work = True
        started = time.monotonic()
        vectors, worked_s = self._embed(work)
        if vectors is None:
            return
        self._commit(work, vectors, worked_s)
        pace = len(work) / max(1e-3, time.monotonic() - started)
        self.chunks_per_s = pace if self.chunks_per_s is None else 0.8 * self.chunks_per_s + 0.2 * pace

    def _next_work(self) -> list[_Work]:
        work: list[_Work] = []
        rows = self._database.rows(
            "SELECT id, title, n_embedded, embed_attempts FROM documents"
            " WHERE stage = 'live' AND state = 'embedding' ORDER BY id LIMIT ?",
            (WINDOW_CHUNKS,),
        )
        for document_id, title, n_embedded, attempts in rows:
            suspected = attempts > 0 and document_id not in self._begun
            if suspected and work:
                break  # one that was begun when the worker crashed goes alone
            chunks = self._database.rows(
                "SELECT ordinal, char_start, char_end, heading FROM chunks"
                " WHERE document_id = ? AND ordinal >= ? ORDER BY ordinal LIMIT ?",
                (document_id, n_embedded, WINDOW_CHUNKS - len(work)),
            )
            self._begin(document_id)
            for ordinal, start, end, heading in chunks:
                text = text_to_embed(title, heading, self._documents.text(document_id, start, end))
                work.append(_Work(document_id, ordinal, text))
            if suspected or len(work) >= WINDOW_CHUNKS:
                break
        return work

    def _begin(self, document_id: int) -> None:
        """Note that a document is begun, so that one that crashes the worker is found at the next start."""
        if document_id not in self._begun:
            self._begun.add(document_id)
            with self._database.write(durable=False) as connection:
                connection.execute(
                    "UPDATE documents SET embed_attempts = embed_attempts + 1 WHERE id = ?", (document_id,)
                )

    def _embed(self, work: Sequence[_Work]) -> tuple[Vectors | None, float]:
        """Give one row a chunk and the seconds worked; None where the thread is to pause or end."""
        order = sorted(range(len(work)), key=lambda i: len(work[i].text))
        vectors = np.empty((len(work), self._embedder.dim), np.float32)
        worked_s = 0.0
        for first in range(0, len(order), BATCH_CHUNKS):
            n_threads = self._pace.wait_for_turn()
            with self._wake:
                if self._stopped or self._paused:
                    return None, worked_s
            started = time.monotonic()
            rows = order[first : first + BATCH_CHUNKS]
            vectors[rows] = self._embedder.embed([work[i].text for i in rows], n_threads)
            worked_s += time.monotonic() - started
        return vectors, worked_s

    def _commit(self, work: Sequence[_Work], vectors: Vectors, worked_s: float) -> None:
        halves = vectors.astype("<f2")
        counts: dict[int, int] = {}
        finished: list[int] = []
        with self._database.write() as connection:
            live = _still_live(connection, {item.document_id for item in work})
            kept = [i for i, item in enumerate(work) if item.document_id in live]
            connection.executemany(
                "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)",
                ((work[i].document_id, work[i].ordinal, self._model_id, halves[i].tobytes()) for i in kept),
            )
            for i in kept:
                counts[work[i].document_id] = counts.get(work[i].document_id, 0) + 1
            for document_id, count in counts.items():
                connection.execute(
                    "UPDATE documents SET n_embedded = n_embedded + ?, embed_seconds = embed_seconds + ?"
                    " WHERE id = ?",
                    (count, worked_s * count / len(work), document_id),
                )
                finished.extend(finish_embedding(connection, document_id))
        ids = [chunk_id(work[i].document_id, work[i].ordinal) for i in kept]
        # The search sees what the database holds: vectors go through the same rounding.
        self._catalogue.add_vectors(ids, halves[kept].astype(np.float32))
        self._progressed(list(counts))
        if finished:
            self._finished(finished)


def _still_live(connection: apsw.Connection, document_ids: set[int]) -> set[int]:
    rows = connection.execute(
        "SELECT id FROM documents WHERE stage = 'live' AND state = 'embedding'"
        " AND id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(document_ids)),),
    )
    return {int(row[0]) for row in rows}


def finish_embedding(connection: apsw.Connection, document_id: int) -> list[int]:
    """Give a document whose vectors are complete its final state; give its locations, else nothing."""
    connection.execute(
        "UPDATE documents SET embed_attempts = 0,"
        " state = CASE reason_code WHEN '' THEN 'ready' ELSE 'partial' END"
        " WHERE id = ? AND state = 'embedding' AND n_embedded >= n_chunks",
        (document_id,),
    )
    return pass_on_state(connection, document_id) if connection.changes() else []


def give_up_embedding(
    connection: apsw.Connection, document_id: int, code: str, reason: str, hint: str
) -> list[int]:
    """Leave a document to keyword search alone; give its locations."""
    connection.execute(
        "UPDATE documents SET state = 'partial', reason_code = ?, reason = ?, hint = ? WHERE id = ?",
        (code, reason, hint, document_id),
    )
    return pass_on_state(connection, document_id)


def pass_on_state(connection: apsw.Connection, document_id: int) -> list[int]:
    """Let the locations of a document that were waiting for its vectors take over its state; give them."""
    rows = connection.execute(
        "UPDATE locations SET (state, reason_code, reason, hint, seconds) ="
        " (SELECT d.state, d.reason_code, d.reason, d.hint, coalesce(locations.seconds, 0) + d.embed_seconds"
        "  FROM documents d WHERE d.id = ?1) WHERE document_id = ?1 AND state = ?2 RETURNING id",
        (document_id, str(FileState.EMBEDDING)),
    )
    return [int(row[0]) for row in rows]
