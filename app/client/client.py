"""The connection of a front end to the host."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, Self, TypeVar, cast

from app.client.connecting import Connection, connect, reach
from app.core.errors import AppError, WorkerError
from app.core.paths import DataPaths
from app.protocol.body import Body, Request, from_json, from_message
from app.protocol.channel import Channel, ConnectionLost, RequestCancelled, RequestError
from app.protocol.envelope import Message, ProtocolError
from app.protocol.system import CANCELLED, DONE

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Body)


class Cancelled(Exception):  # noqa: N818  # an outcome, not a fault
    """The host ended a request as cancelled.

    Attributes:
        message: the end, whose body may hold what was kept.
    """

    def __init__(self, message: Message) -> None:
        """Keep the end."""
        super().__init__("the request was cancelled")
        self.message = message


class Replies(Generic[R]):
    """What the host answers to one request: iterate over it with `async for`, once.

    It yields the typed progress bodies as they come, and last the request's result. Leaving the iteration
    early cancels the request and ignores what still comes; `cancel` asks the host to end it and goes on.
    """

    def __init__(self, channel: Channel, request: Request[R], payload: bytes) -> None:
        """Bind the request; it is sent when the iteration starts."""
        self._channel, self._request, self._payload = channel, request, payload
        self._request_id = ""
        self._cancelled = False
        self._generator = self._run()

    def __aiter__(self) -> AsyncGenerator[Body, None]:
        """Give the one iteration.

        Raises (while iterating):
            AppError: the host's error, or `host.lost`.
            Cancelled: the request was cancelled, by `cancel` or by the host.
        """
        return self._generator

    def cancel(self) -> None:
        """Ask the host to end the request; the iteration ends with Cancelled, or the result if faster."""
        self._cancelled = True
        if self._request_id:
            self._channel.cancel(self._request_id)

    async def aclose(self) -> None:
        """Cancel the request and end the iteration."""
        await self._generator.aclose()

    async def _run(self) -> AsyncGenerator[Body, None]:
        if self._cancelled:
            raise Cancelled(Message(CANCELLED))
        stream = self._channel.stream(self._request, self._payload, on_open=self._on_open)
        try:
            async with contextlib.aclosing(stream) as messages:
                async for message in messages:
                    body = self._body(message)
                    if body is not None:  # a newer host may know more kinds of progress
                        yield body
        except (RequestError, RequestCancelled, ConnectionLost, ProtocolError) as error:
            raise _translated(error) from error

    def _body(self, message: Message) -> Body | None:
        if message.type == DONE:
            return cast(Body, from_json(type(self._request).RESULT, message.body))
        return from_message(message)

    def _on_open(self, request_id: str) -> None:
        self._request_id = request_id


class HostClient:
    """A front end's connection to the host of one data folder.

    Used by one event loop; every method is called in its thread.

    Attributes:
        hello: what the host said of itself.
    """

    def __init__(self, connection: Connection, on_event: Callable[[Body], None] | None = None) -> None:
        """Take over a greeted connection; use `connect` instead."""
        self.hello = connection.hello
        self._on_event = on_event
        self._connection = connection
        self._channel = Channel(connection.reader, connection.writer, self._on_message)
        self._task = asyncio.create_task(self._run(), name="host connection")

    @classmethod
    async def connect(
        cls,
        paths: DataPaths,
        kind: str = "window",
        on_event: Callable[[Body], None] | None = None,
        start_host: bool = True,
    ) -> Self:
        """Connect to the host of a data folder, and start it where none runs.

        Args:
            paths: the data folder; created by the host.
            kind: `window`, `cli` or `launcher`.
            on_event: gets every event of the host, in the loop's thread.
            start_host: False fails with `host.not_running` instead of starting one.

        Raises:
            StorageError: the data folder cannot be used.
            WorkerError: the host does not start or answer (`host.start_failed`, `host.not_running`,
                `host.other_version`).
        """
        return cls(await (connect(paths, kind) if start_host else reach(paths, kind)), on_event)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, by `close` or because the host went away."""
        return self._task.done() or self._channel.closed

    async def wait_closed(self) -> None:
        """Return when the connection has ended."""
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """End the connection; the host ends soon after the last one did and no work runs."""
        self._channel.close()
        await asyncio.shield(self._task)
        await self._connection.wait_closed()

    async def call(self, request: Request[R], payload: bytes = b"") -> R:
        """Send a request and return its result; progress is dropped.

        Raises:
            AppError: with the host's code, message and hint; `host.lost` where the connection ended.
            Cancelled: the host cancelled it.
        """
        return (await self.call_with_payload(request, payload))[0]

    async def call_with_payload(self, request: Request[R], payload: bytes = b"") -> tuple[R, bytes]:
        """Send a request and return its result and the raw bytes behind it. Raises as `call`."""
        try:
            return await self._channel.call_with_payload(request, payload)
        except (RequestError, RequestCancelled, ConnectionLost, ProtocolError) as error:
            raise _translated(error) from error

    def stream(self, request: Request[R], payload: bytes = b"") -> Replies[R]:
        """Send a request and iterate over its progress and, last, its result (see Replies)."""
        return Replies(self._channel, request, payload)

    def _on_message(self, message: Message) -> None:
        try:
            body = from_message(message)
        except ProtocolError as error:
            log.info("an event of the host was not understood: %s", error)
            return
        if body is not None and self._on_event is not None:
            self._on_event(body)

    async def _run(self) -> None:
        try:
            await self._channel.run()
        except ProtocolError as error:
            log.info("the connection to the host ended: %s", error)


def _translated(error: Any) -> AppError | Cancelled:
    if isinstance(error, RequestError):
        return AppError(error.body.code, error.body.message, error.body.hint, error.body.context)
    if isinstance(error, RequestCancelled):
        return Cancelled(error.message)
    if isinstance(error, ProtocolError):
        return WorkerError("host.bad_answer", "The background process sent an answer that makes no sense.")
    return WorkerError(
        "host.lost",
        "The connection to the background process was lost.",
        "Try again; what was stored is safe. If it happens again, logs/host.log says more.",
    )
