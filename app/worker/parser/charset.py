"""Finds the character encoding of text and decodes it piece by piece, never failing on a stray byte."""

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

from app.worker.parser.source import Source

_SAMPLE_BYTES = 64 * 1024
_CHUNK_BYTES = 1024 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What people's files are in; the exotic rest only makes short texts ambiguous.
_CANDIDATES = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r", "koi8_u",
    "iso8859_2", "iso8859_5", "iso8859_7", "mac_roman", "cp437", "cp850", "cp866",
    "gb18030", "big5", "cp932", "euc_jp", "cp949", "tis_620",
]  # fmt: skip
_LATIN = frozenset({"cp1250", "cp1254", "cp1257", "iso8859_2", "mac_roman", "cp437", "cp850", "cp1252"})
_WESTERN = frozenset(
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüýßœÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŒ–—‘’‚“”„…«»‹›€£§°·•¿¡ºª\xa0©®™±²³½×"
)
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)"""
    rb"""|<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)""",
    re.IGNORECASE,
)
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\b\x1b\x1a")
_MAX_CONTROL_SHARE = 0.02


class Encoding(NamedTuple):
    """How bytes become text.

    Attributes:
        codec: Python's name.
        skip: bytes of the mark at the start, which is not text.
    """

    codec: str
    skip: int = 0


def looks_like_text(sample: bytes) -> bool:
    """Tell whether bytes are text in some encoding rather than a binary format."""
    if _mark(sample) is not None or _wide_without_mark(sample) is not None:
        return True
    if not sample:
        return False
    controls = sum(byte < 32 and byte not in _TEXT_CONTROLS for byte in sample)
    return controls <= _MAX_CONTROL_SHARE * len(sample)


def find_encoding(source: Source, *, declared: bool = False) -> Encoding:
    """Find the encoding of a file.

    Args:
        source: the file.
        declared: believe what HTML or XML says of itself, where the bytes bear it out.
    """
    sample = source.head(_SAMPLE_BYTES)
    certain = _mark(sample) or _wide_without_mark(sample)
    if certain is not None:
        return certain
    if declared and (found := _declared(sample)) is not None:
        return found
    if b"\x1b$B" in sample or b"\x1b$@" in sample:
        return Encoding("iso2022_jp")
    bad_at = _first_bad_utf8(source)
    if bad_at is None:
        return Encoding("utf-8")
    start = max(0, bad_at - _SAMPLE_BYTES // 2)
    return _guess(source.read_at(start, _SAMPLE_BYTES) if start else sample)


def decode(source: Source, encoding: Encoding) -> Iterator[str]:
    """Give the text in pieces; bytes that the encoding does not know become U+FFFD, and so does NUL."""
    decoder = codecs.getincrementaldecoder(encoding.codec)(errors="replace")
    with source.open() as stream:
        stream.seek(encoding.skip)
        while data := stream.read(_CHUNK_BYTES):
            yield decoder.decode(data).replace("\0", "\ufffd")
    yield decoder.decode(b"", final=True)


def _mark(sample: bytes) -> Encoding | None:
    for bom, codec in _BOMS:
        if sample.startswith(bom):
            return Encoding(codec, len(bom))
    return None


def _wide_without_mark(sample: bytes) -> Encoding | None:
    """Recognise UTF-16 by its zero bytes, which stand at every second place in text of alphabets."""
    n_zeros = sample.count(0)
    if len(sample) < 4 or n_zeros < 0.2 * len(sample):
        return None
    odd = sample[1::2].count(0)
    if odd > 0.95 * n_zeros:
        return Encoding("utf-16-le")
    if odd < 0.05 * n_zeros:
        return Encoding("utf-16-be")
    return None


def _declared(sample: bytes) -> Encoding | None:
    match = _DECLARED.search(sample[:4096])
    if match is None:
        return None
    name = (match[1] or match[2]).decode("ascii", "replace").lower()
    name = {"iso-8859-1": "cp1252", "latin1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}.get(name, name)
    try:
        decoder = codecs.getincrementaldecoder(codecs.lookup(name).name)()
        decoder.decode(sample)
    except (LookupError, UnicodeError, AttributeError):
        return None
    # Bytes that do not have the zeros of UTF-16 were saved in something else since.
    return None if name.startswith(("utf-16", "utf-32", "utf16", "utf32")) else Encoding(name)


def _first_bad_utf8(source: Source) -> int | None:
    """Give the place of the first byte that is not UTF-8; None where all is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, limit = 0, source.limits.text_chars * 4
    with source.open() as stream:
        while offset < limit and (data := stream.read(_CHUNK_BYTES)):
            try:
                decoder.decode(data)
            except UnicodeDecodeError as error:
                return offset + error.start
            offset += len(data)
        try:
            decoder.decode(b"", final=offset < limit)
        except UnicodeDecodeError:
            return max(0, offset - 3)
    return None


def _guess(sample: bytes) -> Encoding:
    if _mostly_utf8(sample):
        return Encoding("utf-8")
    import charset_normalizer

    matches = charset_normalizer.from_bytes(sample, cp_isolation=_CANDIDATES, steps=5, chunk_size=1024)
    best = matches.best()
    if best is None or (best.encoding in _LATIN and _is_western(sample)):
        return Encoding("cp1252")
    return Encoding(best.encoding)


def _is_western(sample: bytes) -> bool:
    """Tell whether bytes read as cp1252 give the letters that western languages use.

    Short texts fit several Latin encodings equally well, and this is the common one.
    """
    beyond_ascii = [letter for letter in sample.decode("cp1252", "replace") if letter > "\x7f"]
    return sum(letter in _WESTERN for letter in beyond_ascii) >= 0.9 * len(beyond_ascii)


def _mostly_utf8(sample: bytes) -> bool:
    """Tell whether non-ASCII is mostly well-formed UTF-8, with strays (a cut file, a pasted line)."""
    text = sample.decode("utf-8", "replace")
    n_bad = text.count("\ufffd")
    n_good = sum(letter > "\x7f" for letter in text) - n_bad
    return n_good >= 4 * n_bad
