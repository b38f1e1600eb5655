"""The library: its parts wired together, started, resumed and stopped."""

import json
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Sequence

import apsw

from app.core.errors import AppError, ModelError
from app.core.frozen import repair_hint
from app.core.paths import DataPaths
from app.protocol.body import Body
from app.protocol.library import FileState, LibraryStatus
from app.worker.library.adding import Adder
from app.worker.library.announcing import Announcer
from app.worker.library.catalogue import Catalogue
from app.worker.library.chroma_cache import IDLE_S, ChromaCache
from app.worker.library.chunking import TokenCounter
from app.worker.library.collection_store import CollectionStore
from app.worker.library.crashes import GIVEN_UP_CODE, CrashMark, quarantine
from app.worker.library.database import Database, fetch, translated
from app.worker.library.discarded_documents import DiscardedDocuments
from app.worker.library.document_store import DocumentStore
from app.worker.library.embedding import DIM, Embedder, OnnxEmbedder
from app.worker.library.file_store import FileStore
from app.worker.library.housekeeping import Housekeeper
from app.worker.library.pace import Pace, available_cores
from app.worker.library.reading import Reader, ReaderEvents
from app.worker.library.recordings import Recordings
from app.worker.library.schema import MIGRATIONS
from app.worker.library.search import SearchEngine
from app.worker.library.vectorizing import Vectorizer, give_up_embedding
from app.worker.library.waiting import Waiters
from app.worker.parser.client import ParserClient

log = logging.getLogger(__name__)


