"""The two kinds of message on the screen: the user's bubble and the answer with what belongs to it."""

from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QLabel,
    QVBoxLayout,
    QWidget,
)

from app.protocol.chat import AnswerPhase, ChatMessage, ImageAttachment
from app.ui.chat.answer_parts import AnswerFooter, NotFoundBlock, OutcomeBlock, PhaseRow
from app.ui.chat.answer_words import note_words
from app.ui.chat.citation_times import CitationTimes
from app.ui.chat.image_thumb import ImageThumb
from app.ui.chat.message_model import MessageRow
from app.ui.chat.message_text import MessageText
from app.ui.chat.sources import SourcesList
from app.ui.chat.thumbnails import Thumbnails, shown_size
from app.ui.theme import Theme, set_role
from app.ui.tokens import RADIUS_L, SPACE_L, SPACE_M, SPACE_S

MAX_CONTENT_WIDTH = 800
_BUBBLE_SHARE = 0.82
_IMAGE_WIDTH, _IMAGE_HEIGHT = 200, 150


class MessageWidget(QWidget):
    """Base of both kinds. A list gives it a width and asks for the height.

    Signals:
        citation_activated: (message id, index of the citation).
        link_activated: address (str).
        retry_requested: message id of the answer to ask for again.
        general_requested: message id of the answer to get from general knowledge instead.
        image_opened: ImageAttachment to be shown larger.
        models_requested: the answer needs a model; show where to get one.
        reading_requested: message id of the message to read aloud, or to stop reading.
        selection_reading_requested: (message id, chosen Markdown, where it begins in the message or -1).
        resized: it needs another height than before.
    """

    citation_activated = Signal(str, int)
    link_activated = Signal(str)
    retry_requested = Signal(str)
    general_requested = Signal(str)
    image_opened = Signal(object)
    models_requested = Signal()
    reading_requested = Signal(str)
    selection_reading_requested = Signal(str, str, int)
    resized = Signal()

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        thumbnails: Thumbnails | None = None,
        times: CitationTimes | None = None,
    ) -> None:
        """Show nothing yet; without `thumbnails` images are left out, without `times` times."""
        super().__init__(parent)
        self._theme, self._thumbnails, self._times = theme, thumbnails, times
        self._row: MessageRow | None = None
        self.text = MessageText(theme, self, times)
        self.text.link_activated.connect(self.link_activated)
        self.text.reading_requested.connect(self._on_reading_requested)
        self.text.selection_reading_requested.connect(self._on_selection_reading_requested)

    def show_row(self, row: MessageRow) -> None:
        """Show a message."""
        raise NotImplementedError

    def height_for(self, width: int) -> int:
        """Lay out for a width in pixels and give the height that it needs."""
        raise NotImplementedError

    def show_reading(self, *, is_read: bool, spoken: tuple[int, int] | None) -> None:
        """Show whether this message is read aloud, and mark the range of its text that is heard."""
        del is_read
        self.text.set_spoken(spoken)

    @Slot()
    def _on_reading_requested(self) -> None:
        assert self._row is not None
        self.reading_requested.emit(self._row.message.id)

    @Slot(str, int)
    def _on_selection_reading_requested(self, words: str, start: int) -> None:
        assert self._row is not None
        self.selection_reading_requested.emit(self._row.message.id, words, start)

    def is_in_use(self) -> bool:
        """Tell whether the user has the focus or a selection here, so that it must not go away."""
        focus = QGuiApplication.focusObject()
        inside = isinstance(focus, QWidget) and (focus is self or self.isAncestorOf(focus))
        return inside or self.text.textCursor().hasSelection()


class UserMessageWidget(MessageWidget):
    """What the user asked, in a bubble at the right, with its images above."""

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        thumbnails: Thumbnails | None = None,
        times: CitationTimes | None = None,
    ) -> None:
        """Show nothing yet."""
        super().__init__(theme, parent, thumbnails, times)
        self.images: list[ImageThumb] = []
        self.text.setAccessibleName(self.tr("Your question"))
        theme.changed.connect(self._on_theme_changed)

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()

    def show_row(self, row: MessageRow) -> None:
        """Show the question."""
        if self._row is None or self._row.message.text != row.message.text:
            self.text.set_plain(row.message.text)
        if self._thumbnails is not None and row.message.images != tuple(each.image for each in self.images):
            self._show_images(row.message.images, self._thumbnails)
        self._row = row

    def _show_images(self, images: tuple[ImageAttachment, ...], thumbnails: Thumbnails) -> None:
        for thumb in self.images:
            thumb.hide()
            thumb.deleteLater()
        self.images = []
        for image in images:
            size = shown_size(image, _IMAGE_WIDTH, _IMAGE_HEIGHT)
            thumb = ImageThumb(image, size, thumbnails, self._theme, self)
            thumb.opened.connect(self.image_opened)
            thumb.show()
            self.images.append(thumb)

    def _place_images(self, left: int, width: int) -> int:
        """Put the images into rows that end at the right edge; gives the height that they take."""
        rows: list[list[ImageThumb]] = []
        taken = width + 1
        for thumb in self.images:
            taken += SPACE_S + thumb.width()
            if taken > width:
                rows.append([])
                taken = thumb.width()
            rows[-1].append(thumb)
        top = SPACE_S
        for row in rows:
            right = left + width
            for thumb in reversed(row):
                thumb.move(right - thumb.width(), top)
                right -= thumb.width() + SPACE_S
            top += max(thumb.height() for thumb in row) + SPACE_S
        return top - SPACE_S

    def height_for(self, width: int) -> int:
        """See MessageWidget."""
        content = min(width, MAX_CONTENT_WIDTH)
        room = int(content * _BUBBLE_SHARE) - 2 * SPACE_L
        inner = min(room, self.text.ideal_width(room) + 2)
        height = self.text.height_for(inner)
        side = (width - content) // 2
        above = self._place_images(side, content)
        left = side + content - inner - 2 * SPACE_L
        self._bubble = QRectF(left, above + SPACE_S, inner + 2 * SPACE_L, height + 2 * SPACE_S + 2)
        self.text.setGeometry(left + SPACE_L, above + 2 * SPACE_S + 1, inner, height)
        return above + height + 4 * SPACE_S + 2

    # Qt overrides

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Paint the bubble."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("bubble"))
            painter.drawRoundedRect(self._bubble, RADIUS_L, RADIUS_L)


