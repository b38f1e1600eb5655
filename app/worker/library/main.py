"""The library worker: `python -P -m app.worker library --data-dir DIR`.

Search has a lane of its own and never waits for files; documents are read in another; whatever changes files
is one lane, in order; recordings have one of their own; reading and making vectors happen in
background threads.
"""

import argparse
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from app.core.errors import NotFoundError, StorageError
from app.core.paths import DataPaths, data_paths
from app.protocol.body import Body
from app.protocol.documents import (
    FindInDocument,
    GetDocument,
    GetDocumentSource,
    GetText,
    GetTextTimes,
    GetWordBoxes,
)
from app.protocol.library import (
    AddContent,
    AddPaths,
    CancelFiles,
    CheckLibrary,
    Collection,
    CollectionList,
    CreateCollection,
    DeleteCollection,
    GetLibraryStatus,
    LibraryStatus,
    ListCollections,
    ListFiles,
    MoveFiles,
    PauseIngestion,
    RefreshFiles,
    RemoveFiles,
    RenameCollection,
    RetryFiles,
    Throttle,
)
from app.protocol.recordings import (
    FailRecording,
    NoteTranscription,
    ResumeRecordings,
    StoreTranscript,
    TakeRecording,
)
from app.protocol.search import Hit, Search, SearchResult
from app.protocol.system import DoctorReport, Empty
from app.worker.library.checks import check_library
from app.worker.library.chroma_cache import IDLE_S
from app.worker.library.chroma_cache import MODES as INDEX_MODES
from app.worker.library.document_reader import DocumentReader
from app.worker.library.library import Library
from app.worker.library.operations import FileOperations
from app.worker.library.recordings import Recordings
from app.worker.runtime import Handler, Job, Later, Reply, Worker

log = logging.getLogger(__name__)

_REOPEN_S = 2.0
S = TypeVar("S")


