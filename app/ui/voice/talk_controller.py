"""Push to talk: from the button or the key to text in the composer."""

from PySide6.QtCore import QObject, Signal, Slot

from app.core.errors import AppError
from app.protocol.speech import MicrophoneState, Recorded
from app.ui.chat.composer import Composer
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.voice.listener import OPENING, TRANSCRIBING, Listener
from app.ui.voice.problem_notice import ProblemNotice
from app.ui.voice.talk_settings import TalkSettings


class TalkController(QObject):
    """Drives one talk at a time.

    Attributes:
        listener: the microphone, for talking by hand.
        settings: what was set; whoever follows the settings keeps it up to date.

    Signals:
        began: somebody talks; what is read aloud should be silent.
        active_changed: whether a talk runs (bool), from opening the microphone to the text.
    """

    began = Signal()
    active_changed = Signal(bool)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        composer: Composer,
        notice: ProblemNotice,
        parent: QObject | None = None,
    ) -> None:
        """Talk into `composer`; problems are told through `notice`."""
        super().__init__(parent)
        self._composer, self._notice = composer, notice
        self.settings = TalkSettings()
        self.listener = Listener(session, tasks, self)
        self._is_blocked = self._was_moved = self._is_by_key = False
        listener = self.listener
        listener.state_changed.connect(self._on_state_changed)
        listener.partial_changed.connect(composer.strip.show_partial)
        listener.ended.connect(self._on_ended)
        listener.cancelled.connect(self._on_cancelled)
        listener.failed.connect(self._on_failed)
        composer.voice.talk.talk_requested.connect(self.talk)
        composer.voice.talk.finish_requested.connect(self._on_button_finished)
        notice.insert_requested.connect(self._on_insert_requested)

    @property
    def is_active(self) -> bool:
        """Whether a talk runs."""
        return self.listener.is_active

    def set_blocked(self, blocked: bool) -> None:
        """Let nobody talk by hand, because a hands-free conversation runs."""
        self._is_blocked = blocked

    @Slot()
    def talk(self) -> None:
        """Open the microphone; nothing where a talk or a hands-free conversation runs."""
        if self._is_blocked or self.is_active:
            return
        self._notice.clear()
        self._was_moved = False
        self.began.emit()
        self._composer.strip.begin()
        self.listener.start()
        self.active_changed.emit(True)

    @Slot()
    def finish(self) -> None:
        """Close the microphone and understand what came; one that is still being opened is closed again."""
        self.listener.finish()

    @Slot()
    def cancel(self) -> None:
        """Close the microphone and forget what came."""
        self.listener.cancel()

    @Slot()
    def on_key_pressed(self) -> None:
        """Talk while the key is held; one that is pressed during a talk finishes that."""
        if self.is_active:
            self.finish()
        else:
            self._is_by_key = True
            self.talk()

    @Slot()
    def on_key_released(self) -> None:
        """Finish what the key began."""
        if self._is_by_key:
            self._is_by_key = False
            self._let_go()

    @Slot()
    def on_conversation_left(self) -> None:
        """Note that another conversation is shown: what is said is not sent there by itself."""
        self._was_moved = True

    @Slot()
    def _on_button_finished(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        """Finish; whoever let go before the microphone was open is told to wait for its sign."""
        if self.listener.phase == OPENING:
            self._notice.tell_too_early()
        self.finish()

    # --- what comes

    @Slot(object)
    def _on_state_changed(self, state: MicrophoneState) -> None:
        self._composer.strip.show_state(state)
        self._composer.voice.talk.show_talking(self.listener.is_open)
        self._composer.voice.talk.setEnabled(state.phase != TRANSCRIBING)

    @Slot(object)
    def _on_ended(self, recorded: Recorded) -> None:
        self._leave()
        text = recorded.text.strip()
        if recorded.doubtful and recorded.ended_by != "lost":  # a word cut short sounds like any language
            self._notice.tell_doubt(recorded, self.settings.language)
            return
        if text:
            self._composer.insert_spoken(text)
        if recorded.ended_by == "lost":
            self._notice.tell_lost(has_text=bool(text))
        elif not text:
            self._notice.tell_nothing_heard()
        elif recorded.ended_by == "limit":
            self._notice.tell_limit()
        elif self.settings.send_at_once and not self._was_moved:
            self._send()

    def _send(self) -> None:
        if self._composer.is_busy:
            self._notice.tell_waits()
        else:
            self._composer.send()

    @Slot()
    def _on_cancelled(self) -> None:
        self._leave()

    @Slot(object)
    def _on_failed(self, error: AppError) -> None:
        self._leave()
        self._notice.tell_error(error)

    def _leave(self) -> None:
        self._is_by_key = False
        self._composer.strip.end()
        self._composer.voice.talk.show_talking(False)
        self._composer.voice.talk.setEnabled(not self._is_blocked)
        self._composer.edit.setFocus()
        self.active_changed.emit(False)

    @Slot(str)
    def _on_insert_requested(self, text: str) -> None:
        self._composer.insert_spoken(text)
        self._composer.edit.setFocus()
