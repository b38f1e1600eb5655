"""Framing: one message is a line of JSON and, where it says so, raw bytes after it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_PAYLOAD_BYTES = 256 * 1024 * 1024


class ProtocolError(Exception):
    """A peer broke the protocol: bad JSON, a missing field, or a size over the limit."""


@dataclass(frozen=True)
class Message:
    """One message of the protocol.

    Attributes:
        type: `noun.verb`, or one of the ends `done`, `error`, `cancelled`.
        body: the JSON object that `app.protocol.body` maps to a dataclass.
        id: names the message; a request's id is unique within its connection.
        parent_id: the request that this message answers; None for requests and broadcast events.
        payload: raw bytes that follow the line (pixels, audio, vectors).
    """

    type: str
    body: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    parent_id: str | None = None
    payload: bytes = b""


def encode(message: Message) -> bytes:
    """Give the bytes of one message: its line and its payload."""
    head: dict[str, Any] = {
        "id": message.id,
        "parent_id": message.parent_id,
        "type": message.type,
        "body": message.body,
    }
    if message.payload:
        head["payload_bytes"] = len(message.payload)
    # ensure_ascii keeps lone surrogates (undecodable bytes in file names) representable.
    line = json.dumps(head, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise ProtocolError(f"a message of {len(line)} bytes is over the limit of {MAX_LINE_BYTES}")
    return line + message.payload


def decode_line(line: bytes) -> tuple[Message, int]:
    """Read one line; return its message without payload and the number of payload bytes that follow.

    Raises:
        ProtocolError: the line is not a message of this protocol.
    """
    try:
        head = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a line is not JSON") from error
    if not isinstance(head, dict) or not isinstance(head.get("type"), str):
        raise ProtocolError("a line is not a message: it has no type")
    body = head.get("body", {})
    message_id, parent_id = head.get("id", ""), head.get("parent_id")
    n_payload = head.get("payload_bytes", 0)
    if not isinstance(body, dict) or not isinstance(message_id, str):
        raise ProtocolError("a message has a body or an id of the wrong type")
    if not (parent_id is None or isinstance(parent_id, str)):
        raise ProtocolError("a message has a parent_id of the wrong type")
    if type(n_payload) is not int or not 0 <= n_payload <= MAX_PAYLOAD_BYTES:
        raise ProtocolError("payload_bytes is not a size within the limit")
    return Message(head["type"], body, message_id, parent_id), n_payload


def with_payload(message: Message, payload: bytes) -> Message:
    """Give the same message with its payload."""
    return Message(message.type, message.body, message.id, message.parent_id, payload)


def read_message(stream: BinaryIO) -> Message | None:
    """Read one message from a blocking stream; None at its end.

    Called by the reader thread of a worker.

    Raises:
        ProtocolError: the line is malformed or too long, or the stream ends inside a message.
    """
    line = stream.readline(MAX_LINE_BYTES + 1)
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise ProtocolError("the stream ended inside a line, or a line is over the limit")
    message, n_payload = decode_line(line)
    if not n_payload:
        return message
    payload = stream.read(n_payload)
    if len(payload) != n_payload:
        raise ProtocolError("the stream ended inside a payload")
    return with_payload(message, payload)
