"""`chats.db` keeps what it was given, whatever happens to the program or the file."""

import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from app.core.conversations import PromptTurn
from app.core.errors import NotFoundError, StorageError
from app.core.paths import DataPaths
from app.core.prompting import Passage
from app.host.services import chat_database, chat_store
from app.host.services.chat_checks import check_chats
from app.host.services.chat_database import backups, open_database
from app.host.services.chat_schema import MIGRATIONS
from app.host.services.chat_store import ChatStore, PromptRecord
from app.host.services.chats import Chats
from app.protocol.chat import AnswerStats, ChatMessage, Citation, CreateConversation, ImageAttachment
from tests.unit.host.conftest import Recorder

PASSAGE = Passage(1, 7, "/docs/a.pdf", "a.pdf", "Care", 3, 100, 109, "It is red")
CITATION = Citation(
    n=1,
    document_id=7,
    path="/docs/a.pdf",
    name="a.pdf",
    page=3,
    char_start=100,
    char_end=109,
    quote="It is red",
    verified=True,
    answer_start=0,
    answer_end=8,
)


def open_store(paths: DataPaths) -> ChatStore:
    paths.root.mkdir(exist_ok=True)
    return ChatStore(paths.chats_db_path, paths.backups_dir)


def add_turn(store: ChatStore, conversation_id: str, question: str = "Which colour?") -> ChatMessage:
    _, asked, answer = store.begin(conversation_id, question, "tiny")
    record = PromptRecord(f"{question} (query)", f"{question} (prompt)", asked.id, (), (1,))
    if not store.passages(conversation_id):
        record = replace(record, passages=(PASSAGE,))
    store.save_prompt(conversation_id, asked.id, record)
    finished = replace(
        answer,
        text="Red [1].",
        kind="documents",
        state="complete",
        citations=(CITATION,),
        unsupported=((0, 3), (4, 8)),
        stats=AnswerStats(prompt_tokens=5, tokens_per_s=2.5),
        error_code="answer.length_limit",
        error_message="cut",
        error_hint="go on",
    )
    store.finish(finished, "Red")
    return finished


def statuses(store: ChatStore, paths: DataPaths) -> dict[str, str]:
    return {check.name: check.status for check in check_chats(store.connection, paths.chats_db_path)}


