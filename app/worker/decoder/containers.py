"""Opens recordings with FFmpeg: only kinds that stand for themselves, by a descriptor, and says what is in.

FFmpeg knows file formats that name other files or addresses (playlists, lists of parts, streaming manifests)
and devices that pose as formats. None of them is on the list below, the file is given as an open descriptor,
and whatever a format still wants to open is refused, so a recording cannot make the program read anything
else.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Any, BinaryIO

import av
import av.logging
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.container.input import InputContainer
from av.error import FFmpegError

from app.core.errors import FileError
from app.worker.decoder import reasons
from app.worker.parser.kinds import MAGIC

_QUIET = -8
"""Source: AV_LOG_QUIET in FFmpeg's libavutil/log.h. Its messages quote what stands in the file."""

DEMUXERS = (
    "3gp,aac,aa,ac3,aiff,alaw,amr,amrnb,amrwb,ape,asf,asf_o,ast,au,avi,caf,dsf,dss,dts,dtshd,dv,eac3,f4v,flac"
    ",flv,gsm,ircam,live_flv,loas,matroska,mlp,mov,mp3,mpc,mpc8,mpeg,mpegts,mulaw,mxf,nistsphere,nsv,nut,ogg"
    ",oma,qcp,qoa,rm,shn,sln,tak,truehd,tta,voc,vqf,w64,wav,webm,wsaud,wtv,wv,wve,xa,xwma"
)
"""Names of FFmpeg's readers of files that hold their sound themselves."""

_EXTENSIONS = """
    3g2 3gp aac aif aifc aiff amr ape asf au avi caf f4v flac flv m2ts m4a m4b m4v mka mkv mov mp2 mp3 mp4
    mpeg mpg mts oga ogg ogv opus qt ra rm ts tta w64 wav webm wma wmv wv
"""
_KNOWN_EXTENSIONS = frozenset(_EXTENSIONS.split())
_RECORDINGS = frozenset({"unsupported.audio", "unsupported.video"})
_HEAD_BYTES = 64
_AUDIBLE = (b"ftypaax ", b"ftypaaxc")
_PROTECTED_TAGS = frozenset({"drms", "enca", "aavd"})
"""Source: sample entries registered with the MP4 Registration Authority; FFmpeg's isom.c."""
_PROTECTED_KEYS = frozenset({"asf_protection_type", "asf_license_url", "asf_key_id", "enc_key_id"})
"""Metadata that FFmpeg's readers set where the content is encrypted (asfdec_f.c, matroskadec.c)."""
_STATING = frozenset({"wav", "w64", "aiff", "flac", "mov", "caf", "au"})
"""Kinds whose header states how long the sound is."""
_GAPLESS = frozenset({"wav", "w64", "aiff", "flac", "caf", "au", "mp3", "aac", "amr", "ogg"})
_MAX_CHANNELS = 64
_RATES = range(2_000, 768_001)
"""Samples a second that real recordings have; a header that names others lies."""
_MAX_SECONDS = 1_000 * 3_600.0
_MAX_TITLE_CHARS = 300
_MICROSECONDS = 1_000_000
_O_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not wait for its writer
    | getattr(os, "O_BINARY", 0)
)
_BUFFER_BYTES = 256 * 1024


class WatchedFile:
    """The open file as FFmpeg reads it; every read shows that decoding goes on."""

    def __init__(self, file: BinaryIO, touch: Callable[[], None]) -> None:
        """Take the file and whom to tell."""
        self._file, self._touch = file, touch
        self.failed = False

    def read(self, n_bytes: int) -> bytes:
        """Read on."""
        self._touch()
        try:
            return self._file.read(n_bytes)
        except OSError:
            self.failed = True
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to an offset; -1 where there is none such, which FFmpeg takes as its own errors."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1

    def tell(self) -> int:
        """Give the offset."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass
class Recording:
    """An open file whose sound can be decoded.

    Attributes:
        file: what FFmpeg reads.
        stream: the sound that is taken.
        offset_s: time stamp at which the file begins.
        seconds: its length; None where the file does not say.
        format: of the container.
        stated_s: length of the sound as the file's header states it; None where it does not, and `seconds` is
            worked out from what is there.
        is_gapless: the format cannot leave a time without sound, so a gap is damage.
    """

    file: WatchedFile
    container: InputContainer
    stream: AudioStream
    offset_s: float
    seconds: float | None
    format: str
    codec: str
    has_video: bool
    title: str
    stated_s: float | None
    is_gapless: bool

    def close(self) -> None:
        """Close everything."""
        with suppress(FFmpegError, OSError):
            self.container.close()
        self.file.close()


def silence_log() -> None:
    """Keep FFmpeg's messages out of the log; called once, before anything is opened."""
    av.logging.set_libav_level(_QUIET)


def open_recording(path: str, touch: Callable[[], None]) -> Recording:
    """Open the file at `path` (undecodable bytes as surrogate escapes).

    Raises:
        NotFoundError: `file.not_found`.
        FileError: `file.unreadable`, `file.is_folder`, `file.empty`, `audio.damaged`, `audio.no_sound`,
            `audio.unsupported`, `audio.protected`.
    """
    raw = _open_file(path)
    file = WatchedFile(raw, touch)
    try:
        head = _head(raw)
        container = _open_container(file, PurePath(path), head)
    except BaseException:
        raw.close()
        raise
    try:
        return _described(file, container)
    except BaseException:
        with suppress(FFmpegError, OSError):
            container.close()
        raw.close()
        raise


