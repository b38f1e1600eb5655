"""Building blocks of the grammars that JSON schemas become, in llama.cpp's GBNF; pure.

Source: `grammars/README.md` in llama.cpp (notation), RFC 8259 (JSON), RFC 3339 (dates and times).
"""

import json

MAX_DIGITS = 15
"""Of whole numbers without a limit: beyond, numbers are not exact any more in many programs."""

PLAIN = r" !#-\[\]-~\u00A0-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF"
"""What stands as itself in a JSON string, as the inside of a class; no bytes that are no characters."""

CONSTANT_RULES = {
    "ws": r'" "? | "\n" [ \t]{0,20}',
    "char": rf'[{PLAIN}] | "\\" ["\\/bfnrt] | "\\u" [0-9a-fA-F]{{4}}',
    "sign": rf'[{PLAIN}] | "\\" ["\\/bfnrt]',
    "string": r'"\"" char* "\""',
    "integer": r'"-"? ("0" | [1-9] [0-9]{0,14})',
    "number": r'integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "member": 'string ws ":" ws value',
    "object": '"{" ws (member (ws "," ws member)* ws)? "}"',
    "array": '"[" ws (value (ws "," ws value)* ws)? "]"',
    "value": "object | array | string | number | boolean | null",
}
"""Rules by name. `sign` is a character of a string whose length counts: an escaped half of a pair is none."""

_DATE = (
    '[12] [0-9]{3} "-" (("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])'
    ' | ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30") | "02-" ("0" [1-9] | "1" [0-9] | "2" [0-8]))'
)
_TIME = (
    '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,3})?'
    ' ("Z" | [-+] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])'
)
_BYTE = '("25" [0-5] | "2" [0-4] [0-9] | "1" [0-9] [0-9] | [1-9]? [0-9])'
_LABEL = "[a-z0-9] [a-z0-9]{0,20}"
_HOST = f'{_LABEL} ("." {_LABEL}){{0,2}} "." [a-z]{{2,6}}'

FORMATS = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f'{_DATE} "T" {_TIME}',
    "uuid": '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}',
    "email": f'[a-z0-9] [a-z0-9._-]{{0,30}} "@" {_HOST}',
    "uri": f'"http" "s"? "://" {_HOST} ("/" [A-Za-z0-9._-]{{0,40}}){{0,4}}',
    "hostname": _HOST,
    "ipv4": f'{_BYTE} "." {_BYTE} "." {_BYTE} "." {_BYTE}',
}
"""Content of strings of a format. Of other formats any string is allowed."""


def literal(text: str) -> str:
    """Give a GBNF literal."""
    shown = json.dumps(text, ensure_ascii=False)
    return shown.replace("\x7f", "\\x7F")


def constant(value: object) -> str:
    """Give the literal of a JSON value."""
    return literal(json.dumps(value, ensure_ascii=False))


def repeated(expression: str, least: int, most: int | None) -> str:
    """Give an expression that repeats another."""
    return f"({expression}){{{least},{'' if most is None else most}}}"


def whole_numbers(low: int | None, high: int | None) -> str:
    """Give the rule for the whole numbers from `low` to `high`, both included; None: no limit.

    Raises:
        ValueError: there is none.
    """
    limit = 10**MAX_DIGITS - 1
    low = -limit if low is None else max(low, -limit)
    high = limit if high is None else min(high, limit)
    if low > high:
        raise ValueError("no number lies between its limits")
    parts = []
    if high >= 0:
        parts += _counting(max(low, 0), high)
    if low < 0:
        parts += [f'"-" ({" | ".join(_counting(max(-high, 1), -low))})']
    return " | ".join(parts)


def numbers(low: float | None, high: float | None) -> str:
    """Give a rule for numbers between limits: whole ones, and fractions above those that are not negative.

    Raises:
        ValueError: there is no whole number between the limits.
    """
    first = None if low is None else -int(-low // 1)
    last = None if high is None else int(high // 1)
    parts = [whole_numbers(first, last)]
    start = max(first or 0, 0)
    end = 10**MAX_DIGITS - 1 if last is None else last - 1
    if start <= end:
        parts.append(f'({whole_numbers(start, end)}) "." [0-9]{{1,15}}')
    return " | ".join(parts)


def _counting(low: int, high: int) -> list[str]:
    """Give alternatives for the numbers of 0 or more from low to high, cut where the digits get more."""
    parts = []
    while low <= high:
        end = min(high, 10 ** len(str(low)) - 1)
        parts.append(_same_length(str(low), str(end)))
        low = end + 1
    return parts


def _same_length(low: str, high: str) -> str:
    """Give an expression for the numbers between two of the same number of digits."""
    if not low:
        return '""'
    first, last, n_rest = low[0], high[0], len(low) - 1
    if first == last:
        return f'"{first}" {_same_length(low[1:], high[1:])}' if n_rest else f'"{first}"'
    begin, end = int(first), int(last)
    parts = []
    if n_rest and low[1:] != "0" * n_rest:
        parts.append(f'"{first}" {_same_length(low[1:], "9" * n_rest)}')
        begin += 1
    if n_rest and high[1:] != "9" * n_rest:
        parts.append(f'"{last}" {_same_length("0" * n_rest, high[1:])}')
        end -= 1
    if begin <= end:
        parts.append(f"[{begin}-{end}]" + (f" [0-9]{{{n_rest}}}" if n_rest else ""))
    return f"({' | '.join(parts)})"
