"""What is to be opened from outside ends in the library, and the window in front."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from PySide6.QtCore import QEvent, QUrl, Signal
from PySide6.QtGui import QFileOpenEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.core.errors import WorkerError
from app.protocol.system import Empty
from app.protocol.window import TakeOpening, WindowOpened
from app.ui import openings as module
from app.ui.openings import Openings, bring_to_front
from app.ui.tasks import TaskSpawner
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession

ODD = "/a/\udcff\n🙂 é.txt"


class Intake:
    def __init__(self) -> None:
        self.paths: list[str] = []
        self.refused: list[tuple[int, bool]] = []
        self.added = asyncio.Event()
        self.added.set()

    def add_paths(self, paths: list[str]) -> "asyncio.Future[object] | None":
        self.paths.extend(paths)
        return asyncio.ensure_future(self.added.wait()) if paths else None

    def tell_refused(self, n_refused: int, *, any_added: bool) -> None:
        if n_refused:
            self.refused.append((n_refused, any_added))


class Window(QWidget):
    """As much of the window as is used."""

    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.intake = Intake()


@pytest.fixture
async def window(qtbot: QtBot) -> Window:
    window = Window()
    qtbot.addWidget(window)
    return window


@pytest.fixture
async def openings(window: Window, session: FakeSession, tasks: TaskSpawner) -> AsyncIterator[Openings]:
    openings = Openings(cast(Any, window), session, tasks)
    yield openings
    openings.deleteLater()


async def test_files_wait_for_the_host(openings: Openings, window: Window, session: FakeSession) -> None:
    session.lose()
    openings.add([ODD], n_refused=2)
    assert window.intake.paths == [] and window.intake.refused == [(2, True)]
    session.connect_now()
    assert window.intake.paths == [ODD]
    session.connect_now()
    openings.add(["/b"])
    assert window.intake.paths == [ODD, "/b"]


async def test_a_later_start_raises_the_window_and_adds(
    openings: Openings, window: Window, session: FakeSession
) -> None:
    session.reply(TakeOpening, Empty())
    window.showMinimized()
    window.intake.added.clear()
    session.deliver(WindowOpened(opening_id="7", paths=(ODD,), n_refused=1))
    assert window.isVisible() and not window.isMinimized()
    await until(lambda: window.intake.paths == [ODD])
    assert window.intake.refused == [(1, True)]
    await asyncio.sleep(0.05)
    assert not session.requests, "the files are not in the library yet"
    window.intake.added.set()
    await until(lambda: session.sent(TakeOpening) == [TakeOpening(opening_id="7")])


async def test_a_library_that_is_slow_to_open_holds_the_later_start_only_so_long(
    openings: Openings, window: Window, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ADDING_PATIENCE_S", 0.05)
    session.reply(TakeOpening, Empty())
    window.intake.added.clear()
    session.deliver(WindowOpened(opening_id="7", paths=(ODD,)))
    await until(lambda: session.sent(TakeOpening))
    window.intake.added.set()


async def test_a_host_that_is_lost_meanwhile_is_no_trouble(
    openings: Openings, session: FakeSession, tasks: TaskSpawner
) -> None:
    session.reply(TakeOpening, WorkerError("host.lost", "Gone."))
    session.deliver(WindowOpened(opening_id="7"))
    await until(lambda: session.sent(TakeOpening) and not tasks.names)


async def test_a_window_that_has_closed_takes_nothing(
    openings: Openings, window: Window, session: FakeSession
) -> None:
    window.closed.emit()
    session.deliver(WindowOpened(opening_id="7", paths=(ODD,)))
    await asyncio.sleep(0.02)
    assert window.intake.paths == [] and not session.requests and not window.isVisible()


async def test_documents_that_come_as_events(openings: Openings, window: Window, qapp: QApplication) -> None:
    qapp.installEventFilter(openings)
    for address in ("file:///a%20b.pdf", "https://example.org/x"):
        QApplication.sendEvent(qapp, QFileOpenEvent(QUrl(address)))
    QApplication.sendEvent(window, QEvent(QEvent.Type.User))
    qapp.removeEventFilter(openings)
    assert window.intake.paths == ["/a b.pdf"] and window.intake.refused == [(1, False)]
    assert window.isVisible()


@pytest.mark.parametrize(("platform", "expected"), [("wayland-egl", "token"), ("xcb", None)])
async def test_the_desktops_token_reaches_qt(
    window: Window, monkeypatch: pytest.MonkeyPatch, platform: str, expected: str | None
) -> None:
    monkeypatch.setenv("XDG_ACTIVATION_TOKEN", "old")
    monkeypatch.delenv("XDG_ACTIVATION_TOKEN")
    monkeypatch.setattr(QGuiApplication, "platformName", lambda: platform)
    bring_to_front(window, "token")
    assert os.environ.get("XDG_ACTIVATION_TOKEN") == expected
    bring_to_front(window)
