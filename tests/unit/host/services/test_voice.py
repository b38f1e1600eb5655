"""Voice put together: who controls what, what the doctor finds, and what rests when nobody needs it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError
from app.core.paths import DataPaths
from app.host.services.library import LibraryService
from app.host.services.settings import SettingsService
from app.host.services.voice import VoiceService
from app.host.services.voice_models import SPEECH_DIR, VOICE_DIR
from app.protocol.body import request_types, to_message
from app.protocol.documents import DocumentSource, GetDocumentSource
from app.protocol.recordings import RecordingWaits, ResumeRecordings, TakeRecording, WaitingRecording
from app.protocol.speech import (
    AudioDevices,
    FindAudioDevices,
    OpenTranscription,
    PauseSound,
    SoundInterrupted,
    Synthesize,
)
from app.protocol.system import Check, Empty
from app.protocol.voice import (
    ControlReading,
    GetVoiceChoices,
    ListAudioDevices,
    PlayDocument,
    ReadAloud,
    StopReading,
    VoiceChoices,
)
from tests.unit.host.conftest import Context, Recorder, until
from tests.unit.host.services.voice_fakes import Desk, ScriptedWorker, died, put_speech_model, put_voice


class House:
    """The voice service with a library and settings of its own."""

    def __init__(self, paths: DataPaths, models_dir: Path) -> None:
        paths.root.mkdir(parents=True, exist_ok=True)
        self.desk, self.events = Desk(), Recorder()
        self.taken = 0
        self.library_worker = ScriptedWorker(
            "library",
            {
                TakeRecording: self._take,
                GetDocumentSource: lambda request, payload: DocumentSource(
                    path="/a.wav", source="unchanged", sha256="0"
                ),
            },
        )
        self.settings = SettingsService(paths.settings_path, self.events)
        self.library = LibraryService(self.library_worker, self.events)
        workers = {"decoder": self.desk.decoder, "voice": self.desk.voice}
        self.service = VoiceService(
            paths, models_dir, workers, self.library, self.settings, self.events, watch_period_s=0.01
        )
        self.handlers = self.service.handlers()

    def _take(self, request: TakeRecording, payload: bytes) -> WaitingRecording:
        self.taken += 1
        return WaitingRecording(location_id=0)

    def ask(self, request: Any) -> "asyncio.Task[Any]":
        return asyncio.create_task(self.handlers[type(request)](request, Context()))  # type: ignore[arg-type]

    async def checks(self) -> dict[str, Check]:
        return {check.name: check for check in await self.service.checks()}


@pytest.fixture
async def house(paths: DataPaths, tmp_path: Path) -> AsyncIterator[House]:
    models_dir = tmp_path / "starter"
    put_speech_model(models_dir / SPEECH_DIR / "whisper-tiny")
    put_voice(models_dir / VOICE_DIR / "joe", "joe", {"language": {"family": "en"}})
    house = House(paths, models_dir)
    yield house
    await house.service.close()


async def test_every_request_about_voice_is_served(house: House) -> None:
    assert set(house.handlers) == set(request_types("app.protocol.voice"))
    choices = await house.ask(GetVoiceChoices())
    assert isinstance(choices, VoiceChoices) and choices.voice == "joe"
    assert not house.service.is_busy()


async def test_a_wish_revives_workers_but_a_dialog_that_looks_does_not(house: House) -> None:
    house.service.open()
    house.library_worker.script[ResumeRecordings] = lambda request, payload: Empty()
    await until(lambda: house.taken > 0)
    voice = house.desk.voice
    voice._state, voice._n_restarts = "failed", 5
    voice.script[FindAudioDevices] = lambda request, payload: AudioDevices(inputs=(), outputs=())
    await house.ask(ListAudioDevices())
    assert voice.status().restarts == 5
    taken = house.taken
    await house.ask(StopReading())
    assert voice.status().restarts == 0
    await until(lambda: house.taken > taken)  # recordings that waited for it go on


async def test_a_document_and_a_reading_are_controlled_by_their_names(house: House) -> None:
    house.desk.loudspeaker.holding = True
    playing = house.ask(PlayDocument(document_id=7))
    await until(lambda: len(house.desk.loudspeaker.line) > 0)
    await house.ask(ControlReading(reading="document.7", paused=True))
    assert house.desk.voice.of(PauseSound) == [PauseSound(paused=True)]
    reading = house.ask(ReadAloud(reading="r", text="Hello."))
    assert (await playing).ended_by == "stopped"
    await until(lambda: len(house.desk.loudspeaker.line) == 1)
    await house.ask(ControlReading(reading="r", paused=True))
    assert house.desk.voice.of(PauseSound)[-1] == PauseSound(paused=True)
    house.service._on_voice_event(to_message(AudioDevices(inputs=(), outputs=())))
    house.service._on_voice_event(to_message(SoundInterrupted()))
    assert (await reading).ended_by == "interrupted"


async def test_the_library_is_asked_for_recordings_at_the_start_and_when_it_says_so(house: House) -> None:
    house.service.open()
    await until(lambda: house.taken == 1)
    house.library._on_event(to_message(RecordingWaits()))
    await until(lambda: house.taken == 2)
    house.library._on_ready()
    await until(lambda: house.taken == 3)
    assert house.events.messages == []  # it is nothing for front ends


async def test_workers_rest_when_nobody_uses_them(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    rested: list[str] = []
    idle_s = {"voice": 61.0, "decoder": 59.0}

    async def rest(worker: ScriptedWorker) -> None:
        rested.append(worker.kind)
        idle_s[worker.kind] = 0.0

    monkeypatch.setattr(ScriptedWorker, "rest", rest)
    monkeypatch.setattr(ScriptedWorker, "idle_s", property(lambda worker: idle_s[worker.kind]))
    house.settings.change({"idle_unload_minutes": 0})
    house.service.open()
    await asyncio.sleep(0.05)
    assert rested == []
    house.settings.change({"idle_unload_minutes": 1})
    await until(lambda: rested == ["voice"])
    idle_s["decoder"] = 60.0
    await until(lambda: rested == ["voice", "decoder"])


async def test_a_look_for_models_that_fails_is_repeated(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    async def look() -> None:
        looks.append(1)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(house.service._recordings, "look_for_models", look)
    house.service.open()
    await until(lambda: len(looks) >= 2)


async def test_the_doctor_tries_models_and_looks_for_devices(house: House) -> None:
    checks = await house.checks()
    assert {check.status for check in checks.values()} == {"ok"}
    assert "whisper-tiny" in checks["voice.speech_model"].detail
    assert "joe" in checks["voice.voice"].detail
    assert checks["voice.sound"].detail == "Plugged in: 1 microphone, 1 loudspeaker."
    assert house.desk.understanding.open_handles == set()


async def test_the_doctor_says_what_is_wrong_with_voice(house: House) -> None:
    house.desk.samples = b""
    house.desk.devices = AudioDevices(inputs=(), outputs=(), problem="No sound system.", hint="Start one.")
    house.desk.voice.script[OpenTranscription] = lambda request, payload: died("voice")
    checks = await house.checks()
    assert checks["voice.voice"].status == "error" and checks["voice.voice"].hint
    assert (checks["voice.sound"].status, checks["voice.sound"].hint) == ("warning", "Start one.")
    assert checks["voice.speech_model"].status == "error"
    house.desk.devices = AudioDevices(inputs=(), outputs=())
    assert "a microphone and a loudspeaker" in (await house.checks())["voice.sound"].hint
    house.desk.voice.script[FindAudioDevices] = lambda request, payload: died("voice")
    house.desk.voice.script[Synthesize] = lambda request, payload: died("voice")
    checks = await house.checks()
    assert checks["voice.sound"].status == checks["voice.voice"].status == "error"


async def test_no_models_are_no_fault(paths: DataPaths, tmp_path: Path) -> None:
    house = House(paths, tmp_path / "nothing")
    checks = await house.checks()
    assert checks["voice.speech_model"].status == checks["voice.voice"].status == "warning"
    with pytest.raises(AppError):
        await house.ask(ReadAloud(reading="r", text="Hello."))
    await house.service.close()
