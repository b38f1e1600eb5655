"""What belongs to an answer beside its text: what goes on, what went wrong, and the figures."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QToolButton,
    QToolTip,
    QWidget,
)

from app.protocol.chat import AnswerPhase, ChatMessage
from app.ui.chat.answer_words import details_words, phase_words, stats_words
from app.ui.chat.busy_indicator import BusyIndicator
from app.ui.elements.elided_label import ElidedLabel
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icon_label import IconLabel
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS

_MODEL_CODES = frozenset({"model.none", "model.not_found"})


class PhaseRow(QWidget):
    """What is going on now, with a bar where the progress is known."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        """Lay out the parts."""
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, SPACE_XS, 0, SPACE_XS)
        layout.setSpacing(SPACE_S)
        layout.addWidget(BusyIndicator(theme))
        self._words = QLabel()
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._words, "muted")
        layout.addWidget(self._words)
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(140)
        self._bar.setAccessibleName(self.tr("Progress"))
        layout.addWidget(self._bar)
        layout.addStretch()

    def show_phase(self, phase: AnswerPhase) -> None:
        """Say what goes on."""
        self._words.setText(phase_words(phase))
        self._bar.setVisible(phase.progress is not None and phase.phase in ("loading", "reading"))
        self._bar.setValue(round((phase.progress or 0) * 1000))


class NotFoundBlock(QFrame):
    """Your documents do not say it; general knowledge may, if the user wants that.

    Signals:
        general_requested: answer from general knowledge.
    """

    general_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        """Lay out the parts."""
        super().__init__(parent)
        set_role(self, "banner-info")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_S)
        words = QLabel("<b>" + self.tr("Not in your documents") + "</b>")
        words.setWordWrap(True)
        layout.addWidget(IconLabel("search", "accent", theme))
        layout.addWidget(words, 1)
        button = QPushButton(self.tr("Answer from general knowledge"))
        button.clicked.connect(self.general_requested)
        layout.addWidget(button)


class OutcomeBlock(QFrame):
    """An answer that did not come to its end: why, and what to do.

    Signals:
        retry_requested: ask again.
        models_requested: show where to get a model.
    """

    retry_requested = Signal()
    models_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        """Lay out the parts."""
        super().__init__(parent)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_M, SPACE_S, SPACE_S, SPACE_S)
        layout.setSpacing(SPACE_S)
        self._icon = IconLabel("info", "text_muted", theme)
        layout.addWidget(self._icon)
        self._words = QLabel()
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self._words, 1)
        self._models = QPushButton(self.tr("Choose a model…"))
        set_role(self._models, "primary")
        self._models.clicked.connect(self.models_requested)
        layout.addWidget(self._models)
        retry = QPushButton(self.tr("Try again"))
        bind_icon(retry, "retry", theme)
        retry.clicked.connect(self.retry_requested)
        layout.addWidget(retry)

    def show_message(self, message: ChatMessage) -> None:
        """Say how the answer ended."""
        name, role, words = {
            "stopped": ("info", "accent", self.tr("Stopped. What was written so far is kept.")),
            "interrupted": (
                "warning",
                "warning",
                self.tr("The answer was interrupted. What was written so far is kept."),
            ),
            "failed": ("error", "error", self.tr("No answer could be made.")),
        }[message.state]
        set_role(self, {"accent": "banner-info"}.get(role, f"banner-{role}"))
        self._icon.set_icon(name, role)
        lines = [message.error_message or words, message.error_hint]
        self._words.setText("\n".join(line for line in lines if line))
        self._models.setVisible(message.error_code in _MODEL_CODES)


class StatsLabel(ElidedLabel):
    """The figures in one line; the finer ones in its tool tip."""

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__()
        self._details = ""

    def set_details(self, words: str) -> None:
        """Keep the finer figures for the tool tip; empty: there are none."""
        self._details = words
        self.setAccessibleDescription(words)

    # Qt overrides

    def event(self, event: QEvent, /) -> bool:
        """Show the finer figures, and the line itself where it is shortened."""
        if event.type() == QEvent.Type.ToolTip and self._details:
            is_whole = self.text() == self.full_text
            words = self._details if is_whole else f"{self.full_text}\n{self._details}"
            assert isinstance(event, QHelpEvent)  # tool tips come so
            QToolTip.showText(event.globalPos(), plain_tooltip(words), self)
            return True
        return super().event(event)


class AnswerFooter(QWidget):
    """Copy, read aloud, ask again, and the figures."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        """Lay out the parts."""
        super().__init__(parent)
        self._theme = theme
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_XS)
        self.copy_button = self._button("copy", self.tr("Copy the answer"))
        self.read_button = self._button("read-aloud", self.tr("Read the answer aloud"))
        self.retry_button = self._button("retry", self.tr("Ask again"))
        layout.addWidget(self.copy_button)
        layout.addWidget(self.read_button)
        layout.addWidget(self.retry_button)
        self._stats = StatsLabel()
        set_role(self._stats, "faint")
        layout.addSpacing(SPACE_XS)
        layout.addWidget(self._stats, 1)

    def show_message(self, message: ChatMessage) -> None:
        """Show the figures of an answer."""
        words = [message.model, stats_words(message.stats)]
        self._stats.set_full_text(" · ".join(word for word in words if word))
        self._stats.set_details(details_words(message.stats))
        self.retry_button.setVisible(message.state == "complete")

    def show_copied(self) -> None:
        """Say that the answer is in the clipboard."""
        bind_icon(self.copy_button, "check", self._theme, "ok")

    def show_reading(self, *, is_read: bool) -> None:
        """Offer to stop the reading of this answer, or to begin it."""
        words = self.tr("Stop reading aloud") if is_read else self.tr("Read the answer aloud")
        self.read_button.setToolTip(words)
        self.read_button.setAccessibleName(words)
        name, role = ("stop", "accent") if is_read else ("read-aloud", "text_faint")
        bind_icon(self.read_button, name, self._theme, role)

    def _button(self, name: str, words: str) -> QToolButton:
        button = QToolButton()
        button.setToolTip(words)
        button.setAccessibleName(words)
        bind_icon(button, name, self._theme, "text_faint")
        return button
