"""Workbooks, presentations, CSV and the way tables become text."""

import datetime
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from app.worker.parser.formats.tables import table_lines
from app.worker.parser.result import ParserLimits
from tests.worker.parser.conftest import Read

Refuse = Callable[..., str]


def saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_rows_name_their_columns_where_there_is_a_header() -> None:
    rows = [["Item", "Price"], ["bolt", "0.20"], ["", ""], ["nut", "0.10"]]
    assert list(table_lines(rows)) == ["Item | Price", "Item: bolt | Price: 0.20", "Item: nut | Price: 0.10"]


def test_names_and_values_are_not_taken_for_a_header() -> None:
    rows = [["Name", "Ann"], ["City", "Rome"]]
    assert list(table_lines(rows, presumed=True)) == ["Name | Ann", "City | Rome"]


@pytest.mark.parametrize(
    ("rows", "options", "lines"),
    [
        (
            [["Report"], ["a", "b", "c"], ["x", "y", "z"]],
            {"presumed": True},
            ["Report", "a | b | c", "a: x | b: y | c: z"],
        ),
        ([["a", "b"], ["x", "y"]], {"marked": True}, ["a | b", "a: x | b: y"]),
        ([["a", "a"], ["1", "2"]], {}, ["a | a", "1 | 2"]),
        ([["only one line", "here"]], {}, ["only one line | here"]),
        ([["alone"]], {}, ["alone"]),
        ([], {}, []),
        (
            [["", "Q1"], ["north", "5"], ["south", "7", "extra"]],
            {"marked": True},
            ["Q1", "north | Q1: 5", "south | Q1: 7 | extra"],
        ),
    ],
)
def test_other_shapes_of_tables(rows: list[list[str]], options: dict[str, bool], lines: list[str]) -> None:
    assert list(table_lines(rows, **options)) == lines


def test_a_workbook(read: Read) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.title = "Pumps"
    sheet.append(["Name", "Checked", "Share", "Flow", "Good"])
    sheet.append(["P-101", datetime.date(2024, 3, 5), 0.25, 12.5, True])
    sheet.append(["P-102", datetime.datetime(2024, 3, 6, 14, 30), 1, 7, False])
    sheet["C2"].number_format = "0%"
    workbook.create_sheet("Empty")
    workbook.create_sheet("Notes")["B2"] = "a lonely note"
    extract = read(saved(workbook), "a.xlsx")
    assert "Name: P-101 | Checked: 2024-03-05 | Share: 25% | Flow: 12.5 | Good: TRUE\n" in extract.text
    assert "Checked: 2024-03-06 14:30:00 | Share: 1 |" in extract.text
    assert [h.title for h in extract.headings] == ["Pumps", "Notes"]
    assert [extract.text[p.char_start : p.char_end].split("\n")[0] for p in extract.pages] == [
        "Pumps",
        "",
        "Notes",
    ]
    assert all(page.width is None for page in extract.pages)
    assert extract.text[extract.pages[2].char_start : extract.pages[2].char_end] == "Notes\n\na lonely note"


def test_a_sheet_that_lies_about_its_size(read: Read) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet["A1"] = "start"
    sheet["A200000"] = "far below"
    assert "far below" in read(saved(workbook), "a.xlsx").text


def test_limits_of_a_workbook(read: Read, refusal: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    workbook = openpyxl.Workbook()
    assert refusal(saved(workbook), "a.xlsx") == "file.no_text"
    sheet = workbook.active
    assert sheet is not None
    for number in range(500):
        sheet.append([f"row {number}", number])
    content = saved(workbook)
    partial = read(content, "a.xlsx", ParserLimits(text_chars=500)).partial
    assert partial is not None
    assert partial.code == "limit.text"
    monkeypatch.setattr("app.worker.parser.formats.sheets._MAX_CELLS", 100)
    partial = read(content, "a.xlsx").partial
    assert partial is not None
    assert partial.values["kept"] == "row 51 of “Sheet”"


def presentation() -> Any:
    made = pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text = "Results of 2024"
    slide.placeholders[1].text = "Sales rose\nCosts fell"
    slide.notes_slide.notes_text_frame.text = "Say thanks"
    second = made.slides.add_slide(made.slide_layouts[6])
    table = second.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for row, cells in enumerate((("Region", "Units"), ("North", "12"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "inside a group"
    data = CategoryChartData()
    data.categories = ["Q1", "Q2"]
    data.add_series("Flow", (1.5, None))
    chart = second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(3), Inches(3), data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Flow by quarter"
    return made


def test_a_presentation(read: Read) -> None:
    extract = read(saved(presentation()), "a.pptx")
    first, second = (extract.text[page.char_start : page.char_end] for page in extract.pages)
    assert first == "Results of 2024\n\nSales rose\nCosts fell\n\nNotes: Say thanks"
    assert "Region: North | Units: 12\n" in second
    assert "inside a group" in second
    assert "Flow by quarter" in second
    assert "Q1 | Flow: 1.5" in second
    assert [(h.title, h.level, h.char_start) for h in extract.headings] == [("Results of 2024", 1, 0)]


def test_a_presentation_over_the_limit(read: Read) -> None:
    extract = read(saved(presentation()), "a.pptx", ParserLimits(text_chars=40))
    assert extract.partial is not None
    assert extract.partial.values["kept"] == "slide 1 of 2"
    assert len(extract.text) <= 40


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_in_each_dialect(read: Read, delimiter: str) -> None:
    rows = [["Name", "Born", "Place"], ["Ada, Countess", "1815", "London"], ["Kurt", "1906", "Brünn; Brno"]]
    lines = [delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) for row in rows]
    extract = read("\r\n".join(lines).encode("cp1252"), "people.csv")
    assert extract.format == "csv"
    assert extract.text == (
        "Name | Born | Place\n"
        "Name: Ada, Countess | Born: 1815 | Place: London\n"
        "Name: Kurt | Born: 1906 | Place: Brünn; Brno\n"
    )


def test_csv_oddities(read: Read) -> None:
    assert read(b"sep=;\na;b;c\n1;2;3\n", "a.csv").text == "a | b | c\na: 1 | b: 2 | c: 3\n"
    assert "x\ty | z" not in read(b"a\tb\tc\nx y\tz\tw\n", "a.tsv").text
    assert read(b'a,b,c\n"two\nlines",2,3\n', "a.csv").text == "a | b | c\na: two lines | b: 2 | c: 3\n"


def test_a_stray_quote_swallows_nothing(read: Read) -> None:
    rows = "\n".join(f"{number},value {number},x" for number in range(300))
    text = read(f'id,name,flag\n7,5" pipe,y\n8,"open,n\n{rows}\n'.encode(), "a.csv").text
    assert "id: 299 | name: value 299 | flag: x" in text


def test_csv_limits(read: Read, tmp_path: Path) -> None:
    extract = read(b"a,b,c\n" + b"x" * 200_000 + b",2,3\n", "a.csv")
    assert extract.partial is not None
    assert (extract.partial.code, extract.partial.values["n"]) == ("limit.field", 1)
    many = b"name,number,place\n" + b"somebody,12,somewhere\n" * 2000
    partial = read(many, "a.csv", ParserLimits(text_chars=5000)).partial
    assert partial is not None
    assert partial.code == "limit.text"
    assert str(partial.values["kept"]).startswith("row ")
