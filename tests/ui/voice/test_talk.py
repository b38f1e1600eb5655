"""Push to talk: button, strip, text, and what is said when it cannot be."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from app.core.errors import AppError
from app.protocol.voice import FinishListening, Listen
from app.ui.chat.composer import Composer, spaced
from app.ui.chat.thumbnails import Thumbnails
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.voice.microphone_button import HOLD_MS
from app.ui.voice.problem_notice import ProblemNotice
from app.ui.voice.talk_controller import TalkController
from app.ui.voice.talk_settings import TalkSettings
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.voice.listening import ListeningHost

NO_MICROPHONE = AppError("microphone.none", "No microphone is plugged in.", "Plug one in.")


@dataclass
class Talking:
    """A composer that can be talked to, and what came of it."""

    composer: Composer
    notice: ProblemNotice
    talk: TalkController
    host: ListeningHost
    session: FakeSession
    sent: list[str] = field(default_factory=list)
    wishes: list[str] = field(default_factory=list)

    @property
    def steps(self) -> list[str]:
        return [button.text() for button in self.composer.voice_notice.buttons]

    def step(self, words: str) -> QPushButton:
        return next(b for b in self.composer.voice_notice.buttons if b.text() == words)

    async def begin(self, phase: str = "hearing") -> None:
        """Talk, with the microphone open."""
        before = len(self.host.listens)
        self.talk.talk()
        assert len(self.host.listens) == before + 1
        self.host.hear(phase)
        await until(lambda: self.talk.listener.phase == phase)

    async def say(self, text: str, ended_by: str = "finish", **more: object) -> None:
        """Talk to the end."""
        await self.begin()
        self.host.record(text, ended_by, **more)
        await until(lambda: not self.talk.is_active)


@pytest.fixture
async def talking(
    theme: Theme, qtbot: QtBot, session: FakeSession, tasks: TaskSpawner
) -> AsyncIterator[Talking]:
    host = ListeningHost(session)
    composer = Composer(theme, Thumbnails(session, tasks))
    qtbot.addWidget(composer)
    composer.resize(560, 200)
    composer.show()
    notice = ProblemNotice(composer.voice_notice, composer)
    talk = TalkController(session, tasks, composer, notice, composer)
    composer.strip.finish_requested.connect(talk.finish)
    composer.strip.cancel_requested.connect(talk.cancel)
    result = Talking(composer, notice, talk, host, session)
    composer.send_requested.connect(result.sent.append)
    notice.settings_requested.connect(lambda: result.wishes.append("settings"))
    notice.models_requested.connect(lambda: result.wishes.append("models"))
    notice.retry_requested.connect(talk.talk)
    yield result


async def test_the_strip_shows_the_open_microphone_from_wish_to_text(talking: Talking) -> None:
    strip = talking.composer.strip
    assert strip.isHidden()
    talking.talk.talk()
    assert strip.isVisible() and strip.sign.is_open
    assert strip.title == "Opening the microphone…"
    assert not strip.finish_button.isEnabled()
    talking.host.hear("listening", 61.2, level_db=-12.0, peaks=(0.5, 0.25))
    talking.host.understand("how long is")
    await until(lambda: strip.partial.text() == "how long is")
    assert (strip.title, strip.elapsed) == ("Recording", "1:01")
    assert strip.hint == "The microphone is open"
    assert strip.waveform.peaks == (0.5, 0.25)
    assert strip.meter.share == pytest.approx(0.8)
    strip.finish_button.click()
    await until(lambda: talking.session.sent(FinishListening))
    talking.host.hear("transcribing", 62.0)
    await until(lambda: not strip.sign.is_open)
    assert strip.title == "Understanding…"
    assert strip.busy.isVisible() and not strip.sign.isVisible() and not strip.waveform.isVisible()
    assert not talking.composer.voice.talk.isEnabled()
    talking.host.record("How long is the warranty?")
    await until(lambda: talking.composer.text() == "How long is the warranty?")
    assert strip.isHidden()
    assert talking.composer.voice.talk.isEnabled()
    assert talking.sent == []


async def test_the_text_goes_where_the_cursor_is(talking: Talking) -> None:
    edit = talking.composer.edit
    talking.composer.set_text("Please tell me. Thanks")
    cursor = edit.textCursor()
    cursor.setPosition(14)
    edit.setTextCursor(cursor)
    await talking.say(" when it ends")
    assert talking.composer.text() == "Please tell me when it ends. Thanks"
    cursor = edit.textCursor()
    cursor.setPosition(0)
    cursor.setPosition(6, cursor.MoveMode.KeepAnchor)
    edit.setTextCursor(cursor)
    await talking.say("Now")
    assert talking.composer.text().startswith("Now tell me")
    edit.undo()
    assert talking.composer.text().startswith("Please tell me")


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("", "", "Yes."),
        ("So", "", " Yes."),
        ("So ", "then", "Yes. "),
        ("(", ")", "Yes."),
        ("So\n", ", then", "Yes."),
        ("日本", "語", "Yes."),
    ],
)
def test_spaces_stand_where_words_would_meet(before: str, after: str, wanted: str) -> None:
    assert spaced("Yes.", before, after) == wanted
    assert spaced("", before, after) == ""


async def test_what_was_said_is_sent_at_once_where_that_is_set(talking: Talking) -> None:
    talking.talk.settings = TalkSettings(send_at_once=True)
    await talking.say("How long?")
    assert talking.sent == ["How long?"]
    talking.composer.set_text("")
    talking.composer.set_busy(True)
    await talking.say("And then?")
    assert talking.sent == ["How long?"]
    assert "An answer is still being written" in talking.notice.text
    talking.composer.set_busy(False)
    talking.composer.set_text("")
    await talking.begin()
    talking.talk.on_conversation_left()
    talking.host.record("For the other one")
    await until(lambda: talking.composer.text() == "For the other one")
    assert talking.sent == ["How long?"]


async def test_a_click_begins_and_a_second_one_finishes(talking: Talking) -> None:
    button = talking.composer.voice.talk
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert talking.talk.listener.phase == "opening"
    assert button.accessibleName() == "Finish talking"
    talking.host.hear()
    await until(lambda: talking.talk.listener.phase == "listening")
    assert not talking.session.sent(FinishListening)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    await until(lambda: talking.session.sent(FinishListening))
    talking.host.record("Clicked")
    await until(lambda: talking.composer.text() == "Clicked")
    assert button.accessibleName() == "Talk"
    assert len(talking.host.listens) == 1


async def test_the_button_talks_while_it_is_held(talking: Talking) -> None:
    button = talking.composer.voice.talk
    QTest.mousePress(button, Qt.MouseButton.LeftButton)
    talking.host.hear()
    await until(lambda: talking.talk.listener.phase == "listening")
    assert button.is_held
    await asyncio.sleep((HOLD_MS + 40) / 1000)
    QTest.mouseRelease(button, Qt.MouseButton.LeftButton)
    await until(lambda: talking.session.sent(FinishListening))
    talking.host.record("Held")
    await until(lambda: talking.composer.text() == "Held")


async def test_leaving_the_window_lets_go_of_the_button(talking: Talking) -> None:
    button = talking.composer.voice.talk
    QTest.mousePress(button, Qt.MouseButton.LeftButton)
    talking.host.hear()
    await until(lambda: talking.talk.listener.phase == "listening")
    await asyncio.sleep((HOLD_MS + 40) / 1000)
    QApplication.sendEvent(button, QEvent(QEvent.Type.WindowDeactivate))
    assert not button.is_held
    await until(lambda: talking.session.sent(FinishListening))
    QTest.mouseRelease(button, Qt.MouseButton.LeftButton)
    talking.host.record("Left")
    await until(lambda: talking.composer.text() == "Left")
    assert len(talking.session.sent(FinishListening)) == 1


async def test_the_keyboard_works_the_button(talking: Talking) -> None:
    button = talking.composer.voice.talk
    places: list[QPoint] = []
    button.menu_requested.connect(places.append)
    QTest.keyClick(button, Qt.Key.Key_Down)
    assert len(places) == 1
    talking.composer.voice.menu.close()
    QTest.keyClick(button, Qt.Key.Key_Space)
    talking.host.hear()
    await until(lambda: talking.talk.listener.phase == "listening")
    for _ in range(3):
        QTest.keyClick(button, Qt.Key.Key_Space)  # X11 repeats a held key so, without saying that it does
    assert talking.talk.listener.phase == "listening" and not talking.session.sent(FinishListening)
    QTest.keyClick(button, Qt.Key.Key_Return)
    await until(lambda: talking.session.sent(FinishListening))
    QTest.keyClick(button, Qt.Key.Key_A)
    assert len(talking.host.listens) == 1
    talking.host.record("Typed")
    await until(lambda: talking.composer.text() == "Typed")


async def test_letting_go_before_it_is_open_closes_it_and_says_so(talking: Talking) -> None:
    talking.talk.on_key_pressed()
    assert talking.talk.listener.phase == "opening"
    talking.talk.on_key_released()
    assert talking.session.cancelled == talking.session.sent(Listen)
    await until(lambda: not talking.talk.is_active)
    assert not talking.session.sent(FinishListening)
    assert "still being opened" in talking.notice.text
    assert talking.composer.strip.isHidden()


async def test_the_key_talks_while_it_is_held(talking: Talking) -> None:
    talking.talk.on_key_pressed()
    talking.host.hear()
    await until(lambda: talking.talk.listener.phase == "listening")
    talking.talk.on_key_released()
    await until(lambda: len(talking.session.sent(FinishListening)) == 1)
    talking.host.record("")
    await until(lambda: not talking.talk.is_active)
    await talking.begin()
    talking.talk.on_key_pressed()  # finishes what the button began
    talking.talk.on_key_released()
    await until(lambda: len(talking.session.sent(FinishListening)) == 2)


async def test_cancel_keeps_the_sign_until_the_microphone_is_closed(talking: Talking) -> None:
    await talking.begin()
    stream = talking.host.listens[-1]
    told: list[None] = []
    stream.cancel = lambda: told.append(None)  # type: ignore[method-assign]  # the host takes its time
    QTest.keyClick(talking.composer.strip.cancel_button, Qt.Key.Key_Escape)
    assert len(told) == 1
    assert talking.composer.strip.sign.is_open
    assert talking.composer.strip.title == "Closing the microphone…"
    assert not talking.composer.strip.cancel_button.isEnabled()
    talking.host.hear("hearing")
    talking.host.understand("too late")
    await asyncio.sleep(0.02)
    assert talking.composer.strip.title == "Closing the microphone…"
    talking.host.record("too late")
    await until(lambda: not talking.talk.is_active)
    assert talking.composer.text() == ""
    assert talking.composer.strip.isHidden()


async def test_a_microphone_that_cannot_be_finished_is_cancelled(talking: Talking) -> None:
    talking.session.reply(FinishListening, AppError("host.lost", "Lost."))
    await talking.begin()
    talking.talk.finish()
    await until(lambda: talking.session.cancelled == talking.session.sent(Listen))
    await until(lambda: not talking.talk.is_active)


@pytest.mark.parametrize(
    ("code", "steps"),
    [
        ("microphone.none", ["Try again", "Voice settings…"]),
        ("microphone.not_found", ["Try again", "Voice settings…"]),
        ("microphone.denied", ["Try again", "Voice settings…"]),
        ("microphone.busy", ["Try again", "Voice settings…"]),
        ("speech.none", ["Models…"]),
        ("speech.model_damaged", ["Models…", "Try again"]),
        ("speech.not_multilingual", ["Models…", "Voice settings…"]),
        ("worker.died", ["Try again", "Voice settings…"]),
        ("host.lost", ["Try again"]),
    ],
)
async def test_errors_are_said_with_the_steps_that_help(
    talking: Talking, code: str, steps: list[str]
) -> None:
    talking.talk.talk()
    talking.host.break_off(AppError(code, "It did not work.", "Do this."))
    await until(lambda: talking.notice.text == "It did not work. Do this.")
    assert talking.steps == steps
    assert talking.composer.strip.isHidden()
    assert not talking.talk.is_active


async def test_the_steps_lead_where_they_say(talking: Talking) -> None:
    talking.talk.talk()
    talking.host.break_off(NO_MICROPHONE)
    await until(lambda: talking.steps)
    talking.step("Voice settings…").click()
    assert talking.wishes == ["settings"]
    talking.step("Try again").click()
    assert talking.notice.text == ""
    assert len(talking.host.listens) == 2
    talking.host.break_off(AppError("speech.none", "No model."))
    await until(lambda: talking.steps == ["Models…"])
    talking.step("Models…").click()
    assert talking.wishes == ["settings", "models"]


async def test_a_doubtful_text_is_not_given_silently(talking: Talking) -> None:
    talking.talk.settings = TalkSettings(send_at_once=True)
    await talking.say("I can dear nicked", doubtful=True)
    assert talking.composer.text() == ""
    assert talking.sent == []
    assert "does not sound like English" in talking.notice.text
    assert talking.steps == ["Models…", "Voice settings…", "Insert it all the same"]
    talking.step("Insert it all the same").click()
    assert talking.composer.text() == "I can dear nicked"
    assert talking.notice.text == ""
    talking.talk.settings = TalkSettings(language="de")
    await talking.say("", doubtful=True)
    assert "does not sound like German" in talking.notice.text
    assert "Insert it all the same" not in talking.steps


@pytest.mark.parametrize(
    ("text", "ended_by", "words"),
    [
        ("", "finish", "No words were understood."),
        ("Half of it", "lost", "What came before is in the text field."),
        ("", "lost", "The microphone went away while you spoke. Plug it in again"),
        ("Long", "limit", "as long as one talk can be"),
    ],
)
async def test_ends_that_need_a_word(talking: Talking, text: str, ended_by: str, words: str) -> None:
    await talking.say(text, ended_by)
    assert words in talking.notice.text
    assert talking.composer.text() == text


async def test_nobody_talks_twice_or_while_hands_free(talking: Talking) -> None:
    await talking.begin()
    talking.talk.talk()
    talking.talk.listener.start()
    assert len(talking.host.listens) == 1
    talking.talk.cancel()
    await until(lambda: not talking.talk.is_active)
    talking.talk.set_blocked(True)
    talking.talk.talk()
    assert len(talking.host.listens) == 1


async def test_the_buttons_fit_a_narrow_strip(talking: Talking) -> None:
    await talking.begin()
    strip = talking.composer.strip
    talking.host.understand("word " * 200 + "end")
    await until(lambda: strip.partial.text().startswith("…"))
    assert strip.partial.text().endswith("end")
    for width in (560, 288, 560):
        talking.composer.resize(width, talking.composer.heightForWidth(width))
        await asyncio.sleep(0.01)
        for button in (strip.cancel_button, strip.finish_button):
            assert button.width() >= button.sizeHint().width()
            place = button.mapTo(strip, button.rect().bottomRight())
            assert strip.rect().contains(place)
        assert talking.composer.voice.hands_free.isVisible() == (width == 560)


async def test_tab_goes_as_the_eye_does(talking: Talking) -> None:
    composer = talking.composer
    chooser = QPushButton("Model")
    composer.add_chooser(chooser)
    await talking.begin()
    composer.activateWindow()
    composer.strip.cancel_button.setFocus()
    names: list[str] = []
    for _ in range(9):
        focused = composer.focusWidget()
        assert focused is not None
        names.append(focused.accessibleName() or (focused.text() if isinstance(focused, QPushButton) else ""))
        composer.focusNextChild()
    wanted = ["Cancel", "Finish", "Your question", "Add files to the library"]
    assert names[:4] == wanted
    assert names[5:] == ["Model", "Hands-free conversation", "Finish talking", "Voice options"]
