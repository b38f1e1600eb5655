"""The key that talks while it is held, wherever the focus is."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.ui.voice.talk_key import TalkKey

CTRL, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier
SPACE = Qt.Key.Key_Space


class Held:
    """A window with a text field, and what its key told."""

    def __init__(self, qtbot: QtBot) -> None:
        self._qtbot = qtbot
        self.window = QWidget()
        self.field = QLineEdit()
        QVBoxLayout(self.window).addWidget(self.field)
        qtbot.addWidget(self.window)
        self.key = TalkKey(self.window)
        self.told: list[str] = []
        self.key.pressed.connect(lambda: self.told.append("pressed"))
        self.key.released.connect(lambda: self.told.append("released"))
        self.window.show()
        self.field.setFocus()

    def send(
        self, kind: QEvent.Type, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE, *, repeat: bool = False
    ) -> None:
        """Do as the platform does: the window's handle gets every key first."""
        event = QKeyEvent(kind, key, modifiers, " " if key == SPACE else "", repeat)
        QApplication.sendEvent(self.window.windowHandle(), event)

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE, *, repeat: bool = False) -> None:
        self.send(QEvent.Type.KeyPress, key, modifiers, repeat=repeat)

    def release(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE, *, repeat: bool = False) -> None:
        self.send(QEvent.Type.KeyRelease, key, modifiers, repeat=repeat)

    def let_go(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        """Release, and wait until that is believed."""
        with self._qtbot.waitSignal(self.key.released, timeout=2000):
            self.release(key, modifiers)


@pytest.fixture
def held(qtbot: QtBot) -> Iterator[Held]:
    held = Held(qtbot)
    held.key.set_keys("Ctrl+Space")
    yield held


def test_it_tells_press_and_release_and_the_field_gets_nothing(held: Held) -> None:
    held.press(SPACE, CTRL)
    assert held.told == ["pressed"] and held.key.is_down
    held.let_go(SPACE, CTRL)
    assert held.told == ["pressed", "released"]
    assert held.field.text() == ""


def test_repeats_are_no_new_presses(held: Held) -> None:
    held.press(SPACE, CTRL)
    for _ in range(3):
        held.release(SPACE, CTRL, repeat=True)
        held.press(SPACE, CTRL, repeat=True)
    assert held.told == ["pressed"]
    held.let_go(SPACE, CTRL)
    assert held.told == ["pressed", "released"]
    held.press(SPACE, CTRL, repeat=True)  # held since another window was in front
    assert held.told == ["pressed", "released"]


def test_repeats_that_are_not_said_to_be_some_are_no_releases(held: Held) -> None:
    held.press(SPACE, CTRL)
    for _ in range(3):
        held.release(SPACE, CTRL)
        QApplication.processEvents()
        held.press(SPACE, CTRL)
    assert held.told == ["pressed"] and held.key.is_down
    held.let_go(SPACE, CTRL)
    assert held.told == ["pressed", "released"] and held.field.text() == ""


def test_the_key_types_nothing_while_it_is_held_without_its_modifier(held: Held, qtbot: QtBot) -> None:
    held.press(SPACE, CTRL)
    held.release(Qt.Key.Key_Control, CTRL)
    for repeat in (False, True):
        held.release(SPACE, repeat=repeat)
        held.press(SPACE, repeat=repeat)
    held.release(SPACE)
    assert held.told == ["pressed", "released"] and held.field.text() == ""
    qtbot.waitUntil(lambda: not held.key.is_held)
    held.press(SPACE)
    assert held.told == ["pressed", "released"] and held.field.text() == " "


def test_the_modifier_right_behind_the_key_leaves_nothing_held(held: Held) -> None:
    for n_talks in (1, 2):
        held.press(SPACE, CTRL)
        held.release(SPACE, CTRL)
        held.release(Qt.Key.Key_Control, CTRL)
        assert held.told == ["pressed", "released"] * n_talks and not held.key.is_held


def test_the_modifier_pressed_again_talks_again(held: Held) -> None:
    held.press(SPACE, CTRL)
    held.release(Qt.Key.Key_Control, CTRL)
    held.press(SPACE)
    assert held.told == ["pressed", "released"] and held.key.is_held
    held.press(SPACE, CTRL)
    assert held.told == ["pressed", "released", "pressed"]


def test_letting_go_of_the_modifier_first_is_a_release_too(held: Held) -> None:
    held.press(SPACE, CTRL)
    held.release(Qt.Key.Key_Shift)
    assert held.told == ["pressed"]
    held.release(Qt.Key.Key_Control, CTRL)
    assert held.told == ["pressed", "released"]
    held.release(SPACE)
    assert held.told == ["pressed", "released"]


def test_other_keys_pass(held: Held) -> None:
    held.press(SPACE)
    held.press(Qt.Key.Key_A, CTRL)
    held.press(SPACE, CTRL | Qt.KeyboardModifier.ShiftModifier)
    held.release(SPACE)
    assert held.told == []


def test_leaving_the_window_lets_go(held: Held) -> None:
    held.press(SPACE, CTRL)
    QApplication.sendEvent(held.window, QEvent(QEvent.Type.WindowDeactivate))
    assert held.told == ["pressed", "released"]
    held.press(SPACE, CTRL)
    held.window.hide()
    assert held.told[2:] == ["pressed", "released"]


def test_another_key_and_none(held: Held) -> None:
    held.press(SPACE, CTRL)
    held.key.set_keys("F9")
    assert held.told == ["pressed", "released"]
    held.press(SPACE, CTRL)
    assert len(held.told) == 2
    held.press(Qt.Key.Key_F9)
    held.let_go(Qt.Key.Key_F9)
    assert held.told[2:] == ["pressed", "released"]
    for keys in ("", "Ctrl+K, Ctrl+L", "no such key"):
        held.key.set_keys(keys)
        held.press(SPACE, CTRL)
        held.press(Qt.Key.Key_F9)
        held.release(Qt.Key.Key_F9)
    assert len(held.told) == 4


def test_a_new_handle_is_watched_too(held: Held) -> None:
    held.window.hide()
    held.window.destroy()
    held.window.show()
    held.press(SPACE, CTRL)
    assert held.told[-1] == "pressed"
    held.release(SPACE, CTRL)
