"""What a user sees and does in the viewer."""

import asyncio

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QPushButton

from app.core.errors import NotFoundError, WorkerError
from app.protocol.documents import FindInDocument, GetDocument, GetText
from app.protocol.library import RefreshFiles
from app.protocol.pictures import RenderPage
from app.protocol.system import Empty, WorkerChanged
from app.ui.theme import Theme
from app.ui.tokens import LIGHT
from app.ui.viewer.pane import ViewerPane
from app.ui.viewer.zoom import Fit
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.viewer.conftest import FakeOpener, Open
from tests.ui.viewer.served import HEIGHT, WIDTH, pdf, plain, serve

QUOTE = "notice in writing of not less than three months"
MARKDOWN = (
    "# Rules 😀\r\n\r\nBe kind.\r\n\r\n## Money\r\n\r\n" + "Pay the rent on time. " * 40 + "\r\nThe end."
)


def cited_pixels(pane: ViewerPane) -> QRect:
    """Bounding rectangle of the highlight's colour in the shown pages."""
    image = pane.pages.viewport().grab().toImage()
    wanted = QColor(LIGHT.highlight_active)
    hits = [
        (x, y)
        for y in range(image.height())
        for x in range(image.width())
        if image.pixelColor(x, y) == wanted
    ]
    if not hits:
        return QRect()
    xs, ys = [x for x, _ in hits], [y for _, y in hits]
    return QRect(QPoint(min(xs), min(ys)), QPoint(max(xs), max(ys)))


def n_dark(pane: ViewerPane) -> int:
    """Number of dark pixels among every fourth of the shown pages."""
    image = pane.pages.viewport().grab().toImage()
    spots = ((x, y) for x in range(0, image.width(), 2) for y in range(0, image.height(), 2))
    return sum(image.pixelColor(x, y).lightness() < 170 for x, y in spots)


def fit_of(pane: ViewerPane) -> Fit:
    return pane.pages.fit


async def drawn(pane: ViewerPane) -> None:
    """Wait until the pages that show are drawn at their scale and nothing moves."""
    pages = pane.pages

    def ready() -> bool:
        scale = pages._picture_scale()
        images = [pane.images.image(i + 1, scale) for i in pages._visible()]
        width = WIDTH * scale
        sharp = bool(images) and all(image and abs(image.width() - width) < 1 for image in images)
        return sharp and not pages._glide.is_running and pages._target is None

    await until(ready)


def press(pane: ViewerPane, text: str) -> None:
    """Press a banner's or the card's button."""
    buttons = [b for b in pane.findChildren(QPushButton) if b.text() == text and b.isVisible()]
    assert len(buttons) == 1, (text, [b.text() for b in pane.findChildren(QPushButton)])
    buttons[0].click()


async def test_a_citation_opens_its_page_with_exactly_its_words_highlighted(viewer: Open) -> None:
    document = pdf(n_pages=243)
    citation = document.citation(QUOTE, after=document.text.index("Clause 112."))
    pane = viewer(document)
    pane.open_citation((citation,), 0)
    await drawn(pane)
    assert pane.toolbar.page_box.text() == "112"
    assert citation.page == 112
    shown = cited_pixels(pane)
    boxes = [
        box for box in document.boxes[112] if citation.char_start <= box[0] and box[1] <= citation.char_end
    ]
    assert " ".join(document.text[box[0] : box[1]] for box in boxes) == QUOTE
    page, scale = pane.pages.page_rect(112), pane.pages.scale
    assert shown.left() == pytest.approx(page.left() + boxes[0][2] * scale, abs=3)
    assert shown.right() == pytest.approx(page.left() + boxes[-1][4] * scale, abs=3)
    assert shown.top() == pytest.approx(page.top() + boxes[0][3] * scale, abs=3)
    assert shown.height() < 20 * scale
    assert 0.25 < shown.center().y() / pane.pages.viewport().height() < 0.42


async def test_only_pages_in_sight_and_their_neighbours_are_drawn(viewer: Open, session: FakeSession) -> None:
    pane = viewer(pdf(n_pages=243))
    pane.open_document(1, 100)
    await drawn(pane)
    asked = {request.page for request in session.sent(RenderPage)}
    assert asked <= set(range(96, 105))


