"""The window as a whole against a scripted host: what comes in, what opens, how it closes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.core.errors import AppError, NotFoundError, WorkerError
from app.protocol.chat import (
    AnswerDone,
    AnswerStarted,
    Ask,
    Conversation,
    ConversationChanged,
    ConversationEntry,
    ConversationList,
    CreateConversation,
    DeleteConversation,
    GetConversation,
    ListConversations,
    RestoreConversation,
    SaveDraft,
)
from app.protocol.documents import GetDocument
from app.protocol.library import (
    AddContent,
    AddPaths,
    AddResult,
    Collection,
    CollectionList,
    FileList,
    GetLibraryStatus,
    LibraryStatus,
    ListCollections,
    ListFiles,
)
from app.protocol.models import ListModels, ModelEntry, ModelList
from app.protocol.network import GetNetwork, NetworkStatus
from app.protocol.system import (
    Empty,
    GetHostStatus,
    GetSettings,
    HostStatus,
    Notice,
    SettingsBody,
    Shutdown,
    UpdateSettings,
    WorkerChanged,
)
from app.protocol.voice import ReadAloud, StopReading
from app.ui.dialogs import CloseChoice
from app.ui.elements.elided_label import ElidedLabel
from app.ui.main_window import MainWindow, WindowParts
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.tokens import DARK
from app.ui.window_state import WindowState, load_state, save_state
from tests.ui.chat.test_annotations import CITATION
from tests.ui.chat.test_messages import answer, question
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.voice.hosted import VoiceHost

ENTRY = ConversationEntry(id="c1", title="Warranty", created_at=1, updated_at=1)
CITED = answer(1, "Two years [1].", citations=(replace(CITATION, answer_end=14),))
IDLE = LibraryStatus(paused=False, waiting=0, eta_s=None, counts={}, n_documents=0, n_chunks=0, n_embedded=0)
MODEL = ModelEntry(name="smol", path="/models/smol.gguf", size_bytes=105_000_000, state="available")
NETWORK = NetworkStatus(
    offline=False,
    entries=(),
    n_entries=0,
    n_sent_bytes=0,
    n_received_bytes=0,
    has_token=False,
    token_place="",
    proxy="",
    endpoint="https://hub.example",
)
HOST = HostStatus(pid=1, version="0", data_dir="", busy=False, n_clients=1, workers=())


class FakeDialogs:
    """Answers without asking; remembers what it was asked."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.folder: list[str] = []
        self.images: list[str] = []
        self.name = ""
        self.link_is_fine = True
        self.close_choice = CloseChoice.STAY
        self.asked: list[Any] = []
        self.opened: list[str] = []

    async def choose_files(self) -> list[str]:
        return self.files

    async def choose_folder(self) -> list[str]:
        return self.folder

    async def choose_images(self) -> list[str]:
        return self.images

    async def name_text(self, suggested: str, text: str) -> str:
        self.asked.append((suggested, text))
        return self.name

    async def confirm_link(self, address: str) -> bool:
        self.asked.append(address)
        return self.link_is_fine

    async def ask_close(self, detail: str) -> CloseChoice:
        self.asked.append(detail)
        return self.close_choice

    async def show_text(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        self.asked.append((title, rows))

    def open_link(self, address: str) -> None:
        self.opened.append(address)


@pytest.fixture
def dialogs() -> FakeDialogs:
    return FakeDialogs()


@pytest.fixture
async def host(tmp_path: Path, qapp: QApplication) -> AsyncIterator[FakeSession]:
    session = FakeSession(tmp_path)
    for request_type, reply in {
        ListConversations: ConversationList(conversations=(ENTRY,)),
        GetConversation: Conversation(entry=ENTRY, messages=(question(1), CITED)),
        CreateConversation: ENTRY,
        DeleteConversation: Empty(),
        RestoreConversation: ENTRY,
        SaveDraft: Empty(),
        ListModels: ModelList(models=(MODEL,), default="smol"),
        GetNetwork: NETWORK,
        ListCollections: CollectionList(collections=(Collection(id=1, name="My documents"),)),
        GetLibraryStatus: IDLE,
        ListFiles: FileList(files=(), total=0),
        GetHostStatus: HOST,
        Shutdown: Empty(),
        AddPaths: AddResult(n_files=1),
        AddContent: AddResult(n_files=1),
        GetSettings: SettingsBody(values={"theme": "light"}),
        UpdateSettings: lambda request: SettingsBody(values=request.values),
        GetDocument: NotFoundError("document.not_found", "It is not in the library any more."),
    }.items():
        session.reply(request_type, reply)
    yield session
    session.deleteLater()


@pytest.fixture
async def window(
    host: FakeSession,
    tasks: TaskSpawner,
    notifier: Notifier,
    theme: Theme,
    dialogs: FakeDialogs,
    qtbot: QtBot,
) -> AsyncIterator[MainWindow]:
    window = MainWindow(WindowParts(host, tasks, notifier, theme, dialogs))
    window.resize(1280, 800)
    window.show()
    host.connect_now()
    await until(lambda: host.sent(ListModels) and host.sent(ListConversations))
    yield window
    await tasks.close()
    window._save_timer.stop()
    window._may_close = True
    window.close()
    window.deleteLater()
    await asyncio.sleep(0)


def visible_words(widget: QWidget) -> str:
    words = [
        label.full_text if isinstance(label, ElidedLabel) else label.text()
        for label in widget.findChildren(QLabel)
        if label.isVisible()
    ]
    return "\n".join([*words, *(b.text() for b in widget.findChildren(QPushButton) if b.isVisible())])


async def open_first(window: MainWindow) -> None:
    window.chats.open("c1")
    await until(lambda: window.chats.current.id == "c1")
    await until(lambda: window.chat_pane.messages.widget_at(1))


async def test_the_first_start_teaches(window: MainWindow) -> None:
    words = visible_words(window.chat_pane)
    assert "Ask your documents" in words
    assert "Drop files or folders anywhere on this window" in words
    assert "Try the sample" in words


async def test_every_control_has_a_name(window: MainWindow) -> None:
    await open_first(window)
    for button in window.findChildren(QAbstractButton):
        is_decoration = isinstance(button.parent(), QLineEdit)
        if button.isVisible() and not is_decoration and not button.objectName().startswith("qt_"):
            assert button.text() or button.accessibleName() or button.toolTip(), button


async def test_a_citation_opens_the_viewer_with_room_for_a_page(
    window: MainWindow, host: FakeSession
) -> None:
    await open_first(window)
    window.right_area.hide()
    before = window.panes.sizes()[2]
    window.chat_pane.messages.citation_activated.emit("a1", 0)
    assert window.right_area.isVisible()
    assert window.right_area.shows_document
    assert window.panes.sizes()[2] >= 460
    await until(lambda: host.sent(GetDocument))
    assert host.sent(GetDocument)[0].document_id == CITATION.document_id
    window.chat_pane.messages.citation_activated.emit("a1", 7)
    window.viewer_pane.close_document()
    assert not window.right_area.shows_document
    assert window.panes.sizes()[2] < 460 or before >= 460


async def test_the_users_own_width_is_kept(window: MainWindow) -> None:
    await open_first(window)
    window.right_area.open_document(3)
    window.panes.setSizes([240, 540, 500])
    window.panes.splitterMoved.emit(780, 2)
    kept = window.panes.sizes()[2]
    window.viewer_pane.close_document()
    assert window.panes.sizes()[2] == kept


async def test_a_link_opens_only_after_confirmation(window: MainWindow, dialogs: FakeDialogs) -> None:
    dialogs.link_is_fine = False
    window.chat_pane.link_activated.emit("https://example.org/x")
    await until(lambda: dialogs.asked)
    assert dialogs.opened == []
    dialogs.link_is_fine = True
    window.chat_pane.link_activated.emit("https://example.org/x")
    await until(lambda: dialogs.opened == ["https://example.org/x"])
    for refused in ("file:///etc/passwd", "javascript:1", "//host/share", "ms-msdt:x"):
        window.chat_pane.link_activated.emit(refused)
    await asyncio.sleep(0)
    assert dialogs.asked == ["https://example.org/x"] * 2


def drag(window: MainWindow, data: QMimeData, *, drop: bool) -> None:
    place, buttons, keys = QPoint(300, 300), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    actions = Qt.DropAction.CopyAction
    QApplication.sendEvent(window, QDragEnterEvent(place, actions, data, buttons, keys))
    QApplication.sendEvent(window, QDragMoveEvent(place, actions, data, buttons, keys))
    if drop:
        QApplication.sendEvent(window, QDropEvent(QPointF(place), actions, data, buttons, keys))


async def test_files_dropped_anywhere_are_added(
    window: MainWindow, host: FakeSession, tmp_path: Path
) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "é 中.pdf")), QUrl("https://example.org")])
    drag(window, data, drop=False)
    assert window.overlay.isVisible()
    assert window.overlay.title == "Drop to add this item to the library"
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert window.overlay.isHidden()
    window.right_area.hide()
    drag(window, data, drop=True)
    assert window.overlay.isHidden()
    await until(lambda: host.sent(AddPaths))
    assert host.sent(AddPaths)[0].paths == (str(tmp_path / "é 中.pdf"),)
    assert window.right_area.isVisible()
    await until(lambda: window.toasts.toasts)
    assert "no files on this computer" in window.toasts.toasts[0].words.text()


