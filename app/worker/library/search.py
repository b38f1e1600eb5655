"""Find passages: keywords and meaning, fused; one gate says whether anything was found."""

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import apsw

from app.core.errors import UsageError
from app.worker.library.catalogue import Catalogue
from app.worker.library.database import Database, fetch, translated
from app.worker.library.document_store import DocumentStore, Passage
from app.worker.library.embedding import Embedder, Vectors
from app.worker.library.gate import Evidence, Gate
from app.worker.library.keyword import Stemmer, WeighedTerm, search_keywords, weigh, without_common
from app.worker.library.vectors import DenseHits

MODES = ("hybrid", "keyword", "dense")
CANDIDATES = 200
DENSE_WEIGHT = 0.5
"""Share of the dense score in the fused one. Source: scripts/bench/retrieval.py, see docs/acceptance.md."""
MAX_HITS = 200
GATE_PASSAGES = 5
_MAX_QUERY_CHARS = 10_000
_VECTORS_WAIT_S = 5.0

NO_MODEL = "Only words were searched: the model that finds passages by meaning is not installed."
LOADING = "Only words were searched: the library is still being opened."
NO_VECTORS = "Only words were searched: the passages' meaning is still being worked out."


@dataclass(frozen=True)
class Found:
    """A passage with its fused score, 0 to 1."""

    passage: Passage
    score: float


@dataclass(frozen=True)
class Outcome:
    """What a search found; see app.protocol.library.SearchResult."""

    found: bool
    relevance: float
    hits: tuple[Found, ...]
    degraded: str
    seconds: float


@dataclass(frozen=True)
class Candidate:
    """A chunk with its scores.

    Attributes:
        keyword: BM25; 0 where no word matched.
        dense: cosine; NaN where the chunk has no vector or meaning was not searched.
        fused: 0 to 1.
    """

    chunk_id: int
    keyword: float
    dense: float
    fused: float


class Dense(NamedTuple):
    """The question's vector, (dim,) float32, and its nearest chunks."""

    vector: Vectors
    hits: DenseHits


class Ranked(NamedTuple):
    """Candidates, best first, and what the gate needs besides."""

    candidates: tuple[Candidate, ...]
    terms: tuple[WeighedTerm, ...]
    n_chunks: int
    dense: Dense | None


class SearchEngine:
    """Searches; used by one thread (the search lane)."""

    def __init__(
        self,
        database: Database,
        documents: DocumentStore,
        catalogue: Catalogue,
        embedder: Embedder | None,
        gate: Gate | None = None,
    ) -> None:
        """Take the parts; without an embedder only keywords are searched."""
        self._database, self._documents, self._catalogue = database, documents, catalogue
        self._embedder = embedder
        self._gate = gate or Gate()
        self._stemmer: Stemmer | None = None

    def search(self, query: str, mode: str, limit: int, document_ids: Collection[int]) -> Outcome:
        """Search the chunks of these documents.

        Raises:
            UsageError: `search.bad_mode`.
        """
        started = time.monotonic()
        if mode not in MODES:
            raise UsageError(
                "search.bad_mode",
                f"There is no search mode called “{mode}”.",
                "Use hybrid, keyword or dense.",
            )
        question = query.strip()[:_MAX_QUERY_CHARS]
        if not question or not document_ids:
            return Outcome(False, 0.0, (), "", time.monotonic() - started)
        degraded = "" if mode == "keyword" else self._why_no_vectors()
        ranked = self.rank(question, "keyword" if degraded else mode, document_ids)
        wanted = max(0, min(limit, MAX_HITS))
        passages = self._documents.passages(
            [item.chunk_id for item in ranked.candidates[: max(wanted, GATE_PASSAGES)]]
        )
        relevance = self._relevance(ranked, passages)
        hits = tuple(
            Found(passages[item.chunk_id], item.fused)
            for item in ranked.candidates[:wanted]
            if item.chunk_id in passages
        )
        return Outcome(
            relevance >= self._gate.threshold, relevance, hits, degraded, time.monotonic() - started
        )

    def rank(self, question: str, mode: str, document_ids: Collection[int]) -> Ranked:
        """Give the candidates of a mode, best first, with what the gate needs besides."""
        with translated():
            reader = self._database.reader()
            stemmer = self._stemmer or Stemmer(reader)
            self._stemmer = stemmer
            n_chunks = self._n_chunks(reader)
            weighed = weigh(reader, stemmer.terms(question))
            keyword: list[tuple[int, float]] = []
            chosen = None if self._catalogue.is_everything(document_ids) else document_ids
            if mode != "dense":
                terms = [item.term for item in without_common(weighed, n_chunks)]
                keyword = search_keywords(reader, terms, CANDIDATES, chosen)
        dense = self._nearest(question, chosen) if mode != "keyword" else None
        candidates = _fuse(keyword, dense, self._catalogue, mode)
        return Ranked(candidates, tuple(weighed), n_chunks, dense)

    def _nearest(self, question: str, document_ids: Collection[int] | None) -> Dense:
        assert self._embedder is not None
        vector = self._embedder.embed([question])[0]
        return Dense(vector, self._catalogue.matrix.search(vector, CANDIDATES, document_ids))

    def _n_chunks(self, reader: apsw.Connection) -> int:
        ((count,),) = fetch(reader, "SELECT coalesce(sum(n_chunks), 0) FROM documents")
        return int(count)

    def _why_no_vectors(self) -> str:
        if self._embedder is None:
            return NO_MODEL
        if not self._catalogue.loaded.wait(timeout=_VECTORS_WAIT_S):
            return LOADING
        return "" if len(self._catalogue.matrix) else NO_VECTORS

    def _relevance(self, ranked: Ranked, passages: Mapping[int, Passage]) -> float:
        if not ranked.candidates:
            return 0.0
        assert self._stemmer is not None
        return self._gate.relevance(gather_evidence(ranked, passages, self._stemmer))


