"""Speaking and playing in order, stopping, pausing, failing; with a loudspeaker that the test can watch."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.core.errors import AppError, ModelError
from app.protocol.body import Body
from app.protocol.speech import (
    PauseSound,
    Play,
    Say,
    SetVolume,
    Sound,
    SoundPlayed,
    SoundStarted,
    StopSound,
    Synthesize,
)
from app.worker.runtime import LATER, Cancelled, Reply
from app.worker.voice import playback as module
from app.worker.voice.ports import Samples
from app.worker.voice.sound_errors import Reason, speaker_error
from app.worker.voice.speaking import Speaker
from app.worker.voice.synthesis import Voices
from tests.worker.voice.jobs import Asked

RATE = 8_000
BLOCK = 80


class Loudspeaker:
    """Asks for samples as fast as they would be heard, and keeps them."""

    def __init__(self, rate: int, callback: Callable[..., None]) -> None:
        self.sample_rate = rate
        self.callback = callback
        self.calls: list[str] = []
        self.came: list[Samples] = []
        self.lost = False
        self.start_error: AppError | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self.calls.append("start")
        if self.start_error is not None:
            raise self.start_error
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="fake-sound")
        self._thread.start()

    def _run(self) -> None:
        timing = SimpleNamespace(outputBufferDacTime=0.02, currentTime=0.0)
        data = bytearray(2 * BLOCK)
        n_blocks = 0
        began = time.monotonic()
        while not self._stopping.is_set():
            self.callback(data, BLOCK, timing, None)
            self.came.append(np.frombuffer(bytes(data), np.int16))
            n_blocks += 1
            time.sleep(max(began + n_blocks * BLOCK / self.sample_rate - time.monotonic(), 0.0))

    def abort(self) -> None:
        if self._thread is not None:
            self.calls.append("abort")
            self._stopping.set()
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        self.abort()
        self.calls.append("close")

    def is_lost(self) -> bool:
        return self.lost

    def sound(self) -> Samples:
        return np.concatenate(self.came) if self.came else np.empty(0, np.int16)

    def heard(self) -> Samples:
        """What was not silence."""
        samples = self.sound()
        audible: Samples = samples[samples != 0]
        return audible


class Loudspeakers:
    """Opens them."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, Loudspeaker]] = []
        self.error: Exception | None = None
        self.own_rate = 0
        self.start_error: AppError | None = None

    def open_loudspeaker(self, device: str, sample_rate: int, callback: Callable[..., None]) -> Loudspeaker:
        if self.error is not None:
            raise self.error
        speaker = Loudspeaker(self.own_rate or sample_rate, callback)
        speaker.start_error = self.start_error
        self.opened.append((device, speaker))
        return speaker

    @property
    def last(self) -> Loudspeaker:
        return self.opened[-1][1]


class NumberVoice:
    """Speaks a text, which is a number of samples, as so many samples; waits where the test wants it to."""

    sample_rate = RATE

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.go_on = threading.Event()
        self.go_on.set()
        self.spoken: list[tuple[str, float]] = []
        self.hurries: list[bool] = []
        self.began = threading.Event()

    def parts(
        self, text: str, speed: float, is_wanted: Callable[[], bool], hurry: bool = False
    ) -> Iterator[Samples]:
        """Numbers with a plus between them are parts; the test lets each be made."""
        self.hurries.append(hurry)
        for number, part in enumerate(text.split("+")):
            self.began.set()
            while not (self.go if number == 0 else self.go_on).wait(0.005):
                if not is_wanted():
                    return
            self.spoken.append((part, speed))
            if part == "fails":
                raise ModelError("voice.failed", "A sentence could not be spoken.")
            if int(part):
                yield np.full(int(part), 1000 + len(self.spoken), np.int16)


