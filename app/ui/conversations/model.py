"""The conversations as an item model, the most recently used first."""

import bisect
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from app.protocol.chat import ConversationEntry

Index = QModelIndex | QPersistentModelIndex


class ConversationRole(IntEnum):
    """Roles beside the display role (the title)."""

    ENTRY = Qt.ItemDataRole.UserRole + 1


class ConversationListModel(QAbstractListModel):
    """Conversations by their last use.

    Signals:
        rename_requested: (id, new title): the user edited a title; the model changes when the host says so.
    """

    rename_requested = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self._entries: list[ConversationEntry] = []

    def reset(self, entries: Sequence[ConversationEntry]) -> None:
        """Show these conversations."""
        self.beginResetModel()
        self._entries = sorted(entries, key=_order)
        self.endResetModel()

    def upsert(self, entry: ConversationEntry) -> None:
        """Show a new conversation, or a new version of one where it now belongs."""
        row = self.row_of(entry.id)
        if row is None:
            row = bisect.bisect_left(self._entries, _order(entry), key=_order)
            self.beginInsertRows(QModelIndex(), row, row)
            self._entries.insert(row, entry)
            self.endInsertRows()
            return
        others = self._entries[:row] + self._entries[row + 1 :]
        target = bisect.bisect_left(others, _order(entry), key=_order)
        if target != row:
            # Qt counts the target in the list as it was before the move.
            self.beginMoveRows(QModelIndex(), row, row, QModelIndex(), target + 1 if target > row else target)
            del self._entries[row]
            self._entries.insert(target, entry)
            self.endMoveRows()
        self._entries[target] = entry
        index = self.index(target)
        self.dataChanged.emit(index, index)

    def remove(self, conversation_id: str) -> None:
        """Take a conversation out; nothing where it is not there."""
        row = self.row_of(conversation_id)
        if row is not None:
            self.beginRemoveRows(QModelIndex(), row, row)
            del self._entries[row]
            self.endRemoveRows()

    def row_of(self, conversation_id: str) -> int | None:
        """Give the row of a conversation."""
        for row, entry in enumerate(self._entries):
            if entry.id == conversation_id:
                return row
        return None

    def entry(self, row: int) -> ConversationEntry:
        """Give the conversation of a row."""
        return self._entries[row]

    def title(self, entry: ConversationEntry) -> str:
        """Give the title to show; one without a question yet has none of its own."""
        return entry.title or self.tr("New conversation")

    # Qt overrides

    def rowCount(self, parent: Index = QModelIndex(), /) -> int:  # noqa: B008  # Qt's own default
        """Give the number of conversations."""
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole, /) -> Any:
        """Give title or entry."""
        if not index.isValid() or index.row() >= len(self._entries):
            return None
        entry = self._entries[index.row()]
        if role in (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.EditRole,
            Qt.ItemDataRole.AccessibleTextRole,
        ):
            return self.title(entry)
        if role == ConversationRole.ENTRY:
            return entry
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole, /) -> bool:
        """Ask for another title."""
        if not index.isValid() or role != Qt.ItemDataRole.EditRole:
            return False
        entry = self._entries[index.row()]
        title = " ".join(str(value).split())[:200]
        if not title or title == self.title(entry):
            return False
        self.rename_requested.emit(entry.id, title)
        return True

    def flags(self, index: Index, /) -> Qt.ItemFlag:
        """Titles can be edited in place."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsEditable if index.isValid() else flags


def _order(entry: ConversationEntry) -> tuple[float, str]:
    return (-entry.updated_at, entry.id)
