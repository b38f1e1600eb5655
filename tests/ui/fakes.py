"""Stand-ins for the host, for tests of the window without processes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject

from app.core.errors import AppError
from app.core.paths import DataPaths
from app.protocol.body import Body, Request
from app.protocol.envelope import Message
from app.protocol.system import CANCELLED
from app.ui.session import Cancelled, ReplyStream, Session

R = TypeVar("R", bound=Body)
CANCEL = object()
Reply = Body | AppError | Callable[[Any], Any]


class FakeSession(Session):
    """A session whose host is a script.

    `reply(RequestType, answer)` sets what a request type gets: a body, an AppError to raise, a
    `(body, payload)` pair, or a function of the request (a coroutine function too) that returns one of these.
    `script(RequestType, items)` sets what `stream` yields: bodies; an exception among them is raised there,
    an asyncio.Event is waited for, what stands behind CANCEL comes only after `cancel`. A request without a
    script raises AssertionError. Everything sent is in `requests`; streams that were cancelled or left early
    are in `cancelled`.
    """

    def __init__(self, root: Path = Path("/nowhere"), parent: QObject | None = None) -> None:
        super().__init__(DataPaths(root), parent=parent)
        self.requests: list[Request[Any]] = []
        self.payloads: list[bytes] = []
        self.cancelled: list[Request[Any]] = []
        self._replies: dict[type[Body], Any] = {}
        self._scripts: dict[type[Body], Any] = {}
        self._up = True

    @property
    def is_connected(self) -> bool:
        return self._up

    def reply(self, request_type: type[Body], answer: Any) -> None:
        """Answer requests of this type with a body, (body, payload), AppError or function of the request."""
        self._replies[request_type] = answer

    def script(
        self, request_type: type[Body], bodies: Sequence[Any] | Callable[[Any], Sequence[Any]]
    ) -> None:
        """Stream these bodies for requests of this type."""
        self._scripts[request_type] = bodies

    def sent(self, request_type: type[R]) -> list[R]:
        """Give the requests of one type, in order."""
        return [request for request in self.requests if isinstance(request, request_type)]

    def connect_now(self) -> None:
        """Behave as if a host had just been attached."""
        self._up = True
        self.connected.emit()

    def lose(self, words: str = "The background service ended.") -> None:
        """Behave as if the host had died."""
        self._up = False
        self.disconnected.emit(words)

    async def run(self) -> None:
        self.connect_now()
        await asyncio.Event().wait()

    async def close(self) -> None:
        self._up = False

    async def call(self, request: Request[R], payload: bytes = b"") -> R:
        return (await self.call_with_payload(request, payload))[0]

    async def call_with_payload(self, request: Request[R], payload: bytes = b"") -> tuple[R, bytes]:
        self.requests.append(request)
        self.payloads.append(payload)
        await asyncio.sleep(0)
        answer = self._answer(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, AppError):
            raise answer
        return answer if isinstance(answer, tuple) else (answer, b"")

    def stream(self, request: Request[Any], payload: bytes = b"") -> ReplyStream:
        self.requests.append(request)
        self.payloads.append(payload)
        script = self._scripts.get(type(request))
        assert script is not None, f"no script for {request!r}"
        return FakeReplies(self, request, script(request) if callable(script) else script)

    def _answer(self, request: Request[Any]) -> Any:
        answer = self._replies.get(type(request))
        assert answer is not None, f"no reply for {request!r}"
        return answer(request) if callable(answer) else answer


class FakeReplies(ReplyStream):
    """Replays a script; after `cancel` it yields what stands behind CANCEL and ends with Cancelled."""

    def __init__(self, session: FakeSession, request: Request[Any], script: Sequence[Any]) -> None:
        self._session, self._sent = session, request
        items = list(script)
        split = items.index(CANCEL) if CANCEL in items else len(items)
        self._ordinary, self._after_cancel = items[:split], items[split + 1 :]
        self._stop = asyncio.Event()
        self._generator = self._replay()

    def cancel(self) -> None:
        self._session.cancelled.append(self._sent)
        self._stop.set()

    async def _replay(self) -> AsyncGenerator[Body, None]:
        try:
            for item in self._ordinary:
                await self._pause(item)
                if self._stop.is_set():
                    break
                if isinstance(item, Exception):
                    raise item
                if not isinstance(item, asyncio.Event):
                    yield item
        except GeneratorExit:
            if not self._stop.is_set():
                self._session.cancelled.append(self._sent)
            raise
        if self._stop.is_set():
            for item in self._after_cancel:
                yield item
            raise Cancelled(Message(CANCELLED, {}))

    async def _pause(self, item: Any) -> None:
        await asyncio.sleep(0)
        if isinstance(item, asyncio.Event):
            waits = [asyncio.ensure_future(event.wait()) for event in (item, self._stop)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
