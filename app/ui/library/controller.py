"""What the library pane asks the host for, and what it hears from it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core.errors import AppError
from app.protocol.body import Request
from app.protocol.documents import GetDocument, GetText
from app.protocol.library import (
    AddPaths,
    CancelFiles,
    Collection,
    CollectionList,
    CollectionsChanged,
    CreateCollection,
    DeleteCollection,
    FileChanged,
    FileEntry,
    FilesRemoved,
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
)
from app.ui.library.collection_model import CollectionModel
from app.ui.library.file_model import FileFilter, FileModel
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

log = logging.getLogger(__name__)
_FLUSH_MS = 80
_EVENTS_A_FLUSH = 400  # about 10 ms of work
_LOADED_AHEAD = 20_000  # rows loaded without being asked for; beyond, scrolling asks
PREVIEW_CHARS = 4000


@dataclass(frozen=True)
class Undo:
    """What was taken from the library and how to put it back.

    Attributes:
        words: what was done.
        paths: the paths of each collection's name.
    """

    words: str
    paths: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Preview:
    """The beginning of a document's text; empty with an error where it could not be had."""

    document_id: int
    text: str
    is_whole: bool
    error: AppError | None = None


@dataclass(frozen=True)
class Length:
    """How long a recording is, in seconds; None where that is not known."""

    document_id: int
    sound_seconds: float | None


