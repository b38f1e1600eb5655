"""What an answer asks the library: which documents are meant, and whether quotes are true."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.core.citations import Attribution, Support
from app.core.errors import AppError, NotFoundError
from app.core.prompting import Passage
from app.host.services.ports import LibraryPort
from app.protocol.chat import Citation
from app.protocol.documents import DocumentInfo, GetDocument, GetText, PageRange
from app.protocol.library import Collection, GetLibraryStatus, ListCollections
from app.protocol.search import Scope


@dataclass(frozen=True)
class Documents:
    """Which documents a question may use.

    Attributes:
        n_files: how many there are; a question to none of them is answered from general knowledge.
    """

    scope: Scope
    n_files: int


async def documents_of(library: LibraryPort, names: Sequence[str], scope: Scope) -> Documents:
    """Find the documents that collections' names, or else a scope, mean.

    Raises:
        NotFoundError: `collection.not_found`.
        AppError: the library's reasons.
    """
    if scope.kind == "none" and not names:
        return Documents(scope, 0)
    collections = (await library.call(ListCollections())).collections
    if names:
        scope = Scope(kind="some", collection_ids=tuple(_named(collections, name).id for name in names))
    wanted = [c for c in collections if scope.kind == "all" or c.id in scope.collection_ids]
    return Documents(scope, sum(collection.n_files for collection in wanted))


def _named(collections: Iterable[Collection], name: str) -> Collection:
    """Find a collection by its name, or by its name without regard to case where that is unique."""
    collections = tuple(collections)
    exact = [collection for collection in collections if collection.name == name]
    similar = [collection for collection in collections if collection.name.casefold() == name.casefold()]
    for found in (exact, similar):
        if len(found) == 1:
            return found[0]
    names = ", ".join(collection.name for collection in collections) or "none"
    raise NotFoundError(
        "collection.not_found", f"There is no collection called {name}.", f"Collections here: {names}."
    )


async def not_found_hint(library: LibraryPort) -> str:
    """Give the next step after "This is not in your documents."."""
    try:
        waiting = (await library.call(GetLibraryStatus())).waiting
    except AppError:  # the hint is no reason to fail
        waiting = 0
    if waiting:
        files = "1 file is" if waiting == 1 else f"{waiting} files are"
        return f"{files} still being read: ask again when that is done. You can also ask without documents."
    return "Use the words of your documents, choose other collections, or ask without documents."


@dataclass
class Verifier:
    """Reads quoted places again and makes citations of them.

    Attributes:
        library: the library worker.
    """

    library: LibraryPort
    _documents: dict[int, DocumentInfo | None] = field(default_factory=dict)

    async def citations(
        self, attribution: Attribution, passages: Mapping[int, Passage]
    ) -> tuple[Citation, ...]:
        """Give the citations of an answer; `verified` where the stored text is the quote and supports it."""
        supports = attribution.supports
        for document_id in {support.document_id for support in supports}:
            self._documents.setdefault(document_id, await self._document(document_id))
        equal = await asyncio.gather(*(self._is_stored(support) for support in supports))
        return tuple(
            self._citation(support, passages[support.n], verified=support.supported and is_equal)
            for support, is_equal in zip(supports, equal, strict=True)
        )

    async def _document(self, document_id: int) -> DocumentInfo | None:
        try:
            return await self.library.call(GetDocument(document_id=document_id))
        except AppError:  # removed meanwhile; its quotes are then not verified either
            return None

    async def _is_stored(self, support: Support) -> bool:
        place = GetText(
            document_id=support.document_id, char_start=support.char_start, char_end=support.char_end
        )
        try:
            stored = await self.library.call(place)
        except AppError:
            return False
        return stored.text == support.quote

    def _citation(self, support: Support, passage: Passage, *, verified: bool) -> Citation:
        document = self._documents[support.document_id]
        page = page_of(document.pages, support.char_start) if document else None
        return Citation(
            n=support.n,
            document_id=support.document_id,
            path=passage.path,
            name=passage.name,
            page=passage.page if page is None else page,
            char_start=support.char_start,
            char_end=support.char_end,
            quote=support.quote,
            verified=verified,
            answer_start=support.answer_start,
            answer_end=support.answer_end,
        )


def page_of(pages: Sequence[PageRange], position: int) -> int | None:
    """Give the page on which a position stands; the one before it where it stands between two."""
    before = [page for page in pages if page.char_start <= position]
    return max(before, key=lambda page: page.char_start).page if before else None
