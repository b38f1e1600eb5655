"""Reading aloud: sentence by sentence, a few ahead, and silent at once when asked."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError, UsageError
from app.host.services import reading_aloud as module
from app.host.services.ports import Reply
from app.host.services.reading_aloud import N_AHEAD, ReadingService
from app.host.services.voice_models import VOICE_DIR, VoiceModels
from app.host.services.voice_use import VoiceUse
from app.protocol.speech import PauseSound, Say, SetVolume, StopSound, Synthesize
from app.protocol.voice import (
    ControlReading,
    ExtendReading,
    ReadAloud,
    ReadingEnded,
    ReadingProgress,
    SpeakText,
    SpokenText,
    StopReading,
    TranscriptionProgress,
    VoiceActivity,
)
from tests.unit.host.conftest import Context, Recorder, until
from tests.unit.host.services.voice_fakes import Desk, FakeSettings, died, put_voice

TEXT = "One is here. Two is here. Three is here. Four is here. Five is here."


class Room:
    """A reading service and what stands around it."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        self.desk, self.events = Desk(), Recorder()
        self.loudspeaker = self.desk.loudspeaker
        self.use = VoiceUse(self.events)
        self.settings = FakeSettings(**settings)
        put_voice(tmp_path / VOICE_DIR / "joe", "joe", {"language": {"family": "en"}})
        models = VoiceModels(tmp_path, tmp_path / "models", self.settings)
        self.service = ReadingService(self.desk.voice, models, self.settings, self.use)
        self.contexts: dict[str, Context] = {}

    def read(self, text: str = TEXT, reading: str = "r", **values: Any) -> "asyncio.Task[Any]":
        context = self.contexts[reading] = Context()
        request = ReadAloud(reading=reading, text=text, **values)
        return asyncio.create_task(self.service.handlers()[ReadAloud](request, context))  # type: ignore[arg-type]

    async def ask(self, request: Any) -> None:
        await asyncio.sleep(0)  # requests begin in the order of their coming
        await self.service.handlers()[type(request)](request, Context())

    def phases(self, reading: str = "r") -> list[str]:
        return [body.phase for body in self.contexts[reading].progressed if isinstance(body, ReadingProgress)]

    def heard_ranges(self, text: str = TEXT) -> list[str]:
        return [
            text[body.start : body.end]
            for body in self.contexts["r"].progressed
            if isinstance(body, ReadingProgress) and body.phase == "speaking"
        ]

    def said(self) -> list[str]:
        return [request.text.split()[0] for request in self.desk.voice.of(Say)]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path, voice_speed=1.25, voice_volume=0.5, speaker="s")


async def test_a_text_is_read_to_its_end(room: Room) -> None:
    assert await room.read() == ReadingEnded(ended_by="end")
    assert [text.split()[0] for text in room.loudspeaker.heard] == ["One", "Two", "Three", "Four", "Five"]
    assert room.phases()[0] == "preparing"
    assert room.heard_ranges() == [f"{word} is here." for word in ("One", "Two", "Three", "Four", "Five")]
    first = room.desk.voice.of(Say)[0]
    assert (first.speed, first.volume, first.device) == (1.25, 0.5, "s")
    assert first.voice_path.endswith("joe.onnx") and first.pause_after_s > 0
    signs = [body.sounding for body in room.events.bodies if isinstance(body, VoiceActivity)]
    assert signs == [True, False]


async def test_no_more_than_a_few_sentences_are_made_ahead(room: Room) -> None:
    room.loudspeaker.holding = True
    reading = room.read()
    await until(lambda: len(room.loudspeaker.line) == N_AHEAD)
    await asyncio.sleep(0.02)
    assert room.said() == ["One", "Two", "Three"]
    room.loudspeaker.holding = False
    await reading


async def test_an_answer_is_read_while_it_is_written(room: Room) -> None:
    reading = room.read("One is", whole=False)
    await until(lambda: room.phases() == ["preparing", "waiting"])
    await room.ask(ExtendReading(reading="r", text="One is here. Two is", whole=False))
    await until(lambda: room.loudspeaker.heard == ["One is here."])
    await until(lambda: room.phases()[-1] == "waiting")
    await room.ask(ExtendReading(reading="r", text="One is here. Two is here.", whole=True))
    assert (await reading).ended_by == "end"
    assert room.loudspeaker.heard == ["One is here.", "Two is here."]
    await room.ask(ExtendReading(reading="r", text="late", whole=True))  # silent: it has ended


