"""Dialogs ask without stopping the event loop."""

import asyncio
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QFileDialog, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.ui.library.dialogs import NameDialog, QtQuestions
from app.ui.theme import Theme
from tests.ui.conftest import until


async def opened(parent: QWidget, kind: type[QDialog]) -> QDialog:
    await until(lambda: [d for d in parent.findChildren(kind) if d.isVisible()])
    found: QDialog = next(d for d in parent.findChildren(kind) if d.isVisible())
    return found


def window(qtbot: QtBot) -> QWidget:
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.show()
    return parent


async def test_a_refused_name_is_asked_again_with_the_reason(qtbot: QtBot, theme: Theme) -> None:
    parent, tried = window(qtbot), []

    async def check(name: str) -> str:
        tried.append(name)
        return "This name is taken." if name == "Mine" else ""

    asking = asyncio.ensure_future(QtQuestions(parent).name("New", "Name", "Mine", check))
    dialog = await opened(parent, NameDialog)
    assert isinstance(dialog, NameDialog)
    assert dialog.field.selectedText() == "Mine"
    QTest.keyClick(dialog.field, Qt.Key.Key_Return)
    await until(lambda: dialog.isVisible() and dialog.problem.text() == "This name is taken.")
    dialog.field.clear()
    ok = dialog.buttons.button(dialog.buttons.StandardButton.Ok)
    assert not ok.isEnabled()
    assert not dialog.problem.isVisible()
    QTest.keyClicks(dialog.field, "  Letters ")
    ok.click()
    assert await asking
    assert tried == ["Mine", "Letters"]


async def test_giving_up_on_a_name(qtbot: QtBot, theme: Theme) -> None:
    parent = window(qtbot)

    async def check(name: str) -> str:
        raise AssertionError(name)

    asking = asyncio.ensure_future(QtQuestions(parent).name("New", "Name", "", check))
    (await opened(parent, NameDialog)).reject()
    assert not await asking


async def test_confirming(qtbot: QtBot, theme: Theme) -> None:
    parent = window(qtbot)
    for text, expected in (("Delete", True), ("Cancel", False)):
        asking = asyncio.ensure_future(
            QtQuestions(parent).confirm("Delete it?", "Nothing is lost.", "Delete")
        )
        box = await opened(parent, QMessageBox)
        assert isinstance(box, QMessageBox)
        assert box.informativeText() == "Nothing is lost."
        default = box.defaultButton()
        assert default is not None
        assert default.text().replace("&", "") == "Cancel"
        button = next(b for b in box.findChildren(QPushButton) if b.text().replace("&", "") == text)
        button.click()
        assert await asking is expected


async def test_choosing_files_and_a_folder(qtbot: QtBot, theme: Theme, tmp_path: Path) -> None:
    parent = window(qtbot)
    (tmp_path / "a é.txt").write_text("x")
    asking = asyncio.ensure_future(QtQuestions(parent).files())
    dialog = await opened(parent, QFileDialog)
    assert isinstance(dialog, QFileDialog)
    field = dialog.findChild(QLineEdit, "fileNameEdit")
    assert field is not None
    field.setText(str(tmp_path / "a é.txt"))
    dialog.done(QDialog.DialogCode.Accepted)
    assert await asking == [str(tmp_path / "a é.txt")]
    folder = asyncio.ensure_future(QtQuestions(parent).folder())
    (await opened(parent, QFileDialog)).reject()
    assert await folder == []


async def test_a_cancelled_question_closes_its_dialog(qtbot: QtBot, theme: Theme) -> None:
    parent = window(qtbot)
    asking = asyncio.ensure_future(QtQuestions(parent).confirm("Delete it?", "", "Delete"))
    await opened(parent, QMessageBox)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    await until(lambda: not parent.findChildren(QMessageBox))
