"""The two kinds of message on the screen: the user's bubble and the answer with what belongs to it."""

from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.protocol.chat import AnswerPhase, ChatMessage
from app.ui.chat.answer_words import phase_words, stats_words
from app.ui.chat.busy_indicator import BusyIndicator
from app.ui.chat.message_model import MessageRow
from app.ui.chat.message_text import MessageText
from app.ui.chat.sources import SourcesList
from app.ui.elements.elided_label import ElidedLabel
from app.ui.icon_label import IconLabel
from app.ui.icons import bind_icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import RADIUS_L, SPACE_L, SPACE_M, SPACE_S, SPACE_XS

MAX_CONTENT_WIDTH = 800
_BUBBLE_SHARE = 0.82


class MessageWidget(QWidget):
    """Base of both kinds. A list gives it a width and asks for the height.

    Signals:
        citation_activated: (message id, index of the citation).
        link_activated: address (str).
        retry_requested: message id of the answer to ask for again.
        general_requested: message id of the answer to get from general knowledge instead.
        resized: it needs another height than before.
    """

    citation_activated = Signal(str, int)
    link_activated = Signal(str)
    retry_requested = Signal(str)
    general_requested = Signal(str)
    resized = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Show nothing yet."""
        super().__init__(parent)
        self._theme = theme
        self._row: MessageRow | None = None
        self.text = MessageText(theme, self)
        self.text.link_activated.connect(self.link_activated)

    def show_row(self, row: MessageRow) -> None:
        """Show a message."""
        raise NotImplementedError

    def height_for(self, width: int) -> int:
        """Lay out for a width in pixels and give the height that it needs."""
        raise NotImplementedError

    def is_in_use(self) -> bool:
        """Tell whether the user has the focus or a selection here, so that it must not go away."""
        focus = QGuiApplication.focusObject()
        inside = isinstance(focus, QWidget) and (focus is self or self.isAncestorOf(focus))
        return inside or self.text.textCursor().hasSelection()


class UserMessageWidget(MessageWidget):
    """What the user asked, in a bubble at the right."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Show nothing yet."""
        super().__init__(theme, parent)
        self.text.setAccessibleName(self.tr("Your question"))
        theme.changed.connect(self._on_theme_changed)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()

    def show_row(self, row: MessageRow) -> None:
        """Show the question."""
        if self._row is None or self._row.message.text != row.message.text:
            self.text.set_plain(row.message.text)
        self._row = row

    def height_for(self, width: int) -> int:
        """See MessageWidget."""
        content = min(width, MAX_CONTENT_WIDTH)
        room = int(content * _BUBBLE_SHARE) - 2 * SPACE_L
        inner = min(room, self.text.ideal_width(room) + 2)
        height = self.text.height_for(inner)
        left = (width - content) // 2 + content - inner - 2 * SPACE_L
        self._bubble = QRectF(left, SPACE_S, inner + 2 * SPACE_L, height + 2 * SPACE_S + 2)
        self.text.setGeometry(left + SPACE_L, 2 * SPACE_S + 1, inner, height)
        return height + 4 * SPACE_S + 2

    # Qt overrides

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Paint the bubble."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("bubble"))
        painter.drawRoundedRect(self._bubble, RADIUS_L, RADIUS_L)


