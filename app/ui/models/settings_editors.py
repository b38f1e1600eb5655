"""Editors for settings: each shows a value, changes it, and says what is wrong with it."""

import math
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QFontDatabase, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QLineEdit,
    QPlainTextEdit,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from app.ui.elements.tick_box import TickBox
from app.ui.library.filter_bar import ChevronBox
from app.ui.models.flow import FlowBox
from app.ui.models.settings_schema import FieldSpec, automatic_words, choice_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import FONT_SMALL, SPACE_S, SPACE_XS

_SLIDER_STEPS = 1000
_LINEAR_NUMBERS = 20.0
_LINEAR_INTEGERS = 128
_TOKEN_STEP = 256
_LEAST_TOKENS = 256
_MANY_TOKENS = 8192


class Editor(QWidget):
    """Base of the editors.

    Signals:
        changed: the user changed the value.
    """

    changed = Signal()

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        """Edit a setting."""
        super().__init__(parent)
        self.spec = spec

    @property
    def value(self) -> Any:
        """The value as the protocol carries it."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value; `changed` is not emitted."""
        raise NotImplementedError

    @property
    def problem(self) -> str:
        """What is wrong with the value, in words; empty where nothing is."""
        return ""


class NumberEditor(Editor):
    """A field, a slider where the range invites one, and a tick where the program can choose."""

    def __init__(
        self, spec: FieldSpec, theme: Theme, inherited: Any = None, parent: QWidget | None = None
    ) -> None:
        """Edit a number; `inherited` is the program's own setting of that name."""
        super().__init__(spec, parent)
        self._is_integer = spec.kind == "integer"
        self.field = _NumberField()
        self.field.setDecimals(0 if self._is_integer else 2)
        self.field.setSingleStep(self._step())
        self.field.setAccessibleName(spec.title)
        if spec.unit:
            self.field.setSuffix(f" {spec.unit}")
        self.slider = _Slider()
        self.slider.setAccessibleName(spec.title)
        self.box = TickBox(automatic_words(spec, inherited), theme)
        self.box.setAccessibleName(f"{spec.title}: {self.box.text()}")
        self.box.setVisible(bool(spec.automatic))
        self._low, self._high = self._bounds()
        self._slider_low, self._slider_high = self._low, self._high
        self._is_logarithmic = False
        self.field.setRange(self._low, self._high)
        self._set_slider()
        start = inherited if isinstance(inherited, int | float) and not spec.is_automatic(inherited) else None
        self._manual = float(start if start is not None else self._first_value())
        self.field.setValue(self._manual)
        self._lay_out()
        self.field.valueChanged.connect(self._on_field_changed)
        self.slider.valueChanged.connect(self._on_slider_moved)
        self.box.toggled.connect(self._on_box_toggled)

    def _bounds(self) -> tuple[float, float]:
        spec = self.spec
        low = spec.minimum if spec.minimum is not None else -1e9
        if spec.is_above_minimum:
            low += 0.01
        numbers = [each for each in spec.automatic if isinstance(each, int)]
        if low in numbers:  # said by the tick, not by a number
            low += 1
        return low, spec.maximum if spec.maximum is not None else 1e9

    def _step(self) -> float:
        if self._is_integer:
            return float(_TOKEN_STEP) if self._is_tokens and (self.spec.maximum or 0) > _MANY_TOKENS else 1.0
        return 0.05

    @property
    def _is_tokens(self) -> bool:
        return self.spec.unit == "tokens"

    def _first_value(self) -> float:
        if self._is_tokens and self._high > _MANY_TOKENS:
            return min(4096.0, self._high)
        return min(max(0.0, self._low), self._high)

    def _set_slider(self) -> None:
        span = self._high - self._low
        limit = _LINEAR_INTEGERS if self._is_integer else _LINEAR_NUMBERS
        self._is_logarithmic = self._is_integer and self._is_tokens and span > _MANY_TOKENS
        if self._is_logarithmic:
            self._slider_low = float(max(_LEAST_TOKENS, self._low))
        self._has_slider = span <= limit or self._is_logarithmic
        self.slider.setVisible(self._has_slider)

    def limit(self, highest: float) -> None:
        """Let the slider end at a value: what the model can do; the field takes more all the same."""
        if not self._low < highest <= self._high:
            return
        self._slider_high = highest
        self._has_slider = True
        self._show_in_slider()
        self._show_manual()

    @property
    def value(self) -> Any:
        """The number; what is automatic as the schema writes it."""
        if self.box.isVisibleTo(self) and self.box.isChecked():
            return self.spec.automatic[0]
        number = self.field.value()
        return round(number) if self._is_integer else round(number, 2)

    def set_value(self, value: Any) -> None:
        """Show a number, or that the program chooses."""
        if not isinstance(value, int | float) and not self.spec.is_automatic(value):
            value = self.spec.default if isinstance(self.spec.default, int | float) else self._low
        is_automatic = self.spec.is_automatic(value)
        with QSignalBlocker(self.box), QSignalBlocker(self.field):
            self.box.setChecked(is_automatic)
            if not is_automatic:
                self.field.setValue(float(value))
        self._show_in_slider()
        self._show_manual()

    def suggest(self, number: float) -> None:
        """Begin with a number when the user stops leaving the choice to the program: what it had chosen."""
        if self.box.isChecked() and self._low <= number <= self._high:
            with QSignalBlocker(self.field):
                self.field.setValue(number)
            self._show_in_slider()

    def _show_manual(self) -> None:
        is_manual = not self.box.isChecked()
        self.field.setVisible(is_manual)
        self.slider.setVisible(is_manual and self._has_slider)

    def _show_in_slider(self) -> None:
        low, high, number = self._slider_low, self._slider_high, self.field.value()
        number = min(max(number, low), high)
        if self._is_logarithmic:
            part = math.log(number / low) / math.log(high / low)
        else:
            part = (number - low) / ((high - low) or 1)
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(part * _SLIDER_STEPS))

    @Slot(int)
    def _on_slider_moved(self, position: int) -> None:
        low, high, part = self._slider_low, self._slider_high, position / _SLIDER_STEPS
        if self._is_logarithmic:
            number = round(low * (high / low) ** part / _TOKEN_STEP) * _TOKEN_STEP
            number = float(min(max(number, _LEAST_TOKENS), high))
        else:
            number = low + (high - low) * part
        step = 1.0 if self._is_integer else 0.01
        self.field.setValue(round(number / step) * step)

    @Slot()
    def _on_field_changed(self) -> None:
        self._show_in_slider()
        self.changed.emit()

    @Slot()
    def _on_box_toggled(self) -> None:
        self._show_manual()
        self.changed.emit()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_XS)
        layout.addWidget(FlowBox(self.field, self.box))
        layout.addWidget(self.slider)


