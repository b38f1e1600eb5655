"""Make a follow-up question stand alone, so that it can be searched for (design, section 5.5).

Rules, not the model (`docs/decisions/0020-followups.md`): a question that points back ("How tall is it?"), or
that leaves out what it is about ("And in 2022?"), gets the content words of the earlier question and the
names of its answer. A question that stands alone stays as it is, but for "tell me about" and the like before
it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.core.fillers import without_fillers
from app.core.sentences import split_sentences
from app.core.words import CJK_POINTING, POINTING, POSSESSIVE, Kind, Term, TermSet, content_terms

MAX_ASKED_TERMS = 8
MAX_ANSWER_NAMES = 4

_CJK_ELLIPTIC = re.compile("^(?:那|那么|还有|以及)|呢[?？]?$|^では|^それで|は[?？]$")

# "That" points back only after a verb or preposition and before the end or a verb: "when was that?".
_THAT = re.compile(
    r"\b(?:is|was|are|were|does|did|do|about|of|after|before|for|like|than|with|by|in|on|from|to|since|until)\s+that"
    r"(?=\s*[?.!,]|\s*$|\s+(?:is|was|mean|means|happen|happened|work|works|cost|costs|take|takes|one|time|year|case)\b)"
    r"|^(?:and\s+|but\s+)?that\b",
    re.IGNORECASE,
)
# "It" points at nothing in "is it possible to …", "how long does it take to …", "what time is it in …".
_EMPTY_IT = re.compile(
    r"\b(?:is|was|will|would|does|can|could|may|should)\s+it\s+(?:be\s+)?(?:\w+ly\s+)?"
    r"(?:possible|necessary|required|allowed|permitted|safe|legal|true|better|best|important|mandatory|ok|okay"
    r"|advisable|recommended|take|cost|matter)\b(?=.*\b(?:to|that|if|for|when)\b)"
    r"|\bit\s+(?:is|was)\s+(?:possible|necessary|required|allowed|true|important)\b"
    r"|\b(?:what|which)\s+(?:time|day|date|year)\s+is\s+it\b",
    re.IGNORECASE,
)
_EMPTY_THERE = re.compile(
    r"\b(?:is|are|was|were|be|been|will|has|have|do|does|did)\s+there\b|\bthere\s+(?:is|are|was|were)\b", re.I
)
# "This manual", "these documents": they point at what is searched anyway.
_THE_DOCUMENTS = re.compile(
    r"\b(?:this|these|those|dies\w*|ce|cet|cette|ces|est[eao]s?)\s+"
    r"(?:documents?|files?|reports?|papers?|books?|pdfs?|texts?|pages?|manuals?|articles?|collections?|contracts?"
    r"|dokument\w*|datei\w*|bericht\w*|texte?\w*|rapports?|fichiers?|documentos?|informes?|archivos?)\b",
    re.IGNORECASE,
)
_ELLIPTIC_START = re.compile(
    r"^\s*(?:(?:and|but|or|so|also|then)\b(?!\s+(?:how|what|who|when|where|why|which)\s+\w+\s+\w+\s+\w+\s+\w+)"
    r"|what about|how about|what else|who else|where else|why not|how so|how come"
    r"|und\b|aber\b|oder\b|was ist mit|wie ist es mit"
    r"|et\b|mais\b|qu'en est-il|y\b|¿y\b|pero\b|¿qué tal)",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"^\s*(?:please\s+)?(?:tell me more|more details?|explain (?:more|further|again)?|go on"
    r"|continue|elaborate|in more detail"
    r"|erkläre? (?:das )?genauer|mehr dazu|weiter|plus de détails|más detalles)\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier question and its answer, as text.

    Attributes:
        query: what was searched for: the question, made to stand alone.
    """

    query: str
    answer: str = ""


