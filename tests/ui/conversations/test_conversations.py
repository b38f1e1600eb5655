"""The list of conversations: order, search, renaming, deleting, restoring."""

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from app.core.errors import NotFoundError
from app.protocol.chat import (
    ConversationChanged,
    ConversationEntry,
    ConversationList,
    DeleteConversation,
    ListConversations,
    RestoreConversation,
    UpdateConversation,
)
from app.protocol.system import Empty, Notice
from app.ui.conversations.controller import ConversationsController
from app.ui.conversations.model import ConversationListModel, ConversationRole
from app.ui.conversations.pane import ConversationPane
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession


def entry(number: int, title: str = "") -> ConversationEntry:
    return ConversationEntry(id=f"c{number}", title=title, created_at=number, updated_at=number)


def titles(model: Any) -> list[str]:
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_the_model_keeps_the_last_used_first(qtmodeltester: Any) -> None:
    model = ConversationListModel()
    qtmodeltester.check(model)
    model.reset([entry(1, "a"), entry(3, "c"), entry(2, "")])
    assert titles(model) == ["c", "New conversation", "a"]
    model.upsert(entry(4, "d"))
    assert titles(model) == ["d", "c", "New conversation", "a"]
    model.upsert(replace(entry(1, "a again"), updated_at=5))
    assert titles(model) == ["a again", "d", "c", "New conversation"]
    model.upsert(replace(entry(1, "a last"), updated_at=0))
    assert titles(model) == ["d", "c", "New conversation", "a last"]
    model.upsert(entry(3, "c renamed"))
    assert titles(model)[1] == "c renamed"
    model.remove("c4")
    model.remove("nothing")
    assert titles(model) == ["c renamed", "New conversation", "a last"]
    assert model.data(model.index(0), ConversationRole.ENTRY) == entry(3, "c renamed")
    assert model.data(model.index(9)) is None
    assert model.data(model.index(0), Qt.ItemDataRole.DecorationRole) is None
    assert model.entry(0).id == "c3"
    assert not model.flags(model.index(9)) & Qt.ItemFlag.ItemIsEditable


def test_an_edited_title_is_a_wish(qtbot: QtBot) -> None:
    model = ConversationListModel()
    model.reset([entry(1, "Old")])
    with qtbot.waitSignal(model.rename_requested) as blocker:
        assert model.setData(model.index(0), "  New \n title ")
    assert blocker.args == ["c1", "New title"]
    assert titles(model) == ["Old"]
    for refused in ("", "   ", "Old"):
        assert not model.setData(model.index(0), refused)
    assert not model.setData(model.index(0), "x", Qt.ItemDataRole.DisplayRole)


@pytest.fixture
def controller(session: FakeSession, tasks: TaskSpawner) -> ConversationsController:
    session.reply(ListConversations, ConversationList(conversations=(entry(2, "Two"), entry(1, "One"))))
    session.reply(DeleteConversation, Empty())
    session.reply(RestoreConversation, entry(1, "One"))
    session.reply(UpdateConversation, entry(1, "One"))
    return ConversationsController(session, tasks)


async def test_the_list_follows_the_host(controller: ConversationsController, session: FakeSession) -> None:
    loaded: list[int] = []
    controller.loaded.connect(lambda: loaded.append(1))
    session.connect_now()
    await until(lambda: loaded)
    assert titles(controller.model) == ["Two", "One"]
    session.deliver(ConversationChanged(conversation=entry(3, "Three")))
    session.deliver(ConversationChanged(conversation=entry(2, "Two"), deleted=True))
    assert titles(controller.model) == ["Three", "One"]


async def test_wishes_go_to_the_host(controller: ConversationsController, session: FakeSession) -> None:
    deleted: list[ConversationEntry] = []
    controller.deleted.connect(deleted.append)
    controller.rename("c1", "Uno")
    controller.delete(entry(1, "One"))
    await until(lambda: deleted)
    controller.restore(deleted[0])
    await until(lambda: session.sent(RestoreConversation))
    assert session.sent(UpdateConversation) == [UpdateConversation(conversation_id="c1", title="Uno")]
    assert session.sent(RestoreConversation) == [RestoreConversation(conversation_id="c1")]


async def test_a_failed_deletion_is_told_and_not_offered_for_undo(
    controller: ConversationsController, session: FakeSession, notifier: Notifier
) -> None:
    notices: list[Notice] = []
    notifier.subscribe(notices.append)
    deleted: list[Any] = []
    controller.deleted.connect(deleted.append)
    session.reply(DeleteConversation, NotFoundError("conversation.not_found", "It is gone."))
    controller.delete(entry(1))
    await until(lambda: notices)
    assert notices[0].message == "It is gone."
    assert not deleted


