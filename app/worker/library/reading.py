"""The thread that reads files: hash, look up, parse, cut, store."""

import dataclasses
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

import apsw

from app.core.errors import AppError, FileError, StorageError
from app.protocol.library import FileState
from app.worker.library.catalogue import Catalogue
from app.worker.library.chunking import TokenCounter, chunk_document
from app.worker.library.database import Database
from app.worker.library.discarded_documents import discard
from app.worker.library.document_store import DocumentStore
from app.worker.library.file_store import FileStore, Outcome, QueuedFile
from app.worker.library.new_document import NewDocument
from app.worker.library.pace import READING_STEPS, Pace, lower_priority
from app.worker.library.recording_store import RecordingStore
from app.worker.library.schema import MAX_CHUNKS
from app.worker.library.sources import (
    CHANGING,
    EMPTY,
    MISSING_KEPT,
    Interrupted,
    file_error,
    hash_file,
    open_source,
    outcome_of,
    same_file_state,
)
from app.worker.parser.client import ParseCancelled, Parsed, ParserClient

log = logging.getLogger(__name__)

MAX_CRASHES = 2
MAX_READINGS = 3
"""How often a file that changes while it is read is read before it is given up."""
_RETRY_S = 5.0
_WARM_DELAY_S = 1.5
_RECORDING_CODES = frozenset({"unsupported.audio", "unsupported.video"})
_PARSER_CRASH_CODES = frozenset({"parser.crashed"})

CRASHED = Outcome(
    FileState.FAILED,
    "file.crashed_reader",
    "The reader crashed twice on this file.",
    "The file may be damaged. Open it in its own program, save it anew and retry.",
)
_SURROGATES = {code: 0xFFFD for code in range(0xD800, 0xE000)}


@dataclass
class ActiveFile:
    """The file that is being read now.

    Attributes:
        cancelled: set to stop it.
        progress: 0 to 1.
    """

    location_id: int
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: float = 0.0


@dataclass(frozen=True)
class ReaderEvents:
    """Whom the reader tells what; called in its thread after the commit.

    Attributes:
        changed: files whose state or progress changed.
        finished: files that reached a final state.
        stored: a document is new and waits for its vectors.
        discarded: documents that no location holds any more.
        trouble: an error that stops reading for now.
        recovered: reading goes on after trouble.
        recording: a file holds sound, so others make its text.
    """

    changed: Callable[[Iterable[int]], None]
    finished: Callable[[Iterable[int]], None]
    stored: Callable[[], None]
    discarded: Callable[[Sequence[int]], None]
    trouble: Callable[[AppError], None]
    recovered: Callable[[], None]
    recording: Callable[[int], None]


