"""Talking: the microphone's words come back, its sign is right, and it never stays open."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError, StorageError
from app.host.services.listening import ListeningService, speech_options
from app.host.services.ports import Reply
from app.host.services.voice_models import SPEECH_DIR, VoiceModels
from app.host.services.voice_use import VoiceUse
from app.protocol.speech import FinishRecording, Record
from app.protocol.voice import FinishListening, ListAudioDevices, Listen, VoiceActivity
from tests.unit.host.conftest import Context, Recorder, mode_of, until
from tests.unit.host.services.voice_fakes import Desk, FakeSettings, died, put_speech_model


class Room:
    """A listening service and what stands around it."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        self.desk, self.events = Desk(), Recorder()
        self.use = VoiceUse(self.events)
        self.settings = FakeSettings(**settings)
        self.recordings_dir = tmp_path / "recordings"
        bundled = tmp_path / "bundled"
        if not bundled.exists():
            put_speech_model(bundled / SPEECH_DIR / "whisper-tiny")
        self.models = VoiceModels(bundled, tmp_path / "models", self.settings)
        self.service = ListeningService(
            self.desk.voice, self.models, self.settings, self.use, self.recordings_dir
        )

    async def listen(self, **values: Any) -> tuple[Any, Context]:
        context = Context()
        return await self.service.handlers()[Listen](Listen(**values), context), context

    def microphone_signs(self) -> list[bool]:
        return [body.microphone for body in self.events.bodies if isinstance(body, VoiceActivity)]


async def test_what_is_said_comes_back_and_the_sign_shows_while_it_is_open(tmp_path: Path) -> None:
    room = Room(tmp_path, microphone="m", speech_silence_s=1.5)
    listening = asyncio.create_task(room.listen(hands_free=True, barge_in=True))
    await until(lambda: room.microphone_signs() == [True])
    assert not room.use.quiet.is_set()
    await room.service.handlers()[FinishListening](FinishListening(), Context())
    reply, context = await listening
    assert isinstance(reply, Reply) and isinstance(reply.body, dict) and reply.body["text"] == "red pump"
    assert [message.type for message in context.forwarded][-2:] == ["microphone.partial", "microphone.state"]
    assert room.microphone_signs() == [True, False] and room.use.quiet.is_set()
    (record,) = room.desk.voice.of(Record)
    assert (record.device, record.hands_free, record.barge_in, record.silence_s) == ("m", True, True, 1.5)
    assert record.options.model_path.endswith("whisper-tiny") and record.keep_dir == ""
    assert not room.recordings_dir.exists()


async def test_a_test_of_the_microphone_needs_no_model_and_keeps_nothing(tmp_path: Path) -> None:
    room = Room(tmp_path, keep_recordings=True)
    room.desk.microphone.finished.set()
    room.models = VoiceModels(tmp_path / "no", tmp_path / "no", room.settings)
    await room.listen(test=True)
    (record,) = room.desk.voice.of(Record)
    assert record.options is None and record.keep_dir == ""


async def test_recordings_are_kept_only_if_the_user_says_so(tmp_path: Path) -> None:
    room = Room(tmp_path, keep_recordings=True)
    room.desk.microphone.finished.set()
    await room.listen()
    assert room.desk.voice.of(Record)[0].keep_dir == str(room.recordings_dir)
    assert mode_of(room.recordings_dir) == 0o700
    blocked = Room(tmp_path, keep_recordings=True)
    room.recordings_dir.rmdir()
    room.recordings_dir.write_text("in the way")
    with pytest.raises(StorageError) as caught:
        await blocked.listen()
    assert caught.value.code == "recordings.no_folder"


async def test_whatever_ends_it_the_sign_goes_out(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.desk.microphone.error = died("voice")
    listening = asyncio.create_task(room.listen())
    await until(lambda: room.microphone_signs() == [True])
    room.desk.microphone.finished.set()
    with pytest.raises(AppError) as caught:
        await listening
    assert caught.value.code == "worker.died" and room.microphone_signs() == [True, False]
    room.desk.microphone.finished.clear()
    listening = asyncio.create_task(room.listen())
    await until(lambda: room.microphone_signs() == [True, False, True])
    listening.cancel()
    await asyncio.wait([listening])
    assert room.microphone_signs()[-1] is False and room.use.quiet.is_set()


async def test_without_a_model_nothing_is_opened(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.service = ListeningService(
        room.desk.voice,
        VoiceModels(tmp_path / "no", tmp_path / "no", room.settings),
        room.settings,
        room.use,
        room.recordings_dir,
    )
    with pytest.raises(AppError) as caught:
        await room.listen()
    assert caught.value.code == "speech.none" and room.desk.voice.requests == []


async def test_finishing_starts_no_worker_and_devices_are_asked_for(tmp_path: Path) -> None:
    room = Room(tmp_path)
    room.desk.voice.up = False
    await room.service.handlers()[FinishListening](FinishListening(), Context())
    assert room.desk.voice.of(FinishRecording) == []
    found = await room.service.handlers()[ListAudioDevices](ListAudioDevices(), Context())
    assert found == room.desk.devices


async def test_english_models_are_not_asked_to_translate_english(tmp_path: Path) -> None:
    room = Room(tmp_path, speech_translate=True)
    assert not (await speech_options(room.models, room.settings)).translate
    assert (await speech_options(room.models, room.settings, language="de")).translate
    asked = await speech_options(room.models, room.settings, "whisper-tiny", "", True)
    assert asked.translate  # asked for in this request: the worker says why it cannot
    put_speech_model(tmp_path / "models" / "small", 51_865)
    many = await speech_options(room.models, room.settings)
    assert many.translate and many.model_path.endswith("small")
