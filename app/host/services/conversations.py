"""Conversations as front ends see them: listed, created, renamed, deleted with undo."""

from collections.abc import Mapping

from app.core.errors import UsageError
from app.host.services.chat_store import ChatStore
from app.host.services.chats import Chats
from app.host.services.ports import Events, Handler, RequestContext
from app.protocol.body import Body
from app.protocol.chat import (
    Conversation,
    ConversationChanged,
    ConversationEntry,
    ConversationList,
    CreateConversation,
    DeleteConversation,
    GetConversation,
    ListConversations,
    RestoreConversation,
    SaveDraft,
    UpdateConversation,
)
from app.protocol.search import Scope
from app.protocol.system import Empty

_SCOPE_KINDS = ("all", "some", "none")


class ConversationsService:
    """Answers the requests `conversation.*`."""

    def __init__(self, chats: Chats, events: Events) -> None:
        """Bind the store."""
        self._chats, self._events = chats, events

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {
            ListConversations: self._list,
            CreateConversation: self._create,
            UpdateConversation: self._update,
            DeleteConversation: self._delete,
            RestoreConversation: self._restore,
            GetConversation: self._get,
            SaveDraft: self._save_draft,
        }

    async def _list(self, request: ListConversations, context: RequestContext) -> ConversationList:
        return ConversationList(conversations=await self._chats.do(ChatStore.list_entries))

    async def _create(self, request: CreateConversation, context: RequestContext) -> ConversationEntry:
        require_scope(request.scope)
        return self._tell(await self._chats.do(ChatStore.create, request))

    async def _update(self, request: UpdateConversation, context: RequestContext) -> ConversationEntry:
        if request.scope is not None:
            require_scope(request.scope)
        return self._tell(await self._chats.do(ChatStore.update, request))

    async def _delete(self, request: DeleteConversation, context: RequestContext) -> Empty:
        self._tell(await self._chats.do(ChatStore.trash, request.conversation_id), deleted=True)
        return Empty()

    async def _restore(self, request: RestoreConversation, context: RequestContext) -> ConversationEntry:
        return self._tell(await self._chats.do(ChatStore.restore, request.conversation_id))

    async def _get(self, request: GetConversation, context: RequestContext) -> Conversation:
        return await self._chats.do(ChatStore.conversation, request.conversation_id)

    async def _save_draft(self, request: SaveDraft, context: RequestContext) -> Empty:
        await self._chats.do(ChatStore.save_draft, request.conversation_id, request.text)
        return Empty()

    def _tell(self, entry: ConversationEntry, *, deleted: bool = False) -> ConversationEntry:
        self._events.publish(ConversationChanged(conversation=entry, deleted=deleted))
        return entry


def require_scope(scope: Scope) -> None:
    """Refuse a scope of an unknown kind.

    Raises:
        UsageError: `scope.unknown`.
    """
    if scope.kind not in _SCOPE_KINDS:
        raise UsageError(
            "scope.unknown",
            f"There is no scope called {scope.kind!r}.",
            f"Use one of: {', '.join(_SCOPE_KINDS)}.",
        )
