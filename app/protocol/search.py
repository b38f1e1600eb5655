"""Messages of search, and the scope that says which documents a search or a question may use."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request


@dataclass(frozen=True, kw_only=True)
class Scope(Body):
    """Which documents a question or conversation may use.

    Attributes:
        kind: `all`, `some` (the collections named) or `none`.
        collection_ids: used with `some`.
    """

    kind: str = "all"
    collection_ids: tuple[int, ...] = ()


EVERYTHING = Scope()


@dataclass(frozen=True, kw_only=True)
class Hit(Body):
    """One passage found.

    Attributes:
        rank: from 1.
        score: fused, 0 to 1.
        page: of char_start, from 1; None where the format has no pages.
        char_start: half-open range of code points in the document's whole extracted text.
        heading: heading path, levels joined by ` › `.
        text: the stored text of that range.
    """

    rank: int
    score: float
    document_id: int
    chunk_id: int
    path: str
    page: int | None
    char_start: int
    char_end: int
    heading: str
    text: str


@dataclass(frozen=True, kw_only=True)
class SearchResult(Body):
    """What a search found.

    Attributes:
        found: the relevance gate's decision, the same for `search` and `ask`.
        relevance: the gate's value, 0 to 1.
        seconds: time of the search.
        degraded: in words, where less than the mode asked for was possible (vectors not ready); else empty.
    """

    query: str
    found: bool
    relevance: float
    seconds: float
    hits: tuple[Hit, ...]
    degraded: str = ""


@dataclass(frozen=True, kw_only=True)
class Search(Request[SearchResult]):
    """Search the documents of a scope.

    Attributes:
        collections: names of collections, or
        scope: the scope; used where `collections` is empty.
        mode: `hybrid`, `keyword` or `dense`.
        document_ids: only these documents; empty for all.
    """

    TYPE: ClassVar[str] = "library.search"
    RESULT: ClassVar[type[Body]] = SearchResult
    query: str
    collections: tuple[str, ...] = ()
    scope: Scope = EVERYTHING
    limit: int = 10
    mode: str = "hybrid"
    document_ids: tuple[int, ...] = ()
