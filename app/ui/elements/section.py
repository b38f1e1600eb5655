"""A card with a heading, and the labels that stand in it."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.ui.theme import set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S


def words_label(words: str, role: str = "") -> QLabel:
    """Make a label of plain text that wraps and can be selected with the mouse."""
    label = QLabel(words)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    set_role(label, role)
    return label


class Section(QFrame):
    """A card with a heading over what is put into `body`."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        """Show the heading over nothing."""
        super().__init__(parent)
        set_role(self, "card")
        self.setAccessibleName(title)
        self.heading = QLabel(title)
        set_role(self.heading, "heading")
        self.header = QHBoxLayout()
        self.header.setSpacing(SPACE_S)
        self.header.addWidget(self.heading)
        self.header.addStretch(1)
        self.body = QVBoxLayout()
        self.body.setSpacing(SPACE_M)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_M, SPACE_L, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addLayout(self.header)
        layout.addLayout(self.body)

    def set_title(self, title: str) -> None:
        """Show another heading."""
        self.heading.setText(title)
        self.setAccessibleName(title)

    def clear(self) -> None:
        """Take everything out of `body`."""
        while (item := self.body.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
