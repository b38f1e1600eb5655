"""A strip above or below content that says what is the matter and offers the next step."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QMargins, Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.ui.elements.buttons import tool_button
from app.ui.icons import icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import ICON_SIZE, SPACE_M, SPACE_S, SPACE_XS

Step = tuple[str, Callable[[], object]]
"""Text of a button and what it does (a bound method)."""

_ICONS = {"info": "info", "warning": "warning", "error": "error"}
_ROLES = {"info": "accent", "warning": "warning", "error": "error"}


_NO_MARGINS = QMargins()


class Banner(QWidget):
    """Hidden until it has something to say."""

    def __init__(self, theme: Theme, parent: QWidget | None = None, margins: QMargins = _NO_MARGINS) -> None:
        """Create it hidden, with `margins` around it while it shows."""
        super().__init__(parent)
        self._theme, self._severity, self._margins = theme, "info", margins
        self._frame = QFrame(self)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(margins)
        outer.addWidget(self._frame)
        self._icon = QLabel()
        self._icon.setFixedSize(ICON_SIZE, ICON_SIZE)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._steps = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._steps.setSpacing(SPACE_M)
        words = QVBoxLayout()
        words.setSpacing(SPACE_XS)
        words.addWidget(self._text)
        words.addLayout(self._steps)
        close = self._close = tool_button("close", self.tr("Dismiss"), theme, self._frame)
        close.clicked.connect(self.hide)
        layout = QHBoxLayout(self._frame)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        theme.changed.connect(self._on_theme_changed)
        self.hide()

    @property
    def text(self) -> str:
        """What it says."""
        return self._text.text()

    @property
    def buttons(self) -> list[QPushButton]:
        """The next steps that it offers."""
        items = [self._steps.itemAt(i) for i in range(self._steps.count())]
        widgets = [item.widget() for item in items if item is not None]
        return [widget for widget in widgets if isinstance(widget, QPushButton)]

    def say(self, severity: str, text: str, steps: Sequence[Step] = ()) -> None:
        """Show a text.

        Args:
            severity: `info`, `warning` or `error`.
            text: what is the matter.
            steps: buttons below the text.
        """
        self._severity = severity
        set_role(self._frame, f"banner-{severity}")
        self._text.setText(text)
        self.setAccessibleName(text)
        self._set_steps(steps)
        self._on_theme_changed()
        self.show()

    def say_error(self, error: AppError, steps: Sequence[Step] = ()) -> None:
        """Show an error in its own words, with its hint."""
        self.say("error", f"{error.user_message} {error.hint}".strip(), steps)

    def _set_steps(self, steps: Sequence[Step]) -> None:
        while (item := self._steps.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for text, act in steps:
            button = QPushButton(text)
            set_role(button, "link")
            button.clicked.connect(act)
            self._steps.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
            button.show()
        self._steps.addStretch(
            1
        )  # without any item, the row's greatest width would be none, and so the text's
        self._fit_steps()

    def _fit_steps(self) -> None:
        """Put the steps below one another where they do not fit side by side."""
        widths = [button.sizeHint().width() for button in self.buttons]
        needed = sum(widths) + SPACE_M * len(widths)
        beside = ICON_SIZE + self._close.sizeHint().width() + SPACE_M + 3 * SPACE_S
        room = self.width() - self._margins.left() - self._margins.right() - beside
        fits = needed <= room
        direction = QBoxLayout.Direction.LeftToRight if fits else QBoxLayout.Direction.TopToBottom
        if direction != self._steps.direction():
            self._steps.setDirection(direction)
            self._steps.setSpacing(SPACE_M if fits else 0)

    @Slot()
    def _on_theme_changed(self) -> None:
        shown = icon(_ICONS[self._severity], self._theme, _ROLES[self._severity])
        self._icon.setPixmap(shown.pixmap(ICON_SIZE, ICON_SIZE))

    # Qt overrides

    def resizeEvent(self, event: QResizeEvent, /) -> None:
        """Fit the steps to the width."""
        super().resizeEvent(event)
        self._fit_steps()
