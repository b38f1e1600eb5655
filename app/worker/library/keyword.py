"""Keyword search over FTS5: what is indexed, how a question becomes a query, BM25 scores.

Chinese, Japanese, Korean and Thai are written without spaces, so their runs are indexed as overlapping pairs
of characters; everything else is folded and stemmed by FTS5's own tokenizer (`porter unicode61`).
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw

from app.core.spellings import Spelled, spelled_numbers
from app.worker.library.database import fetch

_RUN = re.compile(
    "[\u0e00-\u0e7f\u0e80-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f]+"
)
_TOKENIZER_ARGUMENTS = ["unicode61", "remove_diacritics", "2"]
_MAX_TERMS = 64
_HEADING_WEIGHT, _BODY_WEIGHT = 1.0, 1.0

COMMON_TERM_MIN_CHUNKS = 30_000
"""Above this many chunks, terms that stand in more than COMMON_TERM_SHARE of them are left out of a query."""
COMMON_TERM_SHARE = 0.05
_MIN_RARE_TERMS = 2

_ENGLISH = """
    a about all also an and any are as at be been but by can could did do does for from get gets got had has
    have he her his how i if in into is it its many me more most much must my no not of on only or our shall
    she should so some such than that the their them then there these they this those to us was we were what
    when where which who whom whose why will with would you your
"""
_GERMAN = """
    als am an auf aus bei das dem den der des die ein eine einem einen einer eines er es für hat hatte
    hatten haben ihr im in ist mit nach nicht oder sich sie sind über um und von vom war waren wann
    warum was welche welchem welchen welcher welches wem wen wer werden wie wieso wir wird wo wurde
    wurden zu zum zur
"""
_SPANISH = """
    al como con cómo cuál cuáles cuándo cuánta cuántas cuánto cuántos de del dónde el en era eran es fue
    fueron ha han había la las le les lo los más no o para pero por que qué quién quiénes se sin son su
    sus un una unas uno unos y
"""
_FRENCH = """
    à au aux avec ce ces cette combien comment dans de des du elle en est et était il ils la le les leur
    mais ne ont où ou par pas pour pourquoi quand que quel quelle quelles quels qui quoi sa se ses son
    sont sur un une été
"""
ENGLISH_WORDS = frozenset(_ENGLISH.split())
"""Words that carry the grammar of English."""
OTHER_LATIN_WORDS = frozenset(f"{_GERMAN} {_SPANISH} {_FRENCH}".split())
"""The same of German, Spanish and French."""
QUESTION_WORDS = ENGLISH_WORDS | OTHER_LATIN_WORDS
"""Words that say nothing about what a question is about; left out of queries."""


@dataclass(frozen=True)
class Term:
    """One word or number of a question.

    Attributes:
        word: as typed; what FTS5 is asked for.
        stem: as it stands in the index; the stems between spaces where a number has several words.
        is_prefix: a single character of a script without spaces: found at the start of a pair.
        values: the ways to read a number; empty for a word. See app.core.numerals.
        spellings: other ways to write the number, as words with their stems.
    """

    word: str
    stem: str
    is_prefix: bool = False
    values: frozenset[str] = frozenset()
    spellings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class WeighedTerm:
    """A term and how many chunks it stands in."""

    term: Term
    n_chunks: int


def index_text(text: str) -> str:
    """Give the text as it is indexed: runs of scripts without spaces become pairs of characters."""
    return _RUN.sub(_pairs, text)


def _pairs(match: re.Match[str]) -> str:
    run = match.group()
    if len(run) == 1:
        return f" {run} "
    return f" {' '.join(run[i : i + 2] for i in range(len(run) - 1))} "


class Stemmer:
    """FTS5's tokenizer, so that a term here is a term in the index; one thread at a time."""

    def __init__(self, connection: apsw.Connection) -> None:
        """Take the tokenizer from a connection."""
        # What it gives depends on its arguments in a way that types cannot say.
        tokenizer: Any = connection.fts5_tokenizer("porter", _TOKENIZER_ARGUMENTS)
        self._tokenize: Callable[..., list[Any]] = tokenizer

    def stems(self, text: str) -> list[str]:
        """Give the stems of a text in order."""
        data = index_text(text).encode("utf-8", "replace")
        return self._tokenize(
            data, apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
        )

    def terms(self, question: str) -> list[Term]:
        """Give the distinct terms of a question in order; grammatical words only if there is no other.

        A number is one term, whatever it is written with.
        """
        text = index_text(question)
        numbers = spelled_numbers(text)
        found: dict[str, Term] = {}
        for term in self._words(text, numbers):
            found.setdefault(term.stem, term)
        telling = [
            term for term in found.values() if term.values or term.word.casefold() not in QUESTION_WORDS
        ]
        return (telling or list(found.values()))[:_MAX_TERMS]

    def _words(self, text: str, numbers: Sequence[Spelled]) -> Iterator[Term]:
        """Yield the words of a text, and its numbers each where its first word stands."""
        data = text.encode("utf-8", "replace")
        spans = [
            (len(text[: n.start].encode("utf-8", "replace")), len(text[: n.end].encode("utf-8", "replace")))
            for n in numbers
        ]
        waiting = list(zip(spans, numbers, strict=True))
        for start, end, stem in self._tokenize(data, apsw.FTS5_TOKENIZE_QUERY, None, include_colocated=False):
            while waiting and waiting[0][0][1] <= start:
                waiting.pop(0)
            if waiting and waiting[0][0][0] <= start:
                if start == waiting[0][0][0]:
                    yield self._number(text, waiting[0][1])
                continue
            word = data[start:end].decode("utf-8", "replace")
            single = len(word) == 1 and _RUN.fullmatch(word) is not None
            yield Term(word, stem, single)

    def _number(self, text: str, number: Spelled) -> Term:
        typed = text[number.start : number.end]
        spellings = tuple((way, " ".join(self.stems(way))) for way in number.spellings)
        return Term(typed, " ".join(self.stems(typed)), values=number.values, spellings=spellings)


