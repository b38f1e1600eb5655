"""The client against a host that a test plays by hand, message by message."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.client import Cancelled, HostClient, connecting
from app.core.endpoint import Endpoint, write_endpoint
from app.core.errors import AppError, WorkerError
from app.core.paths import DataPaths
from app.protocol import PROTOCOL_VERSION
from app.protocol.body import Body, to_message
from app.protocol.channel import read_message
from app.protocol.engine import CountTokens, TokenCounts, TokenGenerated
from app.protocol.envelope import Message, encode
from app.protocol.system import CANCELLED, DONE, ERROR, CancelRequest, Empty, Hello, Notice, Ping

HELLO = Hello(protocol=PROTOCOL_VERSION, kind="host", version="7", pid=1)
Play = Callable[["Played"], Awaitable[None]]


class Played:
    """The host's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def receive(self) -> Message:
        message = await read_message(self.reader)
        assert message is not None
        return message

    def send(self, message: Message) -> None:
        self.writer.write(encode(message))

    async def greet(self) -> Message:
        greeting = await self.receive()
        self.send(to_message(HELLO, id="hello"))
        return greeting


@pytest.fixture
async def play(paths: DataPaths, tmp_path: Path) -> AsyncIterator[Callable[[Play], Awaitable[None]]]:
    """Listen, and let the given function play the host for the first connection."""
    servers: list[asyncio.Server] = []
    failures: list[BaseException] = []
    done = asyncio.Event()

    async def start(script: Play) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await script(Played(reader, writer))
            except BaseException as error:
                failures.append(error)
            finally:
                writer.close()
                done.set()

        servers.append(await asyncio.start_unix_server(accept, tmp_path / "a.sock"))
        paths.root.mkdir()
        write_endpoint(paths.endpoint_path, Endpoint(1, path=str(tmp_path / "a.sock"), token="secret"))

    yield start
    await asyncio.wait_for(done.wait(), 5.0)
    for server in servers:
        server.close()
        await server.wait_closed()
    assert not failures, failures


async def attach(paths: DataPaths, on_event: Callable[[Body], None] | None = None) -> HostClient:
    return await HostClient.connect(paths, "window", on_event, start_host=False)


async def test_greets_and_hands_out_events(paths: DataPaths, play: Any) -> None:
    greetings: list[Message] = []

    async def script(host: Played) -> None:
        greetings.append(await host.greet())
        host.send(to_message(Notice(severity="info", code="a.b", message="hi")))
        host.send(Message("future.event", {"x": 1}))
        host.send(Message("host.notice", {"severity": 5}))
        request = await host.receive()
        host.send(Message(DONE, {}, parent_id=request.id))
        await host.reader.read()

    await play(script)
    events: list[Body] = []
    connected = await attach(paths, events.append)
    assert connected.hello == HELLO and not connected.closed
    assert await connected.call(Ping()) == Empty()
    assert events == [Notice(severity="info", code="a.b", message="hi")]
    assert greetings[0].body["kind"] == "window" and greetings[0].body["token"] == "secret"
    await connected.close()
    await connected.wait_closed()
    assert connected.closed
    with pytest.raises(WorkerError, match=r"host\.lost"):
        await connected.call(Ping())


async def test_results_errors_and_payloads(paths: DataPaths, play: Any) -> None:
    async def script(host: Played) -> None:
        await host.greet()
        request = await host.receive()
        assert request.payload == b"sent"
        host.send(Message(DONE, {"counts": [1]}, parent_id=request.id, payload=b"back"))
        request = await host.receive()
        host.send(Message(ERROR, {"code": "a.b", "message": "No.", "hint": "Do."}, parent_id=request.id))
        request = await host.receive()
        host.send(Message(CANCELLED, {"kept": 1}, parent_id=request.id))
        request = await host.receive()
        host.send(Message(DONE, {"counts": "?"}, parent_id=request.id))
        await host.receive()

    await play(script)
    connected = await attach(paths)
    result = await connected.call_with_payload(CountTokens(texts=("a",)), b"sent")
    assert result == (TokenCounts(counts=(1,)), b"back")
    with pytest.raises(AppError) as failure:
        await connected.call(CountTokens())
    assert (failure.value.code, failure.value.user_message, failure.value.hint) == ("a.b", "No.", "Do.")
    with pytest.raises(Cancelled) as cancelled:
        await connected.call(CountTokens())
    assert cancelled.value.message.body == {"kept": 1}
    with pytest.raises(WorkerError, match=r"host\.bad_answer"):
        await connected.call(CountTokens())
    with pytest.raises(WorkerError, match=r"host\.lost"):
        await connected.call(CountTokens())
    await connected.wait_closed()
    assert connected.closed
    await connected.close()