def gather_evidence(ranked: Ranked, passages: Mapping[int, Passage], stemmer: Stemmer) -> Evidence:
    """Give what speaks for an answer standing in the best passages."""
    weights = {
        item.term.stem: math.log(1 + (ranked.n_chunks + 1) / (item.n_chunks + 0.5)) for item in ranked.terms
    }
    total = sum(weights.values()) or 1.0
    coverage = 0.0
    for item in ranked.candidates[:GATE_PASSAGES]:
        passage = passages.get(item.chunk_id)
        if passage is not None:
            stems = set(stemmer.stems(f"{passage.title}\n{passage.heading}\n{passage.text}"))
            coverage = max(coverage, sum(weights[stem] for stem in weights if stem in stems) / total)
    cosine = (
        None
        if ranked.dense is None or not len(ranked.dense.hits.scores)
        else float(ranked.dense.hits.scores[0])
    )
    return Evidence(coverage, cosine)


def _fuse(
    keyword: Sequence[tuple[int, float]], dense: Dense | None, catalogue: Catalogue, mode: str
) -> tuple[Candidate, ...]:
    """Join both lists: each score is stretched to 0..1 over its own list, then the two are averaged."""
    bm25 = dict(keyword)
    cosines: dict[int, float] = {}
    if dense is not None:
        cosines = dict(zip(dense.hits.chunk_ids.tolist(), dense.hits.scores.tolist(), strict=True))
        missing = [chunk for chunk in bm25 if chunk not in cosines]
        found = catalogue.matrix.scores_of(dense.vector, missing)
        cosines.update(
            (chunk, float(score))
            for chunk, score in zip(missing, found, strict=True)
            if not math.isnan(score)
        )
    weight = {"keyword": 0.0, "dense": 1.0}.get(mode, DENSE_WEIGHT)
    lexical, semantic = _stretch(bm25), _stretch(cosines)
    candidates = [
        Candidate(
            chunk,
            bm25.get(chunk, 0.0),
            cosines.get(chunk, math.nan),
            (1 - weight) * lexical.get(chunk, 0.0) + weight * semantic.get(chunk, 0.0),
        )
        for chunk in bm25.keys() | cosines.keys()
    ]
    return tuple(sorted(candidates, key=lambda item: (-item.fused, item.chunk_id)))


def _stretch(scores: Mapping[int, float]) -> dict[int, float]:
    """Give min-max scores, 0 to 1; a single or constant one counts as 1."""
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    if high <= low:
        return dict.fromkeys(scores, 1.0)
    return {chunk: (score - low) / (high - low) for chunk, score in scores.items()}
