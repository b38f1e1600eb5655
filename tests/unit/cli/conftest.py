"""A host that answers from a script, in place of the real one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.client import HostClient
from app.core.errors import AppError
from app.core.paths import DataPaths
from app.protocol.body import Body


@dataclass
class FakeHost:
    """Answers requests by type: a body, a list of bodies to stream, an error, or a function of the request.

    Attributes:
        requests: what was asked, in order.
        lost: the connection ends with the next error.
        n_sentences: that a text to speak has.
    """

    answers: dict[type[Body], Any] = field(default_factory=dict)
    requests: list[Body] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    connect_error: AppError | None = None
    data_dir: str = ""
    n_sentences: int = 1
    closed: bool = False
    n_closed: int = 0
    on_event: Callable[[Body], None] | None = None

    def bodies(self, request: Body) -> list[Any]:
        self.requests.append(request)
        answer = self.answers[type(request)]
        if callable(answer):
            answer = answer(request)
        return answer if isinstance(answer, list) else [answer]

    async def call(self, request: Body, payload: bytes = b"") -> Any:
        await asyncio.sleep(0)
        self.payloads.extend([payload] if payload else [])
        last = self.bodies(request)[-1]
        if isinstance(last, BaseException):
            raise last
        return last

    async def stream(self, request: Body, payload: bytes = b"") -> AsyncIterator[Any]:
        for body in self.bodies(request):
            await asyncio.sleep(0)
            if isinstance(body, BaseException):
                raise body
            if isinstance(body, asyncio.Event):
                await body.wait()
                continue
            yield body

    async def close(self) -> None:
        self.n_closed += 1


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    fake = FakeHost()

    async def connect(paths: DataPaths, kind: str, on_event: Any = None) -> FakeHost:
        assert kind == "cli"
        if fake.connect_error is not None:
            raise fake.connect_error
        fake.data_dir, fake.on_event = str(paths.root), on_event
        return fake

    monkeypatch.setattr(HostClient, "connect", connect)
    yield fake
    assert fake.n_closed == bool(fake.data_dir), "a connection is closed, once"
