"""Models of other programs that were found on this computer, to be used where they are."""

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.protocol.models import FoundFolder, FoundFolders
from app.ui.elements.elided_label import ElidedLabel
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icon_label import IconLabel
from app.ui.models.parts import push_button
from app.ui.models.words import counted, size_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS


class FoldersBox(QWidget):
    """One line for each folder; hidden while none was found.

    Signals:
        use_requested: FoundFolder (object), and whether to use it.
    """

    use_requested = Signal(object, bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        self._theme = theme
        self.lines: list[FolderLine] = []
        heading = QLabel(self.tr("Models of other programs"))
        set_role(heading, "heading")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_M, SPACE_S)
        self._layout.setSpacing(SPACE_S)
        self._layout.addWidget(heading)
        self.hide()

    def show_folders(self, found: FoundFolders) -> None:
        """Show these folders; a line that stays keeps the focus."""
        self.setVisible(bool(found.folders))
        paths = [folder.path for folder in found.folders]
        for line in [line for line in self.lines if line.folder.path not in paths]:
            self.lines.remove(line)
            line.hide()
            line.deleteLater()
        known = {line.folder.path: line for line in self.lines}
        for folder in found.folders:
            if folder.path in known:
                known[folder.path].show_folder(folder)
            else:
                self._add_line(folder)

    def _add_line(self, folder: FoundFolder) -> None:
        line = FolderLine(self._theme)
        line.show_folder(folder)
        line.use_requested.connect(self.use_requested)
        self.lines.append(line)
        self._layout.addWidget(line)


class FolderLine(QWidget):
    """A folder: program, how many models of what size, and a button.

    Signals:
        use_requested: as FoldersBox.
    """

    use_requested = Signal(object, bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it without a folder."""
        super().__init__(parent)
        self.folder = FoundFolder(program="folder", title="", path="", n_models=0, size_bytes=0, in_use=False)
        self._title, self._words = ElidedLabel(), ElidedLabel()
        set_role(self._words, "faint")
        self.button = push_button("", theme)
        self.button.clicked.connect(self._on_clicked)
        words = QVBoxLayout()
        words.setSpacing(SPACE_XS)
        words.addWidget(self._title)
        words.addWidget(self._words)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_M)
        row.addWidget(IconLabel("folder", "text_muted", theme))
        row.addLayout(words, 1)
        row.addWidget(self.button)

    @property
    def text(self) -> str:
        """What the line says."""
        return f"{self._title.full_text}: {self._words.full_text}"

    def show_folder(self, folder: FoundFolder) -> None:
        """Show a folder as it is now."""
        self.folder = folder
        self._title.set_full_text(folder.title)
        count = counted(folder.n_models, self.tr("1 model"), self.tr("{0} models"))
        used = self.tr("used in place") if folder.in_use else self.tr("nothing is copied")
        self._words.set_full_text(f"{count}, {size_words(folder.size_bytes)} · {used}")
        self.setToolTip(plain_tooltip(folder.path))
        self.button.setText(self.tr("Stop using") if folder.in_use else self.tr("Use"))
        name = self.tr("Stop using the models of {0}") if folder.in_use else self.tr("Use the models of {0}")
        self.button.setAccessibleName(name.format(folder.title))

    @Slot()
    def _on_clicked(self) -> None:
        self.use_requested.emit(self.folder, not self.folder.in_use)