class Reader:
    """Takes queued files one after the other until stopped. The database is the queue."""

    def __init__(
        self,
        database: Database,
        files: FileStore,
        documents: DocumentStore,
        catalogue: Catalogue,
        parser: ParserClient,
        counter: TokenCounter,
        pace: Pace,
        events: ReaderEvents,
    ) -> None:
        """Take the parts; `start` begins."""
        self._database, self._files, self._documents = database, files, documents
        self._catalogue, self._parser, self._counter = catalogue, parser, counter
        self._pace, self._events = pace, events
        self._recordings = RecordingStore(database)
        self._wake = threading.Condition()
        self._has_work = True
        self._paused = False
        self._stopped = False
        self._warmed = False
        self._begun: tuple[int, int] | None = None
        self._active: ActiveFile | None = None
        self.bytes_per_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; the file that is being read is read again at the next start."""
        with self._wake:
            self._stopped = True
            if self._active is not None:
                self._active.cancelled.set()
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=3.0)

    def wake(self) -> None:
        """Say that a file was queued."""
        with self._wake:
            self._has_work = True
            self._wake.notify_all()

    def pause(self, paused: bool) -> None:
        """Pause or go on; the file that is being read is finished first."""
        with self._wake:
            self._paused = paused
            self._wake.notify_all()

    def cancel(self, location_ids: Iterable[int]) -> None:
        """Stop reading these files, if one of them is being read; returns at once."""
        with self._wake:
            if self._active is not None and self._active.location_id in set(location_ids):
                self._active.cancelled.set()

    def progress(self, location_id: int) -> float | None:
        """Give the progress of a file that is being read; None for any other."""
        active = self._active
        return active.progress if active is not None and active.location_id == location_id else None

    @property
    def is_reading(self) -> bool:
        """Whether a file is being read at this moment."""
        return self._active is not None

    @property
    def busy(self) -> bool:
        """Whether files wait or are read, as far as is known."""
        with self._wake:
            return self._has_work and not self._paused

    def _run(self) -> None:
        lower_priority(READING_STEPS)
        while self._wait_for_work():
            try:
                self._next()
            except StorageError as error:
                self._events.trouble(error)
                self._pause_after_trouble()
            except Exception as error:  # the border of a thread: a fault here must not end all reading
                log.exception("reading failed")
                self._events.trouble(
                    AppError("library.reading_failed", f"Reading failed inside ({type(error).__name__}).")
                )
                self._pause_after_trouble()

    def _pause_after_trouble(self) -> None:
        with self._wake:
            self._has_work = True
            if not self._stopped:
                self._wake.wait(timeout=_RETRY_S)

    def _wait_for_work(self) -> bool:
        with self._wake:
            if not self._wake.wait_for(self._has_something_to_do, None if self._warmed else _WARM_DELAY_S):
                self._warm()
            self._wake.wait_for(self._has_something_to_do)
            return not self._stopped

    def _has_something_to_do(self) -> bool:
        return self._stopped or (self._has_work and not self._paused)

    def _warm(self) -> None:
        """Start the parser process before the first file comes, but not while the window is being opened.

        It is started from this thread, because on Linux a process can end with the thread that started it.
        """
        self._warmed = True
        try:
            self._parser.warm()
        except OSError:
            log.exception("the parser process cannot be started; it is tried again with the first file")

    def _next(self) -> None:
        with self._wake:
            self._has_work = False
        file = self._files.next_queued()
        if file is None:
            return
        with self._wake:
            self._has_work = True
            self._active = ActiveFile(file.location_id)
            active = self._active
            if self._stopped:
                return
        self._pace.reading(True)
        try:
            self._events.changed([file.location_id])
            self._begin(file)
            _Reading(self, file, active).run()
            self._events.recovered()
        finally:
            self._pace.reading(False)
            self._active = None

    def _begin(self, file: QueuedFile) -> None:
        """Note that a reading begins; tried again after trouble with the disk, it is still the same one."""
        if self._begun != (file.location_id, file.revision):
            with self._database.write(durable=False) as connection:
                self._files.begin_attempt(connection, file.location_id)
            self._begun = (file.location_id, file.revision)

    def _forget_attempt(self, location_id: int) -> None:
        """Note that a reading ended because the worker ends in order, which is nobody's fault."""
        with self._database.write(durable=False) as connection:
            self._files.forget_attempt(connection, location_id)