@pytest.fixture
def pane(theme: Theme, qtbot: QtBot) -> ConversationPane:
    pane = ConversationPane(ConversationListModel(), theme)
    qtbot.addWidget(pane)
    pane.resize(240, 500)
    pane.show()
    return pane


def words(pane: ConversationPane) -> str:
    return "\n".join(label.text() for label in pane.findChildren(QLabel) if label.isVisible())


def fill(pane: ConversationPane) -> None:
    pane._model.reset([entry(k, f"Conversation {k}") for k in range(1, 6)])


def test_an_empty_list_says_how_to_begin(pane: ConversationPane) -> None:
    assert "Ask something to begin the first" in words(pane)
    fill(pane)
    assert "Ask something" not in words(pane)
    assert pane.list.isVisible()


def test_search_filters_titles(pane: ConversationPane) -> None:
    fill(pane)
    search = pane.findChild(QLineEdit)
    assert search is not None
    pane.focus_search()
    search.setText(" tion 3")
    assert titles(pane.list.model()) == ["Conversation 3"]
    search.setText("nowhere")
    assert "No title holds these words." in words(pane)
    search.clear()
    assert pane.list.model().rowCount() == 5


def test_click_and_enter_open(pane: ConversationPane, qtbot: QtBot) -> None:
    fill(pane)
    first = pane.list.model().index(0, 0)
    with qtbot.waitSignal(pane.open_requested) as blocker:
        QTest.mouseClick(
            pane.list.viewport(),
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            pane.list.visualRect(first).center(),
        )
    assert blocker.args == ["c5"]
    pane.list.setCurrentIndex(pane.list.model().index(2, 0))
    with qtbot.waitSignal(pane.open_requested) as blocker:
        QTest.keyClick(pane.list, Qt.Key.Key_Return)
    assert blocker.args == ["c3"]
    with qtbot.waitSignal(pane.delete_requested) as blocker:
        QTest.keyClick(pane.list, Qt.Key.Key_Delete)
    assert blocker.args == [entry(3, "Conversation 3")]
    QTest.keyClick(pane.list, Qt.Key.Key_Down)
    assert pane.list.currentIndex().row() == 3


def test_nothing_chosen_is_nothing_to_delete(pane: ConversationPane, qtbot: QtBot) -> None:
    fill(pane)
    pane.show_current(None)
    with qtbot.assertNotEmitted(pane.delete_requested):
        QTest.keyClick(pane.list, Qt.Key.Key_Delete)


def test_a_title_is_renamed_in_place(pane: ConversationPane, qtbot: QtBot) -> None:
    fill(pane)
    index = pane.list.model().index(1, 0)
    pane.list.setCurrentIndex(index)
    menu = pane.new_menu(index)
    next(action for action in menu.actions() if action.text() == "Rename").trigger()
    editor = pane.list.viewport().findChild(QLineEdit)
    assert editor is not None
    editor.setText("Another title")
    with qtbot.waitSignal(pane._model.rename_requested) as blocker:
        QTest.keyClick(editor, Qt.Key.Key_Return)
    assert blocker.args == ["c4", "Another title"]


def test_the_open_one_stays_marked(pane: ConversationPane) -> None:
    fill(pane)
    pane.show_current("c2")
    assert pane.list.currentIndex().data() == "Conversation 2"
    pane._model.upsert(replace(entry(2, "Conversation 2"), updated_at=99))
    assert pane.list.currentIndex().row() == 0
    pane._model.reset([])
    fill(pane)
    assert pane.list.currentIndex().data() == "Conversation 2"
    pane.grab()


def test_the_button_of_a_row_opens_its_menu(pane: ConversationPane, qtbot: QtBot) -> None:
    fill(pane)
    index = pane.list.model().index(0, 0)
    rect = pane.list.visualRect(index)
    place = QPoint(rect.right() - 24, rect.center().y())
    for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease):
        event = QMouseEvent(
            kind,
            QPointF(place),
            QPointF(pane.list.viewport().mapToGlobal(place)),
            Qt.MouseButton.LeftButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(pane.list.viewport(), event)
    menu = next(menu for menu in pane.findChildren(QMenu) if menu.isVisible())
    assert [action.text() for action in menu.actions()] == ["Rename", "Delete"]
    with qtbot.waitSignal(pane.delete_requested):
        menu.actions()[1].trigger()
    menu.close()
    pane.list.customContextMenuRequested.emit(rect.center())
    menu = next(menu for menu in pane.findChildren(QMenu) if menu.isVisible())
    menu.close()
    pane.list.customContextMenuRequested.emit(QPoint(5, 5000))


def test_the_focus_goes_to_the_list_or_the_first_button(pane: ConversationPane, qtbot: QtBot) -> None:
    pane.activateWindow()
    pane.focus_list()
    fill(pane)
    pane.focus_list()
    qtbot.waitUntil(lambda: pane.list.hasFocus() or not pane.isActiveWindow())
    pane.grab()
