"""Find the host of a data folder, or start it, and open the connection."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from app import __version__
from app.core.endpoint import Endpoint, is_same_user, read_endpoint
from app.core.errors import AppError, StorageError, WorkerError
from app.core.paths import DataPaths
from app.core.processes import worker_command, worker_environment
from app.protocol import PROTOCOL_VERSION
from app.protocol.body import from_message, to_message
from app.protocol.channel import Channel, read_message
from app.protocol.envelope import ProtocolError, encode
from app.protocol.system import ErrorBody, Hello

START_TIMEOUT_S = 30.0
HELLO_TIMEOUT_S = 10.0
_POLL_S = 0.02
_RESPAWN_S = 1.0
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Connection:
    """The two streams of a greeted connection to the host.

    Attributes:
        hello: what the host said of itself.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    hello: Hello

    async def wait_closed(self) -> None:
        """Wait until the transport is closed; how it ended does not matter any more."""
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def reach(paths: DataPaths, kind: str) -> Connection:
    """Connect to the running host, and greet as a front end of this kind.

    Raises:
        WorkerError: `host.not_running`, `host.no_answer`, `host.other_version`.
    """
    connection = await _attach(paths, kind)
    if connection is None:
        raise WorkerError("host.not_running", "No background process runs with this data folder.")
    return connection


async def connect(paths: DataPaths, kind: str) -> Connection:
    """Connect to the host, starting it where none runs; any number of callers may do so at once.

    Raises:
        StorageError: the data folder cannot be used.
        WorkerError: `host.start_failed`, `host.no_answer`, `host.other_version`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_TIMEOUT_S
    next_start = loop.time()
    while (connection := await _attach(paths, kind)) is None:
        if loop.time() >= deadline:
            raise _start_failed("it did not become ready in time")
        if loop.time() >= next_start:
            await _start(paths)
            # Another host may have the folder: its address is there, or appears soon. If it was ending
            # instead, the next start succeeds.
            next_start = loop.time() + _RESPAWN_S
        else:
            await asyncio.sleep(_POLL_S)
    return connection


async def _attach(paths: DataPaths, kind: str) -> Connection | None:
    """Open the connection and greet; None where no host answers, or one that is just ending."""
    opened = await _open(paths)
    if opened is None:
        return None
    reader, writer, endpoint = opened
    try:
        hello = await _greet(reader, writer, endpoint, kind)
    except BaseException:
        writer.close()
        raise
    if hello is None:
        writer.close()
        return None
    return Connection(reader, writer, hello)


async def _greet(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, endpoint: Endpoint, kind: str
) -> Hello | None:
    """Exchange hellos; None where the host closes the connection instead.

    Raises:
        WorkerError: the host speaks another version, nonsense, or not at all.
        AppError: the host refuses this front end.
    """
    greeting = Hello(
        protocol=PROTOCOL_VERSION, kind=kind, version=__version__, pid=os.getpid(), token=endpoint.token
    )
    try:
        writer.write(encode(to_message(greeting, id="hello")))
        message = await asyncio.wait_for(read_message(reader), HELLO_TIMEOUT_S)
        body = from_message(message) if message is not None else None
    except (TimeoutError, ProtocolError) as error:
        raise _no_answer() from error
    except OSError:
        return None
    if message is None:
        return None
    if isinstance(body, ErrorBody):
        raise AppError(body.code, body.message, body.hint, body.context)
    if not isinstance(body, Hello):
        raise _no_answer()
    if body.protocol != PROTOCOL_VERSION:
        raise WorkerError(
            "host.other_version",
            f"Another version of the program ({body.version}) is running with this data folder.",
            "Close all of its windows, wait a few seconds and start again.",
            {"protocol": body.protocol, "version": body.version},
        )
    return body


async def _open(
    paths: DataPaths,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Endpoint] | None:
    endpoint = read_endpoint(paths.endpoint_path)
    if endpoint is None:
        if not hasattr(socket, "AF_UNIX"):  # pragma: no cover  # Windows
            return None
        endpoint = Endpoint(
            0, path=str(paths.socket_path())
        )  # a full disk may have kept the file from being written
    limit = Channel.STREAM_LIMIT
    try:
        if endpoint.path:
            reader, writer = await asyncio.open_unix_connection(endpoint.path, limit=limit)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port, limit=limit)
    except OSError:  # the host that wrote the file was killed, or is ending
        return None
    if endpoint.path and not is_same_user(writer.get_extra_info("socket")):
        writer.close()
        raise WorkerError(
            "host.wrong_owner",
            "The background process of this data folder belongs to another user of this computer.",
            "Choose another data folder with --data-dir.",
        )
    return reader, writer, endpoint


async def _start(paths: DataPaths) -> None:
    """Start a host and wait until it is ready or leaves the place to another one.

    Raises:
        StorageError: the data folder cannot be used.
        WorkerError: the host ended before it was ready, or took too long.
    """
    with _errors_file() as errors:
        try:
            process = _spawn(paths, errors)
        except OSError as error:
            raise _start_failed(str(error)) from error
        try:
            line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), START_TIMEOUT_S)
        except TimeoutError as error:
            _kill(process)
            raise _start_failed("it did not become ready in time") from error
        finally:
            _let_go(process)
        if not line.endswith(b"\n"):
            errors.seek(0)
            text = errors.read().decode("utf-8", "replace").strip()
            raise _start_failed(text[-_SHOWN_CHARACTERS:] or "it ended at once")
    _raise_if_refused(json.loads(line))


def _errors_file() -> IO[bytes]:
    """Give a file for what the host prints before it has opened its own log."""
    try:
        return tempfile.TemporaryFile()
    except OSError:  # the disk is full: the reason is lost, the host may start all the same
        return Path(os.devnull).open("r+b")


def _spawn(paths: DataPaths, errors: IO[bytes]) -> Any:
    options: dict[str, Any] = {}
    if sys.platform == "win32":  # pragma: no cover  # this system only
        options["creationflags"] = (
            subprocess.DETACHED_PROCESS
            | subprocess.CREATE_NEW_PROCESS_GROUP
            | subprocess.CREATE_BREAKAWAY_FROM_JOB
        )
    else:
        options["start_new_session"] = True
    return subprocess.Popen(
        worker_command("host", ["--data-dir", str(paths.root), "--detach"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=worker_environment(),
        close_fds=True,
        **options,
    )


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:  # pragma: no cover  # Windows
        process.kill()


def _let_go(process: Any) -> None:
    """Close the pipe, and reap what forked the host (it has ended already)."""
    process.stdout.close()
    if hasattr(os, "fork"):
        process.wait()
    else:  # pragma: no cover  # Windows has no fork: the child is the host, which lives on
        process.returncode = 0


def _raise_if_refused(line: dict[str, Any]) -> None:
    error = line.get("error")
    if error is not None:
        family: type[AppError] = StorageError if str(error["code"]).startswith("storage.") else WorkerError
        raise family(error["code"], error["message"], error["hint"], error["context"])


def _no_answer() -> WorkerError:
    return WorkerError(
        "host.no_answer",
        "The background process of this data folder does not answer.",
        "Start the program again; if it happens again, logs/host.log in the data folder says more.",
    )


def _start_failed(reason: str) -> WorkerError:
    return WorkerError(
        "host.start_failed",
        "The background process of the program could not be started.",
        "Start the program again; if it happens again, logs/host.log in the data folder says more.",
        {"reason": reason},
    )
