"""What the viewer asks the host about the document it shows."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.core.errors import AppError
from app.protocol.documents import DocumentInfo, FindInDocument, GetDocument, GetText, GetWordBoxes, PageRange
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.viewer.word_boxes import WordBox

_PAGES_KEPT = 64  # a page of 500 words takes about 150 KB
FIND_LIMIT = 1000


@dataclass(frozen=True)
class TextSlice:
    """A part of the stored text; `end` is where the next slice begins."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Found:
    """The answer to a search in the document.

    Attributes:
        text: what was looked for.
        matches: (char_start, char_end) each, at most FIND_LIMIT.
        total: all matches.
        error: why the search failed, or None.
    """

    text: str
    matches: tuple[tuple[int, int], ...] = ()
    total: int = 0
    error: AppError | None = None


class DocumentReader(QObject):
    """Fetches parts of one document; answers for a document that is no longer shown are dropped.

    Signals:
        opened: DocumentInfo of the document asked for last.
        open_failed: AppError.
        words_ready: number of a page whose words `words` now gives.
        page_text_ready: number of a page whose text `page_text` now gives.
        text_failed: AppError; a part of the text could not be had.
        found: Found.
    """

    opened = Signal(object)
    open_failed = Signal(object)
    words_ready = Signal(int)
    page_text_ready = Signal(int)
    text_failed = Signal(object)
    found = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Ask through `session`, in tasks of `tasks`."""
        super().__init__(parent)
        self._session, self._spawner = session, tasks
        self._info: DocumentInfo | None = None
        self._job = 0
        self._find_job = 0
        self._running: set[asyncio.Task[Any]] = set()
        self._words: OrderedDict[int, tuple[WordBox, ...]] = OrderedDict()
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._asked: set[tuple[str, int]] = set()

    @property
    def info(self) -> DocumentInfo | None:
        """The document that is open; None while one is being opened."""
        return self._info

    def open(self, document_id: int) -> None:
        """Let go of the present document and ask for another."""
        self.close()
        self._spawn(self._open(document_id, self._job), "viewer.open")

    def close(self) -> None:
        """Let go of the present document; its open requests are cancelled."""
        self._job += 1
        self._info = None
        for cache in (self._words, self._texts, self._asked):
            cache.clear()
        for task in tuple(self._running):
            task.cancel()

    def page(self, number: int) -> PageRange | None:
        """Give a page by its number, from 1."""
        pages = self._info.pages if self._info else ()
        if 0 < number <= len(pages) and pages[number - 1].page == number:
            return pages[number - 1]
        return next((page for page in pages if page.page == number), None)

    def words(self, page: int) -> tuple[WordBox, ...] | None:
        """Give a page's words; None when they are not here yet: `words_ready` tells when they are."""
        if page in self._words:
            self._words.move_to_end(page)
            return self._words[page]
        self._ask("words", page, self._fetch_words)
        return None

    def page_text(self, page: int) -> str | None:
        """Give a page's stored text; None when it is not here yet: `page_text_ready` tells when it is."""
        if page in self._texts:
            return self._texts[page]
        self._ask("text", page, self._fetch_page_text)
        return None

    def find(self, text: str) -> None:
        """Look for a text; an earlier search that is still under way is forgotten."""
        self._find_job += 1
        if text and self._info is not None:
            self._spawn(self._find(text, self._job, self._find_job), "viewer.find")
        else:
            self.found.emit(Found(text))

    async def read(self, document_id: int, start: int, end: int) -> TextSlice:
        """Read a slice of a document's stored text; it never parts the two characters of a line end.

        Raises:
            AppError: the host cannot give it.
        """
        request = GetText(document_id=document_id, char_start=start, char_end=end)
        body = await self._session.call(request)
        text = body.text
        if text.endswith("\r") and body.char_end == end and len(text) > 1:
            text = text[:-1]
        return TextSlice(body.char_start, body.char_start + len(text), text)

    def _ask(self, kind: str, page: int, fetch: Callable[[int, int], Coroutine[Any, Any, None]]) -> None:
        if self._info is not None and (kind, page) not in self._asked:
            self._asked.add((kind, page))
            self._spawn(fetch(page, self._job), f"viewer.{kind}")

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = self._spawner.spawn(coroutine, name)
        if task is not None:
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _open(self, document_id: int, job: int) -> None:
        try:
            info = await self._session.call(GetDocument(document_id=document_id))
        except AppError as error:
            if job == self._job:
                self.open_failed.emit(error)
            return
        if job == self._job:
            self._info = info
            self.opened.emit(info)

    async def _fetch_words(self, page: int, job: int) -> None:
        assert self._info is not None
        try:
            body = await self._session.call(GetWordBoxes(document_id=self._info.document_id, page=page))
        except AppError:
            boxes: tuple[WordBox, ...] = ()  # the page is still shown, only without marks and selection
        else:
            boxes = body.boxes
        if job == self._job:
            self._keep(self._words, page, boxes, "words")
            self.words_ready.emit(page)

    async def _fetch_page_text(self, page: int, job: int) -> None:
        found, info = self.page(page), self._info
        assert info is not None
        try:
            text = ""
            if found is not None:
                text = (await self.read(info.document_id, found.char_start, found.char_end)).text
        except AppError as error:
            if job == self._job:
                self.text_failed.emit(error)
            return
        if job == self._job:
            self._keep(self._texts, page, text, "text")
            self.page_text_ready.emit(page)

    def _keep(self, cache: OrderedDict[int, Any], page: int, value: Any, kind: str) -> None:
        cache[page] = value
        self._asked.discard((kind, page))
        while len(cache) > _PAGES_KEPT:
            cache.popitem(last=False)

    async def _find(self, text: str, job: int, find_job: int) -> None:
        assert self._info is not None
        request = FindInDocument(document_id=self._info.document_id, text=text, limit=FIND_LIMIT)
        try:
            body = await self._session.call(request)
        except AppError as error:
            result = Found(text, error=error)
        else:
            result = Found(text, tuple((start, end) for start, end, _ in body.matches), body.total)
        if (job, find_job) == (self._job, self._find_job):
            self.found.emit(result)
