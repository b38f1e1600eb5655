"""What every test of the window shares: an offscreen Qt, one event loop, a theme, and no warning unseen."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
import qasync
from PySide6.QtWidgets import QApplication

from app.ui.garbage import GarbageCollector
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.fakes import FakeSession

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A Qt message of level WARNING or above fails a test of the window."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.ui)
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            # said by the offscreen platform of size hints, raising and grabbing, which real ones can do
            item.add_marker(pytest.mark.qt_log_ignore("^This plugin does not support"))


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run coroutine tests in the loop that the window runs in."""
    return {"qasync": make_loop}


def make_loop() -> asyncio.AbstractEventLoop:
    application = QApplication.instance() or QApplication(["tests"])
    QApplication.setQuitOnLastWindowClosed(False)  # as in the program, else closing a window ends the loop
    loop: asyncio.AbstractEventLoop = qasync.QEventLoop(application, set_running_loop=False)
    return loop


@pytest.fixture(autouse=True)
def garbage_ends_here(qapp: QApplication) -> Iterator[None]:
    """Collect between the tests and in this thread, as the program does between two events.

    Python's own collection stays off from the first test of the window to the last: threads outlive a test
    by a moment, and a timer or widget that ends in one of them stops the whole run.
    """
    gc.disable()
    yield
    collector = GarbageCollector()
    collector.look()
    collector.deleteLater()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Give the collection back after the last test of the window, and what that test put in its place."""
    if nextitem is None or not nextitem.path.is_relative_to(HERE):
        gc.collect()
        gc.enable()


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    """A light theme, applied, also to what is shown without the program's window."""
    theme = Theme("light")
    theme.apply()
    qapp.setStyleSheet(theme.stylesheet())
    yield theme
    theme.deleteLater()


@pytest.fixture
def notifier() -> Notifier:
    return Notifier()


@pytest.fixture
async def tasks(notifier: Notifier) -> AsyncIterator[TaskSpawner]:
    """A spawner whose tasks end with the test; an exception in one of them fails the test."""
    errors: list[str] = []
    notifier.subscribe(
        lambda notice: errors.append(notice.code) if notice.code == "window.unexpected" else None
    )
    spawner = TaskSpawner(notifier)
    yield spawner
    await spawner.close()
    assert not errors


@pytest.fixture
async def session(qapp: QApplication) -> AsyncIterator[FakeSession]:
    """A connected session without a script."""
    session = FakeSession()
    yield session
    session.deleteLater()


async def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Let the event loop run until a condition holds; fail when it does not come to hold."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "the condition did not come to hold"
        await asyncio.sleep(0.005)