class Library:
    """The library of one data folder: opened, working in the background, asked by the handlers.

    Attributes:
        paths: the data folder.
        database: the record of truth.
        files: the locations.
        documents: the texts.
        collections: the sets of files.
        catalogue: what is searchable now.
        embedder: makes vectors; None where the model is not installed.
        engine: the search.
        waiters: requests that wait for files.
        announcer: sends events.
        reader: reads files.
        recordings: hands recordings out to be transcribed.
        adder: registers paths.
        housekeeper: tidies up.
        vectorizer: makes vectors; None where the model is not installed.
        pace: who may use the cores.
    """

    def __init__(
        self,
        paths: DataPaths,
        send: Callable[[Body], None],
        embedder: Embedder | None = None,
        *,
        index_mode: str = "auto",
        index_idle_s: float = IDLE_S,
    ) -> None:
        """Open the library and wire its parts; `start` sets them going.

        Args:
            paths: the data folder; made if need be.
            send: takes events.
            embedder: another than the bundled one (tests).
            index_mode: of ChromaCache.
            index_idle_s: of ChromaCache.

        Raises:
            StorageError: the library cannot be opened; nothing was changed.
        """
        self.paths = paths
        with translated():
            paths.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.database = Database(paths.library_db_path, MIGRATIONS, paths.backups_dir)
        self._crash_mark = CrashMark(paths.logs_dir / "library-crash.txt")
        self.embedder = embedder or _bundled_embedder()
        self.documents = DocumentStore(self.database)
        self._discarded = DiscardedDocuments(self.database)
        self.collections = CollectionStore(self.database)
        self.files = FileStore(self.database, self._progress)
        self.catalogue = Catalogue(self.database, self.documents, self.embedder.dim if self.embedder else DIM)
        self.engine = SearchEngine(self.database, self.documents, self.catalogue, self.embedder)
        self.waiters = Waiters(self.files)
        self.announcer = Announcer(send, self.files, self.collections, self.status)
        self.pace = Pace(available_cores())
        self.parser = ParserClient()
        self._model_id = self._prepare()
        self._wire(send, index_mode, index_idle_s)
        self.paused = bool(self._meta("paused"))

    def _wire(self, send: Callable[[Body], None], index_mode: str, index_idle_s: float) -> None:
        self._wire_reading(send, self.embedder or _WordCounter())
        self.adder = Adder(
            self.database,
            self.files,
            self.waiters,
            os.fsencode(self.paths.root),
            registered=self._on_registered,
            trouble=self.announcer.notice,
        )
        self.housekeeper = Housekeeper(
            self.database,
            self.files,
            self._discarded,
            self.paths.files_dir,
            reading=lambda: self.reader.busy,
            requeued=self._on_registered,
            changed=self._on_files_final,
        )
        self._wire_embedding(index_mode, index_idle_s)

    def _wire_reading(self, send: Callable[[Body], None], counter: TokenCounter) -> None:
        events = ReaderEvents(
            changed=self.announcer.files_changed,
            finished=self.waiters.finished,
            stored=self._on_stored,
            discarded=self._on_discarded,
            trouble=self.announcer.notice,
            recovered=self._on_recovered,
            recording=lambda location_id: self.recordings.add(location_id),
        )
        self.reader = Reader(
            self.database,
            self.files,
            self.documents,
            self.catalogue,
            self.parser,
            counter,
            self.pace,
            events,
        )
        self.recordings = Recordings(
            self.database,
            self.files,
            self.documents,
            self.catalogue,
            counter,
            events,
            send=send,
            queued=self._on_registered,
            postponed=self.waiters.postponed,
        )

    def _wire_embedding(self, index_mode: str, index_idle_s: float) -> None:
        self.vectorizer = None
        if self.embedder is not None:
            self.catalogue.index = ChromaCache(
                self.paths.index_dir,
                self.catalogue.matrix,
                self.embedder.name,
                mode=index_mode,
                is_idle=self._is_idle,
                idle_s=index_idle_s,
            )
            self.vectorizer = Vectorizer(
                self.database,
                self.documents,
                self.catalogue,
                self.pace,
                model_id=self._model_id,
                embedder=self.embedder,
                finished=self._on_files_final,
                progressed=self._on_documents_progressed,
                trouble=self.announcer.notice,
            )

    def start(self) -> None:
        """Load the vectors and resume whatever was unfinished, in the background."""
        self.announcer.start()
        if self.catalogue.index is not None:
            self.catalogue.index.start()
        threading.Thread(target=self._load, name="loader", daemon=True).start()
        self.reader.pause(self.paused)
        self.reader.start()
        if self.vectorizer is not None:
            self.vectorizer.pause(self.paused)
            self.vectorizer.start()
        self.adder.start()
        self.recordings.start(self.paused)
        self.housekeeper.start()
        self.housekeeper.refresh(lambda _failure: None)
        self.announcer.status_changed()

    def stop(self) -> None:
        """End all work in order; what is unfinished resumes at the next start."""
        if self.catalogue.index is not None:
            self.catalogue.index.stop()
        self.reader.stop()
        self.parser.close()
        if self.vectorizer is not None:
            self.vectorizer.stop()
        self.adder.stop()
        self.recordings.stop()
        self.housekeeper.stop()
        self.announcer.stop()
        self.database.close()
        self._crash_mark.close()

    def status(self) -> LibraryStatus:
        """Give the state of ingestion."""
        counts = self.files.counts()
        n_documents, n_chunks, n_embedded = self.documents.totals()
        n_queued = counts.get(FileState.QUEUED, 0)
        n_to_read = max(0, n_queued - self.recordings.n_postponed())
        n_reading = min(n_to_read, self.reader.is_reading + self.recordings.n_running)
        if n_reading:
            counts[FileState.QUEUED] = n_queued - n_reading
            counts[FileState.READING] = n_reading
        waiting = n_to_read + counts.get(FileState.EMBEDDING, 0)
        return LibraryStatus(
            paused=self.paused,
            waiting=waiting,
            eta_s=self._eta(n_to_read, n_chunks - n_embedded),
            counts=counts,
            n_documents=n_documents,
            n_chunks=n_chunks,
            n_embedded=n_embedded,
        )

    def pause(self, paused: bool) -> None:
        """Pause or resume all ingestion, durably."""
        with self.database.write() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('paused', ?)", (int(paused),))
        self.paused = paused
        self.reader.pause(paused)
        self.recordings.pause(paused)
        if self.vectorizer is not None:
            self.vectorizer.pause(paused)
        self.announcer.status_changed()

    def documents_discarded(self, document_ids: Sequence[int]) -> None:
        """Take documents out of the search and have them deleted."""
        self._on_discarded(document_ids)

    def files_queued(self, location_ids: Iterable[int]) -> None:
        """Set reading going for files that were queued."""
        self._on_registered(location_ids)

    def stop_reading(self, location_ids: Collection[int]) -> None:
        """Stop whatever makes the text of these files, where that goes on now; returns at once."""
        self.reader.cancel(location_ids)
        self.recordings.cancel(location_ids)

    def _progress(self, location_id: int) -> float | None:
        """Give the progress of a file that is being read or transcribed."""
        progress = self.reader.progress(location_id)
        return self.recordings.progress(location_id) if progress is None else progress

    def _load(self) -> None:
        try:
            self.catalogue.load(self._model_id)
        except AppError as error:
            self.announcer.notice(error)
        except Exception:  # the border of a thread: without vectors keyword search still serves
            log.exception("loading the vectors failed")

    def _is_idle(self) -> bool:
        """Tell whether nothing more urgent than the index runs."""
        busy = self.reader.busy or self.adder.busy or self.pace.throttled
        return self.catalogue.loaded.is_set() and not busy and not (self.vectorizer and self.vectorizer.busy)

    def _prepare(self) -> int:
        """Put the database in order for this run; give the row of the embedding model."""
        self._discarded.discard_unfinished()
        quarantine(self.database, self._crash_mark)
        with self.database.write() as connection:
            if self.embedder is None:
                _make_keyword_only(connection)
                return 0
            connection.execute(
                "INSERT OR IGNORE INTO models (name, dim) VALUES (?, ?)",
                (self.embedder.name, self.embedder.dim),
            )
            model_id = int(
                connection.execute("SELECT id FROM models WHERE name = ?", (self.embedder.name,)).get
            )
            _adopt_model(connection, model_id)
            return model_id

    def _meta(self, key: str) -> object:
        row = self.database.row("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else row[0]

    def _eta(self, n_to_read: int, n_missing: int) -> float | None:
        """Give the seconds that the vectors will take, or the last recording; None where it is unknown."""
        if self.paused or self.vectorizer is None:
            return None
        if n_to_read:
            return self.recordings.eta_s() if n_to_read == 1 else None
        pace = self.vectorizer.chunks_per_s
        return None if pace is None else round(n_missing / pace, 1)

    def _on_registered(self, location_ids: Iterable[int]) -> None:
        self.announcer.files_changed(location_ids)
        self.announcer.collections_changed()
        self.reader.wake()

    def _on_stored(self) -> None:
        if self.vectorizer is not None:
            self.vectorizer.wake()
            return
        with self.database.write() as connection:
            finished = _make_keyword_only(connection)
        self._on_files_final(finished)

    def _on_discarded(self, document_ids: Sequence[int]) -> None:
        self.catalogue.documents_removed(document_ids)
        self.housekeeper.purge()

    def _on_recovered(self) -> None:
        self.announcer.resolved("storage.full")
        self.announcer.resolved("storage.io")

    def _on_files_final(self, location_ids: Iterable[int]) -> None:
        ids = list(location_ids)
        self.announcer.files_changed(ids)
        self.waiters.finished(ids)

    def _on_documents_progressed(self, document_ids: Sequence[int]) -> None:
        self._on_recovered()
        rows = self.database.rows(
            "SELECT id FROM locations WHERE document_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(document_ids)),),
        )
        self.announcer.files_changed([int(row[0]) for row in rows])


class _WordCounter:
    """Stands in for the tokenizer where the embedding model is not installed: a word counts 1.3 tokens."""

    _TOKENS_A_WORD = 1.3

    def count(self, texts: Sequence[str]) -> list[int]:
        """Give about the number of tokens of each text."""
        return [int(max(len(text.split()) * self._TOKENS_A_WORD, len(text) / 8)) for text in texts]

    def cuts(self, text: str, n_tokens: int) -> list[int]:
        """Give the ends of pieces of about `n_tokens` tokens."""
        step = n_tokens * 4
        return [*range(step, len(text), step), len(text)]


def _bundled_embedder() -> Embedder | None:
    try:
        return OnnxEmbedder()
    except ModelError as error:
        log.warning("search works by words only: %s", error)
        return None


_NO_MODEL_CODE = "embedding.missing"
_NO_MODEL_REASON = (
    "This file is found by its words only: the model that finds passages by meaning is not installed."
)


def _make_keyword_only(connection: apsw.Connection) -> list[int]:
    """Give documents that wait for vectors that cannot be made their final state; give their locations."""
    rows = fetch(
        connection,
        "SELECT id, reason_code, reason, hint FROM documents WHERE stage = 'live' AND state = 'embedding'",
    )
    finished = []
    for document_id, code, reason, hint in rows:
        kept = (code, reason, hint) if code else (_NO_MODEL_CODE, _NO_MODEL_REASON, repair_hint())
        finished.extend(give_up_embedding(connection, document_id, *kept))
    return finished


def _adopt_model(connection: apsw.Connection, model_id: int) -> None:
    """Queue documents that lack vectors of this model, and drop vectors of others."""
    connection.execute("DELETE FROM embeddings WHERE model_id <> ?", (model_id,))
    if connection.changes():
        connection.execute("UPDATE documents SET n_embedded = 0")
    connection.execute(
        "UPDATE documents SET state = 'embedding' WHERE stage = 'live' AND n_embedded < n_chunks"
        " AND state <> 'embedding' AND reason_code <> ?",
        (GIVEN_UP_CODE,),
    )
    connection.execute(
        "UPDATE documents SET reason_code = '', reason = '', hint = ''"
        " WHERE state = 'embedding' AND reason_code = ?",
        (_NO_MODEL_CODE,),
    )
    connection.execute(
        "UPDATE locations SET state = 'embedding', reason_code = '', reason = '', hint = ''"
        " WHERE state IN ('ready', 'partial')"
        " AND document_id IN (SELECT id FROM documents WHERE stage = 'live' AND state = 'embedding')"
    )
