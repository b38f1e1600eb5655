"""Why a file was not read, or not wholly: codes, the state they lead to, and their words.

Children send codes with a few values; the words are made here, in the library worker, so that a hostile
file cannot put words of its own before the user.
"""

from collections.abc import Mapping
from typing import NamedTuple

from app.core.errors import FileError

_MAX_VALUE_CHARS = 60


class Refusal(Exception):  # noqa: N818  # a judgement, carried by frames as well as raised
    """A file cannot be read, or only a part of it is kept.

    Attributes:
        code: a key of the tables below.
        values: numbers and short names that the words hold.
    """

    def __init__(self, code: str, values: Mapping[str, str | int] | None = None) -> None:
        """Keep the parts."""
        super().__init__(code)
        self.code = code
        self.values = dict(values or {})


class _Reason(NamedTuple):
    state: str
    message: str
    hint: str


_OCR_HINT = (
    "Reading text in pictures is not available; run it through a text-recognition (OCR) program first."
)
_UNPACK_HINT = "Unpack it and add the documents that it holds."
_PROTECTED = "Open it with its password in {program}, save a copy without one, and add that copy."
_REPORT = "Try to open it in its own program and save it again, or as a PDF."

_REASONS: dict[str, _Reason] = {
    # nothing to read
    "file.empty": _Reason(
        "empty", "This file is empty (0 bytes).", "If it should hold something, save it again."
    ),
    "file.no_text": _Reason("empty", "This {kind} holds no text.", ""),
    "pdf.no_text": _Reason(
        "empty",
        "There is no text in this PDF: its pages are pictures, as a scanner makes them ({pages}).",
        "Run it through a text-recognition (OCR) program and add the result.",
    ),
    "pdf.blank": _Reason("empty", "The pages of this PDF are blank ({pages}).", ""),
    "pdf.unreadable_text": _Reason(
        "empty",
        "The text of this PDF cannot be read: its fonts do not say which letters they draw.",
        "Print it to a new PDF with text recognition (OCR) and add that.",
    ),
    # damaged or refused
    "file.damaged": _Reason(
        "failed",
        "This {kind} is damaged and could not be opened.",
        "Get it again from its source. " + _REPORT,
    ),
    "file.not_regular": _Reason(
        "failed", "This is not an ordinary file.", "Add the file that it stands for."
    ),
    "file.unreadable": _Reason(
        "failed", "Reading this file from the disk failed.", "Check the disk or the connection to it; retry."
    ),
    "file.changed": _Reason(
        "failed", "The file was changed by another program while it was read.", "Try again when it is saved."
    ),
    "pdf.password": _Reason(
        "failed", "This PDF is protected by a password.", _PROTECTED.format(program="a PDF viewer")
    ),
    "office.password": _Reason(
        "failed",
        "This {kind} is protected by a password.",
        _PROTECTED.format(program="the program it was made with"),
    ),
    "archive.password": _Reason(
        "failed", "This archive is protected by a password.", "Unpack it with its password and add the files."
    ),
    "file.expands": _Reason(
        "failed",
        "Unpacked, this {kind} would grow far beyond any real document ({size}), so it was not opened.",
        "If you trust it, save it again in its own program and add that copy.",
    ),
    "file.entities": _Reason(
        "failed",
        "This {kind} defines its own XML entities, which documents do not need and attacks use.",
        "If you trust it, save it again in its own program and add that copy.",
    ),
    "file.unusual_archive": _Reason(
        "failed",
        "The inside of this {kind} is built in a way that real documents are not ({detail}).",
        "If you trust it, save it again in its own program and add that copy.",
    ),
    # limits of the child
    "parser.time": _Reason(
        "failed",
        "Reading took longer than {seconds} seconds and was stopped.",
        "Split it into smaller files.",
    ),
    "parser.memory": _Reason(
        "failed", "Reading needed more memory than one file may use ({size}).", "Split it into smaller files."
    ),
    "parser.output": _Reason(
        "failed", "Reading gave more than one file may hold ({size}).", "Split it into smaller files."
    ),
    "parser.crashed": _Reason(
        "failed", "Reading stopped: something in this file is damaged beyond what the reader bears.", _REPORT
    ),
    "parser.unavailable": _Reason(
        "failed", "The file reader could not be started.", "Restart the program; reinstall it if this stays."
    ),
    # other kinds of file
    "unsupported.image": _Reason("unsupported", "This is a picture ({kind}).", _OCR_HINT),
    # The library has recordings transcribed instead of showing these two.
    "unsupported.audio": _Reason(
        "unsupported", "This is a sound recording ({kind}).", "Transcribe it, then read the transcript."
    ),
    "unsupported.video": _Reason(
        "unsupported", "This is a video ({kind}).", "Transcribe it, then read the transcript."
    ),
    "unsupported.music": _Reason(
        "unsupported",
        "This file holds notes to be played ({kind}), not recorded sound, so nobody speaks in it.",
        "Nothing is missing: there are no words in it.",
    ),
    "unsupported.archive": _Reason("unsupported", "This is an archive ({kind}).", _UNPACK_HINT),
    "unsupported.legacy": _Reason(
        "unsupported",
        "This is an old {kind} (before 2007), which cannot be read.",
        "Open it in an office program and save it as .{target}.",
    ),
    "unsupported.office": _Reason(
        "unsupported",
        "This is {kind}, which cannot be read yet.",
        "Open it in its program and save it as .{target} or PDF.",
    ),
    "unsupported.mail": _Reason(
        "unsupported",
        "This is e-mail ({kind}), which cannot be read yet.",
        "Save the message as text or PDF.",
    ),
    "unsupported.ebook": _Reason(
        "unsupported", "This is an e-book ({kind}), which cannot be read yet.", "Convert it to PDF or HTML."
    ),
    "unsupported.program": _Reason(
        "unsupported", "This is a program or its data ({kind}), not a document.", ""
    ),
    "unsupported.data": _Reason(
        "unsupported", "This is a data file ({kind}), not a document.", "Export what matters as CSV or text."
    ),
    "unsupported.binary": _Reason(
        "unsupported",
        "This is not a kind of document that is known here, and it is not text.",
        "Open it in its own program and save it as PDF.",
    ),
}

