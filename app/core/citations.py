"""Attribute each sentence of an answer to the place in the passages that supports it (design, section 5.7).

The program is responsible for citations, not the model: where the model wrote `[n]` the mark is checked,
where it wrote none the best place is looked for. A sentence counts as supported when one or two short places
of the passages hold most of its content words and every number, date and name in it, and do not deny what it
says. That is a check of words, not of meaning; it never accepts a number or name that the quoted text does
not hold.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.core.answer_marks import Mark, code_ranges, with_marks, without_marks
from app.core.evidence import Claim, Evidence, Place, Source, claim_of
from app.core.sentences import split_sentences
from app.core.words import content_terms

MAX_CLAIMS = 300  # a tiny model that repeats itself must not hold up the host
_LIST_ITEM = re.compile(r"(?:[-*+•>|#]+|\d{1,3}[.)]|\*\*)\s*")
_PAPERS = r"(?:passages?|documents?|texts?|context|sources?|excerpts?|articles?|information)"
# Sentences that say that the passages say nothing: true or not, no passage can support them.
_ABSENCE = re.compile(
    r"\W*(?:(?:however|unfortunately|but|sorry|i['’]m sorry)\W+)*(?:"
    rf"(?:the|these|this|those|your|my)?\s*(?:given|provided|available)?\s*{_PAPERS}\s+(?:\w+\s+)?"
    r"(?:(?:do|does|did|is|are|was|were|can)\s?(?:not|n['’]t)|(?:don|doesn|didn|isn|aren|can)['’]t"
    r"|cannot|(?:contains?|provides?|gives?|ha(?:s|ve)|mentions?)\s+no)\b"
    r"|there (?:is|was) no (?:information|mention|answer)\b"
    r"|(?:it|this|that)(?: is|['’]s)? not (?:\w+ )?(?:mentioned|stated|specified|given|said|clear)\b"
    rf".*\b{_PAPERS}"
    r"|i (?:do not|don['’]t|can ?not|can['’]t) (?:know|find|tell|answer|see)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Support:
    """A place that supports a part of the answer.

    Attributes:
        n: number of the passage.
        char_start: half-open range of code points in the document's stored text.
        quote: that slice of the passage, verbatim.
        supported: the place (with the sentence's other place, if it has two) carries the sentence.
        answer_start: half-open range of code points in the answer's final text.
    """

    n: int
    document_id: int
    char_start: int
    char_end: int
    quote: str
    supported: bool
    answer_start: int
    answer_end: int


@dataclass(frozen=True, slots=True)
class Attribution:
    """An answer with its sources.

    Attributes:
        text: the final text: the model's words with a right mark at the end of each sentence that has a
        source.
        unsupported: half-open ranges of `text` that no passage supports.
    """

    text: str
    supports: tuple[Support, ...] = ()
    unsupported: tuple[tuple[int, int], ...] = ()


@dataclass
class _Builder:
    """Puts the final text together and keeps count of its offsets."""

    pieces: list[str] = field(default_factory=list)
    length: int = 0
    supports: list[Support] = field(default_factory=list)
    unsupported: list[tuple[int, int]] = field(default_factory=list)

    def add(self, text: str) -> tuple[int, int]:
        start = self.length
        self.pieces.append(text)
        self.length += len(text)
        return start, self.length

    def add_claim(self, sentence: str, places: Sequence[Place], *, supported: bool) -> None:
        start, end = self.add(with_marks(sentence, (place.source.n for place in places)))
        self.supports.extend(_support(place, supported, start, end) for place in places)
        if not supported:
            self.unsupported.append((start, end))


def attribute(answer: str, question: str, sources: Sequence[Source]) -> Attribution:
    """Find the place in `sources` that supports each sentence of an answer.

    Args:
        answer: what the model wrote.
        question: what was asked; short answers ("42 days") are understood with it.
        sources: the passages that the model saw, each number once.
    """
    clean, marks = without_marks(answer.strip())
    clean = clean.rstrip()
    evidence = Evidence(sources, question)
    builder = _build(clean, marks, evidence, question, None)
    if builder.unsupported and not builder.supports:
        # A reader whose model went astray still gets to the words that the gate let the question through for.
        place = evidence.nearest(claim_of(question, question), frozenset(source.n for source in sources))
        builder = _build(clean, marks, evidence, question, place)
    return Attribution("".join(builder.pieces), tuple(builder.supports), tuple(builder.unsupported))


def _build(
    clean: str, marks: Sequence[Mark], evidence: Evidence, question: str, fallback: Place | None
) -> _Builder:
    """Attribute each sentence; the first one without any place gets the fallback, as not verified."""
    code = code_ranges(clean)
    builder = _Builder()
    position = n_claims = 0
    for start, end in split_sentences(clean):
        builder.add(clean[position:start])
        position = end
        sentence = clean[start:end]
        if n_claims >= MAX_CLAIMS or not _is_claim(sentence) or _inside(start, end, code):
            builder.add(sentence)
            continue
        n_claims += 1
        named = [n for mark in marks if _belongs(mark, clean, start, end) for n in mark.numbers]
        places, supported = _places(evidence, claim_of(sentence, question), named)
        if not places and fallback is not None:
            places, fallback = [fallback], None
        builder.add_claim(sentence, places, supported=supported)
    builder.add(clean[position:])
    return builder


def _places(evidence: Evidence, claim: Claim, named: Iterable[int]) -> tuple[Sequence[Place], bool]:
    """Give the places to cite for a claim, and whether they support it.

    The passages that the model named come first; another one replaces them only where it supports the claim
    and they do not. Where nothing supports it, the nearest place is shown (as not verified) if it is near
    enough.
    """
    named = frozenset(named)
    for only in (named, None) if named else (None,):
        places = evidence.supporting(claim, only)
        if places:
            return places, True
    nearest = evidence.nearest(claim, named)
    return ([nearest] if nearest else []), False


def _is_claim(sentence: str) -> bool:
    """Tell whether a sentence states something that a source could support."""
    body = _LIST_ITEM.sub("", sentence, count=1).strip()
    if sentence.startswith("#") or body.endswith((":", "：", "?", "？")) or _ABSENCE.match(body):
        return False
    return bool(content_terms(body)) or body.strip(" *_.!").casefold() in (
        "yes",
        "no",
        "ja",
        "nein",
        "sí",
        "oui",
    )


def _belongs(mark: Mark, text: str, start: int, end: int) -> bool:
    """Tell whether a mark belongs to a sentence: in or behind it, or before it at the line's beginning."""
    if mark.position > start:
        return mark.position <= end
    return not text[mark.position : start].strip() and (mark.position == 0 or text[mark.position - 1] == "\n")


def _inside(start: int, end: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first < end and start < last and last - first > (end - start) / 2 for first, last in ranges)


def _support(place: Place, supported: bool, answer_start: int, answer_end: int) -> Support:
    source = place.source
    return Support(
        n=source.n,
        document_id=source.document_id,
        char_start=source.char_start + place.start,
        char_end=source.char_start + place.end,
        quote=source.text[place.start : place.end],
        supported=supported,
        answer_start=answer_start,
        answer_end=answer_end,
    )
