"""Which recordings are being transcribed right now; known in memory alone, so a death leaves them waiting."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class _Running:
    revision: int
    began: float
    progress: float = 0.0


class RunningRecordings:
    """Recordings by location; any thread."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._running: dict[int, _Running] = {}

    def __len__(self) -> int:
        """Give how many are being transcribed."""
        return len(self._running)

    def ids(self) -> list[int]:
        """Give the locations."""
        with self._lock:
            return list(self._running)

    def has(self, location_id: int, revision: int) -> bool:
        """Whether a location is being transcribed as it was at this revision."""
        running = self._running.get(location_id)
        return running is not None and running.revision == revision

    def begin(self, location_id: int, revision: int) -> None:
        """Note that a transcription begins."""
        with self._lock:
            self._running[location_id] = _Running(revision, time.monotonic())

    def end(self, location_id: int, revision: int) -> None:
        """Note that a transcription ended, unless another of the same location began meanwhile."""
        with self._lock:
            if self.has(location_id, revision):
                del self._running[location_id]

    def take(self, location_ids: Iterable[int]) -> list[tuple[int, int]]:
        """Note that these are not transcribed any more; give (location, revision) of those that were."""
        with self._lock:
            return [
                (number, self._running.pop(number).revision)
                for number in set(location_ids) & set(self._running)
            ]

    def progress(self, location_id: int) -> float | None:
        """Give how far a transcription is, 0 to 1; None where there is none."""
        running = self._running.get(location_id)
        return None if running is None else running.progress

    def note(self, location_id: int, progress: float) -> None:
        """Take how far a transcription is; nothing where that is not between 0 and 1, or none runs."""
        running = self._running.get(location_id)
        if running is not None and 0.0 <= progress <= 1.0:
            running.progress = progress

    def seconds(self, location_id: int) -> float:
        """Give how long a transcription has been running; 0 where there is none."""
        running = self._running.get(location_id)
        return 0.0 if running is None else time.monotonic() - running.began
