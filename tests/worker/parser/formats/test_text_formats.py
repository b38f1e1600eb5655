"""Plain text, Markdown, source code, HTML and RTF, in every encoding people use."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.worker.parser.builder import clean, sensible_title
from app.worker.parser.result import ParserLimits
from tests.worker.parser.conftest import Read

Refuse = Callable[..., str]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_text_is_kept_as_it_is(read: Read, codec: str) -> None:
    text = "Zeile\r\nzwei\rdrei\n\n Größe – ∑ 漢字 😀\u00a0\u200b\x0cend"
    assert read(text.encode(codec), "a.txt").text == text


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1252", "Der Prüfbericht – „geändert“ am 3. März in Köln für die Größe des Gehäuses."),
        ("cp1252", "Le café résumé à l’été: où naïve, ça coûte 5 €."),
        ("latin-1", "Señor Muñoz vivió en España año tras año."),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy; čerpadlo se kontroluje týdně."),
        ("cp1250", "Zażółć gęślą jaźń; pompę sprawdza się co tydzień, filtr raz w roku."),
        ("cp1251", "Насос проверяется каждую неделю, а фильтр меняется раз в год по графику."),
        ("koi8_r", "Насос проверяется каждую неделю, а фильтр меняется раз в год по графику."),
        ("cp932", "ポンプは毎週点検し、フィルターは年に一度交換すること。記録は保存する。"),
        ("euc_jp", "ポンプは毎週点検し、フィルターは年に一度交換すること。記録は保存する。"),
        ("gb18030", "水泵每周检查一次，过滤器每年更换一次，记录必须保存五年以上。"),
        ("big5", "水泵每週檢查一次，過濾器每年更換一次，記錄必須保存五年以上。"),
        ("cp949", "펌프는 매주 점검하고 필터는 일 년에 한 번 교체하며 기록을 보관한다."),
        ("cp1253", "Η αντλία ελέγχεται κάθε εβδομάδα και το φίλτρο αλλάζει κάθε χρόνο."),
        ("iso2022_jp", "ポンプは毎週点検し、記録は保存する。"),
    ],
)
def test_older_encodings_are_recognised(read: Read, codec: str, text: str) -> None:
    assert read((text * 5).encode(codec), "a.txt").text == text * 5


def test_a_few_stray_bytes_do_not_change_the_encoding(read: Read) -> None:
    text = read("Größe und Übermaß in Köln ".encode() * 20 + b"\xff" + b" Ende", "a.txt").text
    assert "Größe und Übermaß in Köln" in text
    assert "\ufffd Ende" in text
    assert read(b"many words " * 10 + b"one\0two", "a.txt").text.endswith("one\ufffdtwo")


def test_a_long_text_keeps_its_beginning(read: Read) -> None:
    extract = read(b"line of text\n" * 1000, "a.log", ParserLimits(text_chars=130))
    assert extract.text == "line of text\n" * 10
    assert extract.partial is not None
    assert extract.partial.values["kept"] == "line 11"


def test_a_bad_byte_late_in_a_large_file_decides(read: Read) -> None:
    content = (
        b"plain ascii words, many of them. " * 50_000 + "Größe für Köln, Übermaß, schön".encode("cp1252") * 40
    )
    assert read(content, "a.txt").text.endswith("Größe für Köln, Übermaß, schön")


def test_markdown_headings(read: Read) -> None:
    text = (
        '---\ntitle: "The Guide"\n---\n# One\n\ntext\n\n## Two *emphasis* [link](x) ##\n```\n# not one\n```\n'
        "Underlined\n===\n\nLess\n---\n\n- item\n---\n\n~~~~\n## no\n~~~~\n####### no\n#no\n### Ünï {#id}\n"
    )
    extract = read(text.encode(), "guide.md")
    assert extract.text == text
    assert extract.title == "The Guide"
    assert [(h.level, h.title) for h in extract.headings] == [
        (1, "One"),
        (2, "Two emphasis link"),
        (1, "Underlined"),
        (2, "Less"),
        (3, "Ünï"),
    ]
    for heading in extract.headings:
        assert text[heading.char_start :].lstrip("# ").startswith(heading.title.split()[0])


def test_markdown_titles(read: Read) -> None:
    assert read(b"# First\n", "a.md").title == "First"
    assert read(b"no heading\n", "a.md").title == "a"
    assert read(b"---\nnever closed\n", "a.md").title == "a"


PAGE = """<!DOCTYPE html><html><head><title>Pump care</title><style>p{}</style>
<script>evil()</script></head><body>
<nav><a href="/">Home</a></nav><h1>Pumps</h1><p>Check   the pump
every <b>week</b>.<br>Then rest.</p><h2 style="color:red">Parts</h2>
<table><tr><th>Part</th><th>Mass</th></tr><tr><td>valve</td><td>12&nbsp;kg</td></tr></table>
<ul><li>one</li><li><p>two</p></li></ul><pre>a
  b</pre><p style="display: none">hidden</p><div hidden>hidden too</div><template>no</template>
