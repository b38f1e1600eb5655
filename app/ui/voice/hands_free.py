"""Hands-free conversation: listen, ask, hear the answer, speak again or interrupt it."""

from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core.errors import AppError
from app.protocol.chat import ChatMessage
from app.protocol.speech import MicrophoneState, Recorded
from app.ui.chat.composer import Composer
from app.ui.chat.controller import ChatController
from app.ui.chat.open_conversation import OpenConversation
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.voice.listener import HEARING, LISTENING, OPENING, Listener
from app.ui.voice.problem_notice import ProblemNotice
from app.ui.voice.reading_answers import AnswerReader, text_so_far
from app.ui.voice.reading_controller import ReadingController, ReadingOutcome
from app.ui.voice.talk_settings import TalkSettings

_PAUSE_MS = 150
"""Before listening again: a microphone that gives nothing at once must not be opened in a tight loop."""
_FAILED_STATES = frozenset({"failed", "interrupted"})


class Turn(Enum):
    """Where a hands-free conversation stands."""

    OFF = "off"
    LISTENING = "listening"
    ANSWERING = "answering"
    READING = "reading"
    ENDING = "ending"


@dataclass(frozen=True)
class HandsFreeParts:
    """What a hands-free conversation is made of.

    Attributes:
        answers: begins to read an answer while it is being written.
    """

    chats: ChatController
    composer: Composer
    reading: ReadingController
    answers: AnswerReader
    notice: ProblemNotice


