"""The library worker's side of Chroma: its child process, and the checks on what the folder holds."""

import logging
import subprocess
import threading
from pathlib import Path

import numpy as np

from app.core.processes import worker_command, worker_environment
from app.protocol.envelope import Message, ProtocolError, encode, read_message
from app.protocol.system import DONE
from app.worker.library.vectors import Ids, Scores

log = logging.getLogger(__name__)

_QUERY_S, _WORK_S, _OPEN_S = 2.0, 120.0, 60.0


class IndexBroken(Exception):  # noqa: N818  # handled here and by the keeper
    """The folder cannot be used: its process ended, hung, answered wrongly, or finds too little."""


class IndexClient:
    """The child process that holds the folder open; one request at a time, any thread."""

    def __init__(self, directory: Path) -> None:
        """Start the child and wait until Chroma is open.

        Raises:
            IndexBroken: it is not.
        """
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            worker_command("index", ["--directory", str(directory)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=worker_environment(),
        )
        try:
            self._receive("index.opened", _OPEN_S)
        except IndexBroken:
            self.close()
            raise

    def ids(self) -> Ids:
        """Give the ids that the folder holds, sorted."""
        return np.sort(np.frombuffer(self._ask(Message("index.ids"), _WORK_S).payload, "<i8"))

    def add(self, ids: Ids, vectors: Scores) -> None:
        """Add at most MAX_ADD vectors."""
        payload = ids.astype("<i8").tobytes() + vectors.astype("<f4").tobytes()
        self._ask(Message("index.add", {"count": len(ids)}, payload=payload), _WORK_S)

    def delete(self, ids: Ids) -> None:
        """Delete at most MAX_ADD vectors."""
        self._ask(Message("index.delete", payload=ids.astype("<i8").tobytes()), _WORK_S)

    def query(self, vectors: Scores, limit: int, timeout_s: float = _QUERY_S) -> list[list[int]]:
        """Give the ids of the nearest of each (n, dim) vector."""
        message = Message(
            "index.query", {"count": len(vectors), "limit": limit}, payload=vectors.astype("<f4").tobytes()
        )
        rows = self._ask(message, timeout_s).body.get("ids")
        if not isinstance(rows, list):
            raise IndexBroken("an answer without ids")
        return rows

    def kill(self) -> None:
        """End the child at once; whoever waits for it gets IndexBroken."""
        self._process.kill()

    def close(self) -> None:
        """End the child; safe at any time."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                log.debug("the index process was gone already")
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, message: Message, timeout_s: float) -> Message:
        with self._lock:
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(encode(message))
                self._process.stdin.flush()
            except (OSError, ValueError) as error:
                raise IndexBroken("its process is gone") from error
            return self._receive(DONE, timeout_s)

    def _receive(self, wanted: str, timeout_s: float) -> Message:
        """Read one message; a child that takes too long is killed, which ends the read."""
        late = threading.Timer(timeout_s, self._process.kill)
        late.start()
        try:
            message = read_message(self._process.stdout)  # type: ignore[arg-type]  # binary, as no text was asked for
        except (ProtocolError, ValueError) as error:
            raise IndexBroken("its process broke off") from error
        finally:
            late.cancel()
            late.join()
        if message is None or message.type != wanted:
            kind = "nothing" if message is None else f"{message.type} {dict(message.body)}"
            raise IndexBroken(f"its process answered {kind}")
        return message
