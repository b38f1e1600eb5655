"""The card of the voice settings about reading aloud."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot

from app.protocol.speech import AudioDevice
from app.protocol.voice import VoiceChoices
from app.ui.models.parts import push_button
from app.ui.network.fields import Field
from app.ui.theme import Theme
from app.ui.voice.settings_fields import ChoiceBox, SliderSetting
from app.ui.voice.settings_section import VoiceSection, device_choices, link_button, model_choices
from app.ui.voice.settings_values import DEFAULTS

_LOWEST_SPEED, _HIGHEST_SPEED = 0.5, 2.0


class ReadingSection(VoiceSection):
    """Which voice reads through which loudspeaker, and how.

    Signals:
        test_requested: begin (True) or end (False) to say a sentence.
        models_requested: show voices that can be fetched.
    """

    test_requested = Signal(bool)
    models_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        """Show no voice yet."""
        super().__init__(self.tr("Reading aloud"), theme)
        self._devices: tuple[AudioDevice, ...] = ()
        self._names: dict[str, str] = {}
        self._choices = VoiceChoices(speech_models=(), voices=())
        self._speaker = self._voice = ""
        self._is_testing = False
        self.device, self.voice = ChoiceBox(theme), ChoiceBox(theme)
        self.device.chosen.connect(self._on_device_chosen)
        self.voice.chosen.connect(self._on_voice_chosen)
        self.test_button = push_button(self.tr("Test"), theme)
        self.test_button.setAccessibleName(self.tr("Test the loudspeaker and the voice"))
        self.test_button.clicked.connect(self._on_test_clicked)
        self.device_field = Field(self.tr("Loudspeaker"), "", self.device, (self.test_button,))
        self.device_field.words.hide()
        self.voice_field = Field(self.tr("Voice"), "", self.voice)
        self._pair(self.device_field, self.voice_field)
        self.models_button = link_button(self.tr("More voices…"))
        self.models_button.clicked.connect(self.models_requested)
        self.body.addWidget(self.models_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.speed = SliderSetting(_LOWEST_SPEED, _HIGHEST_SPEED, 0.05, self._times)
        self.volume = SliderSetting(0.0, 1.0, 0.05, self._percent)
        self.speed.wanted.connect(self._on_speed_wanted)
        self.volume.wanted.connect(self._on_volume_wanted)
        speed = Field(self.tr("Speed"), "", self.speed)
        volume = Field(self.tr("Volume"), "", self.volume)
        speed.words.hide()
        volume.words.hide()
        self._pair(speed, volume)
        self._tick(
            "read_answers",
            self.tr("Read answers aloud as they are written"),
            self.tr("In every conversation. Each message can be read aloud at any time."),
        )

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Show what is stored."""
        super().show_settings(values)
        self._speaker, self._voice = str(values.get("speaker", "")), str(values.get("voice", ""))
        self.speed.show_value(float(values.get("voice_speed", DEFAULTS["voice_speed"])))
        self.volume.show_value(float(values.get("voice_volume", DEFAULTS["voice_volume"])))
        self._show()

    def show_devices(self, devices: Sequence[AudioDevice]) -> None:
        """Show what is plugged in."""
        self._devices = tuple(devices)
        self._names |= {each.id: each.name for each in devices}
        self._show()

    def show_choices(self, choices: VoiceChoices) -> None:
        """Show which voices are here."""
        self._choices = choices
        self._show()

    def show_testing(self, testing: bool) -> None:
        """Offer to stop what is heard, or to hear a sentence."""
        self._is_testing = testing
        self.test_button.setText(self.tr("Stop") if testing else self.tr("Test"))
        self.test_button.setAccessibleName(
            self.tr("Stop the test of the loudspeaker and the voice")
            if testing
            else self.tr("Test the loudspeaker and the voice")
        )

    def _show(self) -> None:
        self.device.show_choices(device_choices(self._devices, self._speaker, self._names), self._speaker)
        missing = bool(self._speaker) and all(each.id != self._speaker for each in self._devices)
        words = self.tr("It is not plugged in. Plug it in, or choose another one.") if missing else ""
        if words != self.device_field.problem.text():
            self.device_field.show_problem(words)
        voices = self._choices.voices
        self.voice.show_choices(model_choices(voices, self._voice, self._choices.voice), self._voice)
        self.voice_field.words.setText("" if voices else self.tr("No voice is here yet."))
        self.voice_field.words.setVisible(not voices)

    def _times(self, value: float) -> str:
        return self.tr("{0} ×").format(self.locale().toString(value, "f", 2))

    def _percent(self, value: float) -> str:
        return self.tr("{0} %").format(round(value * 100))

    @Slot()
    def _on_test_clicked(self) -> None:
        self.test_requested.emit(not self._is_testing)

    @Slot(str)
    def _on_device_chosen(self, device_id: str) -> None:
        self.wanted.emit("speaker", device_id)

    @Slot(str)
    def _on_voice_chosen(self, name: str) -> None:
        self.wanted.emit("voice", name)

    @Slot(float)
    def _on_speed_wanted(self, value: float) -> None:
        self.wanted.emit("voice_speed", value)

    @Slot(float)
    def _on_volume_wanted(self, value: float) -> None:
        self.wanted.emit("voice_volume", value)
