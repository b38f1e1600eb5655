"""Reference cycles end in the window's thread, whichever thread allocates."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.ui.garbage import GarbageCollector


class Knot:
    """Refers to itself, as a window and its bound methods do."""

    def __init__(self) -> None:
        self.itself = self
        self.timer = QTimer()


@pytest.fixture
def collector(qapp: QApplication) -> Iterator[GarbageCollector]:
    collector = GarbageCollector()
    collector.start()
    yield collector
    collector.stop()
    collector.deleteLater()


def allocate_much() -> list[list[int]]:
    """Make more objects than Python lets wait."""
    return [[number] for number in range(50 * gc.get_threshold()[0])]


async def test_nothing_ends_in_another_thread(collector: GarbageCollector) -> None:
    threads: list[int] = []
    knot = Knot()
    weakref.finalize(knot, lambda: threads.append(threading.get_ident()))
    del knot
    await asyncio.to_thread(allocate_much)
    assert threads == []
    kept = allocate_much()
    collector.look()
    assert threads == [threading.get_ident()] and kept


async def test_threads_that_outlive_the_program_collect_nothing(collector: GarbageCollector) -> None:
    assert gc.get_freeze_count()
    collector.stop()
    assert not gc.isenabled() and not gc.get_freeze_count()


def test_nothing_is_collected_before_it_is_due(
    collector: GarbageCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", collected.append)
    monkeypatch.setattr(gc, "get_threshold", lambda: (700, 10, 10))
    for counts in ((700, 10, 10), (701, 2, 10), (9, 11, 3), (9, 1, 11)):
        monkeypatch.setattr(gc, "get_count", lambda counts=counts: counts)
        collector.look()
    assert collected == [0, 1, 2]