class Stage:
    """A speaker with its surroundings."""

    def __init__(self) -> None:
        self.outputs = Loudspeakers()
        self.voice = NumberVoice()
        self.interruptions: list[bool] = []
        self.speaker = Speaker(
            self.outputs, lambda: self.interruptions.append(True), Voices(lambda path: self.voice)
        )
        self._handlers: dict[type[Body], Callable[..., Any]] = {
            Say: self.speaker.say,
            Play: self.speaker.play,
            StopSound: self.speaker.stop,
            PauseSound: self.speaker.pause,
            SetVolume: self.speaker.set_volume,
            Synthesize: self.speaker.synthesize,
        }

    def ask(self, request: Body, payload: bytes = b"") -> Asked:
        asked = Asked(request, payload)
        self.handle(asked)
        return asked

    def handle(self, asked: Asked) -> None:
        """As a lane does."""
        job = asked.job
        try:
            job.raise_if_cancelled()
            result = self._handlers[type(job.request)](job.request, job)
        except Exception as error:
            job.end_with_error(error)
        else:
            if result is not LATER:
                job.end(result)

    def say(self, text: int | str, **more: Any) -> Asked:
        return self.ask(Say(text=str(text), voice_path="voice.onnx", **more))

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def wait_for_sound(self) -> None:
        self.wait_until(lambda: bool(self.outputs.opened) and len(self.outputs.last.heard()) > 0)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(module, "STEP_S", 0.005)
    monkeypatch.setattr(module, "IDLE_S", 0.1)
    made = Stage()
    yield made
    made.speaker.end()


def test_texts_are_heard_one_behind_the_other(stage: Stage) -> None:
    first, second = stage.say(800, pause_after_s=0.05), stage.say(400, speed=1.5)
    assert first.wait() == SoundPlayed(seconds=0.1)
    assert not second.ended.is_set()
    assert second.wait() == SoundPlayed(seconds=0.05)
    sound = stage.outputs.last.sound()
    begins = [int(np.argmax(sound == 1001)), int(np.argmax(sound == 1002))]
    assert begins[1] - begins[0] == pytest.approx(800 + 400, abs=45), "0.05 s of quiet are between"
    assert np.count_nonzero(sound == 1001) == pytest.approx(800, abs=41)
    assert np.count_nonzero(sound == 1002) == 400
    assert stage.voice.spoken == [("800", 1.0), ("400", 1.5)]
    assert len(stage.outputs.opened) == 1, "the stream stays open between sentences"


def test_progress_is_told(stage: Stage) -> None:
    asked = stage.say(2400)
    assert asked.wait() == SoundPlayed(seconds=0.3)
    assert asked.progress[0] == SoundStarted(seconds=0.3)
    assert len(asked.positions) >= 1
    assert np.all(np.diff(asked.told_at) > 0.09), "at most ten a second"
    assert asked.positions == sorted(asked.positions)
    assert all(0 <= seconds <= 0.3 for seconds in asked.positions)


def test_the_loudspeaker_is_closed_when_nothing_comes_any_more(stage: Stage) -> None:
    stage.say(80).wait()
    stage.wait_until(lambda: "close" in stage.outputs.last.calls)
    stage.wait_until(lambda: stage.speaker._playback._thread is None)
    stage.say(80).wait()
    assert len(stage.outputs.opened) == 2


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def voice_beside_its_settings(folder: Path, facts: object) -> str:
    folder.joinpath("voice.onnx.json").write_text(json.dumps(facts))
    return str(folder / "voice.onnx")


def test_the_loudspeaker_is_opened_while_a_text_is_made(stage: Stage, tmp_path: Path) -> None:
    request = Say(text="80", voice_path=voice_beside_its_settings(tmp_path, {"audio": {"sample_rate": RATE}}))
    asked = Asked(request)
    stage.voice.go.clear()
    making = in_thread(lambda: stage.handle(asked))
    stage.wait_until(lambda: bool(stage.outputs.opened) and stage.voice.began.is_set())
    assert stage.outputs.last.calls == [], "it is silent"
    stage.voice.go.set()
    making.join()
    assert asked.wait() == SoundPlayed(seconds=0.01)
    assert [device for device, _ in stage.outputs.opened] == [""]


