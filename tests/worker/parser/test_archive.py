"""Packages that would hurt their parser are refused before it opens them; large ordinary ones are not."""

import io
import os
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import docx
import pytest

from tests.worker.parser.conftest import Read

Refuse = Callable[..., str]

CONTENT_TYPES = (
    b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    b'<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    b'wordprocessingml.document.main+xml"/></Types>'
)


def package(*members: tuple[str, bytes], compress: bool = True) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_flat_bomb(refusal: Refuse) -> None:
    assert refusal(package(("word/document.xml", b"<w>" + bytes(50_000_000))), "a.docx") == "file.expands"


def test_a_bomb_behind_an_incompressible_part(refusal: Refuse) -> None:
    content = package(
        ("media/a.jpg", os.urandom(2_000_000)), ("word/document.xml", b"<w>" + bytes(50_000_000))
    )
    assert refusal(content, "a.docx") == "file.expands"


def test_six_million_empty_paragraphs(refusal: Refuse) -> None:
    content = package(("word/document.xml", b"<w:document><w:body>" + b"<w:p/>" * 6_000_000))
    assert len(content) < 100_000
    assert refusal(content, "a.docx") == "file.expands"


def test_too_many_parts(refusal: Refuse) -> None:
    content = package(*((f"p{number}.xml", b"") for number in range(10_001)), compress=False)
    assert refusal(content, "a.docx") == "file.unusual_archive"


def test_an_announced_size_over_the_cap(refusal: Refuse) -> None:
    content = bytearray(package(("word/document.xml", b"<w/>")))
    at = content.rfind(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 0x7FFFFFFF)
    assert refusal(bytes(content), "a.docx") == "file.expands"


def test_a_directory_that_says_too_little_gives_no_more_than_it_says(refusal: Refuse) -> None:
    """The real content is 20 MB, the directory announces 10 bytes: nothing beyond them is inflated."""
    content = bytearray(package(("word/document.xml", b"<w>" + b"x" * 20_000_000)))
    at = content.rfind(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 10)
    assert refusal(bytes(content), "a.docx") == "file.damaged"


def test_overlapping_parts(refusal: Refuse) -> None:
    content = bytearray(package(("word/document.xml", b"<w/>" * 50), ("word/styles.xml", b"<w/>" * 50)))
    second = content.rfind(b"PK\x01\x02")
    first = content.rfind(b"PK\x01\x02", 0, second)
    offset = struct.unpack_from("<I", content, first + 42)[0]
    struct.pack_into("<I", content, second + 42, offset)
    assert refusal(bytes(content), "a.docx") in ("file.unusual_archive", "file.damaged")


def test_two_parts_of_one_name(refusal: Refuse) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = package(("word/document.xml", b"<w/>"), ("word/document.xml", b"<w/>"))
    assert refusal(content, "a.docx") == "file.unusual_archive"


def test_an_encrypted_part(refusal: Refuse) -> None:
    content = bytearray(package(("word/document.xml", b"<w/>")))
    at = content.rfind(b"PK\x01\x02")
    content[at + 8] |= 1
    assert refusal(bytes(content), "a.docx") == "office.password"


@pytest.mark.parametrize(
    "part",
    [
        b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><w>&b;</w>',
        b'<!DOCTYPE w SYSTEM "http://127.0.0.1/evil.dtd"><w/>',
        b'<!-- <w> --><!doctype w [<!ENTITY c SYSTEM "file:///etc/passwd">]><w>&c;</w>',
        '<!DOCTYPE w [<!ENTITY a "x">]><w/>'.encode("utf-16"),
        b"<?xml version='1.0'?>" + b" " * 70_000 + b'<!DOCTYPE w [<!ENTITY a "x">]><w/>',
    ],
)
def test_document_types_are_refused(refusal: Refuse, part: bytes) -> None:
    assert refusal(package(("word/document.xml", part)), "a.docx") == "file.entities"


def test_truncated_and_garbled_packages(refusal: Refuse) -> None:
    whole = package(("word/document.xml", b"<w/>" * 1000))
    for content in (
        whole[: len(whole) // 2],
        whole[:30],
        b"PK\x05\x06" + b"\xff" * 18,
        whole.replace(b"main+xml", b"xxxx"),
    ):
        assert refusal(content, "a.docx") == "file.damaged"


def test_a_zip64_directory_that_is_too_large(refusal: Refuse) -> None:
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 50_000, 50_000, 10_000_000, 4)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, 4, 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert refusal(b"PK\x03\x04" + record + locator + end, "a.docx") == "file.unusual_archive"


def test_a_large_ordinary_document_is_read(read: Read, tmp_path: Any) -> None:
    document = docx.Document()
    for number in range(3000):
        document.add_paragraph(
            f"Paragraph {number} tells of the pump in building {number % 17}, room {number}."
        )
    path = tmp_path / "large.docx"
    document.save(str(path))
    extract = read(path)
    assert "Paragraph 2999 tells" in extract.text
    assert extract.partial is None
