"""How a file's state, size and kind are told: in words, an icon and a colour of the theme."""

from collections.abc import Set
from dataclasses import dataclass
from pathlib import PurePath

from PySide6.QtCore import QCoreApplication, QLocale

from app.protocol.library import FileEntry, FileState
from app.ui.elements.clock import clock
from app.ui.recording_names import AUDIO, VIDEO, is_recording

WORKING = frozenset({FileState.QUEUED, FileState.READING, FileState.EMBEDDING})
RETRYABLE = frozenset(
    {
        FileState.READY,
        FileState.PARTIAL,
        FileState.EMPTY,
        FileState.FAILED,
        FileState.UNSUPPORTED,
        FileState.MISSING,
    }
)

_ROLES = {
    FileState.QUEUED: "text_faint",
    FileState.READING: "busy",
    FileState.EMBEDDING: "busy",
    FileState.READY: "ok",
    FileState.PARTIAL: "warning",
    FileState.EMPTY: "warning",
    FileState.FAILED: "error",
    FileState.UNSUPPORTED: "text_faint",
    FileState.MISSING: "error",
}

_ICONS = {
    FileState.QUEUED: "pause",
    FileState.READING: "retry",
    FileState.EMBEDDING: "retry",
    FileState.READY: "check-circle",
    FileState.PARTIAL: "warning",
    FileState.EMPTY: "info",
    FileState.FAILED: "error",
    FileState.UNSUPPORTED: "info",
    FileState.MISSING: "question",
}

_KINDS: dict[str, tuple[str, Set[str]]] = {
    "PDF": ("error", {"pdf"}),
    "DOC": ("accent", {"docx", "doc", "odt", "rtf"}),
    "PPT": ("warning", {"pptx", "ppt", "odp"}),
    "XLS": ("ok", {"xlsx", "xls", "ods", "csv", "tsv"}),
    "WEB": ("busy", {"html", "htm", "xhtml", "mhtml", "xml"}),
    "MD": ("text_muted", {"md", "markdown", "rst"}),
    "TXT": ("text_muted", {"txt", "log", "text"}),
    "IMG": ("busy", {"png", "jpg", "jpeg", "tif", "tiff", "bmp", "webp", "gif", "svg"}),
    "ZIP": ("text_faint", {"zip", "gz", "xz", "7z", "tar", "rar"}),
    "MAIL": ("accent", {"eml", "msg", "mbox"}),
    "BOOK": ("accent", {"epub"}),
    "AUD": ("busy", AUDIO),
    "VID": ("busy", VIDEO),
}
_CODE_SUFFIXES = (
    "c cc cpp cs css go h hpp java js json kt lua m php pl py r rb rs sh sql swift toml ts tsx yaml"
)
_CODE = frozenset(_CODE_SUFFIXES.split())


@dataclass(frozen=True)
class Kind:
    """A format as its icon shows it: a few letters and a Palette field."""

    letters: str
    role: str


def state_role(state: FileState) -> str:
    """Give the Palette field that colours a state."""
    return _ROLES[state]


def state_icon(state: FileState) -> str:
    """Give the name of a state's icon."""
    return _ICONS[state]


def state_name(state: FileState) -> str:
    """Give a state's name as the filter shows it."""
    return _state_names()[state]


def state_words(file: FileEntry) -> str:
    """Say where a file stands, with its progress."""
    percent = f" {round(file.progress * 100)} %" if file.progress is not None else ""
    if is_recording(file.name) and file.state is FileState.QUEUED:
        return _tr("Waiting to be transcribed")
    if is_recording(file.name) and file.state is FileState.READING:
        return _tr("Transcribing") + ("," + percent if percent else "")
    if file.state is FileState.READING:
        return _tr("Reading") + percent
    if file.state is FileState.EMBEDDING:
        return _tr("Answerable by keywords — reading for meaning") + percent
    if file.state is FileState.READY and file.duplicate_of:
        return _tr("Ready — same content as {name}").replace("{name}", PurePath(file.duplicate_of).name)
    return state_name(file.state)


def second_line(file: FileEntry) -> str:
    """Say where a file stands and, where there is one, why."""
    return f"{state_words(file)} — {file.reason}" if file.reason else state_words(file)


def size_words(size_bytes: int) -> str:
    """Give a size as people read it."""
    return QLocale().formattedDataSize(size_bytes, 1, QLocale.DataSizeFormat.DataSizeTraditionalFormat)


def extent_words(file: FileEntry, sound_seconds: float | None = None) -> str:
    """Give pages and size; of a recording also its length, where that is known."""
    parts = [size_words(file.size_bytes)] if file.size_bytes else []
    if sound_seconds is not None:
        parts.insert(0, clock(sound_seconds))
    if file.pages is not None:
        pages = _tr("1 page") if file.pages == 1 else _tr("{n} pages").replace("{n}", f"{file.pages:,}")
        parts.insert(0, pages)
    return " · ".join(parts)


def spoken(file: FileEntry) -> str:
    """Give everything about a file in one sentence, for screen readers."""
    return ", ".join(part for part in (file.name, second_line(file), extent_words(file)) if part)


def kind_of(name: str) -> Kind:
    """Give the kind of a file by its name's end."""
    suffix = PurePath(name).suffix.lower().lstrip(".")
    for letters, (role, suffixes) in _KINDS.items():
        if suffix in suffixes:
            return Kind(letters, role)
    if suffix in _CODE:
        return Kind("CODE", "accent")
    return Kind(suffix[:4].upper(), "text_faint")


def duration_words(seconds: float) -> str:
    """Give a remaining time, rounded as far as an estimate deserves."""
    if seconds < 60:
        return _tr("less than a minute")
    minutes = round(seconds / 60)
    if minutes < 60:
        return (
            _tr("about 1 minute") if minutes == 1 else _tr("about {n} minutes").replace("{n}", str(minutes))
        )
    hours = round(minutes / 60)
    return _tr("about 1 hour") if hours == 1 else _tr("about {n} hours").replace("{n}", str(hours))


def _state_names() -> dict[FileState, str]:
    return {
        FileState.QUEUED: _tr("Waiting"),
        FileState.READING: _tr("Reading"),
        FileState.EMBEDDING: _tr("Reading for meaning"),
        FileState.READY: _tr("Ready"),
        FileState.PARTIAL: _tr("Read in part"),
        FileState.EMPTY: _tr("No text in it"),
        FileState.FAILED: _tr("Could not be read"),
        FileState.UNSUPPORTED: _tr("Not supported"),
        FileState.MISSING: _tr("File is missing"),
    }


def _tr(text: str) -> str:
    return QCoreApplication.translate("FileWords", text)
