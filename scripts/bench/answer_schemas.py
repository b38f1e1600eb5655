"""Fifty JSON schemas of different kinds, for `json_schema.py`.

Attributes:
    SCHEMAS: by what they ask for.
"""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "number"}
_WHOLE: dict[str, Any] = {"type": "integer"}
_YES_NO: dict[str, Any] = {"type": "boolean"}


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    """Give an object schema; all properties are required unless some are named, "-" for none."""
    wanted = [] if required == "-" else required.split() or list(properties)
    return {"type": "object", "properties": properties, "required": wanted, "additionalProperties": False}


def _list(items: Any, **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **limits}


_TREE = {
    "$ref": "#/$defs/node",
    "$defs": {"node": _object("name", name=_TEXT, children=_list({"$ref": "#/$defs/node"}))},
}
_EXPRESSION = {
    "$ref": "#/$defs/expression",
    "$defs": {
        "expression": {
            "anyOf": [
                _NUMBER,
                _object(
                    left={"$ref": "#/$defs/expression"},
                    operator={"enum": ["+", "-", "*", "/"]},
                    right={"$ref": "#/$defs/expression"},
                ),
            ]
        }
    },
}

SCHEMAS: dict[str, dict[str, Any]] = {
    "a text": _TEXT,
    "a number": _NUMBER,
    "a whole number": _WHOLE,
    "yes or no": _YES_NO,
    "nothing": {"type": "null"},
    "anything": {},
    "any object": {"type": "object"},
    "any list": {"type": "array"},
    "a colour": {"enum": ["red", "green", "blue"]},
    "choices of several kinds": {"enum": ["none", 0, 1.5, True, None, [1, 2], {"a": "b"}]},
    "a constant": {"const": {"version": 2, "name": "fixed “quotes” \\ and \n lines"}},
    "text or nothing": {"type": ["string", "null"]},
    "number or text": {"anyOf": [_NUMBER, {"type": "string", "maxLength": 10}]},
    "a short text": {"type": "string", "minLength": 3, "maxLength": 12},
    "a long text": {"type": "string", "minLength": 60},
    "a percentage": {"type": "integer", "minimum": 0, "maximum": 100},
    "an odd range": {"type": "integer", "minimum": -37, "maximum": 1204},
    "a negative number": {"type": "integer", "exclusiveMaximum": 0},
    "a year": {"type": "integer", "minimum": 1987, "maximum": 2031},
    "a share": {"type": "number", "minimum": 0, "maximum": 1},
    "a price": {"type": "number", "exclusiveMinimum": 0},
    "a multiple": {"type": "integer", "minimum": 0, "maximum": 100, "multipleOf": 5},
    "a date": {"type": "string", "format": "date"},
    "a moment": {"type": "string", "format": "date-time"},
    "a time": {"type": "string", "format": "time"},
    "an identifier": {"type": "string", "format": "uuid"},
    "an address": {"type": "string", "format": "email"},
    "a link": {"type": "string", "format": "uri"},
    "an address of a computer": {"type": "string", "format": "ipv4"},
    "a licence plate": {"type": "string", "pattern": "^[A-Z]{1,3}-[A-Z]{1,2} [1-9][0-9]{0,3}$"},
    "a version": {"type": "string", "pattern": r"^v?\d+\.\d+(\.\d+)?(-(alpha|beta)\.\d)?$"},
    "a list of texts": _list(_TEXT),
    "three numbers": _list(_NUMBER, minItems=3, maxItems=3),
    "up to four colours": _list({"enum": ["red", "green", "blue"]}, maxItems=4),
    "a matrix": _list(_list(_WHOLE, minItems=2, maxItems=2), minItems=2, maxItems=2),
    "a tuple": {"type": "array", "prefixItems": [_TEXT, _WHOLE, _YES_NO], "items": False, "minItems": 3},
    "a person": _object(name=_TEXT, age={"type": "integer", "minimum": 0, "maximum": 130}, married=_YES_NO),
    "a person, in parts": _object("name", name=_TEXT, age=_WHOLE, email=_TEXT, phone=_TEXT),
    "an object of wishes": _object("-", first=_TEXT, second=_NUMBER, third=_YES_NO),
    "an invoice": _object(
        number=_TEXT,
        date={"type": "string", "format": "date"},
        lines=_list(_object(article=_TEXT, amount=_WHOLE, price=_NUMBER), minItems=1, maxItems=5),
        total=_NUMBER,
        note={"type": ["string", "null"]},
    ),
    "deeply nested": _object(a=_object(b=_object(c=_object(d=_object(e=_list(_TEXT, minItems=1)))))),
    "a map of numbers": {"type": "object", "additionalProperties": _NUMBER},
    "a tree": _TREE,
    "an expression": _EXPRESSION,
    "a shape": {
        "oneOf": [
            _object(kind={"const": "circle"}, radius=_NUMBER),
            _object(kind={"const": "square"}, side=_NUMBER),
        ]
    },
    "merged": {
        "allOf": [
            {"type": "object", "properties": {"id": _WHOLE}, "required": ["id"]},
            {"type": "object", "properties": {"name": _TEXT}, "required": ["name"]},
        ]
    },
    "referred parts": {
        "definitions": {"place": _object(street=_TEXT, town=_TEXT)},
        "type": "object",
        "properties": {"home": {"$ref": "#/definitions/place"}, "work": {"$ref": "#/definitions/place"}},
        "required": ["home"],
    },
    "no types named": {
        "properties": {"title": {"minLength": 1}, "pages": {"minimum": 1}},
        "required": ["title"],
    },
    "names of every kind": {
        "type": "object",
        "properties": {"naïve": _TEXT, "with space": _WHOLE, 'q"uote': _YES_NO, "日本": _TEXT},
        "required": ["naïve", "with space", 'q"uote', "日本"],
    },
    "an answer with sources": {
        "type": "object",
        "title": "Answer",
        "description": "What was found.",
        "properties": {
            "answer": {"type": "string", "description": "in one sentence"},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
            "sources": _list(
                _object("page", page={"type": "integer", "minimum": 1}, quote=_TEXT), maxItems=3
            ),
        },
        "required": ["answer", "confidence", "sources"],
    },
}
