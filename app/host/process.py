"""The host process: wires its objects in one place, serves, and ends when nobody needs it."""

import asyncio
import contextlib
import faulthandler
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.paths import DataPaths, starter_models_dir
from app.core.processes import worker_command
from app.host.front_end import Broadcast
from app.host.logs import open_host_log
from app.host.server import Server
from app.host.services.library import LibraryService
from app.host.services.system import SystemService
from app.host.services.window import WindowService
from app.host.supervision import Worker, stop_all
from app.host.worker_process import Limits
from app.protocol.chat import Ask
from app.protocol.library import AddContent, AddPaths
from app.protocol.voice import SpeakText, TranscribeFile

if TYPE_CHECKING:
    from app.host.services.wiring import Services

log = logging.getLogger(__name__)

END_LIMIT_S = 5.0
WORKERS = ("library", "inference", "render", "decoder", "voice")
_JOBS = frozenset({Ask, AddPaths, AddContent, SpeakText, TranscribeFile})
_IDLE_POLL_S = 0.25
_BUSY_POLL_S = 1.0


@dataclass(frozen=True)
class HostOptions:
    """What differs between the program and its tests.

    Attributes:
        on_port: listen on a loopback port with a token instead of a Unix socket.
        linger_s: from the end of the last work or front end to the end of the host.
        first_client_s: how long the host waits for its first front end.
        commands: worker commands by kind, in place of the program's own.
        models_dir: the starter models, in place of the program's own.
        limits: of supervision.
        end_limit_s: from the decision to end until the process exits, whatever still hangs; 0 for no limit.
    """

    on_port: bool = False
    linger_s: float = 2.0
    first_client_s: float = 15.0
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    models_dir: Path | None = None
    limits: Limits = field(default_factory=Limits)
    end_limit_s: float = 0.0


class Host:
    """All objects of the host process.

    Attributes:
        workers: by kind.
        server: the door for front ends.
    """

    def __init__(self, paths: DataPaths, options: HostOptions) -> None:
        """Wire everything; nothing is started."""
        self._paths, self._options = paths, options
        self._ending = asyncio.Event()
        self._linger_s = options.linger_s
        self._broadcast = Broadcast()
        self.workers = {kind: self._worker(kind) for kind in WORKERS}
        self.library = LibraryService(self.workers["library"], self._broadcast)
        self.services: Services | None = None
        system = SystemService(
            str(paths.root), self.workers, self.is_busy, lambda: self.server.n_clients, self.end
        )
        window = WindowService(self._broadcast)
        self._handlers = {**self.library.handlers(), **system.handlers(), **window.handlers()}
        self.server = Server(paths, self._handlers, self._broadcast)

    def _worker(self, kind: str) -> Worker:
        arguments = ("--data-dir", str(self._paths.root)) if kind == "library" else ()
        command = self._options.commands.get(kind) or worker_command(kind, arguments)
        log_path = self._paths.logs_dir / f"{kind}.log"
        return Worker(kind, command, log_path, self._broadcast, self._options.limits)

    async def _wire(self) -> None:
        wire = await asyncio.to_thread(_imported_wire)
        models_dir = self._options.models_dir or starter_models_dir()
        self.services = wire(self._paths, models_dir, self.workers, self.library, self._broadcast)
        self._handlers |= self.services.handlers
        await self.services.open()

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until nobody needs the host, or `end` is called; then end in order.

        Raises:
            StorageError: the host cannot listen.
        """
        try:
            self.workers["library"].start()  # unfinished reading goes on, and the first search finds it ready
            await self._wire()
            await self.server.open(self._options.on_port)
            on_ready()
            idle = asyncio.create_task(self._wait_until_idle(), name="idle watch")
            ending = asyncio.create_task(self._ending.wait(), name="end watch")
            try:
                await asyncio.wait((idle, ending), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (idle, ending):
                    task.cancel()
                await asyncio.gather(idle, ending, return_exceptions=True)
        finally:
            await self.close()

    async def close(self) -> None:
        """End front ends, then workers."""
        if self._options.end_limit_s:
            # A thread may hang on a dead network disk; the lock must not stay with this process for that.
            faulthandler.dump_traceback_later(self._options.end_limit_s, exit=True)
        await self.server.close()
        await stop_all(self.workers)
        if self.services is not None:
            await self.services.close()

    def end(self, force: bool) -> None:
        """End now (force), or as soon as the front end that asks has left and no work runs."""
        self._linger_s = 0.0
        if force:
            self.server.refuse()
            self._ending.set()

    async def is_busy(self) -> bool:
        """Whether work runs that the end of the host would break off."""
        if any(kind in _JOBS for kind in self.server.open_requests()):
            return True
        return (self.services is not None and self.services.is_busy()) or await self.library.is_busy()

    async def _wait_until_idle(self) -> None:
        """Return when no front end was attached and no work ran for the time to linger."""
        await self._wait_for_first_client()
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        while True:
            await asyncio.sleep(min(_IDLE_POLL_S, self._linger_s))
            if not self.server.vacant.is_set():
                await self.server.vacant.wait()
                quiet_since = loop.time()
            elif await self.is_busy():
                await asyncio.sleep(_BUSY_POLL_S)
                quiet_since = loop.time()
            if loop.time() - quiet_since >= self._linger_s and self.server.vacant.is_set():
                self.server.refuse()  # in the same turn of the loop, so that nobody gets in meanwhile
                return

    async def _wait_for_first_client(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.server.first_attached.wait(), self._options.first_client_s)


def _imported_wire() -> "Callable[..., Services]":
    """Import the services: half a second in which the library worker starts on another core."""
    from app.host.services.wiring import wire

    return wire


def serve(paths: DataPaths, on_port: bool, on_ready: Callable[[], None]) -> None:
    """Run the host of a data folder until it ends.

    Raises:
        StorageError: the host cannot listen.
    """
    open_host_log(paths.logs_dir / "host.log")
    asyncio.run(_run(paths, HostOptions(on_port=on_port, end_limit_s=END_LIMIT_S), on_ready))


async def _run(paths: DataPaths, options: HostOptions, on_ready: Callable[[], None]) -> None:
    host = Host(paths, options)
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        log.info("the host was asked to end")
        host.end(force=True)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, on_signal)
        except NotImplementedError:  # pragma: no cover  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))
    log.info("the host starts")
    await host.run(on_ready)
    log.info("the host ends")
