"""Messages between host and voice worker: microphone, speech to text, text to speech, loudspeaker.

Samples travel as payload: signed 16-bit, little-endian, one channel.
"""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.system import Empty


@dataclass(frozen=True, kw_only=True)
class SpeechOptions(Body):
    """How to understand speech.

    Attributes:
        model_path: folder of a faster-whisper (CTranslate2) model.
        language: ISO 639-1 code; empty: found out (English for a model that knows nothing else).
        translate: into English; only models of several languages can.
        n_threads: 0: chosen by the worker.
    """

    model_path: str
    language: str = ""
    translate: bool = False
    n_threads: int = 0


@dataclass(frozen=True, kw_only=True)
class SpeechSegment(Body):
    """A stretch of speech.

    Attributes:
        start_s: from the beginning of the recording or file.
        probability: 0 to 1, the mean over its tokens.
    """

    start_s: float
    end_s: float
    text: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class TranscriptionOpened(Body):
    """A transcription that takes samples piece by piece.

    Attributes:
        multilingual: the model knows more languages than English.
        device: what computes: `cpu` or `cuda`.
    """

    handle: str
    multilingual: bool
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class OpenTranscription(Request[TranscriptionOpened]):
    """Load the model, if need be, and begin.

    Errors: `speech.model_missing`, `speech.model_damaged`, `speech.not_multilingual` (another language than
    English, or translation, asked of an English model), `speech.unknown_language`, `speech.no_memory`.
    """

    TYPE: ClassVar[str] = "transcription.open"
    RESULT: ClassVar[type[Body]] = TranscriptionOpened
    options: SpeechOptions


@dataclass(frozen=True, kw_only=True)
class TranscriptPart(Body):
    """What has become certain since the piece before.

    Attributes:
        language: found out or asked for; empty while unknown.
        language_probability: 0 to 1; of an English-only model, how well the sound fits English speech.
        done_s: seconds of sound that need not be kept any more.
        doubtful: the sound is speech, but most likely not in a language that this model knows.
    """

    segments: tuple[SpeechSegment, ...]
    language: str
    language_probability: float
    done_s: float
    doubtful: bool = False


@dataclass(frozen=True, kw_only=True)
class FeedTranscription(Request[TranscriptPart]):
    """Give the next samples (payload, 16,000 a second); `last`: everything is to be understood now.

    Errors: `transcription.not_open`. Cancelling leaves the transcription open; close it.
    """

    TYPE: ClassVar[str] = "transcription.feed"
    RESULT: ClassVar[type[Body]] = TranscriptPart
    handle: str
    last: bool = False


@dataclass(frozen=True, kw_only=True)
class CloseTranscription(Request[Empty]):
    """Forget a transcription; silent where it is not open."""

    TYPE: ClassVar[str] = "transcription.close"
    RESULT: ClassVar[type[Body]] = Empty
    handle: str


# ---------------------------------------------------------------------------------------- microphone


@dataclass(frozen=True, kw_only=True)
class MicrophoneState(Body):
    """Progress of Record, at most 10 a second.

    Attributes:
        phase: `opening`, `listening` (open, nobody speaks), `hearing` (somebody speaks) or `transcribing`
            (the microphone is closed again).
        elapsed_s: since it was opened.
        level_db: of the loudest moment since the message before, in dB of full scale; -90 is silence.
        peaks: 0 to 1, one for each 20 ms since the message before, for a waveform.
    """

    TYPE: ClassVar[str] = "microphone.state"
    phase: str
    elapsed_s: float = 0.0
    level_db: float = -90.0
    peaks: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PartialTranscript(Body):
    """Progress of Record: all that was understood so far; later words may change it."""

    TYPE: ClassVar[str] = "microphone.partial"
    text: str


@dataclass(frozen=True, kw_only=True)
class Recorded(Body):
    """The end of Record.

    Attributes:
        text: empty where nothing was said.
        seconds: the microphone was open.
        ended_by: `finish` (FinishRecording), `silence` (end of speech), `limit` or `lost` (the device went
            away; what came is understood).
        doubtful: see TranscriptPart.
        recording_path: where the sound was kept; empty where it was not.
    """

    text: str
    segments: tuple[SpeechSegment, ...]
    language: str
    language_probability: float
    seconds: float
    ended_by: str
    doubtful: bool = False
    recording_path: str = ""


@dataclass(frozen=True, kw_only=True)
class Record(Request[Recorded]):
    """Open the microphone and understand what is said; cancelling drops it at once.

    Streams MicrophoneState and PartialTranscript. One at a time. Errors: `microphone.none`,
    `microphone.not_found` (the chosen one), `microphone.denied`, `microphone.busy`, `microphone.in_use`
    (another Record), `microphone.failed`, and those of OpenTranscription.

    Attributes:
        options: None: only levels are told and nothing is understood (a test of the microphone).
        device: id of the microphone; empty for the system's.
        hands_free: it ends by itself at the end of speech, and waits for speech without end before it.
        silence_s: quiet that ends speech.
        barge_in: when somebody speaks, what the loudspeaker says stops.
        keep_dir: folder to keep the sound in as a WAV file; empty: it is never on the disk.
        max_seconds: then it ends; in hands-free mode counted from the beginning of speech.
    """

    TYPE: ClassVar[str] = "microphone.record"
    RESULT: ClassVar[type[Body]] = Recorded
    options: SpeechOptions | None
    device: str = ""
    hands_free: bool = False
    silence_s: float = 0.8
    barge_in: bool = False
    keep_dir: str = ""
    max_seconds: float = 600.0


