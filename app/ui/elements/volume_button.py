"""A button that opens a slider for the volume."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSlider, QToolButton, QWidget, QWidgetAction

from app.ui.elements.buttons import tool_button
from app.ui.theme import Theme
from app.ui.tokens import SPACE_M, SPACE_S

_SLIDER_WIDTH = 160


class VolumeButton(QWidget):
    """Shows a loudspeaker; the slider moves by 5 % with the arrow keys.

    Signals:
        volume_chosen: 0 to 1.

    Attributes:
        button: what is pressed.
        slider: 0 to 100.
    """

    volume_chosen = Signal(float)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Show full volume."""
        super().__init__(parent)
        self.button = tool_button("volume", self.tr("Volume"), theme, self)
        self.button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setSingleStep(5)
        self.slider.setPageStep(20)
        self.slider.setFixedWidth(_SLIDER_WIDTH)
        self.slider.setAccessibleName(self.tr("Volume"))
        menu = QMenu(self.button)
        around = QWidget()
        margins = QHBoxLayout(around)
        margins.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        margins.addWidget(self.slider)
        action = QWidgetAction(menu)
        action.setDefaultWidget(around)
        menu.addAction(action)
        menu.aboutToShow.connect(self.slider.setFocus)
        self.button.setMenu(menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        self.setFocusProxy(self.button)
        self.slider.valueChanged.connect(self._on_value_changed)
        self.show_volume(1.0)

    def show_volume(self, volume: float) -> None:
        """Show a volume, 0 to 1, without choosing it."""
        percent = round(volume * 100)
        was_blocked = self.slider.blockSignals(True)
        self.slider.setValue(percent)
        self.slider.blockSignals(was_blocked)
        words = self.tr("Volume, {0} %").format(percent)
        self.slider.setAccessibleName(words)
        self.button.setAccessibleName(words)
        self.button.setToolTip(words)

    @Slot(int)
    def _on_value_changed(self, percent: int) -> None:
        self.show_volume(percent / 100)
        self.volume_chosen.emit(percent / 100)
