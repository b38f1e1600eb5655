"""From the Markdown of one sentence to the words that a voice says."""

import html
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from app.core.answer_marks import without_marks
from app.core.spoken_english import in_english

_ENDS = ".!?…؟。！？｡．।॥۔።:;,"
# What stands inside code and formulas never reaches over the end of a sentence: an unclosed mark in a text
# that is still being written must not change sentences that were given already.
_INNER = r"(?:(?![.!?…؟]\s|[。！？｡．।॥۔።]|\n\s*\n).)"

CODE_SPAN = rf"(?<!`)(?P<ticks>`{{1,2}})(?![`\s])(?P<code>{_INNER}{{1,300}}?)(?<!`)(?P=ticks)"
FORMULA = (
    rf"\$\$(?P<double>(?:(?!\$){_INNER}){{1,300}}?)\$\$"
    rf"|\$(?![\s$])(?P<dollar>(?:(?!\$){_INNER}){{1,300}}?)(?<!\s)\$(?!\d)"
    rf"|\\\((?P<round>{_INNER}{{1,300}}?)\\\)"
)
ADDRESS = r"<?(?P<address>(?:https?://|ftp://|www\.)[^\s<>()\[\]{}\"'`|]*[^\s<>()\[\]{}\"'`|.,;:!?*_~…。！？、，])>?"
TARGET = r"\]\((?P<target>[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+\"[^\"\n.!?]{0,200}\")?\)"

_CODE = re.compile(CODE_SPAN, re.DOTALL)
_FORMULA = re.compile(FORMULA, re.DOTALL)
_ADDRESS = re.compile(ADDRESS)
_IMAGE = re.compile(rf"!\[(?P<alt>[^\]\n]{{0,300}}){TARGET}")
_TARGET = re.compile(TARGET)
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,40}\]:?")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,300}>")
_LINE_MARKS = re.compile(r"\n[^\S\n]*(?:>[^\S\n]?)+")
_TASK = re.compile(r"^\[(?P<done>[ xX])\]\s+")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_EMPHASIS = re.compile(r"(?<![^\W_])[*_]+(?=\S)|(?<=\S)[*_]+(?![^\W_])|\*\*|~~|==")
_TIMES = re.compile(r"(?<=\w)\s*\*\s*(?=\w)")
_SIGNS = {">=": "≥", "<=": "≤", "!=": "≠", "->": "→", "=>": "⇒"}
_SIGN = re.compile(r"(?<![<>=!\-])(?:>=|<=|!=|->|=>)(?![<>=\-])")
_ABOUT = re.compile(r"(?<![\w~])~(?=[\d$€£])")
# Letters of scripts that a voice of a language in Latin letters names one by one: all but Latin and Greek.
_FOREIGN = "\u0400-\u1cff\u2de0-\u2dff\u3005-\ud7ff\uf900-\ufaff\ufb1d-\ufdff\ufe70-\ufefc"
_FOREIGN_RUN = re.compile(rf"[{_FOREIGN}](?:[^\w\n]*[\d{_FOREIGN}])*")
_OTHER_SCRIPTS = "ar be bg fa he hi hy ja ka kk kn ko ky ml mn mr ne ru sr ta te th uk ur zh"
"""Languages whose voices read another script than the Latin one; they mostly read Latin letters too."""
_BARS = re.compile(r"\s*\|\s*")
_EMPTY = re.compile(r"\(\s*[,;]?\s*\)|\[\s*\]|“\s*”|\"\s*\"")
_SPACE_BEFORE = re.compile(r"\s+([.,;:!?…])(?!\w)")
_SIMPLE_FORMULA = re.compile(r"[\w\s+\-*/=<>(),.%]{1,40}")
_ESCAPED = {chr(0xE000 + number): character for number, character in enumerate(map(chr, range(33, 127)))}
_PROTECTED = {character: mark for mark, character in _ESCAPED.items()}

# Names of languages as fences say them, where capitals alone do not do.
_LANGUAGES = {
    "bash": "shell",
    "c": "C",
    "console": "shell",
    "cpp": "C plus plus",
    "c++": "C plus plus",
    "cs": "C sharp",
    "csharp": "C sharp",
    "css": "CSS",
    "go": "Go",
    "html": "HTML",
    "java": "Java",
    "javascript": "JavaScript",
    "js": "JavaScript",
    "json": "JSON",
    "kotlin": "Kotlin",
    "php": "PHP",
    "py": "Python",
    "python": "Python",
    "python3": "Python",
    "r": "R",
    "rb": "Ruby",
    "rs": "Rust",
    "ruby": "Ruby",
    "rust": "Rust",
    "sh": "shell",
    "shell": "shell",
    "sql": "SQL",
    "swift": "Swift",
    "toml": "TOML",
    "ts": "TypeScript",
    "typescript": "TypeScript",
    "xml": "XML",
    "yaml": "YAML",
    "yml": "YAML",
    "zsh": "shell",
}
_PLAIN = frozenset({"", "text", "txt", "plain", "plaintext", "output", "none"})


