"""The hands-free conversation: listen, ask, hear, interrupt, and every way it ends."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.core.errors import AppError
from app.protocol.chat import (
    AnswerDone,
    AnswerKept,
    AnswerStarted,
    AnswerToken,
    Ask,
    ChatMessage,
    ConversationEntry,
    CreateConversation,
    SaveDraft,
)
from app.protocol.system import Empty
from app.protocol.voice import FinishListening, StopReading
from app.ui.chat.composer import Composer
from app.ui.chat.controller import ChatController
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.voice.hands_free import HandsFree, HandsFreeParts, Turn
from app.ui.voice.problem_notice import ProblemNotice
from app.ui.voice.reading_answers import AnswerReader
from app.ui.voice.reading_controller import ReadingController
from app.ui.voice.talk_settings import TalkSettings
from tests.ui.chat.test_messages import answer, question
from tests.ui.conftest import until
from tests.ui.fakes import CANCEL, FakeSession
from tests.ui.voice.listening import ListeningHost

ENTRY = ConversationEntry(id="c1", title="Warranty", created_at=1, updated_at=1)
WORDS = "It lasts two years. It begins with the delivery."


@dataclass
class Conversation:
    """A hands-free conversation and what is around it."""

    mode: HandsFree
    chats: ChatController
    composer: Composer
    reading: ReadingController
    answers: AnswerReader
    notice: ProblemNotice
    host: ListeningHost
    session: FakeSession
    n_answers: int = 0

    @property
    def title(self) -> str:
        return self.composer.strip.title

    @property
    def is_microphone_open(self) -> bool:
        return self.mode.listener.is_open

    async def listening(self, n_listens: int) -> None:
        """Wait until the microphone was opened so many times in all, and is open."""
        await until(lambda: len(self.host.listens) == n_listens)
        self.host.hear("listening")
        await until(lambda: self.mode.listener.phase == "listening")

    def will_answer(self, *between: Any, text: str = WORDS, **more: Any) -> ChatMessage:
        """Let the next question be answered: first `between`, then the whole answer."""
        self.n_answers += 1
        number = self.n_answers
        done = answer(number, text, **more)
        live = replace(done, text="", state="streaming")
        self.session.script(
            Ask,
            [
                AnswerStarted(conversation=ENTRY, question=question(number), answer=live),
                *between,
                AnswerDone(conversation_id="c1", answer=done, found=True),
                CANCEL,
                AnswerKept(answer=replace(done, state="stopped")),
            ],
        )
        return done

    @property
    def asked(self) -> list[str]:
        return [request.question for request in self.session.sent(Ask)]


@pytest.fixture
async def talk(
    theme: Theme, qtbot: QtBot, session: FakeSession, tasks: TaskSpawner, notifier: Notifier
) -> AsyncIterator[Conversation]:
    host = ListeningHost(session)
    session.reply(SaveDraft, Empty())
    session.reply(CreateConversation, ENTRY)
    chats = ChatController(session, tasks, notifier)
    composer = Composer(theme, chats.thumbnails)
    qtbot.addWidget(composer)
    composer.resize(560, 200)
    composer.show()
    reading = ReadingController(session, tasks, notifier, composer)
    answers = AnswerReader(chats, reading, composer)
    notice = ProblemNotice(composer.voice_notice, composer)
    parts = HandsFreeParts(chats, composer, reading, answers, notice)
    mode = HandsFree(session, tasks, parts, composer)
    composer.strip.cancel_requested.connect(mode.end)
    yield Conversation(mode, chats, composer, reading, answers, notice, host, session)
    chats._draft_timer.stop()
    await tasks.close()
    chats.deleteLater()


async def test_a_question_is_asked_heard_and_followed_by_the_next(talk: Conversation) -> None:
    talk.mode.settings = TalkSettings(barge_in=False)
    changes: list[bool] = []
    talk.mode.active_changed.connect(changes.append)
    talk.mode.start()
    assert talk.host.wanted[0].hands_free and not talk.host.wanted[0].barge_in
    assert talk.composer.strip.cancel_button.text() == "End"
    assert not talk.composer.strip.finish_button.isVisible()
    await talk.listening(1)
    assert talk.title == "Listening…"
    talk.host.hear("hearing", 2.0)
    await until(lambda: talk.title == "Hearing you…")
    gate = asyncio.Event()
    talk.will_answer(gate)
    talk.host.record("How long does it last?", "silence")
    await until(lambda: talk.asked == ["How long does it last?"])
    assert talk.title == "Thinking…"
    assert not talk.composer.strip.sign.is_open and not talk.is_microphone_open
    gate.set()
    await until(lambda: talk.host.read)
    assert (talk.host.read[0].text, talk.host.read[0].whole) == (WORDS, True)
    assert talk.title == "Reading the answer"
    talk.host.speak("It lasts two years.")
    await asyncio.sleep(0.01)
    assert len(talk.host.listens) == 1  # without barge-in it does not hear itself
    talk.host.end()
    await talk.listening(2)
    talk.will_answer(text="Yes.")
    talk.host.record("And for batteries?", "silence")
    await until(lambda: len(talk.host.read) == 2)
    assert talk.asked[1] == "And for batteries?"
    assert changes == [True]


async def test_reading_begins_while_the_answer_is_written(talk: Conversation) -> None:
    talk.mode.start()
    await talk.listening(1)
    gate = asyncio.Event()
    talk.will_answer(AnswerToken(text="It lasts two years. "), gate)
    talk.host.record("How long?", "silence")
    await until(lambda: talk.host.read)
    assert talk.host.read[0].text.startswith("It lasts two years.")
    assert not talk.host.read[0].whole
    await talk.listening(2)
    assert talk.host.wanted[1].barge_in
    assert talk.title == "Reading – speak to interrupt"
    assert talk.composer.strip.sign.is_open
    gate.set()
    await until(lambda: talk.host.text == WORDS)
    talk.host.end()
    await until(lambda: talk.mode.turn is Turn.LISTENING)
    talk.host.hear("listening")
    await until(lambda: talk.title == "Listening…")
    assert len(talk.host.listens) == 2  # the same microphone stays open


async def test_speaking_interrupts_reading_and_writing(talk: Conversation) -> None:
    talk.mode.start()
    await talk.listening(1)
    talk.will_answer(AnswerToken(text=WORDS), asyncio.Event())
    talk.host.record("How long?", "silence")
    await until(lambda: talk.host.read)
    await talk.listening(2)
    talk.host.hear("hearing", 3.0)
    talk.host.end("interrupted")
    await until(lambda: not talk.reading.is_reading)
    await until(lambda: talk.chats.current.live is None)  # nobody waits for the rest of it
    assert talk.session.sent(Ask)[0] in talk.session.cancelled
    assert talk.mode.turn is Turn.LISTENING
    talk.will_answer(text="Three.")
    talk.host.record("No, for batteries", "silence")
    await until(lambda: len(talk.host.read) == 2)
    assert talk.asked == ["How long?", "No, for batteries"]
    assert talk.host.text == "Three."


async def test_a_question_between_two_sentences_ends_the_reading_itself(talk: Conversation) -> None:
    talk.mode.start()
    await talk.listening(1)
    talk.will_answer(AnswerToken(text=WORDS), asyncio.Event())
    talk.host.record("How long?", "silence")
    await until(lambda: talk.host.read)
    await talk.listening(2)
    talk.will_answer(text="Three.")
    talk.host.record("Wait", "silence")
    await until(lambda: talk.asked == ["How long?", "Wait"])
    assert talk.session.sent(StopReading)
    await until(lambda: talk.host.text == "Three.")


async def test_an_answer_that_is_read_anyway_is_not_read_twice(talk: Conversation) -> None:
    talk.answers.set_wanted(True)
    talk.mode.start()
    await talk.listening(1)
    talk.will_answer(AnswerToken(text=WORDS))
    talk.host.record("How long?", "silence")
    await until(lambda: talk.mode.turn is Turn.READING)
    await talk.listening(2)
    assert len(talk.host.read) == 1
    assert not talk.session.sent(StopReading)


async def test_silence_and_what_cannot_be_spoken_just_listen_on(talk: Conversation) -> None:
    talk.mode.settings = TalkSettings(barge_in=False)
    talk.mode.start()
    await talk.listening(1)
    talk.host.record("", "silence")
    await talk.listening(2)
    talk.will_answer()
    talk.host.record("Draw a line", "silence")
    await until(lambda: talk.host.read)
    talk.host.fail(AppError("reading.nothing", "Nothing in it can be spoken."))
    await talk.listening(3)
    assert talk.notice.text == ""
    talk.will_answer(text="", state="stopped")
    talk.host.record("Stop", "silence")
    await talk.listening(4)
    assert len(talk.host.read) == 1


async def test_ending_closes_the_microphone_and_stops_the_reading(talk: Conversation) -> None:
    talk.mode.start()
    await talk.listening(1)
    talk.will_answer(AnswerToken(text=WORDS), asyncio.Event())
    talk.host.record("How long?", "silence")
    await until(lambda: talk.host.read)
    await talk.listening(2)
    talk.composer.strip.cancel_button.click()
    assert talk.composer.strip.sign.is_open  # until the host says that it is closed
    assert not talk.reading.is_reading
    await until(lambda: not talk.mode.is_active)
    assert talk.composer.strip.isHidden()
    assert talk.host.wanted[1] in talk.session.cancelled
    assert talk.chats.current.live is not None  # the answer goes on being written
    talk.mode.end()
    assert talk.mode.turn is Turn.OFF
    talk.chats.stop()
    await until(lambda: talk.chats.current.live is None)
    assert len(talk.host.listens) == 2


async def test_ending_while_it_thinks(talk: Conversation) -> None:
    talk.mode.start()
    await talk.listening(1)
    gate = asyncio.Event()
    talk.will_answer(gate)
    talk.host.record("How long?", "silence")
    await until(lambda: talk.title == "Thinking…")
    talk.mode.end()
    assert not talk.mode.is_active
    gate.set()
    await until(lambda: talk.chats.current.live is None)
    assert not talk.host.read


async def test_it_ends_with_the_conversation(talk: Conversation) -> None:
    talk.mode.start()
    await talk.listening(1)
    talk.will_answer()
    talk.host.record("How long?", "silence")
    await until(lambda: talk.host.read)
    talk.chats.new()
    await until(lambda: not talk.mode.is_active)
    assert not talk.reading.is_reading


@pytest.mark.parametrize("code", ["microphone.denied", "speech.none", "worker.died", "host.lost"])
async def test_an_error_ends_it_with_the_reason(talk: Conversation, code: str) -> None:
    talk.mode.start()
    talk.host.break_off(AppError(code, "It did not work.", "Do this."))
    await until(lambda: talk.notice.text == "It did not work. Do this.")
    assert not talk.mode.is_active
    assert talk.composer.strip.isHidden()


async def test_a_voice_or_an_answer_that_fails_ends_it_with_the_reason(talk: Conversation) -> None:
    talk.mode.start()
    await talk.listening(1)
    talk.will_answer()
    talk.host.record("How long?", "silence")
    await until(lambda: talk.host.read)
    await talk.listening(2)
    talk.host.fail(AppError("voice.none", "There is no voice here.", "Get one in Models."))
    await until(lambda: not talk.mode.is_active)
    assert talk.notice.text == "There is no voice here. Get one in Models."
    talk.mode.start()
    assert talk.notice.text == ""
    await talk.listening(3)
    talk.session.script(Ask, [AppError("model.none", "There is no model.", "Get one.")])
    talk.host.record("And now?", "silence")
    await until(lambda: not talk.mode.is_active)
    assert talk.notice.text == "There is no model. Get one."


async def test_doubt_and_a_lost_microphone_end_it(talk: Conversation) -> None:
    talk.mode.start()
    await talk.listening(1)
    talk.host.record("nicked", "silence", doubtful=True)
    await until(lambda: not talk.mode.is_active)
    assert "does not sound like English" in talk.notice.text
    assert not talk.asked
    talk.mode.start()
    await talk.listening(2)
    talk.host.record("Half of", "lost")
    await until(lambda: not talk.mode.is_active)
    assert "went away" in talk.notice.text
    assert talk.composer.text() == "Half of"
    assert not talk.asked


async def test_what_stands_in_the_way_of_sending_is_said(talk: Conversation) -> None:
    talk.mode.start()
    await talk.listening(1)
    talk.composer.set_obstacle("smol cannot read images.")
    talk.host.record("What is this?", "silence")
    await until(lambda: not talk.mode.is_active)
    assert talk.notice.text == "smol cannot read images."
    assert talk.composer.text() == "What is this?"
    assert not talk.asked


async def test_a_draft_stays_a_draft(talk: Conversation) -> None:
    talk.composer.set_text("half written")
    talk.mode.start()
    await talk.listening(1)
    talk.will_answer()
    talk.host.record("How long?", "silence")
    await until(lambda: talk.asked)
    assert talk.composer.text() == "half written"
    assert talk.chats.current.draft == "half written"


async def test_an_answer_under_way_is_heard_first(talk: Conversation) -> None:
    gate = asyncio.Event()
    talk.will_answer(gate)
    talk.chats.ask("Typed")
    await until(lambda: talk.asked)
    talk.mode.start()
    assert talk.title == "Thinking…"
    talk.mode.start()
    gate.set()
    await until(lambda: talk.host.read)
    assert talk.host.read[0].text == WORDS


async def test_another_front_end_may_close_the_microphone(talk: Conversation) -> None:
    talk.session.reply(FinishListening, Empty())
    talk.mode.start()
    await talk.listening(1)
    talk.host.listens[-1].cancel()
    await until(lambda: not talk.mode.is_active)
    talk.mode.start()
    talk.mode.end()
    talk.host.break_off(AppError("worker.died", "It died."))
    await until(lambda: not talk.mode.is_active)
    assert talk.notice.text == ""
