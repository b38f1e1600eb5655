"""The host in this process, with the real client over its socket and fake workers behind it."""

import asyncio
import contextlib
import faulthandler
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.client import Cancelled, HostClient
from app.core.endpoint import Endpoint, read_endpoint
from app.core.errors import AppError, StorageError, UsageError, WorkerError
from app.core.paths import DataPaths
from app.host import front_end, process
from app.host.data_folder import take
from app.host.front_end import Broadcast
from app.host.process import Host, HostOptions
from app.host.server import Server
from app.host.services.ports import Cancelled as CancelledHandler
from app.host.services.ports import Reply
from app.protocol import PROTOCOL_VERSION
from app.protocol.body import Body, to_message
from app.protocol.channel import Channel, read_message
from app.protocol.engine import TokenGenerated
from app.protocol.envelope import Message, encode
from app.protocol.library import (
    AddContent,
    AddPaths,
    AddResult,
    CheckLibrary,
    FileResult,
    LibraryStatus,
    RemoveFiles,
    RemoveResult,
)
from app.protocol.models import ListModels
from app.protocol.pictures import RenderPage
from app.protocol.system import (
    CANCELLED,
    DONE,
    ERROR,
    CancelRequest,
    Empty,
    GetHostStatus,
    GetSettings,
    Hello,
    Notice,
    Ping,
    RunDoctor,
    Shutdown,
    UpdateSettings,
)
from app.protocol.voice import TranscribeFile
from tests.unit.host.conftest import QUICK, fake_command, mode_of, until

Start = Callable[..., Awaitable["Running"]]


class Running:
    """A host that runs as a task."""

    def __init__(self, host: Host, task: "asyncio.Task[None]", paths: DataPaths) -> None:
        self.host, self.task, self.paths = host, task, paths
        self.clients: list[HostClient] = []

    async def attach(self, on_event: Callable[[Body], None] | None = None) -> HostClient:
        client = await HostClient.connect(self.paths, "cli", on_event, start_host=False)
        self.clients.append(client)
        return client


@pytest.fixture
async def start(paths: DataPaths, tmp_path: Path) -> AsyncIterator[Start]:
    """Start hosts with fake workers; they are ended at the end."""
    running: list[Running] = []

    async def run(library_mode: str = "normal", **changes: Any) -> Running:
        lock = take(paths)
        assert lock is not None
        models_dir = tmp_path / "starter"
        (models_dir / "chat").mkdir(parents=True, exist_ok=True)
        modes = dict.fromkeys(process.WORKERS, "normal") | {"library": library_mode}
        options = HostOptions(
            linger_s=60.0,
            commands={kind: fake_command(kind, mode, tmp_path) for kind, mode in modes.items()},
            models_dir=models_dir,
            limits=QUICK,
        )
        host = Host(paths, replace(options, **changes))
        ready = asyncio.Event()
        task = asyncio.create_task(host.run(ready.set), name="host under test")
        task.add_done_callback(lambda _: lock.release())
        await asyncio.wait((task, waiter := asyncio.create_task(ready.wait())), return_when="FIRST_COMPLETED")
        waiter.cancel()
        if task.done():
            task.result()
        running.append(Running(host, task, paths))
        return running[-1]

    yield run
    for each in running:
        for client in each.clients:
            await client.close()
        each.host.end(force=True)
        await each.task


async def test_answers_for_itself(start: Start) -> None:
    running = await start()
    client = await running.attach()
    assert client.hello.kind == "host" and client.hello.pid == os.getpid()
    await client.call(Ping())
    status = await client.call(GetHostStatus())
    assert (status.pid, status.n_clients, status.busy) == (os.getpid(), 1, False)
    assert status.data_dir == str(running.paths.root)
    assert {worker.kind for worker in status.workers} == set(process.WORKERS)
    assert mode_of(running.paths.root) == 0o700
    assert mode_of(running.paths.endpoint_path) == 0o600
    endpoint = read_endpoint(running.paths.endpoint_path)
    assert endpoint is not None and mode_of(Path(endpoint.path).parent) == 0o700


async def test_a_transcription_keeps_the_host_busy(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "starter" / "speech-to-text" / "whisper"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"x")
    (folder / "vocabulary.txt").write_text("a\n")
    running = await start()
    client = await running.attach()
    replies = client.stream(TranscribeFile(path="/talk.wav"))

    async def transcribe() -> None:
        with contextlib.suppress(AppError, Cancelled):
            async for _ in replies:
                pass

    assert not await running.host.is_busy()
    voice, decoder = running.host.workers["voice"], running.host.workers["decoder"]
    task = asyncio.create_task(transcribe())
    await until(lambda: TranscribeFile in running.host.server.open_requests())
    assert await running.host.is_busy()
    await task  # the fake decoder answers with nonsense
    assert not await running.host.is_busy()
    assert decoder.status().state == "ready" and voice.status().state == "stopped"


