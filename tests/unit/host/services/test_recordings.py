"""Recordings of the library: transcribed in the background, and whatever happens the library hears of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import FileError, ModelError, WorkerError
from app.host.services import recordings as module
from app.host.services.recordings import RecordingsService
from app.host.services.transcribing import Transcriber
from app.host.services.voice_models import SPEECH_DIR, VoiceModels
from app.host.services.voice_use import VoiceUse
from app.protocol.recordings import (
    FailRecording,
    NoteTranscription,
    RecordingUnwanted,
    RecordingWaits,
    ResumeRecordings,
    StoreTranscript,
    TakeRecording,
    TranscriptLine,
    WaitingRecording,
)
from app.protocol.system import Empty
from tests.unit.host.conftest import Recorder, until
from tests.unit.host.services.voice_fakes import Desk, FakeSettings, died, put_speech_model


class Shelf:
    """A library in which recordings wait.

    Attributes:
        waiting: those that are given next.
        told: what the host said of them.
        error: raised by every request.
    """

    def __init__(self) -> None:
        self.waiting: list[WaitingRecording] = []
        self.told: list[Any] = []
        self.error: Exception | None = None

    def put(self, location_id: int) -> None:
        path = f"/{location_id}.wav"
        self.waiting.append(WaitingRecording(location_id=location_id, revision=5, path=path, name="x"))

    async def call(self, request: Any) -> Any:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        if isinstance(request, TakeRecording):
            return self.waiting.pop(0) if self.waiting else WaitingRecording(location_id=0)
        self.told.append(request)
        return Empty()

    async def throttle(self, active: bool) -> None:
        raise AssertionError("recordings do not throttle")

    def of(self, kind: type[Any]) -> list[Any]:
        return [request for request in self.told if isinstance(request, kind)]


class Room:
    """A service for recordings and what stands around it."""

    def __init__(self, tmp_path: Path) -> None:
        self.desk, self.shelf, self.use = Desk(), Shelf(), VoiceUse(Recorder())
        self.understanding, self.sounds = self.desk.understanding, self.desk.sounds
        self.settings = FakeSettings()
        self.bundled_dir, self.models_dir = tmp_path / "bundled", tmp_path / "models"
        self.models = VoiceModels(self.bundled_dir, self.models_dir, self.settings)
        self.transcriber = Transcriber(self.desk.decoder, self.desk.voice)
        self.service = RecordingsService(self.shelf, self.transcriber, self.models, self.settings, self.use)
        self.settings.listen(self.service.on_settings)

    def wake(self) -> None:
        self.service.on_recording(RecordingWaits())


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path)
    put_speech_model(room.bundled_dir / SPEECH_DIR / "whisper-tiny")
    yield room
    await room.service.close()
    await room.transcriber.close()


async def test_what_waits_is_transcribed_and_stored(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TELL_EVERY_S", 0.0)
    room.shelf.put(1)
    room.shelf.put(2)
    room.service.open()
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 2)
    stored = room.shelf.of(StoreTranscript)[0]
    assert (stored.location_id, stored.revision) == (1, 5)
    assert stored.lines[0] == TranscriptLine(start_s=0.0, end_s=30.0, text="piece 1")
    assert len(stored.lines) == 3 and stored.seconds == 70.0
    assert (stored.language, stored.format, stored.title) == ("en", "wav", "A talk")
    assert stored.model == "whisper-tiny" and stored.note == ""
    await until(lambda: len(room.shelf.of(NoteTranscription)) == 6)
    assert room.shelf.of(NoteTranscription)[0].progress == pytest.approx(30 / 70)
    await until(lambda: not room.service.is_busy())
    room.shelf.put(3)
    room.wake()
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 3)


async def test_silence_and_doubts_are_stored_as_such(room: Room) -> None:
    room.understanding.silent = True
    room.sounds.tells_length = False
    room.shelf.put(1)
    room.service.open()
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 1)
    assert room.shelf.of(StoreTranscript)[0].lines == ()
    room.understanding.silent, room.understanding.doubtful = False, True
    room.shelf.put(2)
    room.wake()
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 2)
    doubtful = room.shelf.of(StoreTranscript)[1]
    assert doubtful.note_code == "transcript.doubtful"
    assert "English only" in doubtful.note and "multilingual" in doubtful.note_hint


async def test_talking_and_answers_come_first(room: Room) -> None:
    room.use.on_answers(True)
    room.shelf.put(1)
    room.service.open()
    await until(room.service.is_busy)
    await asyncio.sleep(0.02)
    assert room.understanding.opened == []
    room.understanding.gate.clear()
    room.use.on_answers(False)
    await until(lambda: len(room.understanding.opened) == 1)
    with room.use.talking():
        await until(lambda: room.understanding.open_handles == set())  # it gives way at once
        await asyncio.sleep(0.02)
        assert len(room.understanding.opened) == 1
    room.understanding.gate.set()
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 1)
    assert len(room.shelf.of(StoreTranscript)[0].lines) == 3


class Pausing(Transcriber):
    """Its voice worker can be held still; `woken` says whether somebody else asked for it."""

    paused: asyncio.Event | None = None
    n_pauses = 0

    def pause(self) -> asyncio.Event | None:
        self.n_pauses += 1
        self.paused = asyncio.Event()
        return self.paused

    def resume(self) -> None:
        self.paused = None


@pytest.fixture
async def pausing(tmp_path: Path) -> AsyncIterator[tuple[Room, Pausing]]:
    room = Room(tmp_path)
    room.transcriber = transcriber = Pausing(room.desk.decoder, room.desk.voice, patient=True)
    room.service = RecordingsService(room.shelf, transcriber, room.models, room.settings, room.use)
    put_speech_model(room.bundled_dir / SPEECH_DIR / "whisper-tiny")
    room.understanding.gate.clear()
    room.shelf.put(1)
    room.service.open()
    await until(lambda: len(room.understanding.opened) == 1)
    yield room, transcriber
    await room.service.close()
    await transcriber.close()


async def test_an_answer_holds_it_still_and_nothing_is_done_twice(pausing: tuple[Room, Pausing]) -> None:
    room, transcriber = pausing
    for n_answers in (1, 2):
        room.use.on_answers(True)
        await until(lambda: transcriber.paused is not None)
        assert room.understanding.open_handles == {"t1"} and transcriber.n_pauses == n_answers
        room.use.on_answers(False)
        await until(lambda: transcriber.paused is None)
    room.understanding.gate.set()
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 1)
    assert len(room.understanding.opened) == 1
    assert [line.end_s for line in room.shelf.of(StoreTranscript)[0].lines] == [30.0, 60.0, 70.0]


async def test_held_still_it_is_broken_off_where_somebody_needs_the_worker(
    pausing: tuple[Room, Pausing],
) -> None:
    room, transcriber = pausing
    room.use.on_answers(True)
    await until(lambda: transcriber.paused is not None)
    assert transcriber.paused is not None
    transcriber.paused.set()
    await until(lambda: room.understanding.open_handles == set())
    assert transcriber.paused is None
    room.use.on_answers(False)
    await until(lambda: len(room.understanding.opened) == 2)
    with room.use.talking():
        room.use.on_answers(True)
        await until(lambda: room.understanding.open_handles == set())
    assert transcriber.n_pauses == 1


@pytest.mark.parametrize("ends", ["closed", "unwanted", "died"])
async def test_held_still_it_can_end(pausing: tuple[Room, Pausing], ends: str) -> None:
    room, transcriber = pausing
    room.understanding.failures = [died("voice"), died("voice")]
    room.use.on_answers(True)
    await until(lambda: transcriber.paused is not None)
    if ends == "closed":
        await room.service.close()
    elif ends == "unwanted":
        room.service.on_recording(RecordingUnwanted(location_id=1, revision=5))
    else:
        room.understanding.gate.set()
    await until(lambda: transcriber.paused is None)
    await until(lambda: room.understanding.open_handles == set())


async def test_what_nobody_wants_any_more_is_broken_off(room: Room) -> None:
    room.understanding.gate.clear()
    room.shelf.put(1)
    room.service.open()
    await until(lambda: len(room.understanding.opened) == 1)
    room.service.on_recording(RecordingUnwanted(location_id=1, revision=4))
    room.service.on_recording(RecordingUnwanted(location_id=2, revision=5))
    room.service.on_recording(Empty())
    await asyncio.sleep(0.02)
    assert room.service.is_busy()
    room.service.on_recording(RecordingUnwanted(location_id=1, revision=5))
    await until(lambda: not room.service.is_busy())
    assert room.shelf.told == []
    room.service.on_recording(RecordingUnwanted(location_id=1, revision=5))


async def test_a_process_that_dies_is_given_one_more_chance(room: Room) -> None:
    room.understanding.failures = [None, died("voice")]
    room.shelf.put(1)
    room.service.open()
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 1)
    assert [line.end_s for line in room.shelf.of(StoreTranscript)[0].lines] == [30.0, 60.0, 70.0]
    room.understanding.failures = [died("voice"), died("voice")]
    room.shelf.put(2)
    room.wake()
    await until(lambda: len(room.shelf.of(FailRecording)) == 1)
    failed = room.shelf.of(FailRecording)[0]
    assert (failed.code, failed.later, failed.location_id) == ("worker.died", False, 2)
    assert failed.reason == "The voice process crashed." and failed.hint == "Try again."


async def test_a_bad_file_fails_with_its_reason_and_the_next_one_goes_on(room: Room) -> None:
    room.sounds.error = FileError("audio.no_sound", "There is no sound in it.", "Use another file.")
    room.shelf.put(1)
    room.service.open()
    await until(lambda: len(room.shelf.of(FailRecording)) == 1)
    assert not room.shelf.of(FailRecording)[0].later
    room.sounds.error = None
    room.shelf.put(2)
    room.wake()
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 1)


async def test_a_defect_of_ours_is_told_too(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.understanding.failures = [ZeroDivisionError()]
    room.shelf.put(1)
    room.service.open()
    await until(lambda: len(room.shelf.of(FailRecording)) == 1)
    assert "ZeroDivisionError" in room.shelf.of(FailRecording)[0].reason
    assert caplog.records and caplog.records[0].levelname == "ERROR"
    caplog.clear()


async def test_the_end_of_the_program_fails_nothing(room: Room) -> None:
    room.understanding.failures = [WorkerError("worker.stopped", "The program is ending.")]
    room.shelf.put(1)
    room.service.open()
    await until(lambda: not room.understanding.failures and not room.service.is_busy())
    assert room.shelf.told == []


async def test_without_a_model_they_wait_until_one_comes(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.shelf.put(1)
    room.service.open()
    await room.service.look_for_models()  # nothing waits for one yet
    await until(lambda: len(room.shelf.of(FailRecording)) == 1)
    assert room.shelf.of(FailRecording)[0].code == "speech.none" and room.shelf.of(FailRecording)[0].later
    await room.service.look_for_models()
    assert room.shelf.of(ResumeRecordings) == []
    put_speech_model(room.models_dir / "whisper-base", 51_865)
    room.shelf.put(1)
    await room.service.look_for_models()
    assert len(room.shelf.of(ResumeRecordings)) == 1
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 1)
    await room.service.close()
    await room.transcriber.close()


async def test_another_choice_in_the_settings_tries_again(room: Room) -> None:
    room.understanding.open_error = ModelError("speech.not_multilingual", "It knows English only.")
    room.settings.change(theme="dark")
    room.service.open()
    room.shelf.put(1)
    await until(lambda: len(room.shelf.of(FailRecording)) == 1)
    assert room.shelf.of(FailRecording)[0].later
    room.understanding.open_error = None
    room.settings.change(theme="light")
    room.shelf.put(1)
    room.settings.change(speech_language="en")
    await until(lambda: len(room.shelf.of(StoreTranscript)) == 1)
    assert len(room.shelf.of(ResumeRecordings)) == 1


async def test_a_library_that_is_gone_is_waited_for(room: Room) -> None:
    room.shelf.error = died("library")
    room.service.open()
    await asyncio.sleep(0.02)
    room.shelf.error = None
    room.understanding.gate.clear()
    room.shelf.put(1)
    room.wake()
    await until(room.service.is_busy)
    room.shelf.error = died("library")
    room.understanding.gate.set()
    await until(lambda: not room.service.is_busy())
    assert room.shelf.told == []


async def test_closing_breaks_off_what_runs(tmp_path: Path) -> None:
    room = Room(tmp_path)
    await room.service.close()  # nothing was opened
    put_speech_model(room.bundled_dir / SPEECH_DIR / "whisper-tiny")
    room.understanding.gate.clear()
    room.shelf.put(1)
    room.service.open()
    await until(lambda: len(room.understanding.opened) == 1)
    await room.service.close()
    await room.transcriber.close()
    assert room.understanding.open_handles == set() and room.shelf.told == []
