"""RTF through striprtf, after pictures and embedded objects are taken out of the way."""

import re
from importlib.metadata import PackageNotFoundError, version

from striprtf.striprtf import rtf_to_text

from app.worker.parser.builder import TextBuilder, TextFull, limit_reached, one_line
from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal
from app.worker.parser.source import Source

try:
    _PARSER = f"striprtf {version('striprtf')}"
except PackageNotFoundError:  # frozen without the package's metadata
    _PARSER = "striprtf"

_MAX_BYTES = 200 * 1024 * 1024
_HEX_RUN = re.compile(r"(?:[0-9a-fA-F]{2}\s*){400,}")
_TITLE = re.compile(r"\{\\title\s((?:[^{}\\]|\\.){0,300})\}")
_MANY_NEWLINES = re.compile(r"\n{3,}")


def read_rtf(source: Source) -> Extract:
    """Read an RTF document."""
    raw = source.head(min(source.size_bytes, _MAX_BYTES)).decode("latin-1")
    raw = _HEX_RUN.sub("", raw)
    source.progress(0.1)
    text = _whole(rtf_to_text(raw, encoding="cp1252", errors="replace"))
    if not text.strip():
        raise Refusal("file.no_text", {"kind": "RTF document"})
    builder = TextBuilder(source.limits.text_chars)
    partial = None
    try:
        builder.paragraph(_MANY_NEWLINES.sub("\n\n", text))
    except TextFull:
        partial = limit_reached(source.limits.text_chars, f"the first {builder.length:,}")
    title = _TITLE.search(raw)
    name = one_line(rtf_to_text("{\\rtf1 " + title[1] + "}", errors="replace")) if title else ""
    return builder.extract("rtf", name, _PARSER, stem=source.stem, partial=partial)


def _whole(text: str) -> str:
    """Join surrogate pairs, as which RTF writes characters beyond U+FFFF."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
