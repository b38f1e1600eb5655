"""An open microphone: what it delivers, and how it ends."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from app.core.errors import AppError
from app.worker.voice import microphone as module
from app.worker.voice.microphone import Microphone
from app.worker.voice.ports import Samples


class Stream:
    """A stream that the test drives."""

    def __init__(self) -> None:
        self.is_active = True
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def abort(self) -> None:
        self.calls.append("abort")

    def close(self) -> None:
        self.calls.append("close")


class Heard:
    """What a microphone told."""

    def __init__(self, rate: int = 16_000, is_gone: Callable[[], bool] = lambda: False) -> None:
        self.blocks: list[Samples] = []
        self.losses: list[AppError] = []
        self.came = threading.Condition()
        self.stream = Stream()
        self.microphone = Microphone(rate, self.take, self.lose, is_gone)
        self.microphone.start(self.stream)

    def take(self, samples: Samples) -> None:
        with self.came:
            self.blocks.append(samples)
            self.came.notify_all()

    def lose(self, error: AppError) -> None:
        with self.came:
            self.losses.append(error)
            self.came.notify_all()

    def give(self, samples: Samples) -> None:
        self.microphone.take(samples.tobytes(), len(samples), None, None)

    def wait(self, is_enough: Callable[[], bool]) -> None:
        with self.came:
            assert self.came.wait_for(is_enough, 10.0)

    def n_samples(self) -> int:
        return sum(len(block) for block in self.blocks)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENT_S", 0.05)
    monkeypatch.setattr(module, "FIRST_BLOCK_S", 0.1)
    monkeypatch.setattr(module, "WATCH_S", 0.02)


def tone(seconds: float, rate: int) -> Samples:
    phase = np.arange(round(seconds * rate)) * (2 * np.pi * 440 / rate)
    samples: Samples = (np.sin(phase) * 10_000).astype(np.int16)
    return samples


def test_samples_come_in_another_thread_in_small_blocks() -> None:
    heard = Heard()
    sound = tone(0.5, 16_000)
    for at in range(0, len(sound), 4000):
        heard.give(sound[at : at + 4000])
    heard.wait(lambda: heard.n_samples() == len(sound))
    heard.microphone.close()
    assert np.array_equal(np.concatenate(heard.blocks), sound)
    assert all(160 <= len(block) <= 1600 for block in heard.blocks)
    assert heard.stream.calls == ["start", "abort", "close"]
    assert not heard.losses


def test_another_rate_is_resampled() -> None:
    heard = Heard(rate=44_100)
    sound = tone(0.5, 44_100)
    for at in range(0, len(sound), 882):
        heard.give(sound[at : at + 882])
    heard.wait(lambda: heard.n_samples() > 7_600)
    heard.microphone.close()
    came = np.concatenate(heard.blocks).astype(float)
    wanted = tone(0.5, 16_000)[: len(came)].astype(float)
    assert np.abs(came - wanted)[200:-200].max() < 60


def test_nothing_comes_after_it_was_closed() -> None:
    heard = Heard()
    heard.microphone.close()
    heard.give(tone(0.2, 16_000))
    heard.microphone.close()
    assert heard.stream.calls == ["start", "abort", "close"]
    assert not heard.blocks
    assert not heard.losses


def test_it_can_be_closed_by_the_one_who_listens() -> None:
    heard = Heard()
    heard.microphone._on_samples = lambda samples: heard.microphone.close()
    heard.give(tone(0.5, 16_000))
    heard.microphone._pump.join(5)
    assert not heard.microphone._pump.is_alive()


def test_a_device_that_ends_is_told_once(impatient: None) -> None:
    heard = Heard()
    heard.give(tone(0.1, 16_000))
    heard.stream.is_active = False
    heard.wait(lambda: bool(heard.losses))
    time.sleep(0.1)
    assert [error.code for error in heard.losses] == ["microphone.lost"]
    assert heard.stream.calls == ["start", "abort", "close"]
    heard.microphone.close()


def test_a_device_that_gives_nothing_is_lost(impatient: None) -> None:
    heard = Heard()
    heard.give(tone(0.1, 16_000))
    heard.wait(lambda: bool(heard.losses))
    heard.microphone.close()
    never = Heard()
    never.wait(lambda: bool(never.losses))
    never.microphone.close()
    assert [error.code for error in heard.losses + never.losses] == ["microphone.lost"] * 2


def test_a_device_that_was_unplugged_is_lost(impatient: None) -> None:
    unplugged = threading.Event()
    heard = Heard(is_gone=unplugged.is_set)
    for _ in range(5):
        heard.give(tone(0.02, 16_000))
        time.sleep(0.02)
    assert not heard.losses
    unplugged.set()
    heard.wait(lambda: bool(heard.losses))
    heard.microphone.close()
    assert heard.losses[0].code == "microphone.lost"


def test_a_listener_that_fails_ends_it(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()

    def fail(samples: Samples) -> None:
        raise ValueError("a defect")

    heard.microphone._on_samples = fail
    heard.give(tone(0.5, 16_000))
    heard.wait(lambda: bool(heard.losses))
    heard.microphone.close()
    assert heard.losses[0].code == "microphone.failed"
    assert "a defect" in caplog.text
    caplog.clear()
