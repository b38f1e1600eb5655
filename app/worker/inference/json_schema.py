"""JSON schemas as grammars: every text that the grammar allows is JSON that the schema allows; pure.

The other way round need not hold: some of what a schema allows is left out where that keeps the grammar small
(properties in another order or beyond those named, very long lists). What cannot be promised is refused in
words, not passed over.

llama-cpp-python brings a converter of its own; it lets control characters into strings, which is no JSON, and
passes over limits of numbers and other keywords silently, so that its answers need not be valid.

Source: JSON Schema 2020-12 (validation vocabulary).
"""

import itertools
import json
from collections.abc import Mapping
from typing import Any

from app.core.errors import ModelError
from app.worker.inference.json_endless import can_end
from app.worker.inference.json_pattern import pattern_rule
from app.worker.inference.json_rules import (
    CONSTANT_RULES,
    FORMATS,
    constant,
    literal,
    numbers,
    repeated,
    whole_numbers,
)

MAX_SCHEMA_BYTES = 64 * 1024
MAX_GRAMMAR_BYTES = 256 * 1024
_MAX_VISITS, _MAX_DEPTH = 4_000, 60
_MAX_ITEMS, _MAX_CHARS = 200, 1_000
_MAX_COUNTED = 1_000  # multiples that are written out

