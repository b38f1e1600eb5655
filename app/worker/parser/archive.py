"""Looks into a zip package before any parser does: what it is, and whether unpacking it would be safe.

Only the directory and the beginnings of XML parts are read here. `zipfile` never inflates more than the
directory announces, so the announced sizes bound what parsers can be made to unpack.
"""

import re
import struct
import zipfile
from collections.abc import Sequence
from typing import BinaryIO

from app.worker.parser.kinds import ODF
from app.worker.parser.reasons import Refusal, size_words
from app.worker.parser.source import Source

MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")

_MAX_ENTRIES = 10_000
_MAX_DIRECTORY_BYTES = 8 * 1024 * 1024
_MAX_ENTRY_BYTES = 512 * 1024 * 1024
_MAX_TOTAL_BYTES = 2 * 1024**3
_MAX_RATIO = 200
_RATIO_FROM_BYTES = 10 * 1024 * 1024
_PROLOG_BYTES = 64 * 1024
_MAX_PARTS_LOOKED_INTO = 2_000
_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22
_LOCAL_HEADER_BYTES = 30
_DOCTYPE = re.compile(rb"<\0?!\0?D\0?O\0?C\0?T\0?Y\0?P\0?E\0?", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?-->|<\?.*?\?>", re.DOTALL)
_FIRST_ELEMENT = re.compile(rb"<\0?[A-Za-z_\x80-\xff]")
_MAIN_PART = re.compile(
    rb'ContentType="application/vnd\.(openxmlformats-officedocument\.|ms-)(wordprocessingml|word|presentationml'
    rb'|powerpoint|spreadsheetml|excel)\.[^"]*(main\+xml|macroEnabled\.main)"'
)
_FORMATS = {
    b"wordprocessingml": "docx",
    b"word": "docx",
    b"presentationml": "pptx",
    b"powerpoint": "pptx",
    b"spreadsheetml": "xlsx",
    b"excel": "xlsx",
}


def detect_package(source: Source) -> str:
    """Give `docx`, `pptx` or `xlsx`, checked to be safe to unpack.

    Raises:
        Refusal: it is another kind of archive, or damaged, protected or unsafe.
    """
    kind = f"{source.extension.upper()} file" if source.extension else "archive"
    try:
        with source.open() as stream:
            _check_end_record(stream, source.size_bytes, kind)
            with zipfile.ZipFile(stream) as package:
                format_ = _format(package, kind)
                _check_directory(package.infolist(), format_.upper())
                _check_prologs(package, format_.upper())
                return format_
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, OSError, EOFError) as error:
        raise Refusal("file.damaged", {"kind": kind}) from error
    except (
        ValueError,
        RuntimeError,
        struct.error,
    ) as error:  # zlib.error is a plain Exception, see _beginning
        raise Refusal("file.damaged", {"kind": kind}) from error


def _check_end_record(stream: BinaryIO, size_bytes: int, kind: str) -> None:
    """Refuse a directory too large to be read at once."""
    tail_bytes = min(size_bytes, _END_RECORD_BYTES + 0xFFFF)
    stream.seek(size_bytes - tail_bytes)
    tail = stream.read(tail_bytes)
    at = tail.rfind(_END_RECORD)
    if at < 0 or at + _END_RECORD_BYTES > len(tail):
        raise Refusal("file.damaged", {"kind": kind})
    n_entries, directory_bytes = struct.unpack_from("<HI", tail, at + 10)
    if n_entries == 0xFFFF and directory_bytes == 0xFFFFFFFF:
        n_entries, directory_bytes = _zip64_sizes(stream, tail, at, size_bytes - tail_bytes)
    if n_entries > _MAX_ENTRIES or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise Refusal("file.unusual_archive", {"kind": kind, "detail": f"{n_entries:,} parts"})
    stream.seek(0)


def _zip64_sizes(stream: BinaryIO, tail: bytes, at: int, tail_start: int) -> tuple[int, int]:
    locator = tail[at - 20 : at] if at >= 20 else b""
    if not locator.startswith(b"PK\x06\x07"):
        return 0, 0  # the marks were meant as numbers; zipfile judges
    (offset,) = struct.unpack_from("<Q", locator, 8)
    stream.seek(min(offset, tail_start + len(tail)))
    record = stream.read(56)
    if len(record) < 56:
        return 0, 0
    n_entries, directory_bytes = struct.unpack_from("<QQ", record, 32)
    return n_entries, directory_bytes


