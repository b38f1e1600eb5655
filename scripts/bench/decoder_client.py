"""Talk to the decoder directly, from plain blocking code (benchmarks, fault scripts, tests)."""

import subprocess
from typing import cast

from app.protocol.audio import AudioInfo, AudioPiece, CloseAudio, OpenAudio, ReadAudio
from app.protocol.body import Body, from_json, from_message
from app.protocol.envelope import Message
from app.protocol.system import CANCELLED, ERROR, ErrorBody
from scripts.bench.worker_client import RequestCancelled, RequestFailed, WorkerClient, WorkerGone


class DecoderWorker(WorkerClient):
    """A running decoder."""

    def __init__(self, stderr: int | None = subprocess.DEVNULL) -> None:
        """Start it and wait for its hello."""
        super().__init__("decoder", (), stderr)

    def open(self, path: str, start_s: float = 0.0, timeout_s: float = 120.0, **more: int) -> AudioInfo:
        """Open a file. Raises RequestFailed."""
        message = self.exchange(OpenAudio(path=path, start_s=start_s, **more), timeout_s)
        return from_json(AudioInfo, message.body)

    def read(self, handle: str, seconds: float = 30.0, timeout_s: float = 120.0) -> tuple[AudioPiece, bytes]:
        """Give the next piece and its samples. Raises RequestFailed."""
        message = self.exchange(ReadAudio(handle=handle, seconds=seconds), timeout_s)
        return from_json(AudioPiece, message.body), message.payload

    def close_file(self, handle: str) -> None:
        """Close a file."""
        self.exchange(CloseAudio(handle=handle))

    def exchange(self, request: Body, timeout_s: float = 120.0) -> Message:
        """Send a request and give the message that ends it, with its payload.

        Raises:
            RequestFailed: it failed.
            RequestCancelled: it was cancelled.
            WorkerGone: the worker ended first.
            queue.Empty: nothing came in time.
        """
        message = self._replies[self.start(request)].get(timeout=timeout_s)
        if message is None:
            raise WorkerGone
        if message.type == ERROR:
            raise RequestFailed(cast(ErrorBody, from_message(message)))
        if message.type == CANCELLED:
            raise RequestCancelled
        return message
