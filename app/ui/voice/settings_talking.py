"""The cards of the voice settings about talking: microphone, understanding, hands-free mode."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.protocol.speech import AudioDevice, MicrophoneState
from app.protocol.voice import SpeechModelEntry, VoiceChoices
from app.ui.elements.section import words_label
from app.ui.models.parts import push_button
from app.ui.models.words import size_words
from app.ui.network.fields import Field
from app.ui.theme import Theme
from app.ui.tokens import SPACE_M, SPACE_XL, SPACE_XS
from app.ui.voice.key_editor import KeyEditor
from app.ui.voice.language_names import languages_by_name
from app.ui.voice.listener import CLOSING, OPENING
from app.ui.voice.meters import QUIETEST_DB, LevelMeter
from app.ui.voice.microphone_sign import MicrophoneSign
from app.ui.voice.settings_fields import Choice, ChoiceBox, SliderSetting
from app.ui.voice.settings_section import VoiceSection, device_choices, link_button, model_choices
from app.ui.voice.settings_values import DEFAULTS

_HEARD_DB = -45.0
_PATIENCE_S = 3.0
_LOWEST_SPEED, _HIGHEST_SPEED = 0.5, 2.0
_SHORTEST_S, _LONGEST_S = 0.3, 5.0


class MicrophoneSection(VoiceSection):
    """Which microphone, a test of it, and the key that talks.

    Signals:
        test_requested: begin (True) or end (False) the test.
    """

    test_requested = Signal(bool)

    def __init__(self, theme: Theme, taken_keys: Callable[[], list[tuple[str, str]]]) -> None:
        """Show no microphone yet."""
        super().__init__(self.tr("Microphone"), theme)
        self._devices: tuple[AudioDevice, ...] = ()
        self._names: dict[str, str] = {}
        self._chosen = ""
        self._is_testing = False
        self._loudest_db = QUIETEST_DB
        self.device = ChoiceBox(theme)
        self.device.chosen.connect(self._on_device_chosen)
        self.test_button = push_button(self.tr("Test"), theme)
        self.test_button.setAccessibleName(self.tr("Test the microphone"))
        self.test_button.clicked.connect(self._on_test_clicked)
        self.device_field = Field(self.tr("Listens to you"), "", self.device, (self.test_button,))
        self.device_field.words.hide()
        self.body.addWidget(self.device_field)
        self._add_test(theme)
        self._add_key(taken_keys, theme)

    def _add_test(self, theme: Theme) -> None:
        self.sign, self.meter = MicrophoneSign(theme), LevelMeter(theme)
        self.sign.show_open(True)
        self.test_words = words_label("", "muted")
        self._test = QWidget()
        row = QHBoxLayout(self._test)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_M)
        row.addWidget(self.sign)
        row.addWidget(self.meter, 1)
        row.addWidget(self.test_words, 2)
        self._test.hide()
        self.body.addWidget(self._test)

    def _add_key(self, taken: Callable[[], list[tuple[str, str]]], theme: Theme) -> None:
        self.key = KeyEditor(taken)
        self.key.key_chosen.connect(self._on_key_chosen)
        self.no_key = push_button(self.tr("No key"), theme)
        self.no_key.clicked.connect(self._on_no_key_clicked)
        words = self.tr("Talks while it is held and this window is in front.")
        self.key_field = Field(self.tr("Key that talks"), words, self.key, (self.no_key,))
        self.key.refused.connect(self.key_field.show_problem)
        self.body.addWidget(self.key_field)

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Show what is stored."""
        super().show_settings(values)
        self._chosen = str(values.get("microphone", ""))
        self._show_choices()
        keys = str(values.get("push_to_talk_key", DEFAULTS["push_to_talk_key"]))
        if not self.key.is_waiting:
            self.key.show_keys(keys)
        self.no_key.setEnabled(bool(keys))

    def show_devices(self, devices: Sequence[AudioDevice]) -> None:
        """Show what is plugged in."""
        self._devices = tuple(devices)
        self._names |= {each.id: each.name for each in devices}
        self._show_choices()

    def _show_choices(self) -> None:
        self.device.show_choices(device_choices(self._devices, self._chosen, self._names), self._chosen)
        missing = bool(self._chosen) and all(each.id != self._chosen for each in self._devices)
        words = self.tr("It is not plugged in. Plug it in, or choose another one.") if missing else ""
        if words != self.device_field.problem.text():
            self.device_field.show_problem(words)

    # --- the test

    @property
    def is_testing(self) -> bool:
        """Whether the microphone is open for the test."""
        return self._is_testing

    def show_testing(self, testing: bool) -> None:
        """Show the level and the sign of the open microphone, or take them away."""
        self._is_testing = testing
        self._loudest_db = QUIETEST_DB
        self.meter.show_level(QUIETEST_DB)
        self._test.setVisible(testing)
        self.test_button.setText(self.tr("Stop") if testing else self.tr("Test"))
        self.test_button.setAccessibleName(
            self.tr("Stop the test of the microphone") if testing else self.tr("Test the microphone")
        )

    def show_state(self, state: MicrophoneState) -> None:
        """Show what the test hears."""
        self.meter.show_level(state.level_db)
        self.sign.show_level(state.level_db)
        self._loudest_db = max(self._loudest_db, state.level_db)
        if state.phase in (OPENING, CLOSING):
            words = self.tr("Opening it…") if state.phase == OPENING else self.tr("Closing it…")
        elif self._loudest_db >= _HEARD_DB:
            words = self.tr("It hears you.")
        elif state.elapsed_s > _PATIENCE_S:
            words = self.tr("Nothing is heard. It may be muted, or the wrong one may be chosen.")
        else:
            words = self.tr("It is open. Say something: the bar should move.")
        if words != self.test_words.text():
            self.test_words.setText(words)

    @Slot()
    def _on_test_clicked(self) -> None:
        self.test_requested.emit(not self._is_testing)

    # --- wishes

    @Slot(str)
    def _on_device_chosen(self, device_id: str) -> None:
        self.wanted.emit("microphone", device_id)

    @Slot(str)
    def _on_key_chosen(self, keys: str) -> None:
        self.wanted.emit("push_to_talk_key", keys)

    @Slot()
    def _on_no_key_clicked(self) -> None:
        self.wanted.emit("push_to_talk_key", "")


