"""Split text into sentences, as ranges; shared by chunking (library worker) and citations (host).

A sentence here is what a reader would call one, or a smaller unit where there are none: a list item, a
paragraph without a full stop, a line of a table. Rules, no model: it must be fast on megabytes, and the same
everywhere.
"""

import re
from collections.abc import Iterator

MAX_SENTENCE_CHARS = 1000
"""Longer runs without an end mark (tables, code, lists of numbers) are cut at a line end, else at a space."""

_CLOSING = "\"'”’»›)\\]}」』）》〉】〕"
_CANDIDATE = re.compile(
    # An end mark that stands without a space after it: CJK, Devanagari, Urdu, Ethiopic.
    rf"(?P<wide>[。！？｡．।॥۔።]+[!?！？…]*[{_CLOSING}]*)"
    # One that counts only before white space. A run of marks is looked at once, from its beginning.
    rf"|(?P<narrow>(?<![.!?…؟])[.!?…؟]++[{_CLOSING}]*+(?=\s))"
    # A blank line, or a line that begins a list item, a heading, a table row or a quotation.
    r"|(?P<break>\n[^\S\n]*(?:\n|(?=(?:[-*+•‣◦▪–—]|\d{1,3}[.)]|[A-Za-z][.)]|\(\w{1,3}\))[^\S\n]|\#{1,6}[^\S\n]|[|>])))"
)

# Words that end in a full stop inside a sentence. Compared without case.
_INNER = """
    abb abs al alt anm approx art aufl aug bd bzgl bzw ca cap cf ch chap col const cp dec def dept dir
    dr ed eds eq eqs est etc evtl excl exp feb fig figs fn fr ggf gen geb gem gov hr hrsg hz inc incl
    inkl jan jr kap lt ltd max mfg mio mr mrd mrs ms mt nos nov nr num oct op pag par phd pp prof pt pág
    págs ref refs resp rev sec sen sep sept sog sp sr sra srta st str tab tel ud uds univ usf usw vgl
    viz vol vols vs z zb bspw
    d.h e.g i.e u.a u.s z.b p.ej
"""
# These also end sentences; a capital after them decides for the end.
_ENDING = "etc inc ltd jr sr usw usf phd al"
# These are abbreviations before a number only ("no. 5", but "It said no.").
_NUMBERED = "no nos nr fig figs eq eqs p pp pag pág sec vol ch chap art abs kap tab núm num"
_MONTHS = "januar februar märz april mai juni juli august september oktober november dezember jahrhundert"

_ABBREVIATIONS = frozenset(_INNER.split())
_ENDING_ABBREVIATIONS = frozenset(_ENDING.split())
_NUMBERED_ABBREVIATIONS = frozenset(_NUMBERED.split())
_AFTER_ORDINAL = frozenset(_MONTHS.split())
_LAST_WORD = re.compile(r"[^\s(\[{\"'“„«]+\Z")
_WORD_WINDOW = 40


def split_sentences(text: str, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Give the sentences of `text[start:end]` as half-open ranges of code points, in order.

    White space around a sentence is left out; every other character stands in exactly one range.
    """
    stop = len(text) if end is None else end
    sentences: list[tuple[int, int]] = []
    for piece_start, piece_end in _pieces(text, start, stop):
        sentences.extend(_cut_long(text, *_trim(text, piece_start, piece_end)))
    return sentences


def _pieces(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    begin = start
    for match in _CANDIDATE.finditer(text, start, stop):
        if match.lastgroup == "narrow" and not _ends_sentence(text, match, begin, stop):
            continue
        boundary = match.start() if match.lastgroup == "break" else match.end()
        yield begin, boundary
        begin = boundary
    yield begin, stop


def _ends_sentence(text: str, match: re.Match[str], begin: int, stop: int) -> bool:
    """Decide whether a mark before white space ends a sentence."""
    marks = match.group().rstrip(_CLOSING.replace("\\", ""))
    after = _next_visible(text, match.end(), stop)
    if marks != ".":
        # “What?” she said: a small letter goes on with the sentence after a quotation, not after plain marks.
        return not (after.islower() and (marks.startswith(("…", "..")) or len(marks) < len(match.group())))
    if after.islower():
        return False
    window = text[max(begin, match.start() - _WORD_WINDOW) : match.start()]
    found = _LAST_WORD.search(window)
    if found is None:
        return True
    word = found.group()
    if len(word) == 1 and word.isalpha() and word.isupper():
        return False  # an initial
    if word.isdecimal():
        return not _is_ordinal(text, match, begin, word)
    return not _is_abbreviation(word.casefold(), after)


def _is_abbreviation(word: str, after: str) -> bool:
    if word in _NUMBERED_ABBREVIATIONS and after.isdecimal():
        return True
    if word in _ENDING_ABBREVIATIONS:
        return not after.isupper()
    return word in _ABBREVIATIONS


def _is_ordinal(text: str, match: re.Match[str], begin: int, word: str) -> bool:
    """Tell "1. Introduction" at a line's start and the German "3. Mai" from "in 1998. Then"."""
    if len(word) > 3:
        return False
    number_start = match.start() - len(word)
    if not text[begin:number_start].strip() or text[number_start - 1] == "\n":
        return True
    following = text[match.end() : match.end() + 16].split()
    return bool(following) and following[0].casefold().rstrip(".,;") in _AFTER_ORDINAL


def _next_visible(text: str, position: int, stop: int) -> str:
    """Give the first character after white space and opening marks; a capital where the text ends."""
    while position < stop and (text[position].isspace() or text[position] in "\"'“„‘‚«‹([¿¡"):
        position += 1
    return text[position] if position < stop else "A"


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out white space at both ends; start equals end where there is nothing else."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _cut_long(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while end - start > MAX_SENTENCE_CHARS:
        limit = start + MAX_SENTENCE_CHARS
        cut = text.rfind("\n", start + 1, limit)
        if cut < 0:
            cut = max(text.rfind(space, start + 1, limit) for space in " \t\u00a0\u3000")
        if cut < 0:
            cut = limit
        yield _trim(text, start, cut)
        start, end = _trim(text, cut, end)
    if start < end:
        yield start, end
