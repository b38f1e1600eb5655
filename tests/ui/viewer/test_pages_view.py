"""Scrolling, selecting by mouse and keys, and painting on other screens."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.ui.viewer.pages_view import PagesView
from app.ui.viewer.pane import ViewerPane
from tests.ui.conftest import until
from tests.ui.viewer.conftest import Open
from tests.ui.viewer.served import Served, pdf
from tests.ui.viewer.test_pane import drawn

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


async def opened(viewer: Open, document: Served, page: int = 1) -> ViewerPane:
    pane = viewer(document)
    pane.open_document(document.document_id, page)
    await drawn(pane)
    await until(lambda: pane.reader.words(page) is not None)
    pane.pages.setFocus()
    return pane


def place(view: PagesView, document: Served, page: int, word: int, share: float = 0.5) -> QPoint:
    """Give the place of a word in the viewport."""
    box, on = document.boxes[page][word], view.page_rect(page)
    x = box[2] + share * (box[4] - box[2])
    return QPoint(round(on.left() + x * view.scale), round(on.top() + (box[3] + 6) * view.scale))


def chosen(pane: ViewerPane, document: Served) -> str:
    found = pane.pages.selection.range
    return document.text[found[0] : found[1]] if found else ""


def wheel(view: PagesView, delta: int, modifiers: Qt.KeyboardModifier) -> None:
    event = QWheelEvent(
        QPointF(100, 100),
        view.viewport().mapToGlobal(QPointF(100, 100)),
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.viewport(), event)


async def test_a_double_click_takes_the_word_and_a_third_click_the_line(viewer: Open) -> None:
    document = pdf(n_pages=2)
    pane = await opened(viewer, document)
    spot = place(pane.pages, document, 1, 15)
    viewport = pane.pages.viewport()
    QTest.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=spot)
    assert chosen(pane, document) == document.text[slice(*document.boxes[1][15][:2])]
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=spot)
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=spot)
    assert chosen(pane, document) == document.text.splitlines()[1]
    assert pane.pages.marks.selected == pane.pages.selection.range


async def test_shift_and_a_click_extend(viewer: Open) -> None:
    document = pdf(n_pages=2)
    pane = await opened(viewer, document)
    viewport = pane.pages.viewport()
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=place(pane.pages, document, 1, 0, 0))
    assert chosen(pane, document) == ""
    end = place(pane.pages, document, 1, 2, 1)
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, SHIFT, end)
    assert chosen(pane, document) == "Clause 1. Page"
    QTest.mouseClick(viewport, Qt.MouseButton.RightButton, pos=place(pane.pages, document, 1, 9))
    assert chosen(pane, document) == "Clause 1. Page"  # the other button leaves it alone


async def test_dragging_out_of_the_view_scrolls_and_selects_on_to_the_next_page(viewer: Open) -> None:
    document = pdf(n_pages=3)
    pane = await opened(viewer, document)
    view, viewport = pane.pages, pane.pages.viewport()
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=place(view, document, 1, 0, 0))
    QTest.mouseMove(viewport, QPoint(200, viewport.height() + 60))
    await until(lambda: view.page >= 2)
    QTest.mouseMove(viewport, QPoint(200, viewport.height() - 20))
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=QPoint(200, viewport.height() - 20))
    words = chosen(pane, document)
    assert words.startswith("Clause 1.")
    assert "Clause 2." in words
    at = view.verticalScrollBar().value()
    QTest.mouseMove(viewport, QPoint(10, 10))
    assert view.verticalScrollBar().value() == at  # no longer dragging


async def test_the_pointer_tells_where_text_is(viewer: Open) -> None:
    document = pdf(n_pages=2)
    pane = await opened(viewer, document)
    viewport = pane.pages.viewport()
    QTest.mouseMove(viewport, place(pane.pages, document, 1, 3))
    assert viewport.cursor().shape() == Qt.CursorShape.IBeamCursor
    QTest.mouseMove(viewport, QPoint(3, 3))
    assert viewport.cursor().shape() == Qt.CursorShape.ArrowCursor


async def test_words_and_lines_are_selected_by_keys_over_pages(viewer: Open) -> None:
    document = pdf(n_pages=3, n_lines=3)
    pane = await opened(viewer, document)
    await until(lambda: pane.reader.words(2) is not None)
    QTest.keyClick(pane.pages, Qt.Key.Key_Right, SHIFT)
    QTest.keyClick(pane.pages, Qt.Key.Key_Right, SHIFT)
    assert chosen(pane, document) == "Clause 1."
    QTest.keyClick(pane.pages, Qt.Key.Key_Left, SHIFT)
    assert chosen(pane, document) == "Clause "
    for _ in range(4):
        QTest.keyClick(pane.pages, Qt.Key.Key_Down, SHIFT)
    lines = document.text.splitlines()
    assert chosen(pane, document) == "\n".join(lines[:4])
    QTest.keyClick(pane.pages, Qt.Key.Key_Up, SHIFT)
    QTest.keyClick(pane.pages, Qt.Key.Key_Up, SHIFT)
    assert chosen(pane, document) == "\n".join(lines[:2]) + "\n"
    pane.pages.copy()
    await until(lambda: QGuiApplication.clipboard().text() == "\n".join(lines[:2]) + "\n")
    QTest.keyClick(pane.pages, Qt.Key.Key_Escape)
    assert chosen(pane, document) == ""
    pane.pages.copy()  # nothing is chosen: the clipboard stays


async def test_keys_scroll(viewer: Open) -> None:
    pane = await opened(viewer, pdf(n_pages=8))
    view = pane.pages
    bar = view.verticalScrollBar()
    QTest.keyClick(view, Qt.Key.Key_End)
    assert view.page == 8
    assert not pane.toolbar.next_page.isEnabled()
    QTest.keyClick(view, Qt.Key.Key_Home)
    assert (view.page, bar.value()) == (1, 0)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.page == 2
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert view.page == 1
    QTest.keyClick(view, Qt.Key.Key_Space)
    QTest.keyClick(view, Qt.Key.Key_Space)
    await until(lambda: bar.value() > view.viewport().height() * 0.8 and not view._glide.is_running)
    QTest.keyClick(view, Qt.Key.Key_Space, SHIFT)
    at = bar.value()
    await until(lambda: bar.value() < at)
    QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_PageDown)
    assert bar.value() > 0


async def test_the_wheel_scrolls_and_zooms_at_the_pointer(viewer: Open) -> None:
    pane = await opened(viewer, pdf(n_pages=8))
    view = pane.pages
    wheel(view, -120, Qt.KeyboardModifier.NoModifier)
    assert view.verticalScrollBar().value() > 0
    before, spot = view.zoom, view.spot_at(QPointF(100, 100))
    wheel(view, 120, CTRL)
    assert view.zoom > before
    assert spot is not None
    assert view.spot_at(QPointF(100, 100)) == pytest.approx(spot, abs=3)
    wheel(view, -120, CTRL)
    wheel(view, 0, CTRL)
    assert view.zoom <= before * 1.2


async def test_pictures_are_asked_anew_after_zooming_and_for_finer_screens(viewer: Open) -> None:
    pane = await opened(viewer, pdf(n_pages=2))
    view = pane.pages
    view.set_zoom(2.5)
    assert pane.images.image(1, view.scale) is not None  # the one at hand, stretched
    view.viewport().grab()
    await drawn(pane)
    found = pane.images.image(1, view.scale)
    assert found is not None
    assert found.width() == pytest.approx(612 * view.scale, abs=1)
    QApplication.sendEvent(view.viewport(), QEvent(QEvent.Type.DevicePixelRatioChange))
    await drawn(pane)


async def test_a_wide_page_scrolls_sideways_to_the_cited_words(viewer: Open) -> None:
    document = pdf(n_pages=4)
    pane = await opened(viewer, document)
    pane.pages.set_zoom(4.0)
    start = document.text.index("between the parties", document.pages[2].char_start)
    pane.pages.reveal((start, start + 7))
    await drawn(pane)
    box = next(box for box in document.boxes[3] if box[0] == start)
    left = pane.pages.page_rect(3).left() + box[2] * pane.pages.scale
    assert 0 <= left < pane.pages.viewport().width()


async def test_what_is_not_on_a_page_is_not_scrolled_to(viewer: Open) -> None:
    document = pdf(n_pages=3)
    document.boxes[2] = ()
    pane = await opened(viewer, document)
    pane.pages.reveal((0, 5), 77)
    assert pane.pages.page == 1
    pane.pages.reveal((document.pages[1].char_start, document.pages[1].char_start + 5))
    await drawn(pane)
    assert pane.pages.page in (1, 2)  # its page, although no word of it is known
    pane.pages.go_to_page(99)
    assert pane.pages.page == 3
    pane.pages.clear()
    pane.pages.go_to_page(1)
    assert pane.pages.spot_at(QPointF(1, 1)) is None
    pane.pages.viewport().grab()


async def test_the_menu_offers_copying(viewer: Open) -> None:
    pane = await opened(viewer, pdf(n_pages=1))
    pane.pages.select_page()
    menu = pane.pages.context_menu()
    assert [(a.text(), a.isEnabled()) for a in menu.actions()] == [
        ("Copy", True),
        ("Read selection aloud", True),
        ("Select all on this page", True),
    ]
    menu.deleteLater()


async def test_a_thousand_pages_open_at_once(viewer: Open) -> None:
    document = pdf(n_pages=1000, n_lines=2)
    pane = await opened(viewer, document, 777)
    assert pane.pages.page == 777
    assert pane.toolbar.page_box.text() == "777"
