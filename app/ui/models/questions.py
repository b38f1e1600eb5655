"""What the window about models asks the user; tests inject their own answers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog, QLabel, QMessageBox, QVBoxLayout, QWidget

from app.protocol.models import ModelEntry
from app.ui.dialogs import FittedDialog, run
from app.ui.elements.tick_box import TickBox
from app.ui.models.parts import plain_label
from app.ui.models.words import OWN_SOURCES, size_words, source_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M

MODEL_SUFFIXES = (".gguf", ".bin")


@dataclass(frozen=True)
class Removal:
    """How a model is to be removed.

    Attributes:
        delete_file: a file that the program did not download goes too.
    """

    delete_file: bool = False


class ModelQuestions(Protocol):
    """What is asked."""

    async def model_files(self) -> list[str]:
        """Ask which model files to use."""

    async def model_folder(self) -> str:
        """Ask for a folder of models; empty where the user gave up."""

    async def adapter_file(self) -> str:
        """Ask for a LoRA adapter's file."""

    async def projector_file(self) -> str:
        """Ask for a projector's file."""

    async def removal(self, model: ModelEntry) -> Removal | None:
        """Say what removing a model does and ask whether to; None where not."""

    async def confirm(self, title: str, text: str, action: str) -> bool:
        """Ask whether to do something that cannot be undone, named by `action`."""


class QtModelQuestions:
    """Asks through dialogs over a window."""

    def __init__(self, over: Callable[[], QWidget], theme: Theme) -> None:
        """Ask over the widget that `over` gives, which may be built only then."""
        self._over, self._theme = over, theme

    async def model_files(self) -> list[str]:
        """See ModelQuestions."""
        dialog = self._file_dialog(_tr("Import models"), _tr("Models (*.gguf *.bin)"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        return dialog.selectedFiles() if await run(dialog) else []

    async def model_folder(self) -> str:
        """See ModelQuestions."""
        dialog = QFileDialog(self._over(), _tr("Use a folder of models"), str(Path.home()))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        return dialog.selectedFiles()[0] if await run(dialog) else ""

    async def adapter_file(self) -> str:
        """See ModelQuestions."""
        return await self._one_file(_tr("Add a LoRA adapter"), _tr("Adapters (*.gguf *.bin)"))

    async def projector_file(self) -> str:
        """See ModelQuestions."""
        return await self._one_file(_tr("Choose a projector"), _tr("Projectors (*.gguf)"))

    async def removal(self, model: ModelEntry) -> Removal | None:
        """See ModelQuestions."""
        dialog = RemoveDialog(model, self._theme, self._over())
        return dialog.removal if await run(dialog) else None

    async def confirm(self, title: str, text: str, action: str) -> bool:
        """See ModelQuestions."""
        box = QMessageBox(self._over())
        box.setWindowTitle(title)
        box.setIcon(QMessageBox.Icon.Question)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(title)
        box.setInformativeText(text)
        act = box.addButton(action, QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(cancel)
        set_role(act, "danger")
        await run(box)
        return box.clickedButton() is act

    async def _one_file(self, title: str, kinds: str) -> str:
        dialog = self._file_dialog(title, kinds)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        return dialog.selectedFiles()[0] if await run(dialog) else ""

    def _file_dialog(self, title: str, kinds: str) -> QFileDialog:
        dialog = QFileDialog(self._over(), title, str(Path.home()))
        dialog.setNameFilters([kinds, _tr("All files (*)")])
        return dialog


class RemoveDialog(FittedDialog):
    """Says what goes and what stays; a file that is not ours goes only with a tick for it."""

    def __init__(self, model: ModelEntry, theme: Theme, parent: QWidget | None = None) -> None:
        """Ask about `model`."""
        super().__init__(parent)
        self._model = model
        self._is_ours = model.source in OWN_SOURCES
        self.setWindowTitle(_tr("Remove this model?"))
        self.setMinimumWidth(500)
        title = QLabel(model.name)
        title.setTextFormat(Qt.TextFormat.PlainText)
        title.setWordWrap(True)
        set_role(title, "heading")
        self.words = plain_label("", "")
        path = plain_label(model.path, "faint")
        path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words = _tr("Delete the file too (frees {0})").format(size_words(model.size_bytes))
        self.box = TickBox(words, theme)
        self.box.setVisible(not self._is_ours and model.state != "missing")
        self.box.toggled.connect(self._show_words)
        standard = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self.ok, cancel = buttons.button(standard.Ok), buttons.button(standard.Cancel)
        set_role(self.ok, "danger")
        cancel.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        for widget in (title, self.words, path, self.box, buttons):
            layout.addWidget(widget)
        self._show_words()
        cancel.setFocus()

    @property
    def removal(self) -> Removal:
        """What was chosen."""
        return Removal(delete_file=self.box.isChecked())

    def _show_words(self) -> None:
        deletes = self._is_ours or self.box.isChecked()
        self.ok.setText(_tr("Delete the file") if deletes else _tr("Remove from the list"))
        self.words.setText(self._kept() if not deletes else self._deleted())

    def _deleted(self) -> str:
        freed = size_words(self._model.freed_bytes or self._model.size_bytes)
        words = _tr("The file is deleted for good; {0} become free. Your conversations stay.").format(freed)
        if self._is_ours:
            return words
        return f"{words} " + _tr("Other programs that use this file will no longer find it.")

    def _kept(self) -> str:
        if self._model.state == "missing":
            return _tr("The file is gone already; only the entry in the list is removed.")
        where = source_words(self._model.source)
        words = _tr(
            "Only the entry in the list goes; nothing becomes free. The file was not downloaded by this "
            "program ({0}) and stays where it is."
        )
        return words.format(where[:1].lower() + where[1:])


def _tr(text: str) -> str:
    return QCoreApplication.translate("ModelQuestions", text)
