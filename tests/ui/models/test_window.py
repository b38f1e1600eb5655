"""The window about models: opening, walking through its pages, pages of others, large fonts."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.core.errors import AppError
from app.protocol.models import ImportModel, ListModels
from app.ui.models.controller import ModelsController
from app.ui.models.flow import FlowBox
from app.ui.models.navigation import Navigation
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.models.conftest import Make, Shown
from tests.ui.models.samples import QWEN


async def test_nothing_is_built_or_asked_before_it_is_opened(make: Make, session: FakeSession) -> None:
    shown = make()
    session.connect_now()
    assert shown.controller._pages is None and session.requests == []
    shown.controller.close()
    assert shown.controller._pages is None


async def test_it_opens_where_it_was_left(shown: Shown, session: FakeSession) -> None:
    opened: list[str] = []
    shown.controller.opened.connect(lambda: opened.append("opened"))
    shown.controller.closed.connect(lambda: opened.append("closed"))
    window = shown.controller.window
    assert window.current_key == "installed" and window.windowTitle() == "Models"
    shown.controller.open("catalogue")
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()
    n_lists = len(session.sent(ListModels))
    shown.controller.open()
    assert window.isVisible() and window.current_key == "catalogue"
    shown.controller.open("nowhere")
    assert window.current_key == "catalogue"
    shown.controller.open("installed")
    await until(lambda: len(session.sent(ListModels)) > n_lists)  # free memory may be another now
    assert opened == ["opened", "closed", "opened", "opened", "opened"]


async def test_pages_are_walked_through_by_keys(shown: Shown) -> None:
    window = shown.controller.window
    window.navigation.setFocus()
    QTest.keyClick(window.navigation, Qt.Key.Key_Down)
    assert window.current_key == "catalogue"
    window._on_next_page()
    assert window.current_key == "search" and shown.search.field.hasFocus()
    window._on_next_page()
    window._on_next_page()
    assert window.current_key == "installed"
    window._on_page_before()
    assert window.current_key == "downloads"


async def test_other_parts_add_pages(make: Make, session: FakeSession) -> None:
    shown = make()
    diagnostics, network = QWidget(), QWidget()
    shown.controller.add_page("diagnostics", "Diagnostics", "info", diagnostics)
    shown.controller.open("diagnostics")
    assert shown.controller.window.current_key == "diagnostics" and diagnostics.isVisible()
    shown.controller.add_page("network", "Network", "offline", network)
    shown.controller.search.search_failed.emit(AppError("network.off", "Off.", "On."))
    shown.search.empty.buttons[0].click()
    assert shown.controller.window.current_key == "network" and network.isVisible()
    assert shown.controller.window.navigation.keys == (
        "installed",
        "catalogue",
        "search",
        "downloads",
        "diagnostics",
        "network",
    )


async def test_files_dropped_elsewhere_are_imported_here(make: Make, session: FakeSession) -> None:
    shown = make()
    ready: list[str] = []
    shown.controller.model_imported.connect(ready.append)
    shown.controller.import_files(["/data/a.gguf"])
    await until(lambda: ready == ["imported"])
    assert session.sent(ImportModel) == [ImportModel(path="/data/a.gguf")]
    assert shown.controller.window.isVisible()


async def test_a_failure_on_another_page_is_told_all_the_same(shown: Shown) -> None:
    shown.controller.add_page("network", "Network", "offline", QWidget())
    shown.controller.open("network")
    shown.controller.installed.failed.emit(AppError("model.damaged", "It is damaged.", "Fetch it again."))
    assert "It is damaged.\nFetch it again." in shown.toasts()


async def test_a_model_is_shown_by_its_name(shown: Shown) -> None:
    shown.controller.open("search")
    shown.controller.show_model(QWEN.name)
    assert shown.controller.window.current_key == "installed"
    assert shown.installed.details.model.name == QWEN.name


async def test_real_questions_and_programs_are_the_default(
    session: FakeSession, tasks: TaskSpawner, theme: Theme
) -> None:
    controller = ModelsController(session, tasks, theme, None)
    assert controller._window_for_questions() is controller.window
    controller.window.deleteLater()
    controller.deleteLater()


@pytest.fixture
def navigation(theme: Theme, qtbot: QtBot) -> Iterator[Navigation]:
    navigation = Navigation(theme)
    assert navigation.current_key == ""
    qtbot.addWidget(navigation)
    navigation.resize(200, 200)
    navigation.add("one", "One", "model")
    navigation.add("two", "Two", "download")
    navigation.show()
    yield navigation


def test_a_badge_is_shown_and_spoken(navigation: Navigation) -> None:
    assert navigation.wanted_width > 40
    navigation.choose("one")
    assert navigation.current_key == "one"

    def picture() -> QImage:
        return navigation.grab().toImage()

    without = picture()
    navigation.set_badge("two", 12, "12 are running")
    item = navigation.item(1)
    assert item.data(Qt.ItemDataRole.AccessibleTextRole) == "Two, 12 are running"
    assert picture() != without
    navigation.set_badge("two", 0, "")
    assert picture() == without and item.toolTip() == ""
    navigation.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    assert picture() != without


# ------------------------------------------------------------------------------------------------ large fonts


def test_buttons_go_on_in_the_next_line(qtbot: QtBot) -> None:
    buttons = [QPushButton(words) for words in ("First one", "Second one", "Third one")]
    box = FlowBox(*buttons)
    qtbot.addWidget(box)
    box.resize(box.sizeHint())
    box.show()
    assert len({button.y() for button in buttons}) == 1
    one_line = box.heightForWidth(box.sizeHint().width())
    width = box.minimumSizeHint().width()
    assert box.heightForWidth(width) > 2 * one_line
    box.resize(width, 300)
    assert len({button.y() for button in buttons}) == 3
    buttons[0].hide()
    assert len({button.y() for button in buttons[1:]}) == 2 and buttons[1].y() == 0
    buttons[0].show()
    buttons[0].setText("A text that is much longer than the others")
    QApplication.sendPostedEvents()
    assert box.minimumSizeHint().width() > width
    box.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    box.resize(QSize(1000, 60))
    assert buttons[0].x() > buttons[1].x() > buttons[2].x()
    assert FlowBox().heightForWidth(100) == 0


async def test_no_words_are_cut_at_twice_the_font_size(make: Make, qapp: QApplication, theme: Theme) -> None:
    font = qapp.font()
    large = qapp.font()
    large.setPointSizeF(font.pointSizeF() * 2)
    qapp.setFont(large)
    theme.apply()
    try:
        shown = make()
        shown.controller.open()
        await until(lambda: shown.controller.installed.is_listed and shown.controller.downloads.is_listed)
        window = shown.controller.window
        window.resize(1120, 760)
        for key in ("installed", "catalogue", "search", "downloads"):
            shown.controller.open(key)
            QApplication.sendPostedEvents()
            for button in window.findChildren(QPushButton):
                if button.isVisible() and button.text():
                    assert button.width() >= button.minimumSizeHint().width(), button.text()
        assert shown.downloads.area.horizontalScrollBar().maximum() == 0
        assert all(label.height() > 0 for label in window.findChildren(QLabel) if label.isVisible())
    finally:
        qapp.setFont(font)
        theme.apply()
