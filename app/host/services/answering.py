"""How one answer comes about: search, gate, prompt, generation, citations."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from app.core.citations import attribute
from app.core.conversations import Kind, State
from app.core.errors import AppError, FileError, ModelError
from app.core.evidence import Source
from app.core.followups import Turn, stand_alone
from app.core.prompting import Passage, echo_stops, prompt_images, search_limit, without_echo
from app.host.services.answer_prompt import Asked, Prepared, PromptBuilder, image_sizes
from app.host.services.answer_sources import Verifier, documents_of, not_found_hint
from app.host.services.chat_store import History, PromptRecord
from app.host.services.ports import (
    EnginePort,
    GenerationOptions,
    ImagesPort,
    LibraryPort,
    ModelsPort,
    SettingsPort,
)
from app.protocol.body import Body
from app.protocol.chat import AnswerPhase, AnswerStats, AnswerToken, Ask, ChatMessage
from app.protocol.engine import EngineInfo, Generate, Generation, PromptProgress, TokenGenerated
from app.protocol.search import Hit, Scope, Search

log = logging.getLogger(__name__)

NOT_FOUND_TEXT = "This is not in your documents."
SAVE_PERIOD_S = 0.5


@dataclass(frozen=True)
class Ports:
    """What an answer is made with."""

    library: LibraryPort
    engine: EnginePort
    models: ModelsPort
    settings: SettingsPort
    images: ImagesPort


class Journal(Protocol):
    """Where an answer's conversation comes from and goes to; nowhere, for one that is not kept."""

    async def history(self) -> History:
        """Give the turns before the question."""

    async def save_prompt(self, record: PromptRecord) -> None:
        """Keep how the question goes to the model."""

    async def save_partial(self, answer: ChatMessage) -> None:
        """Keep what has come so far."""

    async def finish(self, answer: ChatMessage, reply: str) -> None:
        """Keep the answer as it ends, and the model's own words."""