def _format(package: zipfile.ZipFile, kind: str) -> str:
    names = set(package.namelist())
    if "[Content_Types].xml" in names:
        types = _beginning(package, "[Content_Types].xml", 1024 * 1024)
        if match := _MAIN_PART.search(types):
            return _FORMATS[match[2]]
        if "xl/workbook.bin" in names:
            raise Refusal("unsupported.office", {"kind": "a binary Excel workbook (.xlsb)", "target": "xlsx"})
    if "mimetype" in names:
        _refuse_by_mimetype(_beginning(package, "mimetype", 100).decode("ascii", "replace").strip())
    if names & {"Index/Document.iwa", "index.apxl", "index.xml"} or "Index.zip" in names:
        raise Refusal("unsupported.office", {"kind": "an Apple iWork document", "target": "docx"})
    if "META-INF/MANIFEST.MF" in names or "AndroidManifest.xml" in names:
        raise Refusal("unsupported.program", {"kind": "a Java or Android package"})
    if any(entry.flag_bits & 1 for entry in package.infolist()):
        raise Refusal("archive.password")
    if kind in ("DOCX file", "XLSX file", "PPTX file"):
        raise Refusal("file.damaged", {"kind": kind})  # a package without its table of contents
    raise Refusal("unsupported.archive", {"kind": "ZIP"})


def _refuse_by_mimetype(mimetype: str) -> None:
    for beginning, (kind, target) in ODF.items():
        if mimetype.startswith(beginning):
            raise Refusal("unsupported.office", {"kind": kind, "target": target})
    if mimetype.startswith("application/epub"):
        raise Refusal("unsupported.ebook", {"kind": "EPUB"})


def _check_directory(entries: Sequence[zipfile.ZipInfo], kind: str) -> None:
    """Refuse what real documents never are: huge, extremely compressible, overlapping, doubled, encrypted."""
    if any(entry.flag_bits & 1 for entry in entries):
        raise Refusal("office.password", {"kind": kind})
    total = sum(entry.file_size for entry in entries)
    largest = max((entry.file_size for entry in entries), default=0)
    if total > _MAX_TOTAL_BYTES or largest > _MAX_ENTRY_BYTES:
        raise Refusal("file.expands", {"kind": kind, "size": size_words(total)})
    for entry in entries:
        if entry.file_size > max(_RATIO_FROM_BYTES, _MAX_RATIO * entry.compress_size):
            raise Refusal("file.expands", {"kind": kind, "size": size_words(total)})
    if len({entry.filename for entry in entries}) < len(entries):
        raise Refusal("file.unusual_archive", {"kind": kind, "detail": "two parts of one name"})
    end = 0
    for entry in sorted(entries, key=lambda item: item.header_offset):
        if entry.header_offset < end:
            raise Refusal("file.unusual_archive", {"kind": kind, "detail": "parts that overlap"})
        end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size


def _check_prologs(package: zipfile.ZipFile, kind: str) -> None:
    """Refuse XML parts that declare a document type; office programs never write one."""
    parts = [name for name in package.namelist() if name.lower().endswith((".xml", ".rels", ".vml"))]
    for name in parts[:_MAX_PARTS_LOOKED_INTO]:
        check_prolog(_beginning(package, name, _PROLOG_BYTES), kind)


def check_prolog(beginning: bytes, kind: str) -> None:
    """Refuse XML that declares a document type before its first element.

    Raises:
        Refusal: `file.entities`.
    """
    n_bytes = len(beginning)
    beginning = _COMMENT.sub(b"", beginning)
    first = _FIRST_ELEMENT.search(beginning)
    prolog = beginning[: first.start()] if first else beginning
    if _DOCTYPE.search(prolog) or (first is None and n_bytes >= _PROLOG_BYTES):
        raise Refusal("file.entities", {"kind": kind})


def _beginning(package: zipfile.ZipFile, name: str, n_bytes: int) -> bytes:
    import zlib

    try:
        with package.open(name) as part:
            return part.read(n_bytes)
    except zlib.error as error:
        raise zipfile.BadZipFile(name) from error
