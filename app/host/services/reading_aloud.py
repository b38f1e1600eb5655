"""Reading aloud: a text becomes sentences, and the voice worker gets a few of them ahead."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence

from app.core.errors import AppError, UsageError
from app.core.speakable import Sentence, sentences
from app.host.services.ports import Cancelled, Handler, Reply, RequestContext, SettingsPort
from app.host.services.voice_models import VoiceFile, VoiceModels
from app.host.services.voice_use import VoiceUse
from app.host.supervision import Worker
from app.protocol.audio import SAMPLE_BYTES
from app.protocol.body import Body
from app.protocol.envelope import MAX_PAYLOAD_BYTES
from app.protocol.speech import PauseSound, Say, SetVolume, SoundStarted, StopSound, Synthesize
from app.protocol.system import Empty
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
)

log = logging.getLogger(__name__)

N_AHEAD = 3
"""Sentences in the worker: the one that is heard, and two that are made meanwhile."""
_ACTIVITY = "while reading aloud"


class Reading:
    """One text that is read; `run` is its task, everything else is called by others in the same loop.

    Attributes:
        gone: set when nothing of it is heard any more.
    """

    def __init__(self, worker: Worker, context: RequestContext, request: ReadAloud) -> None:
        """Take a text; nothing is heard yet."""
        self._worker, self._context = worker, context
        self._text, self._whole = request.text, request.whole
        self._voice_path, self._language = "", "en"
        self._sentences: Sequence[Sentence] = ()
        self._next = self._current = 0
        self._saying: dict[int, asyncio.Task[None]] = {}
        self._ended_by = ""
        self._failure: AppError | None = None
        self._paused = self._is_heard = False
        self._told: ReadingProgress | None = None
        self._wake = asyncio.Event()
        self.speed, self.volume, self.device = 1.0, 1.0, ""
        self.gone = asyncio.Event()

    def extend(self, text: str, whole: bool) -> None:
        """Take the text again, longer."""
        self._text, self._whole = text, whole
        self._split()

    def _split(self) -> None:
        self._sentences = sentences(self._text, self._whole, self._language)
        self._wake.set()

    def end(self, ended_by: str) -> None:
        """Be silent soon; the first reason counts."""
        self._ended_by = self._ended_by or ended_by
        self._wake.set()

    async def control(self, request: ControlReading) -> None:
        """Pause, change speed and volume, skip. Raises AppError where the worker fails."""
        if request.speed is not None:
            self.speed = request.speed
            await _ended(self._taken_back(self._current + 1))
        if request.skip:
            await self._skip(request.skip)
        if request.volume is not None:
            self.volume = request.volume
            await self._worker.call(SetVolume(volume=request.volume), activity=_ACTIVITY)
        if request.paused is not None and request.paused != self._paused:
            self._paused = request.paused
            await self._worker.call(PauseSound(paused=request.paused), activity=_ACTIVITY)
            self._tell_heard()
        self._wake.set()

    async def run(self, voice: VoiceFile) -> str:
        """Read until the end, or until somebody ends it; give why. Raises AppError."""
        self._voice_path, self._language = str(voice.path), _language_of(voice)
        self._split()
        self._tell_heard()
        warming = asyncio.create_task(self._warm_up(), name="voice")
        try:
            while not self._ended_by:
                self._wake.clear()
                self._submit()
                if not self._saying:
                    if self._whole:
                        self._finish()
                        break
                    self._tell("waiting")
                await self._wake.wait()
                if self._failure is not None:
                    raise self._failure
        finally:
            warming.cancel()
            await _ended([warming, *self._taken_back(0)])
            await self._unpause()
        return self._ended_by

    async def _warm_up(self) -> None:
        """Have the voice loaded while the first sentence is still being written."""
        if not self._sentences:
            wish = Synthesize(text="One.", voice_path=self._voice_path)
            with contextlib.suppress(AppError, Cancelled):  # the first sentence meets it again
                await self._worker.call(wish, activity=_ACTIVITY)

    def _finish(self) -> None:
        if not self._sentences:
            raise UsageError(
                "reading.nothing",
                "There is nothing in this text that this voice can speak.",
                "Choose other text, or a voice of its language.",
            )
        self.end("end")

    def _submit(self) -> None:
        while len(self._saying) < N_AHEAD and self._next < len(self._sentences):
            number, self._next = self._next, self._next + 1
            task = asyncio.create_task(self._say(number), name=f"sentence {number}")
            self._saying[number] = task

    async def _say(self, number: int) -> None:
        """Have one sentence spoken, and take note of how it ends."""
        sentence = self._sentences[number]
        request = Say(
            text=sentence.words,
            voice_path=self._voice_path,
            speed=self.speed,
            volume=self.volume,
            device=self.device,
            pause_after_s=sentence.pause_s,
        )
        try:
            async with contextlib.aclosing(self._worker.stream(request, b"", _ACTIVITY)) as stream:
                async for body in stream:
                    if isinstance(body, SoundStarted):
                        self._current, self._is_heard = number, True
                        self._tell_heard()
        except Cancelled:  # we did not ask for it: somebody spoke, and all that waits is dropped
            self.end("interrupted")
        except AppError as error:
            self._failure = error
        self._saying.pop(number, None)
        self._wake.set()

    async def _skip(self, n_sentences: int) -> None:
        target = max(0, min(self._current + n_sentences, len(self._sentences)))
        tasks = self._taken_back(0)
        self._current = self._next = target
        self._is_heard = False
        self._tell_heard()
        await _ended(tasks)

    def _taken_back(self, first: int) -> list[asyncio.Task[None]]:
        """Take back what waits from sentence `first` on, to be asked for again; give what ends therefore."""
        numbers = sorted(number for number in self._saying if number >= first)
        self._next = min([self._next, *numbers])
        tasks = [self._saying.pop(number) for number in numbers]
        for task in tasks:
            task.cancel()
        return tasks

    async def _unpause(self) -> None:
        """Leave the loudspeaker free for whatever comes next."""
        if self._paused and self._worker.is_ready:
            with contextlib.suppress(AppError):
                await self._worker.call(PauseSound(paused=False), activity=_ACTIVITY)

    def _tell_heard(self) -> None:
        if self._paused:
            self._tell("paused")
        else:
            self._tell("speaking" if self._is_heard else "preparing")

    def _tell(self, phase: str) -> None:
        start = end = 0
        if phase in ("speaking", "paused") and self._current < len(self._sentences):
            start, end = self._sentences[self._current].start, self._sentences[self._current].end
        progress = ReadingProgress(phase=phase, start=start, end=end)
        if progress != self._told:
            self._told = progress
            self._context.progress(progress)


def _language_of(voice: VoiceFile) -> str:
    return next(iter(voice.entry.languages), "en")


async def _ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


class ReadingService:
    """Reads texts aloud, one at a time."""

    def __init__(self, worker: Worker, models: VoiceModels, settings: SettingsPort, use: VoiceUse) -> None:
        """Take what is needed; nothing is started."""
        self._worker, self._models, self._settings, self._use = worker, models, settings, use
        self._readings: dict[str, Reading] = {}

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {
            ReadAloud: self._read,
            ExtendReading: self._extend,
            ControlReading: self._control,
            StopReading: self._stop,
            SpeakText: self._speak,
        }

    def interrupted(self) -> None:
        """Take note that somebody spoke, and that the worker is silent therefore."""
        if self._use.sound is not None:
            self._use.sound.end("interrupted")

    async def _read(self, request: ReadAloud, context: RequestContext) -> ReadingEnded:
        if request.reading in self._readings:
            raise UsageError("reading.twice", "This text is being read already.", "Stop it first.")
        settings = self._settings.current()
        reading = Reading(self._worker, context, request)
        reading.speed = settings.voice_speed if request.speed is None else request.speed
        reading.volume, reading.device = settings.voice_volume, settings.speaker
        self._readings[request.reading] = reading  # before anything is waited for: more text may come at once
        try:
            voice = await self._models.voice()
            async with self._use.sounding(reading):
                return ReadingEnded(ended_by=await reading.run(voice))
        finally:
            del self._readings[request.reading]

    async def _extend(self, request: ExtendReading, context: RequestContext) -> Empty:
        reading = self._readings.get(request.reading)
        if reading is not None:
            reading.extend(request.text, request.whole)
        return Empty()

    async def _control(self, request: ControlReading, context: RequestContext) -> Empty:
        reading = self._readings.get(request.reading)
        if reading is not None:
            await reading.control(request)
        return Empty()

    async def _stop(self, request: StopReading, context: RequestContext) -> Empty:
        for sound in (self._use.sound, *self._readings.values()):  # also one that is about to begin
            if sound is not None:
                sound.end("stopped")
        if self._worker.is_ready:
            await self._worker.call(StopSound(), activity=_ACTIVITY)
        return Empty()

    async def _speak(self, request: SpeakText, context: RequestContext) -> Reply:
        """Speak a text into samples, sentence by sentence."""
        voice = await self._models.voice(request.voice)
        found = sentences(request.text, True, _language_of(voice))
        if not found:
            raise UsageError(
                "reading.nothing",
                "There is nothing in this text that this voice can speak.",
                "Give other text, or name a voice of its language.",
            )
        speed = self._settings.current().voice_speed if request.speed is None else request.speed
        samples, rate, spoken_s, number = bytearray(), 0, 0.0, request.first_sentence
        while number < len(found) and (request.seconds is None or spoken_s < request.seconds):
            sentence = found[number]
            wish = Synthesize(text=sentence.words, voice_path=str(voice.path), speed=speed)
            sound, payload = await self._worker.call_with_payload(wish, activity="while speaking")
            rate = sound.sample_rate
            samples += payload + bytes(SAMPLE_BYTES * int(rate * sentence.pause_s))
            if len(samples) > MAX_PAYLOAD_BYTES:
                raise UsageError(
                    "voice.too_long", "The text is too long to be spoken in one piece.", "Speak it in parts."
                )
            number, spoken_s = number + 1, len(samples) / SAMPLE_BYTES / rate
            context.progress(TranscriptionProgress(done_s=spoken_s))
        body = SpokenText(
            sample_rate=rate,
            n_samples=len(samples) // SAMPLE_BYTES,
            voice=voice.entry.name,
            next_sentence=number,
            n_sentences=len(found),
        )
        return Reply(body, bytes(samples))
