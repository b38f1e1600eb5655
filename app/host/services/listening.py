"""Talking to the program: the microphone is open as long as a request is, and its words come back."""

import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from app.core.errors import StorageError
from app.host.services.ports import Handler, Reply, RequestContext, SettingsPort
from app.host.services.voice_models import VoiceModels
from app.host.services.voice_use import VoiceUse
from app.host.supervision import Worker
from app.protocol.body import Body
from app.protocol.envelope import Message
from app.protocol.speech import (
    AudioDevices,
    FindAudioDevices,
    FinishRecording,
    MicrophoneState,
    Record,
    SpeechOptions,
)
from app.protocol.system import DONE, Empty
from app.protocol.voice import FinishListening, ListAudioDevices, Listen

log = logging.getLogger(__name__)

_OPEN_PHASES = frozenset({"listening", "hearing"})


class ListeningService:
    """Opens the microphone in the voice worker, as the settings say."""

    def __init__(
        self,
        worker: Worker,
        models: VoiceModels,
        settings: SettingsPort,
        use: VoiceUse,
        recordings_dir: Path,
    ) -> None:
        """Take what is needed; `recordings_dir` is made when the user wants recordings kept."""
        self._worker, self._models, self._settings, self._use = worker, models, settings, use
        self._recordings_dir = recordings_dir

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {Listen: self._listen, FinishListening: self._finish, ListAudioDevices: self._devices}

    async def _listen(self, request: Listen, context: RequestContext) -> Reply:
        record = await self._record(request)
        is_open = False
        activity = "while testing the microphone" if request.test else "while listening"
        with self._use.talking():
            try:
                async with contextlib.aclosing(self._worker.messages(record, b"", activity)) as messages:
                    async for message in messages:
                        if message.type == DONE:
                            return Reply(message.body, message.payload)
                        opens = _opens(message, is_open)
                        if opens != is_open:
                            self._use.opened(1 if opens else -1)
                            is_open = opens
                        context.forward(message)
            finally:
                if is_open:
                    self._use.opened(-1)
        raise AssertionError("a stream ends with done or raises")  # pragma: no cover

    async def _record(self, request: Listen) -> Record:
        settings = self._settings.current()
        options = None if request.test else await speech_options(self._models, self._settings)
        return Record(
            options=options,
            device=settings.microphone,
            hands_free=request.hands_free,
            silence_s=settings.speech_silence_s,
            barge_in=request.barge_in,
            keep_dir=self._kept_in() if settings.keep_recordings and not request.test else "",
        )

    def _kept_in(self) -> str:
        """Make the folder of recordings and give it. Raises StorageError `recordings.no_folder`."""
        try:
            self._recordings_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                "recordings.no_folder",
                f"The folder for recordings cannot be made ({error.strerror}).",
                "Check the data folder, or switch off that recordings are kept.",
            ) from error
        return str(self._recordings_dir)

    async def _finish(self, request: FinishListening, context: RequestContext) -> Empty:
        if self._worker.is_ready:  # else no microphone is open
            await self._worker.call(FinishRecording(), activity="while listening")
        return Empty()

    async def _devices(self, request: ListAudioDevices, context: RequestContext) -> AudioDevices:
        return await self._worker.call(FindAudioDevices(), activity="while looking for microphones")


async def speech_options(
    models: VoiceModels,
    settings: SettingsPort,
    name: str = "",
    language: str = "",
    translate: bool | None = None,
) -> SpeechOptions:
    """Say how speech is understood: what is asked for, else as set.

    Raises:
        AppError: `speech.none`, `speech.not_found`.
    """
    current = settings.current()
    language = language or current.speech_language
    model = await models.speech_model(name, language)
    wanted = current.speech_translate if translate is None else translate
    if translate is None and not model.entry.multilingual and language in ("", "en"):
        wanted = False  # what is English already needs no translation, and the model knows nothing else
    return SpeechOptions(model_path=str(model.path), language=language, translate=wanted)


def _opens(message: Message, is_open: bool) -> bool:
    """Tell from a progress message whether the microphone is open now."""
    if message.type != MicrophoneState.TYPE:
        return is_open
    return message.body.get("phase") in _OPEN_PHASES