async def test_stepping_through_citations_changes_page_and_document(viewer: Open) -> None:
    lease, notes = pdf(n_pages=20), plain(2, MARKDOWN)
    citations = (
        lease.citation("Clause 3."),
        lease.citation("Clause 17.", n=2),
        notes.citation("Be kind.", n=3),
    )
    pane = viewer(lease, notes)
    pane.open_citation(citations, 0)
    await drawn(pane)
    assert pane.citation_bar.count.text() == "1 of 3"
    assert not pane.citation_bar.previous.isEnabled()
    pane.citation_bar.next.click()
    await drawn(pane)
    assert pane.toolbar.page_box.text() == "17"
    assert pane.citation_bar.quote == "“Clause 17.”"
    pane.pages.setFocus()
    QTest.keyClick(pane.pages, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    await until(lambda: pane.text.is_loaded and pane.toolbar.title == "notes.md")
    assert not pane.citation_bar.next.isEnabled()
    pane.step_citation(1)  # there is none
    assert pane.citation_bar.count.text() == "3 of 3"
    marked = [s.cursor.selectedText() for s in pane.text.extraSelections()]
    assert marked == ["Be kind."]
    pane.citation_bar.previous.click()
    await drawn(pane)
    assert pane.toolbar.title == lease.name


async def test_text_documents_are_whole_and_marked_by_offsets(viewer: Open) -> None:
    document = plain(2, MARKDOWN)
    pane = viewer(document)
    pane.open_citation((document.citation("The end."),), 0)
    await until(lambda: pane.text.is_loaded)
    assert pane.text.toPlainText() == MARKDOWN.replace("\r\n", "\n")
    assert [s.cursor.selectedText() for s in pane.text.extraSelections()] == ["The end."]
    heading = pane.text.document().findBlockByLineNumber(0)
    assert heading.begin().fragment().charFormat().fontWeight() > 500
    assert not pane.toolbar.page_box.isVisible()
    assert not pane.toolbar.text_button.isVisible()
    assert not pane.banner.isVisible()


@pytest.mark.parametrize(("name", "kind", "fixed"), [("a.py", "code", True), ("a.md", "markdown", False)])
async def test_code_is_shown_in_equal_widths(viewer: Open, name: str, kind: str, fixed: bool) -> None:
    pane = viewer(plain(2, "x = 1\n", name, kind))
    pane.open_document(2)
    await until(lambda: pane.text.is_loaded)
    metrics = pane.text.fontMetrics()
    assert (metrics.horizontalAdvance("i") == metrics.horizontalAdvance("W")) == fixed


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("changed", "The file changed since it was read; this is the text as it was read."),
        ("missing", "The file is no longer at /home/user/Documents/Lease agreement.pdf"),
    ],
)
async def test_a_changed_or_missing_source_shows_the_stored_text_and_says_so(
    viewer: Open, session: FakeSession, source: str, words: str
) -> None:
    document = pdf(n_pages=9)
    document.source = source
    pane = viewer(document)
    pane.open_citation((document.citation("Clause 6."),), 0)
    await until(lambda: pane.text.is_loaded and pane.toolbar.page_box.text() == "6")
    assert words in pane.banner.text
    assert pane.banner.isVisible()
    assert [s.cursor.selectedText() for s in pane.text.extraSelections()] == ["Clause 6."]
    assert session.sent(RenderPage) == []
    pane.toolbar.next_page.click()
    await until(lambda: pane.text.page == 7)


async def test_a_source_that_changes_while_shown_turns_to_its_text_at_the_same_page(
    viewer: Open, session: FakeSession
) -> None:
    pane = viewer(pdf(n_pages=30))
    pane.open_document(1, 4)
    await drawn(pane)
    session.reply(RenderPage, NotFoundError("document.source_changed", "The file changed."))
    session.reply(RefreshFiles, WorkerError("library.down", "The library is busy.", "Wait."))
    pane.toolbar.page_box.setText("20")
    QTest.keyClick(pane.toolbar.page_box, Qt.Key.Key_Return)
    await until(lambda: pane.text.isVisible() and pane.text.is_loaded)
    await until(lambda: pane.toolbar.page_box.text() == "20")
    assert pane.banner.text.startswith("The file changed since it was read")
    press(pane, "Read the file again")
    await until(lambda: "The library is busy. Wait." in pane.banner.text)
    session.reply(RefreshFiles, Empty())
    press(pane, "Try again")
    await until(lambda: "being read again" in pane.banner.text)


