"""Library messages: files, collections, documents and search; the host passes most on to its worker."""

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
class Scope(Body):
    """Which documents a question or conversation may use.

    Attributes:
        kind: `all`, `some` (the collections named) or `none`.
        collection_ids: used with `some`.
    """

    kind: str = "all"
    collection_ids: tuple[int, ...] = ()


EVERYTHING = Scope()


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


@dataclass(frozen=True, kw_only=True)
class Hit(Body):
    """One passage found.

    Attributes:
        rank: from 1.
        score: fused, 0 to 1.
        page: of char_start, from 1; None where the format has no pages.
        char_start: half-open range of code points in the document's whole extracted text.
        heading: heading path, levels joined by ` › `.
        text: the stored text of that range.
    """

    rank: int
    score: float
    document_id: int
    chunk_id: int
    path: str
    page: int | None
    char_start: int
    char_end: int
    heading: str
    text: str


@dataclass(frozen=True, kw_only=True)
class SearchResult(Body):
    """What a search found.

    Attributes:
        found: the relevance gate's decision, the same for `search` and `ask`.
        relevance: the gate's value, 0 to 1.
        seconds: time of the search.
        degraded: in words, where less than the mode asked for was possible (vectors not ready); else empty.
    """

    query: str
    found: bool
    relevance: float
    seconds: float
    hits: tuple[Hit, ...]
    degraded: str = ""


@dataclass(frozen=True, kw_only=True)
class Search(Request[SearchResult]):
    """Search the documents of a scope.

    Attributes:
        collections: names of collections, or
        scope: the scope; used where `collections` is empty.
        mode: `hybrid`, `keyword` or `dense`.
        document_ids: only these documents; empty for all.
    """

    TYPE: ClassVar[str] = "library.search"
    RESULT: ClassVar[type[Body]] = SearchResult
    query: str
    collections: tuple[str, ...] = ()
    scope: Scope = EVERYTHING
    limit: int = 10
    mode: str = "hybrid"
    document_ids: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PageRange(Body):
    """One page or section of a document.

    Attributes:
        width: in PDF points; None where the format has no pages.
    """

    page: int
    char_start: int
    char_end: int
    width: float | None = None
    height: float | None = None


@dataclass(frozen=True, kw_only=True)
class Heading(Body):
    """One entry of a document's outline."""

    title: str
    level: int
    char_start: int


@dataclass(frozen=True, kw_only=True)
class DocumentInfo(Body):
    """A document as the viewer needs it.

    Attributes:
        format: `pdf`, `docx`, `markdown`, …
        n_chars: length of the whole extracted text in code points.
        pages: empty where the format has no pages.
        source: `unchanged`, `changed` or `missing`; on the last two the stored text is shown and said so.
        renderable: pages can be drawn as pixels from the source.
        sound_seconds: length of the recording that the text is the transcript of; None for other documents.
    """

    document_id: int
    path: str
    name: str
    title: str
    format: str
    n_chars: int
    pages: tuple[PageRange, ...]
    outline: tuple[Heading, ...]
    source: str
    renderable: bool
    sound_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class GetDocument(Request[DocumentInfo]):
    """Ask for a document; error `document.not_found`."""

    TYPE: ClassVar[str] = "document.info"
    RESULT: ClassVar[type[Body]] = DocumentInfo
    document_id: int


@dataclass(frozen=True, kw_only=True)
class DocumentText(Body):
    """A slice of the stored text; `char_end` may be less than asked at the text's end."""

    document_id: int
    char_start: int
    char_end: int
    text: str


@dataclass(frozen=True, kw_only=True)
class GetText(Request[DocumentText]):
    """Ask for a slice of the stored text, at most 1,000,000 code points."""

    TYPE: ClassVar[str] = "document.text"
    RESULT: ClassVar[type[Body]] = DocumentText
    document_id: int
    char_start: int
    char_end: int


