"""The library as the host offers it: requests and events are passed on to and from the library worker."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from app.core.errors import AppError
from app.host.services.ports import Events, Handler, Reply, RequestContext
from app.host.supervision import Worker
from app.protocol.body import Body, Request, from_message, request_types
from app.protocol.documents import GetDocumentSource
from app.protocol.envelope import Message, ProtocolError
from app.protocol.library import AddContent, AddPaths, CheckLibrary, GetLibraryStatus, LibraryStatus, Throttle
from app.protocol.recordings import RecordingUnwanted, RecordingWaits
from app.protocol.search import Search
from app.protocol.system import DONE

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Body)

MODULES = ("app.protocol.library", "app.protocol.search", "app.protocol.documents")
INTERNAL = frozenset({CheckLibrary, GetDocumentSource, Throttle})
_ABOUT_RECORDINGS = frozenset({RecordingUnwanted.TYPE, RecordingWaits.TYPE})
_ACTIVITIES: Mapping[type[Body], str] = {
    AddPaths: "while adding files",
    AddContent: "while adding a file",
    Search: "while searching",
}
_STATUS_TIMEOUT_S = 5.0


class LibraryService:
    """Passes library requests on, whatever their type (ports.LibraryPort)."""

    def __init__(self, worker: Worker, events: Events) -> None:
        """Listen to the worker; it is not started yet."""
        self._worker, self._events = worker, events
        self._status: LibraryStatus | None = None
        self._n_answers = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_recording: Callable[[Body], None] = _ignore
        self._on_answers: Callable[[bool], None] = _ignore
        worker.listen(on_event=self._on_event, on_ready=self._on_ready)

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers: one for every library request of a front end."""
        requests = [request for module in MODULES for request in request_types(module)]
        return {request: self._pass_on for request in requests if request not in INTERNAL}

    async def call(self, request: Request[R]) -> R:
        """Send a request to the worker and return its result. Raises AppError."""
        return await self._worker.call(request, activity=_ACTIVITIES.get(type(request), ""))

    def listen(self, on_recording: Callable[[Body], None], on_answers: Callable[[bool], None]) -> None:
        """Set who transcribes recordings.

        Args:
            on_recording: gets RecordingWaits, also whenever the worker has started, and RecordingUnwanted.
            on_answers: told when answers begin to be written, and when none is any more.
        """
        self._on_recording, self._on_answers = on_recording, on_answers

    async def throttle(self, active: bool) -> None:
        """Say that an answer starts or has ended; several may run at once."""
        was_active = self._n_answers > 0
        self._n_answers = max(0, self._n_answers + (1 if active else -1))
        if was_active != (self._n_answers > 0):
            self._on_answers(self._n_answers > 0)
            await self._tell_throttle()

    async def _tell_throttle(self) -> None:
        if self._worker.is_ready:
            try:
                await self._worker.call(Throttle(active=self._n_answers > 0))
            except AppError as error:  # a new worker learns it when it is ready
                log.info("the library worker was not throttled: %s", error.code)

    async def is_busy(self) -> bool:
        """Whether files are being read, or wait for it."""
        if self._worker.is_ready:
            with contextlib.suppress(AppError, TimeoutError):  # then what was heard last counts
                self._status = await asyncio.wait_for(
                    self._worker.call(GetLibraryStatus()), _STATUS_TIMEOUT_S
                )
        if self._worker.status().state in ("stopped", "failed") or self._status is None:
            return False
        return self._status.waiting > 0 and not self._status.paused

    async def _pass_on(self, request: Any, context: RequestContext) -> Reply:
        activity = _ACTIVITIES.get(type(request), "")
        async with contextlib.aclosing(self._worker.messages(request, context.payload, activity)) as messages:
            async for message in messages:
                if message.type == DONE:
                    return Reply(message.body, message.payload)
                context.forward(message)
        raise AssertionError("a stream ends with done or raises")  # pragma: no cover

    def _on_event(self, message: Message) -> None:
        if message.type == LibraryStatus.TYPE or message.type in _ABOUT_RECORDINGS:
            try:
                body = from_message(message)
            except ProtocolError as error:
                log.warning("the library worker sent a bad event: %s", error)
                return
            if isinstance(body, LibraryStatus):
                self._status = body
            elif body is not None:
                self._on_recording(body)
                return
        self._events.forward(message)

    def _on_ready(self) -> None:
        self._on_recording(RecordingWaits())
        if self._n_answers > 0:
            task = asyncio.get_running_loop().create_task(self._tell_throttle(), name="throttle")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _ignore(what: object) -> None:
    """Drop what nobody listens to."""