class ToggleEditor(Editor):
    """On or off."""

    def __init__(self, spec: FieldSpec, theme: Theme, parent: QWidget | None = None) -> None:
        """Edit a switch."""
        super().__init__(spec, parent)
        self.box = TickBox(self.tr("On"), theme)
        self.box.setAccessibleName(spec.title)
        self.box.toggled.connect(self.changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box, 0, Qt.AlignmentFlag.AlignLeft)

    @property
    def value(self) -> Any:
        """True or False."""
        return self.box.isChecked()

    def set_value(self, value: Any) -> None:
        """Show whether it is on."""
        with QSignalBlocker(self.box):
            self.box.setChecked(bool(value))


class ChoiceEditor(Editor):
    """One of a few values."""

    def __init__(
        self,
        spec: FieldSpec,
        theme: Theme,
        choices: Sequence[tuple[Any, str]] = (),
        parent: QWidget | None = None,
    ) -> None:
        """Offer `choices` (value, words); without any, those of the schema."""
        super().__init__(spec, parent)
        self.box = WheellessBox(theme)
        self.box.setAccessibleName(spec.title)
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(12)
        for value, words in choices or [(each, choice_words(spec.name, each)) for each in spec.choices]:
            self.box.addItem(words, value)
        self.box.currentIndexChanged.connect(self.changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.box)

    @property
    def value(self) -> Any:
        """The chosen value."""
        return self.box.currentData()

    def set_value(self, value: Any) -> None:
        """Show a value; one that is not offered is added, so that it is not lost."""
        with QSignalBlocker(self.box):
            if self.box.findData(value) < 0:
                self.box.addItem(str(value), value)
            self.box.setCurrentIndex(self.box.findData(value))


