"""Bodies become JSON and come back as they were, or are refused."""

import importlib
import pkgutil
import types
import typing
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, StrEnum
from typing import Any

import pytest

import app.protocol
from app.protocol import body as module
from app.protocol.body import Body, Request, from_json, from_message, request_types, to_json, to_message
from app.protocol.envelope import Message, ProtocolError, decode_line, encode
from app.protocol.system import Empty, Ping

for info in pkgutil.iter_modules(app.protocol.__path__):
    importlib.import_module(f"app.protocol.{info.name}")
PUBLIC = {name: cls for name, cls in module._TYPES.items() if cls.__module__.startswith("app.protocol.")}


class Shade(StrEnum):
    LIGHT = "light"


class Level(Enum):
    HIGH = 3


@dataclass(frozen=True, kw_only=True)
class Inner(Body):
    n: int
    ratio: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Everything(Body):
    text: str
    flag: bool
    shade: Shade
    level: Level
    inner: Inner
    maybe: int | None
    pair: tuple[int, str]
    many: tuple[Inner, ...] = ()
    counts: dict[str, int] = None  # type: ignore[assignment]
    anything: Any = None
    optional_inner: typing.Optional[Inner] = None  # noqa: UP045  # the older spelling counts too


WHOLE = Everything(
    text="é",
    flag=True,
    shade=Shade.LIGHT,
    level=Level.HIGH,
    inner=Inner(n=1, ratio=2.0),
    maybe=None,
    pair=(1, "b"),
    many=(Inner(n=2), Inner(n=3)),
    counts={"a": 1},
    anything={"x": [1, None]},
    optional_inner=Inner(n=4),
)


def test_a_body_survives_the_line() -> None:
    message, _ = decode_line(encode(Message("x", to_json(WHOLE))))
    assert from_json(Everything, message.body) == WHOLE


def test_unknown_fields_are_ignored_and_missing_ones_default() -> None:
    assert from_json(Inner, {"n": 1, "new": "field"}) == Inner(n=1)
    assert from_json(Inner, {"n": 1, "ratio": 2}).ratio == 2.0
    assert to_json(Empty()) == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": 5}, "text is not of type str"),
        ({"flag": 1}, "flag is not of type bool"),
        ({"shade": "pink"}, "unknown value"),
        ({"inner": 5}, "inner is not an object"),
        ({"inner": {}}, r"inner\.n is missing"),
        ({"inner": {"n": True}}, r"inner\.n is not of type int"),
        ({"maybe": "x"}, "maybe is not of type int"),
        ({"pair": 5}, "pair is not a list"),
        ({"pair": [1]}, "does not hold 2 values"),
        ({"many": [{"n": "x"}]}, "n is not of type int"),
        ({"counts": []}, "counts is not an object"),
        ({"counts": {"a": "b"}}, "counts is not of type int"),
    ],
)
def test_wrong_types_are_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        from_json(Everything, to_json(WHOLE) | change)


def test_messages_carry_their_type() -> None:
    message = to_message(Ping(), id="1", parent_id="0", payload=b"x")
    assert message == Message("process.ping", {}, "1", "0", b"x")
    assert from_message(message) == Ping()
    assert from_message(Message("future.type")) is None


def test_requests_of_a_module() -> None:
    requests = request_types("app.protocol.library")
    assert requests and all(issubclass(request, Request) for request in requests)
    assert Ping not in requests and Ping in request_types("app.protocol.system")


def sample(hint: Any) -> Any:
    """Make a value of a field's type."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return sample(next(option for option in options if option is not type(None)))
    if origin is tuple:
        return (sample(options[0]),) if options[-1] is Ellipsis else tuple(sample(o) for o in options)
    if origin is dict:
        return {"key": sample(options[1])}
    if hint is Any:
        return "anything"
    if is_dataclass(hint):
        return filled(typing.cast(type[Any], hint))
    if issubclass(hint, Enum):
        return next(iter(hint))
    return {str: "text", int: 7, float: 0.25, bool: True}[hint]


def filled(cls: type[Any]) -> Any:
    """Make a body with a value in every field."""
    hints = typing.get_type_hints(cls)
    return cls(**{field.name: sample(hints[field.name]) for field in fields(cls)})


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_message_type_survives_the_line(name: str) -> None:
    body: Body = filled(PUBLIC[name])
    message, _ = decode_line(encode(to_message(body, id="1")))
    assert from_message(message) == body


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_names_and_results_are_declared(name: str) -> None:
    cls = PUBLIC[name]
    noun, _, verb = name.partition(".")
    assert (noun and verb) or name in ("hello", "error")
    if issubclass(cls, Request):
        result: Any = cls.RESULT
        assert issubclass(result, Body) and hasattr(result, "__dataclass_fields__")
        bases: Any = getattr(cls, "__orig_bases__")  # noqa: B009  # untyped before Python 3.12
        base = next(base for base in bases if typing.get_origin(base) is Request)
        assert typing.get_args(base) == (result,)
        assert from_json(result, to_json(filled(result))) == filled(result)
