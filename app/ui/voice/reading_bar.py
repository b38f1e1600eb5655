"""The strip that shows what is read aloud, and what can be done about it."""

import re

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QToolButton,
    QWidget,
)

from app.ui.elements.buttons import tool_button
from app.ui.elements.elided_label import ElidedLabel
from app.ui.elements.volume_button import VolumeButton
from app.ui.icon_label import IconLabel
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS
from app.ui.voice.reading_controller import SPEEDS, Reading, ReadingController

_WIDE = 440  # below, only the words that are heard are shown, not what they belong to
_NARROW = 360  # below, only what cannot be done elsewhere
_LEAST = 270
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_MARKUP = re.compile(r"[*_`|~]+|^\s*(?:#+|>|[-+]|\d+[.)])\s+", re.MULTILINE)


class ReadingBar(QFrame):
    """One for the window; hidden while nothing is read.

    Signals:
        place_requested: bring the words that are heard into view.
        left: it hides and had the focus.
    """

    place_requested = Signal()
    left = Signal()

    def __init__(self, controller: ReadingController, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        self._controller, self._theme = controller, theme
        self._title = ElidedLabel()
        self._words = ElidedLabel()
        self._icon = IconLabel("read-aloud", "accent", theme)
        self.place_button = tool_button("quote", self.tr("Go to the words that are read"), theme, self)
        self.back_button = tool_button("skip-back", self.tr("One sentence back"), theme, self, "Left")
        self.pause_button = tool_button("pause", self.tr("Pause"), theme, self, "Space")
        self.forward_button = tool_button("skip-forward", self.tr("One sentence on"), theme, self, "Right")
        self.speed_button = self._make_speed_button()
        self.volume_button = VolumeButton(theme, self)
        self.stop_button = tool_button("close", self.tr("Stop reading aloud"), theme, self, "Esc")
        self._lay_out()
        self._connect()
        self._show_pace(controller.speed, controller.volume)
        self._show(controller.reading)

    @property
    def words(self) -> str:
        """What the bar says, in one line."""
        return " ".join(part for part in (self._title.full_text, self._words.full_text) if part)

    # --- building

    def _make_speed_button(self) -> QToolButton:
        button = tool_button("clock", self.tr("Speed"), self._theme, self)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        set_role(button, "chooser")
        button.setMinimumWidth(button.fontMetrics().horizontalAdvance("1.75×") + 3 * SPACE_S)
        menu = QMenu(button)
        self._speeds = QActionGroup(menu)
        for speed in SPEEDS:
            action = QAction(speed_words(speed), self._speeds)
            action.setCheckable(True)
            action.setData(speed)
            menu.addAction(action)
        button.setMenu(menu)
        return button

    def _lay_out(self) -> None:
        set_role(self, "card")
        set_role(self._words, "muted")
        self.setAccessibleName(self.tr("Reading aloud"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_XS, SPACE_XS, SPACE_XS)
        layout.setSpacing(SPACE_XS)
        layout.addWidget(self._icon)
        layout.addSpacing(SPACE_XS)
        layout.addWidget(self._title)
        layout.addWidget(self._words, 1)
        for button in self._buttons:
            layout.addWidget(button)

    @property
    def _buttons(self) -> tuple[QWidget, ...]:
        return (
            self.place_button,
            self.back_button,
            self.pause_button,
            self.forward_button,
            self.speed_button,
            self.volume_button,
            self.stop_button,
        )

    def _connect(self) -> None:
        controller = self._controller
        controller.reading_changed.connect(self._show)
        controller.pace_changed.connect(self._show_pace)
        self.place_button.clicked.connect(self.place_requested)
        self.pause_button.clicked.connect(controller.toggle_pause)
        self.stop_button.clicked.connect(controller.stop)
        self.back_button.clicked.connect(self._on_back)
        self.forward_button.clicked.connect(self._on_forward)
        self._speeds.triggered.connect(self._on_speed_triggered)
        self.volume_button.volume_chosen.connect(controller.set_volume)
        for keys, act in (("Left", self._on_back), ("Right", self._on_forward)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)

    # --- what is shown

    @Slot(object)
    def _show(self, reading: Reading) -> None:
        if not reading.id:
            had_focus = self.isAncestorOf(self.window().focusWidget()) if self.isVisible() else False
            self.hide()
            if had_focus:
                self.left.emit()
            return
        self._title.set_full_text(self._title_of(reading))
        heard = reading.text[reading.sentence.start - reading.offset : reading.sentence.end - reading.offset]
        self._words.set_full_text(words_of(heard))
        paused = reading.phase == "paused"
        words = self.tr("Go on reading") if paused else self.tr("Pause")
        self.pause_button.setAccessibleName(words)
        self.pause_button.setToolTip(words)
        bind_icon(self.pause_button, "play" if paused else "pause", self._theme)
        self._arrange()
        self.setAccessibleDescription(self.words)
        self.show()

    def _arrange(self) -> None:
        self._title.setVisible(self.width() >= _WIDE)
        self.place_button.setVisible(self.width() >= _NARROW and bool(self._controller.reading.message_id))

    def _title_of(self, reading: Reading) -> str:
        title = reading.title or self.tr("Reading the message aloud")
        ready = self.tr("Getting ready to read aloud …")
        return {
            "preparing": title if reading.was_heard else ready,  # between two sentences it is short
            "waiting": self.tr("Waiting for more of the answer …"),
            "paused": self.tr("Paused"),
        }.get(reading.phase, title)

    @Slot(float, float)
    def _show_pace(self, speed: float, volume: float) -> None:
        self.speed_button.setText(speed_words(speed))
        self.speed_button.setAccessibleName(self.tr("Speed, {0}").format(speed_words(speed)))
        for action in self._speeds.actions():
            action.setChecked(action.data() == speed)
        self.volume_button.show_volume(volume)

    # --- wishes

    @Slot()
    def _on_back(self) -> None:
        self._controller.skip(-1)

    @Slot()
    def _on_forward(self) -> None:
        self._controller.skip(1)

    @Slot(QAction)
    def _on_speed_triggered(self, action: QAction) -> None:
        self._controller.set_speed(float(action.data()))

    # Qt overrides

    def minimumSizeHint(self) -> QSize:
        """Ask for no more than the buttons need; words give way."""
        return QSize(_LEAST, super().minimumSizeHint().height())

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Stop on Esc."""
        if event.key() == Qt.Key.Key_Escape:
            self._controller.stop()
            return
        super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Leave out the words that are heard where there is no room for them."""
        super().resizeEvent(event)
        self._arrange()


def words_of(markdown: str) -> str:
    """Give Markdown without its markup, for one line."""
    return " ".join(_MARKUP.sub(" ", _LINK.sub(r"\1", markdown)).split())


def speed_words(speed: float) -> str:
    """Give a speed as people write it: `1.25×`."""
    return f"{speed:g}×"
