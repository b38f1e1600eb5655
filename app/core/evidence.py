"""Where in the passages a claim stands: places of one or two sentences, weighed by the words that they share.

A term's weight is its rarity among the passages' sentences (Source: inverse document frequency, Spärck Jones
1972), halved where the question already holds it: what the answer adds must be found, what it repeats may be
near.
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from app.core.sentences import split_sentences
from app.core.words import Kind, Term, TermSet, content_terms, distinct, negation_places, points_back

MIN_COVERAGE = 0.6
MIN_NEAREST_COVERAGE = 0.5
MIN_NAMED_COVERAGE = 0.25
_QUESTION_WEIGHT = 0.5
_EXTRA_SENTENCE_COST = 0.07
_MISSING_COST = 0.3
_QUESTION_BONUS = 0.2
_SHORT_CLAIM_TERMS = 3
_MAX_QUOTE_CHARS = 300
_PIECE_END = re.compile(r"[;:,，；：、]\s*|\n+")
_DENIED_WITHIN = 24
_FEW_WORDS = 40
_JOINT = re.compile(r"[,;，；、]\s*(?:(?:and|und|et|y|e)\s)?|\s(?:and|und|et|y|while|whereas)\s")
_MAX_JOINTS = 6
_MIN_HALF_TERMS = 2
_CAPITALS_OF_ORDINARY_NOUNS = 0.2


@dataclass(frozen=True)
class Source:
    """A passage that the model saw.

    Attributes:
        n: its number in the conversation.
        char_start: where its text begins in the document's stored text, in code points.
        context: words that go with it without being in the text: file name, title, headings.
    """

    n: int
    document_id: int
    char_start: int
    text: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A range of a passage's text, in code points of that text."""

    source: Source
    start: int
    end: int


@dataclass(frozen=True)
class Claim:
    """A sentence of the answer, as terms.

    Attributes:
        terms: each distinct term once; the question's where the sentence has none of its own ("Yes.").
        own: whether the terms are the sentence's own.
        begins: whether the text begins a sentence, so that its first capital says nothing.
    """

    text: str
    terms: tuple[Term, ...]
    own: bool = True
    begins: bool = True


def claim_of(sentence: str, question: str) -> Claim:
    """Take the terms of a sentence of the answer."""
    terms = distinct(content_terms(sentence))
    if terms:
        return Claim(sentence, terms)
    return Claim(sentence, distinct(content_terms(question)), own=False, begins=False)


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    end: int
    terms: TermSet
    points_back: bool


@dataclass(frozen=True, slots=True)
class _Window:
    """One or two adjacent sentences of a passage, from `first` to before `last`."""

    source_index: int
    first: int
    last: int


def _halves(claim: Claim) -> Iterator[tuple[Claim, Claim]]:
    """Yield the ways to part a claim into two at a comma or "and", each half with a term of its own."""
    for cut in itertools.islice(_JOINT.finditer(claim.text), _MAX_JOINTS):
        left, right = claim.text[: cut.start()], claim.text[cut.end() :]
        halves = (
            Claim(left, distinct(content_terms(left))),
            Claim(right, distinct(content_terms(right)), begins=False),
        )
        if all(len(half.terms) >= _MIN_HALF_TERMS for half in halves):
            yield halves


