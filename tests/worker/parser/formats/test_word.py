"""Word documents: order, headings, numbers, tables, what stands beside the text."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from app.worker.parser.formats.word_styles import Numbering, _formatted
from app.worker.parser.result import ParserLimits
from tests.worker.parser.conftest import Read


def saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def element(name: str, **attributes: str) -> Any:
    made = OxmlElement(name)
    for key, value in attributes.items():
        made.set(qn(f"w:{key}"), value)
    return made


def test_blocks_in_order_with_headings_and_title(read: Read) -> None:
    document = docx.Document()
    document.add_heading("The Manual", 0)
    document.add_heading("Pumps", 1)
    document.add_paragraph("The pump runs at 3 bar.")
    table = document.add_table(rows=3, cols=2)
    for row, cells in enumerate((("Part", "Weight"), ("valve", "12"), ("motor", "340"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    document.add_heading("Valves", 2)
    document.add_paragraph("Last words.")
    extract = read(saved(document), "manual.docx")
    assert [(h.title, h.level) for h in extract.headings] == [("The Manual", 1), ("Pumps", 1), ("Valves", 2)]
    for heading in extract.headings:
        assert extract.text[heading.char_start :].startswith(heading.title)
    assert "Part | Weight\nPart: valve | Weight: 12\nPart: motor | Weight: 340\n" in extract.text
    assert extract.text.index("3 bar") < extract.text.index("Part |") < extract.text.index("Valves")
    assert extract.title == "The Manual"
    assert extract.parser.startswith("python-docx ")
    assert extract.pages == []


def test_lists_are_numbered_as_word_shows_them(read: Read) -> None:
    document = docx.Document()
    for text in ("first", "second"):
        document.add_paragraph(text, style="List Number")
    document.add_paragraph("point", style="List Bullet")
    extract = read(saved(document), "a.docx")
    assert extract.text == "1. first\n2. second\n• point\n"


def test_the_property_title_and_templates(read: Read) -> None:
    document = docx.Document()
    document.core_properties.title = "Named In Properties"
    document.add_paragraph("words")
    content = saved(document)
    assert read(content, "a.docx").title == "Named In Properties"


def test_deleted_text_is_left_out_and_inserted_text_kept(read: Read) -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("kept ")
    for name, tag, text in (("w:del", "w:delText", "gone"), ("w:ins", "w:t", "added")):
        change, run, content = element(name), element("w:r"), element(tag)
        content.text = text
        run.append(content)
        change.append(run)
        paragraph._p.append(change)
    assert read(saved(document), "a.docx").text.strip() == "kept added"


def test_a_cell_merged_downwards_is_repeated_and_layout_tables_become_text(read: Read) -> None:
    document = docx.Document()
    table = document.add_table(rows=3, cols=3)
    for row in range(3):
        for column in range(3):
            table.cell(row, column).text = f"r{row}c{column}"
    table.cell(1, 0).merge(table.cell(2, 0)).text = "merged"
    layout = document.add_table(rows=1, cols=2)
    layout.cell(0, 0).text = "A long passage. " * 40
    layout.cell(0, 1).text = "beside it"
    outer = document.add_table(rows=1, cols=1).cell(0, 0)
    outer.text = "outside"
    outer.add_table(rows=1, cols=1).cell(0, 0).text = "inside"
    text = read(saved(document), "a.docx").text
    assert "merged | r1c1 | r1c2\nmerged | r2c1 | r2c2" in text
    assert "\n\nbeside it\n" in text
    assert "outside\n\ninside" in text


def test_headers_footers_and_hidden_characters(read: Read) -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "Acme Works"
    document.sections[0].footer.paragraphs[0].text = "confidential"
    document.add_paragraph("see\U000e0041n \u200bwords\u00a0here")
    text = read(saved(document), "a.docx").text
    assert text == "seen words here\n\nHeader: Acme Works\n\nFooter: confidential\n"


def test_a_document_without_text_and_a_limit(read: Read, refusal: Callable[..., str]) -> None:
    assert refusal(saved(docx.Document()), "a.docx") == "file.no_text"
    document = docx.Document()
    for number in range(300):
        document.add_paragraph(f"paragraph {number}")
    extract = read(saved(document), "a.docx", ParserLimits(text_chars=1000))
    assert len(extract.text) <= 1000
    assert extract.partial is not None
    assert extract.partial.code == "limit.text"


def test_a_macro_document_is_read(read: Read, tmp_path: Path) -> None:
    import zipfile

    document = docx.Document()
    document.add_paragraph("with macros")
    source = zipfile.ZipFile(io.BytesIO(saved(document)))
    buffer = io.BytesIO()
    with source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "[Content_Types].xml":
                plain = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
                content = content.replace(plain, b"application/vnd.ms-word.document.macroEnabled.main+xml")
            target.writestr(name, content)
    assert read(buffer.getvalue(), "a.docm").text == "with macros\n"


@pytest.mark.parametrize(
    ("count", "number_format", "text"),
    [
        (3, "decimal", "3"),
        (3, "decimalZero", "03"),
        (28, "lowerLetter", "bb"),
        (2, "upperLetter", "B"),
        (1994, "lowerRoman", "mcmxciv"),
        (4, "upperRoman", "IV"),
        (4, "none", ""),
        (4, None, "4"),
    ],
)
def test_counts_are_written_in_each_format(count: int, number_format: str | None, text: str) -> None:
    assert _formatted(count, number_format) == text


def test_a_list_that_the_document_does_not_define_has_no_mark() -> None:
    assert Numbering(None).mark(("7", 0)) == ""
