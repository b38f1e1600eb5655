"""Who may use the processor cores: an answer first, then reading of fresh files, then making vectors."""

import os
import sys
import threading
import time

THROTTLE_GRACE_S = 30.0
"""A throttle that lasts longer than this lets a small share of the work through, so that it never starves."""
_SHARE_PAUSE_S = 2.0

READING_STEPS, EMBEDDING_STEPS, INDEXING_STEPS = 2, 5, 9
"""By how much these threads yield to searches, which have the priority that the host gave the process."""


def available_cores() -> int:
    """Give the number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pace:
    """Tells the embedding thread how much it may do now; every method from any thread."""

    def __init__(self, n_cores: int) -> None:
        """Take the number of cores; half of them, at least two if there are, make vectors."""
        self._bulk_threads = max(min(2, n_cores), n_cores // 2)
        self._condition = threading.Condition()
        self._throttled_since: float | None = None
        self._n_reading = 0
        self._stopped = False

    def throttle(self, active: bool) -> None:
        """Note that an answer starts or has ended."""
        with self._condition:
            if not active:
                self._throttled_since = None
            elif self._throttled_since is None:
                self._throttled_since = time.monotonic()
            self._condition.notify_all()

    @property
    def throttled(self) -> bool:
        """Whether an answer is being made."""
        with self._condition:
            return self._throttled_since is not None

    def reading(self, active: bool) -> None:
        """Note that a fresh file is being read, or not any more."""
        with self._condition:
            self._n_reading += 1 if active else -1
            self._condition.notify_all()

    def stop(self) -> None:
        """End every wait."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def wait_for_turn(self) -> int:
        """Wait until a small batch may be embedded; give how many threads it may use."""
        deadline = time.monotonic() + _SHARE_PAUSE_S
        with self._condition:
            while self._throttled_since is not None and not self._stopped:
                now = time.monotonic()
                if now - self._throttled_since > THROTTLE_GRACE_S and now >= deadline:
                    return 1
                self._condition.wait(timeout=0.5)
            return 1 if self._n_reading else self._bulk_threads


def lower_priority(steps: int) -> None:
    """Let the calling thread, and those that it starts, yield to the others of the process (Linux)."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + steps)