async def test_a_source_that_vanishes_while_shown_is_named(viewer: Open, session: FakeSession) -> None:
    document = pdf(n_pages=3)
    document.render_error = {1: NotFoundError("document.source_missing", "The file is gone.")}
    pane = viewer(document)
    pane.open_document(1)
    await until(lambda: pane.text.isVisible() and pane.text.is_loaded)
    assert pane.banner.text == "The file is no longer there; this is the text as it was read."


async def test_a_page_that_cannot_be_drawn_shows_its_words_and_the_reason(viewer: Open) -> None:
    document = pdf(n_pages=5)
    document.render_error = {2: WorkerError("page.failed", "The page is damaged.", "Open it elsewhere.")}
    citation = document.citation(QUOTE, after=document.text.index("Clause 2."))
    pane = viewer(document)
    pane.open_citation((citation,), 0)
    await until(pane.banner.isVisible)
    assert "Page 2 could not be drawn" in pane.banner.text
    assert "The page is damaged. Open it elsewhere." in pane.banner.text
    await until(lambda: pane.reader.page_text(2) is not None)
    assert n_dark(pane) > 100  # its words
    assert cited_pixels(pane).isValid()
    document.render_error = {}
    press(pane, "Try again")
    await drawn(pane)
    assert not pane.banner.isVisible()


async def test_a_renderer_that_came_back_draws_the_failed_pages(viewer: Open, session: FakeSession) -> None:
    document = pdf(n_pages=2)
    document.render_error = {1: WorkerError("worker.died", "The page renderer ended.", "")}
    pane = viewer(document)
    pane.open_document(1)
    await until(pane.banner.isVisible)
    document.render_error = {}
    session.deliver(WorkerChanged(kind="library", state="ready"))
    assert pane.banner.isVisible()
    session.deliver(WorkerChanged(kind="render", state="ready"))
    await drawn(pane)
    assert not pane.banner.isVisible()


async def test_a_page_without_boxes_still_shows_its_text(viewer: Open) -> None:
    document = pdf(n_pages=1)
    document.boxes = {1: ()}
    document.render_error = {1: WorkerError("page.failed", "The page is damaged.")}
    pane = viewer(document)
    pane.open_document(1)
    await until(pane.banner.isVisible)
    await until(lambda: pane.reader.page_text(1) is not None)
    assert n_dark(pane) > 100


async def test_a_document_that_cannot_be_opened_says_why_and_can_be_tried_again(
    viewer: Open, session: FakeSession
) -> None:
    pane = viewer(pdf(99))
    gone = NotFoundError(
        "document.not_found", "This document is no longer in the library.", "Add the file again."
    )
    session.reply(GetDocument, gone)
    pane.open_document(99)
    await until(lambda: pane.card.title == "The document cannot be opened")
    assert pane.card.text == "This document is no longer in the library. Add the file again."
    assert not pane.toolbar.isVisible()
    session.reply(GetDocument, pdf(99).info())
    press(pane, "Try again")
    await until(pane.toolbar.isVisible)
    closed: list[bool] = []
    pane.closed.connect(lambda: closed.append(True))
    pane.toolbar.close_button.click()
    assert closed == [True]
    assert pane.card.title == "No document is open"
    assert pane.document_id is None


async def test_a_slow_document_says_that_it_is_being_opened(viewer: Open, session: FakeSession) -> None:
    document, gate = pdf(n_pages=2), asyncio.Event()
    pane = viewer(document)

    async def slow(request: GetDocument) -> object:
        await gate.wait()
        return document.info()

    session.reply(GetDocument, slow)
    pane.open_citation((document.citation("Clause 1."),), 0)
    await until(lambda: pane.card.title == "Opening Lease agreement.pdf …")
    gate.set()
    await drawn(pane)


