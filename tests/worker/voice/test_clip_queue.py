"""The queue of the loudspeaker: what is written, what is heard, and when."""

import numpy as np
import pytest

from app.worker.voice.clip_queue import REPEATED_S, Clip, ClipQueue
from app.worker.voice.ports import Samples

RATE = 1000


def clip(n_samples: int, first: int = 1, rate: int = RATE, volume: float = 1.0, n_quiet: int = 0) -> Clip:
    samples = np.arange(first, first + n_samples).astype(np.int16)
    return Clip(samples, rate, volume, n_quiet, np.repeat(samples, 16_000 // rate))


def filled(*clips: Clip) -> ClipQueue:
    queue = ClipQueue()
    for each in clips:
        queue.add(each)
    queue.restart(RATE)
    return queue


def write(queue: ClipQueue, n_frames: int, at: float, wait_s: float = 0.0, block: int = 10) -> Samples:
    parts = [queue.fill(block, wait_s + i * block / RATE, at) for i in range(n_frames // block)]
    return np.concatenate(parts)


def test_clips_follow_each_other_without_a_gap() -> None:
    queue = filled(clip(25), clip(25, first=26, n_quiet=10), clip(10, first=51))
    written = write(queue, 90, at=0.0)
    expected = [*range(1, 51), *[0] * 10, *range(51, 61), *[0] * 20]
    # The first five are a ramp: a stream begins without a click.
    assert list(written[5:]) == expected[5:]
    assert np.all(np.abs(written[:5]) <= expected[:5])


def test_a_stream_begins_with_silence() -> None:
    only = clip(20)
    queue = filled(only)
    queue.restart(RATE, lead_s=0.015)
    written = write(queue, 40, at=0.0)
    assert not np.any(written[:15])
    assert list(written[20:35]) == list(range(6, 21))
    queue.advance(0.025)
    assert only.heard == pytest.approx(10, abs=1)


def test_heard_is_what_the_clock_says() -> None:
    first, second = clip(40), clip(40)
    queue = filled(first, second)
    write(queue, 80, at=10.0, wait_s=0.1)
    queue.advance(10.05)
    assert (first.heard, second.heard) == (0, 0)
    queue.advance(10.12)
    assert first.heard == pytest.approx(20, abs=1)
    assert not first.is_heard
    queue.advance(10.15)
    assert first.is_heard
    assert second.heard == pytest.approx(10, abs=1)
    assert queue.next_clip() is second
    queue.advance(99.0)
    assert second.is_heard
    assert queue.next_clip() is None


def test_no_more_is_heard_than_was_written() -> None:
    only = clip(100)
    queue = filled(only)
    write(queue, 30, at=0.0)
    queue.advance(50.0)
    assert only.heard == 30


def test_a_late_sound_system_moves_the_clock() -> None:
    only = clip(100)
    queue = filled(only)
    queue.fill(10, 0.0, 0.0)
    queue.fill(10, 0.0, 0.5)  # it stood still for half a second
    queue.advance(0.505)
    assert only.heard == pytest.approx(15, abs=1)
    queue.fill(10, 0.01, 0.505)
    queue.advance(0.4)
    assert only.heard == pytest.approx(15, abs=1), "it never goes back"


def test_a_pause_loses_nothing() -> None:
    first, second = clip(400), clip(400, first=401)
    queue = filled(first, second)
    write(queue, 500, at=0.0)
    queue.rewind(0.3)
    assert first.heard == pytest.approx(300, abs=2)
    assert first.written == first.heard - round(REPEATED_S * RATE)
    assert second.written == 0
    at = first.written
    queue.restart(RATE)
    written = write(queue, 600, at=2.0)
    assert list(written[5:]) == list(range(at + 6, 801)) + [0] * (600 - (800 - at))
    queue.advance(9.0)
    assert first.is_heard
    assert second.is_heard


def test_a_pause_just_after_a_border_stays_in_its_clip() -> None:
    first, second = clip(100), clip(100, first=101)
    queue = filled(first, second)
    write(queue, 200, at=0.0)
    queue.rewind(0.11)
    assert first.is_heard
    assert second.written == 0


def test_a_clip_that_is_removed_is_not_written() -> None:
    first, second, third = clip(50), clip(50, first=1000), clip(50, first=51)
    queue = filled(first, second, third)
    queue.remove(second)
    queue.remove(second)
    assert list(write(queue, 100, at=0.0)[5:]) == list(range(6, 101))
    queue.rewind(0.02)
    queue.remove(first)
    queue.remove(third)
    assert queue.next_clip() is None


def test_another_rate_waits_for_another_stream() -> None:
    first, second = clip(20), clip(20, rate=500)
    queue = filled(first, second)
    assert not np.any(write(queue, 40, at=0.0)[20:])
    queue.advance(1.0)
    assert queue.next_clip() is second
    assert second.written == 0


def test_what_is_for_another_loudspeaker_waits_for_it() -> None:
    first, second = clip(20), clip(20)
    second.device = "other"
    queue = filled(first, second)
    assert not np.any(write(queue, 40, at=0.0)[20:])
    queue.advance(1.0)
    queue.restart(RATE, "other")
    assert np.count_nonzero(write(queue, 40, at=1.0)) >= 15
    queue.rewind(1.01)
    assert np.count_nonzero(write(queue, 40, at=2.0)) >= 15, "a pause stays with the loudspeaker"


def test_empty_clips_are_passed_over() -> None:
    queue = filled(clip(0), clip(0), clip(5))
    head = queue.next_clip()
    assert head is not None
    assert len(head.samples) == 5
    assert clip(0).is_heard


def test_the_volume_changes_at_once_and_without_a_click() -> None:
    loud = Clip(np.full(200, 1000, np.int16), RATE, 1.0, 0, np.full(3200, 1000, np.int16))
    queue = filled(loud)
    assert list(write(queue, 50, at=0.0)[5:]) == [1000] * 45
    loud.volume = 0.5
    written = write(queue, 50, at=0.05)
    assert list(written[5:]) == [500] * 45
    assert np.all(np.diff(written[:6].astype(int)) <= 0)
    loud.volume = 0.0
    assert not np.any(write(queue, 50, at=0.1)[5:])


def test_what_was_heard_last_is_known() -> None:
    level = Clip(np.full(100, 16_384, np.int16), RATE, 0.5, 100, np.full(1600, 16_384, np.int16))
    queue = filled(level)
    write(queue, 200, at=1.0)
    heard = queue.heard(14_400, 4800)
    assert heard.shape == (4800,)
    assert heard.dtype == np.float32
    assert list(np.flatnonzero(heard)) == list(range(1600, 3200))
    assert heard[2400] == pytest.approx(0.25, abs=0.001)
    assert not np.any(queue.heard(312_000, 8000))


def test_the_time_line_is_as_even_as_the_sound() -> None:
    """However the clock trembles, samples that follow each other stand beside each other."""
    rising = np.arange(1, 16_001, dtype=np.int16)
    queue = filled(Clip(np.zeros(1000, np.int16), RATE, 1.0, 0, rising))
    trembling = np.random.default_rng(5).uniform(-0.01, 0.01, 20)
    for at, late in enumerate(trembling):
        queue.fill(50, 0.0, 1.0 + 0.05 * at + late)
    heard = np.rint(queue.heard(round((1 + trembling[0]) * 16_000), 16_000) * 32768)
    assert np.array_equal(heard, rising)


def test_the_time_line_jumps_where_the_clock_does() -> None:
    queue = filled(Clip(np.full(100, 500, np.int16), RATE, 1.0, 0, np.full(1600, 500, np.int16)))
    queue.fill(50, 0.0, 1.0)
    queue.fill(50, 0.0, 1.5)
    heard = np.flatnonzero(queue.heard(0, 48_000))
    assert heard[0] == 16_000
    assert heard[-1] == 24_799


def test_what_was_cut_off_was_not_heard() -> None:
    queue = filled(clip(100))
    write(queue, 100, at=1.0)
    queue.rewind(1.05)
    heard = np.flatnonzero(queue.heard(14_400, 16_000))
    assert len(heard) == pytest.approx(800, abs=32)


def test_sounding_is_while_a_sample_is_heard() -> None:
    queue = filled(clip(50, n_quiet=50), clip(50))
    assert not queue.is_sounding(0.0)
    write(queue, 150, at=0.0)
    assert [queue.is_sounding(at) for at in (0.02, 0.07, 0.12, 0.2)] == [True, False, True, False]
    queue.clear()
    assert queue.next_clip() is None
