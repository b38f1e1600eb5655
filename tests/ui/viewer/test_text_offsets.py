"""Code points and document positions agree, whatever the text holds."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QTextCursor, QTextDocument
from PySide6.QtWidgets import QApplication

from app.ui.viewer.text_offsets import MAX_LINE, TextOffsets

TEXT = st.text(alphabet="aé中😀\n\r\x00\u2028\u2029\ufffc\ufdd0 ", max_size=60)


def character_at(document: QTextDocument, start: int, end: int) -> str:
    cursor = QTextCursor(document)
    cursor.setPosition(start)
    cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
    return cursor.selectedText()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXT, cut=st.integers(0, 60), start=st.sampled_from([0, 1000]))
def test_every_character_stands_where_its_offset_says(
    qapp: QApplication, text: str, cut: int, start: int
) -> None:
    cut = min(cut, len(text))
    if text[cut - 1 : cut + 1] == "\r\n":
        cut -= 1
    offsets, document = TextOffsets(start), QTextDocument()
    for piece in (text[:cut], text[cut:]):
        cursor = QTextCursor(document)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(offsets.append(piece))
    assert offsets.end == start + len(text)
    assert offsets.to_position(offsets.end) == document.characterCount() - 1
    for index, character in enumerate(text):
        at = start + index
        shown = character_at(document, offsets.to_position(at), offsets.to_position(at + 1))
        if character in "aé中😀 ":
            assert shown == character
        if (character, text[index + 1 : index + 2]) != ("\r", "\n"):
            assert offsets.to_offset(offsets.to_position(at)) in (at, at - 1)
    document.deleteLater()


def test_a_very_long_line_is_broken_where_it_is_shown_only() -> None:
    offsets = TextOffsets()
    long = "x" * (MAX_LINE - 10)
    shown = offsets.append(long) + offsets.append("y" * 20 + "\n" + "z" * 3)
    assert [len(line) for line in shown.split("\n")] == [MAX_LINE, 10, 3]
    boundary = MAX_LINE
    assert shown[offsets.to_position(boundary)] == "y"
    assert offsets.to_position(boundary) == boundary + 1
    assert offsets.to_offset(offsets.to_position(boundary)) == boundary
    assert shown[offsets.to_position(offsets.end - 3) :] == "zzz"


def test_offsets_outside_give_the_nearer_end() -> None:
    offsets = TextOffsets(100)
    offsets.append("abc")
    assert offsets.to_position(5) == 0
    assert offsets.to_position(500) == 3
    assert offsets.to_offset(99) == 103
