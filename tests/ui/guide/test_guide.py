"""The guide: when it shows, what it says, and that the keyboard suffices."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.core.errors import WorkerError
from app.protocol.hardware import Cpu, Engine, GetHardware, Gpu, Hardware, Memory
from app.protocol.library import AddPaths
from app.protocol.models import ListModels
from app.protocol.system import GetSettings, SettingsBody, UpdateSettings
from app.ui.guide.dialog import GuideDialog
from app.ui.guide.words import cores, graphics, hardware_rows
from app.ui.main_window import MainWindow, WindowParts
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.test_main_window import FakeDialogs, dialogs, host, open_first

__all__ = ["dialogs", "host"]  # fixtures

_GIB = 1024**3
COMPUTER = Hardware(
    cpu=Cpu(name="Chip 9", physical_cores=4, logical_cores=8, features=("avx2", "fma")),
    memory=Memory(total_bytes=16 * _GIB, available_bytes=9 * _GIB + _GIB // 2),
    gpus=(),
    gpu_note="No driver answered.",
    engine=Engine(backends=("CPU",)),
    disk_free_bytes=100 * _GIB,
    disk_total_bytes=512 * _GIB,
)
GPU = Gpu(
    name="Vulkan0",
    description="Card 7",
    memory_total_bytes=8 * _GIB,
    memory_free_bytes=7 * _GIB,
    backend="Vulkan",
)


@pytest.fixture
async def window(
    host: FakeSession,
    tasks: TaskSpawner,
    notifier: Notifier,
    theme: Theme,
    dialogs: FakeDialogs,
    qtbot: QtBot,
) -> AsyncIterator[MainWindow]:
    """A window at its first start; the host is not attached yet."""
    host.reply(GetSettings, SettingsBody(values={"theme": "light", "guide_seen": False}))
    host.reply(GetHardware, COMPUTER)
    window = MainWindow(WindowParts(host, tasks, notifier, theme, dialogs))
    window.resize(1280, 800)
    window.show()
    yield window
    await tasks.close()
    window._save_timer.stop()
    window._may_close = True
    window.close()
    window.deleteLater()
    await asyncio.sleep(0)


async def first_start(window: MainWindow, host: FakeSession) -> GuideDialog:
    host.connect_now()
    await until(lambda: window.guide.dialog)
    return guide(window)


def guide(window: MainWindow) -> GuideDialog:
    assert window.guide.dialog is not None
    return window.guide.dialog


def visible_words(widget: QWidget) -> str:
    parts = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    parts += [field.text() for field in widget.findChildren(QLineEdit) if field.isVisible()]
    parts += [button.text() for button in widget.findChildren(QPushButton) if button.isVisible()]
    return "\n".join(parts)


def press(widget: QWidget, key: Qt.Key) -> None:
    QTest.keyClick(widget, key)


def stored(host: FakeSession) -> list[dict[str, Any]]:
    return [request.values for request in host.sent(UpdateSettings)]


async def test_it_shows_at_the_first_start_and_is_read_with_enter(
    window: MainWindow,
    host: FakeSession,
) -> None:
    assert window.guide.dialog is None  # not before the settings were read
    dialog = await first_start(window, host)
    assert dialog.isVisible() and not dialog.isModal()
    expected = ("Ask your own documents", "Your data stays here", "This computer", "Try it")
    for number, title in enumerate(expected):
        told = visible_words(dialog)
        assert title in told and f"{number + 1} of 4" in told
        assert dialog.pages[number].accessibleName() == title
        assert dialog.focusWidget() is dialog.next_button
        assert ("Finish" in told) is (number == 3)
        press(dialog.next_button, Qt.Key.Key_Return)
    assert window.guide.dialog is None
    await until(lambda: stored(host) == [{"guide_seen": True}])
    host.connect_now()
    await until(lambda: len(host.sent(GetSettings)) == 2)
    await asyncio.sleep(0.01)
    assert window.guide.dialog is None  # although these settings still say that it was not seen


async def test_escape_skips_it_for_good(window: MainWindow, host: FakeSession) -> None:
    dialog = await first_start(window, host)
    press(dialog.next_button, Qt.Key.Key_Escape)
    assert window.guide.dialog is None
    await until(lambda: stored(host) == [{"guide_seen": True}])
    assert not host.sent(GetHardware)  # nothing is looked at for somebody who skips


@pytest.mark.parametrize("values", [{"guide_seen": True}, {"theme": "light"}])
async def test_it_does_not_show_where_it_was_seen(
    window: MainWindow,
    host: FakeSession,
    values: dict[str, Any],
) -> None:
    host.reply(GetSettings, SettingsBody(values=values))
    host.connect_now()
    await until(lambda: host.sent(GetSettings) and host.sent(ListModels))
    await asyncio.sleep(0.02)
    assert window.guide.dialog is None
    action = next(action for action in window.actions() if action.text() == "Show the guide")
    action.trigger()
    first = guide(window)
    action.trigger()
    assert guide(window) is first
    first.skip_button.click()
    assert window.guide.dialog is None


async def test_back_and_the_buttons_along_the_way(window: MainWindow, host: FakeSession) -> None:
    dialog = await first_start(window, host)
    assert not dialog.back_button.isEnabled()
    dialog.show_page(3)
    assert not dialog.skip_button.isVisible()
    dialog.back_button.click()
    dialog.back_button.click()
    assert dialog.page == 1 and dialog.skip_button.isVisible()
    for button in dialog.findChildren(QPushButton):
        assert button.text()
    chain: list[QWidget] = []
    widget: QWidget | None = dialog.privacy.path
    while widget is not None and widget not in chain:
        chain.append(widget)
        widget = widget.nextInFocusChain()
    wanted = [
        dialog.privacy.path,
        dialog.privacy.open_button,
        dialog.skip_button,
        dialog.back_button,
        dialog.next_button,
    ]
    assert [each for each in chain if each in wanted] == wanted


async def test_the_data_folder_is_named_and_opened(
    window: MainWindow,
    host: FakeSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[QUrl] = []

    def open_url(url: QUrl) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    dialog = await first_start(window, host)
    dialog.show_page(1)
    told = visible_words(dialog)
    assert dialog.privacy.path.text() == str(tmp_path) and dialog.privacy.path.isReadOnly()
    for promise in ("No account, no telemetry", "No connection unless you start one"):
        assert promise in told
    dialog.privacy.open_button.click()
    assert [url.toLocalFile() for url in opened] == [str(tmp_path)]
    assert not dialog.privacy.problem.isVisible()
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: False)
    dialog.privacy.open_button.click()
    assert "could not be opened" in visible_words(dialog)


async def test_the_computer_is_looked_at_and_told(window: MainWindow, host: FakeSession) -> None:
    gate = asyncio.Event()

    async def answer(_request: GetHardware) -> Hardware:
        await gate.wait()
        return COMPUTER

    host.reply(GetHardware, answer)
    dialog = await first_start(window, host)
    dialog.show_page(2)
    assert "Looking at this computer…" in visible_words(dialog) and dialog.computer.told == ""
    gate.set()
    await until(lambda: "Chip 9" in visible_words(dialog))
    told = visible_words(dialog)
    assert "Looking" not in told
    for fact in (
        "4 cores, 8 threads (AVX2)",
        "16 GB, 9.5 GB free",
        "No usable GPU was found; answers are computed on the processor.\nNo driver answered.",
        "550 GB, 107 GB free",
    ):
        assert fact in told
    dialog.show_page(1)
    dialog.show_page(2)
    assert len(host.sent(GetHardware)) == 1
    dialog.computer.show_hardware(replace(COMPUTER, gpus=(GPU,)))
    await until(lambda: "Card 7 (Vulkan): 8.0 GB, 7.0 GB free" in visible_words(dialog))
    assert "No usable GPU" not in visible_words(dialog)
    assert dialog.computer.told.startswith("Chip 9\n4 cores")


async def test_a_failed_look_is_told_and_repeated(window: MainWindow, host: FakeSession) -> None:
    host.reply(GetHardware, WorkerError("host.lost", "The service ended.", "Try again."))
    dialog = await first_start(window, host)
    dialog.show_page(2)
    await until(lambda: "The service ended. Try again." in visible_words(dialog))
    host.reply(GetHardware, COMPUTER)
    dialog.computer.retry_button.click()
    assert "Looking" in visible_words(dialog)
    await until(lambda: "Chip 9" in visible_words(dialog))


@pytest.mark.parametrize("answer", [COMPUTER, WorkerError("host.lost", "The service ended.")])
async def test_what_comes_after_closing_is_dropped(
    window: MainWindow,
    host: FakeSession,
    answer: Any,
) -> None:
    gate = asyncio.Event()

    async def slow(_request: GetHardware) -> Any:
        await gate.wait()
        return answer

    host.reply(GetHardware, slow)
    dialog = await first_start(window, host)
    dialog.show_page(1)
    dialog.reject()
    gate.set()
    await asyncio.sleep(0.01)
    assert window.guide.dialog is None


async def test_the_sample_is_added_with_a_question(window: MainWindow, host: FakeSession) -> None:
    dialog = await first_start(window, host)
    dialog.show_page(3)
    dialog.try_it.sample_button.click()
    assert window.guide.dialog is None
    await until(lambda: host.sent(AddPaths) and stored(host))
    assert host.sent(AddPaths)[0].paths[0].endswith("welcome.md")
    assert window.chat_pane.composer.text() == "When does the Harbour Café open on Sundays?"
    assert window.chats.current.draft == window.chat_pane.composer.text()


async def test_what_was_typed_stays_and_a_conversation_is_left_alone(
    window: MainWindow,
    host: FakeSession,
) -> None:
    host.connect_now()
    await open_first(window)
    window.guide.open()
    guide(window).try_it.sample_requested.emit()
    assert window.chats.current.id is None  # a new one
    assert "Harbour" in window.chat_pane.composer.text()
    window.chat_pane.composer.edit.setPlainText("My own question")
    window.guide.open()
    guide(window).try_it.sample_requested.emit()
    assert window.chat_pane.composer.text() == "My own question"


async def test_own_files_are_chosen(
    window: MainWindow,
    host: FakeSession,
    dialogs: FakeDialogs,
) -> None:
    dialogs.files = ["/a/b.pdf"]
    dialog = await first_start(window, host)
    dialog.show_page(3)
    dialog.try_it.files_button.click()
    assert window.guide.dialog is None
    await until(lambda: host.sent(AddPaths))
    assert host.sent(AddPaths)[0].paths == ("/a/b.pdf",)


async def test_closing_the_window_puts_it_away_unseen(window: MainWindow, host: FakeSession) -> None:
    await first_start(window, host)
    closed: list[int] = []
    window.closed.connect(lambda: closed.append(1))
    window.close()
    await until(lambda: closed)
    assert window.guide.dialog is None
    assert not stored(host)


async def test_it_follows_the_theme(window: MainWindow, host: FakeSession, theme: Theme) -> None:
    dialog = await first_start(window, host)
    before = dialog.grab().toImage().pixelColor(5, 5)
    theme.set_setting("dark")
    assert dialog.grab().toImage().pixelColor(5, 5) != before


@pytest.mark.parametrize(
    ("cpu", "words"),
    [
        (Cpu(name="", physical_cores=1, logical_cores=1), "1 core"),
        (Cpu(name="", physical_cores=0, logical_cores=6), "6 cores"),
        (Cpu(name="", physical_cores=8, logical_cores=16, features=("neon",)), "8 cores, 16 threads (NEON)"),
    ],
)
def test_cores_in_words(cpu: Cpu, words: str) -> None:
    assert cores(cpu) == words


def test_graphics_in_words(qapp: QApplication) -> None:
    shared = replace(GPU, integrated=True, description="")
    bare = replace(GPU, memory_total_bytes=0)
    lines = graphics(replace(COMPUTER, gpus=(shared, bare))).splitlines()
    assert lines == ["Vulkan0 (Vulkan); it shares the main memory: 8.0 GB, 7.0 GB free", "Card 7 (Vulkan)"]
    assert graphics(replace(COMPUTER, gpu_note="")).endswith("on the processor.")
    assert [what for what, _ in hardware_rows(COMPUTER)] == [
        "Processor",
        "Cores",
        "Memory",
        "Graphics",
        "Disk",
    ]
