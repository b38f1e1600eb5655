"""Message bodies as frozen dataclasses, and the mapping between them and JSON."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

from app.protocol.envelope import Message, ProtocolError

B = TypeVar("B", bound="Body")
R_co = TypeVar("R_co", bound="Body", covariant=True)

_TYPES: dict[str, type["Body"]] = {}
_ATOMS = frozenset({str, int, float, bool, type(None)})


class Body:
    """Base of every message body.

    Attributes:
        TYPE: the message type that carries this body; empty for bodies that only stand inside others or in
            `done`.
    """

    TYPE: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the class under its message type."""
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("TYPE"):
            _TYPES[cls.TYPE] = cls


class Request(Body, Generic[R_co]):
    """Base of every request.

    Attributes:
        RESULT: the body of the `done` that ends it.
    """

    RESULT: ClassVar[type[Any]]


def request_types(module: str) -> tuple[type[Request[Any]], ...]:
    """Give the requests that a module of `app.protocol` defines."""
    return tuple(cls for cls in _TYPES.values() if issubclass(cls, Request) and cls.__module__ == module)


def to_message(body: Body, *, id: str = "", parent_id: str | None = None, payload: bytes = b"") -> Message:
    """Wrap a body in a message of its own type."""
    return Message(type(body).TYPE, to_json(body), id, parent_id, payload)


def to_json(body: Body) -> dict[str, Any]:
    """Give the JSON object of a body."""
    # Three times as fast as dataclasses.asdict, which copies deeply: this runs for every token of an answer.
    return {name: _plain(getattr(body, name)) for name in _names(typing.cast(Any, type(body)))}


def from_message(message: Message) -> Body | None:
    """Give the typed body of a message; None where the type is unknown (a newer peer's).

    Raises:
        ProtocolError: the body lacks a field or holds one of the wrong type.
    """
    cls = _TYPES.get(message.type)
    return None if cls is None else from_json(cls, message.body)


def from_json(cls: type[B], value: Mapping[str, Any]) -> B:
    """Build a body from its JSON object; unknown fields are ignored.

    Raises:
        ProtocolError: a field without default is missing, or one has the wrong type.
    """
    built = _build(cls, value, cls.__name__)
    return typing.cast(B, built)


@cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def _plain(value: Any) -> Any:
    """Give the JSON value of a field."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind in (tuple, list):
        return [_plain(item) for item in value]
    if kind is dict:
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Body):
        return to_json(value)
    return value.value if isinstance(value, Enum) else value


@cache
def _fields(cls: Any) -> tuple[tuple[str, Any, bool], ...]:
    """Give (name, type, required) of each field of a dataclass."""
    hints = typing.get_type_hints(cls)
    return tuple(
        (
            field.name,
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(cls)
    )


def _build(cls: type[Any], value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise ProtocolError(f"{where} is not an object")
    arguments = {}
    for name, hint, required in _fields(typing.cast(Any, cls)):
        if name in value:
            arguments[name] = _convert(hint, value[name], f"{where}.{name}")
        elif required:
            raise ProtocolError(f"{where}.{name} is missing")
    return cls(**arguments)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _convert_optional(typing.get_args(hint), value, where)
    if origin is tuple:
        return _convert_tuple(typing.get_args(hint), value, where)
    if origin is dict:
        return {
            str(key): _convert(typing.get_args(hint)[1], item, where) for key, item in _object(value, where)
        }
    if hint is Any:
        return value
    return _convert_plain(hint, value, where)


def _convert_plain(hint: type[Any], value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where)
    if issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError as error:
            raise ProtocolError(f"{where} has an unknown value") from error
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ProtocolError(f"{where} is not of type {hint.__name__}")
    return value


def _convert_optional(options: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in options:
        return None
    (inner,) = (option for option in options if option is not type(None))
    return _convert(inner, value, where)


def _convert_tuple(options: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ProtocolError(f"{where} is not a list")
    if len(options) == 2 and options[1] is Ellipsis:
        return tuple(_convert(options[0], item, where) for item in value)
    if len(options) != len(value):
        raise ProtocolError(f"{where} does not hold {len(options)} values")
    return tuple(_convert(option, item, where) for option, item in zip(options, value, strict=True))


def _object(value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise ProtocolError(f"{where} is not an object")
    return value.items()
