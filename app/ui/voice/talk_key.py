"""The key that talks while it is held, wherever the focus is in the window."""

from PySide6.QtCore import QEvent, QKeyCombination, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence, QWindow
from PySide6.QtWidgets import QWidget

REPEAT_MS = 80
"""A press that follows a release so soon is the keyboard's repetition of a held key, not a person.

X11 sends a release with each repeated press, and Qt says that both are repeated only where the press has
arrived by the time it looks at the release: under Xvfb it had not in four of five, and came 0 to 27 ms later.
"""
_MODIFIER_KEYS = {
    Qt.Key.Key_Control: Qt.KeyboardModifier.ControlModifier,
    Qt.Key.Key_Shift: Qt.KeyboardModifier.ShiftModifier,
    Qt.Key.Key_Alt: Qt.KeyboardModifier.AltModifier,
    Qt.Key.Key_Meta: Qt.KeyboardModifier.MetaModifier,
}
_COUNTED = (
    Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.ShiftModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.MetaModifier
)


class TalkKey(QObject):
    """Watches the keys of a window before any of its widgets gets them.

    They are watched at the window's handle: a filter on the application would be asked about every event of
    every object.

    Signals:
        pressed: the key went down.
        released: it went up, or the window was left while it was down.
    """

    pressed = Signal()
    released = Signal()

    def __init__(self, window: QWidget) -> None:
        """Watch `window`, now and whenever it gets another handle."""
        super().__init__(window)
        self._window = window
        self._wanted: QKeyCombination | None = None
        self._is_down = False
        self._is_spent = False  # a modifier came up first: nobody talks, but the key itself is still held
        self._release = QTimer(self, singleShot=True, interval=REPEAT_MS)
        self._release.timeout.connect(self._on_released)
        window.installEventFilter(self)
        self._follow_handle()

    @property
    def is_down(self) -> bool:
        """Whether it talks."""
        return self._is_down

    @property
    def is_held(self) -> bool:
        """Whether the key itself is held, also after its modifier came up."""
        return self._is_down or self._is_spent

    def set_keys(self, keys: str) -> None:
        """Watch for another key, in Qt's portable form; empty or not understood: for none."""
        self._on_released()
        sequence = QKeySequence(keys, QKeySequence.SequenceFormat.PortableText)
        self._wanted = None
        if sequence.count() == 1:
            first: QKeyCombination = sequence[0]  # type: ignore[index]  # the stubs leave it out
            self._wanted = first if first.key() != Qt.Key.Key_unknown else None

    def _follow_handle(self) -> None:
        handle: QWindow | None = self._window.windowHandle()
        if handle is not None:
            handle.installEventFilter(self)  # it is there once, however often it is added

    def _let_go(self) -> None:
        self._release.stop()
        if self._is_down:
            self._is_down = False
            self.released.emit()

    @Slot()
    def _on_released(self) -> None:
        """Believe the release: no press came behind it."""
        self._is_spent = False
        self._let_go()

    def _takes(self, event: QKeyEvent) -> bool:
        """Tell whether a key event is about the key; emit what it means."""
        if self._wanted is None:
            return False
        if event.type() == QEvent.Type.KeyPress:
            return self._takes_press(event, self._wanted)
        if not self.is_held:
            return False
        if event.key() == self._wanted.key():
            if not event.isAutoRepeat():
                self._release.start()
            return True
        if _MODIFIER_KEYS.get(Qt.Key(event.key()), _COUNTED ^ _COUNTED) & self._wanted.keyboardModifiers():
            self._is_spent = not self._release.isActive()  # else the key itself came up before
            self._let_go()
        return False

    def _takes_press(self, event: QKeyEvent, wanted: QKeyCombination) -> bool:
        if event.key() != wanted.key():
            return False
        is_whole = event.modifiers() & _COUNTED == wanted.keyboardModifiers() & _COUNTED
        if not self.is_held and not is_whole:
            return False
        self._release.stop()
        if is_whole and not self._is_down and not event.isAutoRepeat():
            self._is_down, self._is_spent = True, False
            self.pressed.emit()
        return True

    # Qt overrides

    def eventFilter(self, watched: QObject, event: QEvent, /) -> bool:
        """Take the key; let go when the window is left."""
        kind = event.type()
        if watched is self._window:
            if kind in (QEvent.Type.WindowDeactivate, QEvent.Type.Hide):
                self._on_released()
            elif kind in (QEvent.Type.Show, QEvent.Type.WinIdChange):
                self._follow_handle()
            return False
        if kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease) and isinstance(event, QKeyEvent):
            return self._takes(event)
        return False
