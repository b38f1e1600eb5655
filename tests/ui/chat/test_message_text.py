"""What the user sees of an answer's Markdown, and that it can load nothing."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QUrl
from PySide6.QtGui import QGuiApplication, QTextBlock, QTextCursor, QTextDocument
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from app.ui.chat import markdown_tokens
from app.ui.chat.citation_words import citation_tooltip
from app.ui.chat.links import is_openable
from app.ui.chat.message_text import MessageText
from app.ui.chat.text_properties import Property
from app.ui.theme import Theme
from tests.ui.chat.test_annotations import CITATION, cite

RICH = """Intro with **bold**, *em*, ~~gone~~ and `code`.

# Title

1. first
   - inner

   more of the first
2. second

- [ ] task
-

> quoted
> > deeper

```python
def f(x):
    return "x"
```

```nosuchlanguage
plain <b>
```

    indented code

| a | b |
|:-:|--:|
| 1 | 2 |

---

Line one\\
line two
"""


@pytest.fixture
def view(theme: Theme, qtbot: QtBot) -> MessageText:
    view = MessageText(theme)
    qtbot.addWidget(view)
    view.resize(500, 400)
    return view


def shown(view: MessageText) -> str:
    return view.document().toPlainText()


def blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def formats(view: MessageText, words: str) -> QTextCursor:
    cursor = view.document().find(words)
    assert not cursor.isNull(), words
    return cursor


def test_markdown_is_shown_without_its_marks(view: MessageText) -> None:
    view.set_markdown(RICH)
    view.resize(500, view.height_for(500))
    view.show()
    view.grab()
    text = shown(view)
    assert "Intro with bold, em, gone and code." in text
    for mark in ("**", "```", "# Title", "|:-:|", "~~"):
        assert mark not in text
    assert formats(view, "bold").charFormat().fontWeight() == 700
    assert formats(view, "em").charFormat().fontItalic()
    assert formats(view, "gone").charFormat().fontStrikeOut()
    assert formats(view, "Title").blockFormat().headingLevel() == 1
    assert formats(view, "second").currentList().format().start() == 2
    assert formats(view, "inner").currentList().format().indent() == 2
    assert formats(view, "more of the first").blockFormat().indent() == 1
    assert formats(view, "deeper").blockFormat().intProperty(Property.QUOTE_DEPTH) == 2
    assert formats(view, "2").currentTable() is not None or "2" in text
    assert "Line one\nline two" in text


def test_code_keeps_its_lines_and_can_be_copied(view: MessageText, qapp: QApplication) -> None:
    view.set_markdown(RICH)
    buttons = view.viewport().findChildren(QToolButton)
    assert len(buttons) == 3
    buttons[0].click()
    assert QGuiApplication.clipboard().text() == 'def f(x):\n    return "x"'
    cursor = formats(view, "def")
    assert cursor.blockFormat().property(Property.CODE) == "python"
    assert (
        cursor.charFormat().foreground().color()
        != formats(view, "plain <b>").charFormat().foreground().color()
    )


def test_html_stays_text(view: MessageText) -> None:
    view.set_markdown("<img src='http://x/y.png'> <b>bold</b>\n\n<script>alert(1)</script>")
    assert "<img src='http://x/y.png'> <b>bold</b>" in shown(view)
    assert "<script>alert(1)</script>" in shown(view)


@pytest.mark.parametrize(
    "payload",
    [
        "![a](http://127.0.0.1:9/x.png)",
        "![a](//host/share/a.png)",
        "![a](smb://host/a)",
        "![a](\\\\host\\a.png)",
        "![a][r]\n\n[r]: http://127.0.0.1:9/x.png",
        "| ![a](http://127.0.0.1:9/x.png) |\n|---|\n| x |",
        "[![a](http://127.0.0.1:9/x.png)](http://127.0.0.1:9/)",
        "![a](x.png)",
    ],
)
def test_images_are_never_loaded_and_say_so(view: MessageText, payload: str) -> None:
    view.set_markdown(payload)
    text = shown(view)
    assert "blocked image: a" in text or "![a]" in text
    assert "\ufffc" not in text
    assert view.loadResource(2, QUrl("http://127.0.0.1:9/x.png")) is None
    assert view.loadResource(2, QUrl("file:///etc/hostname")) is None


@pytest.mark.parametrize(
    ("payload", "visible"),
    [
        ("![a](file:///etc/hostname)", "![a](file:///etc/hostname)"),
        ("![a](data:image/svg+xml;base64,AAAA)", "![a]("),
        ("[a](javascript:alert(1))", "[a](javascript:alert(1))"),
        ("[a](ms-msdt:x)", "blocked link"),
        ("[a](search-ms:x)", "blocked link"),
        ("[a](//host/share)", "blocked link"),
        ("<ftp://host/x>", "blocked link"),
        ("[1]: http://evil.example\n\nSee [1].", "See [1]."),
    ],
)
def test_other_addresses_are_no_links(view: MessageText, payload: str, visible: str) -> None:
    view.set_markdown(payload)
    assert visible in shown(view)
    for block in blocks(view.document()):
        fragments = block.begin()
        while not fragments.atEnd():
            assert not fragments.fragment().charFormat().isAnchor()
            fragments += 1


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://example.org/a?b=c#d", True),
        ("HTTP://example.org", True),
        ("mailto:a@example.org", True),
        ("https:", False),
        ("https://exa mple.org", False),
        ("https://example.org/%0a\n", False),
        ("https:\\\\example.org", False),
        ("http://[::1", False),
        ("file:///etc/passwd", False),
        ("vbscript:x", False),
        ("//host/share", False),
        ("", False),
    ],
)
def test_what_may_be_offered_for_opening(address: str, allowed: bool) -> None:
    assert is_openable(address) is allowed


def test_a_link_is_passed_on_and_not_opened(view: MessageText, qtbot: QtBot) -> None:
    view.set_markdown("[here](https://example.org/x)")
    with qtbot.waitSignal(view.link_activated) as blocker:
        view.anchorClicked.emit(QUrl("https://example.org/x"))
    assert blocker.args == ["https://example.org/x"]
    assert formats(view, "here").charFormat().anchorHref() == "https://example.org/x"


def test_citations_are_links_with_their_quote(view: MessageText, qtbot: QtBot) -> None:
    text = "**Two years [1].** Ten euros [2]."
    first = cite(1, text, "**Two years [1].**")
    second = cite(2, text, "Ten euros [2].", verified=False, page=None)
    view.set_markdown(text, (first, second))
    view.show()
    assert shown(view) == "Two years [1]. Ten euros [2]."
    assert formats(view, "Two years").charFormat().fontWeight() == 700
    verified, other = (formats(view, words).charFormat() for words in ("[1]", "[2]"))
    assert verified.foreground().color() != other.foreground().color()
    with qtbot.waitSignal(view.citation_activated) as blocker:
        view.anchorClicked.emit(QUrl(verified.anchorHref()))
    assert blocker.args == [0]
    place = view.cursorRect(formats(view, "[2]")).center() - QPoint(6, 0)
    assert view.tooltip_at(place) == citation_tooltip(second)
    assert "“some quote”" in citation_tooltip(second)
    assert "Not verified" in citation_tooltip(second)
    assert ", page 2" in citation_tooltip(first)
    view.grab()


def test_unsupported_words_are_marked_and_explained(view: MessageText) -> None:
    text = "Known. Made up.\n\n- also made *up* here"
    view.set_markdown(text, (), ((7, 15), (17, len(text))))
    view.show()
    assert formats(view, "Made up").charFormat().boolProperty(Property.UNSUPPORTED)
    assert formats(view, "up here").charFormat().boolProperty(Property.UNSUPPORTED)
    assert not formats(view, "Known").charFormat().boolProperty(Property.UNSUPPORTED)
    place = view.cursorRect(formats(view, "Made")).center() - QPoint(8, 0)
    assert "No passage" in view.tooltip_at(place)
    assert view.tooltip_at(QPoint(480, 390)) == "" or "No passage" in view.tooltip_at(QPoint(480, 390))


def test_a_long_quote_is_shortened_in_the_tooltip() -> None:
    assert citation_tooltip(replace(CITATION, quote="word " * 200)).count("word") < 70


def test_a_text_that_is_too_long_is_shown_plain(view: MessageText, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown_tokens, "MAX_MARKDOWN_CHARACTERS", 10)
    view.set_markdown("**this is longer**")
    assert shown(view) == "**this is longer**"


def test_plain_text_is_not_markdown(view: MessageText) -> None:
    view.set_plain("**a** <b>\nnext")
    assert shown(view) == "**a** <b>\nnext"
    assert 20 < view.ideal_width(500) < 120


def test_the_theme_repaints_both_kinds(view: MessageText, theme: Theme) -> None:
    view.set_markdown("Some `words`")
    before = formats(view, "Some").charFormat().foreground().color().name()
    theme.set_setting("dark")
    assert formats(view, "Some").charFormat().foreground().color().name() != before
    view.set_plain("Plain")
    theme.set_setting("light")
    assert formats(view, "Plain").charFormat().foreground().color().name() == before


def test_the_height_grows_with_narrowness_and_holds_the_code_box(view: MessageText) -> None:
    view.set_markdown("word " * 60)
    assert view.height_for(150) > 2 * view.height_for(450)
    view.set_markdown("```\nx\n```")
    code = view.height_for(300)
    view.set_markdown("x")
    assert code > view.height_for(300) + 40


def test_copying_gives_plain_text_with_line_ends(view: MessageText) -> None:
    view.set_markdown("one\n\n```\na\nb\n```")
    view.selectAll()
    assert view.createMimeDataFromSelection().text() == "one\na\nb"


def appearance(view: MessageText) -> list[tuple[str, int, object]]:
    return [
        (
            block.text(),
            block.blockFormat().indent(),
            block.blockFormat().property(Property.CODE),
        )
        for block in blocks(view.document())
    ]


@given(st.lists(st.integers(1, len(RICH)), max_size=12))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_that_grows_looks_like_text_that_came_at_once(
    theme: Theme, qtbot: QtBot, cuts: list[int]
) -> None:
    grown, whole = MessageText(theme), MessageText(theme)
    for end in [*sorted(cuts), len(RICH)]:
        grown.set_markdown(RICH[:end])
    whole.set_markdown(RICH)
    assert appearance(grown) == appearance(whole)
    for view in (grown, whole):
        view.deleteLater()


def test_growing_text_keeps_a_selection_in_earlier_blocks(view: MessageText) -> None:
    view.set_markdown("First paragraph.\n\nSecond")
    cursor = formats(view, "First")
    view.setTextCursor(cursor)
    view.set_markdown("First paragraph.\n\nSecond paragraph grows")
    assert view.textCursor().selectedText() == "First"


def test_a_code_box_stands_under_the_table_before_it(view: MessageText) -> None:
    view.set_markdown("| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```")
    view.show()
    view.height_for(400)
    layout = view.document().documentLayout()
    (code,) = view._grounds.code_blocks
    cell = view.document().find("2").block()
    assert view._grounds.code_box(code).top() > layout.blockBoundingRect(cell).bottom()
