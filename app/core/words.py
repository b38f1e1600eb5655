"""Words that carry meaning, in a form that can be compared across inflection, case and script."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from app.core.numerals import Figure, figures

_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
)
_UNSPACED = rf"[{_CJK}\u0e00-\u0eff\u1780-\u17ff\u1000-\u109f\U00020000-\U0003134f]"
_PATTERN = re.compile(
    rf"(?P<unspaced>{_UNSPACED}+)"
    r"|(?P<identifier>[^\W\d_]+-?\d[\w-]*)"
    r"|(?P<word>[^\W\d_](?:[^\W\d_]|[\u0300-\u036f\u0900-\u0dff]|['’](?=[^\W\d_]))*)"
)
# Runs between signs that only bind: Chinese function words, Japanese particles.
_BINDING_SIGNS = re.compile(
    "[^的是了在和与與及或也就着而之于於被把对對从從到吗嗎呢吧啊はがをにでとのもへや]+"
)
_POSSESSIVE = re.compile(r"['’]s?$")

# Function words. Those that are content words in another of these languages ("die", "war", "man") are left
# out: rarity weighs them down where they are frequent.
_ENGLISH = """
    a an the this that these those and or but nor if then than so as of at by for from in into on onto over
    under up down out off to with without within about above below between through during before after again
    against is are was were be been being am do does did done doing have has had having will would shall
    should can could may might must it its itself he him his she her hers they them their theirs we us our
    ours you your yours i me my mine who whom whose which what when where why how there here all any both each
    few more most other some such only own same too very just also not no yes cannot one ones according please
    tell give list say says said state states mention mentions mentioned describe explain based provided
    context passage passages document documents
"""
_GERMAN = """
    der das den dem des ein eine einer eines einem einen und oder aber wenn dann als wie so zu zum zur von vom
    mit ohne für auf aus bei beim nach vor über unter durch gegen um im ist sind waren wird werden wurde
    wurden sein hat haben hatte hatten kann können soll muss müssen es er sie wir ihr ich du mich dich uns
    euch ihm ihn ihnen sich nicht kein keine auch nur noch schon sehr mehr was wer wann wo warum welche
    welcher welches dieser diese dieses
"""
_FRENCH = """
    le la les un une des du de et ou mais si donc que qui quoi dont où ce cet cette ces il elle ils elles nous
    vous je tu se sa ses leur leurs est sont était étaient être été avoir avait ont aux au par pour dans sur
    sous avec sans ne pas plus quand comment pourquoi quel quelle quels quelles
"""
_SPANISH = """
    el los las uno unos unas del y o pero como con sin por para en es son era eran fue fueron ser sido ha han
    había lo su sus al más qué quién cuándo dónde cómo cuál cuáles esto esta este estos estas ese esa eso no
    sí se
"""
_STOPWORDS = frozenset(f"{_ENGLISH} {_GERMAN} {_FRENCH} {_SPANISH}".split())
# Words that point at something said before, wherever they stand.
_POINTING_WORDS = """
    it they them he him she this these those there former latter ones
    er ihn ihm ihnen dies dieser dieses diesen diesem davon dafür damit darin dazu darüber dort
    il elle ils elles lui eux cela ça celui-ci celle-ci y
    él ella ellos ellas esto eso este ese aquello allí
"""
_POSSESSIVE_WORDS = (
    "its their his her hers theirs dessen deren sein seine seinen seiner ihre ihren su sus leur leurs"
)
POINTING = frozenset(_POINTING_WORDS.split())
POSSESSIVE = frozenset(_POSSESSIVE_WORDS.split())
CJK_POINTING = re.compile("它|他们|她们|他|她|这个|那个|这些|那些|其|该|それ|その|これ|この|彼")
_DENYING = """
    not no never none neither nor without cannot nicht kein keine keinen nie niemals ohne ne pas jamais sans
    nunca jamás sin ningún ninguna
