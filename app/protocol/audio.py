"""Messages between host and decoder, the process that turns audio and video files into samples."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request
from app.protocol.system import Empty

SPEECH_RATE = 16_000
"""Samples a second that speech to text takes. Samples are signed 16-bit, little-endian, one channel."""

SAMPLE_BYTES = 2


@dataclass(frozen=True, kw_only=True)
class AudioInfo(Body):
    """An open file.

    Attributes:
        handle: names it in the requests that follow.
        seconds: its length; None where the file does not say.
        format: of the container: `wav`, `mp3`, `mp4`, `matroska`, …
        codec: of the sound.
        title: from the metadata; empty where there is none.
        n_tracks: tracks of sound in it; one of them is read.
    """

    handle: str
    seconds: float | None
    format: str
    codec: str
    has_video: bool = False
    title: str = ""
    n_tracks: int = 1


@dataclass(frozen=True, kw_only=True)
class OpenAudio(Request[AudioInfo]):
    """Open a file to read its sound from `start_s` on.

    Errors: `file.not_found`, `file.unreadable`, `file.empty`, `audio.damaged`, `audio.no_sound`,
    `audio.unsupported`, `audio.protected` (by its seller), `audio.too_many` (open at once).

    Attributes:
        path: absolute (undecodable bytes as surrogate escapes).
        sample_rate: of the samples wanted.
    """

    TYPE: ClassVar[str] = "audio.open"
    RESULT: ClassVar[type[Body]] = AudioInfo
    path: str
    start_s: float = 0.0
    sample_rate: int = SPEECH_RATE


@dataclass(frozen=True, kw_only=True)
class AudioPiece(Body):
    """The next samples, in the payload; `ended`: there are no more.

    Attributes:
        start_s: time of the first sample in the file.
        damaged: parts could not be decoded and are silence or left out.
    """

    start_s: float
    n_samples: int
    ended: bool
    damaged: bool = False


@dataclass(frozen=True, kw_only=True)
class ReadAudio(Request[AudioPiece]):
    """Read on, `seconds` at most; errors: `audio.not_open`, `audio.damaged` (nothing could be decoded)."""

    TYPE: ClassVar[str] = "audio.read"
    RESULT: ClassVar[type[Body]] = AudioPiece
    handle: str
    seconds: float = 30.0


@dataclass(frozen=True, kw_only=True)
class CloseAudio(Request[Empty]):
    """Close a file; silent where it is not open."""

    TYPE: ClassVar[str] = "audio.close"
    RESULT: ClassVar[type[Body]] = Empty
    handle: str
