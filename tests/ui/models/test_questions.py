"""What the window asks before it removes a file or uses one."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from app.protocol.models import ModelEntry
from app.ui.models.questions import QtModelQuestions, Removal, RemoveDialog
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.models.samples import BROKEN, LOADING, MISSING, QWEN


def dialog_for(model: ModelEntry, theme: Theme, qtbot: QtBot) -> RemoveDialog:
    dialog = RemoveDialog(model, theme)
    qtbot.addWidget(dialog)
    return dialog


def test_our_own_file_is_deleted_and_it_says_so(theme: Theme, qtbot: QtBot) -> None:
    dialog = dialog_for(QWEN, theme, qtbot)
    assert "deleted for good; 4.4 GB become free" in dialog.words.text()
    assert dialog.box.isHidden() and dialog.ok.text() == "Delete the file"
    assert dialog.removal == Removal(delete_file=False)


def test_anothers_file_stays_unless_it_is_ticked(theme: Theme, qtbot: QtBot) -> None:
    dialog = dialog_for(LOADING, theme, qtbot)
    assert "Only the entry in the list goes; nothing becomes free." in dialog.words.text()
    assert "used in place from LM Studio" in dialog.words.text()
    assert dialog.ok.text() == "Remove from the list"
    dialog.box.click()
    assert dialog.removal == Removal(delete_file=True)
    assert dialog.ok.text() == "Delete the file"
    assert "1.9 GB become free" in dialog.words.text()
    assert "Other programs that use this file will no longer find it." in dialog.words.text()


def test_a_file_put_into_the_folder_by_hand_stays_too(theme: Theme, qtbot: QtBot) -> None:
    dialog = dialog_for(replace(BROKEN, source="folder"), theme, qtbot)
    assert not dialog.box.isHidden() and dialog.ok.text() == "Remove from the list"


def test_what_is_gone_already_only_leaves_the_list(theme: Theme, qtbot: QtBot) -> None:
    dialog = dialog_for(MISSING, theme, qtbot)
    assert "gone already" in dialog.words.text() and dialog.box.isHidden()


@pytest.fixture
def over(qtbot: QtBot) -> QWidget:
    over = QWidget()
    qtbot.addWidget(over)
    return over


@pytest.fixture
def questions(over: QWidget, theme: Theme, monkeypatch: pytest.MonkeyPatch) -> QtModelQuestions:
    monkeypatch.setattr("app.ui.models.questions.Path.home", lambda: Path("/"))
    return QtModelQuestions(lambda: over, theme)


async def open_dialog(kind: type[QDialog]) -> QDialog:
    def find() -> list[QDialog]:
        return [w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()]

    await until(find)
    return find()[0]


async def test_files_are_asked_for_by_their_kind(questions: QtModelQuestions, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    for ask, titled in (
        (questions.model_files, "Import models"),
        (questions.adapter_file, "Add a LoRA adapter"),
        (questions.projector_file, "Choose a projector"),
        (questions.model_folder, "Use a folder of models"),
    ):
        asking = asyncio.ensure_future(ask())
        dialog = await open_dialog(QFileDialog)
        assert isinstance(dialog, QFileDialog) and dialog.windowTitle() == titled
        if titled != "Use a folder of models":
            assert ".gguf" in dialog.nameFilters()[0]
        dialog.reject()
        assert not await asking


async def test_a_chosen_file_is_given(questions: QtModelQuestions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "selectedFiles", lambda _self: ["/data/a.gguf"])
    for ask, expected in (
        (questions.model_files, ["/data/a.gguf"]),
        (questions.adapter_file, "/data/a.gguf"),
        (questions.model_folder, "/data/a.gguf"),
    ):
        asking = asyncio.ensure_future(ask())
        (await open_dialog(QFileDialog)).done(1)
        assert await asking == expected


async def test_removal_and_confirmation_default_to_no(questions: QtModelQuestions) -> None:
    asking = asyncio.ensure_future(questions.removal(QWEN))
    (await open_dialog(RemoveDialog)).accept()
    assert await asking == Removal()
    asking = asyncio.ensure_future(questions.removal(QWEN))
    (await open_dialog(RemoveDialog)).reject()
    assert await asking is None
    for text, expected in (("Cancel it", True), ("Cancel", False)):
        confirming = asyncio.ensure_future(questions.confirm("Cancel?", "All is lost.", "Cancel it"))
        box = await open_dialog(QMessageBox)
        assert isinstance(box, QMessageBox) and box.informativeText() == "All is lost."
        assert box.defaultButton().text().replace("&", "") == "Cancel"
        next(button for button in box.buttons() if button.text().replace("&", "") == text).click()
        assert await confirming is expected