async def test_passes_library_requests_on_with_payload_progress_and_events(start: Start) -> None:
    running = await start()
    events: list[Body] = []
    client = await running.attach(events.append)
    seen = [body async for body in client.stream(AddPaths(paths=("/a", "/b")))]
    assert [type(body) for body in seen] == [FileResult, FileResult, AddResult]
    await until(lambda: any(isinstance(event, LibraryStatus) for event in events))
    assert (await client.call(RemoveFiles(paths=("/a",)))) == RemoveResult(removed=3)
    assert (await client.call(AddContent(name="x.txt"), b"pasted")) == AddResult(n_files=6)
    assert (await client.call(GetHostStatus())).busy
    await until(lambda: [e.waiting for e in events if isinstance(e, LibraryStatus)][-1:] == [0])
    assert not (await client.call(GetHostStatus())).busy


async def test_internal_requests_are_not_for_front_ends(start: Start) -> None:
    client = await (await start()).attach()
    with pytest.raises(AppError, match=r"protocol\.unknown_request"):
        await client.call(CheckLibrary())


async def test_a_cancelled_request_ends_as_cancelled(start: Start) -> None:
    client = await (await start()).attach()
    replies = client.stream(AddPaths(paths=("/a",), wait=True))
    seen = []
    with pytest.raises(Cancelled):
        async for body in replies:
            seen.append(body)
            replies.cancel()
    assert [type(body) for body in seen] == [FileResult]
    await client.call(Ping())


async def test_draws_pages(start: Start) -> None:
    client = await (await start()).attach()
    image, pixels = await client.call_with_payload(RenderPage(document_id=1, page=3))
    assert (image.page, image.width, pixels) == (3, 2, b"\x01\x02\x03\x04\x05\x06")
    with pytest.raises(AppError, match=r"document\.source_changed"):
        await client.call(RenderPage(document_id=2, page=1))
    with pytest.raises(AppError, match=r"document\.source_missing"):
        await client.call(RenderPage(document_id=3, page=1))
    with pytest.raises(AppError, match=r"page\.bad_scale"):
        await client.call(RenderPage(document_id=1, page=1, scale=100.0))


async def test_settings_are_stored_and_told_to_everybody(start: Start) -> None:
    running = await start()
    told: list[Body] = []
    client, other = await running.attach(), await running.attach(told.append)
    assert (await client.call(GetSettings())).values["max_tokens"] == 1024
    values = (await client.call(UpdateSettings(values={"max_tokens": 5}))).values
    assert values["max_tokens"] == 5
    assert json.loads(running.paths.settings_path.read_text())["max_tokens"] == 5
    await until(lambda: any(type(body).TYPE == "settings.changed" for body in told))
    with pytest.raises(AppError, match=r"settings\.invalid"):
        await other.call(UpdateSettings(values={"max_tokens": -1}))


async def test_the_doctor_reports_each_part(start: Start) -> None:
    client = await (await start()).attach()
    checks = {check.name: check for check in (await client.call(RunDoctor())).checks}
    assert checks["data.lock"].status == "ok" and checks["data.permissions"].status == "ok"
    assert checks["library.orphan_chunks"].status == "ok"
    assert checks["engine.generation"].status == "warning"  # there is no model in this test
    assert checks["worker.library"].status == "ok" and checks["settings.file"].status == "ok"
    assert (await client.call(ListModels())).models == ()


async def test_ends_soon_after_the_last_front_end_left(start: Start) -> None:
    running = await start(linger_s=0.2)
    first, second = await running.attach(), await running.attach()
    await first.close()
    await asyncio.sleep(0.5)
    await second.call(Ping())
    await second.close()
    await asyncio.wait_for(running.task, 10.0)
    assert not running.paths.endpoint_path.exists()


@pytest.mark.slow
async def test_a_front_end_that_comes_back_in_time_finds_the_same_host(start: Start) -> None:
    running = await start(linger_s=1.0)
    await (await running.attach()).close()
    await asyncio.sleep(0.3)
    client = await running.attach()
    await asyncio.sleep(1.0)
    await client.call(Ping())


async def test_ends_when_no_front_end_ever_came(start: Start) -> None:
    running = await start(linger_s=0.1, first_client_s=0.1)
    await asyncio.wait_for(running.task, 10.0)