class Evidence:
    """The passages, ready to be asked where a claim stands."""

    def __init__(self, sources: Sequence[Source], question: str) -> None:
        """Split the passages into sentences and terms."""
        self._sources = tuple(sources)
        self._sentences = [_sentences(source.text) for source in sources]
        self._contexts = [TermSet(content_terms(f"{source.context}\n{source.text}")) for source in sources]
        self._heads = [TermSet(content_terms(source.context)) for source in sources]
        self._question = TermSet(content_terms(question))
        self._question_terms = distinct(content_terms(question))
        self._n_sentences = sum(len(sentences) for sentences in self._sentences)
        self._frequency = Counter(
            key
            for sentences in self._sentences
            for sentence in sentences
            for key in sentence.terms.keys | sentence.terms.values
        )

    def supporting(self, claim: Claim, only: Collection[int] | None = None) -> tuple[Place, ...]:
        """Give the place that supports a claim, or the places of its two halves; empty where there are none.

        Args:
            claim: what is said.
            only: numbers of the passages to look in; None for all.
        """
        if not claim.own or self._coverage(claim.terms, self._contexts) < MIN_COVERAGE:
            return ()  # all passages together do not hold its words
        whole = self._supporting_place(claim, only)
        if whole:
            return (whole,)
        for halves in _halves(claim):
            places = [self._supporting_place(half, only) for half in halves]
            if all(places):
                return tuple(dict.fromkeys(place for place in places if place))
        return ()

    def _supporting_place(self, claim: Claim, only: Collection[int] | None) -> Place | None:
        window = self._best(claim, claim.terms, only)
        return self._place(claim, window) if window and self._supports(claim, window) else None

    def nearest(self, claim: Claim, named: Collection[int]) -> Place | None:
        """Give the place that comes nearest to a claim which nothing supports; None where nothing is near.

        A passage that the model named is given at a lower nearness.
        """
        for only, least in ((named, MIN_NAMED_COVERAGE), (None, MIN_NEAREST_COVERAGE)):
            window = None if only is not None and not only else self._best(claim, claim.terms, only)
            if window and self._coverage(claim.terms, (self._window_terms(window),)) >= least:
                return self._place(claim, window)
        return None

    # ------------------------------------------------------------------------------------------ weighing

    def _weight(self, term: Term) -> float:
        keys = {term.key, *term.values}
        frequency = max(self._frequency.get(key, 0) for key in keys)
        weight = math.log(1 + (self._n_sentences + 1) / (frequency + 1))
        return weight * (_QUESTION_WEIGHT if self._question.holds(term) else 1.0)

    def _coverage(self, terms: Sequence[Term], held: Sequence[TermSet]) -> float:
        """Give the share of the terms' weight that stands in any of `held`; 1 where there are no terms."""
        total = sum(self._weight(term) for term in terms)
        found = sum(self._weight(term) for term in terms if any(part.holds(term) for part in held))
        return found / total if total else 1.0

    def _best(self, claim: Claim, terms: Sequence[Term], only: Collection[int] | None) -> _Window | None:
        """Give the window that holds the most of `terms`; shorter ones and earlier passages first."""
        if not terms:
            return None
        best, best_score = None, 0.0
        required = [term for term in terms if self._is_required(claim, term)]
        for window in self._windows(terms, only):
            score = self._score(terms, required, window)
            if score > best_score + 1e-9:
                best, best_score = window, score
        return best

    def _score(self, terms: Sequence[Term], required: Sequence[Term], window: _Window) -> float:
        held = self._window_terms(window)
        coverage = self._coverage(terms, (held,))
        missing = sum(not held.holds(term) for term in required) / max(1, len(required))
        near = self._coverage(self._question_terms, (held,)) if self._question_terms else 0.0
        extra = window.last - window.first - 1
        score = coverage + _QUESTION_BONUS * near - _MISSING_COST * missing - _EXTRA_SENTENCE_COST * extra
        return max(score, 0.01 * coverage)

    def _windows(self, terms: Sequence[Term], only: Collection[int] | None) -> Iterator[_Window]:
        """Yield each sentence that holds a term, alone and, if it has a pronoun, with the one before it.

        Without a pronoun, what stands in two sentences need not have to do with each other.
        """
        for index, sentences in enumerate(self._sentences):
            if only is not None and self._sources[index].n not in only:
                continue
            hits = [any(sentence.terms.holds(term) for term in terms) for sentence in sentences]
            for place, hit in enumerate(hits):
                if hit:
                    yield _Window(index, place, place + 1)
                    if place and hits[place - 1] and sentences[place].points_back:
                        yield _Window(index, place - 1, place + 1)

    def _window_terms(self, window: _Window) -> TermSet:
        sentences = self._sentences[window.source_index][window.first : window.last]
        if len(sentences) == 1:
            return sentences[0].terms
        start, end = sentences[0].start, sentences[-1].end
        return TermSet(content_terms(self._sources[window.source_index].text[start:end]))

    # ------------------------------------------------------------------------------------------ deciding

    def _supports(self, claim: Claim, window: _Window) -> bool:
        held, head = self._window_terms(window), self._heads[window.source_index]
        around = self._contexts[window.source_index]
        new = [term for term in claim.terms if not self._question.holds(term)]
        return (
            all(held.holds(term) or self._may_stand_elsewhere(claim, term, window) for term in claim.terms)
            and self._coverage(new, (held, head)) >= MIN_COVERAGE
            and self._coverage(claim.terms, (around if new else held,)) >= MIN_COVERAGE
            and self._answers(claim, window)
            and not self._is_denied(claim, window)
        )

    def _may_stand_elsewhere(self, claim: Claim, term: Term, window: _Window) -> bool:
        """Tell whether a term need not be in the quoted text.

        Numbers and names must, unless the heading has the name, or they were asked about, the quoted text
        has a pronoun and the passage names them before it.
        """
        if not self._is_required(claim, term):
            return True
        source = self._sources[window.source_index]
        if term.kind is not Kind.NUMBER and self._heads[window.source_index].holds(term):
            return True
        start, end = self._range(window)
        if not self._question.holds(term) or not points_back(source.text[start:end]):
            return False
        return TermSet(content_terms(source.text[:start])).holds(term)

    def _is_required(self, claim: Claim, term: Term) -> bool:
        if term.kind in (Kind.NUMBER, Kind.IDENTIFIER) or term.acronym:
            return True
        if not term.capital or self._nouns_are_capitalised:
            return False
        begins = claim.begins and not re.search(r"\w", claim.text[: term.start])
        return not begins or self._is_initial_name(claim, term)

    def _is_initial_name(self, claim: Claim, term: Term) -> bool:
        """Decide whether a capital at the sentence's beginning is a name's, or only the sentence's."""
        following = claim.text[term.end : term.end + 2]
        if following[1:].isupper() and following[:1] == " ":
            return True
        if following[:1] == "," or claim.text[term.start : term.end].endswith(("ly", "ing")):
            return False
        return term.key not in self._small_words

    def _answers(self, claim: Claim, window: _Window) -> bool:
        """Tell whether a short answer stands near something that was asked about."""
        if len(claim.terms) >= _SHORT_CLAIM_TERMS or not self._question_terms:
            return True
        sentences = self._sentences[window.source_index]
        near = [sentence.terms for sentence in sentences[max(0, window.first - 2) : window.last + 1]]
        near.append(self._heads[window.source_index])
        return any(part.holds(term) for part in near for term in self._question_terms)

    def _is_denied(self, claim: Claim, window: _Window) -> bool:
        """Tell whether claim and place differ in what they deny."""
        text = self._sources[window.source_index].text[slice(*self._range(window))]
        denied = _denied_terms(text)
        if negation_places(claim.text):
            return not any(TermSet(denied).holds(term) for term in _denied_terms(claim.text))
        claimed = TermSet(claim.terms)
        return any(claimed.holds(term) for term in denied)

    @cached_property
    def _small_words(self) -> frozenset[str]:
        """Stems that stand somewhere in the passages without a capital."""
        return frozenset(
            term.key
            for source in self._sources
            for term in content_terms(source.text)
            if not term.capital and term.kind is Kind.WORD
        )

    @cached_property
    def _nouns_are_capitalised(self) -> bool:
        """Whether the passages' language writes ordinary nouns with a capital, as German does."""
        words = re.findall(r"(?<=[^\W\d_,] )[^\W\d_]{2,}", " ".join(s.text for s in self._sources))
        capitals = sum(word[0].isupper() for word in words)
        return len(words) > _FEW_WORDS and capitals > _CAPITALS_OF_ORDINARY_NOUNS * len(words)

    # ------------------------------------------------------------------------------------------ places

    def _range(self, window: _Window) -> tuple[int, int]:
        sentences = self._sentences[window.source_index]
        return sentences[window.first].start, sentences[window.last - 1].end

    def _place(self, claim: Claim, window: _Window) -> Place:
        source = self._sources[window.source_index]
        start, end = self._range(window)
        held = self._window_terms(window)
        return Place(source, *_trimmed(source.text, start, end, [t for t in claim.terms if held.holds(t)]))


