"""The files of the library as rows, loaded page by page and kept up to date by events."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from app.protocol.library import FileEntry, FileState, ListFiles
from app.ui.elements.tooltips import plain_tooltip
from app.ui.library.file_words import second_line, spoken

PAGE = 250
_OVERLAP = 25
MIME_TYPE = "application/x-h2ogpt-locations"

Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What a row gives beyond Qt's own roles."""

    FILE = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class FileFilter:
    """Which files are shown.

    Attributes:
        collection_id: None for all.
        contains: part of a name, in any case.
        state: None for all.
    """

    collection_id: int | None = None
    contains: str = ""
    state: FileState | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether more than a collection is chosen."""
        return bool(self.contains) or self.state is not None

    def admits(self, file: FileEntry) -> bool:
        """Tell whether a file is shown."""
        return (
            self.collection_id in (None, file.collection_id)
            and self.contains.casefold() in file.name.casefold()
            and self.state in (None, file.state)
        )

    def request(self, offset: int) -> ListFiles:
        """Give the request for the page that begins at `offset`."""
        state = self.state.value if self.state else ""
        return ListFiles(
            collection_id=self.collection_id,
            contains=self.contains,
            state=state,
            offset=offset,
            limit=PAGE,
        )


class FileModel(QAbstractListModel):
    """Holds the loaded beginning of the list, in name order; the view asks for more as it nears the end.

    Signals:
        more_wanted: the next page should be loaded.
    """

    more_wanted = Signal()

    def __init__(self) -> None:
        """Create an empty model."""
        super().__init__()
        self._files: list[FileEntry] = []
        self._keys: list[tuple[str, int]] = []
        self._filter = FileFilter()
        self._total = 0
        self._is_complete = True

    @property
    def filter(self) -> FileFilter:
        """Which files are shown."""
        return self._filter

    @property
    def files(self) -> Sequence[FileEntry]:
        """The files loaded so far, in the order shown."""
        return self._files

    @property
    def total(self) -> int:
        """Files that match, loaded or not."""
        return max(self._total, len(self._files))

    @property
    def is_complete(self) -> bool:
        """Whether every file that matches is loaded."""
        return self._is_complete

    def file(self, index: Index) -> FileEntry | None:
        """Give the file of a row."""
        return self._files[index.row()] if index.isValid() and index.row() < len(self._files) else None

    def start(self, new_filter: FileFilter) -> None:
        """Begin anew with another filter; nothing is shown until the first page comes."""
        self.beginResetModel()
        self._filter = new_filter
        self._files, self._keys = [], []
        self._total, self._is_complete = 0, False
        self.endResetModel()

    def next_request(self) -> ListFiles:
        """Give the request for the next page; it overlaps a little, because files come and go meanwhile."""
        return self._filter.request(max(0, len(self._files) - _OVERLAP))

    def add_page(self, files: Sequence[FileEntry], total: int, offset: int) -> None:
        """Take the page of the list that begins at `offset`; files that events brought before stay single."""
        self._is_complete = len(files) < PAGE or offset + len(files) >= total
        self._apply(files, from_page=True)
        self._total = max(total, len(self._files))

    def apply(self, files: Iterable[FileEntry]) -> None:
        """Show files as they are now: changed, new, or no longer among those shown."""
        self._apply(files, from_page=False)

    def remove(self, location_ids: Iterable[int]) -> None:
        """Take files out."""
        ids = set(location_ids)
        self._remove_rows([row for row, file in enumerate(self._files) if file.location_id in ids])

    def _apply(self, files: Iterable[FileEntry], *, from_page: bool) -> None:
        rows = {file.location_id: row for row, file in enumerate(self._files)}
        new: dict[int, FileEntry] = {}
        gone: list[int] = []
        changed: list[int] = []
        for file in files:
            row = rows.get(file.location_id)
            if not self._filter.admits(file):
                if row is not None:
                    gone.append(row)
            elif row is None:
                new[file.location_id] = file
            else:
                self._files[row] = file
                changed.append(row)
        for first, last in _runs(changed):
            self.dataChanged.emit(self.index(first), self.index(last))
        self._remove_rows(gone)
        self._insert(sorted(new.values(), key=_key), at_end=from_page or self._is_complete)

    def _remove_rows(self, rows: list[int]) -> None:
        for first, last in reversed(_runs(rows)):
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._files[first : last + 1]
            del self._keys[first : last + 1]
            self._total -= last - first + 1
            self.endRemoveRows()

    def _insert(self, ordered: list[FileEntry], *, at_end: bool) -> None:
        """Insert files in runs; those beyond what is loaded wait for their page unless `at_end`."""
        begin = 0
        while begin < len(ordered):
            row = bisect_left(self._keys, _key(ordered[begin]))
            if row == len(self._keys):
                if not at_end:
                    return
                end = len(ordered)
            else:
                end = bisect_left(ordered, self._keys[row], lo=begin, key=_key)
            run = ordered[begin:end]
            self.beginInsertRows(QModelIndex(), row, row + len(run) - 1)
            self._files[row:row] = run
            self._keys[row:row] = [_key(file) for file in run]
            self._total += len(run)
            self.endInsertRows()
            begin = end

    # --- Qt

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        """Give the number of files loaded."""
        return 0 if parent.isValid() else len(self._files)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Give a file's name, words for screen readers, tool tip or the file itself."""
        file = self.file(index)
        if file is None:
            return None
        if role == Role.FILE:
            return file
        if role == Qt.ItemDataRole.DisplayRole:
            return file.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(file)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(
                "\n".join(part for part in (file.path, second_line(file), file.hint) if part)
            )
        return None

    def canFetchMore(self, parent: Index) -> bool:
        """Tell whether files are left to load."""
        return not parent.isValid() and not self._is_complete

    def fetchMore(self, parent: Index) -> None:
        """Ask for the next page."""
        if not parent.isValid() and not self._is_complete:
            self.more_wanted.emit()

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let files be chosen and dragged onto a collection."""
        base = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        return base | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else Qt.ItemFlag.NoItemFlags

    def mimeTypes(self) -> list[str]:
        """Give the type of what is dragged."""
        return [MIME_TYPE]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Give the ids of the locations dragged."""
        data = QMimeData()
        ids = [str(file.location_id) for index in indexes if (file := self.file(index)) is not None]
        data.setData(MIME_TYPE, ",".join(ids).encode())
        return data


def dragged_ids(data: QMimeData) -> tuple[int, ...]:
    """Give the location ids of a drag; none where it is another one."""
    if not data.hasFormat(MIME_TYPE):
        return ()
    raw = bytes(data.data(MIME_TYPE).data()).decode("ascii", "replace")
    return tuple(int(part) for part in raw.split(",") if part.isdigit())


def _key(file: FileEntry) -> tuple[str, int]:
    return file.name.casefold(), file.location_id


def _runs(rows: Iterable[int]) -> list[tuple[int, int]]:
    """Group row numbers into runs (first, last)."""
    runs: list[tuple[int, int]] = []
    for row in sorted(set(rows)):
        if runs and runs[-1][1] == row - 1:
            runs[-1] = (runs[-1][0], row)
        else:
            runs.append((row, row))
    return runs
