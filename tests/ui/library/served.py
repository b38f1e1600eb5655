"""A library as the host would serve it, kept in memory."""

from dataclasses import replace

from app.core.errors import UsageError
from app.protocol.body import Body
from app.protocol.documents import DocumentText, GetText
from app.protocol.library import (
    AddPaths,
    AddResult,
    CancelFiles,
    Collection,
    CollectionList,
    CollectionsChanged,
    CreateCollection,
    DeleteCollection,
    FileChanged,
    FileEntry,
    FileList,
    FilesRemoved,
    FileState,
    GetLibraryStatus,
    LibraryStatus,
    ListCollections,
    ListFiles,
    MoveFiles,
    PauseIngestion,
    RefreshFiles,
    RemoveFiles,
    RemoveResult,
    RenameCollection,
    RetryFiles,
)
from app.protocol.system import Empty
from tests.ui.fakes import FakeSession


def file(
    number: int, name: str = "", state: FileState = FileState.READY, collection: int = 1, **more: object
) -> FileEntry:
    name = name or f"file {number:05}.pdf"
    entry = FileEntry(
        location_id=number,
        document_id=number,
        path=f"/home/user/Documents/{name}",
        name=name,
        collection_id=collection,
        state=state,
        size_bytes=1000 * number,
    )
    return replace(entry, **more)  # type: ignore[arg-type]


class ServedLibrary:
    """Answers library requests and publishes the events that the host would."""

    def __init__(self, session: FakeSession, files: list[FileEntry], names: tuple[str, ...] = ()) -> None:
        self.session = session
        self.files = {entry.location_id: entry for entry in files}
        self.collections = {i: name for i, name in enumerate(("My documents", *names), 1)}
        self.paused = False
        self.waiting = 0
        for request_type, answer in (
            (ListFiles, self.list_files),
            (ListCollections, lambda _: CollectionList(collections=self.all_collections())),
            (GetLibraryStatus, lambda _: self.status()),
            (AddPaths, self.add),
            (RemoveFiles, self.remove),
            (MoveFiles, self.move),
            (PauseIngestion, self.pause),
            (CreateCollection, self.create),
            (RenameCollection, self.rename),
            (DeleteCollection, self.delete),
            (RetryFiles, lambda _: Empty()),
            (CancelFiles, lambda _: Empty()),
            (RefreshFiles, lambda _: Empty()),
            (GetText, self.text),
        ):
            session.reply(request_type, answer)

    def all_collections(self) -> tuple[Collection, ...]:
        return tuple(
            Collection(
                id=i, name=name, n_files=sum(entry.collection_id == i for entry in self.files.values())
            )
            for i, name in self.collections.items()
        )

    def status(self) -> LibraryStatus:
        counts: dict[str, int] = {}
        for entry in self.files.values():
            counts[entry.state.value] = counts.get(entry.state.value, 0) + 1
        return LibraryStatus(
            paused=self.paused,
            waiting=self.waiting,
            eta_s=None,
            counts=counts,
            n_documents=len(self.files),
            n_chunks=0,
            n_embedded=0,
        )

    def list_files(self, request: ListFiles) -> FileList:
        found = [
            entry
            for entry in sorted(self.files.values(), key=lambda entry: entry.name.casefold())
            if request.collection_id in (None, entry.collection_id)
            and request.contains.casefold() in entry.name.casefold()
            and request.state in ("", entry.state.value)
        ]
        page = found[request.offset : request.offset + request.limit]
        return FileList(files=tuple(page), total=len(found))

    def change(self, entry: FileEntry) -> None:
        """Store a file as it is now and tell."""
        self.files[entry.location_id] = entry
        self.session.deliver(FileChanged(file=entry))

    def tell_collections(self) -> None:
        self.session.deliver(CollectionsChanged(collections=self.all_collections()))

    def add(self, request: AddPaths) -> AddResult:
        by_name = {name: i for i, name in self.collections.items()}
        if request.collection and request.collection not in by_name:
            by_name[request.collection] = max(self.collections) + 1
            self.collections[by_name[request.collection]] = request.collection
        for path in request.paths:
            number = max(self.files, default=0) + 1
            entry = file(
                number,
                path.rpartition("/")[2],
                FileState.QUEUED,
                by_name[request.collection or "My documents"],
                path=path,
                document_id=None,
            )
            self.change(entry)
        self.tell_collections()
        return AddResult(n_files=len(request.paths))

    def remove(self, request: RemoveFiles) -> RemoveResult:
        for location_id in request.location_ids:
            del self.files[location_id]
        self.session.deliver(FilesRemoved(location_ids=request.location_ids))
        self.tell_collections()
        return RemoveResult(removed=len(request.location_ids))

    def move(self, request: MoveFiles) -> Empty:
        for location_id in request.location_ids:
            self.change(replace(self.files[location_id], collection_id=request.collection_id))
        self.tell_collections()
        return Empty()

    def pause(self, request: PauseIngestion) -> LibraryStatus:
        self.paused = request.paused
        return self.status()

    def _named(self, collection_id: int) -> Collection:
        return next(c for c in self.all_collections() if c.id == collection_id)

    def create(self, request: CreateCollection) -> Body | UsageError:
        if request.name in self.collections.values():
            return UsageError("collection.exists", f"“{request.name}” exists.", "Choose another name.")
        number = max(self.collections) + 1
        self.collections[number] = request.name
        self.tell_collections()
        return self._named(number)

    def rename(self, request: RenameCollection) -> Body | UsageError:
        if request.name in self.collections.values():
            return UsageError("collection.exists", f"“{request.name}” exists.", "Choose another name.")
        self.collections[request.collection_id] = request.name
        self.tell_collections()
        return self._named(request.collection_id)

    def delete(self, request: DeleteCollection) -> RemoveResult:
        gone = tuple(i for i, e in self.files.items() if e.collection_id == request.collection_id)
        for location_id in gone:
            del self.files[location_id]
        if request.collection_id != 1:
            del self.collections[request.collection_id]
        self.session.deliver(FilesRemoved(location_ids=gone))
        self.tell_collections()
        return RemoveResult(removed=len(gone))

    def text(self, request: GetText) -> DocumentText:
        whole = f"Text of document {request.document_id}. " * 10
        piece = whole[request.char_start : request.char_end]
        return DocumentText(
            document_id=request.document_id,
            char_start=request.char_start,
            char_end=request.char_start + len(piece),
            text=piece,
        )