@pytest.mark.slow
async def test_stays_while_files_are_read(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORK_S", "1.5")
    monkeypatch.setattr(process, "_BUSY_POLL_S", 0.1)
    running = await start(linger_s=0.1)
    client = await running.attach()
    await client.call(AddPaths(paths=("/a",)))
    await client.close()
    await asyncio.sleep(0.8)
    assert not running.task.done()
    await asyncio.wait_for(running.task, 10.0)


async def test_shutdown_is_obeyed_when_nobody_else_needs_it(start: Start) -> None:
    running = await start()
    client, other = await running.attach(), await running.attach()
    await client.call(Shutdown())
    await client.close()
    await asyncio.sleep(0.3)
    await other.call(Ping())
    with contextlib.suppress(AppError):
        await other.call(Shutdown(force=True))
    await asyncio.wait_for(running.task, 10.0)
    await asyncio.wait_for(other.wait_closed(), 5.0)
    assert other.closed
    with pytest.raises(WorkerError, match=r"host\.lost"):
        await other.call(Ping())


async def test_open_requests_end_in_a_message_when_the_host_ends(start: Start) -> None:
    running = await start()
    client = await running.attach()
    waiting = asyncio.create_task(client.call(AddPaths(paths=("/a",), wait=True)))
    await asyncio.sleep(0.3)
    running.host.end(force=True)
    with pytest.raises(Cancelled):
        await waiting


async def test_a_notice_waits_for_the_first_front_end(start: Start, paths: DataPaths) -> None:
    running = await start()
    paths.settings_path.write_text("{broken")
    assert running.host.services is not None
    running.host.services.settings.current()
    seen: list[Body] = []
    client = await running.attach(seen.append)
    await client.call(Ping())
    assert [body.code for body in seen if isinstance(body, Notice)] == ["settings.damaged"]
    assert paths.settings_path.with_name("settings.json.bad-1").read_text() == "{broken"


async def test_two_data_folders_have_two_hosts(start: Start, tmp_path: Path) -> None:
    running = await start()
    await running.attach()
    with pytest.raises(WorkerError, match=r"host\.not_running"):
        await HostClient.connect(DataPaths(tmp_path / "other"), start_host=False)


async def test_on_a_port_the_token_counts(start: Start, paths: DataPaths) -> None:
    running = await start(on_port=True)
    endpoint = read_endpoint(paths.endpoint_path)
    assert endpoint is not None and endpoint.port and len(endpoint.token) == 64
    assert mode_of(paths.endpoint_path) == 0o600
    await (await running.attach()).call(Ping())
    stolen = replace(endpoint, token="0" * 64)
    paths.endpoint_path.write_text(json.dumps(stolen.__dict__))
    with pytest.raises(AppError, match=r"host\.bad_token"):
        await HostClient.connect(paths, start_host=False)
    paths.endpoint_path.write_text(json.dumps(endpoint.__dict__))


async def test_where_no_socket_can_be_made_a_port_serves(
    start: Start, paths: DataPaths, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(DataPaths, "socket_path", lambda self: Path("/proc/nowhere/a.sock"))
    running = await start()
    endpoint = read_endpoint(paths.endpoint_path)
    assert endpoint is not None and endpoint.port
    await (await running.attach()).call(Ping())


async def test_the_usual_socket_serves_where_the_address_file_cannot_be_written(
    start: Start, paths: DataPaths, caplog: pytest.LogCaptureFixture
) -> None:
    paths.endpoint_path.mkdir(parents=True)
    running = await start()
    assert "could not be written" in caplog.text
    caplog.clear()
    paths.endpoint_path.rmdir()
    await (await running.attach()).call(Ping())


async def test_nothing_serves_where_neither_is_possible(
    start: Start, paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.endpoint_path.mkdir(parents=True)
    with pytest.raises(StorageError, match=r"storage\.no_socket"):
        await start(on_port=True)


# ----------------------------------------------------------------------- the connection, message by message


Raw = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def open_raw(paths: DataPaths) -> Raw:
    endpoint = read_endpoint(paths.endpoint_path)
    assert endpoint is not None
    return await asyncio.open_unix_connection(endpoint.path, limit=Channel.STREAM_LIMIT)


def hello(protocol: int = PROTOCOL_VERSION) -> bytes:
    return encode(to_message(Hello(protocol=protocol, kind="cli", version="0", pid=1), id="hello"))


async def greeted(paths: DataPaths) -> Raw:
    reader, writer = await open_raw(paths)
    writer.write(hello())
    message = await read_message(reader)
    assert message is not None and message.type == "hello"
    return reader, writer


async def let_go(reader: asyncio.StreamReader) -> None:
    """The host closes the connection without a word."""
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5.0) == b""


async def replies(reader: asyncio.StreamReader, parent_id: str) -> list[Message]:
    found: list[Message] = []
    while not found or found[-1].type not in (DONE, ERROR, CANCELLED):
        message = await asyncio.wait_for(read_message(reader), 5.0)
        assert message is not None
        if message.parent_id == parent_id:
            found.append(message)
    return found


async def test_another_version_is_refused_in_words(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await start()
    reader, writer = await open_raw(running.paths)
    writer.write(hello(protocol=99))
    assert await read_message(reader) is not None
    assert await read_message(reader) is None
    writer.close()
    monkeypatch.setattr("app.client.connecting.PROTOCOL_VERSION", 98)
    with pytest.raises(WorkerError) as failure:
        await running.attach()
    assert failure.value.code == "host.other_version" and "Close all" in failure.value.hint


async def test_strangers_are_let_go(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await start()
    for data in (b"GET / HTTP/1.1\r\n\r\n", encode(to_message(Ping(), id="1")), b""):
        reader, writer = await open_raw(running.paths)
        writer.write(data)
        writer.write_eof()
        await let_go(reader)
        writer.close()
    monkeypatch.setattr("app.host.server.HELLO_TIMEOUT_S", 0.1)
    reader, writer = await open_raw(running.paths)
    await let_go(reader)
    writer.close()
    monkeypatch.setattr("app.host.server.is_same_user", lambda connection: False)
    reader, writer = await open_raw(running.paths)
    writer.write(hello())
    await let_go(reader)
    writer.close()
    monkeypatch.setattr("app.host.server.is_same_user", lambda connection: True)
    await (await running.attach()).call(Ping())


async def test_only_so_many_may_wait_to_greet(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.host.server._MAX_GREETING", 2)
    running = await start()
    held = [await open_raw(running.paths) for _ in range(3)]
    await let_go(held[-1][0])
    running.host.end(force=True)
    await asyncio.wait_for(running.task, 5.0)
    for _, writer in held:
        writer.close()


async def test_bad_messages_end_one_request_or_the_connection(start: Start) -> None:
    running = await start()
    reader, writer = await greeted(running.paths)
    writer.write(encode(Message("library.search", {"query": 5}, "a")))
    assert (await replies(reader, "a"))[-1].body["code"] == "protocol.bad_message"
    writer.write(encode(Message("future.request", {}, "b")))
    assert (await replies(reader, "b"))[-1].body["code"] == "protocol.unknown_request"
    writer.write(encode(Message("future.event", {})))
    writer.write(encode(to_message(CancelRequest(request_id="unknown"))))
    writer.write(encode(to_message(Ping(), id="c")))
    assert [message.type for message in await replies(reader, "c")] == [DONE]
    writer.write(encode(to_message(Ping())))  # nobody could be answered
    assert await asyncio.wait_for(read_message(reader), 5.0) is None
    writer.close()


async def test_an_id_that_is_in_use_ends_the_connection(start: Start) -> None:
    running = await start()
    reader, writer = await greeted(running.paths)
    request = encode(to_message(AddPaths(paths=("/a",), wait=True), id="same"))
    writer.write(request + request)
    with contextlib.suppress(OSError):
        while await asyncio.wait_for(read_message(reader), 5.0) is not None:
            pass
    writer.close()
    await until(lambda: running.host.server.n_clients == 0)


async def test_a_request_that_is_cancelled_at_once_still_ends_once(start: Start) -> None:
    running = await start()
    reader, writer = await greeted(running.paths)
    ask = to_message(AddPaths(paths=("/a",), wait=True), id="x")
    writer.write(encode(ask) + encode(to_message(CancelRequest(request_id="x"))))
    writer.write(encode(to_message(Ping(), id="y")))
    ends = [message for message in await replies(reader, "x") if message.type == CANCELLED]
    assert len(ends) == 1
    await replies(reader, "y")
    writer.close()


async def test_too_many_open_requests_are_refused(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_end, "MAX_OPEN_REQUESTS", 1)
    running = await start()
    client = await running.attach()
    waiting = asyncio.create_task(client.call(AddPaths(paths=("/a",), wait=True)))
    await asyncio.sleep(0.3)
    with pytest.raises(AppError, match=r"host\.too_many_requests"):
        await client.call(Ping())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_broken_connection_cancels_its_requests(start: Start) -> None:
    running = await start()
    reader, writer = await greeted(running.paths)
    writer.write(encode(to_message(AddPaths(paths=("/a",), wait=True), id="x")))
    await asyncio.wait_for(read_message(reader), 5.0)
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()
    await until(lambda: running.host.server.n_clients == 0)
    assert running.host.server.open_requests() == []


class Serving:
    """A server with handlers of the test's own."""

    def __init__(self, paths: DataPaths, handlers: Any) -> None:
        self.broadcast = Broadcast()
        self.server = Server(paths, handlers, self.broadcast)
        self.paths = paths

    async def __aenter__(self) -> "Serving":
        self.paths.root.mkdir(parents=True, exist_ok=True)
        await self.server.open(on_port=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()

    async def attach(self) -> HostClient:
        return await HostClient.connect(self.paths, "cli", start_host=False)


async def test_every_way_a_handler_ends(paths: DataPaths, caplog: pytest.LogCaptureFixture) -> None:
    async def status(request: Any, context: Any) -> Any:
        context.progress(TokenGenerated(text="é"))
        return Reply({"removed": 1}, b"behind")

    async def kept(request: Any, context: Any) -> Any:
        raise CancelledHandler(RemoveResult(removed=9))

    async def broken(request: Any, context: Any) -> Any:
        raise ZeroDivisionError

    async def refused(request: Any, context: Any) -> Any:
        raise UsageError("a.b", "No.", "Do.", {"n": 1})

    async def unsendable(request: Any, context: Any) -> Any:
        return Reply({"value": float("nan")})

    handlers = {
        RemoveFiles: status,
        Ping: kept,
        GetHostStatus: broken,
        Shutdown: refused,
        GetSettings: unsendable,
    }
    async with Serving(paths, handlers) as serving:
        client = await serving.attach()
        assert await client.call_with_payload(RemoveFiles()) == (RemoveResult(removed=1), b"behind")
        with pytest.raises(Cancelled) as cancelled:
            await client.call(Ping())
        assert cancelled.value.message.body == {"removed": 9}
        with pytest.raises(AppError, match=r"host\.failed.*ZeroDivisionError"):
            await client.call(GetHostStatus())
        with pytest.raises(AppError) as failure:
            await client.call(Shutdown())
        assert (failure.value.code, failure.value.hint, failure.value.context) == ("a.b", "Do.", {"n": 1})
        with pytest.raises(AppError, match=r"host\.bad_result"):
            await client.call(GetSettings())
        serving.broadcast.forward(Message("bad.event", {"value": float("nan")}))
        assert "could not be sent" in caplog.text
        caplog.clear()
        await client.close()


async def test_a_front_end_that_does_not_read_is_cut_off_and_slows_nobody(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_end, "MAX_WAITING_BYTES", 1_000_000)

    async def ping(request: Any, context: Any) -> Any:
        return Empty()

    async with Serving(paths, {Ping: ping}) as serving:
        _, writer = await greeted(paths)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        client = await serving.attach()
        notice = Notice(severity="info", code="x", message="y" * 10_000)
        for _ in range(400):
            serving.broadcast.publish(notice)
            await asyncio.sleep(0)
            if serving.server.n_clients == 1:
                break
        await until(lambda: serving.server.n_clients == 1)
        await client.call(Ping())
        await client.close()
        writer.close()


async def test_a_socket_folder_of_somebody_else_is_not_used(
    paths: DataPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    monkeypatch.setattr(DataPaths, "socket_path", lambda self: tmp_path / "link" / "a.sock")
    async with Serving(paths, {}):
        endpoint = read_endpoint(paths.endpoint_path)
        assert endpoint is not None and endpoint.port


async def test_closing_a_server_that_never_opened(paths: DataPaths) -> None:
    await Server(paths, {}, Broadcast()).close()


async def test_a_signal_ends_the_host(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.logs_dir.mkdir(parents=True)
    watchdogs: list[float] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda s, exit: watchdogs.append(s))
    options = HostOptions(
        commands={"library": fake_command("library")}, limits=QUICK, end_limit_s=process.END_LIMIT_S
    )
    ready = asyncio.Event()
    running = asyncio.create_task(process._run(paths, options, ready.set))
    await ready.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10.0)
    loop = asyncio.get_running_loop()
    loop.remove_signal_handler(signal.SIGTERM)
    loop.remove_signal_handler(signal.SIGINT)
    assert watchdogs == [process.END_LIMIT_S]
    assert Endpoint(1, path="/x").port == 0
