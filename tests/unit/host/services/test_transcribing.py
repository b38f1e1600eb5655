"""Transcribing files: piece by piece, with times of the file, and nothing left open."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError, FileError, ModelError
from app.host.services.transcribing import Progress, Transcriber, TranscribingService
from app.host.services.voice_models import SPEECH_DIR, VoiceModels
from app.protocol.audio import ReadAudio
from app.protocol.speech import FeedTranscription, SpeechOptions
from app.protocol.voice import TranscribeFile, Transcript, TranscriptionProgress
from tests.unit.host.conftest import Context, until
from tests.unit.host.services.voice_fakes import Desk, FakeSettings, died, put_speech_model

OPTIONS = SpeechOptions(model_path="/m")


class Room:
    """A transcribing service and what stands around it."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        self.desk = Desk()
        put_speech_model(tmp_path / SPEECH_DIR / "whisper-tiny")
        self.settings = FakeSettings(**settings)
        models = VoiceModels(tmp_path, tmp_path / "models", self.settings)
        self.transcriber = Transcriber(self.desk.decoder, self.desk.voice)
        self.service = TranscribingService(self.transcriber, models, self.settings)
        self.context = Context()

    async def transcribe(self, **values: Any) -> Transcript:
        handler = self.service.handlers()[TranscribeFile]
        result = await handler(TranscribeFile(path="/talk.wav", **values), self.context)
        assert isinstance(result, Transcript)
        return result

    async def all_closed(self) -> bool:
        await self.transcriber.close()
        return self.desk.understanding.open_handles == set() == self.desk.sounds.open_handles


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


async def test_a_file_is_transcribed_piece_by_piece(room: Room) -> None:
    transcript = await room.transcribe()
    assert transcript.text == "piece 1 piece 2 piece 3" and transcript.language == "en"
    assert [(s.start_s, s.end_s) for s in transcript.segments] == [(0.0, 30.0), (30.0, 60.0), (60.0, 70.0)]
    assert transcript.seconds == 70.0 and transcript.compute_seconds > 0
    assert not transcript.doubtful and transcript.note == ""
    progress = [body for body in room.context.progressed if isinstance(body, TranscriptionProgress)]
    assert [(body.done_s, body.total_s, len(body.segments)) for body in progress] == [
        (30.0, 70.0, 1),
        (60.0, 70.0, 1),
        (70.0, 70.0, 1),
    ]
    assert [last for _, last in room.desk.understanding.fed] == [False, False, True]
    assert await room.all_closed()


async def test_no_more_than_one_piece_is_decoded_ahead(room: Room) -> None:
    room.desk.sounds.seconds = 300.0
    room.desk.understanding.gate.clear()
    task = asyncio.create_task(room.transcribe())
    await until(lambda: len(room.desk.decoder.of(ReadAudio)) == 2)
    await asyncio.sleep(0.02)
    assert len(room.desk.decoder.of(ReadAudio)) == 2
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() and await room.all_closed()


async def test_what_is_asked_for_goes_before_the_settings(room: Room) -> None:
    await room.transcribe(language="de", translate=True, model="whisper-tiny")
    (options,) = room.desk.understanding.opened
    assert (options.language, options.translate) == ("de", True)
    assert options.model_path.endswith("whisper-tiny")
    with pytest.raises(AppError) as caught:
        await room.transcribe(model="nope")
    assert caught.value.code == "speech.not_found"


async def test_doubts_and_damage_are_told_in_words(room: Room) -> None:
    room.desk.sounds.damaged = True
    damaged = await room.transcribe()
    assert not damaged.doubtful and "damaged" in damaged.note
    room.desk.sounds.damaged = False
    room.desk.sounds.n_tracks = 2
    one_of_two = await room.transcribe()
    assert one_of_two.note == (
        "This file has several tracks of sound, and one of them was transcribed. "
        "Save another one as a file of its own to get its words."
    )
    room.desk.understanding.doubtful = True
    doubtful = await room.transcribe()
    assert doubtful.doubtful
    assert doubtful.note == (
        "This does not sound like English, and the speech model here knows English only. "
        "Get a multilingual one in Models."
    )


async def test_silence_gives_an_empty_transcript(room: Room) -> None:
    room.desk.sounds.seconds, room.desk.sounds.tells_length = 0.0, False
    transcript = await room.transcribe()
    assert (transcript.text, transcript.segments, transcript.seconds) == ("", (), 0.0)
    assert room.desk.understanding.fed == [(0, True)]


async def test_whatever_fails_is_told_and_nothing_stays_open(room: Room) -> None:
    room.desk.sounds.error = FileError("audio.damaged", "It is damaged.")
    with pytest.raises(AppError, match="damaged"):
        await room.transcribe()
    room.desk.sounds.error = None
    room.desk.understanding.open_error = ModelError("speech.model_damaged", "It is damaged.")
    with pytest.raises(AppError) as model:
        await room.transcribe()
    assert model.value.code == "speech.model_damaged" and await room.all_closed()
    room.desk.understanding.open_error = None
    room.desk.understanding.failures = [died("voice")]
    with pytest.raises(AppError) as dead:
        await room.transcribe()
    assert dead.value.code == "worker.died" and await room.all_closed()
    room.desk.sounds.read_error = died("decoder")
    with pytest.raises(AppError):
        await room.transcribe()
    room.desk.decoder.up = room.desk.voice.up = False  # what has died needs no closing
    with pytest.raises(AppError):
        await room.transcribe()
    await room.transcriber.close()


async def test_it_goes_on_where_it_was_broken_off(room: Room) -> None:
    progress = Progress()
    room.desk.understanding.failures = [None, died("voice")]
    with pytest.raises(AppError):
        await room.transcriber.advance("/a.wav", OPTIONS, progress, lambda *_: None)
    assert progress.done_s == 30.0 and not progress.ended
    await room.transcriber.advance("/a.wav", OPTIONS, progress, lambda *_: None)
    assert [request.start_s for request in room.desk.sounds.opened] == [0.0, 30.0]
    assert [(s.start_s, s.end_s) for s in progress.segments] == [(0.0, 30.0), (30.0, 60.0), (60.0, 70.0)]
    assert progress.ended and (progress.format, progress.title) == ("wav", "A talk")
    assert len(room.desk.voice.of(FeedTranscription)) == 4
    await room.transcriber.close()