def test_a_loudspeaker_opened_for_nothing_is_closed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.0)
    stage.speaker._playback.prepare("", RATE)
    stage.wait_until(lambda: bool(stage.outputs.opened) and stage.outputs.last.calls == ["close"])
    stage.wait_until(lambda: stage.speaker._playback._thread is None)


@pytest.mark.parametrize("facts", [{"audio": {"sample_rate": RATE}}, {"audio": {}}, [], None])
def test_a_loudspeaker_that_cannot_be_opened_ahead_is_told_once(
    stage: Stage, tmp_path: Path, facts: object
) -> None:
    stage.outputs.error = speaker_error(Reason.BUSY)
    asked = Asked(Say(text="80", voice_path=voice_beside_its_settings(tmp_path, facts)))
    stage.handle(asked)
    error = asked.wait()
    assert isinstance(error, AppError) and error.code == "speaker.busy"
    assert stage.voice.spoken == [("80", 1.0)]


def test_samples_are_played(stage: Stage) -> None:
    samples = np.arange(1, 401).astype("<i2")
    assert stage.ask(Play(sample_rate=RATE), samples.tobytes()).wait() == SoundPlayed(seconds=0.05)
    assert np.array_equal(stage.outputs.last.heard()[-360:], samples[-360:])
    odd = stage.ask(Play(sample_rate=RATE), samples.tobytes()[:-1])
    assert odd.wait() == SoundPlayed(seconds=399 / RATE)
    assert stage.ask(Play(sample_rate=RATE)).wait() == SoundPlayed(seconds=0.0)


def test_text_without_sound_ends_in_its_turn(stage: Stage) -> None:
    first, nothing = stage.say(400), stage.say(0, pause_after_s=1.0)
    assert not nothing.ended.is_set()
    assert nothing.wait() == SoundPlayed(seconds=0.0)
    assert first.ended_at <= nothing.ended_at
    assert not nothing.progress


def test_the_next_text_is_made_while_one_is_heard(stage: Stage) -> None:
    first = stage.say(1600)
    stage.wait_for_sound()
    second = stage.say(80)
    assert not first.ended.is_set()
    assert stage.voice.spoken[-1] == ("80", 1.0)
    second.wait()


def test_stop_ends_what_is_heard_and_what_waits(stage: Stage) -> None:
    asked = [stage.say(80_000), stage.say(80_000)]
    late = Asked(Say(text="80", voice_path="v"))  # it came before the stop, and is still in its lane
    stage.wait_for_sound()
    stage.ask(StopSound())
    n_heard = len(stage.outputs.last.sound())
    assert all(each.ended.is_set() for each in asked), "it returns when it is silent"
    stage.handle(late)
    assert all(each.is_cancelled for each in (*asked, late))
    time.sleep(0.05)
    assert len(stage.outputs.last.sound()) == n_heard
    assert stage.outputs.last.calls == ["start", "abort"]
    assert isinstance(stage.say(80).wait(), SoundPlayed), "what comes later is heard"


def test_stop_ends_a_text_that_is_being_made(stage: Stage) -> None:
    stage.voice.go.clear()
    asked = Asked(Say(text="80", voice_path="v"))
    lane = in_a_lane(stage, asked)
    stage.voice.began.wait(5)
    stage.ask(StopSound())
    asked.wait()
    lane.join()
    assert asked.is_cancelled
    assert not stage.voice.spoken


def test_cancelling_one_lets_the_others_be_heard(stage: Stage) -> None:
    first, second, third = stage.say(80_000), stage.say(80_000), stage.say(400)
    stage.wait_for_sound()
    second.cancel()
    second.wait()
    assert second.is_cancelled
    assert not first.ended.is_set()
    assert stage.outputs.last.calls == ["start"], "nothing of it was written yet"
    first.cancel()
    first.wait()
    assert first.is_cancelled
    assert third.wait() == SoundPlayed(seconds=0.05)
    assert np.count_nonzero(stage.outputs.last.sound() == 1003) >= 400 - 41