def test_all_of_an_answer_comes_back(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    answer = add_turn(store, entry.id)
    store.close()
    store = open_store(paths)
    conversation = store.conversation(entry.id)
    assert conversation.entry.title == "Which colour?"
    assert [message.role for message in conversation.messages] == ["user", "assistant"]
    assert conversation.messages[1] == answer
    assert store.passages(entry.id) == (PASSAGE,)
    assert set(statuses(store, paths).values()) == {"ok"}
    store.close()


def test_the_history_is_that_of_the_branch(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation(title="kept"))
    first = add_turn(store, entry.id)
    second, asked, _ = store.begin(entry.id, "And why?", "")
    assert second.title == "kept"
    history = store.history(entry.id, asked.id)
    (turn,) = history.turns
    assert (turn.query, turn.answer) == ("Which colour? (query)", "Red [1].")
    assert first.parent_id is not None
    assert turn.prompt == PromptTurn(first.parent_id, "Which colour? (prompt)", "Red", (1,), first.parent_id)
    assert history.passages == (PASSAGE,)
    store.close()


IMAGES = (
    ImageAttachment(sha256="a" * 64, name="one.png", width=4, height=3),
    ImageAttachment(sha256="b" * 64, name="two.jpg", width=5, height=6),
)


def test_images_come_back_with_their_question_and_stand_in_its_turn(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    store.begin(entry.id, "What is this?", "", IMAGES)
    _, asked, _ = store.begin(entry.id, "And this?", "", IMAGES[:1])
    assert [message.images for message in store.conversation(entry.id).messages] == [
        IMAGES,
        (),
        IMAGES[:1],
        (),
    ]
    (turn,) = store.history(entry.id, asked.id).turns
    assert turn.prompt.images == ("a" * 64, "b" * 64)
    assert store.image_digests() == {"a" * 64, "b" * 64}
    store.close()


def test_images_leave_with_their_conversation(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    store.begin(entry.id, "What is this?", "", IMAGES)
    store.trash(entry.id)
    store.close()
    store = open_store(paths)
    assert store.image_digests() == {"a" * 64, "b" * 64}
    store.close()
    monkeypatch.setattr(chat_store, "TRASH_KEPT_S", -1.0)
    store = open_store(paths)
    assert store.image_digests() == frozenset()
    store.close()


def test_conversations_from_before_images_are_kept(paths: DataPaths) -> None:
    paths.root.mkdir(exist_ok=True)
    opened = open_database(paths.chats_db_path, paths.backups_dir, MIGRATIONS[:1])
    with opened.connection:
        opened.connection.execute(
            "INSERT INTO conversations VALUES ('c', 'Old', 1.0, 2.0, 'all', '[]', '', '', NULL, NULL)"
        )
    opened.connection.close()
    store = open_store(paths)
    assert [entry.title for entry in store.list_entries()] == ["Old"]
    (copy,) = backups(paths.backups_dir)
    assert copy.name.startswith("chats-v1-")
    _, asked, _ = store.begin("c", "What is this?", "", IMAGES)
    assert store.conversation("c").messages[0] == asked
    store.close()


def test_a_question_without_query_is_its_own(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    store.begin(entry.id, "One?", "")
    _, asked, _ = store.begin(entry.id, "Two?", "")
    assert [turn.query for turn in store.history(entry.id, asked.id).turns] == ["One?"]
    store.close()


def test_the_draft_goes_when_it_is_asked(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    store.save_draft(entry.id, "Which colour? ")
    store.begin(entry.id, "Which colour?", "")
    assert store.conversation(entry.id).draft == ""
    store.save_draft(entry.id, "Something else")
    store.begin(entry.id, "Why?", "")
    assert store.conversation(entry.id).draft == "Something else"
    store.close()


def test_a_partial_answer_survives_as_interrupted(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    _, _, answer = store.begin(entry.id, "Which colour?", "tiny")
    store.save_partial(replace(answer, text="It is r", kind="documents"))
    store.close()
    store = open_store(paths)
    kept = store.conversation(entry.id).messages[-1]
    assert (kept.text, kept.state, kept.kind) == ("It is r", "interrupted", "documents")
    assert kept.error_message
    assert kept.error_hint
    store.close()


def test_a_late_partial_answer_does_not_replace_the_final_one(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    answer = add_turn(store, entry.id)
    store.save_partial(replace(answer, text="R"))
    assert store.conversation(entry.id).messages[-1].text == "Red [1]."
    store.close()


KILLED = """
import sys
from dataclasses import replace
from pathlib import Path
from app.host.services.chat_store import ChatStore
from app.protocol.chat import CreateConversation
store = ChatStore(Path(sys.argv[1]), Path(sys.argv[2]))
entry = store.create(CreateConversation())
_, _, answer = store.begin(entry.id, "Which colour?", "tiny")
for n in range(1, 1_000_000):
    store.save_partial(replace(answer, text="word " * n))
    print(n, flush=True)
"""


@pytest.mark.slow
def test_a_killed_process_loses_nothing_acknowledged(paths: DataPaths) -> None:
    paths.root.mkdir()
    arguments = [sys.executable, "-c", KILLED, str(paths.chats_db_path), str(paths.backups_dir)]
    rng = random.Random(5)
    for _ in range(3):
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            acknowledged = process.stdout.readline()
            time.sleep(rng.uniform(0.05, 0.3))
            process.kill()
            acknowledged = (process.stdout.read().rsplit("\n", 2)[-2:-1] or [acknowledged])[0]
        store = open_store(paths)
        entry = store.list_entries()[0]
        answer = store.conversation(entry.id).messages[-1]
        assert answer.state == "interrupted"
        assert len(answer.text.split()) >= int(acknowledged)
        assert set(statuses(store, paths).values()) == {"ok"}
        store.close()


def test_old_trash_goes_for_good(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    add_turn(store, entry.id, "What about the canary?")
    store.trash(entry.id)
    store.close()
    monkeypatch.setattr(chat_store, "TRASH_KEPT_S", -1.0)
    store = open_store(paths)
    with pytest.raises(NotFoundError):
        store.entry(entry.id)
    assert set(statuses(store, paths).values()) == {"ok"}
    store.close()
    assert b"canary" not in paths.chats_db_path.read_bytes()


def test_asking_takes_a_conversation_out_of_the_trash(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    store.trash(entry.id)
    store.begin(entry.id, "Still there?", "")
    assert [found.id for found in store.list_entries()] == [entry.id]
    store.close()


def test_text_that_utf8_cannot_hold_is_stored_all_the_same(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation())
    store.begin(entry.id, "What is \udcff in this name?", "")
    assert store.conversation(entry.id).messages[0].text == "What is ? in this name?"
    store.close()


# ------------------------------------------------------------------------------------------- the file


def test_a_newer_schema_is_refused_and_nothing_changes(paths: DataPaths) -> None:
    open_store(paths).close()
    connection = apsw.Connection(str(paths.chats_db_path))
    connection.execute("PRAGMA user_version = 99")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    before = {path.name: path.read_bytes() for path in paths.root.rglob("*") if path.is_file()}
    with pytest.raises(StorageError) as caught:
        open_store(paths)
    assert caught.value.code == "chats.newer"
    assert {path.name: path.read_bytes() for path in paths.root.rglob("*") if path.is_file()} == before


def test_a_newer_schema_that_stands_in_the_log_only_is_refused(paths: DataPaths) -> None:
    open_store(paths).close()
    connection = apsw.Connection(str(paths.chats_db_path))
    connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageError) as caught:
        open_store(paths)
    assert caught.value.code == "chats.newer"
    connection.close()


def test_a_copy_is_made_before_each_migration(paths: DataPaths) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation(title="old"))
    store.close()
    later = (*MIGRATIONS, "CREATE TABLE later (x)")
    open_database(paths.chats_db_path, paths.backups_dir, later).connection.close()
    (copy,) = backups(paths.backups_dir)
    assert copy.name.startswith(f"chats-v{len(MIGRATIONS)}-")
    copy.replace(paths.chats_db_path)
    store = open_store(paths)
    assert store.list_entries() == (entry,)
    store.close()


def test_a_migration_that_fails_changes_nothing(paths: DataPaths) -> None:
    open_store(paths).close()
    with pytest.raises(StorageError):
        open_database(paths.chats_db_path, paths.backups_dir, (*MIGRATIONS, "CREATE TABLE x (y); nonsense"))
    open_store(paths).close()


def test_a_copy_that_is_not_sound_stops_the_migration(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(paths).close()
    monkeypatch.setattr(chat_database, "_sound_version", lambda path: None)
    with pytest.raises(StorageError) as caught:
        open_database(paths.chats_db_path, paths.backups_dir, (*MIGRATIONS, "CREATE TABLE later (x)"))
    assert caught.value.code == "chats.backup_failed"
    assert not list(paths.backups_dir.iterdir())


def test_a_copy_is_made_once_a_day_and_three_are_kept(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(paths)
    store.back_up_if_due()
    store.back_up_if_due()
    assert len(backups(paths.backups_dir)) == 1
    for _ in range(4):
        for number, copy in enumerate(backups(paths.backups_dir), start=1):
            os.utime(copy, (time.time() - number * 90_000,) * 2)
        store.back_up_if_due()
    assert len(backups(paths.backups_dir)) == 3
    store.close()


def zero_head(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 100)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 + 7)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def scribble(path: Path) -> None:
    with path.open("r+b") as file:
        for offset in range(4096, path.stat().st_size, 512):
            file.seek(offset)
            file.write(os.urandom(256))


def replace_by_text(path: Path) -> None:
    path.write_text("not a database " * 1000)


def replace_by_foreign(path: Path) -> None:
    path.unlink()
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE foreign_table (x)")
    connection.close()


DAMAGES = [zero_head, truncate, empty, scribble, replace_by_text, replace_by_foreign]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_kept_aside_and_restored(
    paths: DataPaths, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(paths)
    entry = store.create(CreateConversation(title="precious"))
    add_turn(store, entry.id)
    store.back_up_if_due()
    store.close()
    damage(paths.chats_db_path)
    damaged = paths.chats_db_path.read_bytes()
    store = open_store(paths)
    assert [found.title for found in store.list_entries()] == ["precious"]
    assert store.notice is not None
    assert store.notice.code == "chats.restored"
    (aside,) = paths.root.glob("chats.db.damaged-*")
    assert aside.name in store.notice.message
    assert aside.read_bytes() == damaged
    assert statuses(store, paths)["chats.damaged_copies"] == "warning"
    store.close()
    assert any("was damaged" in message for message in caplog.messages)
    caplog.clear()
    store = open_store(paths)
    assert store.notice is None
    store.close()


def test_a_damaged_file_without_copy_is_started_anew(
    paths: DataPaths, caplog: pytest.LogCaptureFixture
) -> None:
    open_store(paths).close()
    replace_by_text(paths.chats_db_path)
    paths.chats_db_path.with_name("chats.db-wal").write_bytes(b"old log")
    paths.backups_dir.mkdir()
    (paths.backups_dir / "chats-v1-20200101-000000.db").write_bytes(b"SQLite format 3\0 but no more")
    store = open_store(paths)
    assert store.list_entries() == ()
    assert store.notice is not None
    assert store.notice.code == "chats.started_anew"
    assert len(list(paths.root.glob("chats.db.damaged-*"))) == 2
    store.close()
    caplog.clear()


def test_a_second_damaged_file_gets_a_name_of_its_own(
    paths: DataPaths, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        open_store(paths).close()
        replace_by_text(paths.chats_db_path)
        open_store(paths).close()
    assert len(list(paths.root.glob("chats.db.damaged-*"))) == 2
    caplog.clear()


def test_a_copy_that_cannot_be_opened_is_passed_over(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.backups_dir.mkdir(parents=True)
    assert chat_database._sound_version(paths.backups_dir) is None


def errors() -> list[tuple[Exception, str]]:
    return [
        (apsw.FullError(), "storage.full"),
        (apsw.ReadOnlyError(), "storage.read_only"),
        (apsw.CantOpenError(), "storage.read_only"),
        (apsw.CorruptError(), "chats.damaged"),
        (apsw.IOError(), "chats.failed"),
        (OSError(28, "No space left"), "storage.full"),
        (OSError(5, "Input/output error"), "chats.failed"),
    ]


@pytest.mark.parametrize(("error", "code"), errors())
def test_errors_of_the_disk_are_said_in_words(error: Exception, code: str) -> None:
    with pytest.raises(StorageError) as caught, chat_database.in_words():
        raise error
    assert caught.value.code == code
    assert re.search(r"[a-z]{4}.*\.$", caught.value.user_message)
    assert caught.value.hint


# ------------------------------------------------------------------------------------------- the doctor

BREAKS = [
    ("UPDATE messages SET parent_id = 'gone' WHERE role = 'assistant'", "chats.orphans"),
    ("UPDATE conversations SET leaf_id = 'gone'", "chats.orphans"),
    ("UPDATE messages SET parent_id = id WHERE role = 'user'", "chats.cycles"),
    ("UPDATE citations SET char_end = char_end + 1", "chats.citations"),
    ("UPDATE citations SET answer_end = 1000", "chats.citations"),
    ("UPDATE passages SET char_start = 0", "chats.passages"),
    ("DELETE FROM passages", "chats.passages"),
    ("UPDATE messages SET conversation_id = 'gone'", "chats.integrity"),
]


@pytest.mark.parametrize(("sql", "name"), BREAKS)
def test_the_doctor_finds_broken_invariants(paths: DataPaths, sql: str, name: str) -> None:
    store = open_store(paths)
    add_turn(store, store.create(CreateConversation()).id)
    store.connection.execute("PRAGMA foreign_keys = OFF")
    store.connection.execute(sql)
    assert statuses(store, paths)[name] == "error"
    store.close()


async def test_the_doctor_says_when_the_file_cannot_be_opened(paths: DataPaths) -> None:
    open_store(paths).close()
    connection = apsw.Connection(str(paths.chats_db_path))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    chats = Chats(paths.chats_db_path, paths.backups_dir, Recorder())
    (check,) = await asyncio.to_thread(chats.check)
    assert (check.name, check.status) == ("chats.file", "error")
    with pytest.raises(StorageError):
        await chats.do(ChatStore.list_entries)
    await chats.close()


async def test_what_happened_to_the_file_is_told_once(
    paths: DataPaths, caplog: pytest.LogCaptureFixture
) -> None:
    paths.root.mkdir()
    replace_by_text(paths.chats_db_path)
    events = Recorder()
    chats = Chats(paths.chats_db_path, paths.backups_dir, events)
    for _ in range(2):
        await chats.do(ChatStore.list_entries)
    assert [notice.code for notice in events.notices()] == ["chats.started_anew"]
    await chats.close()
    caplog.clear()