def _open_file(path: str) -> BinaryIO:
    try:
        descriptor = os.open(os.fsencode(path), _O_FLAGS)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise reasons.not_found() from error
    except OSError as error:
        raise reasons.unreadable() from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        os.close(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise reasons.folder()
        raise reasons.empty() if stat.S_ISREG(status.st_mode) else reasons.unreadable()
    return os.fdopen(descriptor, "rb", _BUFFER_BYTES)


def _head(file: BinaryIO) -> bytes:
    try:
        head = file.read(_HEAD_BYTES)
        file.seek(0)
    except OSError as error:
        raise reasons.unreadable() from error
    return head


def _open_container(file: WatchedFile, path: PurePath, head: bytes) -> InputContainer:
    options = {
        "format_whitelist": DEMUXERS,
        "codec_whitelist": audio_decoders(),
        "protocol_whitelist": "none",
    }
    try:
        container: InputContainer = av.open(
            file, "r", container_options=options, metadata_errors="replace", io_open=_refuse_other_file
        )
    except MemoryError as error:
        raise reasons.damaged() from error
    except Exception as error:  # the border of a task: FFmpeg's readers raise many kinds on damaged files
        if file.failed:
            raise reasons.unreadable() from error
        raise _judged(path, head) from error
    return container


def _refuse_other_file(url: str, flags: int, options: dict[str, str]) -> Any:
    """Refuse whatever a format wants to open besides the file itself."""
    raise PermissionError("a recording may not open other files")


@cache
def audio_decoders() -> str:
    """Give the names of FFmpeg's decoders of sound; those of pictures are not needed, and not run."""
    names = []
    for name in sorted(av.codecs_available):
        with suppress(UnknownCodecError):  # it only encodes
            if Codec(name, "r").type == "audio":
                names.append(name)
    return ",".join(names)


def _judged(path: PurePath, head: bytes) -> FileError:
    """Say of a file that no reader takes whether it is a damaged recording or none at all."""
    if head[4:12] in _AUDIBLE:
        return reasons.protected()
    is_one = any(head.startswith(magic.start, magic.offset) for magic in MAGIC if magic.code in _RECORDINGS)
    if is_one or path.suffix[1:].lower() in _KNOWN_EXTENSIONS:
        return reasons.damaged()
    return reasons.unsupported()


def _described(file: WatchedFile, container: InputContainer) -> Recording:
    """Choose the sound of an open container and describe it; raises as `open_recording`."""
    has_video = any(
        stream.type == "video" and not _is_picture(stream.disposition) for stream in container.streams
    )
    if _is_protected(container):
        raise reasons.protected()
    stream = _chosen(container)
    if stream is None:
        has_other = any(stream.type not in ("audio", "video") for stream in container.streams)
        raise reasons.no_sound(has_video=True) if has_video or not has_other else reasons.unsupported()
    context: AudioCodecContext | None = getattr(stream, "codec_context", None)  # their types promise one
    if context is None:
        raise reasons.unknown_sound()
    context.thread_type = "NONE"
    context.thread_count = 1
    name = container.format.name.split(",")[0]
    return Recording(
        file=file,
        container=container,
        stream=stream,
        offset_s=(container.start_time or 0) / _MICROSECONDS,
        seconds=_seconds(container, stream),
        format={"mov": "mp4"}.get(name, name),
        codec=context.codec.canonical_name,
        has_video=has_video,
        title=_title(container, stream),
        stated_s=_stated_s(name, container, stream, has_video=has_video),
        is_gapless=name in _GAPLESS,
    )


def _is_picture(disposition: Any) -> bool:
    """Tell whether a picture stream is the cover."""
    return bool(disposition & type(disposition).attached_pic)


def _chosen(container: InputContainer) -> AudioStream | None:
    with suppress(FFmpegError, ValueError):
        best = container.streams.best("audio")
        if isinstance(best, AudioStream):
            return best
    return container.streams.audio[0] if container.streams.audio else None


def _is_protected(container: InputContainer) -> bool:
    metadata = [container.metadata, *(stream.metadata for stream in container.streams)]
    if any(key.lower() in _PROTECTED_KEYS for part in metadata for key in part):
        return True
    contexts: list[AudioCodecContext | None] = [stream.codec_context for stream in container.streams.audio]
    return any(context is not None and context.codec_tag in _PROTECTED_TAGS for context in contexts)


def _seconds(container: InputContainer, stream: AudioStream) -> float | None:
    seconds = None
    if container.duration is not None:
        seconds = container.duration / _MICROSECONDS
    elif stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    return seconds if seconds is not None and 0 < seconds <= _MAX_SECONDS else None


def _stated_s(name: str, container: InputContainer, stream: AudioStream, *, has_video: bool) -> float | None:
    if name in _STATING and stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    # Matroska states one length for all; that of the pictures may be another than that of the sound.
    return _seconds(container, stream) if name == "matroska" and not has_video else None


def _title(container: InputContainer, stream: AudioStream) -> str:
    for metadata in (container.metadata, stream.metadata):
        for key, value in metadata.items():
            if key.lower() == "title":
                words = "".join(letter if letter.isprintable() else " " for letter in value).split()
                return " ".join(words)[:_MAX_TITLE_CHARS]
    return ""


def is_plausible(rate: int, n_channels: int) -> bool:
    """Tell whether a decoded frame has a rate and a number of channels that real recordings have."""
    return rate in _RATES and 1 <= n_channels <= _MAX_CHANNELS
