"""What a Word document's styles and numbering say of a paragraph: its heading level, its number.

Source: ECMA-376 part 1, sections 17.3.1.20 (outlineLvl), 17.7.4 (styles) and 17.9 (numbering).
"""

import re
from collections import defaultdict
from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"

_HEADING_NAME = re.compile(r"(?:heading|überschrift|titre|título|rubrik|kop) ?([1-9])$", re.IGNORECASE)
_BODY_LEVEL = 9
_MAX_STYLE_CHAIN = 20
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip

NumberKey = tuple[str, int]
"""numId and level from 0."""


class Styles:
    """Heading levels and numbering by style."""

    def __init__(self, root: Any | None) -> None:
        """Take the root of the styles part; None where there is none."""
        self._styles = (
            {} if root is None else {style.get(f"{W}styleId"): style for style in root.iter(f"{W}style")}
        )
        self._levels: dict[str | None, int] = {}

    def heading_level(self, paragraph: Any) -> int:
        """Give a paragraph's heading level from 1; 0 where it is none."""
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            return 0
        own = _value(properties, "outlineLvl")
        if own is not None and own.isdigit():
            return _as_level(int(own))
        style_id = _value(properties, "pStyle")
        if style_id not in self._levels:
            self._levels[style_id] = self._style_level(style_id)
        return self._levels[style_id]

    def numbering(self, paragraph: Any) -> NumberKey | None:
        """Give the list that numbers a paragraph; None without one."""
        properties = paragraph.find(f"{W}pPr")
        if properties is None:
            return None
        own = properties.find(f"{W}numPr")
        key = _number_key(own)
        if key is None or key[0] == "":
            for style in self._chain(_value(properties, "pStyle")):
                inherited = _number_key(style.find(f"{W}pPr/{W}numPr"))
                if inherited is not None:
                    level = _value(style.find(f"{W}pPr"), "outlineLvl")
                    key = inherited[0], int(level) if level and level.isdigit() else inherited[1]
                    break
        return None if key is None or key[0] in ("", "0") else key

    def _chain(self, style_id: str | None) -> list[Any]:
        chain: list[Any] = []
        while style_id in self._styles and len(chain) < _MAX_STYLE_CHAIN:
            style = self._styles[style_id]
            chain.append(style)
            style_id = _value(style, "basedOn")
        return chain

    def _style_level(self, style_id: str | None) -> int:
        for style in self._chain(style_id):
            name = _value(style, "name") or ""
            if name.lower() == "title":
                return 1
            if match := _HEADING_NAME.match(name):
                return int(match[1])
            level = _value(style.find(f"{W}pPr"), "outlineLvl")
            if level is not None and level.isdigit():
                return _as_level(int(level))
        match = _HEADING_NAME.match(style_id or "")
        return int(match[1]) if match else 0


class Numbering:
    """Counts list paragraphs as Word does and gives the mark before each."""

    def __init__(self, root: Any | None) -> None:
        """Take the root of the numbering part; None where there is none."""
        self._levels: dict[str, dict[int, Any]] = {}
        self._abstract_of: dict[str, str] = {}
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        if root is None:
            return
        for abstract in root.iter(f"{W}abstractNum"):
            levels = {int(level.get(f"{W}ilvl") or 0): level for level in abstract.findall(f"{W}lvl")}
            self._levels[abstract.get(f"{W}abstractNumId")] = levels
        for number in root.findall(f"{W}num"):
            self._abstract_of[number.get(f"{W}numId")] = _value(number, "abstractNumId") or ""

    def mark(self, key: NumberKey) -> str:
        """Count this paragraph and give its mark, such as `2.1 ` or `• `; empty for a list without marks."""
        number_id, depth = key
        abstract = self._abstract_of.get(number_id, "")
        levels = self._levels.get(abstract, {})
        if depth not in levels:
            return ""
        counts = self._counts[abstract]
        counts[depth] = counts.get(depth, self._start(levels, depth) - 1) + 1
        for deeper in [level for level in counts if level > depth]:
            del counts[deeper]
        if _value(levels[depth], "numFmt") == "bullet":
            return "• "
        text = _value(levels[depth], "lvlText") or ""
        mark = re.sub(r"%([1-9])", lambda match: self._count(levels, counts, int(match[1]) - 1), text).strip()
        return f"{mark} " if mark else ""

    def _start(self, levels: dict[int, Any], depth: int) -> int:
        start = _value(levels[depth], "start") if depth in levels else None
        return int(start) if start and start.isdigit() else 1

    def _count(self, levels: dict[int, Any], counts: dict[int, int], depth: int) -> str:
        count = counts.get(depth, self._start(levels, depth))
        return _formatted(count, _value(levels[depth], "numFmt") if depth in levels else None)


def _value(element: Any | None, name: str) -> str | None:
    """Give the `val` of a child element."""
    child = None if element is None else element.find(f"{W}{name}")
    value = None if child is None else child.get(f"{W}val")
    return None if value is None else str(value)


def _number_key(element: Any | None) -> NumberKey | None:
    if element is None:
        return None
    level = _value(element, "ilvl") or "0"
    return _value(element, "numId") or "", int(level) if level.isdigit() else 0


def _as_level(outline_level: int) -> int:
    return outline_level + 1 if outline_level < _BODY_LEVEL else 0


def _formatted(count: int, number_format: str | None) -> str:
    if number_format in ("lowerLetter", "upperLetter") and count > 0:
        letters = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letters.upper() if number_format == "upperLetter" else letters
    if number_format in ("lowerRoman", "upperRoman") and 0 < count < 4000:
        roman = ""
        for value, letters in _ROMAN:
            roman += letters * (count // value)
            count %= value
        return roman.upper() if number_format == "upperRoman" else roman
    if number_format == "decimalZero":
        return f"{count:02d}"
    return "" if number_format == "none" else str(count)
