"""Supervision of workers: started on demand, restarted with back-off, given up in words."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from app.core.errors import AppError, WorkerError
from app.host.deaths import Death, name_of, not_started
from app.host.services.ports import Cancelled, Events
from app.host.worker_process import Limits, WorkerProcess
from app.protocol.body import Body, Request, from_json, from_message
from app.protocol.channel import ConnectionLost, RequestCancelled, RequestError
from app.protocol.envelope import Message, ProtocolError
from app.protocol.system import DONE, Notice, WorkerChanged, WorkerStatus

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Body)

_NICE = {"library": 10}  # reading documents yields to writing an answer
_NICE_OTHERS = 3
_SOUNDING_S = 3.0
"""A loudspeaker may be open so long behind the request that used it."""
_GIVE_UP_HINTS = {
    "inference": "Choose a smaller model or a shorter context in the settings, then ask again.",
    "library": "Close the program and start it again. If it goes on, run “h2ogpt doctor”.",
    "render": "Close the program and start it again; the text of documents can be read meanwhile.",
    "voice": "Talk or have something read to try it once more; a smaller speech model needs less memory.",
    "decoder": "Leave the file out that was read last, or save it anew; others can be read.",
}


class Worker:
    """One kind of worker, as services use it: requests start it and outlive its restarts.

    Attributes:
        kind: `inference`, `library`, `render`, `decoder` or `voice`.
        generation: counts its starts; state that lived in an earlier process is gone.
    """

    def __init__(
        self, kind: str, command: Sequence[str], log_path: Path, events: Events, limits: Limits | None = None
    ) -> None:
        """Describe the worker; nothing is started before it is needed."""
        self.kind = kind
        self.generation = 0
        self._command, self._log_path, self._events = list(command), log_path, events
        self._limits = limits or Limits()
        self._state = "stopped"
        self._process: WorkerProcess | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._turn = asyncio.Event()  # set, and replaced, at each change of state
        self._crashes: list[float] = []
        self._n_restarts = 0
        self._last_death: Death | None = None
        self._ended: asyncio.Future[Death] | None = None
        self._stopping = False
        self._resting = False
        self._n_open, self._used_at = 0, time.monotonic()
        self._n_patient, self._urgent_at = 0, time.monotonic() - _SOUNDING_S
        self._woken: asyncio.Event | None = None  # while the process is paused
        self._on_event: Callable[[Message], None] = _ignore
        self._on_ready: Callable[[], None] = _nothing
        self._on_end: Callable[[], None] = _nothing

    def listen(
        self,
        on_event: Callable[[Message], None] | None = None,
        on_ready: Callable[[], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Set what is called at each event, and whenever the process is ready or has ended."""
        self._on_event = on_event or self._on_event
        self._on_ready = on_ready or self._on_ready
        self._on_end = on_end or self._on_end

    @property
    def is_ready(self) -> bool:
        """Whether the process runs and has greeted."""
        return self._state == "ready"

    def status(self) -> WorkerStatus:
        """Give the state for `host.status`."""
        pid = self._process.pid if self._process is not None else None
        return WorkerStatus(kind=self.kind, state=self._state, pid=pid, restarts=self._n_restarts)

    def start(self) -> None:
        """Start the process ahead of its first request; returns at once."""
        if not self._stopping and (self._supervisor is None or self._supervisor.done()):
            self._set_state("starting")
            self._supervisor = asyncio.create_task(self._supervise(), name=f"{self.kind} supervision")

    @property
    def idle_s(self) -> float:
        """Seconds since the last request ended; 0 while one is open, or where no process runs."""
        return 0.0 if self._n_open or not self.is_ready else time.monotonic() - self._used_at

    async def rest(self) -> None:
        """End a process that nobody needs, to give its memory back; the next request starts another.

        Silent where requests are open, or where it does not run.
        """
        if self._process is None or self._supervisor is None or not self.is_ready or self._n_open:
            return
        self._resting, self._state = True, "resting"  # who asks from now on waits for the next process
        await self._process.shut_down()
        await asyncio.wait({self._supervisor})

    def pause(self) -> asyncio.Event | None:
        """Hold the process still while others need the cores; a request that is not patient wakes it.

        Returns:
            Set once such a request has woken it; None where it cannot be held still: it works for somebody
            who waits, may be sounding still, does not run, or the system has no way.
        """
        is_urgent = self._n_open > self._n_patient or time.monotonic() - self._urgent_at < _SOUNDING_S
        if is_urgent or self._process is None or not self.is_ready or not self._process.pause():
            return None
        self._woken = asyncio.Event()
        return self._woken

    def resume(self) -> None:
        """Let the process go on; silent where it is not paused."""
        self._woken = None
        if self._process is not None:
            self._process.resume()

    def _wake(self) -> None:
        if self._woken is not None:
            self._woken.set()
            self.resume()

    def forgive(self) -> None:
        """Forget earlier crashes: the user changed what may have caused them."""
        self._crashes.clear()
        self._n_restarts = 0

    def revive(self) -> bool:
        """Let the next request start what was given up: a person asks for it, so it is no loop.

        Returns:
            Whether it was given up.
        """
        if self._state != "failed":
            return False
        self.forgive()
        return True

    async def stop(self) -> None:
        """End the process within the limit; later requests fail."""
        self._stopping = True
        if self._supervisor is None:
            return
        if self._process is not None and self._state == "ready":
            await self._process.shut_down()
        else:
            self._supervisor.cancel()
        await asyncio.gather(self._supervisor, return_exceptions=True)
        self._set_state("stopped")

    async def messages(
        self, request: Body, payload: bytes = b"", activity: str = "", patient: bool = False
    ) -> AsyncGenerator[Message, None]:
        """Send a request and yield its replies as they came; the last one is `done`.

        Args:
            request: its body.
            payload: raw bytes to send with it.
            activity: what the worker does for it, should it die: `while loading the model X`.
            patient: it can wait while the process is paused.

        Raises:
            AppError: the worker's error; `worker.died`, `worker.failed` (given up) or `worker.stopped`.
            Cancelled: the worker ended it as cancelled.
        """
        process, ended = await self._ready_process()
        self._n_open, self._n_patient = self._n_open + 1, self._n_patient + patient
        if not patient:
            self._wake()
        try:
            async with contextlib.aclosing(process.channel.stream(request, payload)) as stream:
                async for message in stream:
                    yield message
        except RequestError as error:
            body = error.body
            raise AppError(body.code, body.message, body.hint, body.context) from error
        except RequestCancelled as end:
            raise Cancelled(end.message.body) from end
        except ConnectionLost as error:
            raise (await self._reason(ended, activity)) from error
        finally:
            self._n_open, self._n_patient = self._n_open - 1, self._n_patient - patient
            self._used_at = time.monotonic()
            if not patient:
                self._urgent_at = self._used_at

    async def _reason(self, ended: "asyncio.Future[Death]", activity: str) -> WorkerError:
        death = await asyncio.shield(ended)
        if self._stopping:
            return WorkerError("worker.stopped", "The program is ending.", "Start it again.")
        return death.to_error(self.kind, activity)

    async def stream(
        self, request: Request[R], payload: bytes = b"", activity: str = ""
    ) -> AsyncGenerator[Body, None]:
        """Send a request and yield its typed progress, and last its result. Raises as `messages`."""
        async with contextlib.aclosing(self.messages(request, payload, activity)) as messages:
            async for message in messages:
                body = self._typed(request, message)
                if body is not None:  # kinds of progress that are not known are not for us
                    yield body

    async def call(
        self, request: Request[R], payload: bytes = b"", activity: str = "", patient: bool = False
    ) -> R:
        """Send a request and return its result. Arguments and errors as of `messages`."""
        return (await self.call_with_payload(request, payload, activity, patient))[0]

    async def call_with_payload(
        self, request: Request[R], payload: bytes = b"", activity: str = "", patient: bool = False
    ) -> tuple[R, bytes]:
        """Send a request and return its result and the raw bytes behind it. As `messages`."""
        async with contextlib.aclosing(self.messages(request, payload, activity, patient)) as messages:
            async for message in messages:
                if message.type == DONE:
                    return cast(R, self._typed(request, message)), message.payload
        raise AssertionError("a stream ends with done or raises")  # pragma: no cover

    def _typed(self, request: Request[Any], message: Message) -> Body | None:
        try:
            if message.type == DONE:
                return cast(Body, from_json(type(request).RESULT, message.body))
            return from_message(message)
        except ProtocolError as error:
            raise WorkerError(
                "worker.bad_answer", f"{name_of(self.kind)} sent an answer that makes no sense."
            ) from error

    async def _ready_process(self) -> "tuple[WorkerProcess, asyncio.Future[Death]]":
        while True:
            if self._stopping:
                raise WorkerError("worker.stopped", "The program is ending.", "Start it again.")
            if self._process is not None and self._ended is not None and self._state == "ready":
                return self._process, self._ended
            if self._supervisor is None or self._supervisor.done():
                self._forgive_after_quiet_time()
                if self._is_given_up():
                    raise self._given_up()
                self.start()
            await self._turn.wait()
            if self._state == "failed":
                raise self._given_up()

    async def _supervise(self) -> None:
        """Keep the process running until it is stopped or given up."""
        while True:
            death = await self._live()
            if self._stopping:
                return
            if self._resting:
                self._resting = False
                self._set_state("stopped")
                return
            self._last_death = death
            self._forgive_after_quiet_time()
            self._crashes.append(time.monotonic())
            if self._is_given_up():
                self._give_up()
                return
            await self._restart_later(death)

    async def _live(self) -> Death:
        """Run one process from its start to its end."""
        nice = _NICE.get(self.kind, _NICE_OTHERS)
        try:
            process = await WorkerProcess.spawn(self.kind, self._command, self._log_path, self._limits, nice)
        except OSError as error:
            return not_started(error.strerror or str(error))
        self._process = process
        self._ended = asyncio.get_running_loop().create_future()
        self.generation += 1
        try:
            death = await process.greet(self._on_event)
            if death is None:
                self._set_state("ready")
                self._on_ready()
                death = await process.watch()
        except asyncio.CancelledError:
            process.kill()
            self._ended.set_result(await process.end())
            raise
        finally:
            self._process = None
            self._state = "ended"
            self._on_end()
        self._ended.set_result(death)
        return death

    async def _restart_later(self, death: Death) -> None:
        backoff = self._limits.backoff_s
        pause_s = backoff[min(len(self._crashes), len(backoff)) - 1]
        error = death.to_error(self.kind)
        log.info("%s worker: %s; next start in %.1f s", self.kind, death.cause, pause_s)
        message = f"{error.user_message} It is being started again."
        self._events.publish(Notice(severity="warning", code=error.code, message=message, hint=error.hint))
        self._set_state("restarting", message, error.hint)
        await asyncio.sleep(pause_s)
        self._n_restarts += 1

    def _is_given_up(self) -> bool:
        since = time.monotonic() - self._limits.crash_window_s
        n_recent = sum(crash >= since for crash in self._crashes)
        return n_recent >= self._limits.n_crashes or self._n_restarts >= self._limits.n_restarts

    def _forgive_after_quiet_time(self) -> None:
        if self._crashes and time.monotonic() - self._crashes[-1] > self._limits.crash_window_s:
            self.forgive()

    def _give_up(self) -> None:
        error = self._given_up()
        log.info("%s worker: given up", self.kind)
        self._events.publish(
            Notice(severity="error", code=error.code, message=error.user_message, hint=error.hint)
        )
        self._set_state("failed", error.user_message, error.hint)

    def _given_up(self) -> WorkerError:
        cause = self._last_death.cause if self._last_death is not None else "ended"
        times = f"{len(self._crashes)} times in a short while"
        return WorkerError(
            "worker.failed",
            f"{name_of(self.kind)} {cause}, {times}, and is not started again.",
            _GIVE_UP_HINTS.get(self.kind, "Close the program and start it again."),
            {"kind": self.kind},
        )

    def _set_state(self, state: str, message: str = "", hint: str = "") -> None:
        self._state = state
        self._events.publish(WorkerChanged(kind=self.kind, state=state, message=message, hint=hint))
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()


def workers_status(workers: Mapping[str, Worker]) -> tuple[WorkerStatus, ...]:
    """Give the state of all workers."""
    return tuple(worker.status() for worker in workers.values())


async def stop_all(workers: Mapping[str, Worker]) -> None:
    """End all workers at the same time; within the limit of the slowest."""
    await asyncio.gather(*(worker.stop() for worker in workers.values()))


def _ignore(message: Message) -> None:
    """Drop an event that nobody listens to."""


def _nothing() -> None:
    """Do nothing at a change that nobody listens to."""
