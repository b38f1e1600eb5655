"""Recordings: handed out to be transcribed, shown while that goes on, and stored when it is done.

The transcription happens in other processes; the host asks for the next recording and brings the result. The
database is the queue; which of its recordings are being transcribed right now is only known in memory
(`running_recordings`), so a death at any moment leaves them waiting. A result is kept only where its location
still wants it and the file still holds the bytes that it was made from.
"""

import logging
import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import PurePath

import apsw

from app.core.errors import FileError, StorageError
from app.protocol.body import Body
from app.protocol.library import FileState
from app.protocol.recordings import (
    FailRecording,
    NoteTranscription,
    RecordingUnwanted,
    RecordingWaits,
    ResumeRecordings,
    StoreTranscript,
    TakeRecording,
    WaitingRecording,
)
from app.protocol.system import Empty
from app.worker.library.catalogue import Catalogue
from app.worker.library.chunking import TokenCounter, chunk_ranges
from app.worker.library.database import Database
from app.worker.library.discarded_documents import discard
from app.worker.library.document_store import DocumentStore
from app.worker.library.file_store import FileStore, Outcome
from app.worker.library.new_document import NewDocument, SpokenText
from app.worker.library.reading import MAX_READINGS, ReaderEvents, mark_cut
from app.worker.library.recording_store import QueuedRecording, RecordingStore
from app.worker.library.running_recordings import RunningRecordings
from app.worker.library.schema import MAX_CHUNKS
from app.worker.library.sources import (
    CHANGING,
    MISSING_KEPT,
    Interrupted,
    hash_file,
    open_source,
    outcome_of,
)
from app.worker.library.transcript import milliseconds, transcript_of
from app.worker.runtime import Cancelled, Job

log = logging.getLogger(__name__)

_RETRY_S = 5.0
_NONE = WaitingRecording(location_id=0)
_STATES = {
    "audio.no_sound": FileState.EMPTY,
    "file.empty": FileState.EMPTY,
    "audio.unsupported": FileState.UNSUPPORTED,
    "file.not_found": FileState.MISSING,
}
"""How a file ends, by the reason why it cannot be transcribed; failed for every other."""


