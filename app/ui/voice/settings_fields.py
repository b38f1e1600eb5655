"""Inputs of the voice settings: lists of choices, and sliders that say their value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QStandardItem, QStandardItemModel, QWheelEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QWidget

from app.ui.elements.tooltips import plain_tooltip
from app.ui.library.filter_bar import ChevronBox
from app.ui.theme import Theme
from app.ui.tokens import SPACE_M

_STORE_DELAY_MS = 250


@dataclass(frozen=True)
class Choice:
    """One line of a list.

    Attributes:
        value: as the settings hold it.
        is_possible: False: shown grey, and cannot be chosen.
    """

    value: str
    words: str
    is_possible: bool = True


class ChoiceBox(ChevronBox):
    """A list of choices; the wheel scrolls the page that it stands on and never changes it unseen.

    Signals:
        chosen: value (str) that the user chose.
    """

    chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Start without choices."""
        super().__init__(theme, parent)
        self._choices: tuple[Choice, ...] = ()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.activated.connect(self._on_activated)

    @property
    def value(self) -> str:
        """The value shown."""
        return str(self.currentData() or "")

    def show_choices(self, choices: Sequence[Choice], value: str) -> None:
        """Show these choices with `value` chosen; the list is left alone where nothing changes."""
        if tuple(choices) == self._choices and value == self.value:
            return
        self._choices = tuple(choices)
        with QSignalBlocker(self):
            self.clear()
            for choice in choices:
                self.addItem(choice.words, choice.value)
                if not choice.is_possible:
                    self._disable_last()
            self.setCurrentIndex(max(0, self.findData(value)))
        self.setToolTip(plain_tooltip(self.currentText()))

    def _disable_last(self) -> None:
        model = self.model()
        assert isinstance(model, QStandardItemModel)  # a combo box makes its own
        item: QStandardItem = model.item(model.rowCount() - 1)
        item.setEnabled(False)

    @Slot(int)
    def _on_activated(self, index: int) -> None:
        self.chosen.emit(str(self.itemData(index)))

    # Qt overrides

    def wheelEvent(self, event: QWheelEvent, /) -> None:
        """Leave the wheel to the page."""
        event.ignore()


class _Slider(QSlider):
    def wheelEvent(self, event: QWheelEvent, /) -> None:
        event.ignore()


class SliderSetting(QWidget):
    """A slider over a number, whose value stands beside it.

    Signals:
        wanted: the new value (float), a moment after the last move.
    """

    wanted = Signal(float)

    def __init__(
        self,
        low: float,
        high: float,
        step: float,
        words: Callable[[float], str],
        parent: QWidget | None = None,
    ) -> None:
        """Choose between `low` and `high` in steps; `words` says a value."""
        super().__init__(parent)
        self._low, self._step, self._words = low, step, words
        self.slider = _Slider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, round((high - low) / step))
        self.slider.setPageStep(max(1, self.slider.maximum() // 10))
        self.said = QLabel()
        self.said.setMinimumWidth(
            max(self.fontMetrics().horizontalAdvance(words(each)) for each in (low, high)) + SPACE_M
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_M)
        row.addWidget(self.slider, 1)
        row.addWidget(self.said)
        self.setFocusProxy(self.slider)
        self._timer = QTimer(self, singleShot=True, interval=_STORE_DELAY_MS)
        self._timer.timeout.connect(self._on_timeout)
        self.slider.valueChanged.connect(self._on_moved)
        self._say()

    @property
    def value(self) -> float:
        """The value shown."""
        return round(self._low + self.slider.value() * self._step, 4)

    def show_value(self, value: float) -> None:
        """Show a stored value, unless the user is just moving the slider."""
        if not self._timer.isActive() and not self.slider.isSliderDown():
            with QSignalBlocker(self.slider):
                self.slider.setValue(round((value - self._low) / self._step))
            self._say()

    def setAccessibleName(self, name: str, /) -> None:
        """Name the slider, which has the focus."""
        super().setAccessibleName(name)
        self.slider.setAccessibleName(name)

    def _say(self) -> None:
        words = self._words(self.value)
        self.said.setText(words)
        self.slider.setAccessibleDescription(words)

    @Slot()
    def _on_moved(self) -> None:
        self._say()
        self._timer.start()

    @Slot()
    def _on_timeout(self) -> None:
        self.wanted.emit(self.value)
