"""Pace, room and the small rules of a transfer."""

import asyncio
import errno
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import StorageError
from app.host.services import transfer_pace
from app.host.services.transfer import MAX_WAIT_S, Limits, _SlowWatch, _TryAgainError, finished, retry_after_s
from app.host.services.transfer_pace import Bandwidth, Disk, Room, Speed, disk_of


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(transfer_pace, "time", self)
        monkeypatch.setattr(transfer_pace, "asyncio", self)
        self.on_sleep: Callable[[], None] | None = None

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.on_sleep is not None:
            self.on_sleep()


async def test_the_limit_holds_over_all_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    bandwidth = Bandwidth(lambda: 100)
    for _ in range(20):  # of two downloads, say
        await bandwidth.take(50_000)
    assert clock.now == pytest.approx(110.0, abs=0.3)


async def test_a_change_of_the_limit_counts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    limit = [1]
    bandwidth = Bandwidth(lambda: limit[0])
    clock.on_sleep = lambda: limit.__setitem__(0, 0)
    await bandwidth.take(1_000_000)  # at 1 kB/s it would take 1000 s
    assert clock.now < 101.0
    clock.on_sleep = None
    await bandwidth.take(10**9)
    assert clock.now < 101.0


def test_speed_is_that_of_the_last_seconds() -> None:
    speed = Speed()
    assert speed.value(0.0) is None
    for second in range(20):
        speed.note(second * (100 if second < 10 else 1000), float(second))
    assert speed.value(19.0) == pytest.approx(1000, rel=0.2)
    speed.note(0, 20.0)
    assert speed.value(20.0) == 0.0
    speed.clear()
    assert speed.value() is None
    speed.note(5)
    assert speed.value() is None


def test_room_keeps_a_reserve(tmp_path: Path) -> None:
    def room(total: int, free: int) -> Room:
        return Room(tmp_path, lambda _: Disk(total, free))

    room(10 * 10**9, 2 * 10**9).check(10**9)
    with pytest.raises(StorageError, match=r"1\.0 GB are needed, 0 bytes|1\.0 GB are needed, 0\.0 MB"):
        room(10 * 10**9, 10**9).check(10**9)
    with pytest.raises(StorageError, match=r"50\.0 GB stay free"):
        room(10**12, 50 * 10**9 + 5).check(10)
    room(10**12, 51 * 10**9).check(10**9)
    assert disk_of(tmp_path / "not" / "there").free_bytes > 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7", 7.0), ("99999999", MAX_WAIT_S), *((text, None) for text in ("", "soon", "-5", "²", "٣"))],
)
def test_how_long_a_server_wants_peace(value: str, expected: float | None) -> None:
    answer: Any = type("Answer", (), {"headers": {"retry-after": value}})
    assert retry_after_s(answer) == expected


def test_peace_until_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=30)
    for text in (format_datetime(later), format_datetime(later).replace("+0000", "-0000")):
        answer: Any = type("Answer", (), {"headers": {"retry-after": text}})
        assert 20 < (retry_after_s(answer) or 0) < 31
    past: Any = type("Answer", (), {"headers": {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}})
    assert retry_after_s(past) == 0.0


def test_a_server_that_sends_next_to_nothing() -> None:
    watch = _SlowWatch(Limits(slow_window_s=10, slow_bytes=100), 0)
    start = time.monotonic()
    watch.check(0, start + 9, "a")
    watch.check(150, start + 11, "a")
    watch.excuse(30.0)
    watch.check(151, start + 30, "a")
    with pytest.raises(_TryAgainError):
        watch.check(160, start + 60, "a")


async def test_what_a_thread_began_ends_before_the_task_does() -> None:
    done: list[int] = []

    def slow() -> None:
        time.sleep(0.1)
        done.append(1)
        raise OSError(errno.EIO, "broken")

    task = asyncio.create_task(finished(slow))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]
    with pytest.raises(OSError, match="broken"):
        await finished(slow)
