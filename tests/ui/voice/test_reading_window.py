"""Reading aloud in the window: messages, chosen words, new answers, the bar, the keys."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from app.core.errors import NotFoundError
from app.protocol.chat import (
    AnswerDone,
    AnswerStarted,
    AnswerToken,
    Ask,
    Conversation,
    ConversationEntry,
    GetConversation,
)
from app.protocol.system import SettingsChanged
from app.protocol.voice import ControlReading, ExtendReading, ReadAloud, ReadingProgress, StopReading
from app.ui.chat.controller import ChatController
from app.ui.chat.message_widgets import AnswerWidget, MessageWidget
from app.ui.chat.pane import ChatPane
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.viewer.pane import ViewerPane
from app.ui.voice.reading_answers import text_so_far
from app.ui.voice.reading_bar import words_of
from app.ui.voice.reading_window import ReadingParts, WindowReading
from tests.ui.chat.test_messages import answer, question
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.viewer.served import plain, serve
from tests.ui.voice.hosted import VoiceHost

ENTRY = ConversationEntry(id="c1", title="Lease", created_at=0, updated_at=1)
TEXT = (
    "The lease ends in May. **Both sides** must agree.\n\n" + "Nothing else is said. " * 200 + "\n\nThe end."
)


@dataclass
class Shown:
    """A chat, a viewer and the reading that joins them."""

    window: QWidget
    chats: ChatController
    pane: ChatPane
    viewer: ViewerPane
    reading: WindowReading
    host: VoiceHost
    session: FakeSession

    def message(self, row: int) -> MessageWidget:
        widget = self.pane.messages.widget_at(row)
        assert widget is not None
        return widget

    @property
    def marked(self) -> list[str]:
        return [m.cursor.selectedText() for m in self.message(1).text.extraSelections()]

    async def read(self, message_id: str = "a1") -> None:
        n = len(self.host.told)
        self.reading.toggle_message(message_id)
        await until(lambda: len(self.host.told) == n + 1)

    async def hear(self, words: str) -> None:
        self.host.speak(words)
        await until(lambda: words in _heard(self))


def _heard(shown: Shown) -> str:
    reading = shown.reading.controller.reading
    return reading.text[reading.sentence.start - reading.offset : reading.sentence.end - reading.offset]


@pytest.fixture
async def shown(tmp_path: Path, tasks: TaskSpawner, notifier: Notifier, theme: Theme) -> AsyncIterator[Shown]:
    session = FakeSession(tmp_path)
    host = VoiceHost(session)
    messages = (question(1), answer(1, TEXT))
    session.reply(GetConversation, Conversation(entry=ENTRY, messages=messages))
    window = QWidget()
    chats = ChatController(session, tasks, notifier, window)
    pane = ChatPane(chats, session, theme)
    viewer = ViewerPane(session, tasks, theme)
    layout = QVBoxLayout(window)
    layout.addWidget(pane, 3)
    layout.addWidget(viewer, 1)
    reading = WindowReading(ReadingParts(session, tasks, notifier, theme, chats, pane, viewer), window)
    window.resize(700, 900)
    window.show()
    window.activateWindow()
    chats.open("c1")
    await until(lambda: pane.messages.widget_at(1))
    yield Shown(window, chats, pane, viewer, reading, host, session)
    await tasks.close()
    window.close()
    window.deleteLater()
    session.deleteLater()


async def test_a_message_is_read_with_its_sentence_marked_and_in_view(shown: Shown) -> None:
    messages = shown.pane.messages
    footer = shown.message(1)
    assert isinstance(footer, AnswerWidget) and footer._footer is not None
    button = footer._footer.read_button
    assert button.accessibleName() == "Read the answer aloud"
    assert shown.reading.bar.isHidden()
    button.click()
    await until(lambda: shown.host.told)
    assert shown.session.sent(ReadAloud)[0].text == TEXT
    assert shown.reading.bar.isVisible() and "Getting ready" in shown.reading.bar.words
    assert button.accessibleName() == "Stop reading aloud"
    await shown.hear("**Both sides** must agree.")
    assert shown.marked == ["Both sides must agree."]
    assert shown.reading.bar.words == "Reading the message aloud Both sides must agree."
    assert messages._is_spoken_in_view()
    shown.host.tell(ReadingProgress(phase="preparing"))  # a skip
    await until(lambda: shown.marked == [])
    assert shown.reading.bar.words == "Reading the message aloud"
    assert shown.reading.bar.forward_button.isEnabled()
    await shown.hear("The end.")
    assert shown.marked == ["The end."] and messages._is_spoken_in_view()
    shown.host.end()
    await until(lambda: not shown.reading.controller.is_reading)
    assert shown.reading.bar.isHidden() and shown.marked == []
    assert button.accessibleName() == "Read the answer aloud"


async def test_who_scrolls_away_is_left_alone_until_they_come_back(shown: Shown) -> None:
    bar = shown.pane.messages.verticalScrollBar()
    await shown.read()
    await shown.hear("The lease ends in May.")
    assert bar.value() < bar.maximum() / 2
    bar.setValue(bar.maximum())
    await shown.hear("**Both sides** must agree.")
    assert bar.value() == bar.maximum()
    shown.reading.bar.place_button.click()
    assert shown.pane.messages._is_spoken_in_view()
    await shown.hear("The end.")
    assert bar.value() > bar.maximum() / 2


async def test_a_question_can_be_read_by_its_menu(shown: Shown) -> None:
    shown.pane.messages.verticalScrollBar().setValue(0)
    text = shown.message(0).text
    menu = text.context_menu(QPoint(2, 2))
    whole, chosen = menu.actions()[:2]
    assert whole.text() == "Read aloud" and not chosen.isEnabled()
    whole.trigger()
    menu.deleteLater()
    await until(lambda: shown.host.told)
    await shown.hear("How long does it last?")
    assert [m.cursor.selectedText() for m in text.extraSelections()] == ["How long does it last?"]


async def test_chosen_words_are_read_and_marked_in_their_message(shown: Shown) -> None:
    text = shown.message(1).text
    text.setTextCursor(text.document().find("Both sides must agree"))
    menu = text.context_menu(QPoint(2, 2))
    menu.actions()[1].trigger()
    menu.deleteLater()
    await until(lambda: shown.host.told)
    assert shown.session.sent(ReadAloud)[0].text == "Both sides** must agree"
    await shown.hear("must agree")
    assert shown.marked == ["must agree"]
    assert shown.reading.bar.words.startswith("Reading the selection aloud")


async def test_words_that_are_in_no_message_are_read_without_a_mark(shown: Shown) -> None:
    shown.pane.messages.selection_reading_requested.emit("a1", "Quite other words.", -1)
    await until(lambda: shown.host.told)
    await shown.hear("Quite other words.")
    assert shown.marked == [] and not shown.reading.bar.place_button.isVisible()


async def test_chosen_words_of_a_document_are_read(shown: Shown) -> None:
    serve(shown.session, [plain(2, "One line.\nAnother line.\n")])
    shown.viewer.open_document(2)
    await until(lambda: shown.viewer.text.is_loaded)
    assert not shown.viewer.read_selection()
    menu = shown.viewer.text.context_menu(QPoint(2, 2))
    assert not menu.actions()[0].isEnabled()
    menu.deleteLater()
    shown.viewer.text.setTextCursor(shown.viewer.text.document().find("Another line."))
    menu = shown.viewer.text.context_menu(QPoint(2, 2))
    menu.actions()[0].trigger()
    menu.deleteLater()
    await until(lambda: shown.host.told)
    assert shown.session.sent(ReadAloud)[0].text == "Another line."
    shown.reading.stop()
    shown.viewer.text.setFocus()
    shown.reading.toggle()
    await until(lambda: len(shown.host.told) == 2)


async def test_the_key_reads_the_last_answer_or_what_is_chosen_and_stops(shown: Shown) -> None:
    shown.reading.toggle()
    await until(lambda: shown.host.told)
    assert shown.session.sent(ReadAloud)[0].text == TEXT
    shown.reading.toggle()
    await until(lambda: shown.session.sent(StopReading))
    assert not shown.reading.controller.is_reading
    text = shown.message(1).text
    text.setTextCursor(text.document().find("must agree"))
    text.setFocus()
    await until(lambda: QApplication.focusWidget() is text)
    shown.reading.toggle()
    await until(lambda: len(shown.host.told) == 2)
    assert shown.session.sent(ReadAloud)[1].text == "must agree"


async def test_the_bar_is_worked_by_keyboard(shown: Shown) -> None:
    await shown.read()
    await shown.hear("The lease ends in May.")
    bar = shown.reading.bar
    bar.pause_button.setFocus()
    await until(bar.pause_button.hasFocus)
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Space):
        QTest.keyClick(bar.pause_button, key)
    await until(lambda: len(shown.session.sent(ControlReading)) == 3)
    asked = shown.session.sent(ControlReading)
    assert [(c.skip, c.paused) for c in asked] == [(-1, None), (1, None), (0, True)]
    assert bar.words.startswith("Paused") and bar.pause_button.accessibleName() == "Go on reading"
    QTest.keyClick(bar.pause_button, Qt.Key.Key_Escape)
    await until(lambda: shown.session.sent(StopReading))
    assert bar.isHidden()
    assert shown.pane.composer.edit.hasFocus()


async def test_speed_and_volume_are_chosen_in_the_bar(shown: Shown) -> None:
    await shown.read()
    bar = shown.reading.bar
    assert bar.speed_button.text() == "1×" and bar.volume_button.slider.value() == 100
    fast = next(action for action in bar._speeds.actions() if action.data() == 1.5)
    fast.trigger()
    bar.volume_button.slider.setValue(40)
    await until(lambda: len(shown.session.sent(ControlReading)) == 2)
    assert [(c.speed, c.volume) for c in shown.session.sent(ControlReading)] == [(1.5, None), (None, 0.4)]
    assert bar.speed_button.accessibleName() == "Speed, 1.5×"
    assert bar.volume_button.button.accessibleName() == "Volume, 40 %"


async def test_a_narrow_bar_keeps_every_control(shown: Shown) -> None:
    await shown.read()
    await shown.hear("The lease ends in May.")
    shown.reading.bar.setFixedWidth(280)
    await until(lambda: shown.reading.bar.width() == 280)
    bar = shown.reading.bar
    for button in (bar.back_button, bar.pause_button, bar.forward_button, bar.speed_button, bar.stop_button):
        assert button.isVisible() and bar.rect().contains(button.geometry())


def script_answer(shown: Shown, *items: object) -> None:
    started = AnswerStarted(
        conversation=ENTRY,
        question=question(2, "And then?"),
        answer=answer(2, "", parent_id="q2", state="streaming"),
    )
    shown.session.script(Ask, [started, *items])


async def test_a_new_answer_is_read_while_it_is_written(shown: Shown) -> None:
    shown.session.deliver(SettingsChanged(values={"read_answers": True}))
    more, end = asyncio.Event(), asyncio.Event()
    written = "It ends in May [1]. Then it is over [2]."
    final = answer(2, "It ends in May [1]. Then it is over.", parent_id="q2")
    script_answer(
        shown,
        AnswerToken(text="It ends in May [1"),
        more,
        AnswerToken(text="]. Then it is over [2]."),
        end,
        AnswerDone(conversation_id="c1", answer=final, found=True),
    )
    shown.chats.ask("And then?")
    await until(lambda: shown.host.told)
    first = shown.session.sent(ReadAloud)[0]
    assert (first.text, first.whole) == ("It ends in May", False)
    more.set()
    await until(lambda: shown.session.sent(ExtendReading))
    assert shown.session.sent(ExtendReading)[0].text == "It ends in May. Then it is over."
    await shown.hear("Then it is over.")
    assert shown.chats.current.model.row(3).message.text == written
    assert _marked(shown.message(3)) == ["Then it is over [2]."]
    end.set()
    await until(lambda: shown.session.sent(ExtendReading)[-1].whole)
    assert shown.session.sent(ExtendReading)[-1].text == "It ends in May. Then it is over."
    await until(lambda: _marked(shown.message(3)) == ["Then it is over."])


def _marked(message: MessageWidget) -> list[str]:
    return [mark.cursor.selectedText() for mark in message.text.extraSelections()]


async def test_an_answer_that_fails_ends_the_reading_after_what_came(shown: Shown) -> None:
    shown.reading.answers.set_wanted(True)
    gate = asyncio.Event()
    script_answer(shown, AnswerToken(text="It ends in M"), gate, NotFoundError("x.y", "It broke."))
    shown.chats.ask("And then?")
    await until(lambda: shown.host.told)
    gate.set()
    await until(lambda: shown.session.sent(ExtendReading))
    last = shown.session.sent(ExtendReading)[-1]
    assert (last.text, last.whole) == ("It ends in M", True)


async def test_a_reading_that_was_stopped_does_not_begin_again(shown: Shown) -> None:
    shown.reading.answers.set_wanted(True)
    assert shown.reading.answers.is_wanted
    gate = asyncio.Event()
    script_answer(shown, AnswerToken(text="It ends in May."), gate, AnswerToken(text=" Then more."))
    shown.chats.ask("And then?")
    await until(lambda: shown.host.told)
    shown.reading.stop()
    gate.set()
    await until(lambda: shown.chats.current.live is None)
    assert len(shown.host.told) == 1 and not shown.reading.controller.is_reading


async def test_nothing_is_read_by_itself_unless_wanted_but_on_request_while_written(shown: Shown) -> None:
    gate = asyncio.Event()
    script_answer(shown, AnswerToken(text="It ends in May."), gate)
    shown.chats.ask("And then?")
    await until(lambda: shown.chats.current.model.rowCount() == 4)
    await until(lambda: shown.chats.current.model.row(3).message.text)
    assert shown.host.told == []
    await shown.read("a2")
    assert shown.session.sent(ReadAloud)[0].whole is False
    gate.set()
    await until(lambda: shown.session.sent(ExtendReading))
    assert shown.session.sent(ExtendReading)[-1].whole


async def test_reading_goes_on_in_another_conversation_and_is_marked_on_return(shown: Shown) -> None:
    await shown.read()
    await shown.hear("The lease ends in May.")
    shown.chats.new()
    assert shown.reading.controller.is_reading and shown.reading.bar.isVisible()
    shown.chats.open("c1")
    await until(lambda: shown.pane.messages.widget_at(1))
    assert shown.marked == ["The lease ends in May."]


@pytest.mark.parametrize(
    ("text", "state", "so_far"),
    [
        ("\n It ends [1", "streaming", "It ends"),
        ("It ends [1].", "streaming", "It ends."),
        ("It ends ", "streaming", "It ends"),
        ("An [open bracket", "complete", "An [open bracket"),
    ],
)
def test_half_a_mark_is_not_read(text: str, state: str, so_far: str) -> None:
    assert text_so_far(answer(1, text, state=state)) == so_far


def test_the_bar_shows_words_without_markup() -> None:
    assert words_of("- See [the **law**](https://x.y/a_b), `now`") == "See the law , now"
    assert words_of("| May | 900 |") == "May 900"