class AnswerWidget(MessageWidget):
    """An answer: badge, text, what is going on, what went wrong, sources, and what can be done with it."""

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        thumbnails: Thumbnails | None = None,
        times: CitationTimes | None = None,
    ) -> None:
        """Show nothing yet; parts are made when they are first needed."""
        super().__init__(theme, parent, thumbnails, times)
        self.text.setAccessibleName(self.tr("Answer"))
        self.text.citation_activated.connect(self._on_citation_activated)
        self._layout = QVBoxLayout(self)
        self._layout.setSpacing(SPACE_S)
        self._badge: QLabel | None = None
        self._not_found: NotFoundBlock | None = None
        self._progress: PhaseRow | None = None
        self._outcome: OutcomeBlock | None = None
        self._note: QLabel | None = None
        self._legend: QLabel | None = None
        self._sources: SourcesList | None = None
        self._footer: AnswerFooter | None = None
        self._is_read = False
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
        self._show_note("" if is_open else note_words(message.stats))
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
            self._not_found = NotFoundBlock(self._theme, self)
            self._not_found.general_requested.connect(self._on_general_requested)
        if self._not_found is not None:
            self._not_found.setVisible(missing)

    def _show_phase(self, phase: AnswerPhase | None) -> None:
        if phase is not None and self._progress is None:
            self._progress = PhaseRow(self._theme, self)
        if self._progress is not None:
            self._progress.setVisible(phase is not None)
            if phase is not None:
                self._progress.show_phase(phase)

    def _show_outcome(self, message: ChatMessage) -> None:
        ended = message.state in ("stopped", "interrupted", "failed")
        if ended and self._outcome is None:
            self._outcome = OutcomeBlock(self._theme, self)
            self._outcome.retry_requested.connect(self._on_retry_requested)
            self._outcome.models_requested.connect(self.models_requested)
        if self._outcome is not None:
            self._outcome.setVisible(ended)
            if ended:
                self._outcome.show_message(message)

    def _show_note(self, words: str) -> None:
        if words and self._note is None:
            self._note = QLabel(self)
            self._note.setWordWrap(True)
            self._note.setTextFormat(Qt.TextFormat.PlainText)
            set_role(self._note, "faint")
        if self._note is not None:
            self._note.setVisible(bool(words))
            self._note.setText(words)

    def _show_legend(self, visible: bool) -> None:
        if visible and self._legend is None:
            self._legend = QLabel(
                "<span style='text-decoration:underline'>"
                + self.tr("Underlined with dots")
                + "</span>"
                + self.tr(": your documents do not support this."),
                self,
            )
            self._legend.setWordWrap(True)
            set_role(self._legend, "faint")
        if self._legend is not None:
            self._legend.setVisible(visible)

    def _show_sources(self, message: ChatMessage) -> None:
        if message.citations and self._sources is None:
            self._sources = SourcesList(self._theme, self, self._times)
            self._sources.citation_activated.connect(self._on_citation_activated)
            self._sources.resized.connect(self.resized)
        if self._sources is not None:
            self._sources.setVisible(bool(message.citations))
            self._sources.set_citations(message.citations)

    def _show_footer(self, message: ChatMessage, *, visible: bool) -> None:
        if visible and self._footer is None:
            self._footer = AnswerFooter(self._theme, self)
            self._footer.copy_button.clicked.connect(self._on_copy_clicked)
            self._footer.read_button.clicked.connect(self._on_reading_requested)
            self._footer.retry_button.clicked.connect(self._on_retry_requested)
            self._footer.show_reading(is_read=self._is_read)
        if self._footer is not None:
            self._footer.setVisible(visible and bool(message.text))
            self._footer.show_message(message)

    def show_reading(self, *, is_read: bool, spoken: tuple[int, int] | None) -> None:
        """See MessageWidget."""
        super().show_reading(is_read=is_read, spoken=spoken)
        if is_read != self._is_read:
            self._is_read = is_read
            if self._footer is not None:
                self._footer.show_reading(is_read=is_read)

    def _order(self) -> None:
        """Put the parts that exist into their order."""
        parts = (
            self._badge,
            self._not_found,
            self.text,
            self._progress,
            self._outcome,
            self._note,
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
