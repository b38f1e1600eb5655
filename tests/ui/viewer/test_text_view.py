"""Long texts, parts, places."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QTextCursor, QWheelEvent
from PySide6.QtWidgets import QApplication

from app.protocol.documents import GetText
from app.ui.viewer import loaded_text
from app.ui.viewer.pane import ViewerPane
from app.ui.viewer.text_view import TextView
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.viewer.conftest import Open
from tests.ui.viewer.served import plain
from tests.ui.viewer.test_pane import press


def numbered(n_lines: int) -> str:
    return "".join(f"Line {i} of the text 😀\r\n" for i in range(n_lines))


def marked(view: TextView) -> list[str]:
    return [selection.cursor.selectedText() for selection in view.extraSelections()]


def top_of_mark(pane: ViewerPane) -> float:
    """Give where the first mark stands, as a share of the view's height."""
    view = pane.text
    selections = view.extraSelections()
    cursor = QTextCursor(selections[0].cursor)
    cursor.setPosition(cursor.selectionStart())
    return view.cursorRect(cursor).top() / view.viewport().height()


async def test_a_long_text_comes_in_slices_and_ends_at_the_cited_words(
    viewer: Open, session: FakeSession
) -> None:
    document = plain(2, numbered(20_000))
    pane = viewer(document)
    pane.open_citation((document.citation("Line 15000 of the text 😀"),), 0)
    await until(lambda: pane.text.is_loaded)
    sizes = [request.char_end - request.char_start for request in session.sent(GetText)]
    assert len(sizes) > 5
    assert max(sizes) <= loaded_text.SLICE
    assert marked(pane.text) == ["Line 15000 of the text 😀"]
    await until(lambda: not pane.text._glide.is_running)
    assert 0.2 < top_of_mark(pane) < 0.5
    assert pane.text.toPlainText() == document.text.replace("\r\n", "\n")
    near = document.text.index("Line 15010 ")
    pane.text.reveal((near, near + 4))
    assert pane.text._glide.is_running
    await until(lambda: not pane.text._glide.is_running)


async def test_a_very_long_text_is_shown_in_parts(viewer: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded_text, "PART", 5000)
    document = plain(2, numbered(1000))
    pane = viewer(document)
    pane.open_citation((document.citation("Line 500 of"),), 0)
    await until(lambda: pane.text.is_loaded)
    n_parts = -(-len(document.text) // 5000)
    part = document.text.index("Line 500 of") // 5000 + 1
    assert pane.banner.text == f"This text is very long; part {part} of {n_parts} is shown."
    assert marked(pane.text) == ["Line 500 of"]
    press(pane, "Next part")
    await until(lambda: pane.text.is_loaded and pane.text.part == part)
    assert marked(pane.text) == []
    press(pane, "Previous part")
    await until(lambda: pane.text.is_loaded and pane.text.part == part - 1)
    assert marked(pane.text) == ["Line 500 of"]
    pane.find_bar.open()
    pane.find_bar.field.setText("Line 999 of")
    await until(lambda: pane.text.is_loaded and pane.text.part == n_parts - 1)
    await until(lambda: marked(pane.text) == ["Line 999 of"])
    assert "Next part" not in [button.text() for button in pane.banner.buttons]
    pane.text.show_part(0)
    await until(lambda: pane.text.is_loaded and pane.text.part == 0)
    assert [button.text() for button in pane.banner.buttons] == ["Next part"]


async def test_a_line_of_a_megabyte_does_not_stall(viewer: Open) -> None:
    document = plain(2, "x" * 300_000 + "needle" + "y" * 1000, "data.json", "json")
    pane = viewer(document)
    pane.open_citation((document.citation("needle"),), 0)
    await until(lambda: pane.text.is_loaded)
    assert marked(pane.text) == ["needle"]
    assert max(len(line) for line in pane.text.toPlainText().split("\n")) <= 4000


async def test_a_text_shorter_than_announced_ends(viewer: Open, session: FakeSession) -> None:
    document = plain(2, "short")
    pane = viewer(document)
    info = document.info()
    document.text = "sh"
    from app.protocol.documents import GetDocument

    session.reply(GetDocument, info)
    pane.open_document(2)
    await until(lambda: pane.text.is_loaded)
    assert pane.text.toPlainText() == "sh"


async def test_the_wheel_with_ctrl_changes_the_size(viewer: Open) -> None:
    pane = viewer(plain(2, numbered(200)))
    pane.open_document(2)
    await until(lambda: pane.text.is_loaded)
    for delta, modifiers in ((120, Qt.KeyboardModifier.ControlModifier), (-120, Qt.KeyboardModifier(0))):
        event = QWheelEvent(
            QPointF(50, 50),
            pane.text.viewport().mapToGlobal(QPointF(50, 50)),
            QPoint(),
            QPoint(0, delta),
            Qt.MouseButton.NoButton,
            modifiers,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(pane.text.viewport(), event)
    assert pane.text.zoom == pytest.approx(1.1)
    assert pane.toolbar.zoom_box.text() == "110 %"
    assert pane.text.verticalScrollBar().value() > 0


async def test_another_document_drops_what_was_being_loaded(viewer: Open) -> None:
    long, short = plain(2, numbered(20_000)), plain(3, "short", "b.md")
    pane = viewer(long, short)
    pane.open_document(2)
    await until(lambda: pane.text._loaded.offsets.end > 0)
    pane.open_document(3)
    await until(lambda: pane.toolbar.title == "b.md" and pane.text.is_loaded)
    assert pane.text.toPlainText() == "short"
    pane.close_document()
    assert pane.text.toPlainText() == ""
