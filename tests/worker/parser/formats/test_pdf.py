"""PDF: text, boxes, order, hyphens, headings, and what is wrong with a page."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.worker.mupdf import pymupdf
from app.worker.parser.formats.pdf_layout import Vocabulary, WordTuple, page_text, reading_order
from app.worker.parser.frames import Extract
from app.worker.parser.result import WORD_RECORD, ParserLimits
from tests.worker.parser.conftest import Read

Refuse = Callable[..., str]


def save(document: Any, path: Path, **options: Any) -> Path:
    document.save(path, **options)
    document.close()
    return path


def boxes(extract: Extract, page: int) -> dict[str, tuple[float, float, float, float]]:
    """Give the box of each word of a page (the last one of equal words)."""
    return {
        extract.text[start:end]: (x0, y0, x1, y1)
        for start, end, x0, y0, x1, y1 in WORD_RECORD.iter_unpack(extract.words[page])
    }


def lines(*rows: tuple[float, float, str]) -> list[WordTuple]:
    """Make words as PyMuPDF gives them, from (x, y, text of a line); each line is a block of its own."""
    words: list[WordTuple] = []
    for number, (x, y, text) in enumerate(rows):
        for index, word in enumerate(text.split(" ")):
            words.append((x, y, x + 6.0 * len(word), y + 12.0, word, number // 100, number, index))
            x += 6.0 * len(word) + 4.0
    return words


def cells(rows: list[tuple[float, float, str]]) -> list[WordTuple]:
    """Make words whose rows are blocks of their own, as where columns or tables are drawn row by row."""
    return [
        (x0, y0, x1, y1, word, number, 0, index)
        for number, row in enumerate(rows)
        for index, (x0, y0, x1, y1, word, *_) in enumerate(lines(row))
    ]


def text_of(*rows: tuple[float, float, str], vocabulary: Vocabulary | None = None) -> str:
    return page_text(lines(*rows), vocabulary or Vocabulary(), 0).text


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_stand_where_the_page_shows_the_words(read: Read, tmp_path: Path, rotation: int) -> None:
    document = pymupdf.open()
    page = document.new_page(width=400, height=600)
    page.insert_text((50, 80), "alpha beta", fontsize=20)
    page.set_rotation(rotation)
    extract = read(save(document, tmp_path / "a.pdf"))
    shown = extract.pages[0]
    assert (shown.width, shown.height) == ((600, 400) if rotation % 180 else (400, 600))
    assert extract.text == "alpha beta"
    with pymupdf.open(tmp_path / "a.pdf") as again:
        pixels = again[0].get_pixmap(colorspace=pymupdf.csGRAY)
    for x0, y0, x1, y1 in boxes(extract, 0).values():
        inside = [pixels.pixel(x, y)[0] for x in range(int(x0), int(x1)) for y in range(int(y0), int(y1))]
        assert min(inside) < 100, "the word's ink is inside its box"
    outside = [
        pixels.pixel(x, y)[0]
        for x in range(pixels.width)
        for y in range(pixels.height)
        if not any(
            x0 - 2 <= x <= x1 + 2 and y0 - 2 <= y <= y1 + 2 for x0, y0, x1, y1 in boxes(extract, 0).values()
        )
    ]
    assert min(outside) > 200, "there is no ink outside the boxes"


def test_pages_are_apart_and_their_ranges_are_clean(read: Read, tmp_path: Path) -> None:
    document = pymupdf.open()
    for text in ("It ends here.", "", "A sentence that goes", "on over the page."):
        document.new_page().insert_text((50, 50), text)
    extract = read(save(document, tmp_path / "a.pdf"))
    assert extract.text == "It ends here.\n\nA sentence that goes\non over the page."
    parts = [extract.text[page.char_start : page.char_end] for page in extract.pages]
    assert parts == ["It ends here.", "", "A sentence that goes", "on over the page."]
    assert len(extract.words) == 4
    assert extract.words[1] == b""


def test_a_broken_word_is_joined_and_keeps_a_box_a_part() -> None:
    page = page_text(lines((0, 0, "a fine exam-"), (0, 14, "ple of it")), Vocabulary(), 100)
    assert page.text == "a fine example of it"
    records = list(WORD_RECORD.iter_unpack(page.records))
    parts = [(page.text[start - 100 : end - 100], y0) for start, end, _, y0, _, _ in records]
    assert parts == [("a", 0), ("fine", 0), ("exam", 0), ("ple", 14), ("of", 14), ("it", 14)]
    assert records[2][1] == records[3][0], "the two parts touch"


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("exam-", "ple", "example"),
        ("Smith-", "Jones", "Smith-Jones"),
        ("1990-", "1995", "1990-\n1995"),
        ("x-", "axis", "x-axis"),
        ("well-", "known", "well-known"),
        ("pages-", "(two)", "pages-\n(two)"),
    ],
)
def test_hyphens_at_line_ends(first: str, second: str, joined: str) -> None:
    vocabulary = Vocabulary()
    text_of((0, 0, "a well-known fact"), vocabulary=vocabulary)
    assert (
        text_of((0, 0, f"see {first}"), (0, 14, f"{second} there"), vocabulary=vocabulary)
        == f"see {joined} there"
    )


def test_lines_parted_by_wide_spaces_are_one_line_and_cells_are_tabbed() -> None:
    assert text_of((0, 0, "one sentence."), (120, 0, "Another one.")) == "one sentence.\tAnother one."
    assert text_of((0, 0, "one sentence."), (90, 0, "Another one.")) == "one sentence. Another one."


def test_scripts_without_blanks_get_a_box_a_character(read: Read, tmp_path: Path) -> None:
    document = pymupdf.open()
    document.new_page().insert_text((50, 50), "水泵 P-101 检查", fontname="china-s", fontsize=20)
    extract = read(save(document, tmp_path / "a.pdf"))
    found = boxes(extract, 0)
    assert {"水", "泵", "P-101", "检", "查"} <= set(found)
    assert found["水"][2] == pytest.approx(found["泵"][0], abs=0.1)


def test_columns_drawn_row_by_row_are_read_column_by_column() -> None:
    left = [f"left column line number {number} here" for number in range(10)]
    right = [f"right column line number {number} there" for number in range(10)]
    rows = [(0.0, 0.0, "A heading that runs across both of the columns of the page, all the way")]
    for number in range(10):
        rows += [(0.0, 20.0 + 14 * number, left[number]), (300.0, 20.0 + 14 * number, right[number])]
    merged = page_text(cells(rows), Vocabulary(), 0)
    assert merged.text.index("left column line number 9") < merged.text.index("right column line number 0")
    assert merged.text.startswith("A heading")


def test_a_table_is_read_by_rows() -> None:
    rows = [(x, 14.0 * y, f"c{y}{int(x)}") for y in range(12) for x in (0.0, 300.0)]
    text = page_text(cells(rows), Vocabulary(), 0).text.split()
    assert text[:4] == ["c00", "c0300", "c10", "c1300"]
    assert reading_order([]) == []


def test_ligatures_soft_hyphens_and_hidden_characters() -> None:
    hidden = "vis\u200bible\U000e0041 co\u00adop"
    assert text_of((0, 0, hidden)) == "visible coop"


def outlined(path: Path, titles: list[tuple[int, str, int]]) -> Path:
    document = pymupdf.open()
    for number in range(3):
        page = document.new_page()
        page.insert_text((50, 60), f"{number + 1} Section {'ABC'[number]}", fontsize=18)
        page.insert_textbox((50, 80, 500, 700), "Ordinary words of the body. " * 60, fontsize=11)
    document.set_toc([list(entry) for entry in titles])
    return save(document, path)


def test_a_true_outline_gives_the_headings(read: Read, tmp_path: Path) -> None:
    extract = read(
        outlined(tmp_path / "a.pdf", [(1, "Section A", 1), (2, "Section B", 2), (1, "Not there", 3)])
    )
    assert [(h.title, h.level) for h in extract.headings] == [
        ("Section A", 1),
        ("Section B", 2),
        ("Not there", 1),
    ]
    assert extract.text[extract.headings[1].char_start :].startswith("2 Section B")
    assert extract.headings[2].char_start == extract.pages[2].char_start
    assert extract.title == "Section A"


def test_a_false_outline_is_not_believed(read: Read, tmp_path: Path) -> None:
    extract = read(outlined(tmp_path / "a.pdf", [(1, "Foo", 1), (1, "Bar", 2), (1, "Section C", 3)]))
    assert [h.title for h in extract.headings] == ["1 Section A", "2 Section B", "3 Section C"]


def test_running_heads_and_body_are_no_headings(read: Read, tmp_path: Path) -> None:
    document = pymupdf.open()
    for _ in range(8):
        page = document.new_page()
        page.insert_text((50, 40), "Annual Report", fontsize=16)
        page.insert_textbox((50, 80, 500, 700), "Ordinary words of the body. " * 60, fontsize=11)
    assert read(save(document, tmp_path / "a.pdf")).headings == []


def test_the_metadata_title_wins_where_it_says_something(read: Read, tmp_path: Path) -> None:
    for title, expected in (
        ("The Pump Manual", "The Pump Manual"),
        ("Microsoft Word - x.doc", "a"),
        ("", "a"),
    ):
        document = pymupdf.open()
        document.new_page().insert_text((50, 50), "words")
        document.set_metadata({"title": title})
        assert read(save(document, tmp_path / "a.pdf")).title == expected


def test_a_password(refusal: Refuse, read: Read, tmp_path: Path) -> None:
    document = pymupdf.open()
    document.new_page().insert_text((50, 50), "secret")
    path = save(
        document, tmp_path / "a.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="pw", owner_pw="o"
    )
    assert refusal(path) == "pdf.password"
    document = pymupdf.open()
    document.new_page().insert_text((50, 50), "readable by all")
    path = save(document, tmp_path / "b.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="o")
    assert read(path).text == "readable by all"


def picture_page(document: Any) -> None:
    pixels = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 40, 40))
    pixels.set_rect(pixels.irect, (200, 10, 10))
    page = document.new_page()
    page.insert_image(page.rect, pixmap=pixels)


def test_pages_without_text(refusal: Refuse, read: Read, tmp_path: Path) -> None:
    blank, scanned, mixed = pymupdf.open(), pymupdf.open(), pymupdf.open()
    blank.new_page()
    picture_page(scanned)
    picture_page(mixed)
    mixed.new_page().insert_text((50, 50), "words")
    assert refusal(save(blank, tmp_path / "blank.pdf")) == "pdf.blank"
    assert refusal(save(scanned, tmp_path / "scanned.pdf")) == "pdf.no_text"
    partial = read(save(mixed, tmp_path / "mixed.pdf")).partial
    assert partial is not None
    assert (partial.code, partial.values) == ("pdf.pages_pictures", {"n": 1, "pages": 2})


def test_the_limit_of_text_keeps_whole_pages(read: Read, tmp_path: Path) -> None:
    document = pymupdf.open()
    for number in range(5):
        document.new_page().insert_text((50, 50), f"page {number} " + "x" * 40)
    extract = read(save(document, tmp_path / "a.pdf"), limits=ParserLimits(text_chars=120))
    assert len(extract.pages) == 2
    assert extract.partial is not None
    assert extract.partial.code == "limit.text"
    assert extract.partial.values["kept"] == "page 2 of 5"


def test_a_truncated_file_is_read_as_far_as_it_goes_or_refused(
    read: Read, refusal: Refuse, tmp_path: Path
) -> None:
    document = pymupdf.open()
    for number in range(5):
        document.new_page().insert_text((50, 50), f"page {number}")
    whole = save(document, tmp_path / "a.pdf").read_bytes()
    assert refusal(whole[:200], "a.pdf") == "file.damaged"
    assert "page 0" in read(whole[:-400], "a.pdf").text