class SpeechSection(VoiceSection):
    """How speech is understood, and what becomes of the text and of the sound.

    Signals:
        models_requested: show speech models that can be fetched.
        folder_requested: open the folder of kept recordings.
    """

    models_requested = Signal()
    folder_requested = Signal()

    def __init__(self, theme: Theme, recordings_dir: str) -> None:
        """Show no model yet."""
        super().__init__(self.tr("Understanding speech"), theme)
        self._choices = VoiceChoices(speech_models=(), voices=())
        self._model = self._language = ""
        self.model, self.language = ChoiceBox(theme), ChoiceBox(theme)
        self.model.chosen.connect(self._on_model_chosen)
        self.language.chosen.connect(self._on_language_chosen)
        self.model_field = Field(self.tr("Speech model"), "", self.model)
        self.language_field = Field(self.tr("Language that you speak"), "", self.language)
        self._pair(self.model_field, self.language_field)
        self.models_button = link_button(self.tr("More speech models…"))
        self.models_button.clicked.connect(self.models_requested)
        self.body.addWidget(self.models_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._tick(
            "speech_translate",
            self.tr("Write it down in English"),
            self.tr("Whatever language is spoken. A multilingual model is needed."),
        )
        self._tick(
            "speech_send_at_once",
            self.tr("Send at once what was said"),
            self.tr("Otherwise it waits in the text field for a look at it."),
        )
        kept = self.tr("In {0}. Otherwise what the microphone hears is never on the disk.")
        self._tick("keep_recordings", self.tr("Keep recordings"), kept.format(recordings_dir))
        self.folder_button = link_button(self.tr("Open the folder"))
        self.folder_button.clicked.connect(self.folder_requested)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE_XL - SPACE_XS - 1, 0, 0, 0)  # its words stand under those above
        row.addWidget(self.folder_button)
        row.addStretch(1)
        self.body.addLayout(row)

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Show what is stored."""
        super().show_settings(values)
        self._model = str(values.get("speech_model", ""))
        self._language = str(values.get("speech_language", ""))
        self._show()

    def show_choices(self, choices: VoiceChoices) -> None:
        """Show which models are here."""
        self._choices = choices
        self._show()

    def _show(self) -> None:
        entries = self._choices.speech_models
        used = next(
            (each for each in entries if each.name == (self._model or self._choices.speech_model)), None
        )
        self.model.show_choices(model_choices(entries, self._model, self._choices.speech_model), self._model)
        self.model_field.words.setText(_model_words(used, any_here=bool(entries)))
        knows_all = used is None or used.multilingual
        languages = [Choice("", self.tr("Found out by itself"))]
        for code, name in languages_by_name():
            languages.append(Choice(code, name, is_possible=knows_all or code == "en"))
        self.language.show_choices(languages, self._language)
        words = ""
        if not knows_all and used is not None:
            words = self.tr("{0} knows English only. A multilingual model knows the others.").format(
                used.title
            )
        self.language_field.words.setText(words)
        self.language_field.words.setVisible(bool(words))
        translate = self.box("speech_translate")
        translate.setEnabled(knows_all or translate.isChecked())  # what was ticked can be taken back

    @Slot(str)
    def _on_model_chosen(self, name: str) -> None:
        self.wanted.emit("speech_model", name)

    @Slot(str)
    def _on_language_chosen(self, code: str) -> None:
        self.wanted.emit("speech_language", code)


class HandsFreeSection(VoiceSection):
    """When a question is over, and whether speaking interrupts."""

    def __init__(self, theme: Theme) -> None:
        """Show the defaults."""
        super().__init__(self.tr("Hands-free conversation"), theme)
        self.silence = SliderSetting(_SHORTEST_S, _LONGEST_S, 0.1, self._seconds)
        self.silence.wanted.connect(self._on_silence_wanted)
        words = self.tr("Longer leaves you more time to think; shorter answers sooner.")
        self.body.addWidget(Field(self.tr("Quiet that ends your question"), words, self.silence))
        self._tick(
            "speech_barge_in",
            self.tr("Speaking interrupts the reading"),
            self.tr("The microphone stays open while an answer is read aloud."),
        )

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Show what is stored."""
        super().show_settings(values)
        self.silence.show_value(float(values.get("speech_silence_s", DEFAULTS["speech_silence_s"])))

    def _seconds(self, value: float) -> str:
        return self.tr("{0} s").format(self.locale().toString(value, "f", 1))

    @Slot(float)
    def _on_silence_wanted(self, value: float) -> None:
        self.wanted.emit("speech_silence_s", value)


def _model_words(used: SpeechModelEntry | None, *, any_here: bool) -> str:
    if used is None:
        return "" if any_here else _tr("No speech model is here yet.")
    size = size_words(used.size_bytes) if used.size_bytes else ""
    known = _tr("Many languages") if used.multilingual else _tr("English only")
    return f"{known} · {size}" if size else known


def _tr(text: str) -> str:
    return QCoreApplication.translate("VoiceSettings", text)
