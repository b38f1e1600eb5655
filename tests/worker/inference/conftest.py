"""Tiny models, the starter model, and a running inference worker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.core.paths import starter_models_dir
from app.core.processes import worker_command, worker_environment
from app.protocol.body import Body, from_message, to_message
from app.protocol.channel import Channel
from app.protocol.envelope import Message, decode_line
from app.protocol.system import CancelRequest, Hello
from app.worker.inference.backend import AbortFlag, start_backend
from app.worker.inference.template import Renderer
from tests.worker.inference.answering import Opener
from tests.worker.inference.gguf_writer import TinyModel


@pytest.fixture(scope="session")
def backend() -> None:
    """The engine in this process."""
    start_backend()


@pytest.fixture
def renderer() -> Iterator[Renderer]:
    """A template process."""
    renderer = Renderer()
    yield renderer
    renderer.close()


@pytest.fixture
def abort() -> Iterator[AbortFlag]:
    """A flag that is not set; cleared at the end, because any set one silences the engine's words."""
    flag = AbortFlag()
    yield flag
    flag.clear()


@pytest.fixture
def start(tmp_path: Path, abort: AbortFlag, renderer: Renderer) -> Iterator[Opener]:
    """Opens tiny models in this process."""
    opener = Opener(tmp_path, abort, renderer)
    yield opener
    opener.close()


@pytest.fixture
def tiny_path(tmp_path: Path) -> Path:
    """A tiny model that runs."""
    return TinyModel().write(tmp_path / "tiny.gguf")


@pytest.fixture(scope="session")
def starter_path() -> Path:
    """The starter model."""
    found = sorted((starter_models_dir() / "chat").glob("*.gguf"))
    if not found:
        pytest.skip("the starter model is not there: run scripts/fetch_models.py")
    return found[0]


@dataclass
class RunningWorker:
    """An inference worker over stdio.

    Attributes:
        sent: ids of the requests sent.
    """

    process: asyncio.subprocess.Process
    channel: Channel
    hello: Hello
    sent: list[str]

    async def replies(self, request: Body) -> list[Message]:
        """Send a request and give all of its replies; raises as `Channel.stream`."""
        return [message async for message in self.channel.stream(request)]

    async def cancel(self, request_id: str) -> None:
        """Ask to end a request."""
        await self.channel.send(to_message(CancelRequest(request_id=request_id)))


@contextlib.asynccontextmanager
async def running_worker() -> AsyncIterator[RunningWorker]:
    """Start a worker; it has greeted, and is ended by the end of its stdin."""
    process = await asyncio.create_subprocess_exec(
        *worker_command("inference"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=worker_environment(),
        limit=Channel.STREAM_LIMIT,
    )
    assert process.stdin is not None and process.stdout is not None
    greeting: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
    sent: list[str] = []

    def on_event(message: Message) -> None:
        body = from_message(message)
        if isinstance(body, Hello):
            greeting.set_result(body)

    channel = Channel(process.stdout, _NotingWriter(process.stdin, sent), on_event)
    reading = asyncio.create_task(channel.run())
    try:
        yield RunningWorker(process, channel, await asyncio.wait_for(greeting, 60), sent)
    finally:
        channel.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 20)
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


class _NotingWriter:
    """Notes the ids of the requests that pass."""

    def __init__(self, writer: asyncio.StreamWriter, sent: list[str]) -> None:
        self._writer, self._sent = writer, sent

    def write(self, data: bytes) -> None:
        message, _ = decode_line(data.split(b"\n", 1)[0])
        if message.id:
            self._sent.append(message.id)
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
async def worker() -> AsyncIterator[RunningWorker]:
    """A running worker."""
    async with running_worker() as running:
        yield running