_PARTIAL: dict[str, str] = {
    "limit.text": "The text is longer than {limit} characters; what comes after {kept} is not searched.",
    "limit.cells": "The sheets hold more than {limit} cells; what comes after {kept} is not searched.",
    "limit.field": "A field longer than {limit} characters was cut ({n} in all).",
    "limit.depth": "The page nests its parts deeper than {limit} levels; what is below that is not searched.",
    "pdf.pages_damaged": "{n} of {pages} pages are damaged and were left out.",
    "slides.damaged": "{n} of {slides} slides are damaged and were left out.",
    "pdf.pages_pictures": (
        "{n} of {pages} pages are pictures without text; only the others are searched. Reading text in "
        "pictures is not available."
    ),
}


def to_error(refusal: Refusal) -> FileError:
    """Give the error that the user reads; an unknown code is a crash of the child."""
    code = refusal.code if refusal.code in _REASONS else "parser.crashed"
    reason = _REASONS[code]
    values = _Values(refusal.values)
    return FileError(
        code,
        reason.message.format_map(values),
        reason.hint.format_map(values),
        context={"state": reason.state},
    )


def partial_words(refusal: Refusal) -> str:
    """Say which limit was reached and what is kept.

    Raises:
        ValueError: the code is unknown.
    """
    if refusal.code not in _PARTIAL:
        raise ValueError(refusal.code)
    return _PARTIAL[refusal.code].format_map(_Values(refusal.values))


def size_words(size_bytes: int) -> str:
    """Give a size for people, such as `1.5 GB`."""
    value, unit = float(size_bytes), "bytes"
    for unit in ("bytes", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 10 or unit == "bytes" else f"{value:.1f} {unit}"


def pages_words(n_pages: int) -> str:
    """Give `1 page` or `n pages`."""
    return "1 page" if n_pages == 1 else f"{n_pages:,} pages"


class _Values(dict[str, str]):
    """Values ready to stand in a sentence; what is missing becomes a neutral word."""

    def __init__(self, values: Mapping[str, str | int]) -> None:
        super().__init__({key: _word(value) for key, value in values.items()})

    def __missing__(self, key: str) -> str:
        return "file" if key == "kind" else "?"


def _word(value: str | int) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "".join(letter for letter in str(value) if letter.isprintable())[:_MAX_VALUE_CHARS]