async def test_streams_typed_bodies_and_the_result_last(paths: DataPaths, play: Any) -> None:
    async def script(host: Played) -> None:
        await host.greet()
        request = await host.receive()
        host.send(to_message(TokenGenerated(text="a"), parent_id=request.id))
        host.send(Message("future.progress", {}, parent_id=request.id))
        host.send(Message(DONE, {"counts": [2]}, parent_id=request.id))
        request = await host.receive()
        host.send(Message(ERROR, {"code": "a.b", "message": "No."}, parent_id=request.id))
        await host.reader.read()

    await play(script)
    connected = await attach(paths)
    bodies = [body async for body in connected.stream(CountTokens())]
    assert bodies == [TokenGenerated(text="a"), TokenCounts(counts=(2,))]
    with pytest.raises(AppError, match=r"a\.b"):
        async for _ in connected.stream(CountTokens()):
            pass
    await connected.close()


async def test_cancel_keeps_listening_and_leaving_does_not(paths: DataPaths, play: Any) -> None:
    cancels: list[tuple[str, str]] = []

    async def script(host: Played) -> None:
        await host.greet()
        for keeps in (True, False):
            request = await host.receive()
            host.send(to_message(TokenGenerated(text="a"), parent_id=request.id))
            cancel = await host.receive()
            cancels.append((request.id, cancel.body["request_id"]))
            assert cancel.type == CancelRequest.TYPE
            host.send(to_message(TokenGenerated(text="kept"), parent_id=request.id))
            host.send(Message(CANCELLED, {"keeps": keeps}, parent_id=request.id))
        await host.reader.read()

    await play(script)
    connected = await attach(paths)
    replies = connected.stream(CountTokens())
    seen: list[Body] = []
    with pytest.raises(Cancelled) as cancelled:
        async for body in replies:
            seen.append(body)
            if len(seen) == 1:
                replies.cancel()
    assert seen[1:] == [TokenGenerated(text="kept")] and cancelled.value.message.body == {"keeps": True}
    replies = connected.stream(CountTokens())
    async for _ in replies:
        break
    await replies.aclose()
    await asyncio.sleep(0.05)
    assert len(cancels) == 2 and all(request == cancelled for request, cancelled in cancels)
    never_sent = connected.stream(CountTokens())
    never_sent.cancel()
    with pytest.raises(Cancelled):
        async for _ in never_sent:
            pass
    await connected.close()


async def test_a_host_of_another_version(paths: DataPaths, play: Any) -> None:
    async def script(host: Played) -> None:
        await host.receive()
        host.send(to_message(Hello(protocol=99, kind="host", version="9.9", pid=1), id="hello"))
        await host.reader.read()

    await play(script)
    with pytest.raises(WorkerError) as failure:
        await attach(paths)
    assert failure.value.code == "host.other_version" and "9.9" in failure.value.user_message


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "host.not_running"),  # it is just ending
        (b"nonsense\n", "host.no_answer"),
        (encode(Message("future.hello", {})), "host.no_answer"),
    ],
)
async def test_a_host_that_does_not_greet(paths: DataPaths, play: Any, answer: bytes, code: str) -> None:
    async def script(host: Played) -> None:
        await host.receive()
        host.writer.write(answer)

    await play(script)
    with pytest.raises(WorkerError) as failure:
        await attach(paths)
    assert failure.value.code == code


async def test_a_host_that_breaks_off_while_greeting(paths: DataPaths, play: Any) -> None:
    async def script(host: Played) -> None:
        host.writer.transport.abort()  # with the greeting unread: a reset

    await play(script)
    with pytest.raises(WorkerError, match=r"host\.not_running"):
        await attach(paths)


async def test_a_host_that_says_nothing(paths: DataPaths, play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(host: Played) -> None:
        await host.reader.read()

    monkeypatch.setattr(connecting, "HELLO_TIMEOUT_S", 0.1)
    await play(script)
    with pytest.raises(WorkerError, match=r"host\.no_answer"):
        await attach(paths)


async def test_a_host_that_breaks_the_protocol_is_left(paths: DataPaths, play: Any) -> None:
    async def script(host: Played) -> None:
        await host.greet()
        await host.receive()
        host.writer.write(b"nonsense\n")
        await host.reader.read()

    await play(script)
    connected = await attach(paths)
    with pytest.raises(WorkerError, match=r"host\.lost"):
        await connected.call(Ping())
    await connected.wait_closed()