async def test_text_is_added_under_a_name(
    window: MainWindow, host: FakeSession, dialogs: FakeDialogs
) -> None:
    data = QMimeData()
    data.setText("Minutes of May\nAll agreed.")
    drag(window, data, drop=True)
    await until(lambda: dialogs.asked)
    assert dialogs.asked == [("Minutes of May", "Minutes of May\nAll agreed.")]
    assert not host.sent(AddContent)
    dialogs.name = "Minutes"
    QGuiApplication.clipboard().setText(data.text())
    window.conversation_pane.setFocus()
    window.setFocus()
    QTest.keyClick(window, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    await until(lambda: host.sent(AddContent))
    assert host.sent(AddContent)[0].name == "Minutes.txt"
    assert (
        host.payloads[-1] == b"Minutes of May\nAll agreed." or b"Minutes of May\nAll agreed." in host.payloads
    )
    await until(lambda: any("was added" in t.words.text() for t in window.toasts.toasts))


async def test_nothing_to_paste_is_said(window: MainWindow) -> None:
    QGuiApplication.clipboard().clear()
    window.intake.paste()
    await until(lambda: window.toasts.toasts)
    assert "no files and no text" in window.toasts.toasts[0].words.text()


async def test_a_web_address_cannot_be_added(window: MainWindow, host: FakeSession) -> None:
    data = QMimeData()
    data.setUrls([QUrl("https://example.org/a.pdf")])
    drag(window, data, drop=True)
    await until(lambda: window.toasts.toasts)
    assert "Save them on this computer first" in window.toasts.toasts[0].words.text()
    assert not host.sent(AddPaths)


async def test_dialogs_and_the_sample_add_files(
    window: MainWindow, host: FakeSession, dialogs: FakeDialogs
) -> None:
    dialogs.files, dialogs.folder = ["/a/b.pdf"], ["/a"]
    window.chat_pane.add_files_requested.emit()
    window.chat_pane.add_folder_requested.emit()
    await until(lambda: len(host.sent(AddPaths)) == 2)
    assert {request.paths for request in host.sent(AddPaths)} == {("/a/b.pdf",), ("/a",)}
    dialogs.files = []
    window.intake.choose_files()
    buttons = {b.text(): b for b in window.chat_pane.findChildren(QPushButton)}
    buttons["Try the sample"].click()
    await until(lambda: len(host.sent(AddPaths)) == 3)
    assert host.sent(AddPaths)[2].paths[0].endswith("welcome.md")
    chip = next(b for b in window.chat_pane.findChildren(QPushButton) if b.text().startswith("Which kinds"))
    host.script(
        Ask,
        [
            AnswerStarted(conversation=ENTRY, question=question(1), answer=CITED),
            AnswerDone(conversation_id="c1", answer=CITED, found=True),
        ],
    )
    chip.click()
    await until(lambda: host.sent(Ask))
    assert host.sent(Ask)[0].question == chip.text()
    await until(lambda: window.chats.current.live is None)


async def test_escape_stops_and_busy_shows_stop(window: MainWindow, host: FakeSession) -> None:
    gate = asyncio.Event()
    host.script(
        Ask,
        [
            AnswerStarted(conversation=ENTRY, question=question(1), answer=answer(1, "", state="streaming")),
            gate,
        ],
    )
    window.chat_pane.composer.set_text("How long?")
    QTest.keyClick(window.chat_pane.composer.edit, Qt.Key.Key_Return)
    assert window.chat_pane.composer.text() == ""
    await until(lambda: window.chats.current.id == "c1")
    names = [b.accessibleName() for b in window.chat_pane.composer.findChildren(QAbstractButton)]
    assert "Stop" in names
    QTest.keyClick(window.chat_pane.composer.edit, Qt.Key.Key_Escape)
    assert len(host.cancelled) == 1
    await until(lambda: window.chats.current.live is None)
    window.chat_pane.messages.general_requested.emit("a1")
    window.chat_pane.messages.retry_requested.emit("a1")
    assert window.chats.current.live is not None
    window.chat_pane.stop()
    await until(lambda: window.chats.current.live is None)


async def test_a_deleted_conversation_can_be_brought_back(window: MainWindow, host: FakeSession) -> None:
    await until(lambda: window.conversations.model.rowCount() == 1)
    window.conversation_pane.open_requested.emit("c1")
    await until(lambda: window.chats.current.id == "c1")
    window.conversation_pane.delete_requested.emit(ENTRY)
    await until(lambda: window.toasts.toasts)
    host.deliver(ConversationChanged(conversation=ENTRY, deleted=True))
    assert window.chats.current.id is None
    toast = window.toasts.toasts[0]
    assert toast.words.text() == "“Warranty” was deleted."
    toast.button.click()
    await until(lambda: host.sent(RestoreConversation))


async def test_the_draft_and_titles_follow_the_conversation(window: MainWindow, host: FakeSession) -> None:
    host.reply(GetConversation, Conversation(entry=ENTRY, messages=(), draft="half a question"))
    window.chats.open("c1")
    await until(lambda: window.chats.current.id == "c1")
    assert window.chat_pane.composer.text() == "half a question"
    assert "Warranty" in visible_words(window.chat_pane)
    host.deliver(ConversationChanged(conversation=replace(ENTRY, title="Guarantee")))
    assert "Guarantee" in visible_words(window.chat_pane)
    QTest.keyClicks(window.chat_pane.composer.edit, "!")
    assert window.chats.current.draft == "half a question!"
    window.new_conversation()
    assert window.chat_pane.composer.text() == ""
    await until(lambda: host.sent(SaveDraft))
    assert host.sent(SaveDraft)[0].text == "half a question!"


async def test_f6_walks_through_the_panes_and_back(window: MainWindow) -> None:
    await open_first(window)
    window.activateWindow()
    stops = (
        window.conversation_pane,
        window.chat_pane.messages,
        window.chat_pane.composer,
        window.right_area,
    )

    def where() -> int:
        focused = window.focusWidget()
        assert focused is not None
        return next(i for i, stop in enumerate(stops) if stop is focused or stop.isAncestorOf(focused))

    window.chat_pane.focus_composer()
    assert where() == 2
    for expected in (3, 0, 1, 2):
        await until(lambda: QApplication.focusWidget() is not None)
        window.panes.focus_next()
        assert where() == expected
    window.panes.focus_previous()
    assert where() == 1
    window.conversation_pane.hide()
    window.panes.focus_search()
    assert window.conversation_pane.isVisible()


async def test_the_menu_and_shortcuts(window: MainWindow, dialogs: FakeDialogs, theme: Theme) -> None:
    actions = {action.text(): action for action in window.actions()}
    assert actions["New conversation"].shortcut().toString() == "Ctrl+N"
    actions["Keyboard shortcuts"].trigger()
    await until(lambda: dialogs.asked)
    shown = dict(dialogs.asked)
    assert ("Ctrl+N", "New conversation") in shown["Keyboard shortcuts"]
    assert any(left == "Esc" for left, _ in shown["Keyboard shortcuts"])
    actions["About h2oGPT"].trigger()
    about = window.about.dialog
    assert about is not None
    await until(about.isVisible)
    about.reject()
    await until(lambda: window.about.dialog is None)
    menu = window.actions_.menu
    themes = next(a.menu() for a in menu.actions() if a.text() == "Theme")
    assert isinstance(themes, QMenu)
    next(a for a in themes.actions() if a.text() == "Dark").trigger()
    assert theme.palette is DARK
    window.chat_pane.menu_button.click()
    assert menu.isVisible()
    menu.close()
    for toggle, pane in (
        (window.chat_pane.left_button, window.conversation_pane),
        (window.chat_pane.right_button, window.right_area),
    ):
        toggle.click()
        assert pane.isHidden()
        toggle.click()
        assert pane.isVisible()


async def test_what_happens_behind_is_told(window: MainWindow, host: FakeSession, notifier: Notifier) -> None:
    host.lose("It ended. It is being started again.")
    assert window.banner.isVisible()
    assert window.banner.text == "It ended. It is being started again."
    host.connect_now()
    assert window.banner.isHidden()
    host.deliver(WorkerChanged(kind="inference", state="restarting", message="The model's process ended."))
    assert window.status_line.work_words == "The model's process ended."
    host.deliver(
        WorkerChanged(kind="inference", state="failed", message="It does not start.", hint="Restart.")
    )
    assert window.banner.text == "It does not start. Restart."
    host.deliver(WorkerChanged(kind="inference", state="ready"))
    assert window.banner.isHidden()
    host.deliver(Notice(severity="warning", code="x", message="Disk nearly full."))
    notifier.report(AppError("y", "That failed."))
    await until(lambda: any("That failed." in t.words.text() for t in window.toasts.toasts))
    assert any("Disk nearly full." in t.words.text() for t in window.toasts.toasts)


@pytest.mark.parametrize(
    ("status", "library", "choice", "asked", "closes", "stops"),
    [
        (HOST, IDLE, None, None, True, False),
        (replace(HOST, busy=True, n_clients=2), IDLE, None, None, True, False),
        (replace(HOST, busy=True), replace(IDLE, waiting=3), CloseChoice.STAY, "3", False, False),
        (replace(HOST, busy=True), replace(IDLE, waiting=3), CloseChoice.BACKGROUND, "3", True, False),
        (replace(HOST, busy=True), IDLE, CloseChoice.STOP, "answer", True, True),
        (WorkerError("host.lost", "Gone."), IDLE, None, None, True, False),
    ],
)
async def test_closing_asks_about_running_work(
    window: MainWindow,
    host: FakeSession,
    dialogs: FakeDialogs,
    status: Any,
    library: LibraryStatus,
    choice: CloseChoice | None,
    asked: str | None,
    closes: bool,
    stops: bool,
) -> None:
    host.reply(GetHostStatus, status)
    host.reply(GetLibraryStatus, library)
    if choice is not None:
        dialogs.close_choice = choice
    closed: list[int] = []
    window.closed.connect(lambda: closed.append(1))
    window.close()
    window.close()
    await until(lambda: closed if closes else dialogs.asked and not window.closing.is_asked)
    assert bool(closed) is closes
    assert window.isVisible() is not closes
    assert bool(host.sent(Shutdown)) is stops
    if asked is None:
        assert dialogs.asked == []
    else:
        assert asked in dialogs.asked[0]


async def test_without_a_host_it_closes_at_once(window: MainWindow, host: FakeSession) -> None:
    host.lose()
    closed: list[int] = []
    window.closed.connect(lambda: closed.append(1))
    window.close_now()
    await until(lambda: closed)


async def test_it_comes_back_as_it_was_left(
    host: FakeSession,
    tasks: TaskSpawner,
    notifier: Notifier,
    theme: Theme,
    dialogs: FakeDialogs,
    tmp_path: Path,
) -> None:
    save_state(
        host.paths, WindowState(left_width=210, right_width=400, left_visible=False, conversation_id="c1")
    )
    window = MainWindow(WindowParts(host, tasks, notifier, theme, dialogs))
    window.show()
    host.connect_now()
    await until(lambda: window.chats.current.id == "c1")
    assert window.conversation_pane.isHidden()
    window.panes.toggle_left()
    window.choose_theme("dark")
    window.resize(780, 600)
    closed: list[int] = []
    window.closed.connect(lambda: closed.append(1))
    window.close()
    await until(lambda: closed)
    state = load_state(host.paths)
    assert state.left_visible
    assert state.theme == "dark"
    assert state.conversation_id == "c1"
    again = MainWindow(WindowParts(host, tasks, notifier, theme, dialogs))
    assert again.size().toTuple() == (780, 600)
    await tasks.close()
    for each in (window, again):
        each._save_timer.stop()
        each.deleteLater()


async def test_sizes_are_stored_soon_after_a_change(window: MainWindow, host: FakeSession) -> None:
    window._save_timer.setInterval(1)
    window.resize(1100, 700)
    await until(lambda: load_state(host.paths).geometry)


async def test_a_typed_draft_is_not_replaced_by_the_last_conversation(
    host: FakeSession, tasks: TaskSpawner, notifier: Notifier, theme: Theme, dialogs: FakeDialogs
) -> None:
    save_state(host.paths, WindowState(conversation_id="c1"))
    window = MainWindow(WindowParts(host, tasks, notifier, theme, dialogs))
    window.chats.edit_draft("typed before the host was there")
    host.connect_now()
    await until(lambda: window.conversations.model.rowCount() == 1)
    assert window.chats.current.id is None
    await tasks.close()
    window._save_timer.stop()
    window.deleteLater()


async def test_what_an_answer_tells_is_not_told_twice(window: MainWindow, host: FakeSession) -> None:
    died = WorkerError("worker.died", "It ended while writing an answer.", "Try again.")
    notice = Notice(severity="warning", code="worker.died", message="It is started again.", hint="Try again.")
    gate = asyncio.Event()
    host.script(Ask, [gate, died])
    window.chats.ask("How long?")
    host.deliver(notice)
    assert len(window.toasts.toasts) == 1
    gate.set()
    await until(lambda: window.chats.current.live is None)
    assert not window.toasts.toasts
    host.deliver(notice)
    assert not window.toasts.toasts
    host.deliver(replace(notice, hint="Something else."))
    assert len(window.toasts.toasts) == 1


async def test_the_stored_theme_counts(window: MainWindow, host: FakeSession, theme: Theme) -> None:
    await until(lambda: host.sent(GetSettings))
    host.reply(GetSettings, SettingsBody(values={"theme": "dark"}))
    host.connect_now()
    await until(lambda: theme.palette is DARK)
    window.choose_theme("system")
    await until(lambda: host.sent(UpdateSettings))
    assert host.sent(UpdateSettings)[0].values == {"theme": "system"}


async def test_what_another_front_end_asked_appears(window: MainWindow, host: FakeSession) -> None:
    await open_first(window)
    before = window.chat_pane.messages.widget_at(1)
    newer = replace(ENTRY, updated_at=2)
    host.deliver(ConversationChanged(conversation=newer))
    await until(lambda: len(host.sent(GetConversation)) == 2)
    await asyncio.sleep(0.02)
    assert window.chat_pane.messages.widget_at(1) is before  # nothing changed, nothing is made anew
    more = (question(1), CITED, question(2, "And then?"))
    host.reply(GetConversation, Conversation(entry=newer, messages=more))
    host.deliver(ConversationChanged(conversation=replace(ENTRY, updated_at=3)))
    await until(lambda: window.chats.current.model.rowCount() == 3)


async def test_answers_are_read_aloud_by_key_and_esc_is_silent(window: MainWindow, host: FakeSession) -> None:
    voice = VoiceHost(host)
    await open_first(window)
    QTest.keyClick(
        window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    )
    await until(lambda: voice.told)
    assert host.sent(ReadAloud)[0].text == CITED.text
    assert window.reading.bar.isVisible()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    await until(lambda: host.sent(StopReading))
    assert not window.reading.bar.isVisible()


async def test_the_volume_of_reading_and_of_recordings_is_one(window: MainWindow, host: FakeSession) -> None:
    host.reply(GetSettings, SettingsBody(values={"voice_volume": 0.5, "read_answers": True}))
    host.connect_now()
    player = window.viewer_pane.recording.bar.volume_button
    await until(lambda: player.slider.value() == 50)
    assert window.reading.answers.is_wanted
    player.slider.setValue(20)
    assert window.reading.bar.volume_button.slider.value() == 20
