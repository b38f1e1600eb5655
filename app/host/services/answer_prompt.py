"""Make the prompt of an answer: which turns, which passages, within the model's context."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from app.core.conversations import PromptTurn, first_kept, window
from app.core.errors import AppError, ModelError
from app.core.prompting import (
    MESSAGE_OVERHEAD_TOKENS,
    Passage,
    Span,
    choose,
    hit_cost,
    pack,
    passage_budget,
    prompt_images,
    prompt_messages,
    question_content,
    system_prompt,
)
from app.host.services.chat_store import History, PromptRecord
from app.host.services.ports import EnginePort, LibraryPort, Picture
from app.protocol.documents import GetText
from app.protocol.engine import CountTokens, EngineInfo, ImagePixels, PromptMessage
from app.protocol.search import Hit

_RESERVED_SHARE = 4  # at most a quarter of the context is kept free for the answer
_FRESH_WINDOW = (
    "The conversation has become longer than the model's context. "
    "This answer builds on its latest part only; all of it stays stored."
)
_LEFT_OUT = (
    "Earlier images of this conversation are left out: they are not there any more, or this model cannot "
    "read them."
)


@dataclass(frozen=True)
class Prepared:
    """A prompt that fits.

    Attributes:
        record: what is kept of it.
        sources: the passages that it holds, by number.
        note: in words, where the conversation had to be cut; else empty.
        pictures: that the messages name by index.
        handle: of the model it is made for.
    """

    messages: tuple[PromptMessage, ...]
    record: PromptRecord
    sources: Mapping[int, Passage]
    note: str = ""
    pictures: tuple[Picture, ...] = ()
    handle: str = ""


@dataclass(frozen=True)
class Asked:
    """The question for which a prompt is made.

    Attributes:
        query: the question as it was searched for.
        hits: what was found, best first; empty for a general answer.
        max_tokens: of the answer.
        passage_tokens: the setting.
        images: sha256 of those attached to the question.
        system: what the user set to stand before general conversations; empty for the program's own words.
    """

    question_id: str
    question: str
    query: str
    hits: tuple[Hit, ...]
    max_tokens: int
    passage_tokens: int
    images: tuple[str, ...] = ()
    system: str = ""


class PromptBuilder:
    """Makes one prompt."""

    def __init__(
        self,
        library: LibraryPort,
        engine: EnginePort,
        info: EngineInfo,
        asked: Asked,
        history: History,
        pictures: Mapping[str, Picture],
    ) -> None:
        """Bind what the prompt is made of; the model is loaded.

        Args:
            library: gives the text of passages.
            engine: counts tokens.
            info: the model.
            asked: the question.
            history: the conversation before it.
            pictures: the images of both, by sha256; those that are missing are left out of earlier turns.
        """
        self._library, self._engine, self._info = library, engine, info
        self._asked, self._history, self._pictures = asked, history, pictures
        is_general = not asked.hits and not history.passages
        self._system = (asked.system if is_general else "") or system_prompt(info.n_params)
        self._left_out = 0
        self._room = info.context_length - min(asked.max_tokens, info.context_length // _RESERVED_SHARE)

    async def build(self) -> Prepared:
        """Make the prompt.

        Raises:
            ModelError: `prompt.too_long`, the question alone does not fit.
            AppError: the workers' reasons.
        """
        asked = self._asked
        turns = self._showable(window([turn.prompt for turn in self._history.turns]))
        system, question, *counts = await self._count(
            self._system, asked.question, *(hit.text for hit in asked.hits), *map(_turn_text, turns)
        )
        tokens = dict(zip((hit.chunk_id for hit in asked.hits), counts, strict=False))
        turn_tokens = [n + 2 * MESSAGE_OVERHEAD_TOKENS for n in counts[len(asked.hits) :]]
        room = self._room - system - question - 3 * MESSAGE_OVERHEAD_TOKENS
        budget = min(asked.passage_tokens, passage_budget(self._info.n_params), room)
        hits = choose(asked.hits, tokens, budget)
        kept = self._kept_turns(turns, turn_tokens, hits, tokens, room)
        return await self._fitted(kept, hits, was_cut=len(kept) < len(turns))

    def _showable(self, turns: Sequence[PromptTurn]) -> list[PromptTurn]:
        """Give the turns with those of their images that can be shown to this model."""
        shown = [
            replace(turn, images=tuple(image for image in turn.images if image in self._pictures))
            for turn in turns
        ]
        self._left_out = sum(len(turn.images) for turn in turns) - sum(len(turn.images) for turn in shown)
        return shown

    def _kept_turns(
        self,
        turns: Sequence[PromptTurn],
        turn_tokens: Sequence[int],
        hits: Sequence[Hit],
        tokens: Mapping[int, int],
        room: int,
    ) -> Sequence[PromptTurn]:
        standing = self._standing(turns)
        new = sum(hit_cost(hit, tokens) for hit in hits if _holder(hit, standing) is None)
        if not turns or not first_kept(turn_tokens, room, new):
            return turns
        # Passages of the turns that go are written out again, so all hits count.
        return turns[first_kept(turn_tokens, room, sum(hit_cost(hit, tokens) for hit in hits)) :]

    async def _fitted(self, turns: Sequence[PromptTurn], hits: Sequence[Hit], *, was_cut: bool) -> Prepared:
        """Make the prompt, again with less while it does not fit: counts of parts are estimates."""
        while True:
            prepared = await self._prepared(turns, hits, was_cut=was_cut)
            request = CountTokens(
                messages=prepared.messages, images=image_sizes(prepared.pictures), handle=self._info.handle
            )
            (n_tokens,) = (await self._engine.call(request)).counts
            if n_tokens <= self._room:
                return prepared
            if len(hits) > 1:
                hits = hits[: len(hits) * 3 // 4]
            elif turns:
                turns, was_cut = turns[1:], True
            elif n_tokens < self._info.context_length:
                return prepared  # a shorter answer than wished for is better than none
            else:
                raise _too_long(n_tokens, self._info.context_length)

    async def _prepared(self, turns: Sequence[PromptTurn], hits: Sequence[Hit], *, was_cut: bool) -> Prepared:
        asked = self._asked
        standing = self._standing(turns)
        holders = [_holder(hit, standing) for hit in hits]
        spans = pack([hit for hit, holder in zip(hits, holders, strict=True) if holder is None])
        written = await self._passages(spans)
        referred = sorted({holder.n for holder in holders if holder is not None})
        content = question_content(asked.question, written, referred)
        known = {passage.n for passage in self._history.passages}
        record = PromptRecord(
            query=asked.query,
            content=content,
            window_start=turns[0].question_id if turns else asked.question_id,
            passages=tuple(passage for passage in written if passage.n not in known),
            standing=tuple(passage.n for passage in written),
        )
        sources = {passage.n: passage for passage in (*standing, *written)}
        notes = (_FRESH_WINDOW if was_cut else "", _LEFT_OUT if self._left_out else "")
        return Prepared(
            messages=prompt_messages(self._system, turns, content, asked.images),
            record=record,
            sources=sources,
            note=" ".join(filter(None, notes)),
            pictures=tuple(self._pictures[image] for image in prompt_images(turns, asked.images)),
            handle=self._info.handle,
        )

    def _standing(self, turns: Iterable[PromptTurn]) -> list[Passage]:
        """Give the passages that are written out in these turns."""
        numbers = {n for turn in turns for n in turn.passages}
        return [passage for passage in self._history.passages if passage.n in numbers]

    async def _passages(self, spans: Sequence[Span]) -> list[Passage]:
        """Read the text of each span and give it its number; what was removed meanwhile is left out."""
        texts = await asyncio.gather(*(self._text(span) for span in spans))
        number = max((passage.n for passage in self._history.passages), default=0)
        passages: list[Passage] = []
        for span, text in zip(spans, texts, strict=True):
            if not text:
                continue
            known = self._known(span, text)
            if known is None:
                number += 1
                known = _passage(number, span, text)
            passages.append(known)
        return passages

    def _known(self, span: Span, text: str) -> Passage | None:
        """Find the passage of an earlier prompt that is this one, to keep its number."""
        place = (span.hit.document_id, span.char_start, text)
        same = (p for p in self._history.passages if (p.document_id, p.char_start, p.text) == place)
        return next(same, None)

    async def _text(self, span: Span) -> str:
        request = GetText(
            document_id=span.hit.document_id, char_start=span.char_start, char_end=span.char_end
        )
        try:
            return (await self._library.call(request)).text
        except AppError as error:
            if error.code != "document.not_found":
                raise
            return ""

    async def _count(self, *texts: str) -> tuple[int, ...]:
        return (await self._engine.call(CountTokens(texts=texts, handle=self._info.handle))).counts


def image_sizes(pictures: Sequence[Picture]) -> tuple[ImagePixels, ...]:
    """Give what a request says of its images."""
    return tuple(
        ImagePixels(width=picture.width, height=picture.height, sha256=picture.sha256) for picture in pictures
    )


def _turn_text(turn: PromptTurn) -> str:
    return f"{turn.content}\n{turn.reply}"


def _holder(hit: Hit, standing: Iterable[Passage]) -> Passage | None:
    """Find the passage that holds a hit, as long as its text is still the same."""
    for passage in standing:
        if passage.contains(hit.document_id, hit.char_start, hit.char_end):
            start = hit.char_start - passage.char_start
            if passage.text[start : start + len(hit.text)] == hit.text:
                return passage
    return None


def _passage(n: int, span: Span, text: str) -> Passage:
    hit = span.hit
    return Passage(
        n=n,
        document_id=hit.document_id,
        path=hit.path,
        name=PurePath(hit.path).name,
        heading=hit.heading,
        page=hit.page,
        char_start=span.char_start,
        char_end=span.char_start + len(text),
        text=text,
    )


def _too_long(n_tokens: int, context_length: int) -> ModelError:
    return ModelError(
        "prompt.too_long",
        f"The question has {n_tokens:,} tokens; this model's context holds {context_length:,}.",
        "Shorten the question, or choose a model or a setting with a longer context.",
        {"prompt_tokens": n_tokens, "context_length": context_length},
    )
