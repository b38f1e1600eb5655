"""Schemas become grammars that promise what they say; what cannot be promised is refused in words."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import ModelError
from app.worker.inference.json_pattern import pattern_rule
from app.worker.inference.json_rules import numbers, whole_numbers
from app.worker.inference.json_schema import schema_grammar


def as_regex(rule: str) -> re.Pattern[str]:
    """Give a rule of literals, classes and operators as a regular expression."""
    parts = re.findall(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|\{[0-9,]+\}|[()|?*+]', rule)
    return re.compile(
        "".join(re.escape(part[1:-1].replace('\\"', '"')) if part[0] == '"' else part for part in parts)
    )


@given(st.integers(-3000, 3000), st.integers(0, 3000), st.integers(-7000, 7000))
def test_ranges_hold_exactly_their_numbers(low: int, width: int, number: int) -> None:
    rule = as_regex(whole_numbers(low, low + width))
    assert bool(rule.fullmatch(str(number))) == (low <= number <= low + width)
    for edge in (low, low + width):
        assert rule.fullmatch(str(edge))


@pytest.mark.parametrize(
    ("low", "high", "inside", "outside"),
    [
        (None, 5, ("-12", "0", "5"), ("6", "10")),
        (3, None, ("3", "999999"), ("2", "-3")),
        (None, None, ("0", "-1", "123456789012345"), ("01", "1234567890123456")),
        (-5, -5, ("-5",), ("5", "-4")),
        (0, 0, ("0",), ("1", "-0")),
    ],
)
def test_ranges_with_open_ends(low: int | None, high: int | None, inside: Any, outside: Any) -> None:
    rule = as_regex(whole_numbers(low, high))
    assert all(rule.fullmatch(text) for text in inside)
    assert not any(rule.fullmatch(text) for text in outside)


@given(st.floats(-50, 50), st.floats(0, 50), st.decimals(-99, 99, places=2))
def test_numbers_stay_between_their_limits(low: float, width: float, number: Any) -> None:
    try:
        rule = as_regex(numbers(low, low + width))
    except ValueError:
        return
    if rule.fullmatch(str(number)):
        assert low <= float(number) <= low + width


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("^[A-Z]{2}-[0-9]+$", ("AB-1", "XY-123"), ("A-1", "AB-", "ab-1")),
        (r"^\d{3}(\.\d+)?$", ("123", "123.4"), ("12", "123.")),
        ("^(cat|dog)s?$", ("cat", "dogs"), ("cow",)),
        (r"^\w+@[\w.-]+$", ("a@b.c",), ("@b",)),
        ("^a.c$", ("abc", "a?c"), ("ac",)),
        ("^x{2,}y*$", ("xx", "xxxyy"), ("x",)),
        (r"^\[a\]\$$", ("[a]$",), ("a",)),
    ],
)
def test_patterns(pattern: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    rule = as_regex(pattern_rule(pattern))
    for text in (*inside, *outside):
        assert bool(rule.fullmatch(f'"{text}"')) == bool(re.search(pattern, text))
    assert all(rule.fullmatch(f'"{text}"') for text in inside)


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "a)",
        "[",
        "[]",
        "[^a]",
        "(?=a)",
        "(?<n>a)",
        r"\b",
        "a{1000}",
        "a**",
        'a"b',
        "\\",
        "^*",
        "a^b",
        7,
        "x" * 501,
    ],
)
def test_patterns_that_are_not_understood(pattern: Any) -> None:
    with pytest.raises(ValueError):
        pattern_rule(pattern)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"not": {}}, "“not”"),
        ({"type": "object", "patternProperties": {}}, "“patternProperties”"),
        ({"type": "array", "uniqueItems": True}, "“uniqueItems”"),
        ({"type": "number", "multipleOf": 0.01}, "“multipleOf”"),
        ({"type": "integer", "multipleOf": 3}, "“multipleOf”"),
        ({"type": "integer", "minimum": 4, "maximum": 5, "multipleOf": 3}, "no number"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "no number"),
        ({"type": "number", "minimum": 0.1, "maximum": 0.9}, "no whole number"),
        ({"type": "string", "minLength": 9, "maxLength": 3}, "as long as it asks"),
        ({"type": "string", "minLength": 5000}, "as long as it asks"),
        ({"type": "string", "pattern": "(?!a)"}, "pattern"),
        ({"type": "string", "pattern": "a+", "maxLength": 3}, "at once"),
        ({"type": "string", "pattern": "a+", "format": "date"}, "at once"),
        ({"type": "array", "minItems": 500}, "as long as it asks"),
        ({"type": "array", "prefixItems": [{}], "minItems": 2}, "more items"),
        ({"type": "object", "minProperties": 3}, "number of an object's parts"),
        ({"properties": {"a": {}}, "minProperties": 1}, "number of an object's parts"),
        ({"type": "object", "additionalProperties": False, "minProperties": 1}, "forbids everything"),
        ({"enum": ["a"], "minLength": 3}, "choices"),
        ({"enum": ["a"], "type": "integer"}, "choices"),
        ({"anyOf": []}, "no choice"),
        ({"type": "colour"}, "no type"),
        ({"type": []}, "no type"),
        ({"items": False, "minItems": 1}, "forbids everything"),
        ({"items": 3}, "neither an object"),
        ({"allOf": [3]}, "neither an object"),
        ({"allOf": [{"type": "string"}, {"type": "number"}]}, "“type” twice"),
        ({"allOf": [{"properties": {"a": {"type": "null"}}}, {"properties": {"a": {}}}]}, "“a” twice"),
        ({"$ref": "https://example.org/schema"}, "outside of it"),
        ({"$ref": "#/nowhere"}, "refers to nothing"),
        ({"$ref": "#"}, "refers to itself"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "no answer ever ends"),
        ({"type": "array", "items": {"$ref": "#"}, "minItems": 1}, "no answer ever ends"),
        ({"type": "array", "prefixItems": [{"$ref": "#"}], "minItems": 1}, "no answer ever ends"),
        (
            {
                "anyOf": [{"$ref": "#/$defs/a"}, {"allOf": [{"$ref": "#/$defs/a"}]}],
                "$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#"}}, "required": ["b"]}},
            },
            "no answer ever ends",
        ),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "refers to itself"),
        ({"allOf": [{"$ref": "#/$defs/a"}, {}], "$defs": {"a": {"$ref": "#/$defs/a"}}}, "refers to itself"),
        ({"minimum": True}, "a limit of a number"),
        ({"properties": 3}, "not a JSON schema"),
        ({"enum": {1: object()}}, "not a JSON schema"),
        ({"description": "x" * 70_000}, "longer than"),
    ],
)
def test_what_cannot_be_promised_is_refused(schema: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        schema_grammar(schema)
    assert caught.value.code == "schema.bad"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {
            "type": "object",
            "properties": {"a": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
            "required": ["a"],
        },
        {"type": ["object", "null"], "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "array", "items": {"$ref": "#"}},
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {  # as pydantic describes a list of nodes
            "$ref": "#/$defs/N",
            "$defs": {"N": {"type": "object", "properties": {"next": {"allOf": [{"$ref": "#/$defs/N"}]}}}},
        },
    ],
)
def test_a_schema_that_names_itself_and_can_end_is_taken(schema: Any) -> None:
    assert schema_grammar(schema)


def test_huge_schemas_are_refused_soon() -> None:
    deep: dict[str, Any] = {}
    for _ in range(80):
        deep = {"items": deep}
    wide = {"anyOf": [{"type": "object", "properties": {f"p{n}": {} for n in range(60)}}] * 90}
    doubling: dict[str, Any] = {"$defs": {"d0": {"type": "null"}}, "$ref": "#/$defs/d18"}
    for n in range(18):
        again = {"$ref": f"#/$defs/d{n}", "title": "x"}
        parts = [{"properties": {"a": again, "b": again}}, {"type": "object"}]
        doubling["$defs"][f"d{n + 1}"] = {"allOf": parts}
    for schema in (deep, wide):
        with pytest.raises(ModelError, match=r"too deeply or too large|too much"):
            schema_grammar(schema)
    assert len(schema_grammar(doubling)) < 100_000, "each reference is one rule"
