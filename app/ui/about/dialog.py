"""The box about the program."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.ui.about.component_pane import ComponentPane
from app.ui.icon_label import IconLabel
from app.ui.theme import Theme, set_role
from app.ui.toasts import announce
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS

_SIZE = (980, 700)
_ICON_SIZE = 44


@dataclass(frozen=True)
class ProgramFacts:
    """What the box says of this installation.

    Attributes:
        version: of the program.
        data_dir: the data folder.
        program_dir: where the installed program stands; None for a source tree.
        versions: of what it runs on, one a line, for a report about a fault; no names of the user's folders.
    """

    version: str
    data_dir: Path
    program_dir: Path | None
    versions: str


class AboutDialog(QDialog):
    """Shows facts, licences and components; the components come later, from `AboutController`."""

    def __init__(self, facts: ProgramFacts, theme: Theme, parent: QWidget | None = None) -> None:
        """Show the facts."""
        super().__init__(parent)
        self._facts = facts
        self.setWindowTitle(self.tr("About h2oGPT Desktop"))
        self.resize(*_SIZE)
        self.components = ComponentPane()
        heading = QLabel(self.tr("What it is made of"))
        set_role(heading, "heading")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addLayout(self._head(theme))
        layout.addLayout(self._facts_grid())
        layout.addWidget(heading)
        layout.addWidget(self.components, 1)
        layout.addLayout(self._foot())
        self.components.search.setFocus()

    def _head(self, theme: Theme) -> QHBoxLayout:
        name = QLabel(self.tr("h2oGPT Desktop"))
        set_role(name, "title")
        version = QLabel(self.tr("Version {0}").format(self._facts.version))
        set_role(version, "muted")
        words = QVBoxLayout()
        words.setSpacing(SPACE_XS)
        words.addWidget(name)
        words.addWidget(version)
        row = QHBoxLayout()
        row.setSpacing(SPACE_M)
        row.addWidget(IconLabel("app", "accent", theme, _ICON_SIZE))
        row.addLayout(words, 1)
        return row

    def _facts_grid(self) -> QGridLayout:
        where = self.tr("Source tree")
        if self._facts.program_dir is not None:
            where = self.tr("Installed in {0}").format(self._facts.program_dir)
        rows = (
            (self.tr("Data folder"), str(self._facts.data_dir)),
            (self.tr("Program"), where),
            (
                self.tr("Privacy"),
                self.tr(
                    "Your documents, questions and answers stay on this computer. No account, no telemetry; "
                    "no connection is opened unless you start a download."
                ),
            ),
            (
                self.tr("Licence"),
                self.tr(
                    "Our own code is under the Apache License 2.0. It is bundled with PyMuPDF, so a bundle "
                    "is distributed as a whole under the AGPL-3.0: whoever receives it may have the complete "
                    "source. Qt and PySide6 are used under the LGPL-3.0, as shared libraries that you may "
                    "replace by your own build."
                ),
            ),
        )
        grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE_L)
        grid.setVerticalSpacing(SPACE_S)
        grid.setColumnStretch(1, 1)
        for number, (left, right) in enumerate(rows):
            title = QLabel(left)
            set_role(title, "muted")
            words = QLabel(right)
            words.setTextFormat(Qt.TextFormat.PlainText)
            words.setWordWrap(True)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            words.setAccessibleName(f"{left}: {right}")
            grid.addWidget(title, number, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(words, number, 1)
        return grid

    def _foot(self) -> QHBoxLayout:
        self.copy_button = QPushButton(self.tr("Copy version information"))
        self.copy_button.setAutoDefault(False)
        self.copy_button.clicked.connect(self._on_copy_clicked)
        self.copied = QLabel()
        set_role(self.copied, "faint")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())  # the style's is black
        buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(SPACE_M)
        row.addWidget(self.copy_button)
        row.addWidget(self.copied, 1)
        row.addWidget(buttons)
        return row

    @Slot()
    def _on_copy_clicked(self) -> None:
        QGuiApplication.clipboard().setText(self._facts.versions)
        self.copied.setText(self.tr("Copied."))
        announce(self.copied, self.tr("Copied."))
