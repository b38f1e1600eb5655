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
from typing import IO, Any

from app.core.endpoint import Endpoint, is_same_user, read_endpoint
from app.core.errors import AppError, StorageError, WorkerError
from app.core.paths import DataPaths
from app.core.processes import worker_command, worker_environment
from app.protocol.channel import Channel

START_TIMEOUT_S = 30.0
_POLL_S = 0.02
_RESPAWN_S = 0.5
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Connection:
    """The two streams of a connection to the host, not greeted yet."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    endpoint: Endpoint

    async def wait_closed(self) -> None:
        """Wait until the transport is closed; how it ended does not matter any more."""
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def reach(paths: DataPaths) -> Connection:
    """Connect to the running host.

    Raises:
        WorkerError: `host.not_running`.
    """
    connection = await _open(paths)
    if connection is None:
        raise WorkerError("host.not_running", "No background process runs with this data folder.")
    return connection


async def connect(paths: DataPaths) -> Connection:
    """Connect to the host, starting it where none runs; any number of callers may do so at once.

    Raises:
        StorageError: the data folder cannot be used.
        WorkerError: `host.start_failed`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_TIMEOUT_S
    next_start = loop.time()
    while (connection := await _open(paths)) is None:
        if loop.time() >= deadline:
            raise _start_failed("it did not become ready in time")
        if loop.time() >= next_start:
            await _start(paths)
            # Another host may hold the lock: one that starts just now, or one that is ending. In the first
            # case its address appears soon, in the second the next start succeeds.
            next_start = loop.time() + _RESPAWN_S
        else:
            await asyncio.sleep(_POLL_S)
    return connection


async def _open(paths: DataPaths) -> Connection | None:
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
    return Connection(reader, writer, endpoint)


async def _start(paths: DataPaths) -> None:
    """Start a host and wait until it is ready or leaves the place to another one.

    Raises:
        StorageError: the data folder cannot be used.
        WorkerError: the host ended before it was ready, or took too long.
    """
    # What the host prints before it has opened its own log would be lost with a detached process.
    with tempfile.TemporaryFile() as errors:
        process = _spawn(paths, errors)
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


def _start_failed(reason: str) -> WorkerError:
    return WorkerError(
        "host.start_failed",
        "The background process of the program could not be started.",
        "Start the program again; if it happens again, logs/host.log in the data folder says more.",
        {"reason": reason},
    )
