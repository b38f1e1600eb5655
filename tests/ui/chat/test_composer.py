"""The composer and the choosers beside it."""

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from app.protocol.library import Collection
from app.protocol.models import ModelChanged, ModelEntry, ModelList
from app.protocol.search import Scope
from app.ui.chat.choosers import ScopeChooser
from app.ui.chat.composer import Composer
from app.ui.chat.model_chooser import ModelChooser
from app.ui.chat.thumbnails import Thumbnails
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.fakes import FakeSession


@pytest.fixture
async def composer(theme: Theme, qtbot: QtBot, session: FakeSession, tasks: TaskSpawner) -> Composer:
    composer = Composer(theme, Thumbnails(session, tasks))
    qtbot.addWidget(composer)
    composer.resize(500, 120)
    composer.show()
    return composer


def button(composer: Composer, name: str) -> QToolButton:
    return next(b for b in composer.findChildren(QToolButton) if b.accessibleName() == name)


def test_enter_sends_and_shift_enter_begins_a_line(composer: Composer, qtbot: QtBot) -> None:
    QTest.keyClicks(composer.edit, "one")
    QTest.keyClick(composer.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(composer.edit, "two  ")
    assert composer.text() == "one\ntwo  "
    with qtbot.waitSignal(composer.send_requested) as blocker:
        QTest.keyClick(composer.edit, Qt.Key.Key_Return)
    assert blocker.args == ["one\ntwo"]


def test_nothing_is_sent_without_text_or_while_busy(composer: Composer, qtbot: QtBot) -> None:
    assert not button(composer, "Send").isEnabled()
    with qtbot.assertNotEmitted(composer.send_requested):
        QTest.keyClicks(composer.edit, "  ")
        QTest.keyClick(composer.edit, Qt.Key.Key_Return)
        composer.set_text("question")
        composer.set_busy(True)
        QTest.keyClick(composer.edit, Qt.Key.Key_Enter)
    assert composer.text() == "question"


def test_the_button_sends_or_stops(composer: Composer, qtbot: QtBot) -> None:
    composer.set_text("question")
    with qtbot.waitSignal(composer.send_requested):
        button(composer, "Send").click()
    composer.set_busy(True)
    with qtbot.waitSignal(composer.stop_requested):
        button(composer, "Stop").click()
    composer.set_busy(False)
    assert button(composer, "Send").isEnabled()


def test_it_grows_with_its_text_up_to_a_limit(composer: Composer) -> None:
    one = composer.edit.height()
    composer.set_text("a\nb\nc")
    three = composer.edit.height()
    composer.set_text("line\n" * 50)
    assert one < three < composer.edit.height() < 300
    composer.set_text("")
    assert composer.edit.height() == one


def test_only_the_users_own_edits_are_told(composer: Composer, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(composer.text_edited):
        composer.set_text("a stored draft")
    with qtbot.waitSignal(composer.text_edited) as blocker:
        QTest.keyClicks(composer.edit, "!")
    assert blocker.args == ["a stored draft!"]


def test_pasting_files_adds_them_and_pasting_text_stays_text(composer: Composer, qtbot: QtBot) -> None:
    files = QMimeData()
    files.setUrls([QUrl.fromLocalFile("/tmp/a.pdf")])
    assert composer.edit.canInsertFromMimeData(files)
    with qtbot.waitSignal(composer.files_pasted) as blocker:
        composer.edit.insertFromMimeData(files)
    assert blocker.args == [["/tmp/a.pdf"]]
    text = QMimeData()
    text.setHtml("<b>bold</b>")
    text.setText("bold")
    composer.edit.insertFromMimeData(text)
    assert composer.text() == "bold"
    picture = QMimeData()
    picture.setData("image/png", b"x")
    assert not composer.edit.canInsertFromMimeData(picture)
    composer.edit.insertFromMimeData(picture)
    assert composer.text() == "bold"


def test_the_frame_shows_the_focus(composer: Composer) -> None:
    composer.edit.setFocus()
    QTest.qWaitForWindowActive(composer)
    composer.edit.clearFocus()
    assert composer.property("role") in ("composer", "composer-focused")


def test_attaching_is_passed_on(composer: Composer, qtbot: QtBot) -> None:
    with qtbot.waitSignal(composer.attach_requested):
        button(composer, "Add files to the library").click()


def model(name: str, state: str = "available", problem: str = "") -> ModelEntry:
    return ModelEntry(name=name, path=f"/m/{name}", size_bytes=150_000_000, state=state, problem=problem)


def test_the_model_chooser_lists_states_and_chooses(theme: Theme, qtbot: QtBot) -> None:
    chooser = ModelChooser(theme)
    qtbot.addWidget(chooser)
    assert chooser.accessibleName() == "Model: none"
    assert not chooser.menu().actions()[0].isEnabled()
    chooser.set_models(
        ModelList(models=(model("big"), model("bad", "broken", "It is damaged.")), default="big")
    )
    assert chooser.current == "big"
    entries = {action.data(): action for action in chooser.menu().actions()}
    assert entries["big"].isChecked()
    assert not entries["bad"].isEnabled()
    assert "It is damaged." in entries["bad"].toolTip()
    chooser.apply_change(ModelChanged(model=model("small", "loading"), progress=0.4))
    entries = {action.data(): action for action in chooser.menu().actions()}
    assert "40 %" in entries["small"].text()
    with qtbot.waitSignal(chooser.model_chosen) as blocker:
        entries["small"].trigger()
    assert blocker.args == ["small"]
    assert chooser.accessibleName() == "Model: small"
    chooser.apply_change(ModelChanged(model=model("small", "loaded")))
    assert "ready" in next(a.text() for a in chooser.menu().actions() if a.data() == "small")
    chooser.set_current("")
    assert chooser.current == "big"


def test_a_chooser_without_room_shows_its_icon_and_no_torn_letters(theme: Theme, qtbot: QtBot) -> None:
    chooser = ScopeChooser(theme)
    qtbot.addWidget(chooser)
    chooser.show()
    assert chooser.words_shown()
    chooser.resize(chooser.minimumSizeHint())
    assert not chooser.words_shown()
    bare = chooser.grab().toImage()
    chooser.setText("")
    chooser.resize(bare.size())
    assert chooser.grab().toImage() == bare


COLLECTIONS = (Collection(id=1, name="My documents", n_files=3), Collection(id=2, name="R & D"))


def test_the_scope_chooser_offers_all_some_or_none(theme: Theme, qtbot: QtBot) -> None:
    chooser = ScopeChooser(theme)
    qtbot.addWidget(chooser)
    chooser.set_collections(COLLECTIONS)
    chosen: list[Scope] = []
    chooser.scope_chosen.connect(chosen.append)
    boxes = {collection.name: box for collection, box in chooser._boxes}
    boxes["R & D"].click()
    boxes["My documents"].click()
    assert chosen[-1] == Scope(kind="some", collection_ids=(1, 2))
    assert chooser.accessibleName() == "Documents used: My documents, R & D"
    boxes["R & D"].setFocus()
    chooser.menu().grab()
    assert boxes["R & D"].text() == "R && D  (0)"
    boxes["R & D"].click()
    boxes["My documents"].click()
    assert chosen[-1] == Scope()
    none = next(a for a in chooser.menu().actions() if a.data() == "none")
    none.trigger()
    assert chosen[-1] == Scope(kind="none")
    assert chooser.scope == Scope(kind="none")
    assert "No documents" in chooser.text()
    chooser.set_scope(Scope(kind="some", collection_ids=(99,)))
    assert "No collection" in chooser.text()
    chooser.set_scope(Scope())
    assert "All documents" in chooser.text()


def test_files_dragged_over_the_text_are_left_to_the_window(composer: Composer) -> None:
    for data, taken in ((QMimeData(), False), (QMimeData(), True)):
        if taken:
            data.setText("words")
        else:
            data.setUrls([QUrl.fromLocalFile("/tmp/a.pdf")])
        event = QDragEnterEvent(
            QPoint(5, 5),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        event.ignore()
        QApplication.sendEvent(composer.edit.viewport(), event)
        assert event.isAccepted() is taken