@dataclass(frozen=True, kw_only=True)
class FinishRecording(Request[Empty]):
    """Close the microphone and understand what came; silent where it is not open."""

    TYPE: ClassVar[str] = "microphone.finish"
    RESULT: ClassVar[type[Body]] = Empty


# --------------------------------------------------------------------------------------- loudspeaker


@dataclass(frozen=True, kw_only=True)
class Sound(Body):
    """Spoken text, in the payload."""

    sample_rate: int
    n_samples: int


@dataclass(frozen=True, kw_only=True)
class Synthesize(Request[Sound]):
    """Speak a text into samples; errors: `voice.model_missing`, `voice.model_damaged`, `voice.failed`.

    Attributes:
        voice_path: `.onnx` file of a Piper voice, its `.onnx.json` beside it.
        speed: 0.5 to 2; 1 is the voice's own.
    """

    TYPE: ClassVar[str] = "voice.synthesize"
    RESULT: ClassVar[type[Body]] = Sound
    text: str
    voice_path: str
    speed: float = 1.0


@dataclass(frozen=True, kw_only=True)
class SoundStarted(Body):
    """Progress of Say and Play: the first of its samples goes to the loudspeaker.

    Attributes:
        seconds: how long it lasts; an estimate where the end of a long text is still being made.
    """

    TYPE: ClassVar[str] = "sound.started"
    seconds: float


@dataclass(frozen=True, kw_only=True)
class SoundPosition(Body):
    """Progress of Say and Play, at most 10 a second: seconds of it that were heard."""

    TYPE: ClassVar[str] = "sound.position"
    seconds: float


@dataclass(frozen=True, kw_only=True)
class SoundPlayed(Body):
    """The end of Say and Play: all of it was heard."""

    seconds: float


@dataclass(frozen=True, kw_only=True)
class Say(Request[SoundPlayed]):
    """Speak a text through the loudspeaker, behind everything asked for before; made while that is heard.

    Streams SoundStarted and SoundPosition. Cancelling stops it at once. StopSound and barge-in end it as
    cancelled. Errors: those of Synthesize, `speaker.none`, `speaker.not_found`, `speaker.busy`,
    `speaker.lost`, `speaker.failed`.

    Attributes:
        device: id of the loudspeaker; empty for the system's.
        volume: 0 to 1.
        pause_after_s: quiet behind it.
    """

    TYPE: ClassVar[str] = "sound.say"
    RESULT: ClassVar[type[Body]] = SoundPlayed
    text: str
    voice_path: str
    speed: float = 1.0
    volume: float = 1.0
    device: str = ""
    pause_after_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Play(Request[SoundPlayed]):
    """Play samples (payload), behind everything asked for before. As Say."""

    TYPE: ClassVar[str] = "sound.play"
    RESULT: ClassVar[type[Body]] = SoundPlayed
    sample_rate: int
    volume: float = 1.0
    device: str = ""


@dataclass(frozen=True, kw_only=True)
class StopSound(Request[Empty]):
    """Be silent at once and drop all that waits."""

    TYPE: ClassVar[str] = "sound.stop"
    RESULT: ClassVar[type[Body]] = Empty


@dataclass(frozen=True, kw_only=True)
class PauseSound(Request[Empty]):
    """Be silent at once, or go on where it paused."""

    TYPE: ClassVar[str] = "sound.pause"
    RESULT: ClassVar[type[Body]] = Empty
    paused: bool


@dataclass(frozen=True, kw_only=True)
class SetVolume(Request[Empty]):
    """Change the volume (0 to 1) of what is heard now and of all that waits."""

    TYPE: ClassVar[str] = "sound.volume"
    RESULT: ClassVar[type[Body]] = Empty
    volume: float


@dataclass(frozen=True, kw_only=True)
class SoundInterrupted(Body):
    """Event: somebody spoke while Record had `barge_in`, and what was heard has stopped."""

    TYPE: ClassVar[str] = "sound.interrupted"


# ------------------------------------------------------------------------------------------- devices


@dataclass(frozen=True, kw_only=True)
class AudioDevice(Body):
    """A microphone or loudspeaker.

    Attributes:
        id: stays the same while it is plugged in, and usually when it comes back; for settings.
        is_default: the system's choice.
    """

    id: str
    name: str
    is_default: bool = False


@dataclass(frozen=True, kw_only=True)
class AudioDevices(Body):
    """What is plugged in.

    Attributes:
        problem: why there can be no sound at all (no sound system, a missing library); empty where it can.
        hint: next step for the problem.
    """

    inputs: tuple[AudioDevice, ...]
    outputs: tuple[AudioDevice, ...]
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class FindAudioDevices(Request[AudioDevices]):
    """Look what is plugged in now."""

    TYPE: ClassVar[str] = "sound.devices"
    RESULT: ClassVar[type[Body]] = AudioDevices