# What asks for an answer without saying about what: it only waters the search down.
_FRAMING = re.compile(
    r"^\s*(?:(?:please|bitte|s'il vous plaît|por favor)[\s,]+)?(?:"
    r"(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?)?"
    r"(?:(?:tell|show|give|teach)\s+me\s+(?:(?:more|something|everything|all|details)\s+)?(?:about\s+|on\s+)?"
    r"|(?:explain|describe|summari[sz]e|outline|list|name)\s+(?:to\s+me\s+)?)"
    r"|what\s+(?:can|could)\s+you\s+tell\s+me\s+about\s+|what\s+do\s+you\s+know\s+about\s+"
    r"|i(?:\s+want|\s+would\s+like|['’]d\s+like)\s+to\s+know\s+(?:(?:more|something)\s+)?(?:about\s+)?"
    r"|(?:do|would)\s+you\s+(?:happen\s+to\s+)?know\s+|i\s+(?:wonder|was\s+wondering|am\s+wondering)\s+"
    r"|i['’]m\s+wondering\s+|(?:let\s+me|i\s+need\s+to)\s+know\s+"
    r"|(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?)?find\s+out\s+"
    r"|what\s+(?:do|does)\s+(?:the|this|these|my|our)\s+\w+\s+(?:say|tell|mention)\s+(?:about|on)\s+"
    r"|according\s+to\s+(?:the|this|these|my|our)\s+\w+\s*,\s*"
    r"|(?:erklär(?:e|en\s+sie)?|beschreib(?:e|en\s+sie)?|erzähl(?:e|en\s+sie)?|sag(?:e|en\s+sie)?|nenn(?:e|en\s+sie)?)\s+"
    r"(?:mir\s+)?(?:bitte\s+)?(?:(?:mehr|etwas|alles)\s+)?(?:(?:über|zu|von)\s+)?"
    r"|was\s+(?:sagt|steht)\s+(?:in\s+)?(?:das|dieses|dem|diesem|mein|meinem)\s+\w+\s+(?:über|zu)\s+"
    r"|(?:explique|décris|décrivez|parle|dis|dites)[\s-]+(?:moi\s+)?(?:(?:de|sur|plus\s+sur)\s+)?"
    r"|(?:explica|explique|describe|dime|háblame|cuéntame)\s+(?:(?:más\s+)?(?:de|sobre)\s+)?"
    r")",
    re.IGNORECASE,
)


def stand_alone(question: str, earlier: Sequence[Turn]) -> str:
    """Give the question as it can be searched for.

    Args:
        question: as the user typed or said it.
        earlier: the turns before it, oldest first.
    """
    question = without_fillers(question)
    bare = _without_framing(question)
    if not earlier or not needs_context(question):
        return bare
    subject = _subject(question, earlier)
    return f"{subject}: {bare.strip()}" if subject else bare


def _without_framing(question: str) -> str:
    """Cut "tell me about" and the like, where something remains to search for."""
    rest = _FRAMING.sub("", question, count=1)
    return rest if content_terms(rest) else question


def needs_context(question: str) -> bool:
    """Tell whether a question points back at earlier ones or leaves out what it is about."""
    text = question.strip()
    terms = content_terms(text)
    if not terms or _MORE.match(text) or _ELLIPTIC_START.match(text):
        return True
    if CJK_POINTING.search(text) or _CJK_ELLIPTIC.search(text) or _THAT.search(text):
        return True
    return _points_back(_EMPTY_THERE.sub(" ", _THE_DOCUMENTS.sub(" ", _EMPTY_IT.sub(" ", text))))


def _points_back(text: str) -> bool:
    """Tell whether a pronoun stands before anything in the question that it could mean."""
    for match in re.finditer(r"[^\W\d_]+(?:-ci)?", text):
        word = match[0].casefold()
        before = content_terms(text[: match.start()])
        if word in POSSESSIVE and len(before) < 2 and not _named(before, text):
            return True
        if word in POINTING and not _named(before, text) and not _after_clause(text, match.start()):
            return True
    return False


def _named(before: Iterable[Term], text: str) -> bool:
    """Tell whether one of the terms is a name: a capital that does not begin the question."""
    return any(term.capital and text[: term.start].strip(" ¿\"'“„") for term in before)


def _after_clause(text: str, position: int) -> bool:
    """Tell whether a clause of two content words stands before ("When a valve fails, how is it …")."""
    clause = text[:position].rpartition(",")[0]
    return len(content_terms(clause)) >= 2


def _subject(question: str, earlier: Sequence[Turn]) -> str:
    """Choose the words of the latest turn about something that the question needs, in their order."""
    held = content_terms(question)
    has_number = any(term.kind is Kind.NUMBER for term in held)
    words: list[str] = []
    turn = next((turn for turn in reversed(earlier) if content_terms(turn.query)), earlier[-1])
    for term, word in [*_asked(turn.query), *_names(turn.answer)]:
        if TermSet(held).holds(term) or (has_number and term.kind is Kind.NUMBER):
            continue  # "and in 2022?" asks for another year than before
        held.append(term)
        words.append(word)
    return " ".join(words)


def _names(answer: str) -> list[tuple[Term, str]]:
    """Give the names in the first sentence of an answer."""
    first = next(iter(split_sentences(answer)), (0, 0))
    opening = answer[slice(*first)]
    capitals = [term for term in content_terms(opening) if term.capital]
    return [(term, opening[term.start : term.end]) for term in capitals[:MAX_ANSWER_NAMES]]


def _asked(query: str) -> list[tuple[Term, str]]:
    """Give the words of a question; of a long one both ends, since what it is about stands early or late."""
    words: list[tuple[Term, str]] = []
    start = end = -1
    for term in content_terms(query):
        if term.kind is Kind.BIGRAM and term.start < end:  # runs of signs stay whole
            words.pop()
        else:
            start = term.start
        end = term.end
        words.append((term, query[start:end]))
    half = MAX_ASKED_TERMS // 2
    return words if len(words) <= MAX_ASKED_TERMS else [*words[:half], *words[-half:]]
