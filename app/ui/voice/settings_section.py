"""What the cards of the voice settings share."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.protocol.speech import AudioDevice
from app.protocol.voice import SpeechModelEntry
from app.ui.elements.section import Section, words_label
from app.ui.elements.tick_box import TickBox
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_XL
from app.ui.voice.settings_fields import Choice
from app.ui.voice.settings_values import DEFAULTS


class VoiceSection(Section):
    """A card whose inputs are settings.

    Signals:
        wanted: (name, value): a setting is to be stored.
    """

    wanted = Signal(str, object)

    def __init__(self, title: str, theme: Theme, parent: QWidget | None = None) -> None:
        """Show a heading."""
        super().__init__(title, parent)
        self._theme = theme
        self._boxes: dict[str, TickBox] = {}

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Show what is stored."""
        for name, box in self._boxes.items():
            box.setChecked(bool(values.get(name, DEFAULTS[name])))

    def _tick(self, name: str, words: str, about: str) -> None:
        """Add a box to tick, with a sentence about it."""
        box = TickBox(words, self._theme)
        box.setObjectName(name)
        box.setAccessibleDescription(about)
        box.clicked.connect(self._on_box_clicked)
        note = words_label(about, "faint")
        note.setContentsMargins(SPACE_XL, 0, 0, 0)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(box, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(note)
        self._boxes[name] = box
        self.body.addLayout(column)

    def box(self, name: str) -> TickBox:
        """Give the box of a setting."""
        return self._boxes[name]

    def _pair(self, left: QWidget, right: QWidget) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACE_M)
        row.addWidget(left, 1, Qt.AlignmentFlag.AlignTop)
        row.addWidget(right, 1, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(row)

    @Slot(bool)
    def _on_box_clicked(self, checked: bool) -> None:
        self.wanted.emit(self.sender().objectName(), checked)


def device_choices(devices: Sequence[AudioDevice], chosen: str, known: Mapping[str, str]) -> list[Choice]:
    """Give the lines of a list of devices; a chosen one that is away stays in it.

    Args:
        devices: what is plugged in.
        chosen: id; empty: the system's.
        known: names by id of what was plugged in before.
    """
    default = next((each.name for each in devices if each.is_default), "")
    words = _tr("The system's: {0}").format(default) if default else _tr("The system's")
    lines = [Choice("", words), *(Choice(each.id, each.name) for each in devices)]
    if chosen and all(each.id != chosen for each in devices):
        lines.append(Choice(chosen, _tr("{0} (not plugged in)").format(known.get(chosen, chosen))))
    return lines


def model_choices(entries: Sequence[SpeechModelEntry], chosen: str, used: str) -> list[Choice]:
    """Give the lines of a list of models or voices; a chosen one that is gone stays in it."""
    title = next((each.title for each in entries if each.name == used), "")
    automatic = _tr("Chosen automatically")
    if title and not chosen:
        automatic = _tr("Automatic: {0}").format(title)
    lines = [Choice("", automatic), *(Choice(each.name, each.title) for each in entries)]
    if chosen and all(each.name != chosen for each in entries):
        lines.append(Choice(chosen, _tr("{0} (not here any more)").format(chosen)))
    return lines


def link_button(words: str) -> QPushButton:
    """Make a button that looks like a link."""
    button = QPushButton(words)
    button.setAutoDefault(False)
    set_role(button, "link")
    return button


def _tr(text: str) -> str:
    return QCoreApplication.translate("VoiceSettings", text)