class HandsFree(QObject):
    """Runs a hands-free conversation in the conversation that is shown.

    Attributes:
        listener: the microphone, for this mode.
        settings: what was set; whoever follows the settings keeps it up to date.

    Signals:
        active_changed: whether it runs (bool).
    """

    active_changed = Signal(bool)

    def __init__(
        self, session: Session, tasks: TaskSpawner, parts: HandsFreeParts, parent: QObject | None = None
    ) -> None:
        """Prepare; nothing happens before `start`."""
        super().__init__(parent)
        self._chats, self._composer, self._notice = parts.chats, parts.composer, parts.notice
        self._reading, self._answers = parts.reading, parts.answers
        self.settings = TalkSettings()
        self.listener = Listener(session, tasks, self)
        self._turn = Turn.OFF
        self._conversation: OpenConversation | None = None
        self._question = ""  # waits for the end of the answer that it interrupted
        self._read_id = ""  # of the answer that is read
        self._pause = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._pause.timeout.connect(self._listen)
        self.listener.state_changed.connect(self._on_state_changed)
        self.listener.partial_changed.connect(parts.composer.strip.show_partial)
        self.listener.ended.connect(self._on_heard)
        self.listener.cancelled.connect(self._on_cancelled)
        self.listener.failed.connect(self._on_failed)
        parts.chats.busy_changed.connect(self._on_busy_changed)
        parts.chats.answer_written.connect(self._on_answer_written)
        parts.chats.conversation_shown.connect(self._on_conversation_shown)
        parts.reading.ended.connect(self._on_reading_ended)

    @property
    def turn(self) -> Turn:
        """Where it stands."""
        return self._turn

    @property
    def is_active(self) -> bool:
        """Whether it runs, or its microphone is still being closed."""
        return self._turn is not Turn.OFF

    @Slot()
    def start(self) -> None:
        """Begin to listen; an answer that is being written is heard first."""
        if self.is_active or self.listener.is_active:
            return
        self._notice.clear()
        self._reading.stop()
        self._conversation = self._chats.current
        self._question = self._read_id = ""
        self._composer.strip.begin(hands_free=True)
        self._turn = Turn.LISTENING
        self.active_changed.emit(True)
        if self._conversation.live is not None:
            self._wait_for_answer()
        else:
            self._listen()

    @Slot()
    def end(self) -> None:
        """End it: the microphone is closed and the reading stops; an answer goes on being written."""
        if self._turn in (Turn.OFF, Turn.ENDING):
            return
        self._turn = Turn.ENDING
        self._pause.stop()
        self._conversation = None
        if self._reading.is_reading:
            self._reading.stop()
        if self.listener.is_active:
            self.listener.cancel()  # the strip stays until it is closed
        else:
            self._leave()

    def _leave(self) -> None:
        self._turn = Turn.OFF
        self._composer.strip.end()
        self._composer.edit.setFocus()
        self.active_changed.emit(False)

    def _end_because(self, error: AppError) -> None:
        self.end()
        self._notice.tell_error(error)

    # --- listening

    @Slot()
    def _listen(self) -> None:
        """Listen, unless it does already."""
        if self._turn in (Turn.OFF, Turn.ENDING):
            return
        if self._turn is not Turn.READING:
            self._turn = Turn.LISTENING
            self._composer.strip.show_partial("")
        is_reading = self._turn is Turn.READING
        if not self.listener.is_active:
            self.listener.start(hands_free=True, barge_in=is_reading and self.settings.barge_in)

    @Slot(object)
    def _on_state_changed(self, state: MicrophoneState) -> None:
        self._composer.strip.show_state(state, self._reading_words(state.phase))

    def _reading_words(self, phase: str) -> tuple[str, str] | None:
        """Give what the strip says while an answer is read and nobody speaks; None where that is not so."""
        if self._turn is Turn.READING and phase == OPENING:
            return self.tr("Reading the answer"), self.tr("The microphone is being opened")
        if self._turn is Turn.READING and phase == LISTENING:
            return self.tr("Reading – speak to interrupt"), self.tr("The microphone is open")
        return None

    @Slot(object)
    def _on_heard(self, recorded: Recorded) -> None:
        if self._turn is Turn.ENDING:
            self._leave()
            return
        text = recorded.text.strip()
        if recorded.ended_by == "lost":
            self.end()
            if text:
                self._composer.insert_spoken(text)
            self._notice.tell_lost(has_text=bool(text))
        elif recorded.doubtful:
            self.end()
            self._notice.tell_doubt(recorded, self.settings.language)
        elif text:
            self._ask(text)
        elif self._turn is not Turn.ANSWERING:
            self._pause.start()

    @Slot()
    def _on_cancelled(self) -> None:
        if self._turn is Turn.ENDING:
            self._leave()
        elif self._turn is not Turn.OFF:
            self.end()  # another front end closed the microphone

    @Slot(object)
    def _on_failed(self, error: AppError) -> None:
        if self._turn is Turn.ENDING:
            self._leave()
        else:
            self._end_because(error)

    # --- asking

    def _ask(self, question: str) -> None:
        """Ask; what is read or written for the question before ends first."""
        self._question = question
        self._wait_for_answer()
        if self._reading.is_reading:
            self._reading.stop()
        if self._chats.current.live is not None:
            self._chats.stop()
        else:
            self._ask_now()

    def _ask_now(self) -> None:
        question, self._question = self._question, ""
        if self._composer.obstacle:
            words = self._composer.obstacle
            self.end()
            self._composer.insert_spoken(question)
            self._notice.tell("warning", words)
            return
        draft = self._composer.text()
        self._chats.ask(question)
        if draft.strip():
            self._chats.edit_draft(draft)  # it stays in the text field, and so it stays the draft

    def _wait_for_answer(self) -> None:
        self._turn = Turn.ANSWERING
        self._read_id = ""
        self._composer.strip.show_waiting(self.tr("Thinking…"), self.tr("The microphone is closed"))

    @Slot(bool)
    def _on_busy_changed(self, busy: bool) -> None:
        if not busy and self._question and self._turn is Turn.ANSWERING:
            self._ask_now()

    # --- the answer

    @Slot(object, bool)
    def _on_answer_written(self, message: ChatMessage, is_shown: bool) -> None:
        """Have the answer read as soon as there are words of it."""
        if self._turn is not Turn.ANSWERING or self._question or not is_shown:
            return
        if text_so_far(message):
            self._read(message)
        elif message.state != "streaming":
            self._after_silent_answer(message)

    def _read(self, message: ChatMessage) -> None:
        self._read_id = message.id
        self._turn = Turn.READING
        if self._reading.reading.message_id != message.id:  # else it is read by itself, as every answer
            self._answers.begin(message)
        self._composer.strip.show_waiting(self.tr("Reading the answer"), self.tr("The microphone is closed"))
        if self.settings.barge_in:
            self._listen()

    def _after_silent_answer(self, message: ChatMessage) -> None:
        if message.state in _FAILED_STATES and message.error_message:
            self._end_because(AppError(message.error_code, message.error_message, message.error_hint))
        else:
            self._pause.start()

    @Slot(object)
    def _on_reading_ended(self, outcome: ReadingOutcome) -> None:
        if self._turn is not Turn.READING or outcome.message_id != self._read_id:
            return
        if outcome.error is not None and outcome.error.code != "reading.nothing":
            self._end_because(outcome.error)
            return
        if outcome.ended_by == "interrupted" and self._chats.current.live is not None:
            self._chats.stop()
        self._turn = Turn.LISTENING
        if not self.listener.is_active:
            self._pause.start()
        elif self.listener.phase in (LISTENING, HEARING):
            self._listen()

    @Slot(object)
    def _on_conversation_shown(self, conversation: OpenConversation) -> None:
        if conversation is not self._conversation:
            self.end()
