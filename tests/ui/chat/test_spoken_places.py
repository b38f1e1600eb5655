"""Where the sentence that is read aloud is marked in a message, and which Markdown chosen words come from."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtGui import QTextCursor

from app.core.answer_marks import mark_ranges, without_marks
from app.ui.chat.message_text import MessageText
from app.ui.chat.spoken_places import source_range, with_marks_counted
from app.ui.theme import Theme
from tests.ui.chat.test_annotations import CITATION

LONG = """# Notice periods

The **lease ends.** It can *be renewed* [1]. See [the law](https://example.org/a.b) for more.

- First the tenant writes.
- Then the `landlord()` answers. Always.

> Quoted words stay. Others go.

| Month | Rent |
|---|---:|
| May | 900 |
| June | 950 |

```python
print("one")
print("two")
```

The end. 🎉 It is over.
"""


@pytest.fixture
def view(theme: Theme) -> Iterator[MessageText]:
    view = MessageText(theme)
    view.resize(500, 900)
    view.show()
    yield view
    view.close()
    view.deleteLater()


def marked(view: MessageText) -> list[str]:
    return [s.cursor.selectedText().replace("\u2028", "\n") for s in view.extraSelections()]


def speak(view: MessageText, words: str) -> list[str]:
    start = LONG.index(words)
    view.set_spoken((start, start + len(words)))
    return marked(view)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("# Notice periods", "Notice periods"),
        ("The **lease ends.**", "The lease ends."),
        ("It can *be renewed* [1].", "It can be renewed [1]."),
        ("See [the law](https://example.org/a.b) for more.", "See the law for more."),
        ("- First the tenant writes.", "First the tenant writes."),
        ("Then the `landlord()` answers.", "Then the landlord() answers."),
        ("landlord", "landlord()"),
        ("Always.", "Always."),
        ("> Quoted words stay.", "Quoted words stay."),
        ("Others go.", "Others go."),
        ('print("one")', 'print("one")\nprint("two")'),
        ("🎉 It is over.", "🎉 It is over."),
    ],
)
def test_the_sentence_is_marked_where_it_is_shown(view: MessageText, source: str, shown: str) -> None:
    view.set_markdown(LONG, (CITATION,), ())
    assert speak(view, source) == [shown]


def test_a_row_of_a_table_is_marked(view: MessageText) -> None:
    view.set_markdown(LONG)
    words = speak(view, "| May | 900 |")[0]
    assert "May" in words and "900" in words and "June" not in words and "Rent" not in words


def test_a_range_over_several_blocks_is_marked_in_each(view: MessageText) -> None:
    view.set_markdown(LONG)
    start, end = LONG.index("# Notice"), LONG.index(" It can")
    view.set_spoken((start, end))
    assert marked(view) == ["Notice periods", "The lease ends."]


def test_citations_and_unsupported_words_do_not_move_the_mark(view: MessageText) -> None:
    text = "One thing is so [1]. Another may be. A third is not [1]."
    first = replace(CITATION, answer_start=0, answer_end=20)
    second = replace(CITATION, answer_start=37, answer_end=len(text))
    view.set_markdown(text, (first, second), ((21, 36),))
    for words in ("One thing is so [1].", "Another may be.", "A third is not [1]."):
        start = text.index(words)
        view.set_spoken((start, start + len(words)))
        assert marked(view) == [words]


def test_the_mark_stays_while_more_is_written_and_goes_at_the_end(view: MessageText) -> None:
    view.set_markdown("The lease ends. It")
    view.set_spoken((0, 15))
    view.set_markdown("The lease ends. It can be renewed.\n\nMore.")
    assert marked(view) == ["The lease ends."]
    view.set_markdown("Quite another text, longer than that before it.")
    view.set_spoken(None)
    assert marked(view) == []


def test_the_mark_has_the_colour_of_the_theme(view: MessageText, theme: Theme) -> None:
    view.set_markdown("The lease ends.")
    view.set_spoken((0, 15))
    (mark,) = view.extraSelections()
    light = mark.format.background().color()
    theme.set_setting("dark")
    (mark,) = view.extraSelections()
    dark = mark.format.background().color()
    assert light.lightness() > 200 > dark.lightness()
    assert marked(view) == ["The lease ends."]


def test_a_question_is_marked_by_its_own_characters(view: MessageText) -> None:
    view.set_plain("What 🎉 now?\nTell me more.")
    view.set_spoken((12, 25))
    assert marked(view) == ["Tell me more."]


def test_where_the_mark_stands_is_told_for_scrolling(view: MessageText) -> None:
    view.set_markdown("First paragraph.\n\n" * 10 + "Last one.")
    view.height_for(400)
    assert view.spoken_rect().isEmpty()
    view.set_spoken((0, 16))
    above = view.spoken_rect()
    view.set_spoken((180, 189))
    assert view.spoken_rect().top() > above.bottom() > above.top()


def test_marks_of_citations_are_counted_back_in() -> None:
    text = "One is so [1]. Two is [2] so. [x](y) Three."
    plain = without_marks(text)[0]
    assert plain == "One is so. Two is so. [x](y) Three."
    assert [text[a:b] for a, b in mark_ranges(text)] == [" [1]", " [2]"]
    for words, shown in (
        ("One is so.", "One is so [1]."),
        ("Two is so.", "Two is [2] so."),
        ("Three.", "Three."),
    ):
        start = plain.index(words)
        a, b = with_marks_counted(text, (start, start + len(words)))
        assert text[a:b] == shown


@pytest.mark.parametrize(
    ("words", "source"),
    [
        ("lease ends", "lease ends"),
        ("can be renewed", "can *be renewed"),
        ("the law for", "the law](https://example.org/a.b) for"),
        ("Then the landlord", "Then the `landlord"),
        ("May900", None),
    ],
)
def test_chosen_words_lead_back_to_their_markdown(view: MessageText, words: str, source: str | None) -> None:
    view.set_markdown(LONG)
    found = view.document().find(words)
    if source is None:
        view.selectAll()
        view.setTextCursor(QTextCursor(view.document()))
        assert view.chosen_source() == ("", -1)
        return
    assert not found.isNull()
    view.setTextCursor(found)
    text, start = view.chosen_source()
    assert text == source
    assert LONG[start : start + len(text)] == text


def test_words_that_are_not_in_the_text_lead_nowhere() -> None:
    assert source_range("abc", "", "xyz") is None
    assert source_range("abc abc", "", "abd") is None
