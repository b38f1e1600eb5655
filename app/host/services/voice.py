"""Voice as the host offers it: its services put together, and its workers ended when nobody needs them."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.core.errors import AppError
from app.core.paths import DataPaths
from app.host.services.library import LibraryService
from app.host.services.listening import ListeningService
from app.host.services.playing import PlayingService
from app.host.services.ports import Events, Handler, Reply, RequestContext
from app.host.services.reading_aloud import ReadingService
from app.host.services.recordings import RecordingsService
from app.host.services.settings import SettingsService
from app.host.services.transcribing import Transcriber, TranscribingService
from app.host.services.voice_checks import VoiceChecks
from app.host.services.voice_models import VoiceModels
from app.host.services.voice_use import VoiceUse
from app.host.supervision import Worker
from app.protocol.body import Body
from app.protocol.envelope import Message
from app.protocol.speech import SoundInterrupted
from app.protocol.system import Check, Empty
from app.protocol.voice import ControlReading, GetVoiceChoices, ListAudioDevices, VoiceChoices

log = logging.getLogger(__name__)

WATCH_PERIOD_S = 10.0


class VoiceService:
    """Talking, reading aloud and transcripts.

    Attributes:
        models: speech models and voices that are here.
    """

    def __init__(
        self,
        paths: DataPaths,
        models_dir: Path,
        workers: Mapping[str, Worker],
        library: LibraryService,
        settings: SettingsService,
        events: Events,
        watch_period_s: float = WATCH_PERIOD_S,
    ) -> None:
        """Wire the parts; nothing is started.

        Args:
            paths: the data folder.
            models_dir: the starter models.
            workers: by kind: `decoder` and `voice`.
            library: whose recordings are transcribed.
            settings: say how.
            events: get VoiceActivity.
            watch_period_s: between looks at what is idle, and at what has come.
        """
        decoder, voice = workers["decoder"], workers["voice"]
        self._workers = decoder, voice
        self._settings, self._watch_period_s = settings, watch_period_s
        self._use = VoiceUse(events)
        self.models = VoiceModels(models_dir, paths.models_dir, settings)
        self._transcribers = Transcriber(decoder, voice), Transcriber(decoder, voice, patient=True)
        in_front, behind = self._transcribers
        self._listening = ListeningService(voice, self.models, settings, self._use, paths.recordings_dir)
        self._reading = ReadingService(voice, self.models, settings, self._use)
        self._playing = PlayingService(library, decoder, voice, settings, self._use)
        self._transcribing = TranscribingService(in_front, self.models, settings)
        self._recordings = RecordingsService(library, behind, self.models, settings, self._use)
        self._checks = VoiceChecks(voice, self.models, settings)
        self._watch: asyncio.Task[None] | None = None
        library.listen(self._recordings.on_recording, self._use.on_answers)
        settings.listen(self._recordings.on_settings)
        voice.listen(on_event=self._on_voice_event)

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        parts = (self._listening, self._reading, self._playing, self._transcribing)
        handlers: dict[type[Body], Handler] = {GetVoiceChoices: self._choices}
        for part in parts:
            handlers |= {kind: self._reviving(kind, handler) for kind, handler in part.handlers().items()}
        self._control_reading = handlers[ControlReading]
        return handlers | {ControlReading: self._control}

    def _reviving(self, request_type: type[Body], handler: Handler) -> Handler:
        """Let a person's request start workers again that were given up after crashes."""
        if request_type is ListAudioDevices:  # a dialog asks again and again by itself
            return handler

        async def handle(request: Any, context: RequestContext) -> Body | Reply:
            if any([worker.revive() for worker in self._workers]):
                self._recordings.resume()
            return await handler(request, context)

        return handle

    def open(self) -> None:
        """Go on with recordings that the end of the program before broke off."""
        self._recordings.open()
        self._watch = asyncio.create_task(self._watch_on(), name="voice watch")

    def is_busy(self) -> bool:
        """Whether a recording is being transcribed."""
        return self._recordings.is_busy()

    async def checks(self) -> tuple[Check, ...]:
        """Check models and devices for the doctor."""
        return await self._checks.run()

    async def close(self) -> None:
        """End what runs in the background."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._recordings.close()
        for transcriber in self._transcribers:
            await transcriber.close()

    async def _choices(self, request: GetVoiceChoices, context: RequestContext) -> VoiceChoices:
        return await self.models.choices()

    async def _control(self, request: ControlReading, context: RequestContext) -> Body:
        """Control a reading or a document's sound, whichever has that name."""
        await self._playing.control(request)
        result = await self._control_reading(request, context)
        assert isinstance(result, Empty)
        return result

    def _on_voice_event(self, message: Message) -> None:
        if message.type == SoundInterrupted.TYPE:
            self._reading.interrupted()

    async def _watch_on(self) -> None:
        while True:
            await asyncio.sleep(self._watch_period_s)
            await self._rest_idle()
            try:
                await self._recordings.look_for_models()
            except (AppError, OSError) as error:  # the next look may succeed
                log.info("speech models were not looked for: %s", error)

    async def _rest_idle(self) -> None:
        """End workers that nobody has used for as long as models may stay in memory without use."""
        for worker in (worker for worker in self._workers if worker.idle_s):
            limit_s = self._settings.current().idle_unload_minutes * 60
            if limit_s and worker.idle_s >= limit_s:
                log.info("the %s worker rests", worker.kind)
                await worker.rest()
