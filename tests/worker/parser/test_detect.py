"""What a file is: its bytes decide, its name is a hint, and every other kind is named with a next step."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from app.worker.parser import kinds, reasons
from app.worker.parser.detect import detect
from app.worker.parser.reasons import Refusal
from scripts.faults.make_audio import KINDS, tone, write_recording
from tests.worker.parser.conftest import Read

Refuse = Callable[..., str]


@pytest.mark.parametrize(
    ("name", "content", "format_"),
    [
        ("a.txt", b"plain words", "text"),
        ("noext", b"plain words", "text"),
        ("a.md", b"# Title\n\nwords", "markdown"),
        ("a.py", b"print('x')\n", "code"),
        ("script", b"#!/bin/sh\necho hi\n", "code"),
        ("Makefile", b"all:\n\ttrue\n", "code"),
        ("a.json", b'{"a": 1}', "code"),
        ("a.xml", b"<?xml version='1.0'?><a>words</a>", "code"),
        ("a.xml", b"<?xml version='1.0'?>\n<html><body>words</body></html>", "html"),
        ("a.txt", b"<!DOCTYPE html><html><body>words</body></html>", "html"),
        ("a.doc", b"<html><body><p>words from a web export</p></body></html>", "html"),
        ("a.php", b"<html><?php echo 1; ?></html>", "code"),
        ("a.pdf", b"<html><body>404 not found</body></html>", "html"),
        ("a.csv", b"a,b\n1,2\n", "csv"),
        ("a.txt", b"{\\rtf1 words}", "rtf"),
        ("notes.txt", b"From: me\nTo: you\nSubject: hi\n\nkept as text", "text"),
        ("about-pdf.md", b"A file starts with %PDF-1.7 at its top.", "markdown"),
        ("utf16.txt", "wide words".encode("utf-16"), "text"),
        ("utf16.txt", "wide words without a mark".encode("utf-16-le"), "text"),
        ("MZ.txt", b"MZ is how Windows programs begin", "text"),
    ],
)
def test_content_decides(read: Read, name: str, content: bytes, format_: str) -> None:
    assert read(content, name).format == format_


@pytest.mark.parametrize("magic", kinds.MAGIC, ids=lambda magic: f"{magic.kind}-{magic.start.hex()[:8]}")
def test_each_known_mark_has_a_reason_and_no_name_hides_it(refusal: Refuse, magic: kinds.Magic) -> None:
    content = b"\x01" * magic.offset + magic.start + bytes(200)
    for name in ("a.bin", "a.txt"):
        code = refusal(content, name)
        # another kind's mark may begin in the padding; what matters is that it is refused by a name
        assert code.startswith("unsupported.")
        assert code != "unsupported.binary"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        (
            "a.bmp",
            b"BM" + bytes(4) + bytes(4) + b"\x36\0\0\0" + b"\x28\0\0\0" + bytes(40),
            "unsupported.image",
        ),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><text>x</text></svg>", "unsupported.image"),
        ("a.eml", b"From: a\nTo: b\nSubject: c\n\nhello", "unsupported.mail"),
        ("saved", b"Received: x\nMessage-ID: <1>\nFrom: a\nTo: b\n\nhello", "unsupported.mail"),
        ("a.mbox", b"From a@b Mon\nFrom: a\n\nhello", "unsupported.mail"),
        ("a.bin", bytes(range(256)) * 10, "unsupported.data"),
        ("strange.zzz", bytes(range(256)) * 10, "unsupported.binary"),
        ("a.pdf", bytes(range(256)) * 10, "file.damaged"),
        ("a.xls", bytes(range(256)) * 10, "file.damaged"),
        ("a.pyc", bytes(range(256)) * 10, "unsupported.program"),
        ("blank.txt", b" \n\t\n", "file.no_text"),
        ("blank.md", b"\n", "file.no_text"),
        ("blank.csv", b"\n", "file.no_text"),
        ("blank.html", b"<!-- nothing -->", "file.no_text"),
        ("broken.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "file.damaged"),
        ("broken.docx", b"PK\x03\x04" + bytes(100), "file.damaged"),
        ("broken.pdf", b"%PDF-1.7\nnothing more", "file.damaged"),
    ],
)
def test_other_kinds_are_named(refusal: Refuse, name: str, content: bytes, code: str) -> None:
    assert refusal(content, name) == code


@pytest.mark.parametrize(
    ("member", "content", "code", "word"),
    [
        ("mimetype", b"application/vnd.oasis.opendocument.text", "unsupported.office", "OpenDocument"),
        ("mimetype", b"application/epub+zip", "unsupported.ebook", "EPUB"),
        ("Index/Document.iwa", b"x", "unsupported.office", "iWork"),
        ("META-INF/MANIFEST.MF", b"x", "unsupported.program", "Java"),
        ("holiday.jpg", b"x", "unsupported.archive", "ZIP"),
    ],
)
def test_packages_are_told_apart(read: Read, member: str, content: bytes, code: str, word: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr(member, content)
    with pytest.raises(Refusal) as caught:
        read(buffer.getvalue(), "a.zip")
    assert caught.value.code == code
    assert word in reasons.to_error(caught.value).user_message


@pytest.mark.parametrize(
    ("stream", "name", "code", "words"),
    [
        ("WordDocument", "a.doc", "unsupported.legacy", "save it as .docx"),
        ("Workbook", "a.xls", "unsupported.legacy", "save it as .xlsx"),
        ("PowerPoint Document", "a.ppt", "unsupported.legacy", "save it as .pptx"),
        ("EncryptedPackage", "a.docx", "office.password", "with its password"),
        ("__properties_version1.0", "a.msg", "unsupported.mail", "Save the message"),
        ("Something", "a.wps", "unsupported.office", "save it as .docx"),
    ],
)
def test_old_office_files_are_told_apart(read: Read, stream: str, name: str, code: str, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(compound_file(stream), name)
    error = reasons.to_error(caught.value)
    assert error.code == code
    assert words in error.hint


def compound_file(stream: str) -> bytes:
    """Make an OLE file with one empty stream below its root."""

    def entry(title: str, kind: int, child: int) -> bytes:
        raw = title.encode("utf-16-le")
        head = raw.ljust(64, b"\0") + struct.pack("<HBB", len(raw) + 2, kind, 1)
        return (head + struct.pack("<3I", 0xFFFFFFFF, 0xFFFFFFFF, child)).ljust(128, b"\0")

    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<H", header, 30, 9)
    struct.pack_into("<I", header, 48, 1)
    struct.pack_into("<109I", header, 76, 0, *[0xFFFFFFFF] * 108)
    fat = struct.pack("<128I", 0xFFFFFFFD, 0xFFFFFFFE, *[0xFFFFFFFF] * 126)
    directory = entry("Root Entry", 5, 1) + entry(stream, 2, 0xFFFFFFFF)
    return bytes(header) + fat + directory.ljust(512, b"\0")


def test_every_reason_has_words() -> None:
    for code in reasons._REASONS:
        error = reasons.to_error(Refusal(code, {"kind": "PDF", "pages": 3, "size": "1 GB", "seconds": 60}))
        assert error.user_message.endswith(".")
        assert "{" not in error.user_message + error.hint
        assert error.context["state"] in ("failed", "unsupported", "empty")


def test_words_of_a_hostile_child_are_held_short() -> None:
    error = reasons.to_error(Refusal("unsupported.image", {"kind": "A" * 5000 + "\x1b[31m"}))
    assert len(error.user_message) < 120
    assert reasons.to_error(Refusal("no.such.code")).code == "parser.crashed"


def test_an_empty_head_is_an_empty_file() -> None:
    class Nothing:
        extension = ""

        def head(self, n_bytes: int) -> bytes:
            return b""

    with pytest.raises(Refusal) as caught:
        detect(Nothing())  # type: ignore[arg-type]
    assert caught.value.code == "file.empty"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_recording_is_told_by_its_bytes(refusal: Refuse, tmp_path: Path, kind: str) -> None:
    recording = write_recording(tmp_path / f"speech.{kind}", tone((0.1, 0.2), seconds=0.4)).read_bytes()
    assert refusal(recording, "a.bin") in ("unsupported.audio", "unsupported.video")
    assert refusal(recording, "a.txt") in ("unsupported.audio", "unsupported.video")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("quiet.wav", b"RIFF\x24\x10\0\0WAVEfmt \x10\0\0\0" + b"\1\0" * 500, "unsupported.audio"),
        ("a.m2ts", (bytes(4) + b"\x47" + bytes(187)) * 8, "unsupported.video"),
        ("headless.mp4", bytes(range(256)) * 10, "unsupported.video"),
        ("tune.mid", b"MThd\0\0\0\6\0\1\0\1\0\x60", "unsupported.music"),
        ("playlist.m3u8", b"#EXTM3U\nhttp://example.org/a.ts\n", ""),
        ("audio.txt", b"audio, video, RIFF and WAVE are words", ""),
        ("WAVE.txt", b"wherever WAVE stands, it is a word", ""),
    ],
)
def test_sound_and_what_only_speaks_of_it(
    read: Read, refusal: Refuse, name: str, content: bytes, code: str
) -> None:
    if code:
        assert refusal(content, name) == code
    else:
        assert read(content, name).format == "text"