class AnswerWidget(MessageWidget):
    """An answer: badge, text, what is going on, what went wrong, sources, and what can be done with it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Show nothing yet; parts are made when they are first needed."""
        super().__init__(theme, parent)
        self.text.setAccessibleName(self.tr("Answer"))
        self.text.citation_activated.connect(self._on_citation_activated)
        self._layout = QVBoxLayout(self)
        self._layout.setSpacing(SPACE_S)
        self._badge: QLabel | None = None
        self._not_found: _NotFoundBlock | None = None
        self._progress: _PhaseRow | None = None
        self._outcome: _OutcomeBlock | None = None
        self._legend: QLabel | None = None
        self._sources: SourcesList | None = None
        self._footer: _Footer | None = None
        self._layout.addWidget(self.text)

    def show_row(self, row: MessageRow) -> None:
        """Show the answer and its state."""
        self._row = row
        message = row.message
        # Citations come with the complete answer; a mark that the model just wrote is not checked yet.
        # Of general knowledge nothing is claimed to stand in a document: its badge says so once.
        unsupported = () if message.kind == "general" else message.unsupported
        self.text.set_markdown(message.text, message.citations, unsupported)
        self.text.setVisible(bool(message.text))
        is_open = message.state == "streaming"
        self._show_kind(message)
        self._show_phase(row.phase if is_open else None)
        self._show_outcome(message)
        self._show_legend(bool(unsupported) and not is_open)
        self._show_sources(message)
        self._show_footer(message, visible=not is_open)
        self._order()

    def _show_kind(self, message: ChatMessage) -> None:
        general = message.kind == "general"
        if general and self._badge is None:
            self._badge = QLabel(self.tr("General knowledge — not from your documents"), self)
            set_role(self._badge, "badge-warning")
        if self._badge is not None:
            self._badge.setVisible(general)
        missing = message.kind == "not_found" and message.state != "streaming"
        if missing and self._not_found is None:
            self._not_found = _NotFoundBlock(self._theme, self)
            self._not_found.general_requested.connect(self._on_general_requested)
        if self._not_found is not None:
            self._not_found.setVisible(missing)

    def _show_phase(self, phase: AnswerPhase | None) -> None:
        if phase is not None and self._progress is None:
            self._progress = _PhaseRow(self._theme, self)
        if self._progress is not None:
            self._progress.setVisible(phase is not None)
            if phase is not None:
                self._progress.show_phase(phase)

    def _show_outcome(self, message: ChatMessage) -> None:
        ended = message.state in ("stopped", "interrupted", "failed")
        if ended and self._outcome is None:
            self._outcome = _OutcomeBlock(self._theme, self)
            self._outcome.retry_requested.connect(self._on_retry_requested)
        if self._outcome is not None:
            self._outcome.setVisible(ended)
            if ended:
                self._outcome.show_message(message)

    def _show_legend(self, visible: bool) -> None:
        if visible and self._legend is None:
            self._legend = QLabel(
                "<span style='text-decoration:underline'>"
                + self.tr("Underlined with dots")
                + "</span>"
                + self.tr(": your documents do not support this."),
                self,
            )
            set_role(self._legend, "faint")
        if self._legend is not None:
            self._legend.setVisible(visible)

    def _show_sources(self, message: ChatMessage) -> None:
        if message.citations and self._sources is None:
            self._sources = SourcesList(self._theme, self)
            self._sources.citation_activated.connect(self._on_citation_activated)
            self._sources.resized.connect(self.resized)
        if self._sources is not None:
            self._sources.setVisible(bool(message.citations))
            self._sources.set_citations(message.citations)

    def _show_footer(self, message: ChatMessage, *, visible: bool) -> None:
        if visible and self._footer is None:
            self._footer = _Footer(self._theme, self)
            self._footer.copy_button.clicked.connect(self._on_copy_clicked)
            self._footer.retry_button.clicked.connect(self._on_retry_requested)
        if self._footer is not None:
            self._footer.setVisible(visible and bool(message.text))
            self._footer.show_message(message)

    def _order(self) -> None:
        """Put the parts that exist into their order."""
        parts = (
            self._badge,
            self._not_found,
            self.text,
            self._progress,
            self._outcome,
            self._legend,
            self._sources,
            self._footer,
        )
        wanted = [part for part in parts if part is not None]
        present = [item.widget() for i in range(self._layout.count()) if (item := self._layout.itemAt(i))]
        if present == wanted:
            return
        for position, part in enumerate(wanted):
            self._layout.insertWidget(position, part)
        if self._badge is not None:
            self._layout.setAlignment(self._badge, Qt.AlignmentFlag.AlignLeft)

    def height_for(self, width: int) -> int:
        """See MessageWidget."""
        content = min(width, MAX_CONTENT_WIDTH)
        side = (width - content) // 2
        self._layout.setContentsMargins(side, SPACE_S, width - content - side, SPACE_M)
        if not self.text.isHidden():
            self.text.setFixedHeight(self.text.height_for(content))
        self._layout.invalidate()
        self._layout.activate()
        return max(self._layout.totalHeightForWidth(width), self._layout.totalMinimumSize().height())

    @Slot(int)
    def _on_citation_activated(self, index: int) -> None:
        assert self._row is not None
        self.citation_activated.emit(self._row.message.id, index)

    @Slot()
    def _on_retry_requested(self) -> None:
        assert self._row is not None
        self.retry_requested.emit(self._row.message.id)

    @Slot()
    def _on_general_requested(self) -> None:
        assert self._row is not None
        self.general_requested.emit(self._row.message.id)

    @Slot()
    def _on_copy_clicked(self) -> None:
        assert self._row is not None
        assert self._footer is not None
        QGuiApplication.clipboard().setText(self._row.message.text)
        self._footer.show_copied()


class _PhaseRow(QWidget):
    """What is going on now, with a bar where the progress is known."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
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
        self._words.setText(phase_words(phase))
        self._bar.setVisible(phase.progress is not None and phase.phase in ("loading", "reading"))
        self._bar.setValue(round((phase.progress or 0) * 1000))


class _NotFoundBlock(QFrame):
    """Your documents do not say it; general knowledge may, if the user wants that."""

    general_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
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


class _OutcomeBlock(QFrame):
    """An answer that did not come to its end: why, and what to do."""

    retry_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
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
        retry = QPushButton(self.tr("Try again"))
        bind_icon(retry, "retry", theme)
        retry.clicked.connect(self.retry_requested)
        layout.addWidget(retry)

    def show_message(self, message: ChatMessage) -> None:
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


class _Footer(QWidget):
    """Copy, ask again, and the figures."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_XS)
        self.copy_button = self._button("copy", self.tr("Copy the answer"))
        self.retry_button = self._button("retry", self.tr("Ask again"))
        layout.addWidget(self.copy_button)
        layout.addWidget(self.retry_button)
        self._stats = ElidedLabel()
        set_role(self._stats, "faint")
        layout.addSpacing(SPACE_XS)
        layout.addWidget(self._stats, 1)

    def show_message(self, message: ChatMessage) -> None:
        words = [message.model, stats_words(message.stats)]
        self._stats.set_full_text(" · ".join(word for word in words if word))
        self.retry_button.setVisible(message.state == "complete")

    def show_copied(self) -> None:
        bind_icon(self.copy_button, "check", self._theme, "ok")

    def _button(self, name: str, words: str) -> QToolButton:
        button = QToolButton()
        button.setToolTip(words)
        button.setAccessibleName(words)
        bind_icon(button, name, self._theme, "text_faint")
        return button