class _Reading:
    """The reading of one file."""

    def __init__(self, reader: Reader, file: QueuedFile, active: ActiveFile) -> None:
        self._reader, self._file, self._active = reader, file, active
        self._database, self._files = reader._database, reader._files
        self._documents, self._events = reader._documents, reader._events
        self._started = time.monotonic()
        self._hash: bytes | None = None
        self._stat: os.stat_result | None = None
        self._discarded: list[int] = []

    def run(self) -> None:
        try:
            for _ in range(MAX_READINGS):
                if self._read_once():
                    return
            raise file_error(CHANGING)
        except FileError as error:
            if error.code in _RECORDING_CODES:
                self._hand_over()
            else:
                self._finish(outcome_of(error))
        except (Interrupted, ParseCancelled):
            log.info("reading of file %d was cancelled", self._file.location_id)
            if self._reader._stopped:
                self._reader._forget_attempt(self._file.location_id)

    def _read_once(self) -> bool:
        """Read the file; False where it changed meanwhile, so that it must be read again."""
        with open_source(self._file.path) as file:
            before = os.fstat(file.fileno())
            content_hash = hash_file(file, self._active.cancelled)
            self._hash, self._stat = content_hash, before
            if not before.st_size:
                raise file_error(EMPTY)
            if self._link_known(content_hash, before):
                return True
            parsed = self._parse(file, content_hash, before)
            if parsed is None:
                return False
        chunks = chunk_document(parsed, self._reader._counter)
        if len(chunks) > MAX_CHUNKS:
            parsed, chunks = mark_cut(parsed), chunks[:MAX_CHUNKS]
        document = NewDocument(content_hash, parsed, chunks, self._seconds())
        document_id = self._documents.store(document, self._active.cancelled, self._publisher(before))
        if document_id is None:
            raise Interrupted
        self._reader._catalogue.changed()
        self._announce_discarded()
        self._events.stored()
        self._tell()
        return True

    def _parse(self, file: BinaryIO, content_hash: bytes, before: os.stat_result) -> Parsed | None:
        """Parse an open file; None where it changed meanwhile."""
        parsed = self._parse_twice_at_most(file)
        if not same_file_state(before, os.fstat(file.fileno())):
            return None
        if hash_file(file, self._active.cancelled) != content_hash:
            return None  # written through a mapping, or within one tick of the clock
        return _clean(parsed)

    def _parse_twice_at_most(self, file: BinaryIO) -> Parsed:
        for attempt in range(MAX_CRASHES):
            try:
                file.seek(0)
                return self._reader._parser.parse(
                    file, self._file.name, cancelled=self._active.cancelled, on_progress=self._on_progress
                )
            except FileError as error:
                if error.code not in _PARSER_CRASH_CODES:
                    raise
                log.warning("the parser crashed on file %d (%d)", self._file.location_id, attempt + 1)
        raise file_error(CRASHED)

    def _on_progress(self, fraction: float) -> None:
        self._active.progress = min(1.0, max(0.0, fraction))
        self._events.changed([self._file.location_id])

    def _link_known(self, content_hash: bytes, stat: os.stat_result) -> bool:
        """Let the location hold a document that was read before, if there is one of this content."""
        document_id = self._documents.find_live(content_hash)
        if document_id is None:
            return False
        if self._file.anew and self._documents.is_transcript(document_id):
            self._hand_over()
            return True
        with self._transaction() as connection:
            if connection is not None:
                self._link(connection, document_id, stat)
        self._reader._catalogue.changed()
        self._announce_discarded()
        self._events.stored()  # its vectors may still be missing
        self._tell()
        return True

    def _hand_over(self) -> None:
        """Let a recording wait to be transcribed, out of the way of other files."""
        assert self._hash is not None
        assert self._stat is not None
        with self._transaction() as connection:
            if connection is not None:
                self._reader._recordings.wait(connection, self._file.location_id, self._hash, self._stat)
        self._events.changed([self._file.location_id])
        self._events.recording(self._file.location_id)

    def _publisher(self, stat: os.stat_result) -> Callable[[apsw.Connection, int], bool]:
        def publish(connection: apsw.Connection, document_id: int) -> bool:
            if not self._files.is_current(connection, self._file.location_id, self._file.revision):
                return False
            self._link(connection, document_id, stat)
            return True

        return publish

    def _link(self, connection: apsw.Connection, document_id: int, stat: os.stat_result) -> None:
        assert self._hash is not None
        self._files.link(
            connection,
            self._file.location_id,
            document_id,
            content_hash=self._hash,
            stat=stat,
            seconds=self._seconds(),
        )
        old = self._file.document_id
        self._discarded = [] if old in (None, document_id) else discard(connection, [old])

    def _finish(self, outcome: Outcome) -> None:
        """Give the location a final state without a document of this content."""
        if outcome.state == FileState.MISSING and self._file.document_id is not None:
            outcome = MISSING_KEPT
        with self._transaction() as connection:
            if connection is not None:
                self._files.finish(
                    connection,
                    self._file.location_id,
                    outcome,
                    content_hash=self._hash,
                    seconds=self._seconds(),
                    stat=self._stat,
                )
        self._tell()

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection | None]:
        """Give a transaction, or None where the result is not wanted any more."""
        with self._database.write() as connection:
            wanted = self._files.is_current(connection, self._file.location_id, self._file.revision)
            yield connection if wanted else None

    def _announce_discarded(self) -> None:
        if self._discarded:
            self._events.discarded(self._discarded)

    def _tell(self) -> None:
        self._events.changed([self._file.location_id])
        self._events.finished([self._file.location_id])

    def _seconds(self) -> float:
        return time.monotonic() - self._started


def mark_cut(parsed: Parsed) -> Parsed:
    """Give a document with the note that it has too many passages."""
    return dataclasses.replace(
        parsed,
        partial_code="library.too_many_passages",
        partial_reason=f"Only the first {MAX_CHUNKS:,} passages of this file can be searched.",
    )


def _clean(parsed: Parsed) -> Parsed:
    """Replace what UTF-8 cannot hold; the number of code points stays."""
    try:
        parsed.text.encode("utf-8")
        parsed.title.encode("utf-8")
    except UnicodeEncodeError:
        return dataclasses.replace(
            parsed, text=parsed.text.translate(_SURROGATES), title=parsed.title.translate(_SURROGATES)
        )
    return parsed
