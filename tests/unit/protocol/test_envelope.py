"""Framing: lines, payloads, limits, and nonsense."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.protocol import envelope
from app.protocol.envelope import Message, ProtocolError, decode_line, encode, read_message, with_payload

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
MESSAGES = st.builds(
    Message,
    st.text(min_size=1),
    st.dictionaries(st.text(), JSON),
    st.text(),
    st.none() | st.text(),
    st.binary(),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(MESSAGES, max_size=3))
def test_what_is_written_is_read(messages: list[Message]) -> None:
    stream = io.BytesIO(b"".join(encode(message) for message in messages))
    for message in messages:
        assert read_message(stream) == message
    assert read_message(stream) is None


def test_undecodable_file_names_survive() -> None:
    message = Message("file.changed", {"path": b"/a/\xff\xfe".decode("utf-8", "surrogateescape")})
    assert read_message(io.BytesIO(encode(message))) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b'"x"',
        b"{}",
        b'{"type": 5}',
        b'{"type": "a", "body": []}',
        b'{"type": "a", "id": 1}',
        b'{"type": "a", "parent_id": 1}',
        b'{"type": "a", "payload_bytes": -1}',
        b'{"type": "a", "payload_bytes": true}',
        b'{"type": "a", "payload_bytes": 1.5}',
        b'{"type": "a", "payload_bytes": 999999999999}',
        b"[" * 100_000,
    ],
)
def test_nonsense_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_line(line)


def test_missing_parts_have_defaults() -> None:
    assert decode_line(b'{"type": "a"}') == (Message("a"), 0)
    assert decode_line(b'{"type": "a", "new": 1, "payload_bytes": 3}') == (Message("a"), 3)


def test_a_stream_that_ends_too_soon() -> None:
    data = encode(Message("a", payload=b"12345"))
    assert read_message(io.BytesIO(b"")) is None
    for n_bytes in (5, len(data) - 1):
        with pytest.raises(ProtocolError, match="ended inside"):
            read_message(io.BytesIO(data[:n_bytes]))


def test_lines_over_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "MAX_LINE_BYTES", 100)
    with pytest.raises(ProtocolError, match="over the limit"):
        encode(Message("a", {"x": "y" * 100}))
    with pytest.raises(ProtocolError, match="over the limit"):
        read_message(io.BytesIO(json.dumps({"type": "a", "id": "y" * 100}).encode() + b"\n"))
    assert encode(with_payload(Message("a"), b"z" * 1000)).endswith(b"z")


def test_values_that_json_cannot_hold() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode(Message("a", {"x": float("nan")}))
