"""Who may use the cores."""

import threading
import time

import pytest

from app.worker.library import pace as module
from app.worker.library.pace import Pace, available_cores


def test_vectors_get_half_of_the_cores_and_one_while_files_are_read() -> None:
    assert [Pace(n).wait_for_turn() for n in (1, 2, 4, 16)] == [1, 2, 2, 8]
    pace = Pace(8)
    pace.reading(True)
    assert pace.wait_for_turn() == 1
    pace.reading(False)
    assert pace.wait_for_turn() == 4
    assert available_cores() >= 1


def test_an_answer_stops_the_making_of_vectors_until_it_ends() -> None:
    pace = Pace(2)
    pace.throttle(True)
    assert pace.throttled
    turns: list[int] = []
    thread = threading.Thread(target=lambda: turns.append(pace.wait_for_turn()))
    thread.start()
    time.sleep(0.1)
    assert not turns
    pace.throttle(False)
    thread.join(timeout=30)
    assert turns == [2] and not pace.throttled


def test_a_very_long_answer_lets_a_small_share_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "THROTTLE_GRACE_S", 0.1)
    monkeypatch.setattr(module, "_SHARE_PAUSE_S", 0.2)
    pace = Pace(2)
    pace.throttle(True)
    pace.throttle(True)
    started = time.monotonic()
    assert pace.wait_for_turn() == 1
    assert time.monotonic() - started >= 0.2


def test_stopping_ends_every_wait() -> None:
    pace = Pace(2)
    pace.throttle(True)
    pace.stop()
    assert pace.wait_for_turn() == 2
