"""Playing documents: pieces in little steps, positions of the file, one sound at a time."""

import asyncio
from typing import Any

import pytest

from app.core.errors import AppError, FileError
from app.host.services.playing import N_AHEAD, PlayingService
from app.host.services.voice_use import VoiceUse
from app.protocol.audio import ReadAudio
from app.protocol.documents import DocumentSource
from app.protocol.speech import PauseSound, Play, SetVolume
from app.protocol.voice import ControlReading, PlaybackPosition, PlayDocument, ReadingEnded
from tests.unit.host.conftest import Context, Recorder, until
from tests.unit.host.services.voice_fakes import Desk, FakeSettings, died


class Shelf:
    """A library that knows one document."""

    def __init__(self) -> None:
        self.state = "unchanged"

    async def call(self, request: Any) -> Any:
        return DocumentSource(path="/talk.wav", source=self.state, sha256="0")

    async def throttle(self, active: bool) -> None:
        raise AssertionError("playing does not throttle")


class Room:
    """A playing service and what stands around it."""

    def __init__(self) -> None:
        self.desk, self.shelf = Desk(), Shelf()
        self.desk.sounds.seconds = 5.0
        self.loudspeaker, self.sounds = self.desk.loudspeaker, self.desk.sounds
        self.use = VoiceUse(Recorder())
        settings = FakeSettings(voice_volume=0.5, speaker="s")
        self.service = PlayingService(self.shelf, self.desk.decoder, self.desk.voice, settings, self.use)
        self.context = Context()

    def play(self, **values: Any) -> "asyncio.Task[Any]":
        request = PlayDocument(document_id=7, **values)
        return asyncio.create_task(self.service.handlers()[PlayDocument](request, self.context))  # type: ignore[arg-type]

    def positions(self) -> list[float]:
        return [body.seconds for body in self.context.progressed if isinstance(body, PlaybackPosition)]

    def sizes_s(self) -> list[float]:
        return [int(name.split()[0]) / 2 / 24_000 for name in self.loudspeaker.heard]


@pytest.fixture
def room() -> Room:
    return Room()


async def test_a_document_is_played_in_pieces_with_times_of_the_file(room: Room) -> None:
    assert await room.play(start_s=0.5) == ReadingEnded(ended_by="end")
    assert room.sizes_s() == [2.0, 2.0, 0.5]
    assert room.positions() == [1.0, 3.0, 5.0]
    assert room.context.progressed[0] == PlaybackPosition(seconds=1.0, total_s=5.0)
    assert room.sounds.opened[0].path == "/talk.wav" and room.sounds.opened[0].sample_rate == 24_000
    assert room.sounds.open_handles == set() and room.use.sound is None
    play = room.desk.voice.of(Play)[0]
    assert (play.volume, play.device) == (0.5, "s")


async def test_it_stops_where_it_is_asked_to(room: Room) -> None:
    await room.play(start_s=1.0, end_s=3.5)
    assert room.sizes_s() == [2.0, 0.5]
    room.loudspeaker.heard.clear()
    assert (await room.play(start_s=2.0, end_s=1.0)).ended_by == "end"
    assert room.sizes_s() == []


async def test_little_is_fetched_ahead_and_it_can_be_stopped_and_paused(room: Room) -> None:
    room.sounds.seconds = 100.0
    room.loudspeaker.holding = True
    playing = room.play()
    await until(lambda: len(room.loudspeaker.line) == N_AHEAD)
    await asyncio.sleep(0.02)
    assert len(room.desk.decoder.of(ReadAudio)) == N_AHEAD
    await room.service.control(ControlReading(reading="document.7", paused=True, volume=0.1))
    await room.service.control(ControlReading(reading="document.7", paused=True))
    await room.service.control(ControlReading(reading="document.8", paused=False))
    assert room.desk.voice.of(PauseSound) == [PauseSound(paused=True)]
    assert room.desk.voice.of(SetVolume) == [SetVolume(volume=0.1)]
    assert room.use.sound is not None
    room.use.sound.end("stopped")
    assert (await playing).ended_by == "stopped"
    assert room.loudspeaker.line == [] and room.sounds.open_handles == set()
    assert room.desk.voice.of(PauseSound)[-1] == PauseSound(paused=False)


async def test_somebody_who_speaks_interrupts(room: Room) -> None:
    room.loudspeaker.holding = True
    playing = room.play()
    await until(lambda: len(room.loudspeaker.line) == N_AHEAD)
    room.loudspeaker.stop()
    assert (await playing).ended_by == "interrupted"


@pytest.mark.parametrize("state", ["missing", "changed"])
async def test_a_file_that_is_not_what_it_was_is_not_played(room: Room, state: str) -> None:
    room.shelf.state = state
    with pytest.raises(FileError) as caught:
        await room.play()
    assert caught.value.code == f"document.source_{state}" and caught.value.hint
    assert room.desk.decoder.requests == []


async def test_what_fails_is_told_and_the_file_is_closed(room: Room) -> None:
    room.desk.voice.script[Play] = lambda request, payload: died("voice")
    with pytest.raises(AppError) as caught:
        await room.play()
    assert caught.value.code == "worker.died" and room.sounds.open_handles == set()
    room.sounds.error = FileError("audio.no_sound", "There is no sound.")
    with pytest.raises(AppError) as silent:
        await room.play()
    assert silent.value.code == "audio.no_sound" and room.use.sound is None


async def test_a_decoder_that_is_gone_needs_no_closing(room: Room) -> None:
    room.sounds.read_error = died("decoder")
    room.desk.decoder.up = False
    with pytest.raises(AppError) as caught:
        await room.play()
    assert caught.value.code == "worker.died"
