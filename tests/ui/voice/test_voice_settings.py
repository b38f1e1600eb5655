"""The voice settings: what they show, what they store, and the two tests."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QSlider, QWidget

from app.core.errors import AppError
from app.core.settings import Settings
from app.protocol.models import ModelsChanged
from app.protocol.speech import AudioDevice, AudioDevices
from app.protocol.system import GetSettings, SettingsBody, SettingsChanged, UpdateSettings
from app.protocol.voice import (
    GetVoiceChoices,
    ListAudioDevices,
    ReadingEnded,
    SpeechModelEntry,
    StopReading,
    VoiceChoices,
)
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.voice.language_names import CODES, language_name, languages_by_name
from app.ui.voice.settings_controller import VoiceSettingsController
from app.ui.voice.settings_dialog import VoiceSettingsDialog
from app.ui.voice.settings_fields import ChoiceBox
from app.ui.voice.settings_values import DEFAULTS
from app.ui.voice.talk_settings import TalkSettings
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.voice.listening import ListeningHost

TINY = SpeechModelEntry(
    name="tiny", title="Whisper tiny", languages=("en",), bundled=True, size_bytes=75_000_000
)
SMALL = SpeechModelEntry(name="small", title="Whisper small", multilingual=True)
JOE = SpeechModelEntry(name="joe", title="Joe", languages=("en",))
ONE_MODEL = VoiceChoices(speech_models=(TINY,), voices=(JOE,), speech_model="tiny", voice="joe")
TWO_MODELS = VoiceChoices(speech_models=(TINY, SMALL), voices=(JOE,), speech_model="small", voice="joe")
BUILT_IN = AudioDevice(id="a", name="Built-in", is_default=True)
HEADSET = AudioDevice(id="b", name="USB headset")
DEVICES = AudioDevices(inputs=(BUILT_IN, HEADSET), outputs=(BUILT_IN,))


@dataclass
class Opened:
    """The open settings and the host behind them."""

    controller: VoiceSettingsController
    host: ListeningHost
    session: FakeSession
    stored: dict[str, Any]
    opened_dirs: list[Path] = field(default_factory=list)

    @property
    def dialog(self) -> VoiceSettingsDialog:
        assert self.controller.dialog is not None
        return self.controller.dialog

    def choose(self, box: ChoiceBox, value: str) -> None:
        index = box.findData(value)
        box.setCurrentIndex(index)
        box.activated.emit(index)

    def is_possible(self, box: QComboBox, value: str) -> bool:
        return bool(box.model().flags(box.model().index(box.findData(value), 0)) & Qt.ItemFlag.ItemIsEnabled)


@pytest.fixture
async def opened(theme: Theme, session: FakeSession, tasks: TaskSpawner) -> AsyncIterator[Opened]:
    window = QWidget()  # closed here: the dialog over it ends first
    window.show()
    host = ListeningHost(session)
    stored: dict[str, Any] = {"theme": "light"}

    def update(request: UpdateSettings) -> SettingsBody:
        stored.update(request.values)
        return SettingsBody(values=dict(stored))

    session.reply(GetSettings, lambda _request: SettingsBody(values=dict(stored)))
    session.reply(UpdateSettings, update)
    session.reply(GetVoiceChoices, ONE_MODEL)
    session.reply(ListAudioDevices, DEVICES)
    dirs: list[Path] = []

    def open_dir(path: Path) -> bool:
        dirs.append(path)
        return False

    controller = VoiceSettingsController(
        session,
        tasks,
        theme,
        window,
        lambda: [("Ctrl+N", "New conversation"), ("F2, Del", "Rename")],
        open_dir,
    )
    controller.open()
    result = Opened(controller, host, session, stored, dirs)
    await until(lambda: controller.dialog is not None and controller.dialog.microphone.device.count() == 3)
    await until(lambda: result.dialog.speech.model.count() == 2)
    yield result
    controller.close()
    await until(lambda: controller.dialog is None and not tasks.names)
    window.close()
    window.deleteLater()


def test_the_defaults_are_those_of_the_settings() -> None:
    settings = Settings().model_dump()
    assert {name: settings[name] for name in DEFAULTS} == dict(DEFAULTS)
    names = {name for name in settings if name.startswith(("speech_", "voice"))}
    assert names <= DEFAULTS.keys()
    assert TalkSettings.from_values(DEFAULTS) == TalkSettings()


def test_languages_have_names() -> None:
    names = dict(languages_by_name())
    assert len(CODES) == len(set(CODES)) == 100
    assert names["de"] == "German · Deutsch"
    assert names["en"] == "English"
    assert all(name != code for code, name in names.items())
    assert language_name("qqq") == "qqq"


async def test_it_shows_what_is_stored_and_stores_each_change(opened: Opened) -> None:
    dialog = opened.dialog
    assert dialog.microphone.device.itemText(0) == "The system's: Built-in"
    assert dialog.speech.model.currentText() == "Automatic: Whisper tiny"
    assert dialog.speech.model_field.words.text() == "English only · 75.0 MB"
    assert dialog.reading.voice.currentText() == "Automatic: Joe"
    assert dialog.microphone.key.text() == "Ctrl+Space"
    opened.choose(dialog.microphone.device, "b")
    opened.choose(dialog.reading.device, "a")
    opened.choose(dialog.speech.model, "tiny")
    opened.choose(dialog.speech.language, "en")
    opened.choose(dialog.reading.voice, "joe")
    for section, name in (
        (dialog.speech, "speech_send_at_once"),
        (dialog.speech, "keep_recordings"),
        (dialog.hands_free, "speech_barge_in"),
        (dialog.reading, "read_answers"),
    ):
        section.box(name).click()
    wanted = {
        "microphone": "b",
        "speaker": "a",
        "speech_model": "tiny",
        "speech_language": "en",
        "voice": "joe",
        "speech_send_at_once": True,
        "keep_recordings": True,
        "speech_barge_in": False,
        "read_answers": True,
    }
    await until(lambda: wanted.items() <= opened.stored.items())
    dialog.hands_free.silence.slider.setValue(12)
    dialog.reading.speed.slider.setValue(15)
    dialog.reading.volume.slider.setValue(10)
    assert dialog.hands_free.silence.said.text() == "1.5 s"
    assert dialog.reading.speed.said.text() == "1.25 ×"
    assert dialog.reading.volume.said.text() == "50 %"
    paces = {"speech_silence_s": 1.5, "voice_speed": 1.25, "voice_volume": 0.5}
    await until(lambda: paces.items() <= opened.stored.items())
    assert dialog.microphone.device.value == "b"


async def test_a_change_elsewhere_shows(opened: Opened) -> None:
    opened.session.deliver(SettingsChanged(values={"speech_silence_s": 2.0, "microphone": "gone"}))
    assert opened.dialog.hands_free.silence.value == 2.0
    device = opened.dialog.microphone.device
    assert device.currentText() == "gone (not plugged in)"
    assert "not plugged in" in opened.dialog.microphone.device_field.problem.text()
    opened.session.deliver(SettingsChanged(values={"microphone": "b", "speaker": "gone too"}))
    assert device.currentText() == "USB headset"
    assert opened.dialog.microphone.device_field.problem.isHidden()
    assert not opened.dialog.reading.device_field.problem.isHidden()


async def test_plugging_in_and_out_shows(opened: Opened) -> None:
    dialog = opened.dialog
    opened.session.reply(ListAudioDevices, AudioDevices(inputs=(HEADSET,), outputs=()))
    opened.controller._timer.timeout.emit()
    await until(lambda: dialog.microphone.device.count() == 2)
    assert dialog.microphone.device.itemText(0) == "The system's"
    problem = AudioDevices(inputs=(), outputs=(), problem="There is no sound system.", hint="Install one.")
    opened.session.reply(ListAudioDevices, problem)
    opened.controller._timer.timeout.emit()
    await until(dialog.devices_banner.isVisible)
    assert dialog.devices_banner.text == "There is no sound system. Install one."
    dialog.devices_banner.hide()
    opened.controller._timer.timeout.emit()
    await asyncio.sleep(0.02)
    assert dialog.devices_banner.isHidden()  # what was dismissed stays away
    opened.session.reply(ListAudioDevices, DEVICES)
    opened.controller._timer.timeout.emit()
    await until(lambda: dialog.microphone.device.count() == 3)
    opened.session.reply(ListAudioDevices, AppError("worker.died", "The voice process ended."))
    opened.controller._timer.timeout.emit()
    await until(dialog.banner.isVisible)
    assert dialog.banner.text == "The voice process ended."
    dialog.banner.hide()
    opened.controller._timer.timeout.emit()
    await asyncio.sleep(0.02)
    assert dialog.banner.isHidden()  # said once


async def test_an_english_model_greys_the_other_languages_and_says_why(opened: Opened) -> None:
    speech = opened.dialog.speech
    assert not opened.is_possible(speech.language, "de")
    assert opened.is_possible(speech.language, "en") and opened.is_possible(speech.language, "")
    assert "Whisper tiny knows English only" in speech.language_field.words.text()
    assert not speech.box("speech_translate").isEnabled()
    opened.session.reply(GetVoiceChoices, TWO_MODELS)
    opened.session.deliver(ModelsChanged())
    await until(lambda: speech.model.count() == 3)
    assert opened.is_possible(speech.language, "de")
    assert speech.language_field.words.isHidden()
    assert speech.box("speech_translate").isEnabled()
    opened.choose(speech.model, "tiny")
    await until(lambda: not opened.is_possible(speech.language, "de"))
    opened.session.deliver(SettingsChanged(values={"speech_model": "lost", "speech_translate": True}))
    assert speech.model.currentText() == "lost (not here any more)"
    assert speech.box("speech_translate").isEnabled()
    opened.session.reply(GetVoiceChoices, VoiceChoices(speech_models=(), voices=()))
    opened.session.deliver(ModelsChanged())
    await until(lambda: speech.model_field.words.text() == "No speech model is here yet.")
    assert opened.dialog.reading.voice_field.words.text() == "No voice is here yet."


async def test_the_microphone_test_shows_its_sign_and_what_it_hears(opened: Opened) -> None:
    section = opened.dialog.microphone
    section.test_button.click()
    assert opened.host.wanted[-1].test
    assert section.sign.isVisible() and section.sign.is_open
    assert section.test_button.text() == "Stop"
    assert section.test_words.text() == "Opening it…"
    opened.host.hear("listening", 1.0, level_db=-80.0)
    await until(lambda: "Say something" in section.test_words.text())
    opened.host.hear("listening", 5.0, level_db=-80.0)
    await until(lambda: "Nothing is heard" in section.test_words.text())
    opened.host.hear("hearing", 6.0, level_db=-15.0)
    await until(lambda: section.test_words.text() == "It hears you.")
    assert section.meter.share == pytest.approx(0.75)
    section.test_button.click()
    await until(lambda: not section.is_testing)
    assert not section.sign.isVisible()
    assert opened.host.wanted[-1] in opened.session.cancelled
    section.test_button.click()
    opened.host.break_off(AppError("microphone.busy", "Another program uses it.", "Close that."))
    await until(opened.dialog.banner.isVisible)
    assert opened.dialog.banner.text == "Another program uses it. Close that."
    assert not section.is_testing


async def test_a_microphone_that_goes_away_during_its_test_is_told(opened: Opened) -> None:
    section = opened.dialog.microphone
    section.test_button.click()
    opened.host.hear()
    opened.host.record("", "lost")
    await until(opened.dialog.banner.isVisible)
    assert opened.dialog.banner.text.startswith("The microphone went away during the test. Plug it in")
    assert not section.is_testing


async def test_the_buttons_of_the_tests_say_what_they_do(opened: Opened) -> None:
    for section in (opened.dialog.microphone, opened.dialog.reading):
        assert section.test_button.accessibleName().startswith("Test the ")
        section.test_button.click()
        assert section.test_button.text() == "Stop"
        assert section.test_button.accessibleName().startswith("Stop the test of the ")


async def test_the_test_goes_on_with_another_microphone(opened: Opened) -> None:
    section = opened.dialog.microphone
    section.test_button.click()
    opened.host.hear()
    await until(lambda: opened.controller.listener.phase == "listening")
    opened.choose(section.device, "b")
    await until(lambda: len(opened.host.listens) == 2)
    assert opened.host.wanted[0] in opened.session.cancelled
    assert section.is_testing and section.sign.isVisible()
    assert opened.stored["microphone"] == "b"
    opened.session.reply(ListAudioDevices, AudioDevices(inputs=(BUILT_IN,), outputs=()))
    opened.controller._timer.timeout.emit()
    await until(lambda: section.device.currentText() == "USB headset (not plugged in)")
    section.test_button.click()
    await until(lambda: not section.is_testing)
    assert len(opened.host.listens) == 2


async def test_closing_ends_both_tests(opened: Opened) -> None:
    opened.dialog.microphone.test_button.click()
    opened.dialog.reading.test_button.click()
    await until(lambda: len(opened.host.told) == 1)
    opened.controller.close()
    await until(lambda: opened.controller.dialog is None)
    await until(lambda: not opened.controller.listener.is_active)
    await until(lambda: opened.controller._sound is None)
    assert opened.host.wanted[-1] in opened.session.cancelled
    assert opened.host.read[-1] in opened.session.cancelled
    assert not opened.controller._timer.isActive()


async def test_the_loudspeaker_test_says_a_sentence(opened: Opened) -> None:
    section = opened.dialog.reading
    section.test_button.click()
    await until(lambda: opened.host.told)
    assert "reads your answers aloud" in opened.host.read[0].text
    assert section.test_button.text() == "Stop"
    section.test_button.click()
    await until(lambda: opened.session.sent(StopReading))
    await until(lambda: section.test_button.text() == "Test")
    section.test_button.click()
    await until(lambda: len(opened.host.told) == 2)
    opened.host.tell(ReadingEnded(ended_by="end"))
    await until(lambda: section.test_button.text() == "Test")
    section.test_button.click()
    await until(lambda: len(opened.host.told) == 3)
    opened.host.fail(AppError("speaker.none", "No loudspeaker is plugged in.", "Plug one in."))
    await until(opened.dialog.banner.isVisible)
    assert opened.dialog.banner.text == "No loudspeaker is plugged in. Plug one in."


async def test_a_refused_value_is_said_and_taken_back(opened: Opened) -> None:
    opened.session.reply(UpdateSettings, AppError("settings.invalid", "It cannot be that."))
    box = opened.dialog.speech.box("speech_send_at_once")
    box.click()
    await until(opened.dialog.banner.isVisible)
    assert opened.dialog.banner.text == "It cannot be that."
    await until(lambda: not box.isChecked())


async def test_reset_asks_first(opened: Opened) -> None:
    opened.stored.update({"speech_silence_s": 3.0, "push_to_talk_key": ""})
    dialog = opened.dialog
    dialog.reset_button.click()
    dialog.banner.buttons[1].click()
    assert opened.stored["speech_silence_s"] == 3.0
    dialog.reset_button.click()
    dialog.banner.buttons[0].click()
    await until(lambda: opened.stored["speech_silence_s"] == 0.8)
    assert opened.stored == {"theme": "light"} | dict(DEFAULTS)
    assert dialog.microphone.key.text() == "Ctrl+Space"


def press(widget: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier, text: str = "") -> None:
    override = QKeyEvent(QEvent.Type.ShortcutOverride, key, modifiers, text)
    override.ignore()
    QApplication.sendEvent(widget, override)
    assert override.isAccepted()
    QApplication.sendEvent(widget, QKeyEvent(QEvent.Type.KeyPress, key, modifiers, text))


async def test_the_key_is_chosen_by_pressing_it(opened: Opened) -> None:
    section = opened.dialog.microphone
    key, none, ctrl = section.key, Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
    key.click()
    assert key.is_waiting and "Press the key" in key.text()
    press(key, Qt.Key.Key_Control, ctrl)
    press(key, Qt.Key.Key_N, none, "n")
    assert "writes a letter" in section.key_field.problem.text()
    press(key, Qt.Key.Key_Tab, none, "\t")
    assert "needed elsewhere" in section.key_field.problem.text()
    press(key, Qt.Key.Key_F2, none)
    assert "in use already: Rename" in section.key_field.problem.text()
    press(key, Qt.Key.Key_N, ctrl)
    assert "in use already: New conversation" in section.key_field.problem.text()
    press(key, Qt.Key.Key_F9, none)
    await until(lambda: opened.stored.get("push_to_talk_key") == "F9")
    assert not key.is_waiting and section.key_field.problem.isHidden()
    assert key.text() == "F9"
    key.click()
    press(key, Qt.Key.Key_Escape, none)
    assert key.text() == "F9" and not key.is_waiting
    assert opened.controller.dialog is not None
    key.click()
    section.no_key.setFocus()
    assert not key.is_waiting
    section.no_key.click()
    await until(lambda: opened.stored["push_to_talk_key"] == "")
    await until(lambda: key.text() == "No key")
    QTest.keyClick(key, Qt.Key.Key_A)
    assert not key.is_waiting


async def test_links_lead_on(opened: Opened) -> None:
    wishes: list[str] = []
    opened.controller.models_requested.connect(lambda: wishes.append("models"))
    opened.dialog.speech.folder_button.click()
    assert opened.opened_dirs == [opened.session.paths.recordings_dir]
    assert "No recording has been kept yet" in opened.dialog.banner.text
    opened.controller.open()
    opened.dialog.reading.models_button.click()
    assert wishes == ["models"]
    await until(lambda: opened.controller.dialog is None)


async def test_what_cannot_be_loaded_is_said_and_tried_again(opened: Opened) -> None:
    opened.session.reply(GetVoiceChoices, AppError("host.lost", "The host is gone."))
    opened.session.connect_now()
    await until(opened.dialog.banner.isVisible)
    assert opened.dialog.banner.text == "The host is gone."
    opened.session.reply(GetVoiceChoices, TWO_MODELS)
    opened.dialog.banner.buttons[0].click()
    await until(lambda: opened.dialog.speech.model.count() == 3)
    assert opened.dialog.banner.isHidden()


async def test_every_control_has_a_name_and_the_wheel_changes_nothing(opened: Opened) -> None:
    dialog = opened.dialog
    for button in dialog.findChildren(QAbstractButton):
        assert button.text() or button.accessibleName() or button.objectName().startswith("qt_"), button
    inputs: list[QComboBox | QSlider] = [*dialog.findChildren(QComboBox), *dialog.findChildren(QSlider)]
    for box in inputs:
        assert box.accessibleName(), box
        before = box.currentIndex() if isinstance(box, QComboBox) else box.value()
        wheel = QWheelEvent(
            QPointF(5, 5),
            QPointF(5, 5),
            QPoint(0, -120),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        wheel.ignore()
        box.wheelEvent(wheel)
        assert not wheel.isAccepted()
        assert before == (box.currentIndex() if isinstance(box, QComboBox) else box.value())