def test_a_cancel_that_comes_before_the_queue(stage: Stage) -> None:
    asked = Asked(Say(text="80", voice_path="v"))
    asked.cancel()
    stage.handle(asked)
    assert asked.is_cancelled
    assert not stage.outputs.opened


def test_a_long_pause_closes_the_loudspeaker(stage: Stage) -> None:
    samples = (np.arange(2400) + 1).astype("<i2")
    asked = stage.ask(Play(sample_rate=RATE), samples.tobytes())
    stage.wait_for_sound()
    stage.ask(PauseSound(paused=True))
    stage.wait_until(lambda: "close" in stage.outputs.last.calls)
    assert not asked.ended.is_set()
    stage.ask(PauseSound(paused=False))
    assert asked.wait() == SoundPlayed(seconds=0.3)
    assert len(stage.outputs.opened) == 2
    before, after = (set(speaker.heard().tolist()) for _, speaker in stage.outputs.opened)
    assert set(range(50, 2401)) <= before | after


def test_a_rate_that_nothing_can_play_is_refused(stage: Stage) -> None:
    for rate in (0, -8000, 10**9):
        assert stage.ask(Play(sample_rate=rate), bytes(80)).wait().code == "sound.bad_rate"
    assert not stage.outputs.opened


def test_a_pause_is_silent_and_loses_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 10.0)
    samples = (np.arange(2400) + 1).astype("<i2")
    asked = stage.ask(Play(sample_rate=RATE), samples.tobytes())
    stage.wait_until(lambda: bool(stage.outputs.opened) and len(stage.outputs.last.heard()) > 800)
    stage.ask(PauseSound(paused=True))
    stage.wait_until(lambda: stage.outputs.last.calls == ["start", "abort"])
    before = stage.outputs.last.sound()
    assert not stage.speaker.is_sounding
    time.sleep(0.1)
    assert len(stage.outputs.last.sound()) == len(before)
    assert not asked.ended.is_set()
    more = stage.say(80)
    stage.ask(PauseSound(paused=False))
    asked.wait()
    more.wait()
    assert stage.outputs.last.calls[:3] == ["start", "abort", "start"]
    after = stage.outputs.last.sound()[len(before) :]
    went_on = after[after > 0][41:]
    assert went_on[0] < before.max(), "a little is said twice"
    assert set(range(int(went_on[0]), 2401)) <= set(went_on.tolist())


def test_stopping_ends_a_pause(stage: Stage) -> None:
    stage.ask(PauseSound(paused=True))
    waiting = stage.say(400)
    time.sleep(0.05)
    assert not stage.outputs.opened
    stage.ask(StopSound())
    assert waiting.is_cancelled
    assert isinstance(stage.say(80).wait(), SoundPlayed)


def test_the_volume_changes_at_once_for_all_that_was_asked_for(stage: Stage) -> None:
    first, second = stage.say(4000), stage.say(400)
    waiting = Asked(Say(text="400", voice_path="v"))
    stage.wait_for_sound()
    stage.ask(SetVolume(volume=0.5))
    stage.handle(waiting)
    later = stage.say(400, volume=0.25)
    for each in (first, second, waiting, later):
        each.wait()
    sound = stage.outputs.last.sound()
    levels = [int(level) for level in (500, 501, 502, 251)]
    assert [np.count_nonzero(sound == level) > 300 for level in levels] == [True] * 4
    assert not np.any(sound == 1002)
    assert np.any(sound == 1001)


@pytest.mark.parametrize("volume", [-1.0, 7.0])
def test_a_volume_outside_is_brought_inside(stage: Stage, volume: float) -> None:
    stage.say(400, volume=volume).wait()
    assert stage.outputs.last.sound().max() == (0 if volume < 0 else 1001)


