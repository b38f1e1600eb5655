"""A library, an engine and models in this process, for tests of what the chat service makes of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import AppError, NotFoundError
from app.core.settings import Settings
from app.host.services.ports import GenerationOptions, Picture
from app.protocol.body import Body, Request
from app.protocol.chat import ImageAttachment
from app.protocol.documents import DocumentInfo, DocumentText, GetDocument, GetText, PageRange
from app.protocol.engine import (
    CountTokens,
    EngineInfo,
    Generate,
    Generation,
    PromptProgress,
    TokenCounts,
    TokenGenerated,
)
from app.protocol.library import Collection, CollectionList, GetLibraryStatus, LibraryStatus, ListCollections
from app.protocol.search import Hit, Search, SearchResult

PUMP_TEXT = (
    "The Aurora X200 pump has a warranty of 24 months. "
    "Its maximum pressure is 3.5 bar. "
    "The company was founded in 1987 by Helga Brandt in Lübeck. "
    "It has 312 employees."
)


@dataclass
class FakeLibrary:
    """Documents of one collection; each sentence is a chunk.

    Attributes:
        texts: by document id.
        found: the gate's decision.
        gone: documents that vanish after the search.
    """

    texts: dict[int, str] = field(default_factory=lambda: {1: PUMP_TEXT})
    found: bool = True
    degraded: str = ""
    waiting: int = 0
    gone: set[int] = field(default_factory=set)
    fails: dict[type[Body], AppError] = field(default_factory=dict)
    searches: list[Search] = field(default_factory=list)
    throttled: list[bool] = field(default_factory=list)

    async def call(self, request: Request[Any]) -> Any:
        await asyncio.sleep(0)
        if type(request) in self.fails:
            raise self.fails[type(request)]
        answers: dict[type[Body], Callable[[Any], Body]] = {
            Search: self._search,
            GetText: self._text,
            GetDocument: self._document,
            ListCollections: self._collections,
            GetLibraryStatus: self._status,
        }
        return answers[type(request)](request)

    async def throttle(self, active: bool) -> None:
        self.throttled.append(active)

    def _search(self, request: Search) -> SearchResult:
        self.searches.append(request)
        words = {word for word in request.query.casefold().replace("?", "").split() if len(word) > 3}
        hits = [hit for hit in self.chunks() if any(word in hit.text.casefold() for word in words)]
        return SearchResult(
            query=request.query,
            found=self.found and bool(hits),
            relevance=0.9,
            seconds=0.0,
            hits=tuple(hits[: request.limit]),
            degraded=self.degraded,
        )

    def chunks(self) -> list[Hit]:
        hits: list[Hit] = []
        for document_id, text in self.texts.items():
            start = 0
            for number, sentence in enumerate(text.split(". ")):
                end = start + len(sentence) + (1 if start + len(sentence) < len(text) else 0)
                hits.append(
                    Hit(
                        rank=len(hits) + 1,
                        score=1.0,
                        document_id=document_id,
                        chunk_id=document_id * 1000 + number,
                        path=f"/docs/file{document_id}.pdf",
                        page=1,
                        char_start=start,
                        char_end=end,
                        heading="",
                        text=text[start:end],
                    )
                )
                start = end + 1
        return hits

    def _text(self, request: GetText) -> DocumentText:
        self._require(request.document_id)
        text = self.texts[request.document_id][request.char_start : request.char_end]
        end = request.char_start + len(text)
        return DocumentText(
            document_id=request.document_id, char_start=request.char_start, char_end=end, text=text
        )

    def _document(self, request: GetDocument) -> DocumentInfo:
        self._require(request.document_id)
        text = self.texts[request.document_id]
        return DocumentInfo(
            document_id=request.document_id,
            path=f"/docs/file{request.document_id}.pdf",
            name=f"file{request.document_id}.pdf",
            title="",
            format="pdf",
            n_chars=len(text),
            pages=(
                PageRange(page=1, char_start=0, char_end=80),
                PageRange(page=2, char_start=80, char_end=len(text)),
            ),
            outline=(),
            source="unchanged",
            renderable=True,
        )

    def _require(self, document_id: int) -> None:
        if document_id in self.gone or document_id not in self.texts:
            raise NotFoundError("document.not_found", "This document is not in the library any more.")

    def _collections(self, request: ListCollections) -> CollectionList:
        return CollectionList(
            collections=(
                Collection(id=1, name="Documents", n_files=len(self.texts)),
                Collection(id=2, name="Empty", n_files=0),
                Collection(id=3, name="empty", n_files=0),
            )
        )

    def _status(self, request: GetLibraryStatus) -> LibraryStatus:
        return LibraryStatus(
            paused=False,
            waiting=self.waiting,
            eta_s=None,
            counts={},
            n_documents=len(self.texts),
            n_chunks=0,
            n_embedded=0,
        )


@dataclass
class FakeEngine:
    """Writes what it is told, word by word; a token is a word.

    Attributes:
        reply: what it writes next.
        error: raised after `error_after` words.
        hold: while it is clear, the engine waits before its last word.
    """

    reply: str = "The warranty is 24 months."
    finish: str = "stop"
    error: AppError | None = None
    error_after: int = 0
    hold: asyncio.Event | None = None
    writing: asyncio.Event = field(default_factory=asyncio.Event)
    prompts: list[Generate] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    counted: list[CountTokens] = field(default_factory=list)
    n_closed: int = 0
    underestimates: int = 0

    async def call(self, request: Request[Any]) -> Any:
        assert isinstance(request, CountTokens)
        await asyncio.sleep(0)
        self.counted.append(request)
        if request.messages:
            n = sum(len(message.content.split()) + 4 for message in request.messages)
            return TokenCounts(counts=(n + self.underestimates,))
        return TokenCounts(counts=tuple(len(text.split()) for text in request.texts))

    async def stream(self, request: Request[Any], payload: bytes = b"") -> AsyncIterator[Body]:
        assert isinstance(request, Generate)
        self.prompts.append(request)
        self.payloads.append(payload)
        try:
            yield TokenCounts(counts=())  # a newer worker may tell more
            yield PromptProgress(done=1, total=2, cached=0)
            yield PromptProgress(done=0, total=0, cached=0)
            words = self.reply.split(" ")
            for number, word in enumerate(words):
                if self.error is not None and number == self.error_after:
                    raise self.error
                last = number == len(words) - 1
                if last and self.hold is not None:
                    self.writing.set()
                    await self.hold.wait()
                yield TokenGenerated(text=word if last else f"{word} ")
            yield Generation(
                text=self.reply,
                prompt_tokens=sum(len(message.content.split()) for message in request.messages),
                cached_tokens=3,
                completion_tokens=len(words),
                first_token_s=0.1,
                tokens_per_s=10.0,
                finish=self.finish,
            )
        finally:
            self.n_closed += 1


@dataclass
class FakeModels:
    """One model, always loaded."""

    context_length: int = 4096
    n_params: int = 8_000_000_000
    reads_images: bool = False
    error: AppError | None = None
    asked: list[str] = field(default_factory=list)
    options: GenerationOptions = field(default_factory=GenerationOptions)
    noted: list[tuple[str, Generation]] = field(default_factory=list)

    async def ensure_loaded(
        self, name: str = "", on_progress: Callable[[float], None] | None = None
    ) -> EngineInfo:
        self.asked.append(name)
        if self.error is not None:
            raise self.error
        if on_progress is not None:
            on_progress(0.5)
        return EngineInfo(
            path="/models/tiny.gguf",
            name=name or "tiny",
            architecture="llama",
            description="",
            n_params=self.n_params,
            context_length=self.context_length,
            context_trained=self.context_length,
            has_template=True,
            load_seconds=0.1,
            n_threads=2,
            handle="h1",
            reads_images=self.reads_images,
        )

    def generation_options(self, name: str) -> GenerationOptions:
        return self.options

    async def note_answer(self, handle: str, generation: Generation) -> None:
        self.noted.append((handle, generation))


@dataclass
class FakeImages:
    """Images that are kept; each is one pixel.

    Attributes:
        kept: their sha256.
    """

    kept: set[str] = field(default_factory=set)

    async def check(self, images: Sequence[ImageAttachment]) -> None:
        for image in images:
            if image.sha256 not in self.kept:
                raise NotFoundError("image.not_found", "This image is not kept any more.")

    async def pictures(self, digests: Sequence[str]) -> dict[str, Picture]:
        return {d: Picture(d, 1, 1, d[:3].encode()) for d in digests if d in self.kept}


@dataclass
class FakeSettings:
    """Settings that do not change."""

    settings: Settings = field(default_factory=Settings)

    def current(self) -> Settings:
        return self.settings
