"""Small parts that the pages share: a page's head, advice with its icon, a table of facts."""

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.ui.elements.banner import Banner
from app.ui.icon_label import IconLabel
from app.ui.icons import bind_icon
from app.ui.models.flow import FlowBox
from app.ui.models.words import Mark
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XS

_SMALL_ICON = 16
_DESIGN_FONT_HEIGHT = 15  # pixels; the font that the sizes were chosen with


class Page(QWidget):
    """A page of the window: title, a sentence, a banner for what went wrong, and the rest.

    Attributes:
        banner: hidden until something is to be said.
        body: layout for what the page is about.
    """

    def __init__(self, title: str, words: str, theme: Theme) -> None:
        """Show title and sentence."""
        super().__init__()
        self._theme = theme
        self.setAccessibleName(title)
        heading = QLabel(title)
        set_role(heading, "title")
        self.words = plain_label(words, "muted")
        self._buttons = FlowBox()
        texts = QVBoxLayout()
        texts.setSpacing(SPACE_XS)
        texts.addWidget(heading)
        texts.addWidget(self.words)
        texts.addStretch(1)
        head = QHBoxLayout()
        head.setSpacing(SPACE_S)
        head.addLayout(texts, 1)
        head.addWidget(self._buttons)
        self.banner = Banner(theme)
        self.body = QVBoxLayout()
        self.body.setSpacing(SPACE_M)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L)
        layout.setSpacing(SPACE_M)
        layout.addLayout(head)
        layout.addWidget(self.banner)
        layout.addLayout(self.body, 1)

    def add_button(self, button: QPushButton) -> None:
        """Add a button beside the title."""
        self._buttons.add(button)

    def focus_first(self) -> None:
        """Put the keyboard where work on this page begins."""
        self.setFocus()


class MarkLabel(QWidget):
    """An icon and words that wrap, in one colour of the theme; hidden while there is nothing to say."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden."""
        super().__init__(parent)
        self._theme = theme
        self._mark: Mark | None = None
        self._icon = IconLabel("info", "text_muted", theme, _SMALL_ICON)
        self._words = plain_label("", "")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_S)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._words, 1)
        theme.changed.connect(self._dress)
        self.hide()

    @property
    def text(self) -> str:
        """What it says; empty while it is hidden."""
        return self._words.text() if self._mark is not None else ""

    def show_mark(self, mark: Mark | None) -> None:
        """Show a mark; None hides it."""
        self._mark = mark
        self.setVisible(mark is not None)
        if mark is not None:
            self._icon.set_icon(mark.icon or "info", mark.role)
            self._words.setText(mark.words)
            self._dress()

    def _dress(self) -> None:
        if self._mark is not None:
            restyle(self._words, f"color: {self._theme.colour(self._mark.role).name()};")


class FactsGrid(QWidget):
    """Facts in two columns: what, and words that can be copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        """Start without facts."""
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE_L)
        self._grid.setVerticalSpacing(SPACE_S)
        self._grid.setColumnStretch(1, 1)
        self._cells: list[tuple[QLabel, QLabel]] = []

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What is shown."""
        return tuple((a.text(), b.text()) for a, b in self._cells if not a.isHidden())

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show facts; those without words are left out."""
        told = [(what, words) for what, words in facts if words]
        while len(self._cells) < len(told):
            self._add_cells()
        for number, cells in enumerate(self._cells):
            is_used = number < len(told)
            for cell in cells:
                cell.setVisible(is_used)
            if is_used:
                what, words = told[number]
                cells[0].setText(what)
                cells[1].setText(words)
                cells[1].setAccessibleName(f"{what}: {words}")

    def _add_cells(self) -> None:
        what, words = plain_label("", "muted"), plain_label("", "")
        what.setWordWrap(False)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = len(self._cells)
        self._grid.addWidget(what, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(words, row, 1)
        self._cells.append((what, words))


def plain_label(words: str, role: str) -> QLabel:
    """Make a label of plain text that wraps and takes no more width than it gets."""
    label = QLabel(words)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    set_role(label, role)
    return label


def restyle(widget: QWidget, sheet: str) -> None:
    """Give a widget a style sheet of its own, unless it has it: setting one anew costs much."""
    if widget.styleSheet() != sheet:
        widget.setStyleSheet(sheet)


def breakable(text: str) -> str:
    """Let a label break a file's name after its marks, where it would be cut off otherwise."""
    for mark in "-_./":
        text = text.replace(mark, f"{mark}\u200b")
    return text


def push_button(words: str, theme: Theme, icon_name: str = "", role: str = "") -> QPushButton:
    """Make a button, with an icon where one is named."""
    button = QPushButton(words)
    button.setAutoDefault(False)
    set_role(button, role)
    if icon_name:
        colour = {"primary": "on_accent", "danger": "error"}.get(role, "text_muted")
        bind_icon(button, icon_name, theme, colour)
    return button


def card(*parts: QWidget, margin: int = SPACE_XS) -> QFrame:
    """Put widgets on a card, one below the other."""
    frame = QFrame()
    set_role(frame, "card")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(SPACE_S)
    for part in parts:
        layout.addWidget(part)
    return frame


def scrolling(inner: QWidget, name: str) -> QScrollArea:
    """Let a widget scroll up and down in the room that it gets; sideways only for very large fonts."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
    area.setAccessibleName(name)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    inner.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
    area.setWidget(inner)
    inner.setAutoFillBackground(False)  # setWidget turned it on: the ground behind is to shine through
    area.viewport().setAutoFillBackground(False)
    return area


def scaled_size(widget: QWidget, width: int, height: int) -> QSize:
    """Give a window's first size: what the default font needs, larger for a larger one, never off screen."""
    factor = max(1.0, widget.fontMetrics().height() / _DESIGN_FONT_HEIGHT)
    room = widget.screen().availableSize()
    return QSize(min(round(width * factor), room.width()), min(round(height * factor), room.height()))


def focusable(widget: QWidget) -> list[QWidget]:
    """Give what Tab can reach inside a widget, in the order it was made; the widget itself where it can."""
    window = widget.window()  # the list of a combo box is a window of its own
    inside = [widget, *widget.findChildren(QWidget)]
    return [
        each
        for each in inside
        if each.focusPolicy() & Qt.FocusPolicy.TabFocus and each.window() is window and not each.focusProxy()
    ]


def order_tabs(widgets: Sequence[QWidget]) -> None:
    """Let Tab go through widgets in this order, which is that of reading."""
    for before, after in pairwise(widgets):
        QWidget.setTabOrder(before, after)
