"""Joins the window with reading aloud: messages, the viewer's text, new answers, the bar, the keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QApplication, QWidget

from app.ui.chat.controller import ChatController
from app.ui.chat.message_text import MessageText
from app.ui.chat.open_conversation import OpenConversation
from app.ui.chat.pane import ChatPane
from app.ui.chat.spoken_places import Spoken
from app.ui.notifier import Notifier
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.viewer.pane import ViewerPane
from app.ui.voice.reading_answers import AnswerReader
from app.ui.voice.reading_bar import ReadingBar
from app.ui.voice.reading_controller import Reading, ReadingController


@dataclass(frozen=True)
class ReadingParts:
    """The parts of the window that are joined here."""

    session: Session
    tasks: TaskSpawner
    notifier: Notifier
    theme: Theme
    chats: ChatController
    chat_pane: ChatPane
    viewer: ViewerPane


class WindowReading(QObject):
    """Passes wishes to the controller, and what is heard to the messages.

    Attributes:
        controller: of the one reading.
        answers: reads new answers.
        bar: above the composer.
    """

    def __init__(self, parts: ReadingParts, over: QWidget) -> None:
        """Join the parts."""
        super().__init__(over)
        self._chats, self._pane, self._viewer = parts.chats, parts.chat_pane, parts.viewer
        self.controller = ReadingController(parts.session, parts.tasks, parts.notifier, self)
        self.answers = AnswerReader(parts.chats, self.controller, self)
        self.bar = ReadingBar(self.controller, parts.theme)
        self._pane.add_above_composer(self.bar)
        messages = self._pane.messages
        messages.reading_requested.connect(self.toggle_message)
        messages.selection_reading_requested.connect(self._on_selection_reading_requested)
        self._viewer.reading_requested.connect(self._on_document_reading_requested)
        self.controller.reading_changed.connect(self._on_reading_changed)
        self.controller.pace_changed.connect(self._on_pace_changed)
        self._viewer.recording.volume_chosen.connect(self.controller.set_volume)
        self.bar.place_requested.connect(messages.reveal_spoken)
        self.bar.left.connect(self._pane.focus_composer)
        parts.chats.conversation_shown.connect(self._on_conversation_shown)
        parts.session.settings_changed.connect(self._on_settings_changed)

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Do as the settings say."""
        self.controller.show_settings(values)
        self.answers.show_settings(values)

    @Slot()
    def stop(self) -> None:
        """Be silent."""
        self.controller.stop()

    @Slot()
    def toggle(self) -> None:
        """Stop the reading; where none runs, read what is chosen, or the last answer."""
        if self.controller.is_reading:
            self.controller.stop()
            return
        focused = QApplication.focusWidget()
        if isinstance(focused, MessageText) and focused.textCursor().hasSelection():
            focused.read_selection()
            return
        if focused is not None and self._viewer.isAncestorOf(focused) and self._viewer.read_selection():
            return
        model = self._chats.current.model
        for number in range(model.rowCount() - 1, -1, -1):
            message = model.row(number).message
            if message.role == "assistant" and message.text.strip():
                self.toggle_message(message.id)
                return

    @Slot(str)
    def toggle_message(self, message_id: str) -> None:
        """Read a message aloud, or stop where it is read already."""
        number = self._chats.current.model.find(message_id)
        if self.controller.is_reading and self.controller.reading.message_id == message_id:
            self.controller.stop()
        elif number is not None:
            message = self._chats.current.model.row(number).message
            if message.state == "streaming":
                self.answers.begin(message)
            else:
                self.controller.read(message_id, message.text)

    @Slot(str, str, int)
    def _on_selection_reading_requested(self, message_id: str, words: str, start: int) -> None:
        title = self.tr("Reading the selection aloud")
        if start < 0:
            self.controller.read("", words, title=title)
        else:
            self.controller.read(message_id, words, offset=start, title=title)

    @Slot(str)
    def _on_document_reading_requested(self, words: str) -> None:
        self.controller.read("", words, title=self.tr("Reading from the document"))

    @Slot(object)
    def _on_reading_changed(self, reading: Reading) -> None:
        sentence = reading.sentence
        wanted = (sentence.start, sentence.end) if sentence.start < sentence.end else None
        self._pane.messages.show_spoken(Spoken(reading.message_id, wanted, reading.without_marks))

    @Slot(float, float)
    def _on_pace_changed(self, _speed: float, volume: float) -> None:
        self._viewer.recording.bar.show_volume(volume)

    @Slot(object)
    def _on_conversation_shown(self, _conversation: OpenConversation) -> None:
        self._on_reading_changed(self.controller.reading)

    @Slot(object)
    def _on_settings_changed(self, event: Any) -> None:
        self.answers.show_settings(event.values)
