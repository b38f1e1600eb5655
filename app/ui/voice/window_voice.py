"""Joins the window with talking: buttons, key, strip, signs, hands-free mode and the voice settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from app.protocol.system import SettingsChanged
from app.ui.chat.controller import ChatController
from app.ui.chat.open_conversation import OpenConversation
from app.ui.chat.pane import ChatPane
from app.ui.session import Session
from app.ui.status_line import StatusLine
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.voice.activity_signs import ActivitySigns
from app.ui.voice.hands_free import HandsFree, HandsFreeParts
from app.ui.voice.problem_notice import ProblemNotice
from app.ui.voice.reading_answers import AnswerReader
from app.ui.voice.reading_controller import ReadingController
from app.ui.voice.settings_controller import VoiceSettingsController
from app.ui.voice.talk_controller import TalkController
from app.ui.voice.talk_key import TalkKey
from app.ui.voice.talk_settings import TalkSettings


@dataclass(frozen=True)
class VoiceParts:
    """The parts of the window that are joined here.

    Attributes:
        open_models: shows models and voices that can be fetched.
        taken_keys: gives (keys, what they do) of the window's own shortcuts.
    """

    session: Session
    tasks: TaskSpawner
    theme: Theme
    chats: ChatController
    chat_pane: ChatPane
    status_line: StatusLine
    reading: ReadingController
    answers: AnswerReader
    open_models: Callable[[], object]
    taken_keys: Callable[[], list[tuple[str, str]]]


class WindowVoice(QObject):
    """Lets the user talk to the window `over`.

    Attributes:
        talk: push to talk.
        hands_free: the other mode.
        settings: opens the voice settings.
        signs: those of the status line.
    """

    def __init__(self, parts: VoiceParts, over: QWidget) -> None:
        """Join the parts."""
        super().__init__(over)
        self._parts = parts
        session, tasks, composer = parts.session, parts.tasks, parts.chat_pane.composer
        self.notice = ProblemNotice(composer.voice_notice, self)
        self.talk = TalkController(session, tasks, composer, self.notice, self)
        self.hands_free = HandsFree(
            session,
            tasks,
            HandsFreeParts(
                chats=parts.chats,
                composer=composer,
                reading=parts.reading,
                answers=parts.answers,
                notice=self.notice,
            ),
            self,
        )
        self.key = TalkKey(over)
        self.signs = ActivitySigns(session, tasks, parts.status_line, parts.theme)
        self.settings = VoiceSettingsController(session, tasks, parts.theme, over, parts.taken_keys)
        self._was_hands_free = False
        self._connect()
        self._apply(TalkSettings())

    def _connect(self) -> None:
        parts, composer = self._parts, self._parts.chat_pane.composer
        self.key.pressed.connect(self.talk.on_key_pressed)
        self.key.released.connect(self.talk.on_key_released)
        self.talk.began.connect(parts.reading.stop)
        self.talk.active_changed.connect(self._on_talk_changed)
        self.hands_free.active_changed.connect(self._on_hands_free_changed)
        composer.strip.finish_requested.connect(self.talk.finish)
        composer.strip.cancel_requested.connect(self.cancel)
        composer.voice.hands_free_requested.connect(self._on_hands_free_requested)
        composer.voice.settings_requested.connect(self.settings.open)
        composer.voice.models_requested.connect(parts.open_models)
        composer.send_requested.connect(self.notice.on_sent)
        self.notice.settings_requested.connect(self.settings.open)
        self.notice.models_requested.connect(parts.open_models)
        self.notice.retry_requested.connect(self._on_retry_requested)
        self.signs.failed.connect(self.notice.tell_error)
        self.settings.models_requested.connect(parts.open_models)
        parts.chats.conversation_shown.connect(self._on_conversation_shown)
        parts.session.settings_changed.connect(self._on_settings_changed)

    # --- for the program's window

    @property
    def is_active(self) -> bool:
        """Whether somebody talks or a hands-free conversation runs."""
        return self.talk.is_active or self.hands_free.is_active

    @Slot()
    def cancel(self) -> None:
        """End the talk or the hands-free conversation that runs."""
        if self.hands_free.is_active:
            self.hands_free.end()
        else:
            self.talk.cancel()

    @Slot()
    def toggle_hands_free(self) -> None:
        """Begin a hands-free conversation, or end it."""
        self._on_hands_free_requested(not self.hands_free.is_active)

    @Slot()
    def toggle_talk(self) -> None:
        """Open the microphone, or finish the talk that runs."""
        if self.talk.is_active:
            self.talk.finish()
        else:
            self.talk.talk()

    @Slot()
    def put_away(self) -> None:
        """Close the microphone and the settings with the program's window."""
        self.cancel()
        self.settings.close()

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Take over settings that were just loaded."""
        self._apply(TalkSettings.from_values(values))

    # --- what others must know

    def _apply(self, settings: TalkSettings) -> None:
        self.talk.settings = self.hands_free.settings = settings
        self.key.set_keys(settings.push_to_talk_key)
        self._parts.chat_pane.composer.voice.talk.show_keys(settings.push_to_talk_key)

    @Slot(object)
    def _on_settings_changed(self, change: SettingsChanged) -> None:
        self.show_settings(change.values)

    @Slot(bool)
    def _on_talk_changed(self, active: bool) -> None:
        if active:
            self._was_hands_free = False
        self._parts.chat_pane.composer.voice.hands_free.setEnabled(not active)

    @Slot(bool)
    def _on_hands_free_changed(self, active: bool) -> None:
        if active:
            self._was_hands_free = True
        self.talk.set_blocked(active)
        self._parts.chat_pane.composer.voice.show_hands_free(active)

    @Slot(bool)
    def _on_hands_free_requested(self, wanted: bool) -> None:
        if not wanted:
            self.hands_free.end()
        elif not self.talk.is_active:
            self.hands_free.start()

    @Slot()
    def _on_retry_requested(self) -> None:
        """Try again what failed: the mode that ran last."""
        if self._was_hands_free:
            self.hands_free.start()
        else:
            self.talk.talk()

    @Slot(object)
    def _on_conversation_shown(self, _conversation: OpenConversation) -> None:
        self.talk.on_conversation_left()
