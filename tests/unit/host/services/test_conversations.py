"""Conversations are listed, renamed, deleted with undo, and announced to every front end."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.core.errors import NotFoundError, UsageError
from app.core.paths import DataPaths
from app.host.services.chats import Chats
from app.host.services.conversations import ConversationsService
from app.protocol.body import Body, Request
from app.protocol.chat import (
    ConversationChanged,
    CreateConversation,
    DeleteConversation,
    GetConversation,
    ListConversations,
    RestoreConversation,
    SaveDraft,
    UpdateConversation,
)
from app.protocol.search import Scope
from tests.unit.host.conftest import Context, Recorder


class Desk:
    """The service, asked as a front end does."""

    def __init__(self, paths: DataPaths) -> None:
        self.events = Recorder()
        self.chats = Chats(paths.chats_db_path, paths.backups_dir, self.events)
        self._handlers = ConversationsService(self.chats, self.events).handlers()

    async def call(self, request: Request[Any]) -> Any:
        return await self._handlers[type(request)](request, Context())

    async def titles(self) -> list[str]:
        return [entry.title for entry in (await self.call(ListConversations())).conversations]


@pytest.fixture
async def desk(paths: DataPaths) -> AsyncIterator[Desk]:
    paths.root.mkdir()
    desk = Desk(paths)
    yield desk
    await desk.chats.close()


async def test_conversations_are_listed_the_latest_first(desk: Desk) -> None:
    for title in ("one", "two"):
        await desk.call(CreateConversation(title=title))
    assert await desk.titles() == ["two", "one"]


async def test_what_is_not_none_changes(desk: Desk) -> None:
    scope = Scope(kind="some", collection_ids=(3, 4))
    entry = await desk.call(CreateConversation(title="old", scope=scope, model="m"))
    assert (await desk.call(UpdateConversation(conversation_id=entry.id, title="new"))).title == "new"
    changed = await desk.call(
        UpdateConversation(conversation_id=entry.id, scope=Scope(kind="none"), model="n")
    )
    assert (changed.title, changed.scope, changed.model) == ("new", Scope(kind="none"), "n")
    assert (await desk.call(UpdateConversation(conversation_id=entry.id, title="  "))).title == "new"
    assert (await desk.call(ListConversations())).conversations == (changed,)


async def test_deleting_can_be_undone(desk: Desk) -> None:
    entry = await desk.call(CreateConversation(title="mine"))
    await desk.call(DeleteConversation(conversation_id=entry.id))
    assert await desk.titles() == []
    assert desk.events.bodies[-1] == ConversationChanged(conversation=entry, deleted=True)
    assert await desk.call(RestoreConversation(conversation_id=entry.id)) == entry
    assert await desk.titles() == ["mine"]
    assert desk.events.bodies[-1] == ConversationChanged(conversation=entry)


async def test_drafts_are_kept(desk: Desk) -> None:
    entry = await desk.call(CreateConversation())
    await desk.call(SaveDraft(conversation_id=entry.id, text="half a ques"))
    opened = await desk.call(GetConversation(conversation_id=entry.id))
    assert (opened.draft, opened.messages, opened.entry) == ("half a ques", (), entry)


@pytest.mark.parametrize(
    "request_type", [UpdateConversation, DeleteConversation, RestoreConversation, GetConversation]
)
async def test_what_does_not_exist_is_said(desk: Desk, request_type: type[Body]) -> None:
    with pytest.raises(NotFoundError) as caught:
        await desk.call(request_type(conversation_id="gone"))  # type: ignore[call-arg, arg-type]
    assert caught.value.code == "conversation.not_found"


async def test_a_draft_of_nothing_is_refused(desk: Desk) -> None:
    with pytest.raises(NotFoundError):
        await desk.call(SaveDraft(conversation_id="gone", text="x"))


async def test_unknown_scopes_are_refused(desk: Desk) -> None:
    entry = await desk.call(CreateConversation())
    for request in (
        CreateConversation(scope=Scope(kind="mine")),
        UpdateConversation(conversation_id=entry.id, scope=Scope(kind="")),
    ):
        with pytest.raises(UsageError):
            await desk.call(request)
