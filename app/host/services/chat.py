"""Questions and answers: one at a time, streamed, kept, stopped."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from app.core.conversations import State
from app.core.errors import AppError, UsageError
from app.core.titles import title_of
from app.host.services.answer_queue import AnswerQueue, waiting_words
from app.host.services.answering import Answering, Journal, Ports
from app.host.services.chat_rows import storable
from app.host.services.chat_store import ChatStore, History, PromptRecord, new_turn
from app.host.services.chats import Chats
from app.host.services.conversations import require_scope
from app.host.services.ports import Cancelled, Events, Handler, RequestContext
from app.protocol.body import Body
from app.protocol.chat import (
    AnswerDone,
    AnswerKept,
    AnswerPhase,
    AnswerStarted,
    Ask,
    ChatMessage,
    ConversationChanged,
    ConversationEntry,
    CreateConversation,
)
from app.protocol.search import Scope

log = logging.getLogger(__name__)

MAX_QUESTION_CHARS = 200_000


@dataclass(frozen=True)
class _Opened:
    """A question with its place in a conversation.

    Attributes:
        entry: the conversation; one with an empty id where nothing is kept.
    """

    entry: ConversationEntry
    question: ChatMessage
    answer: ChatMessage
    journal: Journal


class ChatService:
    """Answers the requests `chat.ask`."""

    def __init__(self, ports: Ports, chats: Chats, events: Events, queue: AnswerQueue | None = None) -> None:
        """Bind what answers are made with, where they are kept, and the queue of all who use the engine."""
        self._ports, self._chats, self._events = ports, chats, events
        self._queue = queue or AnswerQueue()

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {Ask: self._ask}

    async def _ask(self, request: Ask, context: RequestContext) -> AnswerDone:
        require_question(request)
        await self._ports.images.check(request.images)
        opened = await (self._open_kept(request) if request.keep else self._open_unkept(request))
        context.progress(
            AnswerStarted(conversation=opened.entry, question=opened.question, answer=opened.answer)
        )
        scope = opened.entry.scope if request.scope is None else request.scope
        answering = Answering(
            self._ports,
            opened.journal,
            request,
            opened.question,
            opened.answer,
            scope,
            context.progress,
            opened.entry.id,
        )
        answer = await self._answered(answering, context)
        if request.keep:
            self._events.publish(ConversationChanged(conversation=opened.entry))
            await self._back_up()
        return AnswerDone(conversation_id=opened.entry.id, answer=answer, found=answering.found)

    async def _answered(self, answering: Answering, context: RequestContext) -> ChatMessage:
        """Wait for the turn and make the answer; whatever ends it early, what came is kept.

        Raises:
            Cancelled: with the partial answer.
            AppError: after the partial answer was sent.
        """
        try:
            async with self._one_at_a_time(context):
                return await answering.run()
        except asyncio.CancelledError:
            kept = AnswerKept(answer=await answering.keep(State.STOPPED))
            context.progress(kept)
            raise Cancelled(kept) from None
        except AppError as error:
            context.progress(AnswerKept(answer=await answering.keep(State.FAILED, error)))
            raise

    @contextlib.asynccontextmanager
    async def _one_at_a_time(self, context: RequestContext) -> AsyncIterator[None]:
        """Wait until no other answer is being made; meanwhile embedding yields the cores."""

        def on_place(n_before: int) -> None:
            context.progress(AnswerPhase(phase="waiting", detail=waiting_words(n_before)))

        async with self._queue.turn(on_place):
            await self._ports.library.throttle(True)
            try:
                yield
            finally:
                await self._ports.library.throttle(False)

    async def _open_kept(self, request: Ask) -> _Opened:
        """Store the question and its still empty answer, in a new conversation where none is named."""
        conversation_id = request.conversation_id
        if conversation_id is None:
            created = await self._chats.do(
                ChatStore.create, CreateConversation(scope=request.scope or Scope(), model=request.model)
            )
            conversation_id = created.id
        entry = await self._chats.do(ChatStore.entry, conversation_id)
        model = request.model or entry.model
        entry, question, answer = await self._chats.do(
            ChatStore.begin, conversation_id, storable(request.question), model, request.images
        )
        self._events.publish(ConversationChanged(conversation=entry))
        return _Opened(entry, question, answer, _Kept(self._chats, entry.id, question.id))

    async def _open_unkept(self, request: Ask) -> _Opened:
        question, answer = new_turn(storable(request.question), None, request.model, request.images)
        entry = ConversationEntry(
            id="",
            title=title_of(request.question),
            created_at=question.created_at,
            updated_at=question.created_at,
            scope=request.scope or Scope(),
            model=request.model,
        )
        return _Opened(entry, question, answer, _Unkept())

    async def _back_up(self) -> None:
        try:
            await self._chats.do(ChatStore.back_up_if_due)
        except AppError as error:  # the answer is stored; the doctor says when copies are missing
            log.warning("the conversations could not be copied: %s", error.code)


def require_question(request: Ask) -> None:
    """Refuse a question that cannot be answered.

    Raises:
        UsageError: `question.empty`, `question.too_long` or `scope.unknown`.
    """
    if not request.question.strip():
        raise UsageError("question.empty", "The question is empty.", "Write a question.")
    if len(request.question) > MAX_QUESTION_CHARS:
        raise UsageError(
            "question.too_long",
            f"The question has {len(request.question):,} characters; {MAX_QUESTION_CHARS:,} are the most.",
            "Add the text as a document and ask about it.",
        )
    if request.scope is not None:
        require_scope(request.scope)


class _Kept:
    """The journal of a stored conversation."""

    def __init__(self, chats: Chats, conversation_id: str, question_id: str) -> None:
        self._chats, self._conversation_id, self._question_id = chats, conversation_id, question_id

    async def history(self) -> History:
        return await self._chats.do(ChatStore.history, self._conversation_id, self._question_id)

    async def save_prompt(self, record: PromptRecord) -> None:
        await self._chats.do(ChatStore.save_prompt, self._conversation_id, self._question_id, record)

    async def save_partial(self, answer: ChatMessage) -> None:
        await self._chats.do(ChatStore.save_partial, answer)

    async def finish(self, answer: ChatMessage, reply: str) -> None:
        await self._chats.do(ChatStore.finish, answer, reply)


class _Unkept:
    """The journal of a question that leaves no trace."""

    async def history(self) -> History:
        return History()

    async def save_prompt(self, record: PromptRecord) -> None:
        """Keep nothing."""

    async def save_partial(self, answer: ChatMessage) -> None:
        """Keep nothing."""

    async def finish(self, answer: ChatMessage, reply: str) -> None:
        """Keep nothing."""
