"""What the chat shows before the first question: what to do now."""

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.protocol.library import LibraryStatus
from app.ui.icon_label import IconLabel
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL

_MAX_WIDTH = 560


class EmptyState(QWidget):
    """Teaches the next step: add documents, or ask.

    Signals:
        add_files_requested, add_folder_requested, sample_requested: what the buttons say.
        question_chosen: one of the suggested questions (str).
        models_requested: show where to get a model.
    """

    add_files_requested = Signal()
    add_folder_requested = Signal()
    sample_requested = Signal()
    question_chosen = Signal(str)
    models_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Show the words for an empty library."""
        super().__init__(parent)
        self._theme = theme
        self._status: LibraryStatus | None = None
        self._has_models = True
        self._title = QLabel()
        set_role(self._title, "title")
        self._words = QLabel()
        set_role(self._words, "muted")
        for label in (self._title, self._words):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            label.setWordWrap(True)
        self._buttons = self._new_buttons()
        self.models_button = QPushButton(self.tr("Choose a model…"))
        set_role(self.models_button, "primary")
        bind_icon(self.models_button, "model", theme, "on_accent")
        self.models_button.clicked.connect(self.models_requested)
        self._questions = QWidget()
        self._question_layout = QVBoxLayout(self._questions)
        self._question_layout.setContentsMargins(0, 0, 0, 0)
        self._question_layout.setSpacing(SPACE_S)
        privacy = QHBoxLayout()
        privacy.setSpacing(SPACE_S)
        privacy.addStretch()
        privacy.addWidget(IconLabel("offline", "ok", theme, 16))
        self._privacy = QLabel(self.tr("Everything stays on this computer. No account, no network."))
        set_role(self._privacy, "faint")
        privacy.addWidget(self._privacy)
        privacy.addStretch()
        self._lay_out(privacy)
        self.show_status(None)

    def _lay_out(self, privacy: QHBoxLayout) -> None:
        column = QWidget()
        column.setMaximumWidth(_MAX_WIDTH)
        inner = QVBoxLayout(column)
        inner.setContentsMargins(SPACE_L, SPACE_L, SPACE_L, SPACE_L)
        inner.setSpacing(SPACE_M)
        icon = IconLabel("document", "accent", self._theme, 44)
        inner.addWidget(icon, 0, Qt.AlignmentFlag.AlignHCenter)
        inner.addWidget(self._title)
        inner.addWidget(self._words)
        inner.addWidget(self.models_button, 0, Qt.AlignmentFlag.AlignHCenter)
        inner.addWidget(self._buttons)
        inner.addWidget(self._questions)
        inner.addSpacing(SPACE_XL - SPACE_M)
        inner.addLayout(privacy)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(column, 20)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(2)
        layout.addLayout(row)
        layout.addStretch(3)

    def _new_buttons(self) -> QWidget:
        box = QWidget()
        layout = self._button_row = QBoxLayout(QBoxLayout.Direction.LeftToRight, box)
        layout.setContentsMargins(0, SPACE_S, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addStretch()
        for words, name, role, signal in (
            (self.tr("Add files"), "add-file", "primary", self.add_files_requested),
            (self.tr("Add a folder"), "add-folder", "", self.add_folder_requested),
            (self.tr("Try the sample"), "document", "", self.sample_requested),
        ):
            button = QPushButton(words)
            button.setIconSize(QSize(16, 16))
            set_role(button, role)
            bind_icon(button, name, self._theme, "on_accent" if role else "text_muted")
            button.clicked.connect(signal)
            layout.addWidget(button)
        layout.addStretch()
        return box

    def show_status(self, status: LibraryStatus | None) -> None:
        """Fit the words to the library; None where it is not known yet."""
        self._status = status
        self._refresh()

    def show_models(self, *, has_models: bool) -> None:
        """Say first of all that a model is needed, where there is none."""
        self._has_models = has_models
        self._refresh()

    def _refresh(self) -> None:
        n_files = sum(self._status.counts.values()) if self._status is not None else 0
        self._buttons.setVisible(n_files == 0 and self._has_models)
        self.models_button.setVisible(not self._has_models)
        self._questions.setVisible(self._has_models)
        if not self._has_models:
            self._title.setText(self.tr("One thing is missing: a model"))
            self._words.setText(
                self.tr(
                    "A model writes the answers, on this computer. Choose one that fits it; "
                    "it is downloaded once and then works without any network."
                )
            )
            return
        if n_files == 0:
            self._title.setText(self.tr("Ask your documents"))
            self._words.setText(
                self.tr(
                    "Drop files or folders anywhere on this window, then ask. "
                    "Each answer shows the page it stands on."
                )
            )
            return
        self._title.setText(self.tr("What do you want to know?"))
        where = (
            self.tr("One file is in your library.")
            if n_files == 1
            else self.tr("{0} files are in your library.").format(self.locale().toString(n_files))
        )
        self._words.setText(
            f"{where}\n" + self.tr("Click a number in an answer to see its words on the page.")
        )

    def suggest_questions(self, questions: tuple[str, ...]) -> None:
        """Offer questions to begin with."""
        while (item := self._question_layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for question in questions:
            chip = QPushButton(question)
            set_role(chip, "chip")
            chip.setCursor(Qt.CursorShape.PointingHandCursor)
            chip.clicked.connect(self._on_question_clicked)
            self._question_layout.addWidget(chip, 0, Qt.AlignmentFlag.AlignHCenter)

    def _fit(self) -> None:
        """Put the buttons below one another, and wrap the last line, where they do not fit side by side."""
        self._button_row.setDirection(QBoxLayout.Direction.LeftToRight)
        self._privacy.setWordWrap(False)
        needed = max(self._button_row.sizeHint().width(), self._privacy.sizeHint().width() + SPACE_XL)
        if self.width() < needed + 2 * SPACE_L + 2 * SPACE_M:
            self._button_row.setDirection(QBoxLayout.Direction.TopToBottom)
            self._privacy.setWordWrap(True)

    @Slot()
    def _on_question_clicked(self) -> None:
        chip = self.sender()
        assert isinstance(chip, QPushButton)
        self.question_chosen.emit(chip.text())

    # Qt overrides

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Fit the buttons to the width."""
        super().resizeEvent(event)
        self._fit()
