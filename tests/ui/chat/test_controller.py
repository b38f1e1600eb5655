"""The chat's controller against a scripted host: every end of an answer, drafts, switching, retrying."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from app.core.errors import AppError, WorkerError
from app.protocol.chat import (
    AnswerDone,
    AnswerKept,
    AnswerPhase,
    AnswerStarted,
    AnswerToken,
    Ask,
    Conversation,
    ConversationChanged,
    ConversationEntry,
    CreateConversation,
    GetConversation,
    SaveDraft,
    UpdateConversation,
)
from app.protocol.library import CollectionList, ListCollections
from app.protocol.models import ChooseModel, ListModels, ModelEntry, ModelList
from app.protocol.search import Scope
from app.protocol.system import Empty
from app.ui.chat.controller import ChatController
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from tests.ui.chat.test_annotations import CITATION
from tests.ui.chat.test_messages import answer, question
from tests.ui.conftest import until
from tests.ui.fakes import CANCEL, FakeSession

ENTRY = ConversationEntry(id="c1", title="First", created_at=1, updated_at=1)
MODELS = ModelList(models=(), default="")
STARTED = AnswerStarted(conversation=ENTRY, question=question(1), answer=answer(1, "", state="streaming"))
WHOLE = answer(1, "Two years [1].", citations=(replace(CITATION, answer_end=14),))
DONE = AnswerDone(conversation_id="c1", answer=WHOLE, found=True)


@pytest.fixture
def chats(session: FakeSession, tasks: TaskSpawner, notifier: Notifier) -> ChatController:
    session.reply(ListModels, MODELS)
    session.reply(ListCollections, CollectionList(collections=()))
    session.reply(SaveDraft, Empty())
    session.reply(CreateConversation, lambda request: replace(ENTRY, scope=request.scope))
    session.reply(UpdateConversation, ENTRY)
    session.reply(ChooseModel, ModelEntry(name="m", path="", size_bytes=1, state="loaded"))
    return ChatController(session, tasks, notifier)


def texts(chats: ChatController) -> list[str]:
    model = chats.current.model
    return [model.row(number).message.text for number in range(model.rowCount())]


def last(chats: ChatController) -> Any:
    return chats.current.model.row(chats.current.model.rowCount() - 1)


async def test_a_question_shows_at_once_and_ends_with_its_answer(
    chats: ChatController, session: FakeSession
) -> None:
    gate, half = asyncio.Event(), asyncio.Event()
    busy: list[bool] = []
    chats.busy_changed.connect(busy.append)
    session.script(
        Ask,
        [
            gate,
            AnswerPhase(phase="searching"),
            STARTED,
            AnswerPhase(phase="writing"),
            AnswerToken(text="Two "),
            AnswerToken(text="years"),
            half,
            DONE,
        ],
    )
    chats.ask("How long?")
    assert texts(chats) == ["How long?", ""]
    assert last(chats).phase.phase == "starting"
    chats.ask("ignored while one is being written")
    gate.set()
    await until(lambda: last(chats).message.text == "Two years")
    assert last(chats).phase.phase == "writing"
    assert chats.current.entry == ENTRY
    half.set()
    await until(lambda: chats.current.live is None)
    assert last(chats).message == WHOLE
    assert last(chats).phase is None
    assert chats.citations_of("a1") == WHOLE.citations
    assert chats.citations_of("nothing") == ()
    assert busy == [True, False]
    assert [r.question for r in session.sent(Ask)] == ["How long?"]
    assert session.sent(Ask)[0].conversation_id is None
    assert session.sent(Ask)[0].scope == Scope()


async def test_stop_acts_at_once_and_keeps_what_was_written(
    chats: ChatController, session: FakeSession
) -> None:
    kept = AnswerKept(answer=answer(1, "Two", state="stopped"))
    session.script(
        Ask, [STARTED, AnswerToken(text="Two"), asyncio.Event(), CANCEL, AnswerToken(text="late"), kept]
    )
    chats.ask("How long?")
    await until(lambda: last(chats).message.text == "Two")
    chats.stop()
    chats.stop()
    assert last(chats).phase.phase == "stopping"
    assert len(session.cancelled) == 1
    await until(lambda: chats.current.live is None)
    assert last(chats).message == kept.answer


async def test_a_stop_without_a_kept_answer_says_stopped(chats: ChatController, session: FakeSession) -> None:
    session.script(Ask, [STARTED, AnswerToken(text="Half"), asyncio.Event()])
    chats.ask("How long?")
    await until(lambda: last(chats).message.text == "Half")
    chats.stop()
    await until(lambda: chats.current.live is None)
    assert (last(chats).message.state, last(chats).message.text) == ("stopped", "Half")


@pytest.mark.parametrize(
    ("before", "state", "text"),
    [
        ([STARTED], "failed", ""),
        ([STARTED, AnswerToken(text="Two")], "interrupted", "Two"),
        ([], "failed", ""),
    ],
)
async def test_an_error_ends_in_words_in_its_place(
    chats: ChatController, session: FakeSession, before: list[Any], state: str, text: str
) -> None:
    error = WorkerError("worker.died", "The model's process ended.", "Try again.")
    session.script(Ask, [*before, error])
    chats.ask("How long?")
    await until(lambda: chats.current.live is None)
    message = last(chats).message
    assert (message.state, message.text) == (state, text)
    assert (message.error_message, message.error_hint) == ("The model's process ended.", "Try again.")


async def test_the_hosts_own_words_count_where_it_kept_the_answer(
    chats: ChatController, session: FakeSession
) -> None:
    kept = AnswerKept(answer=answer(1, "Tw", state="interrupted", error_message="From the host."))
    session.script(Ask, [STARTED, AnswerToken(text="Two"), kept, AppError("worker.died", "Other words.")])
    chats.ask("How long?")
    await until(lambda: chats.current.live is None)
    assert last(chats).message == kept.answer


async def test_retry_asks_the_same_question_again(chats: ChatController, session: FakeSession) -> None:
    session.script(Ask, [WorkerError("host.unreachable", "No host.", "Wait.")])
    chats.ask("How long?")
    await until(lambda: chats.current.live is None)
    session.script(Ask, [STARTED, DONE])
    chats.retry(last(chats).message.id)
    assert texts(chats) == ["How long?", ""]  # what was never stored went away
    await until(lambda: chats.current.live is None)
    chats.retry("a1", use_documents=False)
    await until(lambda: chats.current.live is None)
    assert [(r.question, r.use_documents) for r in session.sent(Ask)] == [
        ("How long?", True),
        ("How long?", True),
        ("How long?", False),
    ]
    assert session.sent(Ask)[2].conversation_id == "c1"
    chats.retry("nothing")
    assert len(session.sent(Ask)) == 3
    general = replace(WHOLE, kind="general")
    session.script(Ask, [STARTED, replace(DONE, answer=general)])
    chats.ask("And in general?", use_documents=False)
    assert last(chats).message.kind == "general"
    await until(lambda: chats.current.live is None)
    chats.retry("a1")
    await until(lambda: chats.current.live is None)
    assert not session.sent(Ask)[-1].use_documents


async def test_a_stored_conversation_opens_with_its_draft(
    chats: ChatController, session: FakeSession
) -> None:
    entry = replace(ENTRY, scope=Scope(kind="none"), model="smol")
    session.reply(GetConversation, Conversation(entry=entry, messages=(question(1), WHOLE), draft="unsent"))
    shown: list[Any] = []
    chats.conversation_shown.connect(shown.append)
    chats.open("c1")
    await until(lambda: shown)
    current = chats.current
    assert (current.id, current.draft, current.scope.kind, current.model_name) == (
        "c1",
        "unsent",
        "none",
        "smol",
    )
    assert texts(chats) == ["How long does it last?", "Two years [1]."]
    chats.open("c1")
    assert len(session.sent(GetConversation)) == 1


async def test_of_two_opened_quickly_the_last_one_is_shown(
    chats: ChatController, session: FakeSession
) -> None:
    slow = asyncio.Event()

    async def load(request: GetConversation) -> Conversation:
        if request.conversation_id == "slow":
            await slow.wait()
        return Conversation(entry=replace(ENTRY, id=request.conversation_id), messages=())

    session.reply(GetConversation, load)
    chats.open("slow")
    chats.open("quick")
    await until(lambda: chats.current.id == "quick")
    slow.set()
    await until(lambda: len(session.requests) == 2)
    await asyncio.sleep(0)
    assert chats.current.id == "quick"


async def test_an_answer_goes_on_while_another_conversation_is_shown(
    chats: ChatController, session: FakeSession
) -> None:
    gate = asyncio.Event()
    session.script(Ask, [STARTED, AnswerToken(text="Two"), gate, DONE])
    session.reply(GetConversation, Conversation(entry=replace(ENTRY, id="c2"), messages=()))
    chats.ask("How long?")
    await until(lambda: chats.current.id == "c1")
    chats.open("c2")
    await until(lambda: chats.current.id == "c2")
    assert chats.current.live is None
    chats.open("c1")
    assert chats.current.live is not None
    gate.set()
    await until(lambda: chats.current.live is None)
    assert last(chats).message == WHOLE


async def test_a_draft_is_stored_soon_and_makes_the_conversation(
    chats: ChatController, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    chats._draft_timer.setInterval(10)
    chats.choose_scope(Scope(kind="none"))
    chats.edit_draft("Hel")
    chats.edit_draft("Hello")
    await until(lambda: session.sent(SaveDraft))
    assert [r.scope.kind for r in session.sent(CreateConversation)] == ["none"]
    assert session.sent(SaveDraft)[0] == SaveDraft(conversation_id="c1", text="Hello")
    await until(lambda: chats.current.stored_draft == "Hello")
    await chats.close()
    assert len(session.sent(SaveDraft)) == 1
    chats.edit_draft("Hello you")
    await chats.close()
    assert session.sent(SaveDraft)[-1].text == "Hello you"


async def test_a_draft_that_cannot_be_stored_is_tried_again(
    chats: ChatController, session: FakeSession
) -> None:
    session.reply(CreateConversation, WorkerError("host.lost", "Gone."))
    chats.edit_draft("text")
    await chats.close()
    session.reply(CreateConversation, ENTRY)
    await chats.close()
    assert session.sent(SaveDraft)[0].text == "text"


async def test_asking_while_the_draft_makes_the_conversation_makes_only_one(
    chats: ChatController, session: FakeSession
) -> None:
    gate = asyncio.Event()

    async def create(_request: CreateConversation) -> ConversationEntry:
        await gate.wait()
        return ENTRY

    session.reply(CreateConversation, create)
    session.script(Ask, [STARTED, DONE])
    chats._draft_timer.setInterval(1)
    chats.edit_draft("How long?")
    await until(lambda: session.sent(CreateConversation))
    chats.ask("How long?")
    assert not session.sent(Ask)
    gate.set()
    await until(lambda: session.sent(Ask))
    assert session.sent(Ask)[0].conversation_id == "c1"
    await until(lambda: chats.current.live is None)


async def test_a_new_conversation_keeps_scope_and_model(chats: ChatController, session: FakeSession) -> None:
    entry = replace(ENTRY, scope=Scope(kind="some", collection_ids=(2,)), model="smol")
    session.reply(GetConversation, Conversation(entry=entry, messages=(question(1),)))
    chats.open("c1")
    await until(lambda: chats.current.id == "c1")
    chats.edit_draft("left behind")
    chats.new()
    assert chats.current.id is None
    assert (chats.current.scope, chats.current.model_name) == (entry.scope, "smol")
    await until(lambda: session.sent(SaveDraft))
    empty = chats.current
    chats.new()
    assert chats.current is empty


async def test_choices_of_a_stored_conversation_go_to_the_host(
    chats: ChatController, session: FakeSession
) -> None:
    session.reply(GetConversation, Conversation(entry=ENTRY, messages=()))
    chats.open("c1")
    await until(lambda: chats.current.id == "c1")
    chats.choose_scope(Scope(kind="none"))
    chats.choose_model("smol")
    await until(lambda: session.sent(ChooseModel))
    assert session.sent(UpdateConversation) == [
        UpdateConversation(conversation_id="c1", scope=Scope(kind="none")),
        UpdateConversation(conversation_id="c1", model="smol"),
    ]


async def test_after_a_new_host_everything_shown_is_loaded_again(
    chats: ChatController, session: FakeSession
) -> None:
    session.reply(GetConversation, Conversation(entry=ENTRY, messages=(question(1),)))
    models: list[Any] = []
    chats.models_changed.connect(models.append)
    chats.open("c1")
    await until(lambda: chats.current.id == "c1")
    session.reply(GetConversation, Conversation(entry=ENTRY, messages=(question(1), WHOLE)))
    session.lose()
    session.connect_now()
    await until(lambda: len(texts(chats)) == 2)
    await until(lambda: models == [MODELS])


async def test_events_about_the_shown_conversation_are_followed(
    chats: ChatController, session: FakeSession
) -> None:
    session.reply(GetConversation, Conversation(entry=ENTRY, messages=(question(1),)))
    changes: list[Any] = []
    chats.entry_changed.connect(changes.append)
    chats.open("c1")
    await until(lambda: chats.current.id == "c1")
    renamed = replace(ENTRY, title="Renamed")
    session.deliver(ConversationChanged(conversation=replace(ENTRY, id="other")))
    session.deliver(ConversationChanged(conversation=renamed))
    assert changes == [renamed]
    session.deliver(ConversationChanged(conversation=renamed, deleted=True))
    assert chats.current.id is None
    assert texts(chats) == []


async def test_deleting_while_an_answer_is_written_is_survived(
    chats: ChatController, session: FakeSession
) -> None:
    gate = asyncio.Event()
    session.script(Ask, [STARTED, gate, DONE])
    chats.ask("How long?")
    await until(lambda: chats.current.id == "c1")
    session.deliver(ConversationChanged(conversation=ENTRY, deleted=True))
    assert chats.current.id is None
    gate.set()
    await until(lambda: not chats._writing)
