"""Editors for settings that name files: LoRA adapters and the projector."""

from collections.abc import Awaitable, Callable
from pathlib import PurePath
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.ui.elements.buttons import tool_button
from app.ui.elements.elided_label import ElidedLabel
from app.ui.elements.tooltips import plain_tooltip
from app.ui.models.parts import push_button
from app.ui.models.settings_editors import Editor
from app.ui.models.settings_schema import FieldSpec
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_S, SPACE_XS

AskFile = Callable[[], Awaitable[str]]


class LoraEditor(Editor):
    """A list of adapters, each with its strength."""

    def __init__(
        self,
        spec: FieldSpec,
        theme: Theme,
        tasks: TaskSpawner,
        ask_file: AskFile,
        parent: QWidget | None = None,
    ) -> None:
        """Ask for files by `ask_file`."""
        super().__init__(spec, parent)
        self._theme, self._tasks, self._ask_file = theme, tasks, ask_file
        self.lines: list[LoraLine] = []
        self.add_button = push_button(self.tr("Add an adapter…"), theme, "add")
        self.add_button.clicked.connect(self._on_add_clicked)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(SPACE_XS)
        self._column.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)

    @property
    def value(self) -> Any:
        """The adapters as the protocol carries them."""
        return [{"path": line.path, "scale": line.scale} for line in self.lines]

    def set_value(self, value: Any) -> None:
        """Show adapters."""
        for line in tuple(self.lines):
            self._drop(line)
        for lora in value:
            self._add_line(str(lora["path"]), float(lora.get("scale", 1.0)))

    @property
    def problem(self) -> str:
        """Say when there are too many, or one twice."""
        paths = [line.path for line in self.lines]
        if self.spec.max_items and len(paths) > self.spec.max_items:
            return self.tr("At most {0} adapters.").format(self.spec.max_items)
        twice = next((path for path in paths if paths.count(path) > 1), "")
        return self.tr("{0} stands here twice.").format(PurePath(twice).name) if twice else ""

    def _add_line(self, path: str, scale: float) -> None:
        line = LoraLine(path, scale, self._theme)
        line.changed.connect(self.changed)
        line.remove_requested.connect(self._on_remove_requested)
        self._column.insertWidget(len(self.lines), line)
        self.lines.append(line)

    def _drop(self, line: "LoraLine") -> None:
        self.lines.remove(line)
        self._column.removeWidget(line)
        line.hide()
        line.deleteLater()

    @Slot()
    def _on_add_clicked(self) -> None:
        self._tasks.spawn(self._add(), "models.adapter")

    async def _add(self) -> None:
        if path := await self._ask_file():
            self._add_line(path, 1.0)
            self.changed.emit()

    @Slot()
    def _on_remove_requested(self) -> None:
        line = self.sender()
        assert isinstance(line, LoraLine)
        self._drop(line)
        self.add_button.setFocus()
        self.changed.emit()


class LoraLine(QWidget):
    """One adapter.

    Signals:
        changed: its strength changed.
        remove_requested: take it out.
    """

    changed = Signal()
    remove_requested = Signal()

    def __init__(self, path: str, scale: float, theme: Theme, parent: QWidget | None = None) -> None:
        """Show an adapter."""
        super().__init__(parent)
        self.path = path
        name = ElidedLabel(PurePath(path).name, Qt.TextElideMode.ElideMiddle)
        name.setToolTip(plain_tooltip(path))
        label = QLabel(self.tr("Strength"))
        set_role(label, "faint")
        self.field = QDoubleSpinBox()
        self.field.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.field.setRange(-4.0, 4.0)
        self.field.setSingleStep(0.1)
        self.field.setValue(scale)
        self.field.setAccessibleName(self.tr("Strength of {0}").format(name.full_text))
        self.field.valueChanged.connect(self.changed)
        words = self.tr("Remove {0}").format(name.full_text)
        self.remove_button = tool_button("close", words, theme, self)
        self.remove_button.clicked.connect(self.remove_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(name, 1)
        for part in (label, self.field, self.remove_button):
            row.addWidget(part)

    @property
    def scale(self) -> float:
        """Its strength."""
        return round(self.field.value(), 2)


class ProjectorEditor(Editor):
    """The projector's file; without one, that beside the model."""

    def __init__(
        self,
        spec: FieldSpec,
        theme: Theme,
        tasks: TaskSpawner,
        ask_file: AskFile,
        parent: QWidget | None = None,
    ) -> None:
        """Ask for the file by `ask_file`."""
        super().__init__(spec, parent)
        self._tasks, self._ask_file = tasks, ask_file
        self._path = ""
        self.name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.choose_button = push_button(self.tr("Choose…"), theme, "file")
        self.choose_button.clicked.connect(self._on_choose_clicked)
        self.clear_button = tool_button("close", self.tr("Use the one beside the model"), theme, self)
        self.clear_button.clicked.connect(self._on_clear_clicked)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self.name, 1)
        row.addWidget(self.clear_button)
        row.addWidget(self.choose_button)
        self.set_value("")

    @property
    def value(self) -> Any:
        """The path; empty for the one beside the model."""
        return self._path

    def set_value(self, value: Any) -> None:
        """Show a path."""
        self._path = str(value)
        with QSignalBlocker(self):
            words = PurePath(self._path).name if self._path else self.tr("The one beside the model")
            self.name.set_full_text(words)
            if self._path:
                self.name.setToolTip(plain_tooltip(self._path))
            self.clear_button.setVisible(bool(self._path))

    @Slot()
    def _on_choose_clicked(self) -> None:
        self._tasks.spawn(self._choose(), "models.projector")

    async def _choose(self) -> None:
        if path := await self._ask_file():
            self.set_value(path)
            self.changed.emit()

    @Slot()
    def _on_clear_clicked(self) -> None:
        self.set_value("")
        self.choose_button.setFocus()
        self.changed.emit()
