"""Chooses the key that talks: press the button, then the key."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QKeyCombination, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QPushButton, QWidget

_PORTABLE = QKeySequence.SequenceFormat.PortableText
_NATIVE = QKeySequence.SequenceFormat.NativeText
_MODIFIERS = frozenset(
    {
        Qt.Key.Key_Control,
        Qt.Key.Key_Shift,
        Qt.Key.Key_Alt,
        Qt.Key.Key_AltGr,
        Qt.Key.Key_Meta,
        Qt.Key.Key_unknown,
    }
)
_NEEDED = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Tab, Qt.Key.Key_Backtab})
_TYPING = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier


class KeyEditor(QPushButton):
    """Shows the key; once pressed, takes the next key as the new one. Esc keeps the old one.

    Signals:
        key_chosen: the key in Qt's portable form (str).
        refused: why a key cannot be used (str); it waits for another one. Empty: nothing is wrong any more.
    """

    key_chosen = Signal(str)
    refused = Signal(str)

    def __init__(self, taken: Callable[[], list[tuple[str, str]]], parent: QWidget | None = None) -> None:
        """Show no key; `taken` gives (native text, what it does) of keys that are in use."""
        super().__init__(parent)
        self._taken = taken
        self._keys = ""
        self._is_waiting = False
        self.setAutoDefault(False)
        self.clicked.connect(self._on_clicked)
        self._refresh()

    @property
    def is_waiting(self) -> bool:
        """Whether the next key is taken as the new one."""
        return self._is_waiting

    def show_keys(self, keys: str) -> None:
        """Show a key in Qt's portable form; empty: none."""
        self._keys = keys
        self._refresh()

    def _refresh(self) -> None:
        words = QKeySequence(self._keys, _PORTABLE).toString(_NATIVE) if self._keys else self.tr("No key")
        if self._is_waiting:
            words = self.tr("Press the key… (Esc keeps it)")
        self.setText(words.replace("&", "&&"))
        self.setAccessibleDescription(words)

    def _stop_waiting(self) -> None:
        self._is_waiting = False
        self.refused.emit("")
        self._refresh()

    @Slot()
    def _on_clicked(self) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self.setFocus()  # a click alone does not give it on every platform
            self._refresh()

    def _problem(self, keys: QKeyCombination) -> str:
        """Say why a key cannot be used; empty where it can."""
        text = QKeySequence(keys).toString(_NATIVE)
        if keys.key() in _NEEDED and not keys.keyboardModifiers():
            return self.tr("{0} is needed elsewhere. Press another key.").format(text)
        types = keys.key().value < Qt.Key.Key_Escape.value  # letters, digits and signs come before it
        if types and not keys.keyboardModifiers() & ~_TYPING:
            return self.tr("{0} writes a letter. Press it together with Ctrl or Alt.").format(text)
        for taken, what in self._taken():
            if text in taken.split(", "):
                return self.tr("{0} is in use already: {1}. Press another key.").format(text, what)
        return ""

    # Qt overrides

    def event(self, event: QEvent, /) -> bool:
        """Take keys that would be shortcuts, or move the focus."""
        if self._is_waiting and event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        if self._is_waiting and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            self.keyPressEvent(event)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Take the key, or say why not."""
        if not self._is_waiting:
            super().keyPressEvent(event)
            return
        event.accept()
        if Qt.Key(event.key()) in _MODIFIERS:
            return
        if event.key() == Qt.Key.Key_Escape:
            self._stop_waiting()
            return
        keys = event.keyCombination()
        if problem := self._problem(keys):
            self.refused.emit(problem)
            return
        self._keys = QKeySequence(keys).toString(_PORTABLE)
        self._stop_waiting()
        self.key_chosen.emit(self._keys)

    def focusOutEvent(self, event: QFocusEvent, /) -> None:
        """Keep the old key when something else is wanted."""
        super().focusOutEvent(event)
        if self._is_waiting:
            self._stop_waiting()
