"""The pages of the guide."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.core.errors import AppError
from app.protocol.hardware import Hardware
from app.ui.chat.busy_indicator import BusyIndicator
from app.ui.elements.system_opener import open_folder
from app.ui.guide.words import hardware_rows
from app.ui.icon_label import IconLabel
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XS


class GuidePage(QWidget):
    """A page with a title and a first sentence; its kinds add the rest to `column`.

    Attributes:
        title: as shown and spoken.
        column: for what stands below.
    """

    def __init__(self, title: str, words: str, theme: Theme) -> None:
        """Show title and sentence."""
        super().__init__()
        self.title, self._theme = title, theme
        self.setAccessibleName(title)
        heading = QLabel(title)
        set_role(heading, "title")
        self.words = plain_label(words, "muted")
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_M)
        self.column.setSpacing(SPACE_M)
        self.column.addWidget(heading)
        self.column.addWidget(self.words)
        self.column.addSpacing(SPACE_S)

    def add_point(self, icon_name: str, title: str, words: str) -> None:
        """Add an icon with a title and a sentence."""
        heading = QLabel(title)
        set_role(heading, "heading")
        texts = QVBoxLayout()
        texts.setSpacing(SPACE_XS)
        texts.addWidget(heading)
        texts.addWidget(plain_label(words, "muted"))
        row = QHBoxLayout()
        row.setSpacing(SPACE_L)
        row.addWidget(IconLabel(icon_name, "accent", self._theme, 26), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        self.column.addLayout(row)
        self.column.addSpacing(SPACE_XS)


class WelcomePage(GuidePage):
    """What this is."""

    def __init__(self, theme: Theme) -> None:
        """Build the page."""
        super().__init__(
            self.tr("Ask your own documents"),
            self.tr("h2oGPT answers from the files that you give it, and shows where each answer stands."),
            theme,
        )
        self.add_point(
            "add-file",
            self.tr("Add files"),
            self.tr("Drop files or folders on the window. They stay where they are and are never changed."),
        )
        self.add_point(
            "question",
            self.tr("Ask"),
            self.tr("A model on this computer writes the answer. It also works without any network."),
        )
        self.add_point(
            "quote",
            self.tr("Check"),
            self.tr("Click a number in an answer: its page opens with the words marked."),
        )
        self.add_point(
            "info",
            self.tr("No guessing"),
            self.tr("What your documents do not say is answered with “not in your documents”."),
        )
        self.column.addStretch(1)


class PrivacyPage(GuidePage):
    """Where the data lives, and what is never sent."""

    def __init__(self, data_dir: Path, theme: Theme) -> None:
        """Name the data folder."""
        super().__init__(
            self.tr("Your data stays here"),
            self.tr("Conversations, settings and the text of your documents are kept in one folder:"),
            theme,
        )
        self._data_dir = data_dir
        self.column.addLayout(self._folder_row(str(data_dir)))
        self.problem = plain_label(
            self.tr("The folder could not be opened here. Copy its path into your file manager."), "faint"
        )
        self.problem.hide()
        self.column.addWidget(self.problem)
        self.column.addSpacing(SPACE_M)
        self.add_point(
            "document",
            self.tr("Your files stay where they are"),
            self.tr("They are read in place. Removing one from the library deletes nothing of yours."),
        )
        self.add_point(
            "offline",
            self.tr("No connection unless you start one"),
            self.tr("The network is used only for a download that you ask for, and never for your text."),
        )
        self.add_point(
            "check-circle",
            self.tr("No account, no telemetry"),
            self.tr("Nothing is counted, reported or shared. There is nobody to sign in to."),
        )
        self.column.addStretch(1)

    def _folder_row(self, path: str) -> QHBoxLayout:
        self.path = QLineEdit(path)
        self.path.setReadOnly(True)
        self.path.setCursorPosition(0)
        self.path.setAccessibleName(self.tr("Data folder"))
        self.open_button = QPushButton(self.tr("Open folder"))
        self.open_button.clicked.connect(self._on_open_clicked)
        bind_icon(self.open_button, "folder", self._theme)
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addWidget(self.path, 1)
        row.addWidget(self.open_button)
        return row

    @Slot()
    def _on_open_clicked(self) -> None:
        self.problem.setVisible(not open_folder(self._data_dir))


class ComputerPage(GuidePage):
    """The hardware, as soon as it is known.

    Signals:
        retry_requested: look again.
    """

    retry_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        """Say that the computer is being looked at."""
        super().__init__(
            self.tr("This computer"),
            self.tr("What answers are computed with. Larger models need more memory and time."),
            theme,
        )
        self._waiting = QWidget()
        row = QHBoxLayout(self._waiting)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(BusyIndicator(theme, 18))
        row.addWidget(plain_label(self.tr("Looking at this computer…"), ""), 1)
        self._failed = self._failed_box()
        self._table = QFrame()
        set_role(self._table, "card")
        self._grid = QGridLayout(self._table)
        self._grid.setContentsMargins(SPACE_L, SPACE_M, SPACE_L, SPACE_M)
        self._grid.setHorizontalSpacing(SPACE_L)
        self._grid.setVerticalSpacing(SPACE_M)
        self._grid.setColumnStretch(1, 1)
        for part in (self._waiting, self._failed, self._table):
            self.column.addWidget(part)
        self.column.addStretch(1)
        self.show_waiting()

    @property
    def told(self) -> str:
        """What is told of the computer, one fact a line; empty while nothing is."""
        if self._table.isHidden():
            return ""
        labels = [self._grid.itemAtPosition(row, 1) for row in range(self._grid.rowCount())]
        widgets = [item.widget() for item in labels if item is not None]
        return "\n".join(widget.text() for widget in widgets if isinstance(widget, QLabel))

    def _failed_box(self) -> QWidget:
        box = QWidget()
        self.problem = plain_label("", "")
        self.retry_button = QPushButton(self.tr("Look again"))
        self.retry_button.clicked.connect(self.retry_requested)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_M)
        layout.addWidget(self.problem)
        layout.addWidget(self.retry_button, 0, Qt.AlignmentFlag.AlignLeft)
        return box

    def _show_only(self, part: QWidget) -> None:
        for each in (self._waiting, self._failed, self._table):
            each.setVisible(each is part)

    def show_waiting(self) -> None:
        """Say that it is being looked at."""
        self._show_only(self._waiting)

    def show_hardware(self, hardware: Hardware) -> None:
        """Show what was found."""
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for number, (what, words) in enumerate(hardware_rows(hardware)):
            value = plain_label(words, "")
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setAccessibleName(f"{what}: {words}")
            self._grid.addWidget(plain_label(what, "muted"), number, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(value, number, 1)
        self._show_only(self._table)

    def show_error(self, error: AppError) -> None:
        """Say why nothing is known."""
        self.problem.setText(f"{error.user_message} {error.hint}".strip())
        self._show_only(self._failed)


class TryPage(GuidePage):
    """What to do now.

    Signals:
        sample_requested, files_requested, models_requested: what the buttons say.
    """

    sample_requested = Signal()
    files_requested = Signal()
    models_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        """Offer the first steps."""
        super().__init__(
            self.tr("Try it"),
            self.tr("A short sample document comes with the program. Or begin with your own files."),
            theme,
        )
        self.models_box, self.models_button = self._add_step(
            "model",
            self.tr("Choose a model…"),
            self.tr("There is none on this computer yet. The list shows which fit it and how fast they are."),
            "primary",
        )
        self.models_button.clicked.connect(self.models_requested)
        _, self.sample_button = self._add_step(
            "document",
            self.tr("Add the sample document"),
            self.tr("It is read at once, and a first question is put into the text field for you to send."),
            "primary",
        )
        self.sample_button.clicked.connect(self.sample_requested)
        _, self.files_button = self._add_step(
            "add-file",
            self.tr("Add my own files…"),
            self.tr("PDF, Word, PowerPoint, Excel, HTML, Markdown, text, source code and more."),
        )
        self.files_button.clicked.connect(self.files_requested)
        self.column.addWidget(
            plain_label(self.tr("The menu at the top brings this guide back: “Show the guide”."), "faint")
        )
        self.column.addStretch(1)
        self.show_models(has_models=True)

    def show_models(self, *, has_models: bool) -> None:
        """Offer to choose a model first, where there is none."""
        self.models_box.setVisible(not has_models)
        set_role(self.sample_button, "primary" if has_models else "")
        bind_icon(self.sample_button, "document", self._theme, "on_accent" if has_models else "text_muted")

    def _add_step(
        self, icon_name: str, title: str, words: str, role: str = ""
    ) -> tuple[QWidget, QPushButton]:
        button = QPushButton(title)
        set_role(button, role)
        bind_icon(button, icon_name, self._theme, "on_accent" if role else "text_muted")
        box = QWidget()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(plain_label(words, "muted"))
        self.column.addWidget(box)
        return box, button


def plain_label(words: str, role: str) -> QLabel:
    """Make a label of plain text that wraps."""
    label = QLabel(words)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    set_role(label, role)
    return label