def weigh(connection: apsw.Connection, terms: Iterable[Term]) -> list[WeighedTerm]:
    """Look up in how many chunks each term stands; ways to write a number that stand nowhere are dropped.

    Of several words in a row no more is known than that they stand in no more chunks than the rarest of them.
    A number counts as often as its most frequent way to be written.
    """
    weighed = []
    for term in terms:
        n_chunks = _n_chunks(connection, term.stem, is_prefix=term.is_prefix)
        counts = [(way, _n_chunks(connection, way[1])) for way in term.spellings]
        if counts:
            term = replace(term, spellings=tuple(way for way, count in counts if count))
        weighed.append(WeighedTerm(term, max([n_chunks, *(count for _, count in counts)])))
    return weighed


def _n_chunks(connection: apsw.Connection, stems: str, *, is_prefix: bool = False) -> int:
    condition = "term >= ?1 AND term < ?1 || char(1114111)" if is_prefix else "term = ?1"
    sql = f"SELECT coalesce(max(doc), 0) FROM keyword_terms WHERE {condition}"  # noqa: S608
    words = stems.split(" ")
    # SQLite counts by going through all places of a word: long for "and", which limits nothing anyway.
    counted = [word for word in words if word not in QUESTION_WORDS] or words
    n_chunks: list[int] = []
    for stem in counted:
        ((count,),) = fetch(connection, sql, (stem,))
        n_chunks.append(count)
        if not count:
            break
    return min(n_chunks)


def without_common(terms: list[WeighedTerm], n_chunks: int) -> list[WeighedTerm]:
    """Leave out terms that are everywhere in a large library, if two rarer ones remain.

    Source: design section 5.5; a term of 5 % of a million chunks costs more time than it tells.
    """
    if n_chunks <= COMMON_TERM_MIN_CHUNKS:
        return terms
    rare = [item for item in terms if item.n_chunks <= COMMON_TERM_SHARE * n_chunks]
    present = [item for item in rare if item.n_chunks]
    return rare if len(present) >= _MIN_RARE_TERMS else terms


def match_expression(terms: Iterable[Term]) -> str:
    """Give the FTS5 query that finds any of the terms; empty where there is none."""
    quoted = []
    for term in terms:
        escaped = term.word.replace('"', '""')
        quoted.append(f'"{escaped}"{"*" if term.is_prefix else ""}')
        quoted.extend(f'"{way}"' for way, _ in term.spellings)
    return " OR ".join(quoted)


def search_keywords(
    connection: apsw.Connection,
    terms: Iterable[Term],
    limit: int,
    document_ids: Collection[int] | None = None,
) -> list[tuple[int, float]]:
    """Give (chunk_id, BM25 score, larger is better) of the best chunks.

    Args:
        connection: for reading.
        terms: any of them may stand in a chunk.
        limit: most results.
        document_ids: only chunks of these documents; None for all.
    """
    expression = match_expression(terms)
    if not expression or (document_ids is not None and not document_ids):
        return []
    condition = ""
    arguments: list[str | int] = [expression, f"bm25({_HEADING_WEIGHT}, {_BODY_WEIGHT})"]
    if document_ids is not None:
        # Source of the shift: app.worker.library.schema.ORDINAL_BITS.
        condition = "AND (rowid >> 20) IN (SELECT value FROM json_each(?))"
        arguments.append(json.dumps(list(document_ids)))
    rows = fetch(
        connection,
        "SELECT rowid, -rank FROM keywords WHERE keywords MATCH ? AND rank MATCH ? "  # noqa: S608
        f"{condition} ORDER BY rank LIMIT ?",
        (*arguments, limit),
    )
    return [(chunk, score) for chunk, score in rows]
