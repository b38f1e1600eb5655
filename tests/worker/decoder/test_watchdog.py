"""The watchdog: it barks where nothing moves or all takes too long, and only then."""

import threading
from collections.abc import Callable, Iterator

import pytest

from app.worker.decoder.watchdog import Watchdog

Make = Callable[[float, float], tuple[Watchdog, threading.Event]]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Watchdog] = []

    def start(stall_s: float, max_s: float) -> tuple[Watchdog, threading.Event]:
        gave_up = threading.Event()
        watchdog = Watchdog(stall_s, max_s, gave_up.set)
        watchdog.start()
        made.append(watchdog)
        return watchdog, gave_up

    yield start
    for watchdog in made:
        watchdog.stop()


def test_a_standstill_ends_it(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    watchdog, gave_up = make(0.05, 60.0)
    with watchdog.watched():
        assert gave_up.wait(10)
    assert "made no progress" in caplog.text
    caplog.clear()


def test_work_that_goes_on_is_left_alone_until_it_takes_too_long(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog, gave_up = make(0.2, 0.5)
    pause = threading.Event()
    n_touches = 0
    with watchdog.watched():
        while not gave_up.is_set() and n_touches < 1000:
            watchdog.touch()
            n_touches += 1
            pause.wait(0.01)
    assert gave_up.is_set()
    assert n_touches > 10
    caplog.clear()


def test_nothing_is_watched_between_requests(make: Make) -> None:
    watchdog, gave_up = make(0.02, 0.02)
    with watchdog.watched():
        pass
    assert not gave_up.wait(0.2)
