"""The requesting side, over streams that a test feeds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.protocol.body import to_message
from app.protocol.channel import (
    Channel,
    ConnectionLost,
    RequestCancelled,
    RequestError,
    read_message,
)
from app.protocol.engine import CountTokens, TokenCounts, TokenGenerated
from app.protocol.envelope import Message, ProtocolError, decode_line, encode
from app.protocol.system import CANCELLED, DONE, ERROR, Notice, Ping


class Pipe:
    """A writer that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.failure: Exception | None = None

    def write(self, data: bytes) -> None:
        if self.failure is not None:
            raise self.failure
        self.written += data

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        self.closed = True

    def lines(self) -> list[Message]:
        return [decode_line(line)[0] for line in self.written.splitlines()]


class Ends:
    """A channel, what it reads from, and what it writes to."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=1000)
        self.pipe = Pipe()
        self.events: list[Message] = []
        self.channel = Channel(self.reader, self.pipe, self.events.append)
        self.task = asyncio.create_task(self.channel.run())

    def feed(self, *messages: Message) -> None:
        for message in messages:
            self.reader.feed_data(encode(message))


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    both = Ends()
    yield both
    if not both.task.done():
        both.reader.feed_eof()
        await both.task


async def next_turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_call(ends: Ends) -> None:
    call = asyncio.create_task(ends.channel.call_with_payload(CountTokens(texts=("a",)), b"sent"))
    await next_turns()
    assert ends.pipe.written.endswith(b"\nsent")
    ends.feed(
        to_message(TokenGenerated(text="dropped"), parent_id="r1"),
        Message(DONE, {"counts": [1]}, parent_id="r1", payload=b"back"),
    )
    assert await call == (TokenCounts(counts=(1,)), b"back")
    ends.feed(Message(DONE, {}, parent_id="r1"))  # too late: nobody waits
    await next_turns()
    assert ends.channel.n_received == 3


async def test_ends_that_fail(ends: Ends) -> None:
    for end, failure in (
        (Message(ERROR, {"code": "a.b", "message": "No."}, parent_id="r1"), RequestError),
        (Message(CANCELLED, {}, parent_id="r2"), RequestCancelled),
    ):
        call = asyncio.create_task(ends.channel.call(CountTokens()))
        await next_turns()
        ends.feed(end)
        with pytest.raises(failure):
            await call
    assert [line.type for line in ends.pipe.lines()] == ["engine.count_tokens"] * 2


async def test_events_go_to_the_listener(ends: Ends) -> None:
    ends.feed(to_message(Notice(severity="info", code="a.b", message="x")))
    await next_turns()
    assert [event.type for event in ends.events] == ["host.notice"]


async def test_leaving_early_cancels(ends: Ends) -> None:
    ids: list[str] = []
    stream = ends.channel.stream(CountTokens(), on_open=ids.append)
    reading = asyncio.create_task(anext(stream))
    await next_turns()
    ends.feed(to_message(TokenGenerated(text="a"), parent_id=ids[0]))
    await reading
    await stream.aclose()
    assert ends.pipe.lines()[-1].type == "request.cancel"
    assert ends.pipe.lines()[-1].body == {"request_id": ids[0]}
    n_lines = len(ends.pipe.lines())
    ends.channel.cancel(ids[0])  # it has ended: nothing to say
    assert len(ends.pipe.lines()) == n_lines


async def test_cancel_keeps_listening(ends: Ends) -> None:
    call = asyncio.create_task(ends.channel.call(CountTokens()))
    await next_turns()
    ends.channel.cancel("r1")
    assert ends.pipe.lines()[-1].body == {"request_id": "r1"}
    ends.feed(Message(CANCELLED, {"kept": 1}, parent_id="r1"))
    with pytest.raises(RequestCancelled) as cancelled:
        await call
    assert cancelled.value.message.body == {"kept": 1}


async def test_the_end_of_the_connection_ends_open_requests(ends: Ends) -> None:
    call = asyncio.create_task(ends.channel.call(Ping()))
    await next_turns()
    assert not ends.channel.closed
    ends.reader.feed_eof()
    with pytest.raises(ConnectionLost):
        await call
    assert ends.channel.closed and ends.pipe.closed
    with pytest.raises(ConnectionLost):
        await ends.channel.call(Ping())
    ends.channel.cancel("r1")
    ends.channel.close()


async def test_a_reader_that_breaks_is_an_end(ends: Ends) -> None:
    ends.reader.set_exception(ConnectionResetError())
    await ends.task
    assert ends.channel.closed


async def test_a_writer_that_breaks_is_an_end(ends: Ends) -> None:
    ends.pipe.failure = BrokenPipeError()
    with pytest.raises(ConnectionLost):
        await ends.channel.call(Ping())


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\n",
        b"x" * 5000,
        b"no end",
        encode(Message("a", payload=b"12345"))[:-1],
    ],
)
async def test_a_broken_protocol_ends_the_connection(data: bytes) -> None:
    both = Ends()
    call = asyncio.create_task(both.channel.call(Ping()))
    await next_turns()
    both.reader.feed_data(data)
    with contextlib.suppress(asyncio.InvalidStateError):
        both.reader.feed_eof()
    with pytest.raises(ProtocolError):
        await both.task
    with pytest.raises(ConnectionLost):
        await call
    assert both.pipe.closed


async def test_payloads_are_read_exactly() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(encode(Message("a", payload=b"1\n2")) + encode(Message("b")))
    reader.feed_eof()
    first: Any = await read_message(reader)
    second: Any = await read_message(reader)
    assert (first.payload, second.type, await read_message(reader)) == (b"1\n2", "b", None)
