"""What the diagnostics page is made of: cards of facts, the answer about the GPU, ticked lists."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.ui.diagnostics.words import Card, GpuAnswer, state_words
from app.ui.elements.elided_label import ElidedLabel
from app.ui.elements.section import words_label
from app.ui.icon_label import IconLabel
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS

_ANSWER_LOOKS = {
    "ok": ("check-circle", "ok", "banner-ok"),
    "info": ("info", "accent", "banner-info"),
    "warning": ("warning", "warning", "banner-warning"),
    "error": ("error", "error", "banner-error"),
}
_BADGES = {"used": "badge-ok", "untested": "badge-accent", "unused": "badge-warning"}
_MARKS = {
    "ok": ("check-circle", "ok"),
    "missing": ("close", "text_faint"),
    "warning": ("warning", "warning"),
    "error": ("error", "error"),
}
_LABEL_WIDTH = 170


class Facts(QWidget):
    """Two columns: what, and what is known of it."""

    def __init__(self, rows: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        """Show (what, words) rows."""
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE_L)
        grid.setVerticalSpacing(SPACE_S)
        grid.setColumnMinimumWidth(0, _LABEL_WIDTH)
        grid.setColumnStretch(1, 1)
        for number, (what, words) in enumerate(rows):
            name, value = words_label(what, "muted"), words_label(words)
            value.setAccessibleName(f"{what}: {words}")
            grid.addWidget(name, number, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(value, number, 1)


class AnswerBox(QFrame):
    """Whether the GPU is used, and why not."""

    def __init__(self, answer: GpuAnswer, theme: Theme, parent: QWidget | None = None) -> None:
        """Show the answer."""
        super().__init__(parent)
        icon_name, colour, role = _ANSWER_LOOKS[answer.severity]
        set_role(self, role)
        self.setAccessibleName("\n".join((answer.title, *answer.reasons)))
        title = words_label(answer.title, "strong")
        words = QVBoxLayout()
        words.setSpacing(SPACE_XS)
        words.addWidget(title)
        for reason in answer.reasons:
            words.addWidget(words_label(reason))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, SPACE_M)
        layout.setSpacing(SPACE_M)
        layout.addWidget(IconLabel(icon_name, colour, theme), 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)


class CardBox(QWidget):
    """One graphics card: its name, whether it is used, and its facts."""

    def __init__(self, card: Card, parent: QWidget | None = None) -> None:
        """Show the card; its reason stands in the answer above."""
        super().__init__(parent)
        name = ElidedLabel(card.name)
        set_role(name, "strong")
        badge = QLabel(state_words(card.state))
        set_role(badge, _BADGES[card.state])
        head = QHBoxLayout()
        head.setSpacing(SPACE_M)
        head.addWidget(name)
        head.addWidget(badge, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addLayout(head)
        layout.addWidget(Facts(card.facts))


class TickedRow(QWidget):
    """A finding: its mark, its name, what it says and the next step."""

    def __init__(
        self, mark: str, name: str, detail: str, theme: Theme, hint: str = "", parent: QWidget | None = None
    ) -> None:
        """Show a finding.

        Args:
            mark: `ok`, `missing`, `warning` or `error`.
            name: what was looked for.
            detail: what was found.
            theme: colours the mark.
            hint: the next step; empty for none.
            parent: owner.
        """
        super().__init__(parent)
        self.setAccessibleName(" ".join(part for part in (name, detail, hint) if part))
        icon_name, colour = _MARKS.get(mark, _MARKS["error"])
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(words_label(name))
        for text, role in ((detail, "faint"), (hint, "small")):
            if text:
                words.addWidget(words_label(text, role))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_M)
        layout.addWidget(IconLabel(icon_name, colour, theme, 16), 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
