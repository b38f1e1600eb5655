"""How fast bytes may come, how fast they do, and whether the disk has room for them."""

import asyncio
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import StorageError

LEAST_RESERVE_BYTES = 1_000_000_000
RESERVE_SHARE = 0.05
_SLICE_S = 0.25
_SPEED_WINDOW_S = 5.0


class Bandwidth:
    """The limit that all downloads share (a token bucket). Used by tasks of one loop."""

    def __init__(self, limit_kb_s: Callable[[], int]) -> None:
        """Take the setting; it is read again for every piece, so that a change counts at once."""
        self._limit_kb_s = limit_kb_s
        self._free_at = 0.0

    async def take(self, n_bytes: int) -> None:
        """Wait until `n_bytes` may have come."""
        left = float(n_bytes)
        while left > 0:
            limit = self._limit_kb_s() * 1000
            if not limit:
                self._free_at = 0.0
                return
            part = min(left, limit * _SLICE_S)
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + part / limit
            left -= part
            if self._free_at - now > _SLICE_S / 10:
                await asyncio.sleep(self._free_at - now)


class Speed:
    """Bytes a second over the last seconds."""

    def __init__(self, window_s: float = _SPEED_WINDOW_S) -> None:
        """Start with nothing seen."""
        self._window_s = window_s
        self._marks: deque[tuple[float, int]] = deque()

    def note(self, n_bytes: int, now: float | None = None) -> None:
        """Note how many bytes have come in all."""
        now = time.monotonic() if now is None else now
        self._marks.append((now, n_bytes))
        while len(self._marks) > 2 and self._marks[0][0] < now - self._window_s:
            self._marks.popleft()

    def value(self, now: float | None = None) -> float | None:
        """Give the speed; None where too little was seen to say."""
        now = time.monotonic() if now is None else now
        if not self._marks or now - self._marks[0][0] < _SLICE_S:
            return None
        first = self._marks[0]
        return max(0.0, (self._marks[-1][1] - first[1]) / (now - first[0]))

    def clear(self) -> None:
        """Forget what was seen."""
        self._marks.clear()


@dataclass(frozen=True)
class Disk:
    """Size and room of a disk in bytes."""

    total_bytes: int
    free_bytes: int


def disk_of(folder: Path) -> Disk:
    """Look at the disk of a folder that may not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return Disk(usage.total, usage.free)


class Room:
    """Tells whether the disk has room, with the reserve that everybody else on this computer keeps."""

    def __init__(self, folder: Path, look: Callable[[Path], Disk] = disk_of) -> None:
        """Take the folder that is written to."""
        self._folder, self._look = folder, look

    def check(self, n_bytes: int) -> None:
        """Make sure that `n_bytes` more may be written.

        Raises:
            StorageError: `download.no_space`, with `needed_bytes` and `available_bytes`.
        """
        disk = self._look(self._folder)
        reserve = max(LEAST_RESERVE_BYTES, int(disk.total_bytes * RESERVE_SHARE))
        if disk.free_bytes >= n_bytes + reserve:
            return
        raise no_space(n_bytes, max(0, disk.free_bytes - reserve), reserve)


def no_space(needed: int, available: int, reserve: int) -> StorageError:
    """Give the error for a disk without room."""
    return StorageError(
        "download.no_space",
        f"The disk has too little room: {_in_gb(needed)} are needed, {_in_gb(available)} can be used "
        f"({_in_gb(reserve)} stay free for other programs).",
        "Free some space; a download that has begun goes on by itself then.",
        {"needed_bytes": needed, "available_bytes": available},
    )


def _in_gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 50_000_000 else f"{n_bytes / 1e6:.1f} MB"