_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_KEYWORDS_OF = {
    "object": {"properties", "required", "additionalProperties", "minProperties", "maxProperties"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}
_KEYWORDS_OF["integer"] = _KEYWORDS_OF["number"]
_JOINING = {"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"}
_SILENT = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
_SILENT |= {"$schema", "$id", "$comment", "$defs", "definitions", "$anchor", "contentMediaType"}
_KNOWN = _JOINING.union(*_KEYWORDS_OF.values())


class _UnfitError(ValueError):
    """The schema asks for what a grammar cannot promise; the message says what."""


def schema_grammar(schema: Mapping[str, Any]) -> str:
    """Give the grammar of a schema.

    Raises:
        ModelError: `schema.bad`.
    """
    try:
        if len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
            raise _UnfitError(f"it is longer than {MAX_SCHEMA_BYTES // 1024} kB")
        text = _Converter(schema).text()
        if len(text) > MAX_GRAMMAR_BYTES:
            raise _UnfitError("it asks for too much at once")
    except (_UnfitError, ValueError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error) if isinstance(error, _UnfitError) else "it is not a JSON schema"
        raise ModelError(
            "schema.bad",
            f"The JSON schema for this answer cannot be used: {reason}.",
            "Leave that out, or describe the answer more simply.",
        ) from error
    return text


class _Converter:
    """Visits a schema once and collects rules."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._rules: dict[str, str] = {}
        self._of_reference: dict[str, str] = {}
        self._visits = itertools.count(1)
        self._names = itertools.count(1)

    def text(self) -> str:
        root = self._rule(self._schema, 0)
        if not can_end(self._schema, self._found):
            raise _UnfitError("a part of it requires itself, so that no answer ever ends")
        rules = {"root": root, **CONSTANT_RULES, **self._rules}
        return "\n".join(f"{name} ::= {rule}" for name, rule in rules.items()) + "\n"

    def _named(self, rule: str) -> str:
        name = f"r{next(self._names)}"
        self._rules[name] = rule
        return name

    # ------------------------------------------------------------------ what combines

    def _rule(self, schema: Any, depth: int) -> str:
        """Give the name of a schema's rule."""
        if next(self._visits) > _MAX_VISITS or depth > _MAX_DEPTH:
            raise _UnfitError("it is nested too deeply or too large")
        if schema is True:
            return "value"
        wanted = _wanted(schema)
        if "$ref" in wanted:
            return self._reference(wanted, depth)
        if "allOf" in wanted:
            return self._rule(self._merged([_without(wanted, "allOf"), *wanted["allOf"]]), depth + 1)
        for key in ("anyOf", "oneOf"):
            if key in wanted:
                others = _without(wanted, key)
                return self._either([self._merged([others, part]) for part in wanted[key]], depth)
        return self._plain(wanted, depth)

    def _reference(self, schema: dict[str, Any], depth: int) -> str:
        reference = schema["$ref"]
        if len(schema) > 1:
            return self._rule(self._merged([_without(schema, "$ref"), self._found(reference)]), depth + 1)
        if reference not in self._of_reference:
            name = self._of_reference[reference] = f"r{next(self._names)}"
            self._rules[name] = self._rule(self._found(reference), depth + 1)
            if self._rules[name] == name:
                raise _UnfitError(f"“{reference}” refers to itself")
        return self._of_reference[reference]

    def _found(self, reference: Any) -> Any:
        """Give what a reference inside the schema points to; nothing is ever fetched."""
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise _UnfitError(f"“{reference}” refers to something outside of it")
        place: Any = self._schema
        for step in reference.split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, list) and key.isdigit() and int(key) < len(place):
                place = place[int(key)]
            elif isinstance(place, Mapping) and key in place:
                place = place[key]
            else:
                raise _UnfitError(f"“{reference}” refers to nothing")
        return place

    def _merged(self, parts: list[Any]) -> Any:
        """Give one schema for several that all hold."""
        merged: dict[str, Any] = {}
        parts = [part for part in parts if not _says_nothing(part)]
        if len(parts) == 1:  # stays a reference where it is one: it may lead back to here
            return parts[0]
        for part in parts:
            while isinstance(part, Mapping) and set(part) - _SILENT == {"$ref"}:
                part = self._resolved(part["$ref"])
            if _says_nothing(part):
                continue
            if not isinstance(part, Mapping):
                raise _UnfitError("a part of it is neither an object nor true or false")
            if not set(merged) - _SILENT:
                merged = dict(part)
            else:
                _merge_into(merged, part)
        return merged

    def _resolved(self, reference: Any) -> Any:
        if next(self._visits) > _MAX_VISITS:
            raise _UnfitError(f"“{reference}” refers to itself")
        return self._found(reference)

    def _either(self, parts: list[Any], depth: int) -> str:
        if not parts:
            raise _UnfitError("it leaves no choice in one place")
        return self._named(" | ".join(self._rule(part, depth + 1) for part in parts))

    # ------------------------------------------------------------------ values

    def _plain(self, schema: dict[str, Any], depth: int) -> str:
        types = _types(schema)
        if "const" in schema or "enum" in schema:
            return self._named(_choice(schema, types))
        if set(schema) <= {"type"} and set(types) == set(_TYPES):
            return "value"
        make = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "number": _number,
            "integer": _integer,
        }
        rules = []
        for kind in types:
            own = {key: schema[key] for key in _KEYWORDS_OF.get(kind, set()) if key in schema}
            if not own:
                rules.append(kind)
            elif kind in ("number", "integer"):
                rules.append(self._named(make[kind](own)))  # type: ignore[operator]
            else:
                rules.append(make[kind](own, depth))  # type: ignore[operator]
        return rules[0] if len(rules) == 1 else self._named(" | ".join(rules))

    def _string(self, schema: dict[str, Any], _depth: int) -> str:
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        limited = least > 0 or most is not None
        if "pattern" in schema or schema.get("format") in FORMATS:
            if limited or len(schema.keys() & {"pattern", "format"}) > 1:
                raise _UnfitError("a text has a pattern or format and another limit at once")
            if "pattern" in schema:
                return self._named(_pattern(schema["pattern"]))
            return self._named(f'"\\"" {FORMATS[schema["format"]]} "\\""')
        if not limited:
            return "string"
        if least > _MAX_CHARS or (most is not None and least > most):
            raise _UnfitError("a text cannot be as long as it asks")
        most = None if most is None else max(least, min(int(most), _MAX_CHARS))
        return self._named(f'"\\"" {repeated("sign", least, most)} "\\""')

    def _array(self, schema: dict[str, Any], depth: int) -> str:
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        most = None if most is None else int(most)
        if schema.get("uniqueItems") and (most is None or most > 1):
            raise _UnfitError("“uniqueItems” cannot be promised")
        if least > _MAX_ITEMS or (most is not None and least > most):
            raise _UnfitError("a list cannot be as long as it asks")
        first = [self._rule(item, depth + 1) for item in schema.get("prefixItems", ())]
        if first:
            first = first if most is None else first[:most]
            if least > len(first):
                raise _UnfitError("a list asks for more items than it describes")
            items = ' ws "," ws '.join(first)
            return self._named(f'"[" ws {items} ws "]"' if first else '"[" ws "]"')
        if most == 0:
            return self._named('"[" ws "]"')
        item = self._rule(schema.get("items", True), depth + 1)
        rest = repeated(
            f'ws "," ws {item}', max(least - 1, 0), None if most is None else min(most, _MAX_ITEMS) - 1
        )
        items = f"{item} {rest} ws"
        return self._named(f'"[" ws {items} "]"' if least else f'"[" ws ({items})? "]"')

    def _object(self, schema: dict[str, Any], depth: int) -> str:
        properties = dict(schema.get("properties", {}))
        required, others = set(schema.get("required", ())), schema.get("additionalProperties", True)
        for name in schema.get("required", ()):
            properties.setdefault(name, others)
        least, most = int(schema.get("minProperties", 0)), schema.get("maxProperties")
        if not properties:
            return self._map(others, least, most, depth)
        if least > len(required) or (most is not None and most < len(properties)):
            raise _UnfitError("the number of an object's parts cannot be promised")
        members = [
            (name in required, f'{constant(str(name))} ws ":" ws {self._rule(part, depth + 1)}')
            for name, part in properties.items()
            if part is not False
        ]
        return self._named(f'"{{" ws {self._members(members)} "}}"')

    def _map(self, values: Any, least: int, most: int | None, depth: int) -> str:
        if least > 1 or (most is not None and most < least):
            raise _UnfitError("the number of an object's parts cannot be promised")
        if values is False or most == 0:
            if least:
                raise _UnfitError("it forbids everything in one place")
            return self._named('"{" ws "}"')
        member = f'string ws ":" ws {self._rule(values, depth + 1)}'
        rest = repeated(f'ws "," ws {member}', 0, None if most is None else min(most, _MAX_ITEMS) - 1)
        inner = f"{member} {rest} ws"
        return self._named(f'"{{" ws {inner} "}}"' if least else f'"{{" ws ({inner})? "}}"')

    def _members(self, members: list[tuple[bool, str]]) -> str:
        """Give the rule for members in order: two for each, one of them for where none stands before it."""
        behind, alone = "ws", '""'  # what follows the last one, and where there was none
        for is_required, member in reversed(members):
            name = self._named(member)
            start = f"{name} {behind}"
            separated = f'ws "," ws {name}'
            alone = self._named(start if is_required else f"{start} | {alone}")
            behind = self._named(f"{separated} {behind}" if is_required else f"({separated})? {behind}")
        return alone


