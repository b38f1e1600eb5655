"""Talk to a worker process directly, from plain blocking code (benchmarks, fault scripts, tests)."""

import itertools
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Self, TypeVar, cast

from app.core.processes import worker_command, worker_environment
from app.protocol.body import Body, Request, from_json, from_message, to_message
from app.protocol.envelope import Message, encode, read_message
from app.protocol.system import CANCELLED, DONE, ERROR, CancelRequest, ErrorBody

R = TypeVar("R", bound=Body)
_PATIENCE_S = 120.0


class RequestFailed(Exception):  # noqa: N818  # an outcome
    """The worker answered `error`; `body` says why."""

    def __init__(self, body: ErrorBody) -> None:
        """Keep the body."""
        super().__init__(f"{body.code}: {body.message}")
        self.body = body


class RequestCancelled(Exception):  # noqa: N818
    """The worker answered `cancelled`."""


class WorkerGone(Exception):  # noqa: N818
    """The worker ended before it answered."""


class WorkerClient:
    """A running worker; use as a context manager.

    Attributes:
        process: the worker.
        events: messages that answer no request, in order.
    """

    def __init__(self, kind: str, arguments: Sequence[str] = (), stderr: int | None = None) -> None:
        """Start the worker of a kind and wait for its hello."""
        command = worker_command(kind, arguments)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=worker_environment(),
            cwd=Path(__file__).resolve().parents[2],
        )
        self.events: list[Message] = []
        self._numbers = itertools.count(1)
        self._replies: dict[str, queue.Queue[Message | None]] = {}
        self._ended = False
        self._output = cast(BinaryIO, self.process.stdout)
        self.hello = read_message(self._output)
        self._thread = threading.Thread(target=self._read, name="worker-replies", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Give the worker."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it in order."""
        self.close()

    def start(self, request: Body, payload: bytes = b"") -> str:
        """Send a request; give its id for `wait`."""
        request_id = f"r{next(self._numbers)}"
        self._replies[request_id] = queue.Queue()
        self._send(to_message(request, id=request_id, payload=payload))
        return request_id

    def cancel(self, request_id: str) -> None:
        """Cancel a request; `wait` then raises RequestCancelled, or gives its result where it was faster."""
        self._send(to_message(CancelRequest(request_id=request_id)))

    def await_progress(self, request_id: str, timeout_s: float = _PATIENCE_S) -> Body | None:
        """Wait for the next message of a request that does not end it; raises queue.Empty."""
        message = self._replies[request_id].get(timeout=timeout_s)
        return None if message is None else from_message(message)

    def wait(
        self,
        request_id: str,
        result: type[R],
        on_progress: Callable[[Body], None] | None = None,
        timeout_s: float = _PATIENCE_S,
    ) -> R:
        """Wait for the end of a request.

        Raises:
            RequestFailed: it failed.
            RequestCancelled: it was cancelled.
            WorkerGone: the worker ended first.
            queue.Empty: nothing came in time.
        """
        while True:
            message = self._replies[request_id].get(timeout=timeout_s)
            if message is None:
                raise WorkerGone
            if message.type == DONE:
                return from_json(result, message.body)
            if message.type == CANCELLED:
                raise RequestCancelled
            body = from_message(message)
            if message.type == ERROR:
                raise RequestFailed(cast(ErrorBody, body))
            if on_progress is not None and body is not None:
                on_progress(body)

    def call(
        self,
        request: Request[R],
        payload: bytes = b"",
        on_progress: Callable[[Body], None] | None = None,
        timeout_s: float = _PATIENCE_S,
    ) -> R:
        """Send a request and wait for its result. Raises as `wait`."""
        result: type[R] = type(request).RESULT
        return self.wait(self.start(request, payload), result, on_progress, timeout_s)

    def close(self) -> None:
        """End the worker by closing its input, as a host that goes does."""
        if self.process.poll() is None and self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=10)
        self._finish()

    def kill(self) -> None:
        """Kill the worker without warning."""
        self.process.kill()
        self.process.wait(timeout=10)
        self._finish()

    def _finish(self) -> None:
        self._thread.join(timeout=5)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # what was still to be written is for nobody

    def _send(self, message: Message) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(encode(message))
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise WorkerGone from error

    def _read(self) -> None:
        try:
            while (message := read_message(self._output)) is not None:
                if message.parent_id is None:
                    self.events.append(message)
                elif message.parent_id in self._replies:
                    self._replies[message.parent_id].put(message)
        except Exception:  # noqa: S110  # a killed worker ends inside a message
            pass
        finally:
            for replies in list(self._replies.values()):
                replies.put(None)


class LibraryWorker(WorkerClient):
    """A running library worker."""

    def __init__(self, data_dir: Path, stderr: int | None = None, arguments: Sequence[str] = ()) -> None:
        """Start it on a data folder and wait for its hello."""
        super().__init__("library", ["--data-dir", str(data_dir), *arguments], stderr)


class InferenceWorker(WorkerClient):
    """A running inference worker."""

    def __init__(self, stderr: int | None = subprocess.DEVNULL) -> None:
        """Start it and wait for its hello."""
        super().__init__("inference", (), stderr)
