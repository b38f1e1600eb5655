"""What stands in the middle of a pane that has nothing else to show: why, and what to do."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.ui.elements.banner import Step
from app.ui.icons import icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_S, SPACE_XL

_ICON_SIZE = 48
_MAX_TEXT_WIDTH = 380


class MessageCard(QWidget):
    """An icon, a title, a text and buttons; the first button is the main one."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it empty."""
        super().__init__(parent)
        self._theme = theme
        self._icon_name, self._icon_role = "info", "text_faint"
        self._icon, self._title, self._text = QLabel(), QLabel(), QLabel()
        self._note = QLabel()
        set_role(self._title, "heading")
        set_role(self._text, "muted")
        set_role(self._note, "faint")
        for label in (self._icon, self._title, self._text, self._note):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for label in (self._title, self._text, self._note):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setMaximumWidth(_MAX_TEXT_WIDTH)
            label.setMinimumWidth(0)
            label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self._steps = QHBoxLayout()
        self._steps.setSpacing(SPACE_S)
        column = QVBoxLayout()
        column.setSpacing(SPACE_S)
        column.addStretch(2)
        column.addWidget(self._icon)
        column.addSpacing(SPACE_S)
        column.addWidget(self._title)
        column.addWidget(self._text)
        column.addSpacing(SPACE_S)
        column.addLayout(self._steps)
        column.addSpacing(SPACE_S)
        column.addWidget(self._note)
        column.addStretch(3)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L)
        layout.addStretch(1)
        layout.addLayout(column, 100)
        layout.addStretch(1)
        theme.changed.connect(self._on_theme_changed)

    @property
    def title(self) -> str:
        """The title shown."""
        return self._title.text()

    @property
    def text(self) -> str:
        """The text shown."""
        return self._text.text()

    @property
    def buttons(self) -> list[QPushButton]:
        """The steps offered."""
        items = [self._steps.itemAt(i) for i in range(self._steps.count())]
        widgets = [item.widget() for item in items if item is not None]
        return [widget for widget in widgets if isinstance(widget, QPushButton)]

    def say(
        self,
        icon_name: str,
        title: str,
        text: str = "",
        steps: Sequence[Step] = (),
        *,
        note: str = "",
        role: str = "text_faint",
    ) -> None:
        """Show a message.

        Args:
            icon_name: as in `app.ui.icons`.
            title: a few words.
            text: a sentence or two.
            steps: buttons, the main one first.
            note: small print below the buttons.
            role: Palette field that colours the icon.
        """
        self._icon_name, self._icon_role = icon_name, role
        for label, words in ((self._title, title), (self._text, text), (self._note, note)):
            label.setText(words)
            label.setVisible(bool(words))
        self._set_steps(steps)
        self._on_theme_changed()

    def say_error(self, title: str, error: AppError, steps: Sequence[Step] = ()) -> None:
        """Show an error in its own words, with its hint."""
        self.say("error", title, f"{error.user_message} {error.hint}".strip(), steps, role="error")

    def _set_steps(self, steps: Sequence[Step]) -> None:
        while (item := self._steps.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        if not steps:
            return
        self._steps.addStretch(1)
        for index, (text, act) in enumerate(steps):
            button = QPushButton(text)
            if index == 0:
                set_role(button, "primary")
            button.clicked.connect(act)
            self._steps.addWidget(button)
            button.show()
        self._steps.addStretch(1)

    @Slot()
    def _on_theme_changed(self) -> None:
        shown = icon(self._icon_name, self._theme, self._icon_role, _ICON_SIZE)
        self._icon.setPixmap(shown.pixmap(_ICON_SIZE, _ICON_SIZE))
