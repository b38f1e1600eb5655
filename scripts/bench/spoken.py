#!/usr/bin/env python3
"""Measure search and the relevance gate on questions as they are spoken, and on numbers said differently.

    .venv/bin/python scripts/bench/spoken.py --data ../shared/data/retrieval

XQuAD's English questions are put as they were written and as someone would say them: in small letters without
punctuation, with filler words around them, with their digits in words. A few questions of our own ask for
what the same articles say with numbers and dates written otherwise. Each is asked of a library with its
article and of one without; the articles are those that the gate was not calibrated on, for our own questions
all that they are about.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.core.followups import stand_alone
from app.core.number_words import in_words
from app.worker.library.embedding import OnnxEmbedder
from scripts.bench.corpora import Corpus, Query, load_xquad
from scripts.bench.gate_questions import large_library_cases, split_groups
from scripts.bench.library_of import RememberingEmbedder, TextLibrary
from scripts.bench.number_questions import NOT_IN_ANY, QUESTIONS
from scripts.bench.retrieval import measure_gate, ndcg, rank_documents

_BEFORE = (
    "um so",
    "okay",
    "hey can you tell me",
    "uh please tell me",
    "well i'd like to know",
    "so you know",
)
_BEHIND = ("", "please", "", "thanks", "you know", "")
_DIGITS = re.compile(r"(?<![\w.,-])\d{1,3}(?:,\d{3})+(?![\w,-])|(?<![\w.,-])\d+(?![\w,%-]|\.\d)")


def said(question: str) -> str:
    """Give a question as a speech model without punctuation writes it."""
    return " ".join(re.sub(r"[^\w\s'’-]", " ", question.casefold()).split())


def with_fillers(question: str) -> str:
    """Put words around a question that say nothing; which ones depends on its length alone."""
    before, behind = _BEFORE[len(question) % len(_BEFORE)], _BEHIND[len(question) % len(_BEHIND)]
    return f"{before} {said(question)} {behind}".strip()


def in_number_words(question: str) -> str:
    """Say the numbers of a question, years as pairs."""
    return _DIGITS.sub(lambda match: (match[0], *in_words(int(match[0].replace(",", ""))))[-1], question)


def spoken_corpus(corpus: Corpus, name: str, way: Callable[[str], str]) -> Corpus:
    """Give the collection with each question said in a way, made to stand alone as a chat does."""
    queries = [replace(query, text=stand_alone(way(query.text), ())) for query in corpus.queries]
    return Corpus(name, corpus.texts, queries)


def measure(corpus: Corpus, groups: Sequence[str], embedder: RememberingEmbedder) -> None:
    """Print nDCG@10 and the gate's errors over these articles' questions."""
    with TextLibrary(corpus.texts, embedder) as library:
        asked = [query for query in corpus.queries if query.group in groups]
        for mode in ("hybrid", "keyword"):
            values = [ndcg(rank_documents(library, query, mode), query.gains) for query in asked]
            mean = sum(values) / len(values)
            print(f"{corpus.name:32} {mode:8} nDCG@10 {mean:.4f}   ({len(asked)} questions)")
    for mode in ("hybrid", "keyword"):
        measure_gate(f"{corpus.name}, {mode}", large_library_cases(corpus, groups, embedder, mode))


def own_corpus(corpus: Corpus) -> Corpus:
    """Give our own questions over the same articles."""
    queries = []
    for number, (article, answer, question) in enumerate(QUESTIONS):
        keys = [text.key for text in corpus.texts if text.group == article and answer in text.text]
        if not keys:
            raise SystemExit(f"{article} does not say “{answer}”")
        queries.append(Query(f"own {number}", question, dict.fromkeys(keys, 1.0), article))
    return Corpus("own", corpus.texts, queries)


def measure_nowhere(corpus: Corpus, embedder: RememberingEmbedder) -> None:
    """Print how many questions about what no article tells are called not found."""
    with TextLibrary(corpus.texts, embedder) as library:
        ids = frozenset(library.ids.values())
        for mode in ("hybrid", "keyword"):
            found = [
                question for question in NOT_IN_ANY if library.engine.search(question, mode, 5, ids).found
            ]
            n_right = len(NOT_IN_ANY) - len(found)
            print(f"in no article, {mode}: not found {n_right} of {len(NOT_IN_ANY)} {found}")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Measure search and gate on spoken questions and numbers.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/retrieval"))
    options = parser.parse_args()
    embedder = RememberingEmbedder(OnnxEmbedder())
    corpus = load_xquad(options.data / "xquad", "en")
    _, groups = split_groups(corpus)
    own = own_corpus(corpus)
    own_groups = sorted({query.group for query in own.queries})
    for name, way in (("as written", str), ("as spoken", said)):
        measure(spoken_corpus(own, f"own questions {name}", way), own_groups, embedder)
    measure_nowhere(corpus, embedder)
    for name, way in (
        ("as written", str),
        ("small letters", said),
        ("with fillers", with_fillers),
        ("numbers in words", lambda question: said(in_number_words(question))),
    ):
        measure(spoken_corpus(corpus, name, way), groups, embedder)
    numbered = [query for query in corpus.queries if _DIGITS.search(query.text)]
    only = Corpus(corpus.name, corpus.texts, numbered)
    for name, way in (("with digits", str), ("digits in words", in_number_words)):
        measure(spoken_corpus(only, name, way), sorted({query.group for query in numbered}), embedder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