async def test_the_voice_is_loaded_while_the_first_sentence_is_written(room: Room) -> None:
    room.desk.voice.script[Synthesize] = lambda request, payload: died("voice")  # it may be met again
    reading = room.read("One is", whole=False)
    await until(lambda: len(room.desk.voice.of(Synthesize)) == 1)
    await room.ask(ExtendReading(reading="r", text="One is here.", whole=True))
    assert (await reading).ended_by == "end" and room.loudspeaker.heard == ["One is here."]
    await room.read()
    assert len(room.desk.voice.of(Synthesize)) == 1


async def test_stop_is_heard_at_once(room: Room) -> None:
    room.loudspeaker.holding = True
    reading = room.read()
    await until(lambda: "speaking" in room.phases())
    await room.ask(StopReading())
    assert (await reading).ended_by == "stopped"
    assert room.desk.voice.of(StopSound) and room.loudspeaker.line == []


async def test_a_reading_can_be_stopped_before_it_is_heard(room: Room) -> None:
    reading = room.read()
    await room.ask(StopReading())
    assert (await reading).ended_by == "stopped" and room.loudspeaker.heard == []


async def test_stopping_starts_no_worker(room: Room) -> None:
    room.desk.voice.up = False
    await room.ask(StopReading())
    assert room.desk.voice.requests == []


async def test_another_reading_stops_the_first(room: Room) -> None:
    room.loudspeaker.holding = True
    first = room.read()
    await until(lambda: "speaking" in room.phases())
    second = room.read("Other words.", "other")
    assert (await first).ended_by == "stopped"
    await until(lambda: "speaking" in room.phases("other"))
    third = room.read("Last words.", "last")
    assert (await second).ended_by == "stopped"
    room.loudspeaker.holding = False
    assert (await third).ended_by == "end"
    assert room.loudspeaker.heard == ["Last words."]


async def test_the_same_reading_twice_is_refused(room: Room) -> None:
    room.loudspeaker.holding = True
    first = room.read()
    await until(lambda: "speaking" in room.phases())
    with pytest.raises(UsageError) as caught:
        await room.read()
    assert caught.value.code == "reading.twice"
    first.cancel()
    await asyncio.wait([first])
    assert room.loudspeaker.line == [] and room.use.sound is None


async def test_somebody_who_speaks_interrupts(room: Room) -> None:
    room.loudspeaker.holding = True
    reading = room.read()
    await until(lambda: "speaking" in room.phases())
    room.loudspeaker.stop()  # as the worker does by itself
    assert (await reading).ended_by == "interrupted"
    again = room.read()
    await until(lambda: "speaking" in room.phases())
    room.service.interrupted()
    assert (await again).ended_by == "interrupted"
    room.service.interrupted()  # nothing is heard: nothing happens


async def test_pause_and_resume(room: Room) -> None:
    room.loudspeaker.holding = True
    reading = room.read()
    await room.ask(ControlReading(reading="r", paused=True))  # before anything is heard
    await until(lambda: room.phases()[-1:] == ["paused"])
    await room.ask(ControlReading(reading="r", paused=True))
    await until(lambda: len(room.loudspeaker.line) == N_AHEAD)
    await room.ask(ControlReading(reading="r", paused=False))
    await until(lambda: room.phases()[-1] == "speaking")
    room.loudspeaker.holding = False
    await reading
    assert [request.paused for request in room.desk.voice.of(PauseSound)] == [True, False]


async def test_a_pause_does_not_outlive_its_reading(room: Room) -> None:
    room.loudspeaker.holding = True
    reading = room.read()
    await until(lambda: "speaking" in room.phases())
    await room.ask(ControlReading(reading="r", paused=True))
    await room.ask(StopReading())
    await reading
    assert room.desk.voice.of(PauseSound)[-1].paused is False and not room.loudspeaker.paused


async def test_skipping_goes_to_a_sentence_and_back(room: Room) -> None:
    room.loudspeaker.holding = True
    reading = room.read()
    await until(lambda: "speaking" in room.phases())
    await room.ask(ControlReading(reading="r", skip=3))
    await until(lambda: room.heard_ranges()[-1] == "Four is here.")
    await room.ask(ControlReading(reading="r", skip=-1))
    await until(lambda: room.heard_ranges()[-1] == "Three is here.")
    await room.ask(ControlReading(reading="r", skip=-9))
    await until(lambda: room.heard_ranges()[-1] == "One is here.")
    await room.ask(ControlReading(reading="r", skip=9))
    assert (await reading).ended_by == "end" and room.loudspeaker.heard == []


