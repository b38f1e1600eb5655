"""Questions of the window to the user; none of them re-enters the event loop."""

import asyncio
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QCoreApplication, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from app.ui.chat.image_files import patterns
from app.ui.theme import set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S


class CloseChoice(Enum):
    """What to do with running work when the window closes."""

    BACKGROUND = "background"
    STOP = "stop"
    STAY = "stay"


class Dialogs(Protocol):
    """What the window asks; tests inject their own answers."""

    async def choose_files(self) -> list[str]:
        """Ask which files to add; empty where the user gave up."""

    async def choose_folder(self) -> list[str]:
        """Ask which folder to add."""

    async def choose_images(self) -> list[str]:
        """Ask which images to attach to a question."""

    async def name_text(self, suggested: str, text: str) -> str:
        """Ask how pasted text is to be called; empty where the user gave up."""

    async def confirm_link(self, address: str) -> bool:
        """Ask whether an address may be opened in the system's browser."""

    async def ask_close(self, detail: str) -> CloseChoice:
        """Ask what to do with the work that is running."""

    async def show_text(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Show a table of two columns."""

    def open_link(self, address: str) -> None:
        """Open a confirmed address outside."""


class QtDialogs:
    """Asks through dialogs over the window."""

    def __init__(self, parent: QWidget) -> None:
        """Ask over `parent`."""
        self._parent = parent

    async def choose_files(self) -> list[str]:
        """See Dialogs."""
        dialog = QFileDialog(self._parent, _tr("Add files"), str(Path.home()))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        return dialog.selectedFiles() if await run(dialog) else []

    async def choose_folder(self) -> list[str]:
        """See Dialogs."""
        dialog = QFileDialog(self._parent, _tr("Add a folder"), str(Path.home()))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        return dialog.selectedFiles() if await run(dialog) else []

    async def choose_images(self) -> list[str]:
        """See Dialogs."""
        dialog = QFileDialog(self._parent, _tr("Attach images"), str(Path.home()))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilters([_tr("Images ({0})").format(patterns()), _tr("All files (*)")])
        return dialog.selectedFiles() if await run(dialog) else []

    async def name_text(self, suggested: str, text: str) -> str:
        """See Dialogs."""
        dialog = NameTextDialog(suggested, text, self._parent)
        return dialog.field.text().strip() if await run(dialog) else ""

    async def confirm_link(self, address: str) -> bool:
        """See Dialogs."""
        dialog = LinkDialog(address, self._parent)
        return bool(await run(dialog))

    async def ask_close(self, detail: str) -> CloseChoice:
        """See Dialogs."""
        box = QMessageBox(self._parent)
        box.setWindowTitle(_tr("Work is still running"))
        box.setIcon(QMessageBox.Icon.Question)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(_tr("Work is still running"))
        box.setInformativeText(
            f"{detail}\n\n" + _tr("What is stopped goes on by itself when you start the program again.")
        )
        keep = box.addButton(_tr("Keep working in the background"), QMessageBox.ButtonRole.AcceptRole)
        stop = box.addButton(_tr("Stop and quit"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(keep)
        set_role(keep, "primary")
        set_role(stop, "danger")
        await run(box)
        clicked = box.clickedButton()
        if clicked is keep:
            return CloseChoice.BACKGROUND
        return CloseChoice.STOP if clicked is stop else CloseChoice.STAY

    async def show_text(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """See Dialogs."""
        await run(TableDialog(title, rows, self._parent))

    def open_link(self, address: str) -> None:
        """See Dialogs."""
        QDesktopServices.openUrl(QUrl(address, QUrl.ParsingMode.StrictMode))


async def run(dialog: QDialog) -> int:
    """Show a dialog and wait for its end without a loop of its own; gives its result."""
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_finished(result: int) -> None:
        if not done.done():
            done.set_result(result)

    dialog.finished.connect(on_finished)
    dialog.open()
    try:
        return await done
    finally:
        dialog.close()
        dialog.deleteLater()


class FittedDialog(QDialog):
    """As high as its text needs at its width: Qt alone guesses too much for text that wraps."""

    # Qt overrides

    def showEvent(self, event: QShowEvent, /) -> None:
        """Fit the height."""
        layout = self.layout()
        width = max(self.minimumWidth(), 1)
        if layout is not None and layout.hasHeightForWidth():
            self.resize(width, layout.totalHeightForWidth(width))
        super().showEvent(event)


class NameTextDialog(FittedDialog):
    """Shows the beginning of pasted text and asks for its name."""

    def __init__(self, suggested: str, text: str, parent: QWidget | None = None) -> None:
        """Suggest a name."""
        super().__init__(parent)
        self.setWindowTitle(_tr("Add text to the library"))
        self.setMinimumWidth(440)
        title = QLabel(_tr("Name of the new document"))
        self.field = QLineEdit(suggested)
        self.field.setMaxLength(120)
        self.field.selectAll()
        title.setBuddy(self.field)
        preview = QLabel(_shortened(text))
        preview.setTextFormat(Qt.TextFormat.PlainText)
        preview.setWordWrap(True)
        set_role(preview, "faint")
        standard = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self._ok = buttons.button(standard.Ok)
        self._ok.setText(_tr("Add"))
        set_role(self._ok, "primary")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.field.textChanged.connect(self._on_text_changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_S)
        for widget in (title, self.field, preview):
            layout.addWidget(widget)
        layout.addSpacing(SPACE_S)
        layout.addWidget(buttons)

    def _on_text_changed(self, text: str) -> None:
        self._ok.setEnabled(bool(text.strip()))


class LinkDialog(FittedDialog):
    """Shows the full address of a link before anything is opened."""

    def __init__(self, address: str, parent: QWidget | None = None) -> None:
        """Ask about an address."""
        super().__init__(parent)
        self.setWindowTitle(_tr("Open this address?"))
        self.setMinimumWidth(460)
        words = QLabel(
            _tr(
                "The text of an answer wants to open this address in your browser. "
                "It leaves this program; what you ask and your documents stay here."
            )
        )
        words.setWordWrap(True)
        self.address = QLabel(address)
        self.address.setTextFormat(Qt.TextFormat.PlainText)
        self.address.setWordWrap(True)
        self.address.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        box = QFrame()
        set_role(box, "card")
        inner = QVBoxLayout(box)
        inner.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_M)
        inner.addWidget(self.address)
        standard = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(standard.Open | standard.Cancel)
        cancel = buttons.button(standard.Cancel)
        cancel.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addWidget(words)
        layout.addWidget(box)
        layout.addWidget(buttons)
        cancel.setFocus()


class TableDialog(FittedDialog):
    """Shows two columns: shortcuts and what they do, or facts about the program."""

    def __init__(self, title: str, rows: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        """Show the rows."""
        super().__init__(parent)
        self.setWindowTitle(title)
        heading = QLabel(title)
        set_role(heading, "heading")
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE_L)
        grid.setVerticalSpacing(SPACE_S)
        for number, (left, right) in enumerate(rows):
            for column, words in enumerate((left, right)):
                label = QLabel(words)
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                label.setWordWrap(column == 1)
                set_role(label, "muted" if column == 0 else "")
                grid.addWidget(label, number, column, Qt.AlignmentFlag.AlignTop)
        grid.setColumnStretch(1, 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addWidget(heading)
        layout.addLayout(grid)
        layout.addWidget(buttons)
        self.setMinimumWidth(420)


def _shortened(text: str) -> str:
    words = " ".join(text[:2000].split())
    return words if len(words) <= 240 else words[:240] + "…"


def _tr(text: str) -> str:
    return QCoreApplication.translate("Dialogs", text)