@dataclass(frozen=True)
class Phrases:
    """What a voice says in place of what cannot be read; `{n}` a number, `{name}` a name.

    Attributes:
        foreign: words in a script that the voice cannot read.
        symbols: by character.
        is_english: the voice is, so amounts and short forms are written out in English.
        reads_other_scripts: the voice's own script is not the Latin one.
    """

    code_in: str
    code: str
    line: str
    lines: str
    more_row: str
    more_rows: str
    link: str
    image: str
    formula: str
    done: str
    open_task: str
    foreign: str
    symbols: Mapping[str, str]
    is_english: bool = False
    reads_other_scripts: bool = False


_ENGLISH = Phrases(
    code_in="Code in {name}, {lines}.",
    code="Code, {lines}.",
    line="1 line",
    lines="{n} lines",
    more_row="And 1 more row.",
    more_rows="And {n} more rows.",
    link="link to {name}",
    image="image",
    formula="a formula",
    done="done:",
    open_task="to do:",
    foreign="words in another script",
    symbols={
        "→": "to",
        "⇒": "therefore",
        "←": "from",
        "↔": "and",
        "≥": "at least",
        "≤": "at most",
        "≠": "is not equal to",
        "≈": "about",
        "×": "times",
        "÷": "divided by",
        "±": "plus or minus",
        "=": "equals",
        "∞": "infinity",
        "✓": "yes",
        "✔": "yes",
        "✅": "yes",
        "✗": "no",
        "✘": "no",
        "❌": "no",
    },
)
_GERMAN = Phrases(
    code_in="Code in {name}, {lines}.",
    code="Code, {lines}.",
    line="1 Zeile",
    lines="{n} Zeilen",
    more_row="Und 1 weitere Zeile.",
    more_rows="Und {n} weitere Zeilen.",
    link="Link zu {name}",
    image="Bild",
    formula="eine Formel",
    done="erledigt:",
    open_task="offen:",
    foreign="Wörter in einer anderen Schrift",
    symbols={"→": "zu", "≥": "mindestens", "≤": "höchstens", "≈": "etwa", "×": "mal", "=": "gleich"}
    | {"✓": "ja", "✔": "ja", "✅": "ja", "✗": "nein", "✘": "nein", "❌": "nein"},
)
_FRENCH = Phrases(
    code_in="Code en {name}, {lines}.",
    code="Code, {lines}.",
    line="1 ligne",
    lines="{n} lignes",
    more_row="Et encore 1 ligne.",
    more_rows="Et encore {n} lignes.",
    link="lien vers {name}",
    image="image",
    formula="une formule",
    done="fait :",
    open_task="à faire :",
    foreign="des mots dans une autre écriture",
    symbols={"→": "vers", "≥": "au moins", "≤": "au plus", "≈": "environ", "×": "fois", "=": "égale"}
    | {"✓": "oui", "✔": "oui", "✅": "oui", "✗": "non", "✘": "non", "❌": "non"},
)
_SPANISH = Phrases(
    code_in="Código en {name}, {lines}.",
    code="Código, {lines}.",
    line="1 línea",
    lines="{n} líneas",
    more_row="Y 1 fila más.",
    more_rows="Y {n} filas más.",
    link="enlace a {name}",
    image="imagen",
    formula="una fórmula",
    done="hecho:",
    open_task="pendiente:",
    foreign="palabras en otra escritura",
    symbols={
        "→": "a",
        "≥": "al menos",
        "≤": "como máximo",
        "≈": "aproximadamente",
        "×": "por",
        "=": "igual a",
    }
    | {"✓": "sí", "✔": "sí", "✅": "sí", "✗": "no", "✘": "no", "❌": "no"},
)
_PHRASES = {"en": _ENGLISH, "de": _GERMAN, "fr": _FRENCH, "es": _SPANISH}


def phrases_of(language: str) -> Phrases:
    """Give the phrases of a voice's language (ISO 639-1 code); English ones where there are none."""
    phrases = _PHRASES.get(language, _ENGLISH)
    return replace(
        phrases, is_english=language == "en", reads_other_scripts=language in _OTHER_SCRIPTS.split()
    )


def code_words(language: str, n_lines: int, phrases: Phrases) -> str:
    """Name a block of code instead of reading it."""
    lines = phrases.line if n_lines == 1 else phrases.lines.format(n=n_lines)
    name = language.casefold()
    if name in _PLAIN:
        return phrases.code.format(lines=lines)
    return phrases.code_in.format(name=_LANGUAGES.get(name, name.capitalize()), lines=lines)


