"""Find passages: keywords and meaning, fused; one gate says whether anything was found."""

import math
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import apsw

from app.core.errors import UsageError
from app.core.numerals import figures
from app.core.spellings import in_digits
from app.worker.library.catalogue import Catalogue
from app.worker.library.database import Database, fetch, translated
from app.worker.library.document_store import DocumentStore, Passage
from app.worker.library.embedding import Embedder
from app.worker.library.gate import THRESHOLD, Evidence, Language, relevance
from app.worker.library.keyword import (
    ENGLISH_WORDS,
    OTHER_LATIN_WORDS,
    Stemmer,
    Term,
    WeighedTerm,
    search_keywords,
    weigh,
    without_common,
)
from app.worker.library.vectors import DenseHits

MODES = ("hybrid", "keyword", "dense")
CANDIDATES = 100
"""Taken from each of the two rankings. Source: nDCG@10 is the same from 50 to 400 on every set measured."""
DENSE_WEIGHTS = {Language.ENGLISH: 0.5, Language.LATIN: 0.45, Language.OTHER: 0.3}
"""Share of the dense score in the fused one, by the question's language. Source: the best of 0.1 to 0.6 on
Cranfield and XQuAD in English, German, Spanish and Chinese; around the best it hardly matters."""
MAX_HITS = 200
GATE_PASSAGES = 5
_PRIOR_CHUNKS = 400
"""Added to the number of chunks when terms are weighed: rare words count as rare in a small library too."""
_LATIN_SHARE = 0.6
_WORD = re.compile(r"\w+")
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
    """What a search found; see app.protocol.search.SearchResult."""

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


class Ranked(NamedTuple):
    """Candidates, best first, and what the gate needs besides."""

    candidates: tuple[Candidate, ...]
    terms: tuple[WeighedTerm, ...]
    n_chunks: int
    dense: DenseHits | None
    stemmer: Stemmer


class SearchEngine:
    """Searches; used by one thread (the search lane)."""

    def __init__(
        self,
        database: Database,
        documents: DocumentStore,
        catalogue: Catalogue,
        embedder: Embedder | None,
    ) -> None:
        """Take the parts; without an embedder only keywords are searched."""
        self._database, self._documents, self._catalogue = database, documents, catalogue
        self._embedder = embedder
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
        value = self._relevance(question, ranked, passages)
        hits = tuple(
            Found(passages[item.chunk_id], item.fused)
            for item in ranked.candidates[:wanted]
            if item.chunk_id in passages
        )
        return Outcome(value >= THRESHOLD, value, hits, degraded, time.monotonic() - started)

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
        weight = {"keyword": 0.0, "dense": 1.0}.get(mode, DENSE_WEIGHTS[language_of(question)])
        dense = None
        if mode != "keyword":
            dense = self._nearest(question, chosen, [chunk for chunk, _ in keyword])
        return Ranked(_fuse(keyword, dense, weight), tuple(weighed), n_chunks, dense, stemmer)

    def _nearest(
        self, question: str, document_ids: Collection[int] | None, asked: Collection[int]
    ) -> DenseHits:
        assert self._embedder is not None
        vector = self._embedder.embed([in_digits(question)])[0]
        return self._catalogue.nearest(vector, CANDIDATES, document_ids, asked)

    def _n_chunks(self, reader: apsw.Connection) -> int:
        ((count,),) = fetch(reader, "SELECT coalesce(sum(n_chunks), 0) FROM documents")
        return int(count)

    def _why_no_vectors(self) -> str:
        if self._embedder is None:
            return NO_MODEL
        if not self._catalogue.loaded.wait(timeout=_VECTORS_WAIT_S):
            return LOADING
        return "" if len(self._catalogue.matrix) else NO_VECTORS

    def _relevance(self, question: str, ranked: Ranked, passages: Mapping[int, Passage]) -> float:
        if not ranked.candidates:
            return 0.0
        return relevance(gather_evidence(question, ranked, passages))


def gather_evidence(question: str, ranked: Ranked, passages: Mapping[int, Passage]) -> Evidence:
    """Give what speaks for an answer standing in the best passages."""
    n_chunks = ranked.n_chunks + _PRIOR_CHUNKS
    weights = [(item.term, math.log(1 + n_chunks / (item.n_chunks + 0.5))) for item in ranked.terms]
    total = sum(weight for _, weight in weights) or 1.0
    best = [
        passages[item.chunk_id] for item in ranked.candidates[:GATE_PASSAGES] if item.chunk_id in passages
    ]
    coverage = 0.0
    for passage in best:
        held = _Held(ranked.stemmer, f"{passage.title}\n{passage.heading}\n{passage.text}")
        coverage = max(coverage, sum(weight for term, weight in weights if held.has(term)) / total)
    cosine = None if ranked.dense is None or not len(ranked.dense.scores) else float(ranked.dense.scores[0])
    return Evidence(coverage, cosine, language_of(" ".join([question, *(item.text for item in best[:1])])))


class _Held:
    """What terms a passage has; numbers are compared by what they mean, however they are written."""

    def __init__(self, stemmer: Stemmer, text: str) -> None:
        self._text = text
        self._stems = set(stemmer.stems(text))

    def has(self, term: Term) -> bool:
        if term.stem in self._stems or not term.values:
            return term.stem in self._stems
        return not term.values.isdisjoint(self._values)

    @cached_property
    def _values(self) -> frozenset[str]:
        return frozenset(value for figure in figures(self._text) for value in figure.values)


def language_of(text: str) -> Language:
    """Tell English, other Latin-script languages and other scripts apart; English where nothing speaks."""
    letters = [character for character in text if character.isalpha()]
    n_latin = sum(character < "\u0250" for character in letters)
    if n_latin < _LATIN_SHARE * len(letters):
        return Language.OTHER
    words = _WORD.findall(text.casefold())
    n_english = sum(word in ENGLISH_WORDS for word in words)
    n_other = sum(word in OTHER_LATIN_WORDS for word in words)
    return Language.ENGLISH if n_english >= n_other else Language.LATIN


def _fuse(
    keyword: Sequence[tuple[int, float]], dense: DenseHits | None, weight: float
) -> tuple[Candidate, ...]:
    """Join both lists: each score is stretched to 0..1 over its own list, then the two are mixed."""
    bm25 = dict(keyword)
    cosines: dict[int, float] = {}
    if dense is not None:
        asked = zip(bm25, dense.asked.tolist(), strict=True)
        cosines = {chunk: score for chunk, score in asked if not math.isnan(score)}
        cosines.update(zip(dense.chunk_ids.tolist(), dense.scores.tolist(), strict=True))
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
