"""One attached front end: its requests, each ended exactly once, and what is sent to it."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from app.core.errors import AppError, UsageError, WorkerError
from app.host.services.ports import Cancelled, Handler, Reply
from app.protocol.body import Body, from_message, to_json, to_message
from app.protocol.channel import read_message
from app.protocol.envelope import Message, ProtocolError, encode
from app.protocol.system import CANCELLED, DONE, CancelRequest, Hello, Notice
from app.protocol.window import LAUNCHER

log = logging.getLogger(__name__)

MAX_OPEN_REQUESTS = 1000
MAX_UNREAD = 20
MAX_WAITING_BYTES = 64 * 1024 * 1024
_DRAIN_BYTES = 1024 * 1024
_LAST_REQUESTS_S = 1.0
_LAST_DRAIN_S = 0.3


class _Context:
    """What a handler knows of its request (ports.RequestContext)."""

    def __init__(self, front_end: "FrontEnd", request_id: str, payload: bytes) -> None:
        self._front_end, self._request_id = front_end, request_id
        self.payload = payload

    def progress(self, body: Body, payload: bytes = b"") -> None:
        self._front_end.send(to_message(body, parent_id=self._request_id, payload=payload))

    def forward(self, message: Message) -> None:
        self._front_end.send(
            Message(message.type, message.body, parent_id=self._request_id, payload=message.payload)
        )


class FrontEnd:
    """Serves one greeted connection.

    A front end that does not read what it gets is cut off when too much waits for it; it never slows the
    host.

    Attributes:
        hello: what it said of itself.
    """

    def __init__(
        self,
        hello: Hello,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handlers: Mapping[type[Body], Handler],
    ) -> None:
        """Take over the streams of a greeted connection."""
        self.hello = hello
        self._reader, self._writer, self._handlers = reader, writer, handlers
        self._requests: dict[str, tuple[type[Body], asyncio.Task[Message]]] = {}
        writer.transport.set_write_buffer_limits(high=_DRAIN_BYTES)

    def open_requests(self) -> list[type[Body]]:
        """Give the types of the requests that have not ended."""
        return [kind for kind, _ in self._requests.values()]

    async def serve(self) -> None:
        """Handle requests until the connection ends; then cancel what is still open, and wait for that."""
        try:
            while (message := await read_message(self._reader)) is not None:
                self._take(message)
                # Who does not read its answers gets no further requests read.
                await self._writer.drain()
        except ProtocolError as error:
            log.info("a front end (%s) broke the protocol: %s", self.hello.kind, error)
        except OSError as error:
            log.info("the connection to a front end (%s) broke: %s", self.hello.kind, error)
        finally:
            self._writer.close()
            await self._cancel_all()

    async def _cancel_all(self) -> None:
        tasks = [task for _, task in self._requests.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def end_requests(self) -> None:
        """Cancel what is open, so that each request still ends in a message, before the host ends."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cancel_all(), _LAST_REQUESTS_S)
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.drain(), _LAST_DRAIN_S)

    def send(self, message: Message) -> None:
        """Send a message; never blocks."""
        self.send_bytes(encode(message))

    def send_bytes(self, data: bytes) -> None:
        """Send an encoded message; never blocks."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            log.info("a front end (%s) does not read what it gets and is cut off", self.hello.kind)
            transport.abort()
            return
        self._writer.write(data)

    def _take(self, message: Message) -> None:
        try:
            body = from_message(message)
        except ProtocolError as error:
            self._refuse(message, "protocol.bad_message", str(error))
            return
        if isinstance(body, CancelRequest):
            if body.request_id in self._requests:
                self._requests[body.request_id][1].cancel()
        elif body is None or type(body) not in self._handlers:
            self._refuse(message, "protocol.unknown_request", f"The host does not know {message.type}.")
        elif not message.id or message.id in self._requests:
            raise ProtocolError("a request has no id of its own")
        elif len(self._requests) >= MAX_OPEN_REQUESTS:
            self._refuse(message, "host.too_many_requests", "Too many requests are open at once.")
        else:
            task = asyncio.create_task(self._handle(message, body), name=message.type)
            self._requests[message.id] = (type(body), task)
            task.add_done_callback(partial(self._finish, message.id))

    def _refuse(self, message: Message, code: str, text: str) -> None:
        if message.id:  # an unknown event of a newer front end needs no answer
            self.send(to_message(UsageError(code, text).to_body(), parent_id=message.id))

    def _finish(self, request_id: str, task: asyncio.Task[Message]) -> None:
        """Send the one end of a request; a task that was cancelled before its first step has none."""
        del self._requests[request_id]
        end = Message(CANCELLED, {}, parent_id=request_id) if task.cancelled() else task.result()
        try:
            self.send(end)
        except (ProtocolError, ValueError, TypeError) as error:
            log.error("a result could not be sent: %s", error)
            failure = WorkerError("host.bad_result", "The result is too large or cannot be sent.")
            self.send(to_message(failure.to_body(), parent_id=request_id))

    async def _handle(self, message: Message, body: Body) -> Message:
        handler = self._handlers[type(body)]
        try:
            result = await handler(body, _Context(self, message.id, message.payload))
            reply = result if isinstance(result, Reply) else Reply(result)
            return Message(DONE, _object(reply.body), parent_id=message.id, payload=reply.payload)
        except asyncio.CancelledError:
            return Message(CANCELLED, {}, parent_id=message.id)
        except Cancelled as end:
            return Message(CANCELLED, _object(end.body), parent_id=message.id)
        except AppError as error:
            return to_message(error.to_body(), parent_id=message.id)
        except Exception as error:  # the border of a task: a defect ends this request alone
            log.exception("%s failed in the host", message.type)
            failure = WorkerError(
                "host.failed",
                f"Something went wrong inside ({type(error).__name__}).",
                "Try again; if it happens again, logs/host.log in the data folder says more.",
            )
            return to_message(failure.to_body(), parent_id=message.id)


def _object(body: Body | Mapping[str, Any]) -> Mapping[str, Any]:
    return to_json(body) if isinstance(body, Body) else body


class Broadcast:
    """Sends events to the front ends (ports.Events, ports.Offers).

    Launchers, which only hand something over, get none. A notice that nobody is there to read waits for the
    next front end.

    Attributes:
        front_ends: those attached.
    """

    def __init__(self) -> None:
        """Start with no front end."""
        self.front_ends: list[FrontEnd] = []
        self._unread: list[Notice] = []
        self._offers: list[tuple[str, Message]] = []

    def attach(self, front_end: FrontEnd) -> None:
        """Send events to one more front end: unread notices and open offers first."""
        self.front_ends.append(front_end)
        if front_end in self._readers():
            unread, self._unread = self._unread, []
            for notice in unread:
                self.publish(notice)
        for kind, message in self._offers:
            if kind == front_end.hello.kind:
                front_end.send(message)

    def publish(self, body: Body) -> None:
        """Send an event to all front ends; never blocks."""
        if isinstance(body, Notice) and not self._readers():
            self._unread = [*self._unread, body][-MAX_UNREAD:]
        self.forward(to_message(body))

    def forward(self, message: Message) -> None:
        """Pass on a worker's event unread; encoded once for all."""
        readers = self._readers()
        if not readers:
            return
        try:
            data = encode(Message(message.type, message.body, payload=message.payload))
        except (ProtocolError, ValueError, TypeError) as error:
            log.error("an event %s could not be sent: %s", message.type, error)
            return
        for front_end in readers:
            front_end.send_bytes(data)

    @contextlib.contextmanager
    def offered(self, body: Body, kind: str) -> Iterator[None]:
        """Send an event to the front ends of one kind, and to each that attaches before the context ends."""
        offer = (kind, to_message(body))
        self._offers.append(offer)
        try:
            for front_end in self.front_ends:
                if front_end.hello.kind == kind:
                    front_end.send(offer[1])
            yield
        finally:
            self._offers.remove(offer)

    def _readers(self) -> list[FrontEnd]:
        return [front_end for front_end in self.front_ends if front_end.hello.kind != LAUNCHER]
