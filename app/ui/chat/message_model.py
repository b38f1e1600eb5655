"""The messages of the conversation that is shown, as an item model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.protocol.chat import AnswerPhase, ChatMessage, ImageAttachment

Index = QModelIndex | QPersistentModelIndex


class MessageRole(IntEnum):
    """Roles of MessageModel beside the display role (the text)."""

    ROW = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class MessageRow:
    """One message as it is shown.

    Attributes:
        phase: what is going on before and while text comes; None for a finished message.
        question: of an answer: what was asked, for asking again.
        images: of an answer: what was attached to the question.
    """

    message: ChatMessage
    phase: AnswerPhase | None = None
    question: str = ""
    images: tuple[ImageAttachment, ...] = ()


class MessageModel(QAbstractListModel):
    """Messages, oldest first. Changed by the chat controller only."""

    def __init__(self, parent: QObject | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self._rows: list[MessageRow] = []

    def row(self, number: int) -> MessageRow:
        """Give the row of this number, from 0."""
        return self._rows[number]

    def find(self, message_id: str) -> int | None:
        """Give the number of the row that holds a message; None where it is not there."""
        for number in range(len(self._rows) - 1, -1, -1):
            if self._rows[number].message.id == message_id:
                return number
        return None

    def reset(self, messages: Sequence[ChatMessage]) -> None:
        """Show these messages instead."""
        self.beginResetModel()
        self._rows = []
        for message in messages:
            self._rows.append(self._row_of(message))
        self.endResetModel()

    def update_all(self, messages: Sequence[ChatMessage]) -> None:
        """Show these messages if they differ from what is shown."""
        if [row.message for row in self._rows] != list(messages):
            self.reset(messages)

    def append(self, message: ChatMessage) -> None:
        """Add a message at the end."""
        number = len(self._rows)
        self.beginInsertRows(QModelIndex(), number, number)
        self._rows.append(self._row_of(message))
        self.endInsertRows()

    def replace(self, message: ChatMessage, message_id: str = "") -> None:
        """Show a new version of a message; nothing where it is not there.

        Args:
            message: the new version.
            message_id: the id that it had so far, where that changes (a stored one for a provisional one).
        """
        self._change(
            message_id or message.id,
            lambda row: replace(row, message=message, phase=_phase(row, message)),
        )

    def remove(self, message_id: str) -> None:
        """Take a message out of what is shown; nothing where it is not there."""
        number = self.find(message_id)
        if number is not None:
            self.beginRemoveRows(QModelIndex(), number, number)
            del self._rows[number]
            self.endRemoveRows()

    def set_text(self, message_id: str, text: str) -> None:
        """Show a longer text of a message that is being written."""
        self._change(message_id, lambda row: replace(row, message=replace(row.message, text=text)))

    def set_phase(self, message_id: str, phase: AnswerPhase | None) -> None:
        """Show what is going on for an answer."""
        self._change(message_id, lambda row: replace(row, phase=phase))

    def _change(self, message_id: str, change: Any) -> None:
        number = self.find(message_id)
        if number is None:
            return
        changed = change(self._rows[number])
        if changed != self._rows[number]:
            self._rows[number] = changed
            index = self.index(number)
            self.dataChanged.emit(index, index)

    def _row_of(self, message: ChatMessage) -> MessageRow:
        if message.role == "assistant":
            for row in reversed(self._rows):
                asked = row.message
                if asked.role == "user" and message.parent_id in (asked.id, None):
                    return MessageRow(message, question=asked.text, images=asked.images)
        return MessageRow(message)

    # Qt overrides

    def rowCount(self, parent: Index = QModelIndex(), /) -> int:  # noqa: B008  # Qt's own default
        """Give the number of messages."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole, /) -> Any:
        """Give a message's text, or its MessageRow."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.message.text
        if role == MessageRole.ROW:
            return row
        return None


def _phase(row: MessageRow, message: ChatMessage) -> AnswerPhase | None:
    return row.phase if message.state == "streaming" else None
