"""A list of things that change while they are looked at: rows with keys, changed in place."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.ui.elements.tooltips import plain_tooltip
from app.ui.models.words import Mark

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


@dataclass(frozen=True)
class RowLook:
    """What a row shows.

    Attributes:
        badge: a few letters before the words; `badge_role` is their Palette field.
        right: small words at the end of the first line.
        marks: stand in the second line, one after the other.
        progress: 0 to 1 for a bar below; None for none.
    """

    title: str
    badge: str = ""
    badge_role: str = "text_muted"
    right: str = ""
    marks: tuple[Mark, ...] = ()
    progress: float | None = None

    @property
    def spoken(self) -> str:
        """Everything in one sentence, for screen readers."""
        return ", ".join(
            part for part in (self.title, *(mark.words for mark in self.marks), self.right) if part
        )


@dataclass(frozen=True)
class Heading:
    """A row that names the group of those below it."""

    title: str


class RowRole(IntEnum):
    """What a row gives beyond Qt's own roles."""

    ITEM = Qt.ItemDataRole.UserRole + 1
    LOOK = Qt.ItemDataRole.UserRole + 2


class RowModel(QAbstractListModel):
    """Holds items of one kind, and headings among them.

    `show` changes as little as possible, so that selection, focus and scroll position stay.
    """

    def __init__(
        self,
        key: Callable[[Any], str],
        look: Callable[[Any], RowLook],
        parent: QObject | None = None,
    ) -> None:
        """Name items by `key` and draw them by `look`."""
        super().__init__(parent)
        self._key_of, self._look_of = key, look
        self._items: list[Any] = []
        self._keys: list[str] = []

    @property
    def items(self) -> Sequence[Any]:
        """The items without the headings, in the order shown."""
        return [item for item in self._items if not isinstance(item, Heading)]

    def item(self, index: Index) -> Any:
        """Give a row's item; None for a heading or no row."""
        if not index.isValid() or index.row() >= len(self._items):
            return None
        item = self._items[index.row()]
        return None if isinstance(item, Heading) else item

    def by_key(self, key: str) -> Any:
        """Give an item by its key; None if it is not here."""
        return next((item for item in self.items if self._key_of(item) == key), None)

    def index_of(self, key: str) -> QModelIndex:
        """Give the index of an item; an invalid one if it is not here."""
        return self.index(self._keys.index(key)) if key in self._keys else QModelIndex()

    def show(self, items: Iterable[Any]) -> None:
        """Show these items, in this order."""
        wanted = list(items)
        keys = [self._key(item) for item in wanted]
        kept = set(keys) & set(self._keys)
        if [key for key in self._keys if key in kept] != [key for key in keys if key in kept]:
            self.beginResetModel()
            self._items, self._keys = wanted, keys
            self.endResetModel()
            return
        for row in reversed(range(len(self._keys))):
            if self._keys[row] not in kept:
                self._remove_row(row)
        for row, (key, item) in enumerate(zip(keys, wanted, strict=True)):
            if key not in kept:
                self._insert_row(row, key, item)
            else:
                self._replace(row, item)

    def put(self, item: Any) -> None:
        """Show an item as it is now; a new one comes last."""
        key = self._key(item)
        if key in self._keys:
            self._replace(self._keys.index(key), item)
        else:
            self._insert_row(len(self._keys), key, item)

    def take(self, key: str) -> None:
        """Take an item out; nothing if it is not here."""
        if key in self._keys:
            self._remove_row(self._keys.index(key))

    def refresh(self) -> None:
        """Draw all rows anew: what `look` depends on has changed."""
        if self._items:
            self.dataChanged.emit(self.index(0), self.index(len(self._items) - 1))

    def _key(self, item: Any) -> str:
        return f"# {item.title}" if isinstance(item, Heading) else self._key_of(item)

    def _replace(self, row: int, item: Any) -> None:
        if self._items[row] != item:
            self._items[row] = item
            self.dataChanged.emit(self.index(row), self.index(row))

    def _insert_row(self, row: int, key: str, item: Any) -> None:
        self.beginInsertRows(QModelIndex(), row, row)
        self._items.insert(row, item)
        self._keys.insert(row, key)
        self.endInsertRows()

    def _remove_row(self, row: int) -> None:
        self.beginRemoveRows(QModelIndex(), row, row)
        del self._items[row]
        del self._keys[row]
        self.endRemoveRows()

    # Qt overrides

    def rowCount(self, parent: Index = _ROOT, /) -> int:
        """Give the number of rows, headings included."""
        return 0 if parent.isValid() else len(self._items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole, /) -> object:
        """Give words, look and the item itself."""
        if not index.isValid():
            return None
        item = self._items[index.row()]
        if role == RowRole.ITEM:
            return item
        if isinstance(item, Heading):
            shown = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
            return item.title if shown else None
        return self._item_data(self._look_of(item), role)

    def _item_data(self, look: RowLook, role: int) -> object:
        if role == RowRole.LOOK:
            return look
        if role == Qt.ItemDataRole.DisplayRole:
            return look.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return look.spoken
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip("\n".join((look.title, *(mark.words for mark in look.marks))))
        return None

    def flags(self, index: Index, /) -> Qt.ItemFlag:
        """Let items be chosen, headings only be read."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        if isinstance(self._items[index.row()], Heading):
            return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemNeverHasChildren
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