class LibraryService:
    """Serves every request about the library; opens it when first asked, and again after a failure."""

    def __init__(
        self, paths: DataPaths, send: Callable[[Body], None], *, index_mode: str, index_idle_s: float
    ) -> None:
        """Take the data folder, where events go, and how Chroma is used."""
        self._paths, self._send = paths, send
        self._index_mode, self._index_idle_s = index_mode, index_idle_s
        self._lock = threading.Lock()
        self._library: Library | None = None
        self._files: FileOperations | None = None
        self._documents: DocumentReader | None = None
        self._failure: StorageError | None = None
        self._failed_at = 0.0

    def open(self) -> Library:
        """Give the library.

        Raises:
            StorageError: it cannot be opened; asked again later, opening is tried again.
        """
        with self._lock:
            if self._library is None:
                if self._failure is not None and time.monotonic() - self._failed_at < _REOPEN_S:
                    raise self._failure
                try:
                    library = Library(
                        self._paths,
                        self._send,
                        index_mode=self._index_mode,
                        index_idle_s=self._index_idle_s,
                    )
                except StorageError as error:
                    self._failure, self._failed_at = error, time.monotonic()
                    raise
                library.start()
                self._files = FileOperations(library)
                self._documents = DocumentReader(library.documents, library.files)
                self._library = library
            return self._library

    def close(self) -> None:
        """Close the library."""
        with self._lock:
            if self._library is not None:
                self._library.stop()

    def lanes(self) -> Mapping[str, Mapping[type[Body], Handler]]:
        """Give the handlers by lane."""
        return {
            "search": {Search: self._search},
            "documents": {
                GetDocument: self._reading(DocumentReader.info),
                GetText: self._reading(DocumentReader.text),
                GetTextTimes: self._reading(DocumentReader.times),
                GetWordBoxes: self._reading(DocumentReader.boxes),
                FindInDocument: self._reading(DocumentReader.find),
                GetDocumentSource: self._reading(DocumentReader.source),
            },
            "lists": {
                ListFiles: self._changing(FileOperations.list_files),
                ListCollections: self._collections,
                GetLibraryStatus: self._status,
            },
            "control": {Throttle: self._throttle, PauseIngestion: self._pause, CancelFiles: self._cancel},
            "files": {
                AddPaths: self._changing(FileOperations.add_paths),
                AddContent: self._changing(FileOperations.add_content),
                RemoveFiles: self._changing(FileOperations.remove),
                RetryFiles: self._changing(FileOperations.retry),
                MoveFiles: self._changing(FileOperations.move),
                RefreshFiles: self._changing(FileOperations.refresh),
                CreateCollection: self._create_collection,
                RenameCollection: self._rename_collection,
                DeleteCollection: self._changing(FileOperations.delete_collection),
            },
            "recordings": {
                TakeRecording: self._recording(Recordings.take),
                NoteTranscription: self._recording(Recordings.note),
                StoreTranscript: self._recording(Recordings.store),
                FailRecording: self._recording(Recordings.fail),
                ResumeRecordings: self._recording(Recordings.resume),
            },
            "checks": {CheckLibrary: self._check},
        }

    def _changing(
        self, method: Callable[[FileOperations, Any, Job], Body | Later]
    ) -> Callable[[Any, Job], Body | Reply | Later]:
        def handle(request: Any, job: Job) -> Body | Later:
            self.open()
            assert self._files is not None
            return method(self._files, request, job)

        return handle

    def _reading(
        self, method: Callable[[DocumentReader, Any, Job], Body]
    ) -> Callable[[Any, Job], Body | Reply | Later]:
        def handle(request: Any, job: Job) -> Body:
            self.open()
            assert self._documents is not None
            return method(self._documents, request, job)

        return handle

    def _recording(
        self, method: Callable[[Recordings, Any, Job], Body]
    ) -> Callable[[Any, Job], Body | Reply | Later]:
        def handle(request: Any, job: Job) -> Body:
            return method(self.open().recordings, request, job)

        return handle

    def _search(self, request: Search, _job: Job) -> SearchResult:
        library = self.open()
        started = time.monotonic()
        collection_ids = collections_of(library, request)
        document_ids = library.catalogue.documents_in(collection_ids)
        if request.document_ids:
            document_ids &= frozenset(request.document_ids)
        outcome = library.engine.search(request.query, request.mode, request.limit, document_ids)
        paths = library.files.paths_of({hit.passage.document_id for hit in outcome.hits}, collection_ids)
        hits = tuple(
            Hit(
                rank=rank,
                score=round(hit.score, 6),
                document_id=hit.passage.document_id,
                chunk_id=hit.passage.chunk_id,
                path=paths.get(hit.passage.document_id, ""),
                page=hit.passage.page,
                char_start=hit.passage.char_start,
                char_end=hit.passage.char_end,
                heading=hit.passage.heading,
                text=hit.passage.text,
            )
            for rank, hit in enumerate(outcome.hits, start=1)
        )
        return SearchResult(
            query=request.query,
            found=outcome.found,
            relevance=round(outcome.relevance, 6),
            seconds=round(time.monotonic() - started, 6),
            hits=hits,
            degraded=outcome.degraded,
        )

    def _throttle(self, request: Throttle, _job: Job) -> Empty:
        self.open().pace.throttle(request.active)
        return Empty()

    def _pause(self, request: PauseIngestion, _job: Job) -> LibraryStatus:
        library = self.open()
        library.pause(request.paused)
        return library.status()

    def _cancel(self, request: CancelFiles, _job: Job) -> Empty:
        self.open()
        assert self._files is not None
        return self._files.cancel(request.location_ids)

    def _status(self, _request: GetLibraryStatus, _job: Job) -> LibraryStatus:
        return self.open().status()

    def _collections(self, _request: ListCollections, _job: Job) -> CollectionList:
        return CollectionList(collections=self.open().collections.all())

    def _create_collection(self, request: CreateCollection, _job: Job) -> Collection:
        library = self.open()
        created = library.collections.create(request.name)
        library.announcer.collections_changed()
        return created

    def _rename_collection(self, request: RenameCollection, _job: Job) -> Collection:
        library = self.open()
        renamed = library.collections.rename(request.collection_id, request.name)
        library.announcer.collections_changed()
        return renamed

    def _check(self, _request: CheckLibrary, job: Job) -> DoctorReport:
        return check_library(self.open(), job)


def collections_of(library: Library, request: Search) -> frozenset[int] | None:
    """Give the collections that a search may use; None for all.

    Raises:
        NotFoundError: `collection.not_found`.
    """
    if request.collections:
        return frozenset(_collection_named(library, name) for name in request.collections)
    if request.scope.kind == "none":
        return frozenset()
    return frozenset(request.scope.collection_ids) if request.scope.kind == "some" else None


def _collection_named(library: Library, name: str) -> int:
    found = library.collections.find(name)
    if found is None:
        raise NotFoundError(
            "collection.not_found",
            f"There is no collection called “{name}”.",
            "List the collections and choose one.",
        )
    return found


def main(arguments: list[str]) -> int:
    """Run the worker until the host goes; give the exit code."""
    parser = argparse.ArgumentParser(prog="library")
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--index", choices=INDEX_MODES, default="auto", help="use of the Chroma index")
    parser.add_argument("--index-idle-s", type=float, default=IDLE_S, help="idle time before it is kept up")
    options = parser.parse_args(arguments)
    service: LibraryService
    worker: Worker

    def send(body: Body) -> None:
        worker.event(body)

    service = LibraryService(
        data_paths(options.data_dir), send, index_mode=options.index, index_idle_s=options.index_idle_s
    )
    worker = Worker("library", service.lanes())
    worker.at_exit(service.close)
    threading.Thread(target=_open_early, args=(service,), name="opener", daemon=True).start()
    return worker.run()


def _open_early(service: LibraryService) -> None:
    """Resume unfinished work without waiting for the first request."""
    try:
        service.open()
    except StorageError as error:
        log.error("the library cannot be opened: %s", error)