async def test_the_document_asked_for_last_wins(viewer: Open, session: FakeSession) -> None:
    gates = {1: asyncio.Event(), 2: asyncio.Event()}
    documents = {1: pdf(1, 2, "first.pdf"), 2: pdf(2, 2, "second.pdf")}
    pane = viewer(*documents.values())

    async def slow(request: GetDocument) -> object:
        await gates[request.document_id].wait()
        return documents[request.document_id].info()

    session.reply(GetDocument, slow)
    pane.open_document(1)
    await until(lambda: len(session.sent(GetDocument)) == 1)
    pane.open_document(2)
    gates[2].set()
    await until(lambda: pane.toolbar.title == "second.pdf")
    gates[1].set()
    await drawn(pane)
    assert pane.toolbar.title == "second.pdf"


async def test_a_lost_host_is_asked_again_when_it_is_back(viewer: Open, session: FakeSession) -> None:
    document = pdf(n_pages=2)
    pane = viewer(document)
    session.reply(GetDocument, WorkerError("host.lost", "The service ended.", "Wait."))
    pane.open_document(1)
    await until(lambda: pane.card.title == "The document cannot be opened")
    session.reply(GetDocument, document.info())
    session.connect_now()
    await drawn(pane)
    document.render_error = {1: WorkerError("x", "No.")}
    session.connect_now()  # nothing failed: nothing is asked again
    assert not pane.banner.isVisible()