"""
NEGATIONS = frozenset(_DENYING.split())
_NEGATION_IN_CJK = re.compile("[不没沒未]")

_ENDINGS = (
    "ations", "ation", "ments", "ement", "ment", "ities", "ity", "ings", "ing", "ions", "ion", "ors", "ers",
    "edly", "ed", "er", "or", "ly", "en", "em", "es", "os", "as", "e", "o", "a",
)  # fmt: skip
_MIN_STEM = 4
_PREFIX = 4


class Kind(Enum):
    """What a term is."""

    WORD = "word"
    IDENTIFIER = "identifier"  # letters with digits, such as X200
    NUMBER = "number"
    BIGRAM = "bigram"  # of scripts that put no spaces between words


@dataclass(frozen=True, slots=True)
class Term:
    """A word, number or pair of signs that carries meaning.

    Attributes:
        key: what is compared; for numbers `values` is compared instead.
        start: half-open range in code points.
        values: ways to read a number; empty for what is none. A word that may be a number ("the first") has
        them too, and is held by its word or by its number.
        capital: begins with a capital letter.
        acronym: has at least two capitals and nothing small.
    """

    key: str
    start: int
    end: int
    kind: Kind
    values: frozenset[str] = frozenset()
    capital: bool = False
    acronym: bool = False


def content_terms(text: str) -> list[Term]:
    """Give the terms of a text that carry meaning, in order; function words are left out."""
    found = figures(text)
    taken = {index for figure in found for index in range(figure.start, figure.end)}
    terms = [_of_figure(text, figure) for figure in found]
    for match in _PATTERN.finditer(text):
        if match.start() not in taken:
            terms.extend(_of_match(match))
    return sorted(terms, key=lambda term: (term.start, term.end))


def _of_figure(text: str, figure: Figure) -> Term:
    if figure.is_word:
        return Term(stem(text[figure.start : figure.end]), figure.start, figure.end, Kind.WORD, figure.values)
    is_month = all(value.startswith("month ") for value in figure.values)
    key = stem(text[figure.start : figure.end]) if is_month else "/".join(sorted(figure.values))
    return Term(key, figure.start, figure.end, Kind.NUMBER, figure.values)


def _of_match(match: re.Match[str]) -> list[Term]:
    word, start = match[0], match.start()
    if match["unspaced"]:
        return [
            term for run in _BINDING_SIGNS.finditer(word) for term in _bigrams(run[0], start + run.start())
        ]
    if match["identifier"]:
        return [Term(word.casefold(), start, match.end(), Kind.IDENTIFIER, capital=True, acronym=True)]
    word, start = _without_clitics(word, start)
    if word.casefold() in _STOPWORDS or len(word) < 2:
        return []
    acronym = len(word) >= 2 and word.isupper()
    return [Term(stem(word), start, start + len(word), Kind.WORD, capital=word[0].isupper(), acronym=acronym)]


def _bigrams(run: str, start: int) -> list[Term]:
    if len(run) == 1:
        return [Term(run, start, start + 1, Kind.BIGRAM)]
    return [Term(run[i : i + 2], start + i, start + i + 2, Kind.BIGRAM) for i in range(len(run) - 1)]


def _without_clitics(word: str, start: int) -> tuple[str, int]:
    """Cut `'s`, `n't` and the like, and an elided article before the word (l', d', qu')."""
    word = _POSSESSIVE.sub("", word)
    head, apostrophe, tail = word.replace("’", "'").partition("'")
    if not apostrophe:
        return word, start
    if tail.casefold() == "t" and head.casefold().endswith("n"):
        return "", start  # isn't, won't: none of them carries meaning, `negation_places` finds them
    if len(head) <= 2 and len(tail) > 2:
        return tail, start + len(head) + 1
    return head, start


def is_function_word(word: str) -> bool:
    """Tell whether a word only binds others."""
    return word.casefold() in _STOPWORDS


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Fold case and accents and cut an inflectional ending, the same way for every European language.

    Two words that share a stem may differ in meaning; both sides of a comparison are cut alike, and numbers
    and names are checked apart.
    """
    folded = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(sign for sign in folded if not "\u0300" <= sign <= "\u036f")
    if plain.endswith("ies") and len(plain) > _MIN_STEM:
        return plain[:-3] + "y"
    if plain.endswith("s") and not plain.endswith(("ss", "us", "is")) and len(plain) > _MIN_STEM - 1:
        plain = plain[:-1]
    for ending in _ENDINGS:
        if plain.endswith(ending) and len(plain) - len(ending) >= _MIN_STEM:
            plain = plain[: -len(ending)]
            break
    if len(plain) > _MIN_STEM and plain[-1] == plain[-2] and plain[-1] not in "aeiou":
        plain = plain[:-1]
    return plain


def points_back(text: str) -> bool:
    """Tell whether a text has a pronoun, so that what it speaks of may stand before it."""
    words = {match[0].casefold() for match in re.finditer(r"[^\W\d_]+", text)}
    return not words.isdisjoint(POINTING | POSSESSIVE) or bool(CJK_POINTING.search(text))


def negation_places(text: str) -> list[int]:
    """Give where a text denies something: the start of each word (or sign) of negation."""
    words = [
        match.start()
        for match in re.finditer(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text)
        if match[0].casefold() in NEGATIONS or match[0].casefold().endswith(("n't", "n’t"))
    ]
    return sorted(words + [match.start() for match in _NEGATION_IN_CJK.finditer(text)])


def distinct(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Give each term once, the last where it stands twice."""
    return tuple({(term.kind, term.key): term for term in terms}.values())


class TermSet:
    """A set of terms that tells whether it holds one, inflected or not.

    Attributes:
        keys: of the terms that are no numbers, and of months beside one: "October 1987" holds "October".
        values: every way to read its numbers.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        """Index the terms."""
        terms = tuple(terms)
        self.keys = {term.key for term in terms if term.kind is not Kind.NUMBER or term.key.isalpha()}
        self.values = {value for term in terms for value in term.values}
        self._by_prefix: dict[str, list[str]] = {}
        for key in self.keys:
            self._by_prefix.setdefault(key[:_PREFIX], []).append(key)

    def holds(self, term: Term) -> bool:
        """Tell whether the set has the term, or a word that shares most of its beginning."""
        if not term.values.isdisjoint(self.values):
            return True
        if term.kind is Kind.NUMBER:
            return False
        if term.key in self.keys:
            return True
        if term.kind is not Kind.WORD or term.acronym or len(term.key) < _PREFIX:
            return False
        return any(_are_one_family(term.key, key) for key in self._by_prefix.get(term.key[:_PREFIX], ()))


def _are_one_family(first: str, second: str) -> bool:
    """Tell whether two stems share most of their beginning (compute, computer; 5 of 7 letters)."""
    longest = max(len(first), len(second))
    shared = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    return (min(len(first), len(second)) if shared is None else shared) >= max(_PREFIX, 0.7 * longest)
