"""Conversations that leave the trash for good are forgotten everywhere."""

import asyncio
import time
from pathlib import Path

import apsw

from app.host.services.chat_store import TRASH_KEPT_S, ChatStore
from app.host.services.chats import Chats
from app.protocol.chat import CreateConversation
from tests.unit.host.conftest import Recorder, until


async def test_what_left_the_trash_is_told_once(tmp_path: Path, events: Recorder) -> None:
    path, backups = tmp_path / "chats.db", tmp_path / "backups"
    chats = Chats(path, backups, events)
    old = await chats.do(ChatStore.create, CreateConversation(title="old"))
    kept = await chats.do(ChatStore.create, CreateConversation(title="kept"))
    for entry in (old, kept):
        await chats.do(ChatStore.trash, entry.id)
    await chats.close()
    with apsw.Connection(str(path)) as db:
        long_ago = time.time() - TRASH_KEPT_S - 60
        db.execute("UPDATE conversations SET deleted_at = ? WHERE id = ?", (long_ago, old.id))
    db.close()
    forgotten: list[str] = []

    async def forget(conversation: str) -> None:
        forgotten.append(conversation)

    chats = Chats(path, backups, events, on_forgotten=forget)
    for _ in range(2):
        assert await chats.do(ChatStore.list_entries) == ()
    await until(lambda: bool(forgotten))
    await asyncio.sleep(0)
    assert forgotten == [old.id]
    await chats.close()


async def test_closing_does_not_wait_for_what_forgets(tmp_path: Path, events: Recorder) -> None:
    path, backups = tmp_path / "chats.db", tmp_path / "backups"
    chats = Chats(path, backups, events)
    old = await chats.do(ChatStore.create, CreateConversation(title="old"))
    await chats.do(ChatStore.trash, old.id)
    await chats.close()
    with apsw.Connection(str(path)) as db:
        db.execute("UPDATE conversations SET deleted_at = 1")
    db.close()

    async def hang(conversation: str) -> None:
        await asyncio.sleep(600)

    chats = Chats(path, backups, events, on_forgotten=hang)
    await chats.do(ChatStore.list_entries)
    async with asyncio.timeout(5):
        await chats.close()
