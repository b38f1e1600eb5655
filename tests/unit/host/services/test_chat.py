"""Questions become answers: found, not found, general, stopped, broken, queued; and all of it is kept."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from app.core.errors import AppError, NotFoundError, StorageError, UsageError, WorkerError
from app.core.paths import DataPaths
from app.core.prompting import SYSTEM_PROMPT
from app.host.services import answering
from app.host.services.answering import NOT_FOUND_TEXT, Ports
from app.host.services.chat import MAX_QUESTION_CHARS, ChatService
from app.host.services.chat_store import ChatStore
from app.host.services.chats import Chats
from app.host.services.ports import Cancelled, GenerationOptions
from app.protocol.body import Body
from app.protocol.chat import (
    AnswerDone,
    AnswerKept,
    AnswerPhase,
    AnswerStarted,
    AnswerToken,
    Ask,
    ChatMessage,
    Conversation,
    ConversationChanged,
    CreateConversation,
    ImageAttachment,
)
from app.protocol.documents import GetText
from app.protocol.engine import Sampling
from app.protocol.library import GetLibraryStatus
from app.protocol.search import Scope, Search
from tests.unit.host.conftest import Context, Recorder
from tests.unit.host.services.chat_fakes import (
    PUMP_TEXT,
    FakeEngine,
    FakeImages,
    FakeLibrary,
    FakeModels,
    FakeSettings,
)

QUESTION = "How long is the warranty?"


@dataclass
class Desk:
    """The chat service with everything around it."""

    library: FakeLibrary
    engine: FakeEngine
    models: FakeModels
    settings: FakeSettings
    images: FakeImages
    chats: Chats
    events: Recorder
    service: ChatService

    async def ask(
        self, question: str = QUESTION, context: Context | None = None, **fields: object
    ) -> AnswerDone:
        request = Ask(question=question, **fields)  # type: ignore[arg-type]
        result = await self.service.handlers()[Ask](request, context or Context())
        assert isinstance(result, AnswerDone)
        return result

    async def conversation(self, conversation_id: str) -> Conversation:
        return await self.chats.do(ChatStore.conversation, conversation_id)

    async def stored_answer(self, conversation_id: str) -> ChatMessage:
        return (await self.conversation(conversation_id)).messages[-1]


@pytest.fixture
async def desk(paths: DataPaths) -> AsyncIterator[Desk]:
    paths.root.mkdir()
    events = Recorder()
    library, engine, models, settings = FakeLibrary(), FakeEngine(), FakeModels(), FakeSettings()
    chats = Chats(paths.chats_db_path, paths.backups_dir, events)
    images = FakeImages()
    service = ChatService(Ports(library, engine, models, settings, images), chats, events)
    yield Desk(library, engine, models, settings, images, chats, events, service)
    await chats.close()


def phases(context: Context) -> list[str]:
    names = [body.phase for body in context.progressed if isinstance(body, AnswerPhase)]
    return [name for i, name in enumerate(names) if not i or names[i - 1] != name]


def of(context: Context, kind: type[Body]) -> list[Body]:
    return [body for body in context.progressed if isinstance(body, kind)]


async def test_an_answer_from_documents_cites_its_place(desk: Desk) -> None:
    context = Context()
    done = await desk.ask(context=context)
    assert done.found
    assert done.answer.text == "The warranty is 24 months [1]."
    assert (done.answer.kind, done.answer.state, done.answer.model) == ("documents", "complete", "tiny")
    (citation,) = done.answer.citations
    assert citation.quote == "The Aurora X200 pump has a warranty of 24 months."
    assert PUMP_TEXT[citation.char_start : citation.char_end] == citation.quote
    assert (citation.verified, citation.page, citation.name) == (True, 1, "file1.pdf")
    assert done.answer.stats.cached_tokens == 3
    assert phases(context) == ["searching", "loading", "reading", "writing"]
    assert "".join(b.text for b in context.progressed if isinstance(b, AnswerToken)) == desk.engine.reply
    assert isinstance(context.progressed[0], AnswerStarted)
    assert await desk.stored_answer(done.conversation_id) == done.answer
    assert desk.library.throttled == [True, False]


async def test_the_page_is_that_of_the_quote(desk: Desk) -> None:
    desk.engine.reply = "It was founded in 1987 by Helga Brandt."
    done = await desk.ask("Who founded the company?")
    assert [citation.page for citation in done.answer.citations] == [2]


async def test_what_is_not_found_is_said_without_the_model(desk: Desk) -> None:
    desk.library.found = False
    done = await desk.ask()
    assert (done.found, done.answer.kind, done.answer.text) == (False, "not_found", NOT_FOUND_TEXT)
    assert "without documents" in done.answer.error_hint
    assert not desk.models.asked
    assert not desk.engine.prompts


async def test_the_hint_tells_that_files_are_still_being_read(desk: Desk) -> None:
    desk.library.found = False
    desk.library.waiting = 1
    assert "1 file is still being read" in (await desk.ask()).answer.error_hint
    desk.library.waiting = 3
    assert "3 files are still being read" in (await desk.ask()).answer.error_hint
    desk.library.fails[GetLibraryStatus] = WorkerError("worker.died", "gone")
    assert "without documents" in (await desk.ask()).answer.error_hint


@pytest.mark.parametrize(
    "fields",
    [{"use_documents": False}, {"scope": Scope(kind="none")}, {"collections": ("Empty",)}],
)
async def test_without_documents_the_answer_is_general(desk: Desk, fields: dict[str, Any]) -> None:
    done = await desk.ask(**fields)
    assert (done.found, done.answer.kind, done.answer.citations) == (False, "general", ())
    assert done.answer.text == desk.engine.reply
    assert not desk.library.searches
    assert [message.role for message in desk.engine.prompts[0].messages] == ["system", "user"]
    assert desk.engine.prompts[0].messages[-1].content == QUESTION


async def test_an_empty_library_gives_general_answers(desk: Desk) -> None:
    desk.library.texts.clear()
    assert (await desk.ask()).answer.kind == "general"


async def test_collections_are_found_by_name(desk: Desk) -> None:
    await desk.ask(collections=("documents",))
    assert desk.library.searches[-1].scope == Scope(kind="some", collection_ids=(1,))
    with pytest.raises(NotFoundError) as caught:
        await desk.ask(collections=("EMPTY",))  # two are called so, but for the case
    assert caught.value.code == "collection.not_found"
    with pytest.raises(NotFoundError):
        await desk.ask(collections=("nowhere",))


async def test_the_conversations_own_scope_counts(desk: Desk) -> None:
    entry = await desk.chats.do(
        ChatStore.create, CreateConversation(scope=Scope(kind="some", collection_ids=(1,)), model="other")
    )
    await desk.ask(conversation_id=entry.id)
    assert desk.library.searches[-1].scope.collection_ids == (1,)
    assert desk.models.asked == ["other"]
    await desk.ask(conversation_id=entry.id, scope=Scope(), model="third")
    assert desk.library.searches[-1].scope == Scope()
    assert desk.models.asked[-1] == "third"


async def test_less_than_the_full_search_is_said(desk: Desk) -> None:
    desk.library.degraded = "Vectors are being made; found by keywords only."
    context = Context()
    await desk.ask(context=context)
    assert desk.library.degraded in [b.detail for b in context.progressed if isinstance(b, AnswerPhase)]


async def test_the_prompt_only_grows_and_passages_keep_their_number(desk: Desk) -> None:
    first = await desk.ask()
    desk.engine.reply = "It was founded in 1987 [7]."
    second = await desk.ask("When was the company founded?", conversation_id=first.conversation_id)
    desk.engine.reply = "The warranty is 24 months."
    third = await desk.ask("And the warranty of the X200?", conversation_id=first.conversation_id)
    prompts = [generate.messages for generate in desk.engine.prompts]
    assert prompts[0][0].content == SYSTEM_PROMPT
    assert prompts[1][: len(prompts[0])] == prompts[0]
    assert prompts[2][: len(prompts[1])] == prompts[1]
    assert prompts[1][2].content == "The warranty is 24 months."  # the model's own words, without our marks
    assert prompts[2][4].content == "It was founded in 1987 [7]."
    assert [c.n for c in second.answer.citations] == [2]
    assert [c.n for c in third.answer.citations] == [1]
    assert "24 months" not in prompts[2][-1].content  # referred to, not repeated
    assert "[1]" in prompts[2][-1].content
    check = {c.name: c.status for c in await asyncio.to_thread(desk.chats.check)}
    assert set(check.values()) == {"ok"}


async def test_a_follow_up_is_searched_with_its_subject(desk: Desk) -> None:
    first = await desk.ask()
    await desk.ask("How much is it?", conversation_id=first.conversation_id)
    assert desk.library.searches[-1].query == "long warranty: How much is it?"
    await desk.ask("Why?", conversation_id=first.conversation_id)
    assert "warranty" in desk.library.searches[-1].query


async def test_a_conversation_that_outgrows_the_context_goes_on_in_a_fresh_window(desk: Desk) -> None:
    desk.models.context_length = 400
    desk.engine.reply = "The warranty is 24 months. " * 5
    conversation_id, notes = None, []
    for number in range(12):
        context = Context()
        done = await desk.ask(
            f"How long is warranty number {number}?", context, conversation_id=conversation_id
        )
        conversation_id = done.conversation_id
        notes += [b.detail for b in context.progressed if isinstance(b, AnswerPhase) and "longer" in b.detail]
        assert done.answer.citations[0].n == 1  # written out again, with its number
    sizes = [len(generate.messages) for generate in desk.engine.prompts]
    assert notes
    assert max(sizes) < 24
    assert any(later < earlier for earlier, later in itertools.pairwise(sizes))


async def test_estimates_that_were_too_low_are_made_good(desk: Desk) -> None:
    first = await desk.ask("warranty pressure company employees")
    assert desk.engine.prompts[-1].messages[-1].content.count("bar") == 1
    desk.models.context_length = 400
    desk.engine.underestimates = 210
    await desk.ask(
        "warranty pressure company employees months founded", conversation_id=first.conversation_id
    )
    assert len(desk.engine.prompts[-1].messages) == 2
    desk.engine.underestimates = 270
    done = await desk.ask("warranty", conversation_id=first.conversation_id)
    assert done.answer.state == "complete"  # a shorter answer than wished for


async def test_a_question_that_does_not_fit_is_refused_in_words(desk: Desk) -> None:
    desk.models.context_length = 100
    with pytest.raises(AppError) as caught:
        await desk.ask("word " * 200, use_documents=False)
    assert caught.value.code == "prompt.too_long"
    (conversation,) = await desk.chats.do(ChatStore.list_entries)
    answer = await desk.stored_answer(conversation.id)
    assert (answer.state, answer.error_code) == ("failed", "prompt.too_long")
    assert answer.error_hint


async def test_a_passage_whose_text_has_changed_is_another_passage(desk: Desk) -> None:
    first = await desk.ask()
    desk.library.texts[1] = PUMP_TEXT.replace("24", "36")
    desk.engine.reply = "The warranty is 36 months."
    second = await desk.ask(conversation_id=first.conversation_id)
    assert [(c.n, c.verified) for c in second.answer.citations] == [(2, True)]


async def test_a_document_that_vanishes_after_the_search_is_left_out(desk: Desk) -> None:
    desk.library.texts[2] = "The warranty of the lamp is 12 months."
    desk.library.gone = {1}
    await desk.ask()
    assert "lamp" in desk.engine.prompts[0].messages[-1].content
    assert "X200" not in desk.engine.prompts[0].messages[-1].content


async def test_text_that_cannot_be_read_fails_the_answer(desk: Desk) -> None:
    desk.library.fails[GetText] = WorkerError("worker.died", "The library ended.")
    with pytest.raises(AppError):
        await desk.ask()


async def test_quotes_that_cannot_be_read_again_are_not_verified(desk: Desk) -> None:
    desk.engine.hold = asyncio.Event()
    asking = asyncio.create_task(desk.ask())
    await desk.engine.writing.wait()
    desk.library.gone = {1}
    desk.engine.hold.set()
    done = await asking
    (citation,) = done.answer.citations
    assert not citation.verified
    assert citation.page == 1
    assert done.answer.unsupported == ((citation.answer_start, citation.answer_end),)


async def test_a_stopped_answer_keeps_what_came(desk: Desk) -> None:
    desk.engine.hold = asyncio.Event()
    context = Context()
    asking = asyncio.create_task(desk.ask(context=context))
    await desk.engine.writing.wait()
    asking.cancel()
    with pytest.raises(Cancelled) as caught:
        await asking
    (kept,) = of(context, AnswerKept)
    assert caught.value.body == kept
    assert isinstance(kept, AnswerKept)
    assert kept.answer.state == "stopped"
    assert kept.answer.text.startswith("The warranty is 24")
    started = context.progressed[0]
    assert isinstance(started, AnswerStarted)
    assert await desk.stored_answer(started.conversation.id) == kept.answer
    assert desk.engine.n_closed == 1
    assert desk.library.throttled == [True, False]


async def test_an_answer_stopped_before_its_first_word_is_empty(desk: Desk) -> None:
    desk.engine.reply = "never"
    desk.engine.hold = asyncio.Event()
    context = Context()
    asking = asyncio.create_task(desk.ask(context=context, use_documents=False))
    await desk.engine.writing.wait()
    asking.cancel()
    with pytest.raises(Cancelled):
        await asking
    (kept,) = of(context, AnswerKept)
    assert isinstance(kept, AnswerKept)
    assert (kept.answer.state, kept.answer.text) == ("stopped", "")


async def test_a_worker_that_dies_leaves_the_partial_answer_and_a_reason(desk: Desk) -> None:
    desk.engine.error = WorkerError("worker.died", "The inference process ended.", "Ask again.")
    desk.engine.error_after = 3
    context = Context()
    with pytest.raises(WorkerError):
        await desk.ask(context=context)
    (kept,) = of(context, AnswerKept)
    assert isinstance(kept, AnswerKept)
    assert (kept.answer.state, kept.answer.error_code) == ("interrupted", "worker.died")
    assert kept.answer.error_message == "The inference process ended."
    assert kept.answer.text.startswith("The warranty is")
    # The conversation goes on.
    desk.engine.error = None
    started = context.progressed[0]
    assert isinstance(started, AnswerStarted)
    done = await desk.ask(conversation_id=started.conversation.id)
    assert done.answer.state == "complete"


async def test_a_model_that_cannot_be_loaded_fails_the_answer(desk: Desk) -> None:
    desk.models.error = WorkerError("model.none", "There is no chat model.", "Fetch one.")
    context = Context()
    with pytest.raises(AppError):
        await desk.ask(context=context)
    (kept,) = of(context, AnswerKept)
    assert isinstance(kept, AnswerKept)
    assert kept.answer.state == "failed"


async def test_a_model_that_writes_nothing_is_an_error(desk: Desk) -> None:
    desk.engine.reply = " "
    with pytest.raises(AppError) as caught:
        await desk.ask()
    assert caught.value.code == "answer.empty"


@pytest.mark.parametrize("finish", ["length", "context"])
async def test_an_answer_that_was_cut_says_so(desk: Desk, finish: str) -> None:
    desk.engine.finish = finish
    done = await desk.ask()
    assert (done.answer.state, done.answer.error_code) == ("complete", f"answer.{finish}_limit")
    assert await desk.stored_answer(done.conversation_id) == done.answer


async def test_questions_are_answered_one_after_another(desk: Desk) -> None:
    desk.engine.hold = asyncio.Event()
    first = asyncio.create_task(desk.ask())
    await desk.engine.writing.wait()
    context = Context()
    second = asyncio.create_task(desk.ask(context=context))
    while not of(context, AnswerPhase):
        await asyncio.sleep(0)
    assert phases(context) == ["waiting"]
    (waiting,) = of(context, AnswerPhase)
    assert isinstance(waiting, AnswerPhase) and waiting.detail == "1 answer before this one"
    assert len(desk.engine.prompts) == 1
    desk.engine.hold.set()
    assert (await first).answer.state == "complete"
    assert (await second).answer.state == "complete"


async def test_a_waiting_question_can_be_stopped(desk: Desk) -> None:
    desk.engine.hold = asyncio.Event()
    first = asyncio.create_task(desk.ask())
    await desk.engine.writing.wait()
    context = Context()
    second = asyncio.create_task(desk.ask(context=context))
    while not of(context, AnswerPhase):
        await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(Cancelled):
        await second
    desk.engine.hold.set()
    await first


async def test_nothing_is_stored_of_a_question_that_is_not_kept(desk: Desk) -> None:
    done = await desk.ask(keep=False)
    assert done.conversation_id == ""
    assert done.answer.citations
    assert await desk.chats.do(ChatStore.list_entries) == ()
    assert not desk.events.of(ConversationChanged)
    desk.library.found = False
    assert (await desk.ask(keep=False)).answer.kind == "not_found"


async def test_what_comes_is_saved_while_it_comes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "SAVE_PERIOD_S", 0.01)
    desk.engine.hold = asyncio.Event()
    asking = asyncio.create_task(desk.ask())
    await desk.engine.writing.wait()
    (entry,) = await desk.chats.do(ChatStore.list_entries)
    while not (answer := await desk.stored_answer(entry.id)).text:
        await asyncio.sleep(0.01)
    assert (answer.state, answer.text) == ("streaming", "The warranty is 24 ")
    await asyncio.sleep(0.05)
    desk.engine.hold.set()
    await asking


async def test_a_partial_answer_of_no_conversation_is_not_saved(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "SAVE_PERIOD_S", 0.01)
    desk.engine.hold = asyncio.Event()
    asking = asyncio.create_task(desk.ask(keep=False))
    await desk.engine.writing.wait()
    await asyncio.sleep(0.05)
    desk.engine.hold.set()
    await asking
    assert await desk.chats.do(ChatStore.list_entries) == ()


async def test_a_disk_that_fails_for_a_while_does_not_end_the_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(answering, "SAVE_PERIOD_S", 0.01)

    def full(self: ChatStore, answer: ChatMessage) -> None:
        raise StorageError("storage.full", "The disk is full.")

    monkeypatch.setattr(ChatStore, "save_partial", full)
    monkeypatch.setattr(ChatStore, "back_up_if_due", lambda self: full(self, None))  # type: ignore[arg-type]
    desk.engine.hold = asyncio.Event()
    asking = asyncio.create_task(desk.ask())
    await desk.engine.writing.wait()
    await asyncio.sleep(0.05)
    desk.engine.hold.set()
    assert (await asking).answer.state == "complete"
    assert "the conversations could not be copied: storage.full" in caplog.messages
    caplog.clear()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"question": "  "}, "question.empty"),
        ({"question": "x" * (MAX_QUESTION_CHARS + 1)}, "question.too_long"),
        ({"question": "Why?", "scope": Scope(kind="mine")}, "scope.unknown"),
    ],
)
async def test_questions_that_make_no_sense_are_refused(
    desk: Desk, fields: dict[str, object], code: str
) -> None:
    with pytest.raises(UsageError) as caught:
        await desk.ask(**fields)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert await desk.chats.do(ChatStore.list_entries) == ()


async def test_an_unknown_conversation_is_refused(desk: Desk) -> None:
    with pytest.raises(NotFoundError) as caught:
        await desk.ask(conversation_id="gone")
    assert caught.value.code == "conversation.not_found"


async def test_the_wishes_of_the_request_reach_the_engine(desk: Desk) -> None:
    desk.models.options = GenerationOptions(
        temperature=0.5, max_tokens=77, top_k=3, stop=("END",), sampling=Sampling(mirostat=2)
    )
    await desk.ask()
    await desk.ask(max_tokens=5, temperature=0.9, seed=42)
    first, second = desk.engine.prompts
    assert (first.temperature, first.max_tokens, first.top_k, first.seed) == (0.5, 77, 3, None)
    assert first.stop[-1] == "END" and first.sampling.mirostat == 2
    assert (second.temperature, second.max_tokens, second.seed) == (0.9, 5, 42)
    assert [handle for handle, _ in desk.models.noted] == ["h1", "h1"]


async def test_the_users_system_prompt_stands_before_general_conversations_only(desk: Desk) -> None:
    desk.models.options = GenerationOptions(system_prompt="Talk like a pirate.")
    await desk.ask()
    await desk.ask(use_documents=False)
    from_documents, general = desk.engine.prompts
    assert "pirate" not in from_documents.messages[0].content
    assert general.messages[0].content == "Talk like a pirate."


async def test_a_search_that_fails_ends_in_its_reason(desk: Desk) -> None:
    desk.library.fails[Search] = WorkerError("worker.died", "The library ended.", "Ask again.")
    context = Context()
    with pytest.raises(WorkerError):
        await desk.ask(context=context)
    (kept,) = of(context, AnswerKept)
    assert isinstance(kept, AnswerKept)
    assert kept.answer.error_message == "The library ended."


def image_of(letter: str) -> ImageAttachment:
    return ImageAttachment(sha256=letter * 64, name=f"{letter}.png", width=1, height=1)


async def test_an_image_goes_to_the_model_with_its_question_and_stays_in_its_place(desk: Desk) -> None:
    desk.images.kept = {"a" * 64, "b" * 64}
    desk.models.reads_images = True
    done = await desk.ask("What is on this picture of a cat?", images=(image_of("a"),), use_documents=False)
    await desk.ask(
        "And on this one?", conversation_id=done.conversation_id, images=(image_of("b"), image_of("a"))
    )
    first, second = desk.engine.prompts
    assert [message.images for message in first.messages] == [(), (0,)]
    assert [message.images for message in second.messages] == [(), (0,), (), (1, 0)]
    assert [image.sha256[0] for image in second.images] == ["a", "b"]
    assert desk.engine.payloads == [b"aaa", b"aaabbb"]
    assert second.conversation == done.conversation_id
    assert second.handle == "h1"
    whole = [request for request in desk.engine.counted if request.messages]
    assert whole[-1].images == second.images
    messages = (await desk.conversation(done.conversation_id)).messages
    assert [len(message.images) for message in messages] == [1, 0, 2, 0]


async def test_a_question_about_an_image_needs_no_documents(desk: Desk) -> None:
    """What the documents do not hold may stand on the image, also one attached earlier."""
    desk.images.kept = {"a" * 64}
    desk.models.reads_images = True
    done = await desk.ask("Zebras?", images=(image_of("a"),))
    assert (done.answer.kind, done.found) == ("general", False)
    done = await desk.ask("Zebras again?", conversation_id=done.conversation_id)
    assert done.answer.kind == "general"
    assert (await desk.ask("Zebras?")).answer.kind == "not_found"


async def test_a_model_that_reads_no_images_says_so(desk: Desk) -> None:
    desk.images.kept = {"a" * 64}
    context = Context()
    with pytest.raises(AppError) as caught:
        await desk.ask("What is this?", context, images=(image_of("a"),), use_documents=False)
    assert caught.value.code == "model.no_images"
    assert caught.value.hint
    (kept,) = [body for body in context.progressed if isinstance(body, AnswerKept)]
    assert (kept.answer.state, kept.answer.error_code) == ("failed", "model.no_images")


async def test_earlier_images_are_left_out_where_the_model_cannot_read_them(desk: Desk) -> None:
    desk.images.kept = {"a" * 64}
    desk.models.reads_images = True
    done = await desk.ask("What is this?", images=(image_of("a"),), use_documents=False)
    desk.models.reads_images = False
    context = Context()
    await desk.ask("And why?", context, conversation_id=done.conversation_id, use_documents=False)
    assert not desk.engine.prompts[-1].images
    assert not any(message.images for message in desk.engine.prompts[-1].messages)
    details = [body.detail for body in context.progressed if isinstance(body, AnswerPhase)]
    assert any("left out" in detail for detail in details)


async def test_an_image_that_is_not_kept_is_refused_before_anything_is_stored(desk: Desk) -> None:
    with pytest.raises(NotFoundError) as caught:
        await desk.ask("What is this?", images=(image_of("a"),))
    assert caught.value.code == "image.not_found"
    assert await desk.chats.do(ChatStore.list_entries) == ()


async def test_an_image_that_vanishes_before_the_answer_is_named(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.images.kept = {"a" * 64}
    desk.models.reads_images = True

    async def nothing(digests: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(desk.images, "pictures", nothing)
    with pytest.raises(AppError) as caught:
        await desk.ask("What is this?", images=(image_of("a"),), use_documents=False)
    assert caught.value.code == "image.bad"


async def test_an_answer_of_a_given_form_stays_as_the_model_wrote_it(desk: Desk) -> None:
    desk.models.n_params = 100_000_000
    desk.engine.reply = '{"warranty": "The warranty is 24 months."}'
    done = await desk.ask(json_schema={"type": "object"})
    assert done.answer.kind == "documents"
    assert done.answer.text == desk.engine.reply
    assert done.answer.citations == ()
    assert done.answer.unsupported == ()
    (prompt,) = desk.engine.prompts
    assert (prompt.json_schema, prompt.stop) == ({"type": "object"}, ())
    desk.engine.reply = "24"
    done = await desk.ask(grammar='root ::= "24"')
    assert desk.engine.prompts[-1].grammar == 'root ::= "24"'
    assert done.answer.text == "24"
