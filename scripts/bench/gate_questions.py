"""Ask XQuAD's questions of libraries with and without their article, for the relevance gate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from app.worker.library.gate import Evidence
from app.worker.library.search import GATE_PASSAGES, gather_evidence
from scripts.bench.corpora import Corpus, Query
from scripts.bench.library_of import RememberingEmbedder, TextLibrary

_SEED = 7


@dataclass(frozen=True)
class Case:
    """One question put to one library.

    Attributes:
        group: the article that decides in which half the case belongs.
        setting: language and size of the library.
        is_present: the library holds the question's article.
    """

    group: str
    setting: str
    is_present: bool
    evidence: Evidence


def split_groups(corpus: Corpus) -> tuple[list[str], list[str]]:
    """Give the articles in two halves, for calibration and for the report: every second one by name."""
    groups = sorted({text.group for text in corpus.texts})
    return groups[::2], groups[1::2]


def large_library_cases(
    corpus: Corpus, groups: Sequence[str], embedder: RememberingEmbedder, mode: str = "hybrid"
) -> list[Case]:
    """Put each question of these articles to the whole library, and to one built without its article."""
    cases, setting = [], f"{corpus.name} large"
    with TextLibrary(corpus.texts, embedder) as library:
        for query in corpus.queries:
            if query.group in groups:
                cases.append(_ask(library, query, query.group, setting, is_present=True, mode=mode))
    for group in groups:
        others = [text for text in corpus.texts if text.group != group]
        with TextLibrary(others, embedder) as library:
            for query in corpus.queries:
                if query.group == group:
                    cases.append(_ask(library, query, group, setting, is_present=False, mode=mode))
    return cases


def small_library_cases(
    corpus: Corpus, groups: Sequence[str], embedder: RememberingEmbedder, mode: str = "hybrid"
) -> list[Case]:
    """Put the questions of an article, and as many of other articles, to a library of that article alone."""
    random = Random(_SEED)  # a fixed draw, not a secret
    cases, setting = [], f"{corpus.name} small"
    for group in groups:
        own = [query for query in corpus.queries if query.group == group]
        foreign = [query for query in corpus.queries if query.group != group and query.group in groups]
        with TextLibrary([text for text in corpus.texts if text.group == group], embedder) as library:
            for query in own:
                cases.append(_ask(library, query, group, setting, is_present=True, mode=mode))
            for query in random.sample(foreign, len(own)):
                cases.append(_ask(library, query, group, setting, is_present=False, mode=mode))
    return cases


def error_shares(cases: Sequence[Case], found: Sequence[bool]) -> tuple[float, float]:
    """Give (share of absent ones called not found, share of present ones called not found)."""
    absent = [not value for case, value in _zip(cases, found) if not case.is_present]
    present = [not value for case, value in _zip(cases, found) if case.is_present]
    return sum(absent) / len(absent), sum(present) / len(present)


def _zip(cases: Sequence[Case], found: Sequence[bool]) -> Iterator[tuple[Case, bool]]:
    return zip(cases, found, strict=True)


def _ask(
    library: TextLibrary, query: Query, group: str, setting: str, *, is_present: bool, mode: str
) -> Case:
    ranked = library.engine.rank(query.text, mode, frozenset(library.ids.values()))
    passages = library.documents.passages([item.chunk_id for item in ranked.candidates[:GATE_PASSAGES]])
    evidence = gather_evidence(query.text, ranked, passages)
    return Case(group, setting, is_present, evidence)