def _says_nothing(schema: Any) -> bool:
    return schema is True or (isinstance(schema, Mapping) and not set(schema) - _SILENT)


def _wanted(schema: Any) -> dict[str, Any]:
    """Give what of a schema must hold."""
    if schema is False:
        raise _UnfitError("it forbids everything in one place")
    if not isinstance(schema, Mapping):
        raise _UnfitError("a part of it is neither an object nor true or false")
    wanted = {key: value for key, value in schema.items() if key not in _SILENT}
    unknown = next((key for key in wanted if key not in _KNOWN), None)
    if unknown is not None:
        raise _UnfitError(f"“{unknown}” cannot be promised")
    return wanted


def _without(schema: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != key}


def _merge_into(merged: dict[str, Any], part: Mapping[str, Any]) -> None:
    for key, value in part.items():
        if key in _SILENT or key not in merged:
            merged[key] = value
        elif key == "properties":
            for name, schema in value.items():
                if merged[key].get(name, schema) != schema:
                    raise _UnfitError(f"it describes “{name}” twice")
            merged[key] = {**merged[key], **value}
        elif key == "required":
            merged[key] = [*merged[key], *(name for name in value if name not in merged[key])]
        elif merged[key] != value:
            raise _UnfitError(f"it gives “{key}” twice for the same place")


