"""The microphone: opened, heard, understood, closed, and nothing of it kept that the user did not ask for."""

import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.errors import AppError, WorkerError
from app.protocol.audio import SPEECH_RATE
from app.protocol.body import Body
from app.protocol.speech import FinishRecording, MicrophoneState, PartialTranscript, Record, Recorded
from app.worker.runtime import LATER, Cancelled
from app.worker.voice import keeping
from app.worker.voice.recording import Recorder
from scripts.bench.word_errors import word_errors, words
from tests.worker.voice.hearing import (
    OPTIONS,
    Loudspeaker,
    Microphone,
    Sent,
    Waveform,
    in_room,
    quiet,
    spoken,
    understanding,
)

SENTENCE = "He turned to the left and closed the door behind him."
QUESTION = "Please wait a moment, I have another question."


def speech(*sentences: str, before_s: float = 1.0, after_s: float = 1.5) -> Waveform:
    """Give sentences spoken in a quiet room."""
    parts = [quiet(before_s)]
    for sentence in sentences:
        parts += [spoken(sentence), quiet(after_s)]
    return in_room(np.concatenate(parts))


class Desk:
    """A recorder with a microphone and a loudspeaker, and the request that runs on it."""

    def __init__(self, microphone: Microphone, loudspeaker: Loudspeaker | None = None) -> None:
        """Connect them."""
        self.microphone = microphone
        self.loudspeaker = loudspeaker or Loudspeaker()
        self.recorder = Recorder(microphone, understanding(), self.loudspeaker)
        self.sent = Sent(Record(options=None))

    def start(self, **options: Any) -> Sent:
        """Begin to record."""
        request = Record(**{"options": OPTIONS, **options})
        self.sent = Sent(request)
        assert self.recorder.record(request, self.sent.job) is LATER
        return self.sent

    def finish(self) -> None:
        """Ask for the end."""
        request = FinishRecording()
        self.recorder.finish(request, Sent(request).job)

    def cancel(self) -> None:
        """Cancel, as the worker's runtime does."""
        self.sent.job.cancel()
        if self.sent.job.on_cancel is not None:
            self.sent.job.on_cancel()

    def end(self) -> Recorded:
        """Wait for the result."""
        return self.sent.result(Recorded)

    def heard_all(self, progress: list[Body]) -> bool:
        """Whether the microphone gave all of its sound."""
        return self.microphone.n_heard >= self.microphone.n_samples


@pytest.fixture
def desks() -> Iterator[list[Desk]]:
    """Recorders that are ended after the test."""
    opened: list[Desk] = []
    yield opened
    for desk in opened:
        desk.recorder.end()


def recorded(desks: list[Desk], sound: Waveform, pace: float = 0.0, **options: Any) -> Desk:
    """Begin to record a sound."""
    desk = Desk(Microphone(sound, pace))
    desks.append(desk)
    desk.start(**options)
    return desk


def test_push_to_talk(desks: list[Desk]) -> None:
    """Hold, speak, release: states, a partial text on the way, the whole text at the end."""
    desk = recorded(desks, speech(SENTENCE), pace=0.1)
    desk.sent.await_progress(lambda _: desk.heard_all([]) and bool(desk.sent.of(PartialTranscript)))
    desk.finish()
    result = desk.end()
    assert word_errors(SENTENCE, result.text).n_errors == 0
    assert (result.ended_by, result.language, result.doubtful) == ("finish", "en", False)
    assert result.recording_path == ""
    assert 0.8 < result.segments[0].start_s < 1.6
    states = desk.sent.of(MicrophoneState)
    assert states[0].phase == "opening"
    assert states[-1].phase == "transcribing"
    assert "hearing" in {state.phase for state in states}
    assert max(state.level_db for state in states) > -35
    assert all(0 <= peak <= 1 for state in states for peak in state.peaks)
    assert set(words(desk.sent.of(PartialTranscript)[-1].text)) & set(words(SENTENCE))


