"""The requesting side of a connection over asyncio streams: the client's, and the host's towards workers."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable
from typing import Protocol, TypeVar

from app.protocol.body import Body, Request, from_json, from_message, to_message
from app.protocol.envelope import (
    MAX_LINE_BYTES,
    Message,
    ProtocolError,
    decode_line,
    encode,
    with_payload,
)
from app.protocol.system import CANCELLED, DONE, ENDS, ERROR, CancelRequest, ErrorBody

R = TypeVar("R", bound=Body)


class Reader(Protocol):
    """What a channel reads from (asyncio.StreamReader and test doubles)."""

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Read up to and with the separator."""

    async def readexactly(self, n: int) -> bytes:
        """Read n bytes."""


class Writer(Protocol):
    """What a channel writes to (asyncio.StreamWriter and test doubles)."""

    def write(self, data: bytes) -> None:
        """Queue bytes."""

    async def drain(self) -> None:
        """Wait until the queue is short enough."""

    def close(self) -> None:
        """Close the connection."""


class RequestError(Exception):
    """The peer ended a request with an error.

    Attributes:
        body: code, message, hint and context as the peer sent them.
    """

    def __init__(self, body: ErrorBody) -> None:
        """Keep the body."""
        super().__init__(f"{body.code}: {body.message}")
        self.body = body


class RequestCancelled(Exception):  # noqa: N818  # an outcome, not a fault
    """The peer ended a request as cancelled.

    Attributes:
        message: the end, whose body may hold what was kept.
    """

    def __init__(self, message: Message) -> None:
        """Keep the end."""
        super().__init__("the request was cancelled")
        self.message = message


class ConnectionLost(Exception):  # noqa: N818
    """The connection ended while a request was open, or a request came after its end."""


async def read_message(reader: Reader) -> Message | None:
    """Read one message; None at a clean end of the stream.

    Raises:
        ProtocolError: the line is malformed or too long, or the stream ends inside a message.
    """
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise ProtocolError("the stream ended inside a line") from error
    except asyncio.LimitOverrunError as error:
        raise ProtocolError("a line is over the limit") from error
    message, n_payload = decode_line(line)
    if not n_payload:
        return message
    try:
        return with_payload(message, await reader.readexactly(n_payload))
    except asyncio.IncompleteReadError as error:
        raise ProtocolError("the stream ended inside a payload") from error


class Channel:
    """Sends requests and hands their replies to whoever waits; everything else goes to `on_event`.

    Create it inside a running loop and run `run()` as a task: it ends with the connection.
    Streams need `limit=STREAM_LIMIT`.

    Attributes:
        n_received: messages received so far; a supervisor sees from it that the peer is alive.
    """

    STREAM_LIMIT = MAX_LINE_BYTES

    def __init__(
        self, reader: Reader, writer: Writer, on_event: Callable[[Message], None], prefix: str = "r"
    ) -> None:
        """Bind the two streams; nothing is read before `run`."""
        self._reader, self._writer, self._on_event = reader, writer, on_event
        self.n_received = 0
        self._numbers = itertools.count(1)
        self._prefix = prefix
        self._open: dict[str, asyncio.Queue[Message | None]] = {}
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._closed

    async def run(self) -> None:
        """Read messages until the connection ends; open requests then raise ConnectionLost.

        Raises:
            ProtocolError: the peer broke the protocol; the connection is closed.
        """
        try:
            while (message := await read_message(self._reader)) is not None:
                self.n_received += 1
                self._dispatch(message)
        except (ConnectionError, BrokenPipeError):
            pass  # a killed peer; open requests learn it below
        finally:
            self._closed = True
            for queue in self._open.values():
                queue.put_nowait(None)
            self._writer.close()

    def close(self) -> None:
        """Close the connection; `run` ends."""
        self._writer.close()

    def cancel(self, request_id: str) -> None:
        """Ask the peer to end an open request early; its end still arrives. Silent where it has ended."""
        if request_id in self._open and not self._closed:
            self._write_cancel(request_id)

    def _write_cancel(self, request_id: str) -> None:
        with contextlib.suppress(ConnectionError, BrokenPipeError, RuntimeError):
            self._writer.write(encode(to_message(CancelRequest(request_id=request_id))))

    def _dispatch(self, message: Message) -> None:
        if message.parent_id is None:
            self._on_event(message)
        elif message.parent_id in self._open:
            self._open[message.parent_id].put_nowait(message)

    async def send(self, message: Message) -> None:
        """Send a message that expects no reply.

        Raises:
            ConnectionLost: the connection has ended.
        """
        if self._closed:
            raise ConnectionLost
        try:
            self._writer.write(encode(message))
            await self._writer.drain()
        except (ConnectionError, BrokenPipeError, RuntimeError) as error:
            raise ConnectionLost from error

    async def stream(
        self, request: Body, payload: bytes = b"", on_open: Callable[[str], None] | None = None
    ) -> AsyncGenerator[Message, None]:
        """Send a request and yield its replies; the last one yielded is `done`.

        Leaving the iteration early (or cancelling the task) sends `request.cancel`; close the iterator
        (`contextlib.aclosing`) to be sure that it is sent at once.

        Args:
            request: its body.
            payload: raw bytes to send with it.
            on_open: gets the request's id (for `cancel`) before it is sent.

        Raises:
            RequestError: the peer answered `error`.
            RequestCancelled: the peer answered `cancelled`.
            ConnectionLost: the connection ended first.
        """
        request_id = f"{self._prefix}{next(self._numbers)}"
        queue: asyncio.Queue[Message | None] = asyncio.Queue()
        self._open[request_id] = queue
        if on_open is not None:
            on_open(request_id)
        ended = False
        try:
            await self.send(to_message(request, id=request_id, payload=payload))
            while not ended:
                message = await queue.get()
                if message is None:
                    ended = True
                    raise ConnectionLost
                ended = message.type in ENDS
                raise_if_failed(message)
                yield message
        finally:
            del self._open[request_id]
            if not ended and not self._closed:
                self._write_cancel(request_id)

    async def call(self, request: Request[R], payload: bytes = b"") -> R:
        """Send a request and return its result; progress is dropped. Raises as `stream`."""
        return (await self.call_with_payload(request, payload))[0]

    async def call_with_payload(self, request: Request[R], payload: bytes = b"") -> tuple[R, bytes]:
        """Send a request and return its result and the payload of its `done`. Raises as `stream`."""
        async with contextlib.aclosing(self.stream(request, payload)) as replies:
            async for message in replies:  # pragma: no branch  # it ends with done or raises
                if message.type == DONE:
                    return from_json(type(request).RESULT, message.body), message.payload
        raise ConnectionLost  # pragma: no cover  # stream ends with done or raises


def raise_if_failed(message: Message) -> None:
    """Raise the exception that stands for an unsuccessful end; return for any other message."""
    if message.type == ERROR:
        body = from_message(message)
        assert isinstance(body, ErrorBody)  # the registry maps `error` to it
        raise RequestError(body)
    if message.type == CANCELLED:
        raise RequestCancelled(message)