def _types(schema: dict[str, Any]) -> list[str]:
    """Give the types that a schema names, or else those that its other keywords are about."""
    named = schema.get("type")
    if named is None:
        about = [
            kind for kind in ("object", "array", "string", "number") if schema.keys() & _KEYWORDS_OF[kind]
        ]
        return about or list(_TYPES)
    types = [named] if isinstance(named, str) else list(named)
    if not types or any(kind not in _TYPES for kind in types):
        raise _UnfitError(f"there is no type “{named}”")
    return types


def _choice(schema: dict[str, Any], types: list[str]) -> str:
    values = [schema["const"]] if "const" in schema else list(schema["enum"])
    if "const" in schema and "enum" in schema:
        values = [value for value in values if value in schema["enum"]]
    fitting = [value for value in values if any(_is_of(value, kind) for kind in types)]
    if not fitting or schema.keys() - {"type", "const", "enum"}:
        raise _UnfitError("a list of choices has other limits or leaves no choice")
    return " | ".join(constant(value) for value in fitting)


def _is_of(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, float) and value.is_integer() and kind == "integer":
        return True
    forms: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "number": (int, float),
        "integer": int,
        "null": type(None),
    }
    return kind in forms and isinstance(value, forms[kind])


def _limits(schema: dict[str, Any], least_step: float) -> tuple[float | None, float | None]:
    """Give the lowest and highest number; one that is excluded is passed by a step."""
    lows = [schema[key] for key in ("minimum",) if key in schema]
    highs = [schema[key] for key in ("maximum",) if key in schema]
    if "exclusiveMinimum" in schema:
        lows.append(_next_whole(schema["exclusiveMinimum"]) if least_step else schema["exclusiveMinimum"])
    if "exclusiveMaximum" in schema:
        highs.append(-_next_whole(-schema["exclusiveMaximum"]) if least_step else schema["exclusiveMaximum"])
    if any(isinstance(value, bool) for value in (*lows, *highs)):
        raise _UnfitError("a limit of a number is none")
    return (max(lows) if lows else None), (min(highs) if highs else None)


def _next_whole(value: float) -> int:
    return int(value // 1) + 1


def _integer(schema: dict[str, Any]) -> str:
    low, high = _limits(schema, 1)
    first = None if low is None else -int(-low // 1)
    last = None if high is None else int(high // 1)
    step = schema.get("multipleOf", 1)
    try:
        if step == 1:
            return whole_numbers(first, last)
    except ValueError as error:
        raise _UnfitError(str(error)) from error
    if first is None or last is None or not isinstance(step, int) or (last - first) // step > _MAX_COUNTED:
        raise _UnfitError("“multipleOf” cannot be promised without close limits")
    multiples = [n for n in range(first, last + 1) if n % step == 0]
    if not multiples:
        raise _UnfitError("no number lies between its limits")
    return " | ".join(literal(str(n)) for n in multiples)


def _number(schema: dict[str, Any]) -> str:
    if "multipleOf" in schema:
        if float(schema["multipleOf"]).is_integer():
            return _integer({**schema, "multipleOf": int(schema["multipleOf"])})
        raise _UnfitError("“multipleOf” cannot be promised for fractions")
    low, high = _limits(schema, 1)
    try:
        return numbers(low, high)
    except ValueError as error:
        raise _UnfitError("no whole number lies between a number's limits") from error


def _pattern(pattern: Any) -> str:
    try:
        return pattern_rule(pattern)
    except ValueError as error:
        raise _UnfitError(f"the pattern “{pattern}” cannot be promised") from error
