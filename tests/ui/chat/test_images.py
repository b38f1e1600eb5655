"""Images that go along with a question: attached, shown, refused, remembered."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QSize, Qt, QUrl
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from app.core.errors import FileError, NotFoundError
from app.protocol.chat import (
    AnswerDone,
    Ask,
    AttachImage,
    ChatMessage,
    Conversation,
    CreateConversation,
    GetConversation,
    GetImage,
    ImageAttachment,
    ImageThumbnail,
    SaveDraft,
    UpdateConversation,
)
from app.protocol.library import CollectionList, ListCollections
from app.protocol.models import ChooseModel, ListModels, ModelEntry, ModelList
from app.protocol.system import Empty, Notice
from app.ui.chat import image_files
from app.ui.chat.controller import ChatController
from app.ui.chat.draft_images import FAILED, MAX_IMAGES, READY
from app.ui.chat.image_files import is_image, patterns, png_of, read_image
from app.ui.chat.image_thumb import ImageThumb
from app.ui.chat.image_viewer import ImageViewer
from app.ui.chat.message_model import MessageModel
from app.ui.chat.message_widgets import UserMessageWidget
from app.ui.chat.pane import ChatPane
from app.ui.chat.thumbnails import Thumbnails, shown_size, to_image
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.chat.test_controller import ENTRY, STARTED
from tests.ui.chat.test_messages import answer, question
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession

GARDEN = ImageAttachment(sha256="a" * 64, name="garden.png", width=1600, height=800)
BLIND = ModelEntry(name="blind", path="/m/b", size_bytes=1, state="loaded")
SEEING = replace(BLIND, name="seeing", state="available", projector="mmproj.gguf")
DONE = AnswerDone(conversation_id="c1", answer=answer(1, "A garden."), found=False)


def pixels(request: GetImage) -> tuple[ImageThumbnail, bytes]:
    return ImageThumbnail(width=4, height=2), bytes([200, 100, 50]) * 8


@pytest.fixture
def picture(tmp_path: Path) -> str:
    image = QImage(16, 8, QImage.Format.Format_RGB32)
    image.fill(QColor("green"))
    path = tmp_path / "garden.png"
    assert image.save(str(path))
    return str(path)


@pytest.fixture
async def chats(session: FakeSession, tasks: TaskSpawner, notifier: Notifier) -> ChatController:
    session.reply(ListModels, ModelList(models=(BLIND, SEEING), default="seeing"))
    session.reply(ListCollections, CollectionList(collections=()))
    session.reply(SaveDraft, Empty())
    session.reply(CreateConversation, ENTRY)
    session.reply(UpdateConversation, ENTRY)
    session.reply(ChooseModel, SEEING)
    session.reply(GetImage, pixels)
    session.reply(AttachImage, lambda request: replace(GARDEN, name=request.name))
    return ChatController(session, tasks, notifier)


@pytest.fixture
async def pane(chats: ChatController, session: FakeSession, theme: Theme, qtbot: QtBot) -> ChatPane:
    pane = ChatPane(chats, session, theme)
    qtbot.addWidget(pane)
    pane.resize(700, 600)
    pane.show()
    session.connect_now()
    await until(lambda: pane.models.has_models)
    return pane


def send_button(pane: ChatPane) -> QToolButton:
    return next(b for b in pane.composer.findChildren(QToolButton) if b.accessibleName() == "Send")


async def ready(chats: ChatController, n: int = 1) -> None:
    await until(lambda: [item.state for item in chats.current.images.items] == [READY] * n)


def test_images_are_known_by_their_names() -> None:
    assert is_image("/a/B.JPG")
    assert not is_image("/a/b.pdf")
    assert "*.png" in patterns()


def test_files_that_cannot_be_attached_say_why(
    picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_image(picture).startswith(b"\x89PNG")
    with pytest.raises(FileError, match="unreadable"):
        read_image(str(tmp_path / "gone.png"))
    (tmp_path / "empty.png").touch()
    with pytest.raises(FileError, match="empty"):
        read_image(str(tmp_path / "empty.png"))
    monkeypatch.setattr(image_files, "MAX_BYTES", 20)
    with pytest.raises(FileError, match="larger than"):
        read_image(picture)
    with pytest.raises(FileError, match="too_large"):
        png_of(QImage(picture), "Pasted image")
    with pytest.raises(FileError, match="clipboard"):
        png_of(QImage(), "Pasted image")


async def test_a_file_is_sent_as_it_is_and_shown(pane: ChatPane, session: FakeSession, picture: str) -> None:
    pane.take_files([picture])
    await until(lambda: session.sent(AttachImage))
    assert session.sent(AttachImage) == [AttachImage(name="garden.png")]
    assert session.payloads[session.requests.index(AttachImage(name="garden.png"))] == (
        Path(picture).read_bytes()
    )
    await until(lambda: pane.composer.chips.chips and pane.composer.chips.chips[0].item.state == READY)
    (chip,) = pane.composer.chips.chips
    assert chip.accessibleName() == "garden.png: 1600 × 800"
    assert pane.composer.chips.isVisible()
    pane.grab()
    await until(lambda: session.sent(GetImage))
    assert "this image" in pane.composer.edit.placeholderText()
    chip.remove_button.click()
    assert not pane.composer.chips.isVisible()
    assert pane.composer.edit.placeholderText() == "Ask about your documents"


async def test_other_files_go_to_the_library(pane: ChatPane, picture: str, qtbot: QtBot) -> None:
    with qtbot.waitSignal(pane.files_pasted) as blocker:
        pane.take_files([picture, "/tmp/a.pdf"])
    assert blocker.args == [["/tmp/a.pdf"]]
    assert len(pane.composer.chips.chips) == 1


async def test_a_pasted_picture_is_attached_but_text_stays_text(
    pane: ChatPane, session: FakeSession, picture: str
) -> None:
    mime = QMimeData()
    mime.setImageData(QImage(picture))
    assert pane.composer.edit.canInsertFromMimeData(mime)
    pane.composer.edit.insertFromMimeData(mime)
    await until(lambda: session.sent(AttachImage))
    payload = session.payloads[session.requests.index(AttachImage(name="Pasted image"))]
    assert QImage.fromData(payload).size() == QSize(16, 8)
    mime.setText("words that an office program copied with their picture")
    pane.composer.edit.insertFromMimeData(mime)
    assert pane.composer.text().startswith("words")
    assert len(session.sent(AttachImage)) == 1
    from_browser = QMimeData()
    from_browser.setImageData(QImage(picture))
    from_browser.setUrls([QUrl("https://example.org/a.png")])
    pane.composer.edit.insertFromMimeData(from_browser)
    await until(lambda: len(session.sent(AttachImage)) == 2)


async def test_the_images_go_along_with_the_question(
    pane: ChatPane, chats: ChatController, session: FakeSession, picture: str
) -> None:
    gate = asyncio.Event()

    async def slow(request: AttachImage) -> ImageAttachment:
        await gate.wait()
        return GARDEN

    session.reply(AttachImage, slow)
    session.script(Ask, [STARTED, DONE])
    pane.take_files([picture])
    QTest.keyClicks(pane.composer.edit, "What is this?")
    assert not send_button(pane).isEnabled()
    assert "still being read" in send_button(pane).toolTip()
    QTest.keyClick(pane.composer.edit, Qt.Key.Key_Return)
    assert not session.sent(Ask)
    gate.set()
    await ready(chats)
    QTest.keyClick(pane.composer.edit, Qt.Key.Key_Return)
    await until(lambda: session.sent(Ask))
    assert session.sent(Ask)[0].images == (GARDEN,)
    assert not chats.current.images.items
    assert not pane.composer.chips.isVisible()


async def test_asking_again_takes_the_images_again(chats: ChatController, session: FakeSession) -> None:
    asked = replace(question(1, "What is this?"), images=(GARDEN,))
    session.reply(GetConversation, Conversation(entry=ENTRY, messages=(asked, answer(1, "A garden."))))
    session.script(Ask, [STARTED, DONE])
    chats.open("c1")
    await until(lambda: chats.current.id == "c1")
    chats.retry("a1")
    await until(lambda: session.sent(Ask))
    assert session.sent(Ask)[0].images == (GARDEN,)


async def test_a_model_that_cannot_read_images_says_so_before_sending(
    pane: ChatPane, chats: ChatController, session: FakeSession, picture: str
) -> None:
    pane.models.set_current("blind")
    chats.choose_model("blind")
    pane.take_files([picture])
    await ready(chats)
    QTest.keyClicks(pane.composer.edit, "What is this?")
    notice = pane.composer.notice
    assert notice.text == "blind cannot read images."
    assert [button.text() for button in notice.buttons] == [
        "Use seeing",
        "Add to the library instead",
        "Remove",
    ]
    QTest.keyClick(pane.composer.edit, Qt.Key.Key_Return)
    assert not session.sent(Ask)
    notice.buttons[0].click()
    assert not notice.isVisible()
    assert pane.models.current == "seeing"
    assert send_button(pane).isEnabled()
    await until(lambda: session.sent(ChooseModel)[-1:] == [ChooseModel(name="seeing")])


async def test_without_any_model_for_images_it_leads_to_one(
    pane: ChatPane, chats: ChatController, session: FakeSession, picture: str, qtbot: QtBot
) -> None:
    session.reply(ListModels, ModelList(models=(BLIND,), default="blind"))
    chats.list_fit()
    await until(lambda: pane.models.current == "blind")
    pane.take_files([picture])
    await ready(chats)
    get, library, _remove = pane.composer.notice.buttons
    with qtbot.waitSignal(pane.catalogue_requested):
        get.click()
    with qtbot.waitSignal(pane.files_pasted) as blocker:
        library.click()
    assert blocker.args == [[picture]]
    assert not chats.current.images.items
    mime = QMimeData()
    mime.setImageData(QImage(picture))
    pane.composer.edit.insertFromMimeData(mime)
    await ready(chats)
    assert len(pane.composer.notice.buttons) == 2  # what was pasted is no file for the library
    pane.composer.notice.buttons[1].click()
    assert not chats.current.images.items


async def test_an_image_that_fails_says_why_and_is_not_sent(
    pane: ChatPane, chats: ChatController, session: FakeSession, picture: str
) -> None:
    session.reply(AttachImage, FileError("image.bad", "This is no image.", "Choose another."))
    pane.take_files([picture])
    await until(lambda: [item.state for item in chats.current.images.items] == [FAILED])
    assert pane.composer.notice.text == "This is no image. Choose another."
    assert "This is no image." in pane.composer.chips.chips[0].accessibleName()
    QTest.keyClicks(pane.composer.edit, "What?")
    assert not send_button(pane).isEnabled()
    pane.composer.notice.buttons[0].click()
    assert send_button(pane).isEnabled()


async def test_there_is_a_limit_and_it_is_said(
    chats: ChatController, picture: str, notifier: Notifier
) -> None:
    notices: list[Notice] = []
    notifier.subscribe(notices.append)
    chats.current.images.add_files([picture] * (MAX_IMAGES + 1))
    assert len(chats.current.images.items) == MAX_IMAGES
    assert "at most 8 images" in notices[0].message
    await ready(chats, MAX_IMAGES)


async def test_images_of_an_unsent_question_wait_for_it(
    chats: ChatController, session: FakeSession, picture: str
) -> None:
    session.reply(
        GetConversation,
        lambda request: Conversation(
            entry=replace(ENTRY, id=request.conversation_id), messages=(question(1),)
        ),
    )
    chats.open("c1")
    await until(lambda: chats.current.id == "c1")
    chats.current.images.add_files([picture])
    await ready(chats)
    chats.open("c2")
    await until(lambda: chats.current.id == "c2")
    assert not chats.current.images.items
    chats.open("c1")
    await until(lambda: chats.current.id == "c1")
    assert [item.name for item in chats.current.images.items] == ["garden.png"]


async def test_images_of_a_draft_that_is_just_being_stored_are_not_lost(
    chats: ChatController, session: FakeSession, picture: str
) -> None:
    session.reply(
        GetConversation,
        lambda request: Conversation(
            entry=replace(ENTRY, id=request.conversation_id), messages=(question(1),)
        ),
    )
    chats.current.images.add_files([picture])
    await ready(chats)
    chats.edit_draft("What is this?")
    chats.open("c2")
    await until(lambda: chats.current.id == "c2")
    assert not chats.current.images.items
    await until(lambda: session.sent(SaveDraft))
    chats.open("c1")
    await until(lambda: chats.current.id == "c1")
    assert [item.name for item in chats.current.images.items] == ["garden.png"]


async def test_what_is_taken_away_on_its_way_is_given_up(
    chats: ChatController, session: FakeSession, picture: str
) -> None:
    session.reply(AttachImage, lambda request: asyncio.Event().wait())
    chats.current.images.add_files([picture])
    await until(lambda: session.sent(AttachImage))
    chats.new()
    chats.current.images.clear()
    assert not chats.current.images.items
    chats.current.images.remove(99)


async def test_thumbnails_are_kept_up_to_a_limit(session: FakeSession, tasks: TaskSpawner) -> None:
    session.reply(GetImage, pixels)
    thumbnails = Thumbnails(session, tasks, max_bytes=40)
    assert thumbnails.image("a") is None
    assert thumbnails.image("a") is None
    await until(lambda: thumbnails.image("a"))
    assert len(session.sent(GetImage)) == 1
    shown = thumbnails.image("a")
    assert shown is not None
    assert shown.pixelColor(3, 1) == QColor(200, 100, 50)
    thumbnails.image("b")
    await until(lambda: thumbnails.image("b"))
    assert thumbnails.n_bytes == 32
    assert thumbnails.image("a") is None  # it was let go, and is asked for again
    await until(lambda: thumbnails.image("a"))


async def test_a_thumbnail_that_cannot_be_had_is_not_asked_for_again(
    session: FakeSession, tasks: TaskSpawner, theme: Theme, qtbot: QtBot
) -> None:
    session.reply(GetImage, NotFoundError("image.not_found", "It is gone."))
    thumbnails = Thumbnails(session, tasks)
    thumb = ImageThumb(GARDEN, QSize(40, 40), thumbnails, theme)
    qtbot.addWidget(thumb)
    waiting = thumb.grab().toImage()
    await until(lambda: thumbnails.failure(GARDEN.sha256))
    assert thumb.grab().toImage() != waiting
    assert "It is gone." in thumb.toolTip()
    assert len(session.sent(GetImage)) == 1
    session.reply(GetImage, (ImageThumbnail(width=9, height=9), b"short"))
    session.connect_now()
    thumb.grab()
    await until(lambda: thumbnails.failure(GARDEN.sha256))
    thumbnails.arrived.emit("another")


def test_sizes_keep_their_shape() -> None:
    assert shown_size(GARDEN, 200, 150) == QSize(200, 100)
    assert shown_size(replace(GARDEN, width=10, height=10_000), 200, 150) == QSize(24, 150)
    assert shown_size(replace(GARDEN, width=30, height=40), 200, 150) == QSize(30, 40)
    assert to_image(ImageThumbnail(width=0, height=3), b"").isNull()


async def test_a_sent_question_shows_its_images_above_its_words(
    session: FakeSession, tasks: TaskSpawner, theme: Theme, qtbot: QtBot
) -> None:
    session.reply(GetImage, pixels)
    widget = UserMessageWidget(theme, None, Thumbnails(session, tasks))
    qtbot.addWidget(widget)
    model = MessageModel()
    tall = replace(GARDEN, sha256="b" * 64, name="tall.png", width=300, height=900)

    def show(*images: ImageAttachment) -> int:
        message: ChatMessage = replace(question(0), images=images)
        model.reset([message])
        widget.show_row(model.row(0))
        height = widget.height_for(500)
        widget.resize(500, height)
        return height

    without = show()
    one = show(GARDEN)
    many = show(GARDEN, tall, replace(GARDEN, sha256="c" * 64))
    assert without < one < many
    assert [thumb.accessibleName() for thumb in widget.images][1] == "Image tall.png, 300 × 900 pixels"
    boxes = [thumb.geometry() for thumb in widget.images]
    assert all(widget.rect().contains(box) for box in boxes)
    assert all(not a.intersects(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    assert max(box.bottom() for box in boxes) < widget.text.y()
    opened: list[Any] = []
    widget.image_opened.connect(opened.append)
    widget.show()
    widget.images[1].setFocus()
    widget.grab()
    QTest.keyClick(widget.images[1], Qt.Key.Key_Space)
    assert opened == [tall]
    show()
    assert widget.images == []


async def test_an_image_opens_larger(
    pane: ChatPane, chats: ChatController, session: FakeSession, tasks: TaskSpawner
) -> None:
    viewer = ImageViewer(chats.thumbnails, tasks, pane)
    viewer.open(GARDEN)
    viewer.open(GARDEN)
    dialog = viewer.dialog
    assert dialog is not None
    assert dialog.windowTitle() == "garden.png"
    dialog.grab()
    await until(lambda: "1600 × 800" in dialog.words.text())
    assert session.sent(GetImage) == [GetImage(sha256=GARDEN.sha256, max_side=2048)]
    dialog.grab()
    dialog.reject()
    await until(lambda: viewer.dialog is None)
    session.reply(GetImage, NotFoundError("image.not_found", "It is gone.", "Attach it again."))
    viewer.open(GARDEN)
    await until(lambda: viewer.dialog and viewer.dialog.words.text() == "It is gone. Attach it again.")
    assert viewer.dialog is not None
    viewer.dialog.reject()
    await until(lambda: viewer.dialog is None)
