"""One run of a worker process: started, greeted, watched, ended."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from app import __version__
from app.core.processes import worker_environment
from app.host import deaths
from app.host.deaths import Death
from app.host.logs import RotatingLog
from app.protocol import PROTOCOL_VERSION
from app.protocol.body import from_message, to_message
from app.protocol.channel import Channel, ConnectionLost, RequestCancelled, RequestError, read_message
from app.protocol.envelope import Message, ProtocolError
from app.protocol.system import Hello, Ping, Shutdown

_STDERR_CHUNK = 65_536
_STDERR_BYTES_PER_S = 4_000_000
_LAST_WORDS_S = 1.0
_SILENT_TICKS = 3


@dataclass(frozen=True)
class Limits:
    """Times and counts of supervision; seconds.

    Attributes:
        hello_s: from start to hello (imports of engines, opening of databases).
        heartbeat_s: a worker from which nothing is heard for so long, although asked, hangs.
        shutdown_s: from the wish to end until it is killed.
        crash_window_s: `n_crashes` within so long end the restarts.
        backoff_s: pause before the first, second, … restart; the last one counts for all that follow.
        n_restarts: without a quiet time of `crash_window_s` between them.
    """

    hello_s: float = 60.0
    heartbeat_s: float = 15.0
    shutdown_s: float = 3.0
    crash_window_s: float = 300.0
    n_crashes: int = 3
    backoff_s: tuple[float, ...] = (0.2, 1.0, 3.0)
    n_restarts: int = 5


class ProcessProtocol(asyncio.subprocess.SubprocessStreamProtocol):
    """Says when the process has ended, although a child of its still holds its pipes.

    `Process.wait` returns only when the pipes are closed too.

    Attributes:
        exited: set when the process has ended.
    """

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        """Take the limit of the streams' buffers in bytes."""
        super().__init__(limit=limit, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        """Tell who waits."""
        super().process_exited()
        self.exited.set()


class WorkerProcess:
    """A running worker process of one kind.

    Attributes:
        channel: for requests, once `start` has returned.
        pid: of the process.
    """

    def __init__(
        self,
        kind: str,
        process: asyncio.subprocess.Process,
        exited: asyncio.Event,
        log_path: Path,
        limits: Limits,
    ) -> None:
        """Take over a started process; use `spawn` instead."""
        self._exited = exited
        self._kind, self._process, self._limits = kind, process, limits
        self.pid = process.pid
        self._stderr = asyncio.create_task(self._drain_stderr(RotatingLog(log_path)), name=f"{kind} stderr")
        self._verdict: Death | None = None
        self._channel: Channel | None = None
        self._is_paused = False

    @classmethod
    async def spawn(
        cls, kind: str, command: Sequence[str], log_path: Path, limits: Limits, nice: int
    ) -> Self:
        """Start the process below the window's priority, in a group of its own.

        Raises:
            OSError: the system does not start it.
        """
        options: dict[str, Any] = {}
        if sys.platform == "win32":  # pragma: no cover  # this system only
            options["creationflags"] = subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NO_WINDOW
        else:
            options["process_group"] = 0  # its children end with it
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: ProcessProtocol(limit=Channel.STREAM_LIMIT, loop=loop),
            *command,
            env=worker_environment(),
            **options,
        )
        process = asyncio.subprocess.Process(transport, protocol, loop)
        _yield_to_others(process.pid, nice)
        return cls(kind, process, protocol.exited, log_path, limits)

    @property
    def channel(self) -> Channel:
        """The channel for requests."""
        assert self._channel is not None, "greet() comes first"
        return self._channel

    async def greet(self, on_event: Callable[[Message], None]) -> Death | None:
        """Wait for the worker's hello and answer it; give the reason where it does not come."""
        assert self._process.stdout is not None and self._process.stdin is not None
        try:
            message = await asyncio.wait_for(read_message(self._process.stdout), self._limits.hello_s)
            hello = None if message is None else from_message(message)
        except TimeoutError:
            self._verdict = deaths.silent_start(self._limits.hello_s)
        except (ProtocolError, OSError) as error:
            self._verdict = deaths.nonsense(str(error))
        else:
            if isinstance(hello, Hello) and hello.protocol == PROTOCOL_VERSION:
                self._channel = Channel(self._process.stdout, self._process.stdin, on_event)
                await self._answer_hello()
                return None
            if message is not None:
                self._verdict = deaths.nonsense("no hello of this version")
        return await self.end()

    async def _answer_hello(self) -> None:
        own = Hello(protocol=PROTOCOL_VERSION, kind="host", version=__version__, pid=os.getpid())
        with contextlib.suppress(ConnectionLost):  # its end is noticed by `watch`
            await self.channel.send(to_message(own, id="hello"))

    async def watch(self) -> Death:
        """Serve until the process ends, hangs or breaks the protocol; then end it and give the reason."""
        reading = asyncio.create_task(self._read(), name=f"{self._kind} reading")
        others = [
            asyncio.create_task(self._exited.wait(), name=f"{self._kind} waiting"),
            asyncio.create_task(self._heartbeat(), name=f"{self._kind} heartbeat"),
        ]
        try:
            await asyncio.wait([reading, *others], return_when=asyncio.FIRST_COMPLETED)
            if self._process.returncode is not None:
                self.kill()  # its children, which hold its pipes open
                # What it said before it died still counts.
                await asyncio.wait([reading], timeout=_LAST_WORDS_S)
            return await self.end()
        finally:
            for task in (reading, *others):
                task.cancel()
            await asyncio.gather(reading, *others, return_exceptions=True)

    async def _read(self) -> None:
        try:
            await self.channel.run()
        except ProtocolError as error:
            self._verdict = deaths.nonsense(str(error))

    async def _heartbeat(self) -> None:
        """Return when the worker hangs.

        Counted in ticks of the loop, not by the clock: where this process itself stood still (a suspended
        computer, SIGSTOP), the worker had no time to answer either. Nor has one that is paused.
        """
        tick_s = self._limits.heartbeat_s / (
            _SILENT_TICKS + 1
        )  # the tick of the last sign of life counts too
        silent_ticks, heard = 0, self.channel.n_received
        while silent_ticks < _SILENT_TICKS:
            if self._is_paused:
                await asyncio.sleep(tick_s)
                continue
            ping = asyncio.create_task(self._ping(), name=f"{self._kind} ping")
            try:
                await asyncio.sleep(tick_s)
            finally:
                ping.cancel()
            is_silent = self.channel.n_received == heard and not self._is_paused
            silent_ticks = silent_ticks + 1 if is_silent else 0
            heard = self.channel.n_received
        self._verdict = deaths.hung(self._limits.heartbeat_s)

    async def _ping(self) -> None:
        with contextlib.suppress(ConnectionLost, RequestError, RequestCancelled):
            await self.channel.call(Ping())

    def pause(self) -> bool:
        """Hold the process still until `resume`; give whether it is (Linux only).

        Elsewhere a process that is held still would outlive a host that is killed.
        """
        if sys.platform == "linux":
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGSTOP)
                self._is_paused = True
        return self._is_paused

    def resume(self) -> None:
        """Let the process go on; silent where it is not held still."""
        if self._is_paused:
            self._is_paused = False
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)

    async def shut_down(self) -> None:
        """Ask it to end, and kill it where it does not; `watch` returns."""
        self.resume()
        with contextlib.suppress(ConnectionLost, RequestError, RequestCancelled, TimeoutError):
            await asyncio.wait_for(self.channel.call(Shutdown()), self._limits.shutdown_s / 2)
        with contextlib.suppress(OSError, RuntimeError):
            self.channel.close()  # the end of its stdin says the same
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._exited.wait(), self._limits.shutdown_s / 2)
        self.kill()

    def kill(self) -> None:
        """End the process and its children at once."""
        if sys.platform == "win32":  # pragma: no cover  # this system only
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> Death:
        """Make sure that it has ended, with its children, and give the reason."""
        verdict = self._verdict
        if verdict is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exited.wait(), _LAST_WORDS_S)  # it closed its pipe: it is ending
        self.kill()
        await self._exited.wait()
        await asyncio.wait([self._stderr], timeout=_LAST_WORDS_S)
        self._stderr.cancel()
        await asyncio.gather(self._stderr, return_exceptions=True)
        return verdict or deaths.from_exit(self._process.returncode)

    async def _drain_stderr(self, log: RotatingLog) -> None:
        """Move stderr to the log; a flood is read no faster than the budget and slows its writer alone."""
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(_STDERR_CHUNK):
            log.write(data)
            await asyncio.sleep(len(data) / _STDERR_BYTES_PER_S)


def _yield_to_others(pid: int, nice: int) -> None:
    """Lower the priority, and be the first to go when memory runs out (never the window)."""
    if sys.platform == "win32":  # pragma: no cover  # this system only
        return
    with contextlib.suppress(OSError):  # it may have ended already; then its end is what matters
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/oom_score_adj").write_text("500")