def more_rows_words(n_rows: int, phrases: Phrases) -> str:
    """Say how many rows of a table are not read."""
    return phrases.more_row if n_rows == 1 else phrases.more_rows.format(n=n_rows)


def formula_words(phrases: Phrases) -> str:
    """Name a formula that stands alone."""
    return f"{phrases.formula[0].upper()}{phrases.formula[1:]}."


def spoken(source: str, phrases: Phrases) -> str:
    """Give the words of a sentence of Markdown, on one line; empty where nothing of it can be said.

    It depends on the sentence alone, whatever stands around it.
    """
    text = _LINE_MARKS.sub("\n", source)
    text = without_marks(text)[0]
    text = _TASK.sub(lambda match: f"{phrases.open_task if match['done'] == ' ' else phrases.done} ", text)
    text = _FOOTNOTE.sub("", _COMMENT.sub(" ", text))
    text = _CODE.sub(lambda match: _protected(_code_read(match["code"])), text)
    text = _FORMULA.sub(lambda match: _formula_read(match, phrases), text)
    text = _ESCAPE.sub(lambda match: _protected(match[1]), text)
    text = _IMAGE.sub(lambda match: _image_read(match["alt"], phrases), text)
    text = _TARGET.sub("]", text)
    text = _ADDRESS.sub(lambda match: phrases.link.format(name=_host(match["address"])), text)
    text = _TAG.sub("", _BREAK.sub(", ", text))
    text = _EMPHASIS.sub("", text).replace("`", "").replace("[", "").replace("]", "")
    text = _BARS.sub(", ", _unprotected(html.unescape(text)))
    text = _said(_TIMES.sub(" × ", _read(text, phrases)), phrases)
    text = _SPACE_BEFORE.sub(r"\1", _EMPTY.sub("", " ".join(text.split()))).strip(" ,;")
    if not any(character.isalnum() for character in text):
        return ""
    return text


def ended(words: str) -> str:
    """Put a full stop where a heading or a list item has none: the voice falls there."""
    return words if not words or words.rstrip("\"'”’»)")[-1:] in _ENDS else f"{words}."


def _read(text: str, phrases: Phrases) -> str:
    """Write out what the voice would spell, lose or name letter by letter."""
    text = _ABOUT.sub("≈", _SIGN.sub(lambda match: _SIGNS[match[0]], text))
    if phrases.is_english:
        text = in_english(text)
    if phrases.reads_other_scripts:
        return text
    if not any(character.isalnum() for character in _FOREIGN_RUN.sub("", text)):
        return ""
    return _FOREIGN_RUN.sub(phrases.foreign, text)


def _protected(text: str) -> str:
    """Hide characters of ASCII from the rules that follow: they mean themselves."""
    return "".join(_PROTECTED.get(character, character) for character in text)


def _unprotected(text: str) -> str:
    return "".join(_ESCAPED.get(character, character) for character in text)


def _code_read(code: str) -> str:
    """Make a name of a program sayable: `read_file()` is said as “read file”."""
    name = re.sub(r"\(\s*\)", "", code.strip())
    return re.sub(r"(?<=\w)_+(?=\w)", " ", name)


def _formula_read(match: re.Match[str], phrases: Phrases) -> str:
    """Read a simple formula, name any other."""
    content = next(each for each in match.group("double", "dollar", "round") if each is not None).strip()
    if not _SIMPLE_FORMULA.fullmatch(content):
        return phrases.formula
    for sign in ("=", "+", "<", ">", "*", "/"):
        content = content.replace(sign, f" {sign} ")
    return _protected(content)


def _image_read(alt: str, phrases: Phrases) -> str:
    return f"{phrases.image}: {alt.strip()}" if alt.strip() else phrases.image


def _host(address: str) -> str:
    """Give what is worth saying of an address: its host without `www`."""
    try:
        host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:  # no host that makes sense
        host = ""
    return host.removeprefix("www.") or "…"


def _said(text: str, phrases: Phrases) -> str:
    """Put words for symbols, and leave out what has no sound: emoji, arrows, drawing characters."""
    return "".join(
        f" {phrases.symbols[character]} " if character in phrases.symbols else _sound_of(character)
        for character in text
    )


def _sound_of(character: str) -> str:
    if character.isascii():
        return " " if character in "*#~^`\\" or not character.isprintable() else character
    category = unicodedata.category(character)
    if category in ("So", "Sk", "Cf", "Co", "Cs", "Cc", "Cn") and character not in "°©®™№":
        return "" if category in ("Cf", "Cs") else " "
    return "" if "\ufe00" <= character <= "\ufe0f" else character
