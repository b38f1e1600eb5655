r"""Regular expressions of JSON schemas as grammars; a useful part of them; pure.

Understood: letters, classes, `\d \w \s`, groups, alternatives, `? * + {m,n}`, anchors at both ends. A
pattern without an anchor may match anywhere in a text: then the text is what matches and nothing more.

Source: ECMA-262, patterns; `grammars/README.md` in llama.cpp.
"""

import re

from app.worker.inference.json_rules import PLAIN, literal

MAX_PATTERN_CHARS = 500
_MAX_TIMES = 200
_CLASSES = {"d": "[0-9]", "w": "[A-Za-z0-9_]", "s": "[ ]"}
_TIMES = re.compile(r"\{(\d+)(,(\d*))?\}")
_NOT_PLAIN = set('"\\')  # stand escaped in JSON: no pattern over its text could tell


def pattern_rule(pattern: object) -> str:
    """Give the rule of a JSON string, quotes included, whose text matches.

    Raises:
        ValueError: the pattern is not one of those that are understood.
    """
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARS or not pattern.isprintable():
        raise ValueError("too long, or no pattern")
    reader = _Reader(pattern.removeprefix("^"))
    rule = reader.alternatives()
    if not reader.at_end:
        raise ValueError("a bracket too many")
    return f'"\\"" ({rule}) "\\""'


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at, self._depth = pattern, 0, 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        letter = self._peek()
        if not letter:
            raise ValueError("it ends too early")
        self._at += 1
        return letter

    def alternatives(self) -> str:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence())
        return " | ".join(parts)

    def _sequence(self) -> str:
        parts = []
        while self._peek() not in ("", "|", ")"):
            if self._peek() == "$" and self._at == len(self._text) - 1 and not self._depth:
                self._at += 1
                break
            parts.append(self._atom() + self._times())
        return " ".join(parts) or '""'

    def _atom(self) -> str:
        letter = self._take()
        if letter == "(":
            return self._group()
        if letter == "[":
            return self._class()
        if letter == ".":
            return f"[{PLAIN}]"
        if letter == "\\":
            return self._escaped()
        if letter in "^$*+?{}])" or letter in _NOT_PLAIN:
            raise ValueError("not understood")
        return literal(letter)

    def _escaped(self) -> str:
        letter = self._take()
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter.isalnum() or letter in _NOT_PLAIN:
            raise ValueError("an escape that is not understood")
        return literal(letter)

    def _group(self) -> str:
        if self._peek() == "?":
            if self._text[self._at : self._at + 2] != "?:":
                raise ValueError("a look around")
            self._at += 2
        self._depth += 1
        inner = self.alternatives()
        self._depth -= 1
        if self._take() != ")":
            raise ValueError("an open group")
        return f"({inner})"

    def _class(self) -> str:
        if self._peek() == "^":
            raise ValueError("a class of what is not wanted")
        parts = []
        while (letter := self._take()) != "]":
            if letter == "\\":
                escaped = self._escaped()
                parts.append(escaped[1:-1] if escaped.startswith("[") else _in_class(escaped[-2]))
            elif letter in _NOT_PLAIN:
                raise ValueError("a quote in a class")
            else:
                at_edge = not parts or self._peek() == "]"
                parts.append(letter if letter == "-" and not at_edge else _in_class(letter))
        if not parts:
            raise ValueError("an empty class")
        return f"[{''.join(parts)}]"

    def _times(self) -> str:
        letter = self._peek()
        if letter and letter in "?*+":
            self._at += 1
            found = letter
        elif letter == "{":
            times = _TIMES.match(self._text, self._at)
            if times is None or max(int(times[1]), int(times[3] or 0)) > _MAX_TIMES:
                raise ValueError("a number of times that is not understood")
            self._at = times.end()
            found = times[0]
        else:
            return ""
        if self._peek() and self._peek() in "?+*{":
            raise ValueError("a repetition of a repetition")
        return found


def _in_class(letter: str) -> str:
    return f"\\x{ord(letter):02X}" if letter in "-^]\\[" else letter