async def test_finding_marks_all_matches_and_steps_through_them(viewer: Open) -> None:
    document = pdf(n_pages=12)
    pane = viewer(document)
    pane.open_document(1, 5)
    await drawn(pane)
    pane.pages.setFocus()
    QTest.keyClick(pane.pages, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert pane.find_bar.isVisible()
    QTest.keyClicks(pane.find_bar.field, "clause")
    await until(lambda: pane.find_bar.count.text() == "5 of 12")
    QTest.keyClick(pane.find_bar.field, Qt.Key.Key_Return)
    await until(lambda: pane.toolbar.page_box.text() == "6")
    assert pane.find_bar.count.text() == "6 of 12"
    QTest.keyClick(pane.find_bar.field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    pane.find_bar.previous.click()
    await until(lambda: pane.toolbar.page_box.text() == "4")
    pane.find_bar.next.click()
    QTest.keyClick(pane.find_bar.field, Qt.Key.Key_F3)
    await until(lambda: pane.toolbar.page_box.text() == "6")
    QTest.keyClick(pane.find_bar.field, Qt.Key.Key_F3, Qt.KeyboardModifier.ShiftModifier)
    await until(lambda: pane.toolbar.page_box.text() == "5")
    assert len(pane.pages.marks.matches) == 12
    pane.find_bar.field.setText("no such words")
    await until(lambda: pane.find_bar.count.text() == "Not found")
    assert pane.pages.marks.matches == ()
    QTest.keyClick(pane.find_bar.field, Qt.Key.Key_Escape)
    assert not pane.find_bar.isVisible()


async def test_finding_goes_around_the_end_and_follows_to_another_document(viewer: Open) -> None:
    lease, notes = pdf(n_pages=3), plain(2, "Clause a\n\nClause b\n")
    pane = viewer(lease, notes)
    pane.open_document(1, 3)
    await drawn(pane)
    pane.find_bar.open()
    pane.find_bar.field.setText("clause")
    QTest.keyClick(pane.find_bar.field, Qt.Key.Key_Return)  # not waiting for the pause of typing
    await until(lambda: pane.find_bar.count.text() == "3 of 3")
    QTest.keyClick(pane.find_bar.field, Qt.Key.Key_Return)
    await until(lambda: pane.find_bar.count.text() == "1 of 3")
    pane.open_document(2)
    await until(lambda: pane.find_bar.count.text() == "1 of 2")
    assert [s.cursor.selectedText() for s in pane.text.extraSelections()] == ["Clause", "Clause"]
    pane.find_bar.field.clear()
    await until(lambda: pane.find_bar.count.text() == "")
    assert pane.text.extraSelections() == []


async def test_a_failed_search_says_so(viewer: Open, session: FakeSession) -> None:
    pane = viewer(pdf(n_pages=2))
    pane.open_document(1)
    await drawn(pane)
    session.reply(FindInDocument, WorkerError("x", "The library is busy."))
    pane.find_bar.open()
    pane.find_bar.field.setText("rent")
    await until(lambda: pane.find_bar.count.text() == "Search failed: The library is busy.")


async def test_page_and_zoom_by_toolbar_and_keys(viewer: Open) -> None:
    pane = viewer(pdf(n_pages=10))
    pane.open_document(1)
    await drawn(pane)
    assert fit_of(pane) is Fit.WIDTH
    assert not pane.toolbar.previous_page.isEnabled()
    pane.toolbar.next_page.click()
    assert pane.toolbar.page_box.text() == "2"
    pane.pages.setFocus()
    QTest.keyClick(pane.pages, Qt.Key.Key_PageDown, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(pane.pages, Qt.Key.Key_PageUp, Qt.KeyboardModifier.ControlModifier)
    assert pane.toolbar.page_box.text() == "2"
    pane.toolbar.page_box.setFocus()
    pane.toolbar.page_box.selectAll()
    QTest.keyClicks(pane.toolbar.page_box, "9")
    QTest.keyClick(pane.toolbar.page_box, Qt.Key.Key_Return)
    assert pane.pages.page == 9
    before = pane.pages.zoom
    pane.toolbar.zoom_in.click()
    assert pane.pages.zoom > before
    assert pane.pages.page == 9  # the place is kept
    assert not pane.toolbar.fit_width.isChecked()
    pane.toolbar.zoom_out.click()
    QTest.keyClick(pane.pages, Qt.Key.Key_Plus, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(pane.pages, Qt.Key.Key_Minus, Qt.KeyboardModifier.ControlModifier)
    for action in pane.toolbar.zoom_box.menu().actions():
        if action.text() == "200 %":
            action.trigger()
    assert pane.pages.zoom == 2.0
    assert pane.toolbar.zoom_box.text() == "200 %"
    assert pane.pages.horizontalScrollBar().maximum() > 0
    pane.toolbar.fit_page.click()
    assert fit_of(pane) is Fit.PAGE
    assert HEIGHT * pane.pages.scale <= pane.pages.viewport().height()
    QTest.keyClick(pane.pages, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert fit_of(pane) is Fit.WIDTH
    QTest.keyClick(pane.pages, Qt.Key.Key_9, Qt.KeyboardModifier.ControlModifier)
    assert fit_of(pane) is Fit.PAGE
    pane.toolbar.zoom_box.menu().actions()[0].trigger()
    assert fit_of(pane) is Fit.WIDTH
    pane.toolbar.fit_width.click()
    assert fit_of(pane) is Fit.NONE
    await drawn(pane)


async def test_a_page_box_left_without_enter_shows_the_page_again(viewer: Open) -> None:
    pane = viewer(pdf(n_pages=10))
    pane.open_document(1, 3)
    await drawn(pane)
    box = pane.toolbar.page_box
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "8")
    pane.pages.verticalScrollBar().setValue(pane.pages.verticalScrollBar().value() + 900)
    assert box.text() == "8"  # not overwritten while typing
    pane.pages.setFocus()
    assert box.text() == str(pane.pages.page)


async def test_text_instead_of_pages_keeps_the_place(viewer: Open) -> None:
    document = pdf(n_pages=30)
    pane = viewer(document)
    pane.open_citation((document.citation("Clause 2."),), 0)
    await drawn(pane)
    pane.pages.go_to_page(20)
    pane.toolbar.text_button.click()
    await until(lambda: pane.text.isVisible() and pane.text.is_loaded and pane.text.page == 20)
    assert len(pane.text.extraSelections()) == 1  # the citation stays marked
    pane.toolbar.zoom_in.click()
    assert pane.text.zoom == pytest.approx(1.1)
    pane.text.setFocus()
    QTest.keyClick(pane.text, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert pane.text.zoom == 1.0
    assert not pane.toolbar.fit_width.isVisible()
    pane.toolbar.text_button.click()
    await until(lambda: pane.pages.isVisible() and pane.pages.page == 20)
    await drawn(pane)
    pane.open_citation((document.citation("Clause 2."),), 0)
    await until(lambda: pane.pages.page == 2)


async def test_opening_the_same_document_again_goes_to_the_page(viewer: Open, session: FakeSession) -> None:
    pane = viewer(pdf(n_pages=30))
    pane.open_document(1, 4)
    await drawn(pane)
    pane.open_document(1, 25)
    assert pane.pages.page == 25
    assert len(session.sent(GetDocument)) == 1
    await drawn(pane)


async def test_the_file_opens_in_its_own_program(viewer: Open, opener: FakeOpener) -> None:
    pane = viewer(pdf())
    pane.open_document(1)
    await drawn(pane)
    pane.toolbar.external_button.click()
    assert opener.opened == ["/home/user/Documents/Lease agreement.pdf"]
    assert not pane.banner.isVisible()
    opener.works = False
    pane.toolbar.external_button.click()
    assert "could not be opened" in pane.banner.text


async def test_selected_words_are_copied_as_stored(viewer: Open, session: FakeSession) -> None:
    document = pdf(n_pages=3)
    pane = viewer(document)
    pane.open_document(1)
    await drawn(pane)
    await until(lambda: pane.reader.words(1) is not None)
    place, scale = pane.pages.page_rect(1), pane.pages.scale

    def at(word: int, share: float) -> QPoint:
        box = document.boxes[1][word]
        return QPoint(
            round(place.left() + (box[2] + share * (box[4] - box[2])) * scale),
            round(place.top() + (box[3] + box[5]) / 2 * scale),
        )

    viewport = pane.pages.viewport()
    QTest.mousePress(viewport, Qt.MouseButton.LeftButton, pos=at(2, 0.0))
    QTest.mouseMove(viewport, at(14, 1.0))
    QTest.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=at(14, 1.0))
    chosen = pane.pages.selection.range
    assert chosen is not None
    words = document.text[chosen[0] : chosen[1]]
    assert words.startswith("Page 1 of the agreement")
    assert "\n" in words
    pane.pages.setFocus()
    QTest.keyClick(pane.pages, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: QGuiApplication.clipboard().text() == words)
    QTest.keyClick(pane.pages, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    pane.pages.copy()
    first = document.pages[0]
    await until(lambda: QGuiApplication.clipboard().text() == document.text[: first.char_end])
    session.reply(GetText, WorkerError("x", "The library is busy.", "Try again."))
    pane.pages.copy()
    await until(lambda: pane.banner.text == "The library is busy. Try again.")


async def test_a_failed_text_can_be_loaded_again(viewer: Open, session: FakeSession) -> None:
    document = plain(2, MARKDOWN)
    pane = viewer(document)
    session.reply(GetText, WorkerError("x", "The library is busy.", "Wait."))
    pane.open_document(2)
    await until(pane.banner.isVisible)
    assert pane.banner.text == "The library is busy. Wait."
    serve(session, [document])
    press(pane, "Try again")
    await until(lambda: pane.text.is_loaded)
    assert not pane.banner.isVisible()


async def test_both_themes_show_the_highlight_on_white_paper(viewer: Open, theme: Theme) -> None:
    document = pdf(n_pages=3)
    pane = viewer(document)
    pane.open_citation((document.citation(QUOTE),), 0)
    await drawn(pane)
    for setting in ("light", "dark"):
        theme.set_setting(setting)
        assert cited_pixels(pane).isValid()
        image = pane.pages.viewport().grab().toImage()
        page = pane.pages.page_rect(1)
        assert image.pixelColor(round(page.left()) + 10, max(5, round(page.top()) + 10)) == QColor("white")
    assert image.pixelColor(2, 300).lightness() < 60  # the surround is dark


async def test_a_narrow_pane_leaves_out_what_the_zoom_menu_has(viewer: Open) -> None:
    pane = viewer(pdf())
    pane.open_document(1)
    await drawn(pane)
    assert pane.toolbar.fit_width.isVisible()
    pane.resize(380, 600)
    await until(lambda: pane.minimumSizeHint().width() <= 330)
    assert not pane.toolbar.fit_width.isVisible()
    pane.resize(330, 600)
    assert pane.width() == 330
    await drawn(pane)


async def test_every_control_has_a_name_for_screen_readers(viewer: Open) -> None:
    document = pdf()
    pane = viewer(document)
    pane.open_citation((document.citation("Clause 1."),), 0)
    await drawn(pane)
    for control in [*pane.findChildren(QAbstractButton), *pane.findChildren(QLineEdit)]:
        named = control.accessibleName() or getattr(control, "text", str)()
        assert named or not control.isVisible(), control
    assert pane.pages.accessibleName()
