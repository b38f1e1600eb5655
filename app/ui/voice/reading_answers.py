"""Answers are read aloud while they are being written, where the user wants that."""

import re
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Slot

from app.core.answer_marks import without_marks
from app.protocol.chat import ChatMessage
from app.ui.chat.controller import ChatController
from app.ui.voice.reading_controller import ReadingController

_UNFINISHED_MARK = re.compile(r"[ \t]*(?:[\[(【][^\])】\n]{0,45})?\Z")


class AnswerReader(QObject):
    """Begins a reading with the first words of an answer and extends it until the answer has ended."""

    def __init__(
        self, chats: ChatController, reading: ReadingController, parent: QObject | None = None
    ) -> None:
        """Read nothing by itself before `set_wanted` or the settings say so."""
        super().__init__(parent)
        self._reading = reading
        self._is_wanted = False
        self._begun_id = ""
        self._text = ""
        chats.answer_written.connect(self._on_answer_written)

    @property
    def is_wanted(self) -> bool:
        """Whether new answers are read."""
        return self._is_wanted

    def set_wanted(self, wanted: bool) -> None:
        """Read new answers, or no longer; a reading that runs goes on."""
        self._is_wanted = wanted

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Do as the settings say."""
        self.set_wanted(bool(values.get("read_answers", False)))

    def begin(self, message: ChatMessage) -> None:
        """Read an answer that is still being written, or just was, from its beginning."""
        self._begun_id, self._text = message.id, text_so_far(message)
        whole = message.state != "streaming"
        self._reading.read(message.id, self._text, whole, without_marks=True)

    @Slot(object, bool)
    def _on_answer_written(self, message: ChatMessage, is_shown: bool) -> None:
        if message.id == self._begun_id:
            self._extend(message)
        elif self._is_wanted and is_shown and text_so_far(message):
            self.begin(message)

    def _extend(self, message: ChatMessage) -> None:
        text = text_so_far(message)
        if text.startswith(self._text):
            self._text = text  # else the end changed what was read already: what came is read out
        self._reading.extend(message.id, self._text, message.state != "streaming")


def text_so_far(message: ChatMessage) -> str:
    """Give an answer without citation marks, which are final only at its end, and without half a mark."""
    text = without_marks(message.text)[0].lstrip()
    return text if message.state != "streaming" else _UNFINISHED_MARK.sub("", text)
