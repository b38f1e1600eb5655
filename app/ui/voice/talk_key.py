"""The key that talks while it is held, wherever the focus is in the window."""

from PySide6.QtCore import QEvent, QKeyCombination, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QWindow
from PySide6.QtWidgets import QWidget

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
        window.installEventFilter(self)
        self._follow_handle()

    @property
    def is_down(self) -> bool:
        """Whether it is held."""
        return self._is_down

    def set_keys(self, keys: str) -> None:
        """Watch for another key, in Qt's portable form; empty or not understood: for none."""
        self._let_go()
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
        if self._is_down:
            self._is_down = False
            self.released.emit()

    def _takes(self, event: QKeyEvent) -> bool:
        """Tell whether a key event is about the key; emit what it means."""
        wanted = self._wanted
        if wanted is None:
            return False
        if event.type() == QEvent.Type.KeyPress:
            is_it = event.key() == wanted.key() and (
                self._is_down or event.modifiers() & _COUNTED == wanted.keyboardModifiers() & _COUNTED
            )
            if is_it and not self._is_down and not event.isAutoRepeat():
                self._is_down = True
                self.pressed.emit()
            return is_it
        if not self._is_down:
            return False
        if event.key() == wanted.key():
            if not event.isAutoRepeat():  # X11 sends a release with each repeated press
                self._let_go()
            return True
        if _MODIFIER_KEYS.get(Qt.Key(event.key()), _COUNTED ^ _COUNTED) & wanted.keyboardModifiers():
            self._let_go()  # the modifier came up first; the key's own release follows
        return False

    # Qt overrides

    def eventFilter(self, watched: QObject, event: QEvent, /) -> bool:
        """Take the key; let go when the window is left."""
        kind = event.type()
        if watched is self._window:
            if kind in (QEvent.Type.WindowDeactivate, QEvent.Type.Hide):
                self._let_go()
            elif kind in (QEvent.Type.Show, QEvent.Type.WinIdChange):
                self._follow_handle()
            return False
        if kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease) and isinstance(event, QKeyEvent):
            return self._takes(event)
        return False
