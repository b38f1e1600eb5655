"""The strip under a transcript that plays its recording."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSlider, QStyle, QStyleOptionSlider, QWidget

from app.ui.elements.buttons import tool_button
from app.ui.elements.clock import clock
from app.ui.elements.volume_button import VolumeButton
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_S, SPACE_XS
from app.ui.viewer.playback import Playing

_STEPS_A_SECOND = 10
_STEP_S, _PAGE_S = 5, 30


class PositionSlider(QSlider):
    """A slider that goes where it is clicked, instead of a page towards it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Make it horizontal."""
        super().__init__(Qt.Orientation.Horizontal, parent)

    def mousePressEvent(self, event: QMouseEvent, /) -> None:
        """Go to the place under the pointer, and drag on from there."""
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        groove, handle = (
            self.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, self)
            for part in (QStyle.SubControl.SC_SliderGroove, QStyle.SubControl.SC_SliderHandle)
        )
        if event.button() == Qt.MouseButton.LeftButton and not handle.contains(event.position().toPoint()):
            room = groove.width() - handle.width()
            place = round(event.position().x()) - groove.x() - handle.width() // 2
            value = QStyle.sliderValueFromPosition(
                self.minimum(), self.maximum(), place, room, option.upsideDown
            )
            self.setValue(value)
        super().mousePressEvent(event)


class PlayerBar(QFrame):
    """Emits wishes; shows what it is told.

    Signals:
        toggle_requested: play, pause or go on.
        seek_requested: seconds of the recording.
        volume_chosen: 0 to 1.
    """

    toggle_requested = Signal()
    seek_requested = Signal(float)
    volume_chosen = Signal(float)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        self._theme = theme
        self.play_button = tool_button("play", self.tr("Play the recording"), theme, self)
        self.position = PositionSlider(self)
        self.position.setSingleStep(_STEP_S * _STEPS_A_SECOND)
        self.position.setPageStep(_PAGE_S * _STEPS_A_SECOND)
        self.position.setTracking(False)
        self.position.setAccessibleName(self.tr("Position in the recording"))
        self.time = QLabel()
        set_role(self.time, "muted")
        self.volume_button = VolumeButton(theme, self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_S, SPACE_XS, SPACE_S, SPACE_XS)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self.play_button)
        layout.addWidget(self.position, 1)
        layout.addWidget(self.time)
        layout.addWidget(self.volume_button)
        set_role(self, "status")
        self.setAccessibleName(self.tr("Player"))
        self.play_button.clicked.connect(self.toggle_requested)
        self.position.valueChanged.connect(self._on_position_changed)
        self.position.sliderMoved.connect(self._on_slider_moved)
        self.volume_button.volume_chosen.connect(self.volume_chosen)
        self._total_s = 0.0
        self.hide()

    def set_playable(self, playable: bool, why_not: str = "") -> None:
        """Allow playing, or say why it cannot be."""
        for widget in (self.play_button, self.position, self.volume_button):
            widget.setEnabled(playable)
            widget.setToolTip("" if playable else why_not)
        if playable:
            self.play_button.setToolTip(self.play_button.accessibleName())

    @Slot(object)
    def show_playing(self, state: Playing) -> None:
        """Show where the recording stands."""
        words = {
            "stopped": self.tr("Play the recording"),
            "paused": self.tr("Go on playing"),
        }.get(state.phase, self.tr("Pause"))
        bind_icon(self.play_button, "pause" if state.is_running else "play", self._theme)
        if words != self.play_button.accessibleName():
            self.play_button.setAccessibleName(words)
            self.play_button.setToolTip(words)
        self._total_s = state.total_s
        if not self.position.isSliderDown():
            was_blocked = self.position.blockSignals(True)
            self.position.setRange(0, max(1, round(state.total_s * _STEPS_A_SECOND)))
            self.position.setValue(round(state.seconds * _STEPS_A_SECOND))
            self.position.blockSignals(was_blocked)
            self._show_time(state.seconds)

    def show_volume(self, volume: float) -> None:
        """Show a volume, 0 to 1."""
        self.volume_button.show_volume(volume)

    def _show_time(self, seconds: float) -> None:
        words = f"{clock(seconds)} / {clock(self._total_s)}"
        self.time.setText(words)
        spoken = self.tr("{time} of {total}").replace("{time}", clock(seconds))
        self.position.setAccessibleDescription(spoken.replace("{total}", clock(self._total_s)))

    @Slot(int)
    def _on_slider_moved(self, value: int) -> None:
        self._show_time(value / _STEPS_A_SECOND)

    @Slot(int)
    def _on_position_changed(self, value: int) -> None:
        self.seek_requested.emit(value / _STEPS_A_SECOND)
