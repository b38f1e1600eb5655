"""Messages between host and library worker about files of sound: which to transcribe, and what came of it."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.system import Empty


@dataclass(frozen=True, kw_only=True)
class RecordingWaits(Body):
    """Event of the library worker to the host alone: TakeRecording would give something."""

    TYPE: ClassVar[str] = "recording.waits"


@dataclass(frozen=True, kw_only=True)
class RecordingUnwanted(Body):
    """Event of the library worker to the host alone: what TakeRecording gave is not wanted any more."""

    TYPE: ClassVar[str] = "recording.unwanted"
    location_id: int
    revision: int


@dataclass(frozen=True, kw_only=True)
class WaitingRecording(Body):
    """A file whose speech is to be transcribed.

    Attributes:
        location_id: 0: none waits (or ingestion is paused); the other fields mean nothing then.
        revision: of the location; goes back with the result, which is dropped where it is not the newest.
    """

    location_id: int
    revision: int = 0
    path: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class TakeRecording(Request[WaitingRecording]):
    """Host to library worker: give the next file to transcribe; it counts as being read from now on."""

    TYPE: ClassVar[str] = "recording.take"
    RESULT: ClassVar[type[Body]] = WaitingRecording


@dataclass(frozen=True, kw_only=True)
class NoteTranscription(Request[Empty]):
    """Host to library worker: how far a transcription is, 0 to 1; its file shows it."""

    TYPE: ClassVar[str] = "recording.progress"
    RESULT: ClassVar[type[Body]] = Empty
    location_id: int
    revision: int
    progress: float


@dataclass(frozen=True, kw_only=True)
class TranscriptLine(Body):
    """A stretch of speech; times in seconds of the file."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, kw_only=True)
class StoreTranscript(Request[Empty]):
    """Host to library worker: a transcription is complete; it becomes the document's text.

    Attributes:
        lines: none: the file holds no speech and ends as empty.
        format: of the file: `mp3`, `wav`, `mp4`, …
        seconds: length of the sound.
        note: why the text may be bad or incomplete, in words; the file ends as partial then.
    """

    TYPE: ClassVar[str] = "recording.store"
    RESULT: ClassVar[type[Body]] = Empty
    location_id: int
    revision: int
    lines: tuple[TranscriptLine, ...]
    language: str
    format: str
    seconds: float
    model: str
    title: str = ""
    note_code: str = ""
    note: str = ""
    note_hint: str = ""


@dataclass(frozen=True, kw_only=True)
class FailRecording(Request[Empty]):
    """Host to library worker: a file cannot be transcribed, with the reason in words.

    Attributes:
        later: it is not the file's fault (no speech model): it waits, shows the reason, and is given again by
            TakeRecording when ResumeRecordings comes or at the next start.
    """

    TYPE: ClassVar[str] = "recording.fail"
    RESULT: ClassVar[type[Body]] = Empty
    location_id: int
    revision: int
    code: str
    reason: str
    hint: str = ""
    later: bool = False


@dataclass(frozen=True, kw_only=True)
class ResumeRecordings(Request[Empty]):
    """Host to library worker: what kept recordings waiting may be over (another speech model is here)."""

    TYPE: ClassVar[str] = "recording.resume"
    RESULT: ClassVar[type[Body]] = Empty
