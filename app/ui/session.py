"""The window's connection to the host: requests out, events in, and a new host when the old one died."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol, TypeVar

from PySide6.QtCore import QObject, Signal

from app.client import Cancelled, HostClient, Replies
from app.core.errors import AppError, WorkerError
from app.core.paths import DataPaths
from app.protocol.body import Body, Request
from app.protocol.chat import ConversationChanged
from app.protocol.downloads import DownloadChanged
from app.protocol.library import CollectionsChanged, FileChanged, FilesRemoved, LibraryStatus
from app.protocol.models import ModelChanged, ModelsChanged
from app.protocol.network import NetworkUsed
from app.protocol.system import Notice, SettingsChanged, WorkerChanged
from app.protocol.voice import VoiceActivity
from app.protocol.window import WindowOpened

log = logging.getLogger(__name__)
__all__ = ["Cancelled", "Connection", "ReplyStream", "Session", "connect_to_host"]

R = TypeVar("R", bound=Body)

EventHandler = Callable[[Body], None]


class Connection(Protocol):
    """What a session needs of `app.client.HostClient`."""

    async def call(self, request: Request[R], payload: bytes = b"") -> R:
        """Send a request; give its result."""

    async def call_with_payload(self, request: Request[R], payload: bytes = b"") -> tuple[R, bytes]:
        """Send a request; give its result and its payload."""

    def stream(self, request: Request[R], payload: bytes = b"") -> Replies[R]:
        """Send a request; iterate over its progress and, last, its result."""

    async def wait_closed(self) -> None:
        """Return when the connection has ended, however it ended."""

    async def close(self) -> None:
        """Leave the host."""


Connect = Callable[[DataPaths, EventHandler], Awaitable[Connection]]

_RETRY_DELAYS_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_WAIT_FOR_HOST_S = 30.0


class ReplyStream:
    """What the host answers to one request: iterate over it with `async for`, once.

    Leaving the iteration early (or cancelling its task) cancels the request and ignores what still comes; use
    `contextlib.aclosing`. `cancel` asks the host to end the request and keeps listening.
    """

    def __init__(
        self, connection: Callable[[], Awaitable[Connection]], request: Request[Any], payload: bytes
    ) -> None:
        """Bind the request; it is sent when the iteration starts and a host is attached."""
        self._connection, self._request, self._payload = connection, request, payload
        self._replies: Replies[Any] | None = None
        self._cancelled = False
        self._generator = self._run()

    def __aiter__(self) -> AsyncGenerator[Body, None]:
        """Give the one iteration.

        Raises (while iterating):
            AppError: the host's error, `host.lost` or `host.unreachable`.
            Cancelled: the request was cancelled.
        """
        return self._generator

    def cancel(self) -> None:
        """Ask the host to end the request; the iteration ends with Cancelled, or the result if faster."""
        self._cancelled = True
        if self._replies is not None:
            self._replies.cancel()

    async def aclose(self) -> None:
        """Cancel the request and end the iteration."""
        await self._generator.aclose()

    async def _run(self) -> AsyncGenerator[Body, None]:
        self._replies = (await self._connection()).stream(self._request, self._payload)
        if self._cancelled:
            self._replies.cancel()
        async with contextlib.aclosing(self._replies) as replies:
            async for body in replies:
                yield body


class Session(QObject):
    """Keeps one connection to the host alive for as long as the window lives.

    All methods are called in the window's event loop. Requests wait for the connection while there is none;
    panes load (again) whatever they show on every `connected`, because a new host sends no history.

    Signals:
        connected: a host is attached and answers.
        disconnected: words for the user: what happened; the session is connecting again.
        file_changed: FileChanged.
        files_removed: FilesRemoved.
        library_status_changed: LibraryStatus.
        collections_changed: CollectionsChanged.
        conversation_changed: ConversationChanged.
        model_changed: ModelChanged.
        models_changed: ModelsChanged.
        download_changed: DownloadChanged.
        network_used: NetworkUsed.
        worker_changed: WorkerChanged.
        notice_received: Notice.
        window_opened: WindowOpened.
        settings_changed: SettingsChanged.
        voice_activity_changed: VoiceActivity.
    """

    connected = Signal()
    disconnected = Signal(str)
    file_changed = Signal(object)
    files_removed = Signal(object)
    library_status_changed = Signal(object)
    collections_changed = Signal(object)
    conversation_changed = Signal(object)
    model_changed = Signal(object)
    models_changed = Signal(object)
    download_changed = Signal(object)
    network_used = Signal(object)
    worker_changed = Signal(object)
    notice_received = Signal(object)
    window_opened = Signal(object)
    settings_changed = Signal(object)
    voice_activity_changed = Signal(object)

    def __init__(
        self, paths: DataPaths, connect: Connect | None = None, parent: QObject | None = None
    ) -> None:
        """Prepare a session with the host of a data folder; nothing is opened before `run`."""
        super().__init__(parent)
        self._paths = paths
        self._connect = connect or connect_to_host
        self._connection: Connection | None = None
        self._arrived = asyncio.Event()
        self._closing = False
        self._signals: dict[type[Body], Any] = {
            FileChanged: self.file_changed,
            FilesRemoved: self.files_removed,
            LibraryStatus: self.library_status_changed,
            CollectionsChanged: self.collections_changed,
            ConversationChanged: self.conversation_changed,
            ModelChanged: self.model_changed,
            ModelsChanged: self.models_changed,
            DownloadChanged: self.download_changed,
            NetworkUsed: self.network_used,
            WorkerChanged: self.worker_changed,
            Notice: self.notice_received,
            WindowOpened: self.window_opened,
            SettingsChanged: self.settings_changed,
            VoiceActivity: self.voice_activity_changed,
        }

    @property
    def paths(self) -> DataPaths:
        """The data folder."""
        return self._paths

    @property
    def is_connected(self) -> bool:
        """Whether a host is attached at this moment."""
        return self._connection is not None

    async def run(self) -> None:
        """Connect, and connect again whenever the host is lost, until `close`."""
        failures = 0
        while not self._closing:
            try:
                connection = await self._connect(self._paths, self.deliver)
            except AppError as error:
                self._tell_disconnected(error)
                await asyncio.sleep(_RETRY_DELAYS_S[min(failures, len(_RETRY_DELAYS_S) - 1)])
                failures += 1
                continue
            failures = 0
            await self._serve(connection)

    async def _serve(self, connection: Connection) -> None:
        self._connection = connection
        self._arrived.set()
        self.connected.emit()
        try:
            await connection.wait_closed()
        finally:
            self._connection = None
            self._arrived.clear()
            if not self._closing:
                self.disconnected.emit(
                    self.tr("The background service ended. It is being started again; nothing saved is lost.")
                )
            with contextlib.suppress(
                AppError
            ):  # the peer is gone already; there is nothing left to say to it
                await connection.close()

    def _tell_disconnected(self, error: AppError) -> None:
        log.info("no host: %s", error.code)
        self.disconnected.emit(f"{error.user_message} {error.hint}".strip())

    async def call(self, request: Request[R], payload: bytes = b"") -> R:
        """Send a request and give its result.

        Raises:
            AppError: the host refused or failed, or none could be reached (`host.unreachable`).
        """
        return await (await self._wait_for_connection()).call(request, payload)

    async def call_with_payload(self, request: Request[R], payload: bytes = b"") -> tuple[R, bytes]:
        """Send a request and give its result and the bytes that came with it. Raises as `call`."""
        return await (await self._wait_for_connection()).call_with_payload(request, payload)

    def stream(self, request: Request[Any], payload: bytes = b"") -> "ReplyStream":
        """Send a request and iterate over its progress bodies and, last, its result (see ReplyStream)."""
        return ReplyStream(self._wait_for_connection, request, payload)

    async def close(self) -> None:
        """Leave the host; `run` ends."""
        self._closing = True
        if self._connection is not None:
            await self._connection.close()

    def deliver(self, event: Body) -> None:
        """Emit the signal of an event; unknown ones (a newer host's) are dropped."""
        if (signal := self._signals.get(type(event))) is not None:
            signal.emit(event)

    async def _wait_for_connection(self) -> Connection:
        if self._connection is None:
            try:
                await asyncio.wait_for(self._arrived.wait(), _WAIT_FOR_HOST_S)
            except TimeoutError as error:
                raise _unreachable() from error
        if self._connection is None:
            raise _unreachable()
        return self._connection


def _unreachable() -> WorkerError:
    return WorkerError(
        "host.unreachable",
        "The background service could not be reached.",
        "Wait a moment and try again; if it stays away, restart the program.",
    )


async def connect_to_host(paths: DataPaths, on_event: EventHandler) -> Connection:
    """Attach to the host of a data folder, starting it if need be; raises AppError."""
    return await HostClient.connect(paths, kind="window", on_event=on_event)
