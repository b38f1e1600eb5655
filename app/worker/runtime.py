"""What every worker process shares: the protocol over stdio, lanes of work, cancelling, an orderly end."""

import itertools
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, BinaryIO, NamedTuple

from app import __version__
from app.core.errors import AppError, WorkerError
from app.protocol import PROTOCOL_VERSION
from app.protocol.body import Body, from_message, to_json, to_message
from app.protocol.envelope import Message, ProtocolError, encode, read_message
from app.protocol.system import CANCELLED, DONE, CancelRequest, Empty, Hello, Ping, Shutdown

log = logging.getLogger(__name__)


_ARRIVALS = itertools.count()


def next_arrival() -> int:
    """Give a number above those of all requests that have come so far. Any thread."""
    return next(_ARRIVALS)


class Cancelled(Exception):  # noqa: N818  # an outcome, not a fault
    """A handler stopped because its request was cancelled.

    Attributes:
        body: what was kept, if anything.
    """

    def __init__(self, body: Body | None = None) -> None:
        """Keep the body."""
        super().__init__("cancelled")
        self.body = body


class Reply(NamedTuple):
    """A handler's result with raw bytes behind it."""

    body: Body
    payload: bytes


@dataclass
class Job:
    """One request being handled.

    Attributes:
        request: its typed body.
        payload: raw bytes that came with it.
        cancelled: set by the reader thread the moment a cancel arrives.
        on_cancel: called then, in the reader thread (for engines that need a flag of their own).
        ends_at_once: a cancel ends the request the moment that it comes, while the handler still cleans up:
            freeing gigabytes takes longer than anybody wants to wait. Its result is dropped then; it asks
            `is_wanted` before it keeps anything.
        arrival: its place among all requests in the order in which they came, over all lanes.
    """

    id: str
    request: Body
    payload: bytes
    _send: Callable[[Message], None]
    _end: Callable[["Job", "Body | Reply | Exception"], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    on_cancel: Callable[[], None] | None = None
    ends_at_once: bool = False
    arrival: int = field(default_factory=next_arrival)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cancel(self) -> bool:
        """Set the flag; give whether the request ends at this moment. The reader thread."""
        with self._lock:
            self.cancelled.set()
            return self.ends_at_once

    def is_wanted(self) -> bool:
        """Whether nobody has cancelled a request that ends at once; from now on a cancel comes too late."""
        with self._lock:
            self.ends_at_once = False
            return not self.cancelled.is_set()

    def progress(self, body: Body, payload: bytes = b"") -> None:
        """Send a progress message of this request."""
        self._send(to_message(body, parent_id=self.id, payload=payload))

    def end(self, result: "Body | Reply") -> None:
        """End a request whose handler returned LATER. Any thread, exactly once."""
        self._end(self, result)

    def end_with_error(self, error: Exception) -> None:
        """End a request whose handler returned LATER as failed (AppError) or cancelled (Cancelled)."""
        self._end(self, error)

    def raise_if_cancelled(self) -> None:
        """Raise Cancelled where the request was cancelled."""
        if self.cancelled.is_set():
            raise Cancelled


class Later(Enum):
    """What a handler returns when another thread will end its request, so that its lane is free again."""

    LATER = "later"


LATER = Later.LATER

Handler = Callable[[Any, Job], Body | Reply | Later]


class Worker:
    """Serves requests read from stdin, each in the lane of its type; a lane is one thread, in order.

    The reader thread takes `request.cancel`, `process.ping` and `process.shutdown` itself, so that they never
    queue behind work. The end of stdin (the host died) ends the process.

    Attributes:
        kind: the worker's name in its hello.
    """

    def __init__(self, kind: str, lanes: Mapping[str, Mapping[type[Body], Handler]]) -> None:
        """Take the handlers by lane and request type."""
        self.kind = kind
        self._lane_of = {request: lane for lane, handlers in lanes.items() for request in handlers}
        self._handlers = {
            request: handler for handlers in lanes.values() for request, handler in handlers.items()
        }
        self._queues: dict[str, queue.SimpleQueue[Job | None]] = {lane: queue.SimpleQueue() for lane in lanes}
        self._jobs: dict[str, Job] = {}
        self._jobs_lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._input, self._output = take_stdio()
        self._cleanups: list[Callable[[], None]] = []

    def at_exit(self, cleanup: Callable[[], None]) -> None:
        """Register what to do when the worker ends; run in reverse order."""
        self._cleanups.append(cleanup)

    def event(self, body: Body) -> None:
        """Send a message that answers no request. Any thread."""
        self._send(to_message(body))

    def run(self) -> int:
        """Say hello and serve until stdin ends or shutdown is asked; return the exit code. Main thread."""
        self._send(
            to_message(
                Hello(protocol=PROTOCOL_VERSION, kind=self.kind, version=__version__, pid=os.getpid()),
                id="hello",
            )
        )
        lanes = [
            threading.Thread(target=self._serve, args=(jobs,), name=f"lane-{name}", daemon=True)
            for name, jobs in self._queues.items()
        ]
        for lane in lanes:
            lane.start()
        try:
            self._read()
        finally:
            self._finish(lanes)
        return 0

    def _read(self) -> None:
        while (message := read_message(self._input)) is not None:
            try:
                body = from_message(message)
            except ProtocolError as error:
                self._reject(message, "protocol.bad_message", str(error))
                continue
            if isinstance(body, Shutdown):
                self._send(Message(DONE, {}, parent_id=message.id))
                return
            self._take(message, body)

    def _take(self, message: Message, body: Body | None) -> None:
        if isinstance(body, CancelRequest):
            self._cancel(body.request_id)
        elif isinstance(body, Ping):
            self._send(Message(DONE, to_json(Empty()), parent_id=message.id))
        elif body is not None and type(body) in self._lane_of:
            job = Job(message.id, body, message.payload, self._send, self._end)
            with self._jobs_lock:
                self._jobs[job.id] = job
            self._queues[self._lane_of[type(body)]].put(job)
        elif message.id and message.id != "hello":
            self._reject(
                message, "protocol.unknown_request", f"The {self.kind} worker does not know {message.type}."
            )

    def _reject(self, message: Message, code: str, text: str) -> None:
        self._send(to_message(WorkerError(code, text).to_body(), parent_id=message.id))

    def _cancel(self, request_id: str) -> None:
        with self._jobs_lock:
            job = self._jobs.get(request_id)
        if job is None:
            return
        ends_now = job.cancel()
        if job.on_cancel is not None:
            job.on_cancel()
        if ends_now:
            self._end(job, Cancelled())

    def _serve(self, jobs: "queue.SimpleQueue[Job | None]") -> None:
        while (job := jobs.get()) is not None:
            try:
                job.raise_if_cancelled()
                result = self._handlers[type(job.request)](job.request, job)
            except (
                Exception
            ) as error:  # the border of a task: whatever a library raises ends this request alone
                self._end(job, error)
            else:
                if result is not LATER:
                    self._end(job, result)

    def _end(self, job: Job, result: Body | Reply | Exception) -> None:
        with self._jobs_lock:
            if self._jobs.pop(job.id, None) is None:
                return  # a cancel has ended it
        if isinstance(result, Exception):
            self._send(self._failure(job, result))
            return
        body, payload = result if isinstance(result, Reply) else (result, b"")
        self._send(Message(DONE, to_json(body), parent_id=job.id, payload=payload))

    def _failure(self, job: Job, error: Exception) -> Message:
        if isinstance(error, Cancelled):
            return Message(CANCELLED, to_json(error.body or Empty()), parent_id=job.id)
        if isinstance(error, AppError):
            return to_message(error.to_body(), parent_id=job.id)
        log.error("%s failed in the %s worker", type(job.request).TYPE, self.kind, exc_info=error)
        failure = WorkerError(
            f"{self.kind}.failed",
            f"Something went wrong inside ({type(error).__name__}).",
            "Try again; if it happens again, the log in the data folder says more.",
        )
        return to_message(failure.to_body(), parent_id=job.id)

    def _send(self, message: Message) -> None:
        data = encode(message)
        with self._send_lock:
            try:
                self._output.write(data)
                self._output.flush()
            except (BrokenPipeError, ValueError):
                log.info("the host is gone; a message was dropped")

    def _finish(self, lanes: list[threading.Thread]) -> None:
        with self._jobs_lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            self._cancel(job.id)
        for jobs_queue in self._queues.values():
            jobs_queue.put(None)
        for lane in lanes:
            lane.join(timeout=2.0)
        for cleanup in reversed(self._cleanups):
            cleanup()


def take_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol and point fd 1 at stderr, because native libraries print."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return sys.stdin.buffer, output
