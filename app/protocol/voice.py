"""Voice messages of front ends: talking, reading aloud, transcripts of files."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.speech import AudioDevices, Recorded, SpeechSegment
from app.protocol.system import Empty


@dataclass(frozen=True, kw_only=True)
class SpeechModelEntry(Body):
    """A speech-to-text model or a voice that is here.

    Attributes:
        name: as settings name it.
        title: in words.
        languages: ISO 639-1 codes; empty: many.
        multilingual: of a speech model: it knows more than English.
        bundled: came with the program.
    """

    name: str
    title: str
    languages: tuple[str, ...] = ()
    multilingual: bool = False
    bundled: bool = False
    size_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class VoiceChoices(Body):
    """What can be chosen; `speech_model` and `voice` are what is used now (empty: there is none)."""

    speech_models: tuple[SpeechModelEntry, ...]
    voices: tuple[SpeechModelEntry, ...]
    speech_model: str = ""
    voice: str = ""


@dataclass(frozen=True, kw_only=True)
class GetVoiceChoices(Request[VoiceChoices]):
    """Ask which speech models and voices are here."""

    TYPE: ClassVar[str] = "voice.choices"
    RESULT: ClassVar[type[Body]] = VoiceChoices


@dataclass(frozen=True, kw_only=True)
class ListAudioDevices(Request[AudioDevices]):
    """Ask which microphones and loudspeakers are plugged in; starts the voice worker."""

    TYPE: ClassVar[str] = "voice.devices"
    RESULT: ClassVar[type[Body]] = AudioDevices


@dataclass(frozen=True, kw_only=True)
class Listen(Request[Recorded]):
    """Open the microphone as the settings say, and understand what is said; streams as speech.Record.

    Errors: `speech.none` (no model is here), and those of Record; `worker.died`.

    Attributes:
        hands_free: see Record.
        barge_in: see Record.
        test: only levels.
    """

    TYPE: ClassVar[str] = "voice.listen"
    RESULT: ClassVar[type[Body]] = Recorded
    hands_free: bool = False
    barge_in: bool = False
    test: bool = False


@dataclass(frozen=True, kw_only=True)
class FinishListening(Request[Empty]):
    """Close the microphone and understand what came."""

    TYPE: ClassVar[str] = "voice.finish_listening"
    RESULT: ClassVar[type[Body]] = Empty


# ------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, kw_only=True)
class ReadingProgress(Body):
    """Progress of ReadAloud.

    Attributes:
        phase: `preparing` (nothing is heard yet), `speaking`, `paused` or `waiting` (for more text).
        start: half-open range of the sentence that is heard, in code points of the text; empty in other
            phases than `speaking` and `paused`.
    """

    TYPE: ClassVar[str] = "reading.progress"
    phase: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, kw_only=True)
class ReadingEnded(Body):
    """The end of ReadAloud.

    Attributes:
        ended_by: `end` (all was read), `stopped` (StopReading, or another reading began) or `interrupted`
            (somebody spoke).
    """

    ended_by: str


@dataclass(frozen=True, kw_only=True)
class ReadAloud(Request[ReadingEnded]):
    """Read a text aloud, sentence by sentence; a reading that runs ends as stopped.

    Errors: `voice.none`, those of speech.Say, `reading.nothing` (nothing in it can be spoken); `worker.died`.

    Attributes:
        reading: chosen by the front end, names it in the requests below.
        text: Markdown, as messages hold it.
        whole: False: more will come by ExtendReading, and the last sentence may be incomplete.
        speed: None: as set.
    """

    TYPE: ClassVar[str] = "voice.read"
    RESULT: ClassVar[type[Body]] = ReadingEnded
    reading: str
    text: str
    whole: bool = True
    speed: float | None = None


@dataclass(frozen=True, kw_only=True)
class ExtendReading(Request[Empty]):
    """Give the text again, longer; silent where the reading has ended.

    Attributes:
        text: from its beginning on; what was read of it is as it was.
    """

    TYPE: ClassVar[str] = "voice.read_more"
    RESULT: ClassVar[type[Body]] = Empty
    reading: str
    text: str
    whole: bool


@dataclass(frozen=True, kw_only=True)
class ControlReading(Request[Empty]):
    """Change a running reading; silent where it has ended.

    Attributes:
        paused: None: as it is.
        speed: from the next sentence on; None: as it is.
        volume: at once, 0 to 1; None: as it is.
        skip: sentences to go forward (negative: back).
    """

    TYPE: ClassVar[str] = "voice.control"
    RESULT: ClassVar[type[Body]] = Empty
    reading: str
    paused: bool | None = None
    speed: float | None = None
    volume: float | None = None
    skip: int = 0


@dataclass(frozen=True, kw_only=True)
class StopReading(Request[Empty]):
    """Be silent at once, whatever is heard: a reading, a document's sound, a test."""

    TYPE: ClassVar[str] = "voice.stop"
    RESULT: ClassVar[type[Body]] = Empty


