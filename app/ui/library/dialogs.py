"""Questions to the user that need a window of their own; none of them re-enters the event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from app.ui.theme import set_role
from app.ui.tokens import SPACE_L, SPACE_S

Check = Callable[[str], Awaitable[str]]
"""Uses a name; gives words for the user where that failed, else nothing."""


class Questions(Protocol):
    """What the library pane asks; tests inject their own answers."""

    async def files(self) -> list[str]:
        """Ask which files to add."""

    async def folder(self) -> list[str]:
        """Ask which folder to add."""

    async def confirm(self, title: str, text: str, action: str) -> bool:
        """Ask whether to do something, named by `action`."""

    async def name(self, title: str, label: str, initial: str, check: Check) -> bool:
        """Ask for a name until `check` accepts it; False if the user gave up."""


class QtQuestions:
    """Asks through dialogs over a widget's window."""

    def __init__(self, parent: QWidget) -> None:
        """Ask over the window of `parent`."""
        self._parent = parent

    async def files(self) -> list[str]:
        """Ask which files to add."""
        dialog = QFileDialog(self._parent, self._parent.tr("Add files"), str(Path.home()))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        return dialog.selectedFiles() if await self._answer(dialog) else []

    async def folder(self) -> list[str]:
        """Ask which folder to add."""
        dialog = QFileDialog(self._parent, self._parent.tr("Add a folder"), str(Path.home()))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        return dialog.selectedFiles() if await self._answer(dialog) else []

    async def confirm(self, title: str, text: str, action: str) -> bool:
        """Ask whether to do something; the safe answer is the default."""
        box = QMessageBox(self._parent)
        box.setWindowTitle(title)
        box.setIcon(QMessageBox.Icon.Question)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(title)
        box.setInformativeText(text)
        act = box.addButton(action, QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(cancel)
        set_role(act, "danger")
        await self._answer(box)
        return box.clickedButton() is act

    async def name(self, title: str, label: str, initial: str, check: Check) -> bool:
        """Ask for a name until `check` accepts it."""
        dialog = NameDialog(title, label, initial, self._parent)
        while await self._answer(dialog, keep=True):
            problem = await check(dialog.field.text().strip())
            if not problem:
                dialog.deleteLater()
                return True
            dialog.show_problem(problem)
        dialog.deleteLater()
        return False

    async def _answer(self, dialog: QDialog, *, keep: bool = False) -> bool:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        @Slot(int)
        def on_finished(result: int) -> None:
            if not done.done():
                done.set_result(result)

        dialog.finished.connect(on_finished)
        dialog.open()
        try:
            return bool(await done)
        finally:
            dialog.finished.disconnect(on_finished)
            dialog.close()
            if not keep:
                dialog.deleteLater()


class NameDialog(QDialog):
    """A field for a name, with the reason below it when a name was refused."""

    def __init__(self, title: str, label: str, initial: str, parent: QWidget | None = None) -> None:
        """Create the dialog with `initial` chosen in the field."""
        super().__init__(parent)
        self.setWindowTitle(title)
        words = QLabel(label)
        self.field = QLineEdit(initial)
        self.field.selectAll()
        self.field.setMinimumWidth(280)
        words.setBuddy(self.field)
        words.setTextFormat(Qt.TextFormat.PlainText)  # it may hold a name
        self.problem = QLabel()
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.setWordWrap(True)
        set_role(self.problem, "badge-error")
        self.problem.hide()
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        set_role(self.buttons.button(standard.Ok), "primary")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.field.textChanged.connect(self._on_text_changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_S)
        for widget in (words, self.field, self.problem):
            layout.addWidget(widget)
        layout.addSpacing(SPACE_S)
        layout.addWidget(self.buttons)
        self._on_text_changed(initial)

    def show_problem(self, words: str) -> None:
        """Say why the name was refused."""
        self.problem.setText(words)
        self.problem.show()

    @Slot(str)
    def _on_text_changed(self, text: str) -> None:
        self.problem.hide()
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(bool(text.strip()))
