"""Requests as the worker's runtime hands them to handlers, and what becomes of them."""

import itertools
import threading
import time
from pathlib import Path
from typing import Any

from app.protocol.body import Body, from_message
from app.protocol.envelope import Message
from app.protocol.speech import SoundPosition, SoundStarted
from app.worker.runtime import Cancelled, Job, Reply

VOICE = Path(__file__).parents[3] / "resources/models/text-to-speech/en_US-joe-medium/en_US-joe-medium.onnx"
_NUMBERS = itertools.count(1)


class Asked:
    """A request that was made; its job, what it reported and how it ended."""

    def __init__(self, request: Body, payload: bytes = b"") -> None:
        self.progress: list[Body] = []
        self.told_at: list[float] = []
        self.ended = threading.Event()
        self.result: Body | Reply | Exception | None = None
        self.ended_at = 0.0
        self.job = Job(f"r{next(_NUMBERS)}", request, payload, self._send, self._end)

    def _send(self, message: Message) -> None:
        body = from_message(message)
        assert body is not None
        assert not self.ended.is_set()
        self.progress.append(body)
        self.told_at.append(time.monotonic())

    def _end(self, _job: Job, result: Body | Reply | Exception) -> None:
        assert not self.ended.is_set(), "a request ends once"
        self.result, self.ended_at = result, time.monotonic()
        self.ended.set()

    def cancel(self) -> None:
        """As the reader thread does."""
        self.job.cancel()
        if self.job.on_cancel is not None:
            self.job.on_cancel()

    def wait(self, timeout_s: float = 20.0) -> Any:
        """Wait for the end; give the result."""
        assert self.ended.wait(timeout_s), "the request did not end"
        return self.result

    @property
    def is_cancelled(self) -> bool:
        return isinstance(self.result, Cancelled)

    @property
    def has_started(self) -> bool:
        return any(isinstance(body, SoundStarted) for body in self.progress)

    @property
    def positions(self) -> list[float]:
        return [body.seconds for body in self.progress if isinstance(body, SoundPosition)]
