"""The host's door: a per-user Unix socket, or a loopback port with a token; greets who comes in."""

import asyncio
import contextlib
import hmac
import logging
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from app import __version__
from app.core.endpoint import Endpoint, is_same_user, write_endpoint
from app.core.errors import StorageError, UsageError
from app.core.paths import DataPaths
from app.host.front_end import Broadcast, FrontEnd
from app.host.services.ports import Handler
from app.protocol import PROTOCOL_VERSION
from app.protocol.body import Body, from_message, to_message
from app.protocol.channel import Channel, read_message
from app.protocol.envelope import ProtocolError, encode
from app.protocol.system import Hello

log = logging.getLogger(__name__)

HELLO_TIMEOUT_S = 5.0
_CLOSE_S = 0.5
_MAX_GREETING = 20  # connections that have not greeted yet


class Server:
    """Accepts front ends and serves them.

    Attributes:
        first_attached: set when the first front end has attached.
        vacant: set while none is attached.
    """

    def __init__(
        self, paths: DataPaths, handlers: Mapping[type[Body], Handler], broadcast: Broadcast
    ) -> None:
        """Describe the server; `open` starts to listen."""
        self._paths, self._handlers, self._broadcast = paths, handlers, broadcast
        self._server: asyncio.Server | None = None
        self._socket_path = paths.socket_path()
        self._refusing = False
        self._endpoint = Endpoint(os.getpid())
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.first_attached = asyncio.Event()
        self.vacant = asyncio.Event()
        self.vacant.set()

    async def open(self, on_port: bool) -> None:
        """Listen, and write where.

        Raises:
            StorageError: no place for the socket, or the address cannot be stored.
        """
        try:
            self._endpoint = await self._listen(on_port)
            self._write_endpoint()
        except OSError as error:
            raise StorageError(
                "storage.no_socket",
                f"The program cannot listen on this computer ({error.strerror or error}).",
                "Check that the disk is not full and that the folder for temporary files can be written.",
            ) from error

    async def _listen(self, on_port: bool) -> Endpoint:
        if on_port:
            return await self._open_port()
        try:
            return await self._open_socket()
        except OSError as error:  # a path that is too long, a folder of somebody else
            log.info("no Unix socket (%s); listening on a port", error)
            return await self._open_port()

    def _write_endpoint(self) -> None:
        try:
            write_endpoint(self._paths.endpoint_path, self._endpoint)
        except OSError as error:
            if self._endpoint.port:
                raise
            # Front ends look at the socket's usual place too; a full disk must not keep the user out.
            log.warning("the address file could not be written: %s", error)

    async def _open_socket(self) -> Endpoint:
        path = self._socket_path
        _make_private(path.parent)
        path.unlink(missing_ok=True)  # left by a killed host: this process holds the lock of the data folder
        self._server = await asyncio.start_unix_server(self._accept, path, limit=Channel.STREAM_LIMIT)
        return Endpoint(os.getpid(), path=str(path))

    async def _open_port(self) -> Endpoint:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=Channel.STREAM_LIMIT)
        port = int(self._server.sockets[0].getsockname()[1])
        return Endpoint(os.getpid(), port=port, token=secrets.token_hex(32))

    def open_requests(self) -> list[type[Body]]:
        """Give the types of all requests that have not ended."""
        return [kind for front_end in self._broadcast.front_ends for kind in front_end.open_requests()]

    @property
    def n_clients(self) -> int:
        """Number of attached front ends."""
        return len(self._broadcast.front_ends)

    def refuse(self) -> None:
        """Let nobody in any more: who comes now waits for the next host."""
        if self._server is None or self._refusing:
            return
        self._refusing = True
        self._server.close()
        with contextlib.suppress(OSError):  # what stays there is harmless
            self._paths.endpoint_path.unlink(missing_ok=True)
            if self._endpoint.path:
                self._socket_path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Stop listening, end every open request with a message, and close the connections."""
        self.refuse()
        front_ends = list(self._broadcast.front_ends)
        await asyncio.gather(*(front_end.end_requests() for front_end in front_ends))
        for writer in self._connections.values():  # also of those that have not greeted
            writer.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_CLOSE_S)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            hello = await self._greet(reader, writer)
            if hello is not None:
                await self._serve(hello, reader, writer)
        except (OSError, ProtocolError, TimeoutError) as error:
            log.info("a connection was refused: %s", error)
        finally:
            del self._connections[task]
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Hello | None:
        """Exchange hellos; None where the other side is refused."""
        if len(self._connections) - self.n_clients > _MAX_GREETING:
            return None
        if self._endpoint.path and not is_same_user(writer.get_extra_info("socket")):
            log.info("a connection of another user was refused")
            return None
        message = await asyncio.wait_for(read_message(reader), HELLO_TIMEOUT_S)
        hello = None if message is None else from_message(message)
        if self._refusing or not isinstance(hello, Hello):
            return None
        if not hmac.compare_digest(hello.token.encode(), self._endpoint.token.encode()):
            refusal = UsageError("host.bad_token", "The host does not know this front end.")
            writer.write(encode(to_message(refusal.to_body())))
            return None
        own = Hello(protocol=PROTOCOL_VERSION, kind="host", version=__version__, pid=os.getpid())
        writer.write(encode(to_message(own, id="hello")))
        return hello if hello.protocol == PROTOCOL_VERSION else None

    async def _serve(self, hello: Hello, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        front_end = FrontEnd(hello, reader, writer, self._handlers)
        self._broadcast.attach(front_end)
        self.first_attached.set()
        self.vacant.clear()
        try:
            await front_end.serve()
        finally:
            self._broadcast.front_ends.remove(front_end)
            if not self._broadcast.front_ends:
                self.vacant.set()


def _make_private(folder: Path) -> None:
    """Make the socket's folder, and make sure that it is this user's alone.

    Raises:
        OSError: it belongs to somebody else.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    folder.chmod(0o700)
