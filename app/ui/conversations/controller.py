"""Keeps the list of conversations in step with the host and passes the user's wishes to it."""

from PySide6.QtCore import QObject, Signal, Slot

from app.protocol.chat import (
    ConversationChanged,
    ConversationEntry,
    DeleteConversation,
    ListConversations,
    RestoreConversation,
    UpdateConversation,
)
from app.ui.conversations.model import ConversationListModel
from app.ui.session import Session
from app.ui.tasks import TaskSpawner


class ConversationsController(QObject):
    """Loads the list, follows its events, renames, deletes and restores.

    Signals:
        loaded: the list is there (again).
        deleted: ConversationEntry that went to the trash; offer to undo.
    """

    loaded = Signal()
    deleted = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Load whenever a host is attached."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self.model = ConversationListModel(self)
        self.model.rename_requested.connect(self.rename)
        session.connected.connect(self._on_connected)
        session.conversation_changed.connect(self._on_conversation_changed)

    @Slot(str, str)
    def rename(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title."""
        request = UpdateConversation(conversation_id=conversation_id, title=title)
        self._tasks.spawn(self._session.call(request), "rename conversation")

    def delete(self, entry: ConversationEntry) -> None:
        """Move a conversation to the trash; `deleted` follows."""
        self._tasks.spawn(self._delete(entry), "delete conversation")

    def restore(self, entry: ConversationEntry) -> None:
        """Take a conversation back out of the trash."""
        request = RestoreConversation(conversation_id=entry.id)
        self._tasks.spawn(self._session.call(request), "restore conversation")

    async def _delete(self, entry: ConversationEntry) -> None:
        await self._session.call(DeleteConversation(conversation_id=entry.id))
        self.deleted.emit(entry)

    @Slot()
    def _on_connected(self) -> None:
        self._tasks.spawn(self._load(), "load conversations")

    async def _load(self) -> None:
        stored = await self._session.call(ListConversations())
        self.model.reset(stored.conversations)
        self.loaded.emit()

    @Slot(object)
    def _on_conversation_changed(self, change: ConversationChanged) -> None:
        if change.deleted:
            self.model.remove(change.conversation.id)
        else:
            self.model.upsert(change.conversation)
