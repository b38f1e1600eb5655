"""Library messages: files, how they are read in, and collections; the host passes most on to its worker."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.system import DoctorReport, Empty


class FileState(StrEnum):
    """Where a file stands; the last six are final (design, section 5.1)."""

    QUEUED = "queued"
    READING = "reading"
    EMBEDDING = "embedding"  # answerable by keywords; vectors are being made
    READY = "ready"
    PARTIAL = "partial"
    EMPTY = "empty"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    MISSING = "missing"


FINAL_STATES = frozenset(
    {
        FileState.READY,
        FileState.PARTIAL,
        FileState.EMPTY,
        FileState.FAILED,
        FileState.UNSUPPORTED,
        FileState.MISSING,
    }
)


@dataclass(frozen=True, kw_only=True)
class FileEntry(Body):
    """One file of the library: a location and the document that it holds.

    Attributes:
        location_id: names this path in this collection.
        document_id: the content; shared by locations with the same bytes; None until read.
        path: absolute path as the user knows it (undecodable bytes as surrogate escapes).
        reason_code: stable, such as `pdf.password`; empty where there is no reason to give.
        reason: in words; empty for `ready`.
        hint: next step; may be empty.
        pages: None where the format has no pages or it is not read yet.
        progress: 0 to 1 of the present step; None where nothing runs.
        duplicate_of: path of an earlier location with the same content; empty where there is none.
        added_at: seconds since the epoch.
        seconds: work on it without waiting; None until final.
    """

    location_id: int
    document_id: int | None
    path: str
    name: str
    collection_id: int
    state: FileState
    reason_code: str = ""
    reason: str = ""
    hint: str = ""
    size_bytes: int = 0
    pages: int | None = None
    chunks: int = 0
    progress: float | None = None
    duplicate_of: str = ""
    added_at: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class FileChanged(Body):
    """Event: a file appeared or its state or progress changed (at most 10 a second and file)."""

    TYPE: ClassVar[str] = "file.changed"
    file: FileEntry


@dataclass(frozen=True, kw_only=True)
class FilesRemoved(Body):
    """Event: these locations are gone."""

    TYPE: ClassVar[str] = "file.removed"
    location_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class LibraryStatus(Body):
    """Event and answer: the state of ingestion as a whole.

    Attributes:
        waiting: files in the queue or being worked on.
        eta_s: seconds until idle at the present pace; None where unknown.
        counts: number of files by state name.
    """

    TYPE: ClassVar[str] = "library.status_changed"
    paused: bool
    waiting: int
    eta_s: float | None
    counts: dict[str, int]
    n_documents: int
    n_chunks: int
    n_embedded: int


@dataclass(frozen=True, kw_only=True)
class GetLibraryStatus(Request[LibraryStatus]):
    """Ask for the state of ingestion."""

    TYPE: ClassVar[str] = "library.status"
    RESULT: ClassVar[type[Body]] = LibraryStatus


@dataclass(frozen=True, kw_only=True)
class FileResult(Body):
    """Progress of AddPaths with `wait`: one file reached its final state.

    Attributes:
        state: a final FileState, `duplicate` (this path, or this content in this collection, was known
            already) or `queued` (a recording waits for something that is not here; the reason says what).
        seconds: work on it without waiting.
    """

    TYPE: ClassVar[str] = "file.finished"
    path: str
    state: str
    reason: str
    pages: int | None
    chunks: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class AddResult(Body):
    """The end of AddPaths.

    Attributes:
        n_files: files found under the paths and registered (with `wait` also: finished).
        n_failed: with `wait`, how many ended as failed or missing.
    """

    n_files: int
    n_failed: int = 0


@dataclass(frozen=True, kw_only=True)
class AddPaths(Request[AddResult]):
    """Add files and folders; reading goes on in the background even when this request is cancelled.

    Attributes:
        paths: absolute paths; folders are walked.
        collection: name of the collection, created if need be; empty for the default one.
        wait: end only when every file is in its final state, with a FileResult for each.
    """

    TYPE: ClassVar[str] = "library.add"
    RESULT: ClassVar[type[Body]] = AddResult
    paths: tuple[str, ...]
    collection: str = ""
    wait: bool = False


@dataclass(frozen=True, kw_only=True)
class AddContent(Request[AddResult]):
    """Add pasted content (the payload); stored in the data folder as `files/<sha256>`.

    Attributes:
        name: file name to show, with an extension that tells the format.
    """

    TYPE: ClassVar[str] = "library.add_content"
    RESULT: ClassVar[type[Body]] = AddResult
    name: str
    collection: str = ""


@dataclass(frozen=True, kw_only=True)
class FileList(Body):
    """One page of the files asked for.

    Attributes:
        total: files that match, on all pages.
    """

    files: tuple[FileEntry, ...]
    total: int


@dataclass(frozen=True, kw_only=True)
class ListFiles(Request[FileList]):
    """List files by name order within one collection (None: all).

    Attributes:
        contains: only names that contain this text, case-insensitive.
        state: only this state; empty for all.
        limit: at most 1,000 a page.
    """

    TYPE: ClassVar[str] = "library.list"
    RESULT: ClassVar[type[Body]] = FileList
    collection_id: int | None = None
    contains: str = ""
    state: str = ""
    offset: int = 0
    limit: int = 500


@dataclass(frozen=True, kw_only=True)
class RemoveResult(Body):
    """How many locations were removed."""

    removed: int


@dataclass(frozen=True, kw_only=True)
class RemoveFiles(Request[RemoveResult]):
    """Remove files from the library, never from the disk; content without a location goes with all it made.

    Attributes:
        location_ids: what to remove, or
        paths: every location with one of these paths (or below one, for a folder).
    """

    TYPE: ClassVar[str] = "library.remove"
    RESULT: ClassVar[type[Body]] = RemoveResult
    location_ids: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RetryFiles(Request[Empty]):
    """Read these files again from the start."""

    TYPE: ClassVar[str] = "library.retry"
    RESULT: ClassVar[type[Body]] = Empty
    location_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CancelFiles(Request[Empty]):
    """Stop reading these files; they end as failed with the reason `cancelled`."""

    TYPE: ClassVar[str] = "library.cancel"
    RESULT: ClassVar[type[Body]] = Empty
    location_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class MoveFiles(Request[Empty]):
    """Move files to another collection."""

    TYPE: ClassVar[str] = "library.move"
    RESULT: ClassVar[type[Body]] = Empty
    location_ids: tuple[int, ...]
    collection_id: int


@dataclass(frozen=True, kw_only=True)
class PauseIngestion(Request[LibraryStatus]):
    """Pause or resume all ingestion; survives a restart."""

    TYPE: ClassVar[str] = "library.pause"
    RESULT: ClassVar[type[Body]] = LibraryStatus
    paused: bool


@dataclass(frozen=True, kw_only=True)
class RefreshFiles(Request[Empty]):
    """Look at every source file: changed ones are read again, vanished ones become `missing`."""

    TYPE: ClassVar[str] = "library.refresh"
    RESULT: ClassVar[type[Body]] = Empty


@dataclass(frozen=True, kw_only=True)
class Throttle(Request[Empty]):
    """Host to library worker: an answer starts (embedding yields the cores) or has ended."""

    TYPE: ClassVar[str] = "library.throttle"
    RESULT: ClassVar[type[Body]] = Empty
    active: bool


@dataclass(frozen=True, kw_only=True)
class CheckLibrary(Request[DoctorReport]):
    """Host to library worker: check every invariant of library.db, the index and one real embedding."""

    TYPE: ClassVar[str] = "library.check"
    RESULT: ClassVar[type[Body]] = DoctorReport


@dataclass(frozen=True, kw_only=True)
class Collection(Body):
    """A named set of files."""

    id: int
    name: str
    n_files: int = 0


@dataclass(frozen=True, kw_only=True)
class CollectionList(Body):
    """All collections, the default one first, then by name."""

    collections: tuple[Collection, ...]


@dataclass(frozen=True, kw_only=True)
class ListCollections(Request[CollectionList]):
    """Ask for all collections."""

    TYPE: ClassVar[str] = "collection.list"
    RESULT: ClassVar[type[Body]] = CollectionList


@dataclass(frozen=True, kw_only=True)
class CreateCollection(Request[Collection]):
    """Create a collection; errors: `collection.exists`, `collection.bad_name`."""

    TYPE: ClassVar[str] = "collection.create"
    RESULT: ClassVar[type[Body]] = Collection
    name: str


@dataclass(frozen=True, kw_only=True)
class RenameCollection(Request[Collection]):
    """Rename a collection; errors: `collection.not_found`, `collection.exists`, `collection.bad_name`."""

    TYPE: ClassVar[str] = "collection.rename"
    RESULT: ClassVar[type[Body]] = Collection
    collection_id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class DeleteCollection(Request[RemoveResult]):
    """Delete a collection and its locations; the default collection is emptied instead."""

    TYPE: ClassVar[str] = "collection.delete"
    RESULT: ClassVar[type[Body]] = RemoveResult
    collection_id: int


@dataclass(frozen=True, kw_only=True)
class CollectionsChanged(Body):
    """Event: the set of collections, a name or a number of files changed."""

    TYPE: ClassVar[str] = "collection.changed"
    collections: tuple[Collection, ...]
