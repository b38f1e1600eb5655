"""The languages that multilingual speech models know, by name."""

from functools import cache

from PySide6.QtCore import QLocale

_CODES = """
af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu
hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt
ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh
"""
CODES = tuple(_CODES.split())
"""ISO 639 codes as Whisper writes them (`jw` for Javanese).

Source: the tokenizer of Whisper, `whisper/tokenizer.py`, LANGUAGES.
"""

_OWN_NAMES = {  # where Qt has none, or names a country's variety
    "bn": "Bengali · বাংলা",
    "en": "English",
    "es": "Spanish · español",
    "jw": "Javanese",
    "no": "Norwegian · norsk",
    "tl": "Tagalog",
    "yue": "Cantonese",
    "zh": "Chinese · 中文",
}


def language_name(code: str) -> str:
    """Give a language's name in English and, where it differs, in itself; the code where it has no name."""
    if code in _OWN_NAMES:
        return _OWN_NAMES[code]
    language = QLocale.codeToLanguage(code)
    if language == QLocale.Language.AnyLanguage:
        return code
    name = QLocale.languageToString(language)
    native = QLocale(language).nativeLanguageName()
    is_same = not native or native.casefold() in name.casefold() or QLocale(language).language() != language
    return name if is_same else f"{name} · {native}"


@cache
def languages_by_name() -> tuple[tuple[str, str], ...]:
    """Give (code, name) of all languages, by name."""
    pairs = ((code, language_name(code)) for code in CODES)
    return tuple(sorted(pairs, key=lambda pair: pair[1].casefold()))
