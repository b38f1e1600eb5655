"""Ends the process when decoding hangs: FFmpeg cannot be interrupted, and the host starts a new decoder."""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

STALL_S = 60.0
MAX_S = 600.0
_LOOK_S = 1.0


def _end_process() -> None:
    os._exit(3)


class Watchdog:
    """Watches one request at a time from a thread of its own."""

    def __init__(
        self, stall_s: float = STALL_S, max_s: float = MAX_S, give_up: Callable[[], None] = _end_process
    ) -> None:
        """Take how long nothing may happen, how long a request may take, and what to do then."""
        self._stall_s, self._max_s, self._give_up = stall_s, max_s, give_up
        self._condition = threading.Condition()
        self._began: float | None = None
        self._moved = 0.0
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        with self._condition:
            self._stopped = True
            self._condition.notify()
        self._thread.join(timeout=2.0)

    def touch(self) -> None:
        """Note that decoding goes on; called for every read of the file and every packet."""
        self._moved = time.monotonic()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch what happens inside."""
        with self._condition:
            self._began = self._moved = time.monotonic()
            self._condition.notify()
        try:
            yield
        finally:
            with self._condition:
                self._began = None

    def _run(self) -> None:
        with self._condition:
            while not self._stopped:
                self._condition.wait(None if self._began is None else min(_LOOK_S, self._stall_s))
                now = time.monotonic()
                if self._began is None or (
                    now - self._moved < self._stall_s and now - self._began < self._max_s
                ):
                    continue
                log.error("decoding a recording made no progress; the decoder ends")
                self._began = None
                self._give_up()
