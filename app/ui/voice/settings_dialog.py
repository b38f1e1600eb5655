"""The dialog of the voice settings."""

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.protocol.speech import AudioDevices
from app.protocol.voice import VoiceChoices
from app.ui.elements.banner import Banner
from app.ui.models.parts import push_button, scaled_size, scrolling
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S
from app.ui.voice.settings_reading import ReadingSection
from app.ui.voice.settings_talking import HandsFreeSection, MicrophoneSection, SpeechSection

_SIZE = (760, 780)


class VoiceSettingsDialog(QDialog):
    """Shows the settings; each change is stored at once.

    Signals:
        wanted: (name, value): a setting is to be stored.
        reset_requested: all of them as they were at first.
        retry_requested: load what could not be loaded.
    """

    wanted = Signal(str, object)
    reset_requested = Signal()
    retry_requested = Signal()

    def __init__(
        self,
        theme: Theme,
        taken_keys: Callable[[], list[tuple[str, str]]],
        recordings_dir: str,
        parent: QWidget | None = None,
    ) -> None:
        """Build it; `show_settings`, `show_choices` and `show_devices` fill it."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Voice settings"))
        self.resize(scaled_size(self, *_SIZE))
        self._problem = ""
        self.banner, self.devices_banner = Banner(theme), Banner(theme)
        self.microphone = MicrophoneSection(theme, taken_keys)
        self.speech = SpeechSection(theme, recordings_dir)
        self.hands_free = HandsFreeSection(theme)
        self.reading = ReadingSection(theme)
        self.sections = (self.microphone, self.speech, self.hands_free, self.reading)
        for section in self.sections:
            section.wanted.connect(self.wanted)
        self.reset_button = push_button(self.tr("&Reset all…"), theme, "undo")
        self.reset_button.clicked.connect(self._on_reset_clicked)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close = self.buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setIcon(QIcon())  # the style's is black
        close.setAutoDefault(False)
        self.buttons.rejected.connect(self.reject)
        self._lay_out()
        self.show_settings({})
        self._area.setEnabled(False)  # until they are loaded
        self._is_loaded = False

    def _lay_out(self) -> None:
        heading = QLabel(self.tr("Voice settings"))
        set_role(heading, "heading")
        about = QLabel(self.tr("What you say and what is read aloud stays on this computer."))
        about.setWordWrap(True)
        set_role(about, "muted")
        column = QWidget()
        inner = QVBoxLayout(column)
        inner.setContentsMargins(0, 0, SPACE_S, 0)
        inner.setSpacing(SPACE_M)
        for section in self.sections:
            inner.addWidget(section)
        inner.addStretch(1)
        self._area = scrolling(column, self.tr("Voice settings"))
        foot = QHBoxLayout()
        foot.setSpacing(SPACE_S)
        foot.addWidget(self.reset_button)
        foot.addStretch(1)
        foot.addWidget(self.buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        for widget in (heading, about, self.banner, self.devices_banner):
            layout.addWidget(widget)
        layout.addWidget(self._area, 1)
        layout.addLayout(foot)

    # --- what is known

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Show what is stored."""
        for section in self.sections:
            section.show_settings(values)
        self._area.setEnabled(True)
        if values and not self._is_loaded:
            self._is_loaded = True
            self.microphone.device.setFocus()

    def show_choices(self, choices: VoiceChoices) -> None:
        """Show which models and voices are here."""
        self.speech.show_choices(choices)
        self.reading.show_choices(choices)

    def show_devices(self, devices: AudioDevices) -> None:
        """Show what is plugged in, and why there can be no sound at all."""
        self.microphone.show_devices(devices.inputs)
        self.reading.show_devices(devices.outputs)
        words = f"{devices.problem} {devices.hint}".strip()
        if words == self._problem:
            return  # what was dismissed stays away
        self._problem = words
        if words:
            self.devices_banner.say("warning", words)
        else:
            self.devices_banner.hide()

    def show_load_failed(self, error: AppError) -> None:
        """Say why nothing can be shown."""
        self.banner.say_error(error, [(self.tr("Try again"), self._on_retry)])

    @Slot(object)
    def show_error(self, error: AppError) -> None:
        """Say what went wrong."""
        self.banner.say_error(error)

    def tell(self, words: str) -> None:
        """Say something that is no error."""
        self.banner.say("info", words)

    # --- wishes

    @Slot()
    def _on_retry(self) -> None:
        self.banner.hide()
        self.retry_requested.emit()

    @Slot()
    def _on_reset_clicked(self) -> None:
        words = self.tr("Set all voice settings back to what they were at first?")
        steps = [
            (self.tr("Reset them"), self._on_reset_confirmed),
            (self.tr("Keep them"), self.banner.hide),
        ]
        self.banner.say("warning", words, steps)
        self.banner.buttons[0].setFocus()

    @Slot()
    def _on_reset_confirmed(self) -> None:
        self.banner.hide()
        self.reset_requested.emit()
