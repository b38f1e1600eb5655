"""What the doctor looks at of voice: models that load, a voice that speaks, a sound system."""

from app.core.errors import AppError
from app.host.services.ports import SettingsPort
from app.host.services.voice_models import VoiceModels
from app.host.supervision import Worker
from app.protocol.speech import (
    CloseTranscription,
    FindAudioDevices,
    OpenTranscription,
    SpeechOptions,
    Synthesize,
)
from app.protocol.system import Check

_ACTIVITY = "while it was being checked"


class VoiceChecks:
    """Runs the checks; each that cannot run is a finding itself."""

    def __init__(self, worker: Worker, models: VoiceModels, settings: SettingsPort) -> None:
        """Take what is checked."""
        self._worker, self._models, self._settings = worker, models, settings

    async def run(self) -> tuple[Check, ...]:
        """Check; starts the voice worker where there is anything that it could do."""
        return (await self._speech(), await self._voice(), await self._sound())

    async def _speech(self) -> Check:
        try:
            model = await self._models.speech_model()
            options = SpeechOptions(model_path=str(model.path))
            opened = await self._worker.call(OpenTranscription(options=options), activity=_ACTIVITY)
            await self._worker.call(CloseTranscription(handle=opened.handle), activity=_ACTIVITY)
        except AppError as error:
            return _finding("voice.speech_model", error, "speech.none")
        knows = "many languages" if opened.multilingual else "English"
        return Check(
            name="voice.speech_model",
            status="ok",
            detail=f"The speech model {model.entry.name} loads on {opened.device}; it knows {knows}.",
        )

    async def _voice(self) -> Check:
        try:
            voice = await self._models.voice()
            wish = Synthesize(text="Yes.", voice_path=str(voice.path))
            sound = await self._worker.call(wish, activity=_ACTIVITY)
        except AppError as error:
            return _finding("voice.voice", error, "voice.none")
        if sound.n_samples < 1:
            return Check(
                name="voice.voice",
                status="error",
                detail=f"The voice {voice.entry.name} said nothing.",
                hint="Fetch the voice again or choose another one.",
            )
        return Check(
            name="voice.voice",
            status="ok",
            detail=f"The voice {voice.entry.name} spoke {sound.n_samples / sound.sample_rate:.1f} s.",
        )

    async def _sound(self) -> Check:
        try:
            devices = await self._worker.call(FindAudioDevices(), activity=_ACTIVITY)
        except AppError as error:
            return _finding("voice.sound", error, "")
        if devices.problem:
            return Check(name="voice.sound", status="warning", detail=devices.problem, hint=devices.hint)
        counts = (
            f"Plugged in: {_count(len(devices.inputs), 'microphone')}, "
            f"{_count(len(devices.outputs), 'loudspeaker')}."
        )
        missing = [
            what
            for what, found in (("microphone", devices.inputs), ("loudspeaker", devices.outputs))
            if not found
        ]
        if missing:
            return Check(
                name="voice.sound",
                status="warning",
                detail=counts,
                hint=f"Plug in a {' and a '.join(missing)} to talk to the program and to hear it.",
            )
        return Check(name="voice.sound", status="ok", detail=counts)


def _count(n: int, what: str) -> str:
    return f"1 {what}" if n == 1 else f"{n} {what}s"


def _finding(name: str, error: AppError, expected: str) -> Check:
    """Make a finding of an error; what is merely not there is a warning."""
    status = "warning" if error.code == expected else "error"
    return Check(name=name, status=status, detail=error.user_message, hint=error.hint)