class LibraryController(QObject):
    """Fills the models, sends the user's wishes, and applies events at most 12 times a second.

    Signals:
        listed: the first page of a list was shown.
        list_failed: AppError; the list cannot be shown.
        failed: AppError; a wish could not be fulfilled.
        undo_offered: Undo.
        status_changed: LibraryStatus.
        collections_changed: the collections were listed or changed.
        preview_ready: Preview.
        length_ready: Length.
        files_changed: rows changed, came or went.
    """

    listed = Signal()
    list_failed = Signal(object)
    failed = Signal(object)
    undo_offered = Signal(object)
    status_changed = Signal(object)
    collections_changed = Signal()
    preview_ready = Signal(object)
    length_ready = Signal(object)
    files_changed = Signal()

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Create empty models; nothing is asked before `load`."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self.files = FileModel()
        self.collections = CollectionModel()
        self.status: LibraryStatus | None = None
        self._job = 0
        self._is_loading = False
        self._pending: dict[int, FileEntry] = {}
        self._timer = QTimer(self, singleShot=True, interval=_FLUSH_MS)
        self._timer.timeout.connect(self._flush)
        self.files.setParent(self)
        self.collections.setParent(self)
        self.files.more_wanted.connect(self._load_more)
        session.file_changed.connect(self._on_file_changed)
        session.files_removed.connect(self._on_files_removed)
        session.library_status_changed.connect(self._on_status)
        session.collections_changed.connect(self._on_collections)
        session.connected.connect(self.load)

    # --- lists

    @Slot()
    def load(self) -> None:
        """Ask for everything that the pane shows."""
        self._start_list(self.files.filter)
        self._tasks.spawn(self._load_collections(), "library.collections")
        self._tasks.spawn(self._load_status(), "library.status")

    def set_filter(self, new_filter: FileFilter) -> None:
        """Show other files."""
        if new_filter != self.files.filter:
            self._start_list(new_filter)

    def _start_list(self, new_filter: FileFilter) -> None:
        self._job += 1
        self._is_loading = True
        self._tasks.spawn(self._load_page(new_filter.request(0), new_filter, self._job), "library.list")

    @Slot()
    def _load_more(self) -> None:
        if not self._is_loading:
            self._is_loading = True
            self._tasks.spawn(self._load_page(self.files.next_request(), None, self._job), "library.list")

    async def _load_page(self, request: ListFiles, anew: FileFilter | None, job: int) -> None:
        try:
            page = await self._session.call(request)
        except AppError as error:
            if job == self._job:
                self._is_loading = False
                self.list_failed.emit(error)
            return
        if job != self._job:
            return
        self._is_loading = False
        if anew is not None:
            self.files.start(anew)
        self.files.add_page(page.files, page.total, request.offset)
        if anew is not None:
            self.listed.emit()
        self.files_changed.emit()
        if not self.files.is_complete and len(self.files.files) < _LOADED_AHEAD:
            self._load_more()

    async def _load_collections(self) -> None:
        try:
            self._show_collections(await self._session.call(ListCollections()))
        except AppError as error:
            self.failed.emit(error)

    async def _load_status(self) -> None:
        try:
            self._on_status(await self._session.call(GetLibraryStatus()))
        except AppError as error:
            self.failed.emit(error)

    # --- wishes

    def add_paths(self, paths: Sequence[str], collection: str = "") -> "asyncio.Task[None] | None":
        """Add files and folders to a collection by name; empty for the one shown, or the default one.

        Returns:
            What ends when they are in the library for good, or the user was told why not; None for nothing.
        """
        shown = self.collections.by_id(self.files.filter.collection_id)
        name = collection or (shown.name if shown else "")
        return self._send(AddPaths(paths=tuple(paths), collection=name)) if paths else None

    def retry(self, files: Sequence[FileEntry]) -> None:
        """Read files again."""
        self._send(RetryFiles(location_ids=_ids(files)))

    def cancel(self, files: Sequence[FileEntry]) -> None:
        """Stop reading files."""
        self._send(CancelFiles(location_ids=_ids(files)))

    def move(self, location_ids: Iterable[int], collection_id: int) -> None:
        """Move files to a collection."""
        self._send(MoveFiles(location_ids=tuple(location_ids), collection_id=collection_id))

    def pause(self, *, paused: bool) -> None:
        """Pause or resume all reading."""
        self._send(PauseIngestion(paused=paused), self._on_status)

    def refresh(self) -> None:
        """Look for files that changed or vanished."""
        self._send(RefreshFiles())

    def remove(self, files: Sequence[FileEntry]) -> None:
        """Take files from the library and offer to put them back."""
        self._tasks.spawn(self._remove(tuple(files)), "library.remove")

    def undo(self, undo: Undo) -> None:
        """Put files back."""
        for name, paths in undo.paths:
            self.add_paths(paths, name)

    async def create_collection(self, name: str) -> Collection:
        """Create a collection.

        Raises:
            AppError: the name is taken or unfit.
        """
        return await self._session.call(CreateCollection(name=name))

    async def rename_collection(self, collection: Collection, name: str) -> Collection:
        """Rename a collection. Raises as `create_collection`."""
        return await self._session.call(RenameCollection(collection_id=collection.id, name=name))

    def delete_collection(self, collection: Collection) -> None:
        """Delete a collection with its files and offer to put them back."""
        self._tasks.spawn(self._delete_collection(collection), "library.delete_collection")

    def preview(self, document_id: int) -> None:
        """Ask for the beginning of a document's text."""
        self._tasks.spawn(self._preview(document_id), "library.preview")

    def length(self, document_id: int) -> None:
        """Ask how long a recording is."""
        self._tasks.spawn(self._length(document_id), "library.length")

    def _send(
        self, request: Request[Any], take: Callable[[Any], None] | None = None
    ) -> "asyncio.Task[None] | None":
        async def ask() -> None:
            answer = await self._session.call(request)
            if take is not None:
                take(answer)

        return self._tasks.spawn(self._tell_failure(ask), f"library.{type(request).__name__}")

    async def _tell_failure(self, ask: Callable[[], Awaitable[None]]) -> None:
        try:
            await ask()
        except AppError as error:
            self.failed.emit(error)

    async def _remove(self, files: tuple[FileEntry, ...]) -> None:
        try:
            await self._session.call(RemoveFiles(location_ids=_ids(files)))
        except AppError as error:
            self.failed.emit(error)
            return
        if len(files) == 1:
            words = self.tr("“{name}” was removed from the library. The file itself stays on the disk.")
            words = words.replace("{name}", files[0].name)
        else:
            words = self.tr("{n} files were removed from the library. The files themselves stay on the disk.")
            words = words.replace("{n}", f"{len(files):,}")
        self.undo_offered.emit(Undo(words, self._by_collection(files)))

    async def _delete_collection(self, collection: Collection) -> None:
        try:
            kept = self._by_collection(await self._all_files(collection))  # while it still has its name
            await self._session.call(DeleteCollection(collection_id=collection.id))
        except AppError as error:
            self.failed.emit(error)
            return
        words = self.tr("The collection “{name}” was deleted. Its files stay on the disk.")
        self.undo_offered.emit(Undo(words.replace("{name}", collection.name), kept))

    async def _all_files(self, collection: Collection) -> list[FileEntry]:
        whole = FileFilter(collection_id=collection.id)
        files: list[FileEntry] = []
        while True:
            page = await self._session.call(whole.request(len(files)))
            files.extend(page.files)
            if not page.files or len(files) >= page.total:
                return files

    def _by_collection(self, files: Iterable[FileEntry]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        paths: dict[str, list[str]] = {}
        for file in files:
            collection = self.collections.by_id(file.collection_id)
            if not is_kept_inside(file):
                paths.setdefault(collection.name if collection else "", []).append(file.path)
        return tuple((name, tuple(found)) for name, found in paths.items())

    async def _preview(self, document_id: int) -> None:
        request = GetText(document_id=document_id, char_start=0, char_end=PREVIEW_CHARS)
        try:
            body = await self._session.call(request)
        except AppError as error:
            self.preview_ready.emit(Preview(document_id, "", is_whole=True, error=error))
            return
        is_whole = body.char_end < PREVIEW_CHARS
        self.preview_ready.emit(Preview(document_id, body.text, is_whole=is_whole))

    async def _length(self, document_id: int) -> None:
        try:
            info = await self._session.call(GetDocument(document_id=document_id))
        except AppError as error:
            log.info("the length of a recording is not known: %s", error.code)
            return
        self.length_ready.emit(Length(document_id, info.sound_seconds))

    # --- events

    @Slot(object)
    def _on_file_changed(self, event: FileChanged) -> None:
        self._pending[event.file.location_id] = event.file
        if not self._timer.isActive():
            self._timer.start()

    @Slot(object)
    def _on_files_removed(self, event: FilesRemoved) -> None:
        for location_id in event.location_ids:
            self._pending.pop(location_id, None)
        self.files.remove(event.location_ids)
        self.files_changed.emit()

    @Slot()
    def _flush(self) -> None:
        due = list(self._pending)[:_EVENTS_A_FLUSH]
        self.files.apply([self._pending.pop(location_id) for location_id in due])
        self.files_changed.emit()
        if self._pending:
            self._timer.start()

    @Slot(object)
    def _on_status(self, status: LibraryStatus) -> None:
        self.status = status
        self.status_changed.emit(status)

    @Slot(object)
    def _on_collections(self, event: CollectionsChanged) -> None:
        self._show_collections(CollectionList(collections=event.collections))

    def _show_collections(self, listed: CollectionList) -> None:
        self.collections.set_collections(listed.collections)
        self.collections_changed.emit()


def is_kept_inside(file: FileEntry) -> bool:
    """Tell whether a file's content exists in the data folder only (it was pasted), named by its hash."""
    return bool(file.path) and PurePath(file.path).name != file.name


def _ids(files: Iterable[FileEntry]) -> tuple[int, ...]:
    return tuple(file.location_id for file in files)