class Recordings:
    """Serves the requests about recordings (the lane `recordings`); any thread for the rest."""

    def __init__(
        self,
        database: Database,
        files: FileStore,
        documents: DocumentStore,
        catalogue: Catalogue,
        counter: TokenCounter,
        events: ReaderEvents,
        *,
        send: Callable[[Body], None],
        queued: Callable[[Iterable[int]], None],
        postponed: Callable[[Iterable[int]], None],
    ) -> None:
        """Take the parts; `start` begins.

        Args:
            database: of the library.
            files: the locations.
            documents: where transcripts go.
            catalogue: what is searchable.
            counter: the embedding model's tokenizer.
            events: whom to tell what happened to files.
            send: takes the events for the host.
            queued: gets files that are to be read from the start.
            postponed: gets files that wait for something that is not here.
        """
        self._database, self._files, self._documents = database, files, documents
        self._catalogue, self._counter, self._events = catalogue, counter, events
        self._send, self._queued, self._postponed = send, queued, postponed
        self._store = RecordingStore(database)
        self._running = RunningRecordings()
        self._paused = False

    # -------------------------------------------------------------------------------- state

    def progress(self, location_id: int) -> float | None:
        """Give the progress of a file that is being transcribed; None for any other."""
        return self._running.progress(location_id)

    @property
    def n_running(self) -> int:
        """How many are being transcribed now."""
        return len(self._running)

    def n_postponed(self) -> int:
        """Give how many wait for something that is not here."""
        return self._store.n_postponed()

    def eta_s(self) -> float | None:
        """Give the seconds until the last recording is done; None where more wait, or unknown."""
        running = self._running.ids()
        if len(running) != 1 or self._store.n_waiting() != 1:
            return None
        progress = self._running.progress(running[0]) or 0.0
        if progress < 0.05:
            return None
        return round(self._running.seconds(running[0]) * (1.0 / progress - 1.0), 1)

    # -------------------------------------------------------------------------------- what others do

    def start(self, paused: bool) -> None:
        """Offer what waits; what was postponed is tried again with every start."""
        self._paused = paused
        if self._store.n_postponed():
            with self._database.write() as connection:
                self._store.resume(connection)
        self._offer()

    def stop(self) -> None:
        """End; what is being transcribed is begun again at the next start, which is nobody's fault."""
        stopped = self._running.take(self._running.ids())
        if stopped:
            with suppress(StorageError), self._database.write() as connection:
                self._store.forget_attempts(connection, [location_id for location_id, _ in stopped])

    def add(self, location_id: int) -> None:
        """Note that the reader found a recording and let it wait."""
        log.info("file %d waits to be transcribed", location_id)
        self._offer()

    def pause(self, paused: bool) -> None:
        """Stop what runs, or go on.

        Unlike a document, a recording is not finished first: that can take
        an hour. It begins anew afterwards.
        """
        self._paused = paused
        if not paused:
            self._offer()
            return
        stopped = self.cancel(self._running.ids())
        if stopped:
            with self._database.write() as connection:
                self._store.forget_attempts(connection, stopped)
            self._events.changed(stopped)

    def cancel(self, location_ids: Iterable[int]) -> list[int]:
        """Tell the host that these are not wanted any more, where they are being transcribed; give those."""
        stopped = self._running.take(location_ids)
        for location_id, revision in stopped:
            self._send(RecordingUnwanted(location_id=location_id, revision=revision))
        return [location_id for location_id, _ in stopped]

    def _offer(self) -> None:
        if not self._paused and self._store.next_waiting(self._running.ids()) is not None:
            self._send(RecordingWaits())

    # -------------------------------------------------------------------------------- requests

    def take(self, _request: TakeRecording, job: Job) -> WaitingRecording:
        """Give the next recording; what can be settled without transcribing is settled on the way."""
        while not self._paused:
            job.raise_if_cancelled()
            recording = self._store.next_waiting(self._running.ids())
            if recording is None:
                return _NONE
            if self._is_settled(recording):
                continue
            with self._database.write(durable=False) as connection:
                self._store.begin_attempt(connection, recording.location_id)
            self._running.begin(recording.location_id, recording.revision)
            if not self._is_wanted(recording):
                self.cancel([recording.location_id])  # paused, cancelled or removed at this very moment
                continue
            self._events.changed([recording.location_id])
            return WaitingRecording(
                location_id=recording.location_id,
                revision=recording.revision,
                path=os.fsdecode(recording.path),
                name=recording.name,
            )
        return _NONE

    def note(self, request: NoteTranscription, _job: Job) -> Empty:
        """Show how far a transcription is."""
        if not self._running.has(request.location_id, request.revision):
            # The host may go on with what an earlier worker gave it.
            if self._paused or self._store.current(request.location_id, request.revision) is None:
                return Empty()
            self._running.begin(request.location_id, request.revision)
        self._running.note(request.location_id, request.progress)
        self._events.changed([request.location_id])
        return Empty()

    def store(self, request: StoreTranscript, job: Job) -> Empty:
        """Make a transcript the document of its file; tried again while the disk is full.

        Raises:
            Cancelled: nothing was stored.
        """
        while True:
            try:
                self._store_once(request, job)
            except StorageError as error:
                self._events.trouble(error)
                if job.cancelled.wait(_RETRY_S):
                    raise Cancelled from error
            else:
                self._events.recovered()
                self._offer()
                return Empty()

    def fail(self, request: FailRecording, _job: Job) -> Empty:
        """End a recording with a reason, or let it wait with one."""
        recording = self._store.current(request.location_id, request.revision)
        if recording is None:
            self._running.end(request.location_id, request.revision)
            return Empty()
        outcome = Outcome(
            _STATES.get(request.code, FileState.FAILED), request.code, request.reason, request.hint
        )
        if request.later:
            self._postpone(recording, outcome)
        elif self._was_changed(recording):
            self._look_again(recording)
        else:
            self._finish(recording, outcome)
        self._offer()  # another with the same bytes may have waited for this one
        return Empty()

    def resume(self, _request: ResumeRecordings, _job: Job) -> Empty:
        """Let what was postponed wait for its turn again."""
        with self._database.write() as connection:
            resumed = self._store.resume(connection)
        self._events.changed(resumed)
        self._offer()
        return Empty()

    # -------------------------------------------------------------------------------- settling

    def _is_wanted(self, recording: QueuedRecording) -> bool:
        return not self._paused and self._store.current(recording.location_id, recording.revision) is not None

    def _is_settled(self, recording: QueuedRecording) -> bool:
        """Deal with a recording that is gone, was changed, or whose content is known; tell whether it was."""
        try:
            with open_source(recording.path) as file:
                status = os.fstat(file.fileno())
        except FileError as error:
            self._finish(recording, outcome_of(error))
            return True
        if not recording.is_unchanged(status):
            self._look_again(recording)
            return True
        return not recording.anew and self._link_known(recording)

    def _link_known(self, recording: QueuedRecording) -> bool:
        """Let a location hold the transcript of the same bytes, if there is one."""
        document_id = self._documents.find_live(recording.content_hash)
        if document_id is None:
            return False
        discarded: list[int] = []
        with self._database.write() as connection:
            if self._files.is_current(connection, recording.location_id, recording.revision):
                discarded = self._link(connection, recording.location_id, recording, document_id, 0.0)
        self._published([recording.location_id], discarded)
        return True

    def _link(
        self,
        connection: apsw.Connection,
        location_id: int,
        recording: QueuedRecording,
        document_id: int,
        seconds: float,
    ) -> list[int]:
        """Let a location hold a document; give the ones that nobody holds any more."""
        held = connection.execute("SELECT document_id FROM locations WHERE id = ?", (location_id,)).get
        self._files.link(
            connection,
            location_id,
            document_id,
            content_hash=recording.content_hash,
            stat=None,
            seconds=seconds,
        )
        return [] if held in (None, document_id) else discard(connection, [int(held)])

    def _published(self, location_ids: Collection[int], discarded: Collection[int]) -> None:
        """Tell everyone of files that hold a document now."""
        self._catalogue.changed()
        if discarded:
            self._events.discarded(list(discarded))
        self._events.stored()  # its vectors are missing yet, perhaps
        self._events.changed(location_ids)
        self._events.finished(location_ids)

    def _postpone(self, recording: QueuedRecording, why: Outcome) -> None:
        with self._database.write() as connection:
            if self._files.is_current(connection, recording.location_id, recording.revision):
                self._store.postpone(connection, recording.location_id, why)
        self._running.end(recording.location_id, recording.revision)
        self._events.changed([recording.location_id])
        self._postponed([recording.location_id])

    def _finish(self, recording: QueuedRecording, outcome: Outcome) -> None:
        """Give a file a final state without a new document."""
        if outcome.state == FileState.MISSING and recording.document_id is not None:
            outcome = MISSING_KEPT
        seconds = self._running.seconds(recording.location_id)
        with self._database.write() as connection:
            if self._files.is_current(connection, recording.location_id, recording.revision):
                self._files.finish(
                    connection, recording.location_id, outcome, content_hash=None, seconds=seconds
                )
        self._running.end(recording.location_id, recording.revision)
        self._events.changed([recording.location_id])
        self._events.finished([recording.location_id])

    def _was_changed(self, recording: QueuedRecording) -> bool:
        """Tell whether a file looks other than when it was handed out; one that is gone does not count."""
        try:
            with open_source(recording.path) as file:
                return not recording.is_unchanged(os.fstat(file.fileno()))
        except FileError:
            return False

    def _look_again(self, recording: QueuedRecording) -> None:
        """Have a file that was changed read from the start; give it up where it never rests."""
        if recording.changes + 1 >= MAX_READINGS:
            self._finish(recording, CHANGING)
            return
        with self._database.write() as connection:
            if self._files.is_current(connection, recording.location_id, recording.revision):
                self._store.read_again(connection, recording)
        self._running.end(recording.location_id, recording.revision)
        self._queued([recording.location_id])

    # -------------------------------------------------------------------------------- storing

    def _store_once(self, request: StoreTranscript, job: Job) -> None:
        recording = self._store.current(request.location_id, request.revision)
        if recording is None:
            self._running.end(request.location_id, request.revision)
            return
        try:
            same = self._holds_the_same(recording, job)
        except FileError as error:
            self._finish(recording, outcome_of(error))
            return
        if not same:
            self._look_again(recording)
        elif recording.anew or not self._link_known(recording):
            self._publish(recording, request, job)
        self._running.end(request.location_id, request.revision)

    def _holds_the_same(self, recording: QueuedRecording, job: Job) -> bool:
        """Tell whether a file still holds the bytes that were transcribed.

        Raises:
            FileError: it cannot be read.
            Cancelled: the request was.
        """
        with open_source(recording.path) as file:
            if not recording.is_unchanged(os.fstat(file.fileno())):
                return False
            try:
                return hash_file(file, job.cancelled) == recording.content_hash
            except Interrupted as error:
                raise Cancelled from error

    def _publish(self, recording: QueuedRecording, request: StoreTranscript, job: Job) -> None:
        document = self._document(recording, request)
        linked: list[int] = []
        discarded: list[int] = []

        def publish(connection: apsw.Connection, document_id: int) -> bool:
            if not self._files.is_current(connection, recording.location_id, recording.revision):
                return False
            old_ids, holder_ids = self._store.replace_document(connection, recording, document_id)
            others = self._store.same_content(connection, recording)
            for location_id in (recording.location_id, *others):
                seconds = document.seconds if location_id == recording.location_id else 0.0
                discarded.extend(self._link(connection, location_id, recording, document_id, seconds))
            linked.extend({recording.location_id, *others, *holder_ids})
            discarded.extend(discard(connection, old_ids))
            return True

        if self._documents.store(document, job.cancelled, publish) is None:
            job.raise_if_cancelled()
            return
        self.cancel(location_id for location_id in linked if location_id != recording.location_id)
        self._published(linked, discarded)

    def _document(self, recording: QueuedRecording, request: StoreTranscript) -> NewDocument:
        transcript = transcript_of(request, PurePath(recording.name).stem or recording.name)
        parsed = transcript.parsed
        chunks = chunk_ranges(parsed, [span[:2] for span in transcript.spans], self._counter)
        if len(chunks) > MAX_CHUNKS:
            parsed, chunks = mark_cut(parsed), chunks[:MAX_CHUNKS]
        spoken = SpokenText(
            milliseconds(request.seconds), transcript.spans, request.language, request.note_hint
        )
        seconds = self._running.seconds(recording.location_id)
        return NewDocument(recording.content_hash, parsed, chunks, seconds, spoken)