def _sentences(text: str) -> list[_Sentence]:
    return [
        _Sentence(start, end, TermSet(content_terms(text[start:end])), points_back(text[start:end]))
        for start, end in split_sentences(text)
    ]


def _denied_terms(text: str) -> list[Term]:
    """Give what a text denies: the term right behind each negation."""
    following = (content_terms(text[place : place + _DENIED_WITHIN]) for place in negation_places(text))
    return [terms[0] for terms in following if terms]


def _trimmed(text: str, start: int, end: int, terms: Sequence[Term]) -> tuple[int, int]:
    """Cut a long range to the shortest run of its clauses or lines that holds the same terms."""
    if end - start <= _MAX_QUOTE_CHARS:
        return start, end
    cuts = [start, *(start + match.end() for match in _PIECE_END.finditer(text[start:end])), end]
    pieces = [(a, b, TermSet(content_terms(text[a:b]))) for a, b in itertools.pairwise(cuts) if a < b]
    wanted = [term for term in terms if any(piece[2].holds(term) for piece in pieces)]
    best = (start, end)
    for first in range(len(pieces)):
        missing = list(wanted)
        for last in range(first, len(pieces)):
            missing = [term for term in missing if not pieces[last][2].holds(term)]
            if not missing:
                if pieces[last][1] - pieces[first][0] < best[1] - best[0]:
                    best = (pieces[first][0], pieces[last][1])
                break
    return _without_space(text, *best)


def _without_space(text: str, start: int, end: int) -> tuple[int, int]:
    stripped = text[start:end].strip(" \t\r\n,;:，；：、")
    begin = text.index(stripped, start)
    return begin, begin + len(stripped)