class TextEditor(Editor):
    """A text of one or more lines; for `lines`, a list with one text a line."""

    def __init__(self, spec: FieldSpec, parent: QWidget | None = None) -> None:
        """Edit a text or a list of texts."""
        super().__init__(spec, parent)
        self._is_list = spec.kind == "lines"
        self.line: QLineEdit | None = None
        self.text: QPlainTextEdit | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        if not self._is_list and spec.n_lines == 1:
            self.line = QLineEdit()
            self.line.setAccessibleName(spec.title)
            self.line.textEdited.connect(self.changed)
            layout.addWidget(self.line)
        else:
            self.text = text_field(spec.title, 3 if self._is_list else spec.n_lines, is_code=self._is_list)
            if self._is_list:
                self.text.setPlaceholderText(self.tr("One text a line"))
            self.text.textChanged.connect(self.changed)
            layout.addWidget(framed(self.text))

    @property
    def value(self) -> Any:
        """The text, or the list of texts without empty ones."""
        if self.line is not None:
            return self.line.text()
        assert self.text is not None
        text = self.text.toPlainText()
        if not self._is_list:
            return text
        return [line.replace("\\n", "\n") for line in text.split("\n") if line]

    def set_value(self, value: Any) -> None:
        """Show a text or a list of texts, with line breaks inside one written in letters."""
        if self.line is not None:
            self.line.setText(str(value))
            return
        assert self.text is not None
        shown = "\n".join(each.replace("\n", "\\n") for each in value) if self._is_list else str(value)
        with QSignalBlocker(self.text):
            self.text.setPlainText(shown)

    @property
    def problem(self) -> str:
        """Say where a bound is passed."""
        value, spec = self.value, self.spec
        if self._is_list and spec.max_items and len(value) > spec.max_items:
            return self.tr("At most {0} texts; these are {1}.").format(spec.max_items, len(value))
        if not self._is_list and spec.max_length and len(value) > spec.max_length:
            count = QLocale().toString
            words = self.tr("At most {0} characters; these are {1}.")
            return words.format(count(spec.max_length), count(len(value)))
        return ""


class WheellessBox(ChevronBox):
    """A box of choices that leaves the wheel to the page, unless it was chosen before."""

    def wheelEvent(self, event: QWheelEvent, /) -> None:
        """Scroll the page."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class _NumberField(QDoubleSpinBox):
    def __init__(self) -> None:
        super().__init__()
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.lineEdit().setTextMargins(0, 0, SPACE_XS, 0)
        self.setKeyboardTracking(False)
        self.setGroupSeparatorShown(True)
        self.setMinimumWidth(130)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent, /) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class _Slider(QSlider):
    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setRange(0, _SLIDER_STEPS)
        self.setPageStep(_SLIDER_STEPS // 10)
        self.setSingleStep(_SLIDER_STEPS // 50)
        self.setMinimumWidth(110)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent, /) -> None:
        event.ignore()


def text_field(name: str, n_lines: int, *, is_code: bool) -> QPlainTextEdit:
    """Make a field for several lines of text; Tab goes on to what comes next."""
    field = QPlainTextEdit()
    field.setAccessibleName(name)
    field.setTabChangesFocus(True)
    if is_code:
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(field.font().pointSizeF() * FONT_SMALL)
        field.setFont(font)
    field.setFixedHeight(field.fontMetrics().lineSpacing() * n_lines + 2 * SPACE_S)
    return field


def framed(field: QPlainTextEdit) -> QFrame:
    """Put a text field into a frame like that of the other fields."""
    frame = QFrame()
    set_role(frame, "field")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(SPACE_XS, SPACE_XS, SPACE_XS, SPACE_XS)
    layout.addWidget(field)
    return frame
