"""The box about the program: facts, components, licence texts, and what it says where they are missing."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from app.core.components import Component
from app.core.errors import FileError
from app.core.paths import DataPaths
from app.ui.about import controller as module
from app.ui.about.component_model import ComponentFilter, ComponentModel
from app.ui.about.controller import AboutController, program_facts
from app.ui.about.dialog import AboutDialog
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession

FATAL = QAbstractItemModelTester.FailureReportingMode.Fatal
PARTS = (
    Component("Alpha", "1.2", "MIT"),
    Component("Beta", "", "Apache-2.0"),
    Component("gamma", "3", "MIT OR Apache-2.0"),
)


@pytest.fixture
def over(qapp: QApplication, theme: Theme) -> Iterator[QWidget]:
    over = QWidget()
    yield over
    over.deleteLater()


@pytest.fixture
async def about(
    over: QWidget, session: FakeSession, tasks: TaskSpawner, theme: Theme
) -> AsyncIterator[AboutController]:
    """The box over a window, opened, with the components of the source tree."""
    controller = AboutController(session, tasks, theme, over)
    controller.open()
    yield controller
    await tasks.close()
    await asyncio.sleep(0)


def box(about: AboutController) -> AboutDialog:
    assert about.dialog is not None
    return about.dialog


def words(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel))


def names(dialog: AboutDialog) -> list[str]:
    model = dialog.components.view.model()
    return [str(model.index(row, 0).data()) for row in range(model.rowCount())]


async def loaded(about: AboutController) -> AboutDialog:
    dialog = box(about)
    await until(lambda: dialog.components.model.rowCount() > 0)
    return dialog


async def choose(dialog: AboutDialog, name: str) -> None:
    model = dialog.components.view.model()
    dialog.components.view.setCurrentIndex(model.index(names(dialog).index(name), 0))
    await until(lambda: dialog.components.text.toPlainText())


async def test_it_tells_what_this_is(about: AboutController, session: FakeSession) -> None:
    told = words(box(about))
    assert "Version 0.1.0" in told and str(session.paths.root) in told and "Source tree" in told
    for fact in ("AGPL-3.0", "LGPL-3.0", "Apache License 2.0", "No account, no telemetry"):
        assert fact in told
    first = about.dialog
    about.open()
    assert about.dialog is first


async def test_components_are_searched_and_their_licence_is_read(about: AboutController) -> None:
    dialog = await loaded(about)
    total = dialog.components.model.rowCount()
    assert dialog.components.count.text() == f"{total} components"
    QTest.keyClicks(dialog.components.search, "agpl pymu")
    assert names(dialog) == []
    dialog.components.search.clear()
    QTest.keyClicks(dialog.components.search, "PyMuPDF aff")
    assert names(dialog) == ["pymupdf"]
    assert dialog.components.count.text() == f"1 of {total} components"
    await choose(dialog, "pymupdf")
    assert "GNU AFFERO GENERAL PUBLIC LICENSE" in dialog.components.text.toPlainText()
    assert "pymupdf" in dialog.components.title.text()
    dialog.components.search.clear()
    assert len(names(dialog)) == total


async def test_a_text_that_comes_late_is_dropped(about: AboutController) -> None:
    dialog = await loaded(about)
    dialog.components.show_components(PARTS)
    await choose(dialog, "Beta")
    assert "its text is not bundled" in dialog.components.text.toPlainText()
    dialog.components.show_text(PARTS[0], "of another")
    assert "of another" not in dialog.components.text.toPlainText()
    dialog.components.show_components(())
    assert dialog.components.title.isHidden() and dialog.components.current is None


async def test_a_text_that_cannot_be_read_is_told(about: AboutController, tmp_path: Path) -> None:
    dialog = await loaded(about)
    dialog.components.show_components([Component("Alpha", "", "", (tmp_path / "gone",))])
    await choose(dialog, "Alpha")
    assert "cannot be read" in dialog.components.text.toPlainText()


async def test_version_information_is_copied(about: AboutController) -> None:
    dialog = box(about)
    QTest.mouseClick(dialog.copy_button, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith("h2oGPT Desktop 0.1.0") and "PySide6" in copied and "Python" in copied
    assert str(Path.home()) not in copied
    assert dialog.copied.text() == "Copied."


async def test_the_list_that_is_missing_is_told(
    over: QWidget, session: FakeSession, tasks: TaskSpawner, theme: Theme, tmp_path: Path
) -> None:
    (tmp_path / "sbom.cdx.json").write_text("{")
    about = AboutController(session, tasks, theme, over, tmp_path)
    about.open()
    dialog = box(about)
    await until(lambda: dialog.components.text.toPlainText())
    assert "is damaged. Install the program again." in dialog.components.text.toPlainText()
    assert not dialog.components.search.isEnabled() and dialog.components.count.text() == ""


async def test_what_comes_after_closing_is_dropped(
    over: QWidget, session: FakeSession, tasks: TaskSpawner, theme: Theme, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [FileError("components.damaged", "It is damaged.")]
    calls: list[Path] = []

    def answer(folder: Path) -> tuple[Component, ...]:
        calls.append(folder)
        if len(calls) > 1:
            raise errors[0]
        return PARTS

    monkeypatch.setattr(module, "components", answer)
    about = AboutController(session, tasks, theme, over)
    for _ in range(2):
        about.open()
        dialog = box(about)
        await asyncio.sleep(0)
        dialog.reject()
        about._on_component_chosen(PARTS[0])
        await until(lambda: not tasks.names)
        assert about.dialog is None
    about._on_component_chosen(PARTS[0])
    assert not tasks.names


async def test_the_keyboard_suffices(about: AboutController) -> None:
    dialog = await loaded(about)
    chain: list[QWidget] = []
    widget: QWidget | None = dialog.components.search
    while widget is not None and widget not in chain:
        chain.append(widget)
        widget = widget.nextInFocusChain()
    stops = [each for each in chain if each.focusPolicy() & Qt.FocusPolicy.TabFocus and each.isVisible()]
    wanted = [dialog.components.search, dialog.components.view, dialog.components.text, dialog.copy_button]
    assert [each for each in stops if each in wanted] == wanted
    for each in (dialog.components.search, dialog.components.view, dialog.components.text):
        assert each.accessibleName()
    assert all(button.text() for button in dialog.findChildren(QPushButton))
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    await until(lambda: about.dialog is None)


def test_an_installed_program_says_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qapp: QApplication
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "h2ogpt-desktop"))
    facts = program_facts(DataPaths(tmp_path).root)
    assert facts.program_dir == tmp_path and "(installed)" in facts.versions
    theme = Theme("dark")
    dialog = AboutDialog(facts, theme)
    assert f"Installed in {tmp_path}" in words(dialog)
    dialog.deleteLater()
    theme.deleteLater()


def test_the_models_obey_qts_rules(qapp: QApplication) -> None:
    model = ComponentModel()
    filtered = ComponentFilter(model)
    testers = [QAbstractItemModelTester(each, FATAL) for each in (model, filtered)]
    model.set_components(PARTS)
    assert [model.headerData(n, Qt.Orientation.Horizontal) for n in range(3)] == [
        "Component",
        "Version",
        "Licence",
    ]
    assert model.headerData(0, Qt.Orientation.Vertical) is None
    assert model.data(QModelIndex()) is None
    assert model.index(0, 2).data(Qt.ItemDataRole.ToolTipRole) == "MIT"
    assert model.index(0, 0).data(Qt.ItemDataRole.DecorationRole) is None
    filtered.search("mit")
    assert filtered.rowCount() == 2
    filtered.search("MIT apache")
    assert filtered.rowCount() == 1
    filtered.search("")
    assert filtered.rowCount() == 3
    for each in (*testers, filtered, model):
        each.deleteLater()
