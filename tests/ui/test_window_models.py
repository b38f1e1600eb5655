"""What the window does about models: dropped files, images, the pages about them, their signs."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton

from app.core.errors import ModelError, WorkerError
from app.protocol.catalogue import CatalogueList, ListCatalogue
from app.protocol.chat import AnswerPhase, Ask, AttachImage, GetImage, ImageAttachment, ImageThumbnail
from app.protocol.downloads import DownloadList, ListDownloads
from app.protocol.hardware import GetHardware
from app.protocol.library import AddPaths
from app.protocol.models import (
    ChooseModel,
    FindFolders,
    FoundFolders,
    ImportModel,
    ListModels,
    ModelChanged,
    ModelEntry,
    ModelList,
    ModelsChanged,
)
from app.protocol.network import GetNetwork
from app.protocol.system import SettingsChanged
from app.protocol.voice import GetVoiceChoices, VoiceChoices
from app.ui.chat.answer_words import phase_words
from app.ui.main_window import MainWindow
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.diagnostics.test_diagnostics import PLAIN
from tests.ui.fakes import FakeSession
from tests.ui.network.test_network import OPEN
from tests.ui.test_main_window import MODEL, NETWORK, FakeDialogs, dialogs, host, visible_words, window

__all__ = ["dialogs", "host", "window"]  # fixtures

TINY = ModelEntry(name="tiny", path="/m/tiny.gguf", size_bytes=1, state="available", source="imported")
IMAGE = ImageAttachment(sha256="a" * 64, name="a.png", width=8, height=8)


@pytest.fixture(autouse=True)
def more_replies(host: FakeSession) -> None:
    host.reply(ListCatalogue, CatalogueList(models=()))
    host.reply(ListDownloads, DownloadList(downloads=()))
    host.reply(FindFolders, FoundFolders(folders=()))
    host.reply(GetHardware, PLAIN)
    host.reply(GetVoiceChoices, VoiceChoices(speech_models=(), voices=()))
    host.reply(ChooseModel, replace(TINY, state="loaded"))
    host.reply(ImportModel, TINY)
    host.reply(AttachImage, IMAGE)
    host.reply(GetImage, (ImageThumbnail(width=1, height=1), b"abc"))


def mime(*paths: str) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in paths])
    return data


def over_composer(window: MainWindow) -> QPoint:
    composer = window.chat_pane.composer
    return composer.mapTo(window, composer.rect().center())


def drag(window: MainWindow, data: QMimeData, place: QPoint) -> None:
    arguments = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(window.rect().topLeft(), *arguments)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDragMoveEvent(place, *arguments))


def drop(window: MainWindow, data: QMimeData, place: QPoint) -> None:
    drag(window, data, place)
    event = QDropEvent(
        QPointF(place),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(window, event)


def toast_words(window: MainWindow) -> str:
    return "\n".join(toast.words.text() for toast in window.toasts.toasts)


async def test_a_dropped_model_can_be_used_at_once(window: MainWindow, host: FakeSession) -> None:
    data = mime("/m/tiny.gguf")
    drag(window, data, window.rect().center())
    assert window.overlay.title == "Drop to use this model"
    drop(window, data, window.rect().center())
    await until(lambda: "tiny can be used now" in toast_words(window))
    assert host.sent(ImportModel) == [ImportModel(path="/m/tiny.gguf")]
    assert not host.sent(AddPaths)
    window.toasts.toasts[0].button.click()
    await until(lambda: host.sent(ChooseModel) == [ChooseModel(name="tiny")])
    assert window.chat_pane.models.current == "tiny"


async def test_models_among_documents_are_sorted_out(window: MainWindow, host: FakeSession) -> None:
    host.reply(ImportModel, ModelError("model.not_gguf", "“x.bin” is no model.", "Choose another file."))
    drag(window, mime("/m/a.gguf", "/m/b.gguf"), window.rect().center())
    assert window.overlay.title == "Drop to use these models"
    drop(window, mime("/m/x.bin", "/d/a.pdf"), window.rect().center())
    await until(lambda: host.sent(AddPaths))
    assert host.sent(AddPaths)[0].paths == ("/d/a.pdf",)
    await until(lambda: "“x.bin” is no model.\nChoose another file." in toast_words(window))


async def test_a_projector_is_shown_and_not_offered_for_answers(
    window: MainWindow, host: FakeSession
) -> None:
    host.reply(ImportModel, replace(TINY, name="mmproj", kind="projector"))
    window.intake.add_paths(["/m/mmproj.gguf"])
    await until(lambda: "mmproj can be used now" in toast_words(window))
    window.toasts.toasts[0].button.click()
    await until(lambda: window.models.controller.window.isVisible())
    assert window.models.controller.window.current_key == "installed"


async def test_an_image_goes_to_the_question_or_to_the_library(window: MainWindow, host: FakeSession) -> None:
    data = mime("/p/a.png")
    drag(window, data, over_composer(window))
    assert window.overlay.title == "Drop to ask about this image"
    assert window.chat_pane.composer.property("role") == "composer-focused"
    assert not window.overlay.mask().contains(window.overlay.mapFrom(window, over_composer(window)))
    drag(window, data, QPoint(20, 20))
    assert window.overlay.title == "Drop to add this item to the library"
    assert "drop it on the text field" in visible_words(window.overlay)
    drop(window, data, QPoint(20, 20))
    await until(lambda: host.sent(AddPaths))
    assert not window.overlay.isVisible()
    drop(window, mime("/p/a.png", "/p/b.pdf"), over_composer(window))
    await until(lambda: len(host.sent(AddPaths)) == 2)
    assert host.sent(AddPaths)[1].paths == ("/p/b.pdf",)
    assert [item.name for item in window.chats.current.images.items] == ["a.png"]
    drag(window, mime("/p/a.png", "/p/b.png"), over_composer(window))
    assert window.overlay.title == "Drop to ask about 2 images"
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert not window.overlay.isVisible()
    await until(lambda: not window.chats.current.images.is_pending)


async def test_images_are_chosen_in_a_dialog(
    window: MainWindow, host: FakeSession, dialogs: FakeDialogs, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill(0)
    assert image.save(str(path))
    window.chat_pane.composer._image.click()
    dialogs.images = [str(path)]
    QTest.keyClick(
        window, Qt.Key.Key_I, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    )
    await until(lambda: window.chats.current.images.attachments)
    assert window.chats.current.images.attachments[0] == IMAGE
    window.chat_pane.image_opened.emit(IMAGE)
    viewer = window.models._viewer
    await until(lambda: viewer.dialog and viewer.dialog.isVisible())
    assert viewer.dialog is not None
    viewer.dialog.reject()
    await until(lambda: viewer.dialog is None)


async def test_an_image_pasted_beside_the_text_field_is_led_there(
    window: MainWindow, host: FakeSession
) -> None:
    image = QImage(4, 4, QImage.Format.Format_RGB32)
    image.fill(0)
    QGuiApplication.clipboard().setImage(image)
    window.intake.paste()
    await until(lambda: "paste it into the text field" in toast_words(window))
    assert not host.sent(AttachImage)
    window.chat_pane.focus_composer()
    window.chat_pane.composer.edit.paste()
    await until(lambda: window.chats.current.images.attachments)
    QGuiApplication.clipboard().clear()


async def test_menu_and_status_line_open_the_pages(window: MainWindow, host: FakeSession) -> None:
    pages = window.models.controller.window
    entries = {action.text(): action for action in window.actions_.menu.actions()}
    assert entries["Models…"].shortcut().toString() == "Ctrl+M"
    for words, key in (("Models…", "installed"), ("Network…", "network"), ("Diagnostics…", "diagnostics")):
        entries[words].trigger()
        assert pages.isVisible()
        assert pages.current_key == key
    await until(lambda: host.sent(GetHardware) and len(host.sent(GetNetwork)) >= 2)
    await until(lambda: "Chip 9" in visible_words(pages))
    host.reply(ListModels, ModelList(models=(), default=""))
    host.deliver(ModelsChanged())
    await until(lambda: window.status_line.model_words == "No model is installed")
    window.status_line.model.click()
    assert pages.current_key == "catalogue"
    window.status_line.network.click()
    assert pages.current_key == "network"
    window.status_line.diagnostics_requested.emit()
    assert pages.current_key == "diagnostics"
    window.close_now()
    await until(lambda: not pages.isVisible())


async def test_whatever_opens_wears_the_windows_theme(window: MainWindow, theme: Theme) -> None:
    window.models.open_installed()
    window.guide.open()
    window.about.open()
    about = window.about.dialog
    assert about is not None
    await until(about.isVisible)
    for setting in ("dark", "light"):
        theme.set_setting(setting)
        assert theme.palette.surface in window.styleSheet()
    opened = [each for each in QApplication.topLevelWidgets() if each.isVisible() and each is not window]
    assert len(opened) >= 3
    for each in opened:
        parents = [each]
        while (above := parents[-1].parentWidget()) is not None:
            parents.append(above)
        assert parents[-1] is window, each
    about.reject()
    await until(lambda: window.about.dialog is None)
    window.guide.put_away()


async def test_without_a_model_everything_leads_to_one(window: MainWindow, host: FakeSession) -> None:
    host.reply(ListModels, ModelList(models=(), default=""))
    host.deliver(ModelsChanged())
    await until(lambda: "One thing is missing: a model" in visible_words(window.chat_pane))
    pages = window.models.controller.window
    window.chat_pane.empty.models_button.click()
    assert pages.current_key == "catalogue"
    pages.close()
    window.guide.open()
    assert window.guide.dialog is not None
    window.guide.dialog.show_page(3)
    assert window.guide.dialog.try_it.models_button.isVisible()
    window.guide.dialog.try_it.models_button.click()
    assert window.guide.dialog is None
    assert pages.isVisible()
    pages.close()
    host.script(Ask, [ModelError("model.none", "No model is installed.", "Choose one.")])
    window.chats.ask("What now?")
    await until(lambda: "No model is installed." in visible_words(window.chat_pane.messages))
    button = next(
        b
        for b in window.chat_pane.messages.findChildren(QPushButton)
        if b.text() == "Choose a model…" and b.isVisible()
    )
    button.click()
    assert pages.isVisible()
    host.reply(ListModels, ModelList(models=(MODEL,), default="smol"))
    host.deliver(ModelsChanged())
    window.chats.new()
    await until(lambda: "Ask your documents" in visible_words(window.chat_pane))


async def test_a_model_that_comes_is_offered_in_the_open_guide(window: MainWindow, host: FakeSession) -> None:
    window.guide.open()
    guide = window.guide.dialog
    assert guide is not None
    guide.show_page(3)
    assert not guide.try_it.models_button.isVisible()
    host.reply(ListModels, ModelList(models=(), default=""))
    host.deliver(ModelsChanged())
    await until(guide.try_it.models_button.isVisible)
    window.guide.put_away()


async def test_a_running_download_is_known_from_the_start(window: MainWindow, host: FakeSession) -> None:
    host.reply(GetNetwork, replace(NETWORK, entries=(OPEN,), n_entries=1))
    host.connect_now()
    await until(lambda: window.status_line.network.words == "Download of Qwen…")
    host.reply(GetNetwork, WorkerError("host.lost", "Gone."))
    host.connect_now()
    await until(lambda: len(host.sent(GetNetwork)) == 3)
    host.deliver(SettingsChanged(values={"offline": True}))
    assert not window.toasts.toasts


async def test_loading_can_be_cancelled_from_the_status_line(window: MainWindow, host: FakeSession) -> None:
    async def never(_request: Any) -> Any:
        await asyncio.Event().wait()

    host.reply(ChooseModel, never)
    window.chats.choose_model("smol")
    host.deliver(ModelChanged(model=replace(MODEL, state="loading"), progress=0.3))
    assert window.status_line.cancel.isVisible()
    window.status_line.cancel.click()
    assert not window.chats.loader.is_loading
    assert not window.status_line.cancel.isVisible()


def test_the_waiting_phase_names_what_comes_first() -> None:
    for detail, words in (
        ("1 answer before this one", "Waiting: 1 answer before this one"),
        ("1", "Waiting: 1 answer before this one"),
        ("3", "Waiting: 3 answers before this one"),
        ("", "Waiting for the answer before this one…"),
    ):
        assert phase_words(AnswerPhase(phase="waiting", detail=detail)) == words