@dataclass(frozen=True, kw_only=True)
class SpokenText(Body):
    """A spoken text, or a part of it, in the payload: signed 16-bit, little-endian, one channel.

    Attributes:
        next_sentence: number of the sentence that comes next; `n_sentences` where all is spoken.
    """

    sample_rate: int
    n_samples: int
    voice: str
    next_sentence: int = 0
    n_sentences: int = 0


@dataclass(frozen=True, kw_only=True)
class SpeakText(Request[SpokenText]):
    """Speak a text (Markdown) into samples; streams TranscriptionProgress.

    Errors: those of ReadAloud without the loudspeaker's, `voice.not_found`, `voice.too_long`.

    Attributes:
        voice: name; empty for the set one.
        first_sentence: number of the sentence to begin with.
        seconds: stop behind the sentence with which so much is spoken; None: speak all. A long text is asked
            for in such parts, because a message holds 100 minutes of sound at most.
    """

    TYPE: ClassVar[str] = "voice.speak"
    RESULT: ClassVar[type[Body]] = SpokenText
    text: str
    voice: str = ""
    speed: float | None = None
    first_sentence: int = 0
    seconds: float | None = None


# --------------------------------------------------------------------------------------- transcripts


@dataclass(frozen=True, kw_only=True)
class TranscriptionProgress(Body):
    """Progress of TranscribeFile and SpeakText.

    Attributes:
        segments: new since the message before.
        done_s: seconds of sound behind us; of `total_s`, None where unknown.
    """

    TYPE: ClassVar[str] = "transcript.progress"
    segments: tuple[SpeechSegment, ...] = ()
    done_s: float = 0.0
    total_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Transcript(Body):
    """A whole transcript.

    Attributes:
        seconds: length of the sound.
        doubtful: see speech.TranscriptPart; `note` says it in words, else it is empty.
        compute_seconds: that it took.
    """

    text: str
    language: str
    segments: tuple[SpeechSegment, ...]
    seconds: float
    doubtful: bool = False
    note: str = ""
    compute_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TranscribeFile(Request[Transcript]):
    """Transcribe an audio or video file; streams TranscriptionProgress.

    Errors: those of audio.OpenAudio and speech.OpenTranscription, `speech.none`, `speech.not_found`;
    `worker.died`.

    Attributes:
        path: absolute.
        language: ISO 639-1 code; empty: as set.
        translate: into English; None: as set.
        model: name; empty for the set one.
    """

    TYPE: ClassVar[str] = "voice.transcribe"
    RESULT: ClassVar[type[Body]] = Transcript
    path: str
    language: str = ""
    translate: bool | None = None
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class PlaybackPosition(Body):
    """Progress of PlayDocument: what is heard, in seconds of the file; at most 10 a second."""

    TYPE: ClassVar[str] = "playback.position"
    seconds: float
    total_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class PlayDocument(Request[ReadingEnded]):
    """Play the sound of a document of the library; a reading or another sound that runs ends as stopped.

    Errors: `document.not_found`, `document.source_missing`, `document.source_changed`, those of OpenAudio and
    speech.Play. `voice.control` with `document.<id>` as its reading pauses and changes the volume.

    Attributes:
        end_s: where to stop; None: at its end.
    """

    TYPE: ClassVar[str] = "voice.play_document"
    RESULT: ClassVar[type[Body]] = ReadingEnded
    document_id: int
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class VoiceActivity(Body):
    """Event: what the voice part does, for signs in the window.

    Attributes:
        microphone: it is open.
        sounding: something is heard, or about to be.
    """

    TYPE: ClassVar[str] = "voice.activity"
    microphone: bool
    sounding: bool