class Answering:
    """One answer in the making; used by one task.

    Attributes:
        found: the relevance gate's decision; False where no documents were asked.
    """

    def __init__(
        self,
        ports: Ports,
        journal: Journal,
        request: Ask,
        question: ChatMessage,
        answer: ChatMessage,
        scope: Scope,
        progress: Callable[[Body], None],
        conversation_id: str = "",
    ) -> None:
        """Bind the question; nothing happens yet.

        Args:
            ports: the host's services.
            journal: the conversation.
            request: as the front end sent it.
            question: the stored question.
            answer: its still empty answer, with the name of the model that is wished for.
            scope: the documents that may be used.
            progress: sends a body to the front end.
            conversation_id: whose KV cache the engine may keep; empty where nothing is kept.
        """
        self._ports, self._journal, self._request = ports, journal, request
        self._question, self._answer, self._scope = question, answer, scope
        self._progress, self._conversation_id = progress, conversation_id
        self._text = ""
        self._sources: Mapping[int, Passage] = {}
        self.found = False

    async def run(self) -> ChatMessage:
        """Make the answer and keep it.

        Raises:
            AppError: the workers' reasons; call `keep` then.
        """
        history = await self._journal.history()
        earlier = [Turn(turn.query, turn.answer) for turn in history.turns]
        query = stand_alone(self._question.text, earlier)
        shows_images = bool(self._question.images) or any(turn.prompt.images for turn in history.turns)
        kind, hits = await self._search(query, shows_images=shows_images)
        self._answer = replace(self._answer, kind=kind.value)
        if kind is Kind.NOT_FOUND:
            return await self._not_found(query)
        info = await self._load()
        prepared = await self._prepare(query, hits, info, history)
        stops = echo_stops(info.n_params) if kind is Kind.DOCUMENTS and not self._has_form else ()
        return await self._complete(await self._generate(prepared, stops))

    # ------------------------------------------------------------------------------------------ search

    @property
    def _has_form(self) -> bool:
        """Whether the answer obeys a grammar or schema, so that nothing may be added to it or taken off."""
        return bool(self._request.grammar) or self._request.json_schema is not None

    async def _search(self, query: str, *, shows_images: bool) -> tuple[Kind, tuple[Hit, ...]]:
        """Decide what kind of answer it becomes, and give the passages found for one from documents.

        Where images were attached, a question that the documents do not answer may be about them.
        """
        request, library = self._request, self._ports.library
        if not request.use_documents:
            return Kind.GENERAL, ()
        self._phase("searching")
        documents = await documents_of(library, request.collections, self._scope)
        if not documents.n_files:
            return Kind.GENERAL, ()
        limit = search_limit(self._ports.settings.current().passage_tokens)
        result = await library.call(Search(query=query, scope=documents.scope, limit=limit))
        if result.degraded:
            self._phase("searching", result.degraded)
        self.found = result.found and bool(result.hits)
        if self.found:
            return Kind.DOCUMENTS, result.hits
        return (Kind.GENERAL if shows_images else Kind.NOT_FOUND), ()

    async def _not_found(self, query: str) -> ChatMessage:
        """Give the program's own answer; the model is not asked, so it cannot make one up."""
        await self._journal.save_prompt(PromptRecord(query=query))
        hint = await not_found_hint(self._ports.library)
        answer = replace(
            self._answer, text=NOT_FOUND_TEXT, state=State.COMPLETE.value, model="", error_hint=hint
        )
        return await self._finish(answer, "")

    # ------------------------------------------------------------------------------------------ model

    async def _load(self) -> EngineInfo:
        def on_progress(fraction: float) -> None:
            self._phase("loading", progress=fraction)

        info = await self._ports.models.ensure_loaded(self._answer.model, on_progress)
        self._answer = replace(self._answer, model=info.name)
        return info

    async def _prepare(
        self, query: str, hits: tuple[Hit, ...], info: EngineInfo, history: History
    ) -> Prepared:
        digests = tuple(image.sha256 for image in self._question.images)
        if digests and not info.reads_images:
            raise _no_images(info)
        shown = prompt_images([turn.prompt for turn in history.turns], digests) if info.reads_images else ()
        pictures = await self._ports.images.pictures(shown)
        if not all(digest in pictures for digest in digests):
            raise _image_gone()
        asked = Asked(
            images=digests,
            question_id=self._question.id,
            question=self._question.text,
            query=query,
            hits=hits,
            max_tokens=self._max_tokens(),
            passage_tokens=self._ports.settings.current().passage_tokens,
            system=self._options().system_prompt,
        )
        ports = self._ports
        builder = PromptBuilder(ports.library, ports.engine, info, asked, history, pictures)
        prepared = await builder.build()
        await self._journal.save_prompt(prepared.record)
        self._sources = {} if self._has_form else prepared.sources
        self._phase("reading", prepared.note)
        return prepared

    def _max_tokens(self) -> int:
        wished = self._request.max_tokens
        return self._options().max_tokens if wished is None else max(1, wished)

    def _options(self) -> GenerationOptions:
        return self._ports.models.generation_options(self._answer.model)

    async def _generate(self, prepared: Prepared, stops: tuple[str, ...]) -> Generation:
        """Let the model write; each piece of text goes out at once, and to the disk twice a second."""
        options, request = self._options(), self._request
        generate = Generate(
            messages=prepared.messages,
            max_tokens=self._max_tokens(),
            temperature=options.temperature if request.temperature is None else request.temperature,
            top_p=options.top_p,
            top_k=options.top_k,
            min_p=options.min_p,
            repeat_penalty=options.repeat_penalty,
            sampling=options.sampling,
            seed=options.seed if request.seed is None else request.seed,
            stop=(*stops, *options.stop),
            prompt_lookup=options.prompt_lookup,
            shift_context=options.shift_context,
            handle=prepared.handle,
            conversation=self._conversation_id,
            images=image_sizes(prepared.pictures),
            grammar=request.grammar,
            json_schema=request.json_schema,
        )
        payload = b"".join(picture.pixels for picture in prepared.pictures)
        stream = self._ports.engine.stream(generate, payload)
        async with self._saving(), contextlib.aclosing(stream) as bodies:  # type: ignore[type-var]
            async for body in bodies:
                if isinstance(body, Generation):
                    await self._ports.models.note_answer(prepared.handle, body)
                    return body
                self._take(body)
        raise AssertionError("a stream ends with its result or raises")  # pragma: no cover

    def _take(self, body: Body) -> None:
        if isinstance(body, TokenGenerated):
            if not self._text:
                self._phase("writing")
            self._text += body.text
            self._progress(AnswerToken(text=body.text))
        elif isinstance(body, PromptProgress):
            self._phase("reading", progress=body.done / body.total if body.total else None)

    @contextlib.asynccontextmanager
    async def _saving(self) -> AsyncIterator[None]:
        """Keep what has come, again and again, so that a crash loses less than a second."""
        saver = asyncio.create_task(self._save_repeatedly(), name="answer saving")
        try:
            yield
        finally:
            saver.cancel()
            await asyncio.gather(saver, return_exceptions=True)

    async def _save_repeatedly(self) -> None:
        saved = ""
        while True:
            await asyncio.sleep(SAVE_PERIOD_S)
            if self._text != saved:
                saved = self._text
                try:
                    await self._journal.save_partial(replace(self._answer, text=saved))
                except AppError as error:  # the end of the answer tries again, and tells
                    log.info("a partial answer was not saved: %s", error.code)

    # ------------------------------------------------------------------------------------------ end

    async def _complete(self, generation: Generation) -> ChatMessage:
        self._text = generation.text if self._has_form else without_echo(generation.text)
        if not generation.text.strip():
            raise ModelError(
                "answer.empty",
                "The model wrote nothing.",
                "Ask in other words, or choose another model.",
            )
        answer = replace(self._answer, state=State.COMPLETE.value, stats=_stats(generation))
        return await self._finish(await self._cited(_with_limit(answer, generation)), generation.text)

    async def keep(self, state: State, error: AppError | None = None) -> ChatMessage:
        """Keep what has come of an answer that did not end by itself.

        Args:
            state: `stopped`, or `failed` (then `interrupted`, where text had come).
            error: what happened.
        """
        if state is State.FAILED and self._text:
            state = State.INTERRUPTED
        answer = replace(self._answer, text=self._text, state=state.value)
        if error is not None:
            answer = replace(
                answer, error_code=error.code, error_message=error.user_message, error_hint=error.hint
            )
        await self._finish(answer, self._text)  # first of all: a second cancel must find it stored
        return await self._finish(await self._cited(answer), self._text) if self._sources else answer

    async def _cited(self, answer: ChatMessage) -> ChatMessage:
        """Give the answer its citations."""
        if not self._sources:
            return replace(answer, text=self._text.strip())
        sources = [_source(passage) for passage in self._sources.values()]
        # Some tens of milliseconds of computing, which the host's loop must not wait for.
        attribution = await asyncio.to_thread(attribute, self._text, self._question.text, sources)
        citations = await Verifier(self._ports.library).citations(attribution, self._sources)
        unverified = {(c.answer_start, c.answer_end) for c in citations if not c.verified}
        return replace(
            answer,
            text=attribution.text,
            citations=citations,
            unsupported=tuple(sorted(unverified | set(attribution.unsupported))),
        )

    async def _finish(self, answer: ChatMessage, reply: str) -> ChatMessage:
        await self._journal.finish(answer, reply)
        self._answer = answer
        return answer

    def _phase(self, phase: str, detail: str = "", progress: float | None = None) -> None:
        self._progress(AnswerPhase(phase=phase, detail=detail, progress=progress))