def test_speaking_interrupts(stage: Stage) -> None:
    assert not stage.speaker.interrupt()
    asked = [stage.say(80_000), stage.say(80)]
    stage.wait_for_sound()
    stage.wait_until(lambda: stage.speaker.is_sounding)
    assert stage.speaker.heard(stage.speaker.now() - 16_000, 16_000).max() > 0.02
    assert stage.speaker.interrupt()
    for each in asked:
        each.wait()
        assert each.is_cancelled
    assert stage.interruptions == [True]
    assert not stage.speaker.is_sounding
    assert not stage.speaker.interrupt()
    assert isinstance(stage.say(80).wait(), SoundPlayed)


def test_a_pause_is_not_interrupted(stage: Stage) -> None:
    stage.ask(PauseSound(paused=True))
    waiting = stage.say(400)
    assert not stage.speaker.interrupt()
    stage.ask(PauseSound(paused=False))
    assert isinstance(waiting.wait(), SoundPlayed)
    assert not stage.interruptions


def test_a_loudspeaker_that_cannot_be_opened_fails_all_that_waits(stage: Stage) -> None:
    stage.ask(PauseSound(paused=True))
    asked = [stage.say(80), stage.say(80)]
    stage.outputs.error = speaker_error(Reason.BUSY)
    stage.ask(PauseSound(paused=False))
    assert [each.wait().code for each in asked] == ["speaker.busy"] * 2
    stage.outputs.error = None
    assert isinstance(stage.say(80).wait(), SoundPlayed)


def test_a_loudspeaker_that_does_not_start(stage: Stage) -> None:
    stage.outputs.start_error = speaker_error(Reason.FAILED)
    assert stage.say(80).wait().code == "speaker.failed"
    assert stage.outputs.last.calls == ["start", "close"]


def test_an_error_that_nobody_expects_has_words(stage: Stage) -> None:
    stage.outputs.error = RuntimeError("Device unavailable", -9985)
    assert stage.say(80).wait().code == "speaker.busy"


def test_a_loudspeaker_that_goes_away(stage: Stage) -> None:
    asked = stage.say(80_000)
    stage.wait_for_sound()
    stage.outputs.last.lost = True
    assert asked.wait().code == "speaker.lost"
    assert stage.outputs.last.calls[-1] == "close"


