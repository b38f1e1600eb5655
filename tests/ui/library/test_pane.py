"""What a user sees and does in the library."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QPushButton

from app.core.errors import NotFoundError, WorkerError
from app.protocol.documents import DocumentInfo, GetDocument, GetText
from app.protocol.library import (
    AddPaths,
    CancelFiles,
    FileEntry,
    FilesRemoved,
    FileState,
    GetLibraryStatus,
    ListCollections,
    ListFiles,
    MoveFiles,
    PauseIngestion,
    RefreshFiles,
    RemoveFiles,
    RetryFiles,
)
from app.ui.library.collection_model import FilesDropped, PathsDropped
from app.ui.library.file_model import FileModel
from app.ui.library.pane import LibraryPane
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.library.conftest import Show, Shown, listed
from tests.ui.library.served import file

ALL_STATES = [
    file(number, f"{state.value}.pdf", state, reason="" if number < 5 else "A reason.", hint="A hint.")
    for number, state in enumerate(FileState, 1)
]
BUSY = WorkerError("library.down", "The library does not answer.", "Try again in a moment.")


def press(pane: LibraryPane, text: str) -> None:
    buttons = [b for b in pane.findChildren(QPushButton) if b.text() == text and b.isVisible()]
    assert len(buttons) == 1, (text, [b.text() for b in pane.findChildren(QPushButton)])
    buttons[0].click()


def trigger(menu: QMenu, text: str) -> None:
    found = [action for action in menu.actions() if action.text() == text]
    assert found, [action.text() for action in menu.actions()]
    assert found[0].isEnabled()
    found[0].trigger()
    menu.deleteLater()


def more_than(model: FileModel, n_rows: int) -> bool:
    return model.rowCount() > n_rows


async def test_every_state_is_shown_and_drawn_in_both_themes(library: Show, theme: Theme) -> None:
    shown: Shown = library(list(ALL_STATES))
    await listed(shown)
    assert shown.names() == sorted(entry.name for entry in ALL_STATES)
    light = shown.pane.files.grab().toImage()
    shown.choose(0)
    theme.set_setting("dark")
    dark = shown.pane.files.grab().toImage()
    assert light != dark
    shown.pane.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    assert shown.pane.files.grab().toImage() != dark


async def test_an_empty_library_teaches_and_its_buttons_add(library: Show, session: FakeSession) -> None:
    shown: Shown = library([])
    await until(lambda: shown.pane.card.title == "Drop files or folders here")
    assert "PDF, Word, PowerPoint" in shown.pane.card._note.text()
    shown.answers.paths = ["/home/user/a b é.pdf"]
    press(shown.pane, "Add files …")
    await until(lambda: shown.names() == ["a b é.pdf"])
    assert shown.pane.files.isVisible()
    shown.answers.paths = ["/home/user/folder"]
    shown.pane.add_folder_button.click()
    await until(lambda: len(session.sent(AddPaths)) == 2)
    shown.pane.add_files_button.click()
    await until(lambda: shown.answers.asked == ["files", "folder", "files"])
    shown.answers.paths = []  # the dialog was left without choosing
    shown.pane.add_files_button.click()
    await until(lambda: len(shown.answers.asked) == 4)
    assert len(session.sent(AddPaths)) == 3


async def test_dropped_paths_go_to_the_collection_shown(library: Show, session: FakeSession) -> None:
    shown: Shown = library([file(1)], ("Research",))
    await listed(shown)
    shown.pane.add_paths(["/x/a.pdf"])
    await until(lambda: len(session.sent(AddPaths)) == 1)
    shown.pane.collections.choose(2)
    await until(lambda: shown.pane.card.title == "This collection is empty")
    shown.pane.add_paths(["/x/b.pdf"])
    await until(lambda: shown.names() == ["b.pdf"])
    assert [request.collection for request in session.sent(AddPaths)] == ["", "Research"]


async def test_files_are_found_by_name_and_state(library: Show) -> None:
    shown: Shown = library(list(ALL_STATES))
    await listed(shown)
    QTest.keyClicks(shown.pane.filter_bar.field, "EM")
    await until(lambda: shown.names() == ["embedding.pdf", "empty.pdf"])
    states = shown.pane.filter_bar.states
    states.setCurrentIndex(states.findText("No text in it (1)"))
    await until(lambda: shown.names() == ["empty.pdf"])
    QTest.keyClicks(shown.pane.filter_bar.field, "xyz")
    await until(lambda: shown.pane.card.title == "Nothing found")
    press(shown.pane, "Show all files")
    await until(lambda: len(shown.names()) == len(ALL_STATES))


async def test_details_tell_reason_and_hint_and_act(library: Show, session: FakeSession) -> None:
    broken = file(
        1, "a.docx", FileState.FAILED, reason="It is damaged.", hint="Save it again.", document_id=None
    )
    shown: Shown = library([broken, file(2, "b.pdf", FileState.READING, progress=0.2), file(3, "c.pdf")])
    await listed(shown)
    details = shown.pane.details
    assert not details.isVisible()
    shown.choose(0)
    assert details.isVisible()
    assert (details.title, details.state.text()) == ("a.docx", "Could not be read")
    assert details.reason.text() == "It is damaged. Save it again."
    assert not details.open_button.isVisible()
    press(shown.pane, "Read again")
    await until(lambda: [r.location_ids for r in session.sent(RetryFiles)] == [(1,)])
    shown.choose(1)
    assert not details.reason.isVisible()
    press(shown.pane, "Stop reading")
    await until(lambda: [r.location_ids for r in session.sent(CancelFiles)] == [(2,)])
    shown.host.change(file(2, "b.pdf", FileState.READY))
    await until(lambda: details.state.text() == "Ready")
    press(shown.pane, "Show in folder")
    assert shown.opener.shown == ["/home/user/Documents/b.pdf"]
    shown.opener.works = False
    press(shown.pane, "Show in folder")
    assert "could not be shown" in shown.pane.banner.text
    shown.choose(0, 2)
    assert details.title == "2 files chosen"
    assert not details.state.isVisible()
    shown.pane.files.clearSelection()
    assert not details.isVisible()


async def test_the_details_of_a_recording_tell_its_length_and_its_doubts(
    library: Show, session: FakeSession
) -> None:
    note = "This does not sound like English, the only language that the speech model knows."
    talk = file(1, "talk.mp3", state=FileState.PARTIAL, reason=note, hint="Get a multilingual model.")
    shown: Shown = library([talk, file(2, "lost.mp3"), file(3, "notes.pdf")])
    session.reply(GetDocument, _recording_info)
    await listed(shown)
    details = shown.pane.details
    shown.choose(2)
    await until(lambda: details.extent.text().startswith("12:34 · "))
    assert note in details.reason.text() and "multilingual" in details.reason.text()
    shown.choose(0)
    await until(lambda: len(session.sent(GetDocument)) == 2)
    assert ":" not in details.extent.text()
    shown.choose(1)
    assert len(session.sent(GetDocument)) == 2  # only recordings have a length
    shown.choose(2)
    await until(lambda: details.extent.text().startswith("12:34 · "))


def _recording_info(request: GetDocument) -> DocumentInfo | NotFoundError:
    if request.document_id != 1:
        return NotFoundError("document.not_found", "It is gone.")
    return DocumentInfo(
        document_id=1,
        path="/home/user/talk.mp3",
        name="talk.mp3",
        title="",
        format="mp3",
        n_chars=10,
        pages=(),
        outline=(),
        source="unchanged",
        renderable=False,
        sound_seconds=754.2,
    )


async def test_the_text_of_a_file_is_previewed(library: Show, session: FakeSession) -> None:
    shown: Shown = library([file(1, "a.pdf"), file(2, "b.pdf")])
    await listed(shown)
    details = shown.pane.details
    shown.choose(0)
    press(shown.pane, "Show text")
    await until(lambda: details.preview.toPlainText().startswith("Text of document 1."))
    press(shown.pane, "Hide text")
    assert not details.preview.isVisible()
    session.reply(GetText, BUSY)
    press(shown.pane, "Show text")
    await until(
        lambda: details.preview.toPlainText() == "The library does not answer. Try again in a moment."
    )
    shown.choose(1)
    assert not details.preview.isVisible()
    session.reply(GetText, lambda r: shown.host.text(replace(r, char_start=9000)))
    press(shown.pane, "Show text")
    await until(lambda: details.preview.toPlainText() == "No text was found in this file.")


async def test_files_open_by_double_click_enter_and_menu(library: Show) -> None:
    waiting = file(2, "b.pdf", FileState.QUEUED, document_id=None)
    failed = file(3, "c.pdf", FileState.FAILED, document_id=None, reason="It is damaged.", hint="Save it.")
    shown: Shown = library([file(1, "a.pdf"), waiting, failed])
    await listed(shown)
    opened: list[int] = []
    shown.pane.open_document_requested.connect(opened.append)
    view = shown.pane.files
    spot = view.visualRect(shown.pane.controller.files.index(0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    assert opened == [1]
    QTest.keyClick(view, Qt.Key.Key_Return)
    trigger(shown.pane.file_actions.menu(), "Open")
    assert opened == [1, 1, 1]
    shown.choose(1)
    QTest.keyClick(view, Qt.Key.Key_Enter)
    assert shown.pane.banner.text == "“b.pdf” has no text to show yet: it has not been read."
    shown.choose(2)
    QTest.keyClick(view, Qt.Key.Key_Enter)
    assert "It is damaged. Save it." in shown.pane.banner.text
    assert opened == [1, 1, 1]


async def test_removing_says_that_the_disk_is_untouched_and_can_be_undone(
    library: Show, session: FakeSession
) -> None:
    shown: Shown = library(
        [file(1, "a.pdf"), file(2, "b.pdf", collection=2), file(3, "c.pdf")], ("Research",)
    )
    await listed(shown)
    shown.choose(0)
    QTest.keyClick(shown.pane.files, Qt.Key.Key_Delete)
    await until(shown.pane.banner.isVisible)
    assert (
        shown.pane.banner.text == "“a.pdf” was removed from the library. The file itself stays on the disk."
    )
    assert shown.names() == ["b.pdf", "c.pdf"]
    assert shown.answers.asked == []
    shown.choose(0, 1)
    trigger(shown.pane.file_actions.menu(), "Remove from the library")
    await until(lambda: shown.pane.card.title == "Drop files or folders here")
    assert shown.pane.banner.text.startswith("2 files were removed")
    press(shown.pane, "Undo")
    await until(lambda: shown.names() == ["b.pdf", "c.pdf"])
    added = [(request.collection, request.paths) for request in session.sent(AddPaths)]
    assert added == [
        ("Research", ("/home/user/Documents/b.pdf",)),
        ("My documents", ("/home/user/Documents/c.pdf",)),
    ]
    assert not shown.pane.banner.isVisible()
    QTest.keyClick(shown.pane.files, Qt.Key.Key_Delete)  # nothing is chosen
    assert len(session.sent(RemoveFiles)) == 2


async def test_pasted_content_is_removed_only_after_a_question(library: Show, session: FakeSession) -> None:
    pasted = file(1, "note.txt", path="/data/files/abcdef")
    shown: Shown = library([pasted])
    await listed(shown)
    shown.choose(0)
    shown.answers.agrees = False
    shown.pane.files.remove_requested.emit()
    await until(lambda: shown.answers.asked)
    assert "exists in the library only" in shown.answers.asked[0]
    shown.answers.agrees = True
    shown.pane.files.remove_requested.emit()
    await until(lambda: session.sent(RemoveFiles))
    await until(shown.pane.banner.isVisible)
    assert shown.pane.banner.buttons == []  # nothing to undo with


async def test_a_menu_fits_what_is_chosen(library: Show, session: FakeSession) -> None:
    shown: Shown = library(
        [file(1, "a.pdf"), file(2, "b.pdf", FileState.QUEUED, document_id=None)], ("Research",)
    )
    await listed(shown)
    shown.choose(1)
    menu = shown.pane.file_actions.menu()
    state = {action.text(): action.isEnabled() for action in menu.actions() if action.text()}
    assert state == {
        "Open": False,
        "Show in folder": True,
        "Copy path": True,
        "Read again": False,
        "Stop reading": True,
        "Move to": True,
        "Remove from the library": True,
    }
    trigger(menu, "Copy path")
    assert QGuiApplication.clipboard().text() == "/home/user/Documents/b.pdf"
    shown.choose(0, 1)
    menu = shown.pane.file_actions.menu()
    assert "Open" not in [action.text() for action in menu.actions()]
    targets = next(action.menu() for action in menu.actions() if action.text() == "Move to")
    assert isinstance(targets, QMenu)
    assert [action.text() for action in targets.actions()] == ["Research"]
    targets.actions()[0].trigger()
    menu.deleteLater()
    await until(lambda: [r.location_ids for r in session.sent(MoveFiles)] == [(1, 2)])
    assert session.sent(MoveFiles)[0].collection_id == 2


async def test_files_are_dragged_to_a_collection_and_dropped_from_outside(
    library: Show, session: FakeSession
) -> None:
    shown: Shown = library([file(1, "a.pdf")], ("Research",))
    await listed(shown)
    model = shown.pane.controller.collections
    research = model.by_id(2)
    assert research is not None
    model.files_dropped.emit(FilesDropped((1,), research))
    await until(lambda: session.sent(MoveFiles))
    shown.pane.collections.choose(1)
    await until(lambda: shown.names() == [])
    model.paths_dropped.emit(PathsDropped(("/x/c.pdf",), research))
    await until(lambda: session.sent(AddPaths))
    assert session.sent(AddPaths)[0].collection == "Research"


async def test_collections_are_created_renamed_and_deleted_with_undo(
    library: Show, session: FakeSession
) -> None:
    shown: Shown = library([file(1, "a.pdf"), file(2, "b.pdf", collection=2)], ("Research",))
    await listed(shown)
    pane, rows = shown.pane, shown.pane.controller.collections
    shown.answers.names = ["Research", "Letters"]
    pane.collections.add_button.click()
    await until(lambda: pane.collections.current() is not None)
    current = pane.collections.current()
    assert current is not None
    assert current.name == "Letters"  # the new one is chosen
    assert shown.answers.problems == ["“Research” exists. Choose another name."]
    pane.collections.choose(2)
    shown.answers.names = ["Letters", "Science"]
    QTest.keyClick(pane.collections.list, Qt.Key.Key_F2)
    await until(lambda: [c.name for c in rows.collections] == ["My documents", "Science", "Letters"])
    await until(lambda: shown.names() == ["b.pdf"])
    shown.answers.agrees = False
    QTest.keyClick(pane.collections.list, Qt.Key.Key_Delete)
    await until(lambda: "Delete the collection “Science”?" in shown.answers.asked[-1])
    assert "1 file leaves the library. Nothing is deleted from the disk" in shown.answers.asked[-1]
    shown.answers.agrees = True
    QTest.keyClick(pane.collections.list, Qt.Key.Key_Delete)
    await until(lambda: len(rows.collections) == 2)
    await until(pane.banner.isVisible)
    assert pane.collections.current() is None  # all files
    press(pane, "Undo")
    await until(lambda: "Science" in [c.name for c in rows.collections])
    await until(lambda: shown.names() == ["a.pdf", "b.pdf"])


async def test_the_default_collection_is_emptied_instead(library: Show) -> None:
    shown: Shown = library([file(1, "a.pdf"), file(2, "b.pdf")])
    await listed(shown)
    shown.pane.collections.choose(1)
    QTest.keyClick(shown.pane.collections.list, Qt.Key.Key_Delete)
    await until(lambda: shown.answers.asked)
    assert shown.answers.asked[0].startswith("Remove all files of “My documents”? 2 files leave")
    await until(lambda: shown.names() == [])
    shown.pane.collections.choose(None)
    QTest.keyClick(shown.pane.collections.list, Qt.Key.Key_F2)
    QTest.keyClick(shown.pane.collections.list, Qt.Key.Key_Delete)
    QTest.keyClick(shown.pane.collections.list, Qt.Key.Key_Up)
    assert len(shown.answers.asked) == 1  # "All files" is no collection


async def test_menus_of_collections(library: Show) -> None:
    shown: Shown = library([], ("Research",))
    await until(lambda: shown.pane.controller.collections.rowCount() == 3)
    texts = []
    for chosen in (None, 1, 2):
        shown.pane.collections.choose(chosen)
        menu = shown.pane.collections.menu()
        texts.append([action.text() for action in menu.actions()])
        menu.deleteLater()
    assert texts == [
        ["New collection …"],
        ["New collection …", "Rename …", "Remove all its files …"],
        ["New collection …", "Rename …", "Delete …"],
    ]


async def test_progress_pause_and_resume(library: Show, session: FakeSession) -> None:
    shown: Shown = library([file(1)])
    await listed(shown)
    bar = shown.pane.ingestion
    assert not bar.isVisible()
    shown.host.waiting = 10
    session.deliver(replace(shown.host.status(), eta_s=250.0))
    assert bar.words.full_text == "Reading; 10 files to go, about 4 minutes"
    shown.host.waiting = 4
    session.deliver(shown.host.status())
    assert (bar.bar.value(), bar.bar.maximum()) == (6, 10)
    bar.button.click()
    await until(lambda: bar.words.full_text == "Reading is paused; 4 files to go")
    trigger(shown.pane.more_menu(), "Resume reading")
    await until(lambda: bar.words.full_text == "Reading; 4 files to go")
    trigger(shown.pane.more_menu(), "Pause reading")
    await until(lambda: session.sent(PauseIngestion)[-1].paused)
    shown.host.waiting = 0
    session.deliver(shown.host.status())
    assert bar.words.full_text == "Reading is paused"
    assert not bar.bar.isVisible()
    bar.button.click()
    await until(lambda: not bar.isVisible())
    shown.host.waiting = 1
    session.deliver(shown.host.status())
    assert bar.words.full_text == "Reading; 1 file to go"
    trigger(shown.pane.more_menu(), "Look for changed files")
    await until(lambda: session.sent(RefreshFiles))


async def test_errors_stand_in_place_with_a_next_step(library: Show, session: FakeSession) -> None:
    shown: Shown = library([file(1, "a.pdf")])
    session.reply(ListFiles, BUSY)
    await until(lambda: shown.pane.card.title == "The library cannot be shown")
    assert shown.pane.card.text == "The library does not answer. Try again in a moment."
    session.reply(ListFiles, shown.host.list_files)
    press(shown.pane, "Try again")
    await until(lambda: shown.names() == ["a.pdf"])
    session.reply(ListFiles, BUSY)
    session.connect_now()
    await until(shown.pane.banner.isVisible)  # the files stay in sight
    assert shown.names() == ["a.pdf"]
    session.reply(RetryFiles, WorkerError("x", "Not now.", ""))
    session.reply(RemoveFiles, WorkerError("x", "No.", ""))
    shown.choose(0)
    press(shown.pane, "Read again")
    await until(lambda: shown.pane.banner.text == "Not now.")
    shown.pane.files.remove_requested.emit()
    await until(lambda: shown.pane.banner.text == "No.")


async def test_failing_lists_of_collections_and_status_are_told(library: Show, session: FakeSession) -> None:
    shown: Shown = library([file(1, "a.pdf")], ("Research",))
    await listed(shown)
    session.reply(ListCollections, BUSY)
    session.reply(GetLibraryStatus, BUSY)
    session.connect_now()
    await until(shown.pane.banner.isVisible)
    shown.pane.collections.choose(2)
    session.reply(ListFiles, BUSY)
    shown.pane.controller.delete_collection(shown.pane.controller.collections.collections[1])
    await until(lambda: "does not answer" in shown.pane.banner.text)


async def test_ten_thousand_files_are_loaded_by_pages(library: Show, session: FakeSession) -> None:
    shown: Shown = library([file(number) for number in range(1, 10_001)])
    await listed(shown)
    assert shown.pane.controller.files.rowCount() == 10_000
    assert len(session.sent(ListFiles)) >= 20
    shown.pane.files.scrollToBottom()
    shown.choose(9_999)
    assert shown.pane.details.title == "file 10000.pdf"


async def test_more_than_is_loaded_ahead_comes_by_scrolling(
    library: Show, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ui.library.controller._LOADED_AHEAD", 1000)
    shown: Shown = library([file(number) for number in range(1, 3001)])
    model = shown.pane.controller.files
    await until(lambda: model.rowCount() >= 1000)
    assert not model.is_complete
    while not model.is_complete:
        before = model.rowCount()
        shown.pane.files.scrollToBottom()
        await until(partial(more_than, model, before))
    assert model.rowCount() == 3000


async def test_a_flood_of_events_is_applied_in_portions(library: Show, session: FakeSession) -> None:
    shown: Shown = library([])
    await until(lambda: shown.pane.card.title == "Drop files or folders here")
    for number in range(1, 1201):
        shown.host.change(file(number, state=FileState.QUEUED))
    for number in range(1, 1201):
        shown.host.change(file(number))
    assert shown.names() == []  # nothing is done event by event
    await until(lambda: len(shown.names()) == 1200)
    assert all(entry.state is FileState.READY for entry in shown.pane.controller.files.files)


async def test_a_removed_file_does_not_come_back_by_a_late_event(library: Show) -> None:
    shown: Shown = library([file(1, "a.pdf"), file(2, "b.pdf")])
    await listed(shown)
    shown.host.change(file(1, "a.pdf", FileState.READING))
    shown.pane.controller._on_files_removed(FilesRemoved(location_ids=(1,)))
    await asyncio.sleep(0.15)
    assert shown.names() == ["b.pdf"]


async def test_an_older_list_does_not_replace_a_newer_one(library: Show, session: FakeSession) -> None:
    shown: Shown = library([file(1, "a.pdf"), file(2, "b.pdf", collection=2)], ("Research",))
    await listed(shown)
    gate = asyncio.Event()

    async def late(request: ListFiles) -> object:
        if request.collection_id == 2:
            await gate.wait()
            return BUSY
        return shown.host.list_files(request)

    session.reply(ListFiles, late)
    shown.pane.collections.choose(2)
    await until(lambda: any(r.collection_id == 2 for r in session.sent(ListFiles)))
    shown.pane.collections.choose(1)
    await until(lambda: shown.names() == ["a.pdf"])
    gate.set()
    await asyncio.sleep(0.05)
    assert not shown.pane.banner.isVisible()
    assert shown.names() == ["a.pdf"]


async def test_a_wide_pane_puts_collections_beside_the_files(library: Show) -> None:
    shown: Shown = library([file(1)])
    await listed(shown)
    splitter = shown.pane._splitter
    assert splitter.orientation() == Qt.Orientation.Vertical
    shown.pane.resize(900, 600)
    await until(lambda: splitter.orientation() == Qt.Orientation.Horizontal)
    splitter.moveSplitter(300, 1)
    sizes = splitter.sizes()
    shown.host.tell_collections()
    assert splitter.sizes() == sizes  # the user's choice stays
    shown.pane.resize(400, 600)
    await until(lambda: splitter.orientation() == Qt.Orientation.Vertical)


async def test_a_menu_is_wanted_by_mouse_and_by_key(library: Show) -> None:
    shown: Shown = library([file(1), file(2)])
    await listed(shown)
    view = shown.pane.files
    places: list[QPoint] = []
    view.menu_requested.disconnect()
    view.menu_requested.connect(places.append)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, QPoint(5, 5), QPoint(55, 66))
    QApplication.sendEvent(view.viewport(), event)
    assert places == []  # nothing is chosen
    shown.choose(1)
    QApplication.sendEvent(view.viewport(), event)
    keyboard = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(0, 0), QPoint(0, 0))
    QApplication.sendEvent(view.viewport(), keyboard)
    assert places[0] == QPoint(55, 66)
    row = view.visualRect(shown.pane.controller.files.index(1))
    assert row.contains(view.viewport().mapFromGlobal(QPointF(places[1])).toPoint())


async def test_home_and_end_go_to_the_first_and_the_last_file(library: Show) -> None:
    shown: Shown = library([file(number) for number in range(1, 50)])
    await listed(shown)
    QTest.keyClick(shown.pane.files, Qt.Key.Key_End)
    assert [entry.location_id for entry in shown.pane.files.chosen()] == [49]
    QTest.keyClick(shown.pane.files, Qt.Key.Key_Home)
    QTest.keyClick(shown.pane.files, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert [entry.location_id for entry in shown.pane.files.chosen()] == [1, 2]
    QTest.keyClick(shown.pane.files, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert shown.pane.details.title == "49 files chosen"


async def test_dragging_files_gives_their_ids(library: Show) -> None:
    shown: Shown = library([file(1), file(2)])
    await listed(shown)
    shown.choose(0, 1)
    chosen: list[FileEntry] = shown.pane.files.chosen()
    assert [entry.location_id for entry in chosen] == [1, 2]
    assert not QPixmap(shown.pane.grab()).isNull()