def _source(passage: Passage) -> Source:
    context = f"{passage.name}\n{passage.heading}"
    return Source(passage.n, passage.document_id, passage.char_start, passage.text, context)


def _stats(generation: Generation) -> AnswerStats:
    return AnswerStats(
        prompt_tokens=generation.prompt_tokens,
        cached_tokens=generation.cached_tokens,
        completion_tokens=generation.completion_tokens,
        first_token_s=generation.first_token_s,
        tokens_per_s=generation.tokens_per_s,
        n_shifted=generation.n_shifted,
        n_drafted=generation.n_drafted,
        n_accepted=generation.n_accepted,
        from_snapshot=generation.from_snapshot,
        seed=generation.seed,
    )


def _no_images(info: EngineInfo) -> ModelError:
    return ModelError(
        "model.no_images",
        f"The model {info.name} cannot read images.",
        "Choose a model that reads images together with its projector file, or ask without the image.",
        {"model": info.name},
    )


def _image_gone() -> FileError:
    return FileError(
        "image.bad",
        "An image of this question cannot be read any more.",
        "Attach it again from its file, or ask without it.",
    )


def _with_limit(answer: ChatMessage, generation: Generation) -> ChatMessage:
    """Say so where an answer ends because there was no room for more."""
    limits = {
        "length": (
            "answer.length_limit",
            f"The answer was cut at its limit of {generation.completion_tokens:,} tokens.",
            "Ask it to go on, or raise the limit in the settings.",
        ),
        "context": (
            "answer.context_limit",
            "The answer was cut because the model's context is full.",
            "Ask it to go on, or set a longer context in the settings.",
        ),
    }
    if generation.finish not in limits:
        return answer
    code, message, hint = limits[generation.finish]
    return replace(answer, error_code=code, error_message=message, error_hint=hint)