def test_a_loudspeaker_that_stands_still(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALLED_S", 0.1)
    asked = stage.say(80_000)
    stage.wait_for_sound()
    stage.outputs.last._stopping.set()
    assert asked.wait().code == "speaker.lost"


def test_another_loudspeaker_is_opened_when_the_first_is_done(stage: Stage) -> None:
    first, second = stage.say(400), stage.say(400, device="other")
    first.wait()
    second.wait()
    assert [device for device, _ in stage.outputs.opened] == ["", "other"]
    assert np.count_nonzero(stage.outputs.opened[0][1].sound() == 1001) > 350
    assert np.count_nonzero(stage.outputs.opened[1][1].sound() == 1002) > 350


def test_a_loudspeaker_of_another_rate_gets_fitted_samples(stage: Stage) -> None:
    stage.outputs.own_rate = 2 * RATE
    first, second = stage.say(800), stage.say(800)
    assert first.wait() == SoundPlayed(seconds=0.1)
    assert second.wait() == SoundPlayed(seconds=0.1)
    sound = stage.outputs.last.sound()
    assert np.count_nonzero(np.abs(sound - 1001) < 2) > 1400
    assert np.count_nonzero(np.abs(sound - 1002) < 2) > 1400


def test_a_text_that_cannot_be_spoken_fails_alone(stage: Stage) -> None:
    first, bad, last = stage.say(400), stage.say("fails"), stage.say(80)
    assert bad.wait().code == "voice.failed"
    assert isinstance(first.wait(), SoundPlayed)
    assert isinstance(last.wait(), SoundPlayed)


def in_a_lane(stage: Stage, asked: Asked) -> threading.Thread:
    lane = threading.Thread(target=stage.handle, args=(asked,))
    lane.start()
    return lane


def test_the_first_part_is_heard_while_the_rest_is_made(stage: Stage) -> None:
    stage.voice.go_on.clear()
    asked = Asked(Say(text="800+800", voice_path="v", pause_after_s=0.05))
    lane = in_a_lane(stage, asked)
    stage.wait_for_sound()
    stage.wait_until(lambda: bool(asked.progress))
    started = asked.progress[0]
    assert isinstance(started, SoundStarted)
    assert started.seconds == pytest.approx(len("800+800") / 15), "an estimate"
    time.sleep(0.2)
    assert not asked.ended.is_set(), "it is heard, and not whole"
    assert not stage.speaker.is_sounding
    behind = Asked(Play(sample_rate=RATE), np.full(400, 7, np.int16).tobytes())
    stage.handle(behind)
    time.sleep(0.05)
    assert not np.any(stage.outputs.last.sound() == 7), "what is behind it waits"
    stage.voice.go_on.set()
    assert asked.wait() == SoundPlayed(seconds=0.2)
    lane.join()
    behind.wait()
    sound = stage.outputs.last.sound()
    assert [np.count_nonzero(sound == level) > 750 for level in (1001, 1002)] == [True, True]
    assert int(np.argmax(sound == 7)) - int(np.flatnonzero(sound == 1002)[-1]) > 0.04 * RATE


def test_only_what_somebody_waits_for_is_hurried(stage: Stage) -> None:
    for asked in [stage.say(800), stage.say(80)]:
        asked.wait()
    stage.say(80).wait()
    assert stage.voice.hurries == [True, False, True]


def test_a_text_that_fails_later_ends_with_its_reason(stage: Stage) -> None:
    stage.voice.go_on.clear()
    asked = Asked(Say(text="800+fails", voice_path="v"))
    lane = in_a_lane(stage, asked)
    stage.wait_for_sound()
    stage.voice.go_on.set()
    assert asked.wait().code == "voice.failed"
    lane.join()
    assert isinstance(stage.say(80).wait(), SoundPlayed)


def test_no_more_is_made_for_a_loudspeaker_that_has_gone(stage: Stage) -> None:
    stage.voice.go_on.clear()
    asked = Asked(Say(text="80000+80", voice_path="v"))
    lane = in_a_lane(stage, asked)
    stage.wait_for_sound()
    stage.outputs.last.lost = True
    assert asked.wait().code == "speaker.lost"
    lane.join(5)
    assert not lane.is_alive()
    assert len(stage.voice.spoken) == 1


def test_speech_into_samples(stage: Stage) -> None:
    result = stage.ask(Synthesize(text="100", voice_path="v", speed=2.0)).wait()
    assert isinstance(result, Reply)
    assert result.body == Sound(sample_rate=RATE, n_samples=100)
    assert np.array_equal(np.frombuffer(result.payload, "<i2"), np.full(100, 1001))
    assert not stage.outputs.opened


def test_speech_into_samples_can_be_cancelled(stage: Stage) -> None:
    stage.voice.go.clear()
    asked = Asked(Synthesize(text="80", voice_path="v"))
    lane = in_a_lane(stage, asked)
    stage.voice.began.wait(5)
    asked.cancel()
    assert isinstance(asked.wait(), Cancelled)
    lane.join()


def test_the_end_of_the_worker_closes_everything(stage: Stage, tmp_path: Path) -> None:
    asked = [stage.say(80_000), stage.say(80)]
    stage.wait_for_sound()
    stage.speaker.end()
    assert all(each.is_cancelled for each in asked)
    assert stage.outputs.last.calls[-1] == "close"
    assert stage.speaker._playback._thread is None
    assert stage.say(80).is_cancelled