async def test_speed_counts_from_the_next_sentence_and_volume_at_once(room: Room) -> None:
    room.loudspeaker.holding = True
    reading = room.read()
    await until(lambda: len(room.loudspeaker.line) == N_AHEAD)
    await room.ask(ControlReading(reading="r", speed=2.0, volume=0.25))
    await until(lambda: len(room.desk.voice.of(Say)) == 2 * N_AHEAD - 1)
    assert room.said() == ["One", "Two", "Three", "Two", "Three"]
    assert [request.speed for request in room.desk.voice.of(Say)[3:]] == [2.0, 2.0]
    assert room.desk.voice.of(Say)[-1].volume == 0.25
    assert room.desk.voice.of(SetVolume) == [SetVolume(volume=0.25)]
    room.loudspeaker.holding = False
    await reading
    assert [text.split()[0] for text in room.loudspeaker.heard] == ["One", "Two", "Three", "Four", "Five"]
    await room.ask(ControlReading(reading="r", speed=1.0))  # silent: it has ended


async def test_what_fails_is_told_and_all_is_silent(room: Room) -> None:
    room.loudspeaker.fails_at = "Two is here."
    room.loudspeaker.holding = True
    with pytest.raises(AppError) as caught:
        await room.read()
    assert caught.value.code == "worker.died" and room.loudspeaker.line == []
    with pytest.raises(UsageError) as nothing:
        await room.read("***")
    assert nothing.value.code == "reading.nothing"


async def test_a_dead_worker_is_not_asked_to_go_on(room: Room) -> None:
    room.loudspeaker.holding = True
    reading = room.read()
    await until(lambda: "speaking" in room.phases())
    await room.ask(ControlReading(reading="r", paused=True))
    room.desk.voice.script[PauseSound] = lambda request, payload: died("voice")
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()


async def test_a_text_is_spoken_into_samples(room: Room) -> None:
    context = Context()
    reply = await room.service.handlers()[SpeakText](SpeakText(text="One. Two.", speed=2.0), context)
    assert isinstance(reply, Reply) and isinstance(reply.body, SpokenText)
    assert reply.body.sample_rate == 1000 and reply.body.voice == "joe"
    assert len(reply.payload) == 2 * reply.body.n_samples > 2 * 200
    assert reply.payload.startswith(room.desk.samples)
    assert [request.text for request in room.desk.voice.of(Synthesize)] == ["One.", "Two."]
    assert room.desk.voice.of(Synthesize)[0].speed == 2.0
    steps = [body.done_s for body in context.progressed if isinstance(body, TranscriptionProgress)]
    assert len(steps) == 2 and steps[0] < steps[1]
    await room.service.handlers()[SpeakText](SpeakText(text="One."), context)
    assert room.desk.voice.of(Synthesize)[-1].speed == 1.25


async def test_a_long_text_is_spoken_in_parts(room: Room) -> None:
    speak = room.service.handlers()[SpeakText]
    text = "One. Two. Three."
    whole = await speak(SpeakText(text=text), Context())
    payloads, number = [], 0
    while number < 3:
        part = await speak(SpeakText(text=text, first_sentence=number, seconds=0.01), Context())
        assert isinstance(part, Reply) and isinstance(part.body, SpokenText)
        assert (part.body.next_sentence, part.body.n_sentences) == (number + 1, 3)
        payloads.append(part.payload)
        number = part.body.next_sentence
    assert isinstance(whole, Reply) and b"".join(payloads) == whole.payload


async def test_what_cannot_be_spoken_is_told(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as nothing:
        await room.ask(SpeakText(text="---"))
    assert nothing.value.code == "reading.nothing"
    with pytest.raises(AppError) as unknown:
        await room.ask(SpeakText(text="Hello.", voice="nope"))
    assert unknown.value.code == "voice.not_found"
    monkeypatch.setattr(module, "MAX_PAYLOAD_BYTES", 100)
    with pytest.raises(UsageError) as too_long:
        await room.ask(SpeakText(text="Hello."))
    assert too_long.value.code == "voice.too_long"
