"""Tells what a file is: by its bytes first, by its name only where the bytes leave it open."""

import re

from app.worker.parser import archive, charset, kinds, ole
from app.worker.parser.reasons import Refusal
from app.worker.parser.source import Source

_HEAD_BYTES = 40_000  # a disc image has its mark at 32,769
_SAMPLE_BYTES = 64 * 1024
_PDF_WITHIN_BYTES = 1024
_CHUNKED, _CHUNK_KIND_AT = (b"RIFF", b"RF64", b"FORM"), 8  # soft samples can look like wide letters
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL
)
_MAIL_HEADER = re.compile(r"^(?:From [^\n]+\n)?(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t]+[^\n]*\n)*){3,}")
_MAIL_FIELDS = ("received:", "message-id:", "mime-version:", "return-path:", "delivered-to:", "content-type:")
_SVG = re.compile(
    r"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*|<!doctype svg[^>]*>\s*)*<svg[\s>]", re.IGNORECASE | re.DOTALL
)


def detect(source: Source) -> str:
    """Give the format of a file that can be read: a key of the registry's readers.

    Raises:
        Refusal: it is of another kind, protected, or damaged.
    """
    head = source.head(_HEAD_BYTES)
    if not head:
        raise Refusal("file.empty")
    if head.startswith(archive.MAGIC):
        return archive.detect_package(source)
    if head.startswith(ole.MAGIC):
        raise _judge_ole(source)
    if _is_pdf(head, source.extension):
        return "pdf"
    if head.lstrip()[:5] == b"{\\rtf":
        return "rtf"
    sample = head[:_SAMPLE_BYTES]
    is_text = charset.looks_like_text(sample)
    _refuse_by_magic(head, is_text=is_text)
    if not is_text:
        raise Refusal(*_judge_binary(source))
    return _text_format(source, sample)


def _is_pdf(head: bytes, extension: str) -> bool:
    at = head.find(b"%PDF-", 0, _PDF_WITHIN_BYTES)
    if at < 0:
        return False
    # Readers accept rubbish before the mark; a text about PDF must not be taken for one.
    return not head[:at].strip(b"\0 \t\r\n\xef\xbb\xbf") or extension == "pdf" or b"\0" in head[:at]


def _refuse_by_magic(head: bytes, *, is_text: bool) -> None:
    for magic in kinds.MAGIC:
        if not head.startswith(magic.start, magic.offset):
            continue
        is_weak = (len(magic.start) < 4 or magic.offset) and magic.start.isascii()
        if is_text and is_weak and not (magic.offset == _CHUNK_KIND_AT and head.startswith(_CHUNKED)):
            continue  # "MZ", "ORC" or "ustar" may begin a word as well
        raise Refusal(magic.code, {"kind": magic.kind, "target": magic.target})
    if (
        head[:2] == b"BM"
        and head[6:10] == bytes(4)
        and head[14:18] in (b"\x28\0\0\0", b"\x0c\0\0\0", b"\x7c\0\0\0")
    ):
        raise Refusal("unsupported.image", {"kind": "BMP"})
    if not is_text and _is_transport_stream(head):
        raise Refusal("unsupported.video", {"kind": "MPEG transport stream"})


def _is_transport_stream(head: bytes) -> bool:
    """Tell whether packets of a transport stream follow each other (ISO/IEC 13818-1; 192 bytes on discs)."""
    return any(
        len(head) > first + 3 * size and all(head[first + n * size] == 0x47 for n in range(4))
        for first, size in ((0, 188), (4, 192))
    )


def _judge_ole(source: Source) -> Refusal:
    names = ole.top_names(source)
    for stream, code, kind, target in kinds.OLE:
        if stream in names:
            named = (
                f"{source.extension.upper()} file" if code == "office.password" and source.extension else kind
            )
            return Refusal(code, {"kind": named, "target": target})
    if not names:
        return Refusal("file.damaged", {"kind": f"{source.extension.upper() or 'office'} file"})
    return Refusal("unsupported.office", {"kind": "a file of an old office program", "target": "docx"})


def _judge_binary(source: Source) -> tuple[str, dict[str, str | int]]:
    """Say of bytes without a known mark what their name promises."""
    extension = source.extension
    if extension in ("pdf", "docx", "xlsx", "pptx", "rtf"):
        return "file.damaged", {"kind": f"{extension.upper()} file"}
    by_name = {
        "doc": ("file.damaged", "DOC file"),
        "xls": ("file.damaged", "XLS file"),
        "ppt": ("file.damaged", "PPT file"),
        "mp3": ("unsupported.audio", "MP3"),
        "aac": ("unsupported.audio", "AAC"),
        "mp2": ("unsupported.audio", "MP2"),
        "opus": ("unsupported.audio", "Opus"),
        "wav": ("unsupported.audio", "WAV"),
        "flac": ("unsupported.audio", "FLAC"),
        "m4a": ("unsupported.audio", "M4A"),
        "mp4": ("unsupported.video", "MP4"),
        "mov": ("unsupported.video", "QuickTime"),
        "mkv": ("unsupported.video", "Matroska"),
        "webm": ("unsupported.video", "WebM"),
        "mpg": ("unsupported.video", "MPEG"),
        "mpeg": ("unsupported.video", "MPEG"),
        "tga": ("unsupported.image", "TGA"),
        "dmg": ("unsupported.archive", "disc image"),
        "pyc": ("unsupported.program", "Python bytecode"),
        "pkl": ("unsupported.data", "pickle"),
        "safetensors": ("unsupported.data", "model weights"),
        "bin": ("unsupported.data", "binary data"),
        "dbf": ("unsupported.data", "dBase table"),
    }
    code, kind = by_name.get(extension, ("unsupported.binary", ""))
    return code, {"kind": kind}


def _text_format(source: Source, sample: bytes) -> str:
    extension = source.extension
    beginning = _beginning(sample)
    if extension in kinds.MAIL and _is_mail(beginning, extension):
        raise Refusal("unsupported.mail", {"kind": kinds.MAIL[extension]})
    if extension in ("svg", "svgz") or (extension not in kinds.CODE and _SVG.match(beginning)):
        raise Refusal("unsupported.image", {"kind": "SVG drawing"})
    if extension in kinds.HTML or _is_html(beginning, extension):
        return "html"
    if extension in kinds.MARKDOWN:
        return "markdown"
    if extension in kinds.DELIMITED:
        return "csv"
    name = source.name.lower()
    if (
        extension in kinds.CODE
        or name in ("makefile", "dockerfile", "cmakelists.txt")
        or beginning.startswith("#!")
    ):
        return "code"
    return "text"


def _beginning(sample: bytes) -> str:
    for bom, codec in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if sample.startswith(bom):
            return sample[len(bom) : 8192].decode(codec, "replace").replace("\r\n", "\n")
    return sample[:8192].decode("utf-8", "replace").replace("\r\n", "\n")


def _is_html(beginning: str, extension: str) -> bool:
    return (extension not in kinds.CODE or extension == "xml") and bool(_HTML.match(beginning))


def _is_mail(beginning: str, extension: str) -> bool:
    header = _MAIL_HEADER.match(beginning)
    if extension:
        return header is not None or beginning.startswith("From ")
    return header is not None and any(field in header[0].lower() for field in _MAIL_FIELDS[:5])
