"""Fields that store what they hold when they are left, and show under them why it was refused."""

from collections.abc import Sequence

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from app.ui.elements.section import words_label
from app.ui.theme import set_role
from app.ui.toasts import announce
from app.ui.tokens import SPACE_S, SPACE_XS


class Field(QWidget):
    """A title, an input, a sentence about it, and room for what is wrong with it.

    Attributes:
        marked: what is outlined where something is wrong; the input, if nothing else is set.
    """

    def __init__(self, title: str, words: str, editor: QWidget, beside: Sequence[QWidget] = ()) -> None:
        """Put `title` over `editor`, `words` under it, and other widgets `beside` it."""
        super().__init__()
        self.marked = editor
        self.title = QLabel(title)
        self.title.setBuddy(editor)
        editor.setAccessibleName(title)
        editor.setAccessibleDescription(words)
        self.words = words_label(words, "faint")
        self.problem = words_label("", "problem")
        self.problem.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_XS)
        row = QHBoxLayout()
        row.setSpacing(SPACE_S)
        row.addWidget(editor, 1)
        for widget in beside:
            row.addWidget(widget)
        layout.addWidget(self.title)
        layout.addLayout(row)
        layout.addWidget(self.problem)
        layout.addWidget(self.words)

    def show_problem(self, words: str) -> None:
        """Say what is wrong with what was entered; empty: nothing."""
        self.problem.setText(words)
        self.problem.setVisible(bool(words))
        set_role(self.marked, "wrong" if words else "")
        if words:
            announce(self.marked, words, urgent=True)


class TextSetting(QLineEdit):
    """A text that is stored when it is left or Enter is pressed.

    Signals:
        stored_wanted: the new text (str).
    """

    stored_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start empty."""
        super().__init__(parent)
        self._stored = ""
        self.editingFinished.connect(self._on_editing_finished)

    def show_stored(self, text: str) -> None:
        """Show the stored text, unless the user is just typing another one."""
        was_untouched = self.text().strip() == self._stored or not self.hasFocus()
        self._stored = text
        if was_untouched:
            self.setText(text)

    @Slot()
    def _on_editing_finished(self) -> None:
        text = self.text().strip()
        if text != self._stored:
            self.stored_wanted.emit(text)
