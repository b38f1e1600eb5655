"""The sources under an answer: one line each, opening the place in the viewer."""

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.protocol.chat import Citation
from app.ui.chat.citation_times import CitationTimes
from app.ui.chat.citation_words import citation_place, citation_tooltip
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import icon_pixmap
from app.ui.theme import Theme, set_role
from app.ui.tokens import FONT_SMALL, RADIUS_M, SPACE_S, SPACE_XS

N_SHOWN_AT_FIRST = 3
_LINE_HEIGHT = 30


def distinct(citations: Sequence[Citation]) -> list[int]:
    """Give the indexes of citations that differ in place: the first of each passage, page and quote."""
    seen: set[tuple[int, int, int]] = set()
    kept = []
    for index, citation in enumerate(citations):
        key = (citation.document_id, citation.char_start, citation.char_end)
        if key not in seen:
            seen.add(key)
            kept.append(index)
    return kept


class SourceButton(QAbstractButton):
    """One source: number, name, page or time, check mark and the beginning of the quote."""

    def __init__(
        self,
        citation: Citation,
        index: int,
        theme: Theme,
        parent: QWidget | None = None,
        times: CitationTimes | None = None,
    ) -> None:
        """Show a citation; `index` is its place in the answer's citations; `times` as in SourcesList."""
        super().__init__(parent)
        self._citation, self._theme, self._times = citation, theme, times
        self.index = index
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._describe()
        if times is not None:
            times.changed.connect(self._describe)
        theme.changed.connect(self._on_theme_changed)

    @property
    def place(self) -> str:
        """The document's name and page, or time, as shown."""
        return self._citation.name + citation_place(self._citation, self._seconds)

    @property
    def _seconds(self) -> float | None:
        return self._times.time_of(self._citation) if self._times is not None else None

    @Slot()
    def _describe(self) -> None:
        words = citation_tooltip(self._citation, self._seconds)
        self.setToolTip(plain_tooltip(words))
        self.setAccessibleName(self.tr("Source {0}: {1}").format(self._citation.n, self.place))
        self.setAccessibleDescription(words)
        self.update()

    @Slot()
    def _on_theme_changed(self) -> None:
        self.update()

    # Qt overrides

    def sizeHint(self) -> QSize:
        """Give the height of a line; the width is what there is."""
        return QSize(320, max(_LINE_HEIGHT, self.fontMetrics().height() + 12))

    def minimumSizeHint(self) -> QSize:
        """Allow narrow panes; text is shortened."""
        return QSize(120, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Draw the line."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            box = self.rect().adjusted(1, 1, -1, -1)
            self._paint_ground(painter, box)
            x = box.left() + SPACE_S
            x = self._paint_number(painter, x, box)
            x = self._paint_check(painter, x, box)
            x = self._paint_place(painter, x, box)
            self._paint_quote(painter, x, box)

    def _paint_ground(self, painter: QPainter, box: QRect) -> None:
        hovered = self.underMouse() or self.isDown()
        focused = self.hasFocus()
        painter.setBrush(self._theme.colour("hover" if hovered else "surface"))
        painter.setPen(QPen(self._theme.colour("focus" if focused else "border"), 2 if focused else 1))
        painter.drawRoundedRect(box, RADIUS_M, RADIUS_M)

    def _paint_number(self, painter: QPainter, x: int, box: QRect) -> int:
        verified = self._citation.verified
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * FONT_SMALL)
        font.setBold(True)
        painter.setFont(font)
        text = str(self._citation.n)
        width = max(20, painter.fontMetrics().horizontalAdvance(text) + 10)
        chip = QRect(x, box.center().y() - 8, width, 18)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("accent_soft" if verified else "warning_soft"))
        painter.drawRoundedRect(chip, 5, 5)
        painter.setPen(self._theme.colour("accent" if verified else "warning"))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)
        painter.setFont(self.font())
        return x + width + SPACE_S

    def _paint_check(self, painter: QPainter, x: int, box: QRect) -> int:
        name, role = ("check-circle", "ok") if self._citation.verified else ("question", "warning")
        pixmap = icon_pixmap(name, self._theme.colour(role), 16, self.devicePixelRatioF())
        painter.drawPixmap(x, box.center().y() - 7, pixmap)
        return x + 16 + SPACE_S

    def _paint_place(self, painter: QPainter, x: int, box: QRect) -> int:
        metrics = painter.fontMetrics()
        room = box.right() - SPACE_S - x
        page = citation_place(self._citation, self._seconds)
        name_room = max(60, min(room, max(room * 3 // 5, 60)) - metrics.horizontalAdvance(page))
        name = metrics.elidedText(self._citation.name, Qt.TextElideMode.ElideMiddle, name_room)
        text = name + page
        painter.setPen(self._theme.colour("text"))
        painter.drawText(QRect(x, box.top(), room, box.height()), Qt.AlignmentFlag.AlignVCenter, text)
        return x + metrics.horizontalAdvance(text) + SPACE_S

    def _paint_quote(self, painter: QPainter, x: int, box: QRect) -> None:
        room = box.right() - SPACE_S - x
        if room < 60:
            return
        quote = "“" + " ".join(self._citation.quote.split()) + "”"
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * FONT_SMALL)
        painter.setFont(font)
        painter.setPen(self._theme.colour("text_faint"))
        text = painter.fontMetrics().elidedText(quote, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRect(x, box.top(), room, box.height()), Qt.AlignmentFlag.AlignVCenter, text)


class SourcesList(QWidget):
    """The sources of one answer; the first few, the rest on demand.

    Signals:
        citation_activated: index into the answer's citations.
    """

    citation_activated = Signal(int)
    resized = Signal()

    def __init__(
        self, theme: Theme, parent: QWidget | None = None, times: CitationTimes | None = None
    ) -> None:
        """Show nothing yet; without `times` recordings are told without them."""
        super().__init__(parent)
        self._theme, self._times = theme, times
        self._citations: tuple[Citation, ...] = ()
        self._is_open = False
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE_XS)
        self._title = QLabel(self.tr("Sources"))
        set_role(self._title, "faint")
        self._layout.addWidget(self._title)
        self._buttons: list[SourceButton] = []
        self._more = QPushButton()
        set_role(self._more, "link")
        self._more.clicked.connect(self._on_more_clicked)
        self._layout.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)

    def set_citations(self, citations: tuple[Citation, ...]) -> None:
        """Show the sources of these citations."""
        if citations != self._citations:
            self._citations = citations
            self._fill()

    def _fill(self) -> None:
        for button in self._buttons:
            self._layout.removeWidget(button)
            button.hide()
            button.deleteLater()
        indexes = distinct(self._citations)
        shown = indexes if self._is_open else indexes[:N_SHOWN_AT_FIRST]
        self._buttons = [SourceButton(self._citations[i], i, self._theme, self, self._times) for i in shown]
        for position, button in enumerate(self._buttons):
            button.clicked.connect(self._on_source_clicked)
            self._layout.insertWidget(1 + position, button)
            button.show()  # at once, so that it can take the focus
        n_hidden = len(indexes) - len(shown)
        self._more.setVisible(n_hidden > 0)
        self._more.setText(self.tr("Show {0} more").format(n_hidden))

    @Slot()
    def _on_source_clicked(self) -> None:
        button = self.sender()
        assert isinstance(button, SourceButton)
        self.citation_activated.emit(button.index)

    @Slot()
    def _on_more_clicked(self) -> None:
        self._is_open = True
        self._fill()
        self._buttons[min(N_SHOWN_AT_FIRST, len(self._buttons) - 1)].setFocus()
        self.resized.emit()
