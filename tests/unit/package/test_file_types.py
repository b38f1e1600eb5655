"""The list of associated types: the library reads every one, and no platform lacks a name for one."""

from __future__ import annotations

import io
import os
from pathlib import Path

import docx
import openpyxl
import pptx
import pymupdf
import pytest

from app.worker.parser.registry import Registry
from app.worker.parser.result import ParserLimits
from app.worker.parser.source import Source
from scripts.package.file_types import FILE_TYPES, mime_types

WORDS = "The notice period is three months."
PAIRS = [(item, extension) for item in FILE_TYPES for extension in item.extensions]


def sample(extension: str) -> bytes:
    stream = io.BytesIO()
    if extension == "docx":
        document = docx.Document()
        document.add_paragraph(WORDS)
        document.save(stream)
    elif extension == "xlsx":
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        assert sheet is not None
        sheet.append([WORDS])
        workbook.save(stream)
    elif extension == "pptx":
        presentation = pptx.Presentation()
        slide = presentation.slides.add_slide(presentation.slide_layouts[5])
        slide.shapes.title.text = WORDS
        presentation.save(stream)
    elif extension == "pdf":
        with pymupdf.open() as pdf:
            pdf.new_page().insert_text((72, 72), WORDS)
            stream.write(pdf.tobytes())
    elif extension == "rtf":
        stream.write(rb"{\rtf1\ansi " + WORDS.encode() + b"}")
    elif extension in {"html", "htm", "xhtml"}:
        stream.write(f"<!DOCTYPE html><html><body><p>{WORDS}</p></body></html>".encode())
    else:
        stream.write(f"# Contract\n\n{WORDS}\n".encode())
    return stream.getvalue()


@pytest.mark.parametrize(("item", "extension"), PAIRS, ids=[extension for _, extension in PAIRS])
def test_the_library_reads_each_type(item: object, extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"contract.{extension}"
    path.write_bytes(sample(extension))
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        extract = Registry.standard().read(Source(fd, path.name, ParserLimits()))
    finally:
        os.close(fd)
    assert WORDS in extract.text


def test_nothing_stands_twice_and_nothing_is_empty() -> None:
    extensions = [extension for _, extension in PAIRS]
    assert len(extensions) == len(set(extensions))
    assert all(extension == extension.lower() and not extension.startswith(".") for extension in extensions)
    assert len(mime_types()) == len(set(mime_types())) == len(FILE_TYPES)
    assert len({item.uti for item in FILE_TYPES}) == len(FILE_TYPES)
    assert all(item.description and "/" in item.mime for item in FILE_TYPES)