def test_the_microphone_is_closed_before_the_text_is_made(
    desks: list[Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the model works on the rest, the microphone's sign is out."""
    closed: list[bool] = []
    desk = recorded(desks, speech(SENTENCE))
    take = desk.sent.job._send

    def note(message: Any) -> None:
        if message.body.get("phase") == "transcribing":
            closed.append(desk.microphone.closed_at is not None)
        take(message)

    desk.sent.job._send = note
    desk.sent.await_progress(desk.heard_all)
    desk.finish()
    desk.end()
    assert closed == [True]


def test_hands_free_ends_by_itself(desks: list[Desk]) -> None:
    """It waits for speech, keeps a little before it, and ends with the quiet after it."""
    desk = recorded(desks, speech(SENTENCE, before_s=9.0, after_s=3.0), hands_free=True)
    result = desk.end()
    assert result.ended_by == "silence"
    assert word_errors(SENTENCE, result.text).n_errors == 0
    assert result.segments[0].start_s < 0.8, "times are of the recording, which begins with speech"


def test_hands_free_takes_no_click_for_speech(desks: list[Desk]) -> None:
    """Noise and clicks before speech begin nothing."""
    noise = quiet(3.0)
    noise[:: SPEECH_RATE // 2] = 0.9
    noise[SPEECH_RATE : SPEECH_RATE + 8000] += (
        np.random.default_rng(2).normal(0, 0.1, 8000).astype(np.float32)
    )
    desk = recorded(desks, np.concatenate([noise, speech(QUESTION, after_s=3.0)]), hands_free=True)
    result = desk.end()
    assert word_errors(QUESTION, result.text).n_errors == 0
    assert result.ended_by == "silence"


def test_the_limit(desks: list[Desk]) -> None:
    """A recording that is long enough ends by itself."""
    desk = recorded(desks, speech(SENTENCE), max_seconds=2.0, options=None)
    assert desk.end().ended_by == "limit"
    waiting = recorded(desks, speech(SENTENCE, before_s=5.0), max_seconds=1.0, options=None, hands_free=True)
    assert waiting.end().ended_by == "limit"
    assert waiting.microphone.n_heard > 6 * SPEECH_RATE, "counted from the beginning of speech"


def test_nothing_was_said(desks: list[Desk]) -> None:
    """Silence has no text and is no error."""
    desk = recorded(desks, quiet(1.0))
    desk.sent.await_progress(desk.heard_all)
    desk.finish()
    result = desk.end()
    assert (result.text, result.segments, result.doubtful) == ("", (), False)


def test_a_test_of_the_microphone_understands_nothing(desks: list[Desk]) -> None:
    """Without options there are levels, and no model is asked."""
    desk = recorded(desks, speech(SENTENCE), options=None)
    desk.sent.await_progress(desk.heard_all)
    desk.finish()
    result = desk.end()
    assert result.text == ""
    assert max(state.level_db for state in desk.sent.of(MicrophoneState)) > -35
    assert not desk.sent.of(PartialTranscript)


def test_a_device_that_goes_away(desks: list[Desk]) -> None:
    """What came before the loss is understood."""
    sound = speech(SENTENCE)
    desk = Desk(Microphone(sound, lost_after=len(sound)))
    desks.append(desk)
    desk.start()
    result = desk.end()
    assert result.ended_by == "lost"
    assert word_errors(SENTENCE, result.text).n_errors == 0


def test_a_device_that_never_gave_anything(desks: list[Desk]) -> None:
    """Its reason is said."""
    desk = Desk(Microphone(quiet(1.0), lost_after=0))
    desks.append(desk)
    desk.start()
    with pytest.raises(WorkerError) as failed:
        desk.end()
    assert failed.value.code == "microphone.failed"


def test_a_device_that_cannot_be_opened(desks: list[Desk]) -> None:
    """The reason is passed on, and the next recording works."""
    desk = Desk(Microphone(speech(SENTENCE)))
    desks.append(desk)
    desk.microphone.error = WorkerError("microphone.busy", "Another program uses the microphone.")
    desk.start()
    with pytest.raises(AppError) as failed:
        desk.end()
    assert failed.value.code == "microphone.busy"
    desk.microphone.error = None
    desk.start(max_seconds=0.5)
    assert desk.end().ended_by == "limit"


def test_a_model_that_is_not_there_closes_the_microphone(desks: list[Desk], tmp_path: Path) -> None:
    """Nobody speaks into a microphone that nobody understands."""
    desk = recorded(desks, speech(SENTENCE), options=replace(OPTIONS, model_path=str(tmp_path / "gone")))
    with pytest.raises(AppError) as failed:
        desk.end()
    assert failed.value.code == "speech.model_missing"
    assert desk.microphone.opened == 0 or desk.microphone.closed_at is not None


def test_cancelling_closes_it_and_keeps_nothing(desks: list[Desk], tmp_path: Path) -> None:
    """A cancel while somebody speaks: closed, nothing understood, nothing on the disk."""
    desk = recorded(desks, speech(SENTENCE), keep_dir=str(tmp_path / "kept"))
    desk.sent.await_progress(desk.heard_all)
    desk.cancel()
    with pytest.raises(Cancelled):
        desk.end()
    assert desk.microphone.closed_at is not None
    assert not (tmp_path / "kept").exists()


def test_cancelling_while_it_is_understood(desks: list[Desk], tmp_path: Path) -> None:
    """The request ends at the moment of the cancel; nothing is kept."""
    desk = recorded(desks, speech(SENTENCE), keep_dir=str(tmp_path / "kept"))
    desk.sent.await_progress(desk.heard_all)
    desk.finish()
    desk.sent.await_progress(
        lambda progress: any(
            isinstance(body, MicrophoneState) and body.phase == "transcribing" for body in progress
        )
    )
    ends_now = desk.sent.job.cancel()
    if ends_now:
        with pytest.raises(Cancelled):
            desk.end()
        assert not (tmp_path / "kept").exists()
    else:
        assert desk.end().text, "it was faster than the cancel"


def test_one_at_a_time(desks: list[Desk]) -> None:
    """A second recording is refused; finishing nothing is silent."""
    desk = Desk(Microphone(quiet(1.0)))
    desks.append(desk)
    desk.finish()
    desk.start(options=None)
    desk.sent.await_progress(lambda progress: len(progress) > 1)
    with pytest.raises(AppError) as refused:
        desk.recorder.record(Record(options=None), Sent(Record(options=None)).job)
    assert refused.value.code == "microphone.in_use"
    desk.finish()
    assert desk.end().ended_by == "finish"
    desk.start(options=None, max_seconds=0.1)
    assert desk.end().ended_by == "limit"


def test_a_key_that_was_only_touched(desks: list[Desk]) -> None:
    """A finish that overtakes its recording ends it; the microphone is not even opened."""
    desk = Desk(Microphone(quiet(1.0)))
    desks.append(desk)
    request = Record(options=None)
    early = Sent(request)
    desk.finish()
    assert desk.recorder.record(request, early.job) is LATER
    assert early.result(Recorded).ended_by == "finish"
    assert desk.microphone.opened == 0


def test_the_sound_is_kept_where_that_is_wanted(desks: list[Desk], tmp_path: Path) -> None:
    """A WAV file that only the user may read, from a little before speech on; no half one beside it."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / ".recording-of-a-killed-worker.wav.part").write_bytes(b"half")
    sound = speech(SENTENCE, before_s=3.0, after_s=3.0)
    result = recorded(desks, sound, hands_free=True, keep_dir=str(folder), options=None).end()
    (path,) = folder.iterdir()
    assert result.recording_path == str(path)
    assert path.stat().st_mode & 0o077 == 0
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SPEECH_RATE, 1, 2)
        kept_s = file.getnframes() / SPEECH_RATE
    assert len(spoken(SENTENCE)) / SPEECH_RATE < kept_s + 0.5 < len(spoken(SENTENCE)) / SPEECH_RATE + 2.5


def test_a_disk_that_is_full_does_not_cost_the_words(
    desks: list[Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the sound cannot be kept, the text is still there, and no half file."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.worker.voice.keeping.os.fsync", full)
    desk = recorded(desks, speech(SENTENCE), keep_dir=str(tmp_path))
    desk.sent.await_progress(desk.heard_all)
    desk.finish()
    result = desk.end()
    assert result.text
    assert result.recording_path == ""
    assert list(tmp_path.iterdir()) == []


def test_two_recordings_in_one_second_have_two_names(tmp_path: Path) -> None:
    """No recording takes the place of another."""
    samples = np.zeros(10, np.int16)
    assert len({keeping.keep_recording(tmp_path, samples) for _ in range(3)}) == 3


def test_barge_in_stops_the_reading(desks: list[Desk]) -> None:
    """Speech into the loudspeaker's echo silences it within 300 ms; the echo alone does not."""
    reading = np.concatenate(
        [spoken(SENTENCE), quiet(0.3, 0), spoken(QUESTION), quiet(0.3, 0), spoken(SENTENCE)]
    )
    loudspeaker = Loudspeaker(reading)
    delayed = np.concatenate([np.zeros(1600, np.float32), reading])[: len(reading)]
    sound = in_room((delayed * 0.25).astype(np.float32))
    voice = spoken("Stop, I want to ask something else.")
    begin = len(spoken(SENTENCE)) + len(spoken(QUESTION)) - SPEECH_RATE
    first = int(np.flatnonzero(np.abs(voice) > 0.03)[0])
    length = min(len(voice) - first, len(sound) - begin)
    sound[begin : begin + length] += voice[first : first + length]
    desk = Desk(Microphone(np.concatenate([sound, quiet(3.0)])), loudspeaker)
    desks.append(desk)
    desk.start(hands_free=True, barge_in=True)
    result = desk.end()
    assert loudspeaker.interrupted_at is not None
    assert begin < loudspeaker.interrupted_at <= begin + 0.3 * SPEECH_RATE
    assert "ask" in result.text


def test_without_barge_in_the_reading_goes_on(desks: list[Desk]) -> None:
    """Speaking into a reading stops nothing where that is not wanted."""
    loudspeaker = Loudspeaker(spoken(SENTENCE))
    desk = Desk(Microphone(speech(QUESTION)), loudspeaker)
    desks.append(desk)
    desk.start(options=None)
    desk.sent.await_progress(desk.heard_all)
    desk.finish()
    desk.end()
    assert loudspeaker.interrupted_at is None
