"""Starts parser processes for the library worker and hands them files: by fork, else one by one."""

import contextlib
import os
import queue
import select
import socket
import subprocess
import sys
import threading
from typing import BinaryIO, Protocol

import psutil

from app.core.processes import worker_command, worker_environment
from app.worker.parser.handover import FileRequest, send_request
from app.worker.parser.result import ParserLimits
from app.worker.parser.serving import FILES_PER_PROCESS, request_head

_CHUNK_BYTES = 1024 * 1024
_END_S = 0.5


def can_fork() -> bool:
    """Tell whether children are forked; macOS has fork, but its system libraries do not bear it."""
    return hasattr(os, "fork") and sys.platform != "darwin"


class Job(Protocol):
    """One file on its way through a child."""

    def read(self, timeout_s: float) -> bytes | None:
        """Give what the child wrote: bytes, b"" at the end, None where nothing came in time."""

    def uses_too_much(self) -> bool:
        """Tell whether the child is over its memory limit (where the system cannot limit it itself)."""

    def end(self, *, healthy: bool) -> None:
        """Let go of the child; it is killed if it still runs. `healthy`: it may serve another file."""


class Launcher(Protocol):
    """Starts and ends parser processes."""

    def warm(self) -> None:
        """Start the process."""

    def submit(self, file: BinaryIO, name: str, limits: ParserLimits) -> Job:
        """Give a file to a child. Raises OSError where no process can be started."""

    def pids(self) -> list[int]:
        """Give the running parser process, for tests and the doctor."""

    def close(self) -> None:
        """End everything."""


class ForkLauncher:
    """Owns the preloaded parent; any thread may submit."""

    def __init__(self, arguments: tuple[str, ...] = ()) -> None:
        """Take further arguments of the parser process."""
        self._arguments = arguments
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def warm(self) -> None:
        """Start the parent, if it does not run."""
        with self._lock:
            self._connection()

    def submit(self, file: BinaryIO, name: str, limits: ParserLimits) -> Job:
        """Give a file to a new child."""
        with self._lock:
            try:
                return self._submit(file, name, limits)
            except OSError:
                self._stop()  # the parent died; a new one gets the file
                return self._submit(file, name, limits)

    def _submit(self, file: BinaryIO, name: str, limits: ParserLimits) -> Job:
        control = self._connection()
        ours, theirs = socket.socketpair()
        try:
            send_request(control, FileRequest(file.fileno(), theirs.fileno(), name, limits))
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return _ForkedJob(ours)

    def _connection(self) -> socket.socket:
        if self._process is not None and self._process.poll() is None and self._control is not None:
            return self._control
        self._stop()
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                worker_command("parser", ["--control", str(theirs.fileno()), *self._arguments]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=worker_environment(),
            )
        self._control = ours
        return ours

    def pids(self) -> list[int]:
        """Give the parent."""
        with self._lock:
            return [self._process.pid] if self._process is not None else []

    def close(self) -> None:
        """End the parent, and with it its children."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            _end(self._process)
            self._process = None


class _ForkedJob:
    """The library worker's end of a child's socket; closing it makes the parent kill the child."""

    def __init__(self, result: socket.socket) -> None:
        self._result = result

    def read(self, timeout_s: float) -> bytes | None:
        ready, _, _ = select.select([self._result], [], [], timeout_s)
        if not ready:
            return None
        try:
            return self._result.recv(_CHUNK_BYTES)
        except ConnectionError:
            return b""

    def uses_too_much(self) -> bool:
        return False  # the kernel limits a forked child

    def end(self, *, healthy: bool) -> None:
        self._result.close()


class ServeLauncher:
    """Owns one serving process at a time; files wait for one another."""

    def __init__(self, arguments: tuple[str, ...] = ()) -> None:
        """Take further arguments of the parser process."""
        self._arguments = arguments
        self._turn = threading.Lock()
        self._process: _Serving | None = None

    def warm(self) -> None:
        """Start the process, if it does not run."""
        with self._turn:
            self._ready()

    def submit(self, file: BinaryIO, name: str, limits: ParserLimits) -> Job:
        """Wait for the turn, then give the file to the process."""
        self._turn.acquire()
        try:
            serving = self._ready()
            serving.send(file, name, limits)
        except BaseException:
            self._turn.release()
            raise
        return _ServedJob(self, serving, limits)

    def finished(self, serving: "_Serving", *, healthy: bool) -> None:
        """Take the process back after a file and give the turn to the next one."""
        if not healthy or serving.n_files >= FILES_PER_PROCESS:
            serving.kill()
            self._process = None
        self._turn.release()

    def _ready(self) -> "_Serving":
        if self._process is None or not self._process.alive():
            if self._process is not None:
                self._process.kill()
            self._process = _Serving(self._arguments)
        return self._process

    def pids(self) -> list[int]:
        """Give the serving process."""
        process = self._process
        return [process.pid] if process is not None else []

    def close(self) -> None:
        """End the process, also one that is at work."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()


class _Serving:
    """One serving process, its feeder and its reader."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self.n_files = 0
        self._process = subprocess.Popen(
            worker_command("parser", arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=worker_environment(),
        )
        self.pid = self._process.pid
        self._received: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._read_all, name="parser-answers", daemon=True)]
        self._threads[0].start()

    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, file: BinaryIO, name: str, limits: ParserLimits) -> None:
        """Send the file from a thread of its own: the process may die before it has taken it all."""
        self.n_files += 1
        feeder = threading.Thread(
            target=self._feed, args=(file, name, limits), name="parser-file", daemon=True
        )
        self._threads.append(feeder)
        feeder.start()

    def read(self, timeout_s: float) -> bytes | None:
        try:
            return self._received.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def memory_bytes(self) -> int:
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(timeout=_END_S)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _feed(self, file: BinaryIO, name: str, limits: ParserLimits) -> None:
        stream = self._process.stdin
        assert stream is not None
        size_bytes = os.fstat(file.fileno()).st_size
        with contextlib.suppress(OSError, ValueError):  # the process is gone; its end of the answers tells
            file.seek(0)
            stream.write(request_head(name, size_bytes, limits))
            while size_bytes > 0 and (data := file.read(min(_CHUNK_BYTES, size_bytes))):
                stream.write(data)
                size_bytes -= len(data)
            while size_bytes > 0:  # the file shrank meanwhile; what is announced must come
                size_bytes -= stream.write(bytes(min(_CHUNK_BYTES, size_bytes)))
            stream.flush()

    def _read_all(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(stream.fileno(), _CHUNK_BYTES):
                self._received.put(data)
        self._received.put(b"")


class _ServedJob:
    def __init__(self, launcher: ServeLauncher, serving: _Serving, limits: ParserLimits) -> None:
        self._launcher, self._serving, self._limits = launcher, serving, limits

    def read(self, timeout_s: float) -> bytes | None:
        return self._serving.read(timeout_s)

    def uses_too_much(self) -> bool:
        return self._serving.memory_bytes() > self._limits.memory_bytes

    def end(self, *, healthy: bool) -> None:
        self._launcher.finished(self._serving, healthy=healthy)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