@dataclass(frozen=True, kw_only=True)
class WordBoxes(Body):
    """Word boxes of one page in PDF points, top-left origin, as the page is shown (rotation applied).

    Attributes:
        boxes: (char_start, char_end, x0, y0, x1, y1) a word, in reading order.
    """

    page: int
    width: float
    height: float
    boxes: tuple[tuple[int, int, float, float, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class GetWordBoxes(Request[WordBoxes]):
    """Ask for a page's word boxes (to highlight, select and copy); error `page.not_found`."""

    TYPE: ClassVar[str] = "document.boxes"
    RESULT: ClassVar[type[Body]] = WordBoxes
    document_id: int
    page: int


@dataclass(frozen=True, kw_only=True)
class FindResult(Body):
    """Matches in document order.

    Attributes:
        matches: (char_start, char_end, page or 0) each, at most `limit`.
        total: all matches.
    """

    matches: tuple[tuple[int, int, int], ...]
    total: int


@dataclass(frozen=True, kw_only=True)
class FindInDocument(Request[FindResult]):
    """Find text in a document, ignoring case and differences in white space."""

    TYPE: ClassVar[str] = "document.find"
    RESULT: ClassVar[type[Body]] = FindResult
    document_id: int
    text: str
    limit: int = 1000


@dataclass(frozen=True, kw_only=True)
class DocumentSource(Body):
    """Where a document's bytes are (host to library worker, before rendering)."""

    path: str
    source: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class GetDocumentSource(Request[DocumentSource]):
    """Ask where a document's bytes are and whether they are still the ones that were read."""

    TYPE: ClassVar[str] = "document.source"
    RESULT: ClassVar[type[Body]] = DocumentSource
    document_id: int


# ------------------------------------------------------------------------------------------ recordings


@dataclass(frozen=True, kw_only=True)
class TextTimes(Body):
    """When the words of a transcript are said.

    Attributes:
        spans: (char_start, char_end, start_s, end_s) of each stretch of speech, in order.
    """

    spans: tuple[tuple[int, int, float, float], ...]


@dataclass(frozen=True, kw_only=True)
class GetTextTimes(Request[TextTimes]):
    """Ask for the times of a transcript's text, within a range of it (`char_end` None: to its end).

    Empty for documents that are no transcripts; error `document.not_found`.
    """

    TYPE: ClassVar[str] = "document.times"
    RESULT: ClassVar[type[Body]] = TextTimes
    document_id: int
    char_start: int = 0
    char_end: int | None = None


@dataclass(frozen=True, kw_only=True)
class RecordingWaits(Body):
    """Event of the library worker to the host alone: TakeRecording would give something."""

    TYPE: ClassVar[str] = "recording.waits"


@dataclass(frozen=True, kw_only=True)
class RecordingUnwanted(Body):
    """Event of the library worker to the host alone: what TakeRecording gave is not wanted any more."""

    TYPE: ClassVar[str] = "recording.unwanted"
    location_id: int
    revision: int


@dataclass(frozen=True, kw_only=True)
class WaitingRecording(Body):
    """A file whose speech is to be transcribed.

    Attributes:
        location_id: 0: none waits (or ingestion is paused); the other fields mean nothing then.
        revision: of the location; goes back with the result, which is dropped where it is not the newest.
    """

    location_id: int
    revision: int = 0
    path: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class TakeRecording(Request[WaitingRecording]):
    """Host to library worker: give the next file to transcribe; it counts as being read from now on."""

    TYPE: ClassVar[str] = "recording.take"
    RESULT: ClassVar[type[Body]] = WaitingRecording


@dataclass(frozen=True, kw_only=True)
class NoteTranscription(Request[Empty]):
    """Host to library worker: how far a transcription is, 0 to 1; its file shows it."""

    TYPE: ClassVar[str] = "recording.progress"
    RESULT: ClassVar[type[Body]] = Empty
    location_id: int
    revision: int
    progress: float


@dataclass(frozen=True, kw_only=True)
class TranscriptLine(Body):
    """A stretch of speech; times in seconds of the file."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, kw_only=True)
class StoreTranscript(Request[Empty]):
    """Host to library worker: a transcription is complete; it becomes the document's text.

    Attributes:
        lines: none: the file holds no speech and ends as empty.
        format: of the file: `mp3`, `wav`, `mp4`, …
        seconds: length of the sound.
        note: why the text may be bad or incomplete, in words; the file ends as partial then.
    """

    TYPE: ClassVar[str] = "recording.store"
    RESULT: ClassVar[type[Body]] = Empty
    location_id: int
    revision: int
    lines: tuple[TranscriptLine, ...]
    language: str
    format: str
    seconds: float
    model: str
    title: str = ""
    note_code: str = ""
    note: str = ""
    note_hint: str = ""


@dataclass(frozen=True, kw_only=True)
class FailRecording(Request[Empty]):
    """Host to library worker: a file cannot be transcribed, with the reason in words.

    Attributes:
        later: it is not the file's fault (no speech model): it waits, shows the reason, and is given again by
            TakeRecording when ResumeRecordings comes or at the next start.
    """

    TYPE: ClassVar[str] = "recording.fail"
    RESULT: ClassVar[type[Body]] = Empty
    location_id: int
    revision: int
    code: str
    reason: str
    hint: str = ""
    later: bool = False


@dataclass(frozen=True, kw_only=True)
class ResumeRecordings(Request[Empty]):
    """Host to library worker: what kept recordings waiting may be over (another speech model is here)."""

    TYPE: ClassVar[str] = "recording.resume"
    RESULT: ClassVar[type[Body]] = Empty
