"""The collections as rows, with "All files" before them; files can be dropped on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtCore import (
    QAbstractListModel,
    QCoreApplication,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from app.protocol.library import Collection
from app.ui.library.file_model import dragged_ids

Index = QModelIndex | QPersistentModelIndex


class CollectionRole(IntEnum):
    """What a row gives beyond Qt's own roles."""

    COLLECTION = Qt.ItemDataRole.UserRole + 1
    COUNT = Qt.ItemDataRole.UserRole + 2


@dataclass(frozen=True)
class FilesDropped:
    """Files of the library were dropped on a collection."""

    location_ids: tuple[int, ...]
    collection: Collection


@dataclass(frozen=True)
class PathsDropped:
    """Files from outside were dropped on a collection."""

    paths: tuple[str, ...]
    collection: Collection


class CollectionModel(QAbstractListModel):
    """Row 0 stands for all files; the others are collections, as the host orders them.

    Signals:
        files_dropped: FilesDropped.
        paths_dropped: PathsDropped.
    """

    files_dropped = Signal(object)
    paths_dropped = Signal(object)

    def __init__(self) -> None:
        """Create the model with the row for all files only."""
        super().__init__()
        self._collections: tuple[Collection, ...] = ()

    @property
    def collections(self) -> tuple[Collection, ...]:
        """All collections, the default one first."""
        return self._collections

    def by_id(self, collection_id: int | None) -> Collection | None:
        """Give a collection."""
        return next((c for c in self._collections if c.id == collection_id), None)

    def collection(self, index: Index) -> Collection | None:
        """Give the collection of a row; None for all files."""
        row = index.row() - 1 if index.isValid() else -1
        return self._collections[row] if 0 <= row < len(self._collections) else None

    def row_of(self, collection_id: int | None) -> int:
        """Give the row of a collection; 0, all files, where it is unknown."""
        ids = [collection.id for collection in self._collections]
        return ids.index(collection_id) + 1 if collection_id in ids else 0

    def set_collections(self, collections: Sequence[Collection]) -> None:
        """Show collections as they are now; rows that stay keep their selection."""
        if [c.id for c in collections] == [c.id for c in self._collections]:
            self._collections = tuple(collections)
            self.dataChanged.emit(self.index(0), self.index(len(self._collections)))
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        ids = [self._id_at(index) for index in before]
        self._collections = tuple(collections)
        after = [
            self.index(self.row_of(id_)) if id_ is None or self.by_id(id_) else QModelIndex() for id_ in ids
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _id_at(self, index: Index) -> int | None:
        found = self.collection(index)
        return found.id if found else None

    # --- Qt

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        """Give the number of collections and one."""
        return 0 if parent.isValid() else len(self._collections) + 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Give name, number of files, words for screen readers, or the collection."""
        if not index.isValid() or index.row() > len(self._collections):
            return None
        collection = self.collection(index)
        name = collection.name if collection else _tr("All files")
        count = collection.n_files if collection else sum(c.n_files for c in self._collections)
        if role == Qt.ItemDataRole.DisplayRole:
            return name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return _tr("{name}, {n} files").replace("{name}", name).replace("{n}", str(count))
        return (
            {CollectionRole.COLLECTION: collection, CollectionRole.COUNT: count}.get(CollectionRole(role))
            if (role in (CollectionRole.COLLECTION, CollectionRole.COUNT))
            else None
        )

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let files be dropped on collections."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        return flags | Qt.ItemFlag.ItemIsDropEnabled if index.row() else flags

    def supportedDropActions(self) -> Qt.DropAction:
        """Let files be moved here, and copied in from outside."""
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        """Give what may be dropped."""
        return ["application/x-h2ogpt-locations", "text/uri-list"]

    def canDropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        """Accept files on a collection, nothing between two."""
        del action, column
        return row < 0 and self.collection(parent) is not None and bool(dragged_ids(data) or data.hasUrls())

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        """Emit the wish; the rows themselves change only when the host says so."""
        collection = self.collection(parent)
        if not self.canDropMimeData(data, action, row, column, parent) or collection is None:
            return False
        if ids := dragged_ids(data):
            self.files_dropped.emit(FilesDropped(ids, collection))
            return False  # the view must not remove the dragged rows by itself
        paths = tuple(url.toLocalFile() for url in data.urls() if url.isLocalFile())
        self.paths_dropped.emit(PathsDropped(paths, collection))
        return True


def _tr(text: str) -> str:
    return QCoreApplication.translate("CollectionModel", text)