<table><tr><td>layout <table><tr><td>cell</td></tr></table></td></tr></table>
<p>co&shy;op &#xE0041;x</p></body></html>"""


def test_a_page_as_a_reader_sees_it(read: Read) -> None:
    extract = read(PAGE.encode(), "a.html")
    assert extract.title == "Pump care"
    assert [(h.level, h.title) for h in extract.headings] == [(1, "Pumps"), (2, "Parts")]
    for heading in extract.headings:
        assert extract.text[heading.char_start :].startswith(heading.title)
    assert "Check the pump every week.\nThen rest.\n\n" in extract.text
    assert "Part | Mass\nPart: valve | Mass: 12 kg\n" in extract.text
    assert "• one\n• two\n" in extract.text
    assert "a\n  b" in extract.text
    assert "coop x" in extract.text
    assert "layout\n\ncell" in extract.text
    for absent in ("evil", "hidden", "p{}", "no\n"):
        assert absent not in extract.text


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("<html><meta charset='iso-8859-1'><p>Größe".encode("latin-1"), "Größe"),
        ('<?xml version="1.0" encoding="windows-1251"?><html><p>насос'.encode("cp1251"), "насос"),
        ("<html><meta charset=utf-16><p>Größe".encode(), "Größe"),
        ("<html><meta charset=nonsense><p>Größe und mehr".encode(), "Größe"),
        ("<html><p>wide".encode("utf-16"), "wide"),
    ],
)
def test_pages_say_their_encoding_and_are_checked(read: Read, content: bytes, word: str) -> None:
    assert word in read(content, "a.html").text


def test_hostile_pages(read: Read, refusal: Refuse, tmp_path: Path) -> None:
    deep = read(b"<html><body>top" + b"<div>x " * 100_000 + b"bottom", "a.html")
    assert deep.partial is not None
    assert deep.partial.code == "limit.depth"
    unclosed = read(b"<html><body>" + b"<b>word " * 1000 + b"bottom", "a.html")
    assert unclosed.text.endswith("bottom\n")
    assert unclosed.partial is None
    entities = b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><html><p>&e; words</p>"
    assert "root:" not in read(entities, "a.html").text
    assert refusal(b"<html><head><title>only</title></head></html>", "a.html") == "file.no_text"
    extract = read(b"<html>" + b"<p>some words</p>" * 1000, "a.html", ParserLimits(text_chars=100))
    assert extract.partial is not None


def test_rtf(read: Read, refusal: Refuse) -> None:
    rtf = (
        r"{\rtf1\ansi{\info{\title Pump Notes}}Caf\'e9 {\b bold}\par second \u8364?\par{\pict "
        + "ab" * 5000
        + "}}"
    )
    extract = read(rtf.encode(), "a.rtf")
    assert "Café bold\nsecond €" in extract.text
    assert "abab" not in extract.text
    assert extract.title == "Pump Notes"
    assert refusal(rb"{\rtf1 }", "a.rtf") == "file.no_text"
    long = read(rb"{\rtf1 " + b"words " * 1000 + b"}", "a.rtf", ParserLimits(text_chars=100))
    assert long.partial is not None


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("Annual Report 2024", "Annual Report 2024"),
        ("  two\nlines ", "two lines"),
        ("untitled", ""),
        ("Microsoft Word - draft.doc", ""),
        ("report.pdf", ""),
        ("1", ""),
        ("-----", ""),
        (None, ""),
    ],
)
def test_titles_that_say_nothing_are_dropped(title: str | None, kept: str) -> None:
    assert sensible_title(title) == kept


def test_cleaning() -> None:
    assert clean("a\r\nb\rc\u2028d\u00a0e\u200bf\x07g\ud800h") == "a\nb\nc\nd efg\ufffdh"
    assert clean("\u06a9\u200c\u0627 👨\u200d👩") == "\u06a9\u200c\u0627 👨\u200d👩", (
        "joiners shape letters and stay"
    )
