"""Beside the composer: the button that talks, its menu, and the one for hands-free mode."""

from PySide6.QtCore import QElapsedTimer, QEvent, QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QContextMenuEvent, QKeyEvent, QKeySequence, QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from app.ui.elements.buttons import tool_button
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import CONTROL_HEIGHT
from app.ui.voice.talk_key import REPEAT_MS

HOLD_MS = 350
"""A press that lasts longer was a hold: letting go finishes."""
_NARROW = 18


class HoldButton(QToolButton):
    """Talks while it is held; a short click begins, and a second one finishes.

    Signals:
        talk_requested: open the microphone.
        finish_requested: close it and understand what came.
        menu_requested: where (QPoint on the screen).
    """

    talk_requested = Signal()
    finish_requested = Signal()
    menu_requested = Signal(QPoint)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Start with nobody talking."""
        super().__init__(parent)
        self._theme = theme
        self._is_talking = self._is_held = False
        self._keys = ""
        self._held = QElapsedTimer()
        self._key_up, self._last_key = QElapsedTimer(), 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setIconSize(QSize(18, 18))
        self.setFixedSize(QSize(CONTROL_HEIGHT, CONTROL_HEIGHT))
        self._refresh()

    @property
    def is_held(self) -> bool:
        """Whether the mouse holds it down."""
        return self._is_held

    def show_talking(self, talking: bool) -> None:
        """Show whether the microphone is open for talking."""
        if talking != self._is_talking:
            self._is_talking = talking
            self._refresh()

    def show_keys(self, keys: str) -> None:
        """Name the key that talks, in Qt's portable form; empty: there is none."""
        self._keys = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) if keys else ""
        self._refresh()

    def _refresh(self) -> None:
        if self._is_talking:
            name, words = self.tr("Finish talking"), self.tr("Finish talking")
        else:
            name = self.tr("Talk")
            words = self.tr("Talk: hold it while you speak, or click and click again")
            if self._keys:
                words = self.tr("{0}. The key {1} talks while it is held.").format(words, self._keys)
        self.setAccessibleName(name)
        self.setAccessibleDescription(words)
        self.setToolTip(plain_tooltip(words))
        icon_name, role = ("microphone-open", "error") if self._is_talking else ("microphone", "text_muted")
        bind_icon(self, icon_name, self._theme, role)

    def _let_go(self) -> None:
        if self._is_held:
            self._is_held = False
            if self._held.elapsed() >= HOLD_MS:
                self.finish_requested.emit()

    # Qt overrides

    def event(self, event: QEvent, /) -> bool:
        """Let go when the window is left: nobody holds the button any more."""
        if event.type() == QEvent.Type.WindowDeactivate:
            self._let_go()
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent, /) -> None:
        """Begin, or finish what an earlier click began."""
        super().mousePressEvent(event)
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._is_talking:
            self.finish_requested.emit()
        else:
            self._is_held = True
            self._held.start()
            self.talk_requested.emit()

    def mouseReleaseEvent(self, event: QMouseEvent, /) -> None:
        """Finish, if it was held long enough to have meant that."""
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self._let_go()

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Begin or finish with Space and Enter; Down shows the menu."""
        key = event.key()
        if key in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            is_repeat = key == self._last_key and self._key_up.elapsed() < REPEAT_MS
            if not event.isAutoRepeat() and not is_repeat:
                (self.finish_requested if self._is_talking else self.talk_requested).emit()
        elif key == Qt.Key.Key_Down:
            self.menu_requested.emit(self.mapToGlobal(self.rect().bottomLeft()))
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent, /) -> None:
        """Note when a key came up: a press right behind it is the keyboard's repetition."""
        super().keyReleaseEvent(event)
        self._last_key = event.key()
        self._key_up.start()

    def contextMenuEvent(self, event: QContextMenuEvent, /) -> None:
        """Show the menu."""
        self.menu_requested.emit(event.globalPos())


class VoiceButtons(QWidget):
    """The buttons in the composer's row.

    Signals:
        hands_free_requested: begin (True) or end (False) the hands-free conversation.
        settings_requested: show the voice settings.
        models_requested: show models and voices that can be fetched.
    """

    hands_free_requested = Signal(bool)
    settings_requested = Signal()
    models_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Start with nobody talking."""
        super().__init__(parent)
        self._is_hands_free = False
        self.talk = HoldButton(theme, self)
        self.talk.menu_requested.connect(self._on_menu_requested)
        self.hands_free = tool_button("hands-free", self.tr("Hands-free conversation"), theme, self)
        self.hands_free.setCheckable(True)
        self.hands_free.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.hands_free.setFixedSize(QSize(CONTROL_HEIGHT, CONTROL_HEIGHT))
        self.hands_free.clicked.connect(self._on_hands_free_clicked)
        self.more = tool_button("chevron-down", self.tr("Voice options"), theme, self)
        self.more.setIconSize(QSize(14, 14))
        self.more.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.more.setFixedSize(QSize(_NARROW, CONTROL_HEIGHT))
        self.more.clicked.connect(self._on_more_clicked)
        set_role(self.more, "")
        self.menu = QMenu(self)
        self._build_menu(theme)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.hands_free)
        row.addWidget(self.talk)
        row.addWidget(self.more)
        self.show_hands_free(False)

    def _build_menu(self, theme: Theme) -> None:
        self._mode = self._add(self.tr("Hands-free conversation"), "hands-free", theme)
        self._mode.setCheckable(True)
        self._mode.triggered.connect(self._on_hands_free_clicked)
        self.menu.addSeparator()
        self._add(self.tr("Voice settings…"), "sliders", theme).triggered.connect(self.settings_requested)
        self._add(self.tr("Models and voices…"), "model", theme).triggered.connect(self.models_requested)

    def _add(self, words: str, icon_name: str, theme: Theme) -> QAction:
        action = self.menu.addAction(words)
        bind_icon(action, icon_name, theme)
        return action

    def show_hands_free(self, is_on: bool) -> None:
        """Show whether a hands-free conversation runs; talking by hand rests meanwhile."""
        self._is_hands_free = is_on
        self.hands_free.setChecked(is_on)
        self._mode.setChecked(is_on)
        self.talk.setEnabled(not is_on)
        words = self.tr("Hands-free conversation: speak, hear the answer, speak again")
        if is_on:
            words = self.tr("End the hands-free conversation (Esc)")
        self.hands_free.setToolTip(plain_tooltip(words))

    @Slot()
    def _on_hands_free_clicked(self) -> None:
        wanted = not self._is_hands_free
        self.show_hands_free(self._is_hands_free)  # what is shown follows what happens, not the click
        self.hands_free_requested.emit(wanted)

    @Slot()
    def _on_more_clicked(self) -> None:
        self._on_menu_requested(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    @Slot(QPoint)
    def _on_menu_requested(self, place: QPoint) -> None:
        self.menu.popup(place)
