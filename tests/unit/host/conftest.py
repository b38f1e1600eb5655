"""Fake workers, and what tests of the host observe."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from app.host.supervision import Worker
from app.host.worker_process import Limits
from app.protocol.body import Body, from_message
from app.protocol.engine import CountTokens, TokenCounts
from app.protocol.envelope import Message
from app.protocol.system import Notice, WorkerChanged

FAKE_WORKER = Path(__file__).with_name("fake_worker.py")
QUICK = Limits(
    hello_s=10.0, heartbeat_s=2.0, shutdown_s=2.0, crash_window_s=60.0, backoff_s=(0.01,), n_restarts=5
)


def fake_command(kind: str, mode: str = "normal", state_dir: Path | None = None) -> list[str]:
    """Give the command of a fake worker."""
    return [sys.executable, "-S", str(FAKE_WORKER), kind, mode, *([str(state_dir)] if state_dir else [])]


class Recorder:
    """Stands in for the broadcast: keeps every event."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.messages: list[Message] = []

    def publish(self, body: Body) -> None:
        self.bodies.append(body)

    def forward(self, message: Message) -> None:
        self.messages.append(message)
        body = from_message(message)
        if body is not None:
            self.bodies.append(body)

    def of(self, kind: type[Body]) -> list[Body]:
        return [body for body in self.bodies if isinstance(body, kind)]

    def states(self, kind: str) -> list[str]:
        return [body.state for body in self.bodies if isinstance(body, WorkerChanged) and body.kind == kind]

    def notices(self) -> list[Notice]:
        return [body for body in self.bodies if isinstance(body, Notice)]


class Context:
    """Stands in for a request's context: keeps its progress."""

    def __init__(self, payload: bytes = b"") -> None:
        self.payload = payload
        self.progressed: list[Body] = []
        self.forwarded: list[Message] = []

    def progress(self, body: Body, payload: bytes = b"") -> None:
        self.progressed.append(body)

    def forward(self, message: Message) -> None:
        self.forwarded.append(message)


WorkerMaker = Callable[..., Worker]


@pytest.fixture
def events() -> Recorder:
    return Recorder()


@pytest.fixture
async def make_worker(tmp_path: Path, events: Recorder) -> AsyncIterator[WorkerMaker]:
    """Make supervised fake workers; they are stopped at the end."""
    workers: list[Worker] = []

    def make(kind: str = "inference", mode: str = "normal", limits: Limits = QUICK) -> Worker:
        worker = Worker(kind, fake_command(kind, mode, tmp_path), tmp_path / f"{kind}.log", events, limits)
        workers.append(worker)
        return worker

    yield make
    await asyncio.gather(*(worker.stop() for worker in workers))


def say(*texts: str) -> CountTokens:
    """Make the request whose texts tell the fake worker what to do."""
    return CountTokens(texts=texts)


async def pid_of(worker: Worker) -> int:
    """Give the process id of a worker, from itself."""
    result = await worker.call(say("pid"))
    assert isinstance(result, TokenCounts)
    return result.counts[0]


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Wait for a condition that something else brings about."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


def mode_of(path: Path) -> int:
    """Give the permission bits of a file."""
    return path.stat().st_mode & 0o777
