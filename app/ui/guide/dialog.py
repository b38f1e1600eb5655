"""The guide: four pages with Back, Next and Skip."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.ui.guide.dots import Dots
from app.ui.guide.pages import ComputerPage, GuidePage, PrivacyPage, TryPage, WelcomePage
from app.ui.theme import Theme, set_role
from app.ui.toasts import announce
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XL

_SIZE = (640, 440)


class GuideDialog(QDialog):
    """Stands over the window without blocking it.

    Enter presses the button that has the focus, at first the one that goes on; Esc skips. However it ends,
    `finished` follows.

    Signals:
        page_shown: number of the page (int), counted from 0.
    """

    page_shown = Signal(int)

    def __init__(self, data_dir: Path, theme: Theme, parent: QWidget | None = None) -> None:
        """Show the first page."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Welcome to h2oGPT"))
        self.resize(*_SIZE)
        self.computer = ComputerPage(theme)
        self.try_it = TryPage(theme)
        self.privacy = PrivacyPage(data_dir, theme)
        self.pages: tuple[GuidePage, ...] = (WelcomePage(theme), self.privacy, self.computer, self.try_it)
        self._stack = QStackedWidget()
        for page in self.pages:
            self._stack.addWidget(page)
        self._dots = Dots(len(self.pages), theme)
        self.position = QLabel()
        set_role(self.position, "faint")
        self._make_buttons()
        self._lay_out()
        self.show_page(0)

    def _make_buttons(self) -> None:
        self.skip_button = QPushButton(self.tr("Skip"))
        self.back_button = QPushButton(self.tr("Back"))
        self.next_button = QPushButton()
        set_role(self.skip_button, "link")
        policy = self.skip_button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # the dots stay where they are
        self.skip_button.setSizePolicy(policy)
        self.next_button.setDefault(True)
        self.skip_button.clicked.connect(self.reject)
        self.back_button.clicked.connect(self._on_back_clicked)
        self.next_button.clicked.connect(self._on_next_clicked)

    def _lay_out(self) -> None:
        body = QFrame()
        set_role(body, "surface")
        inner = QVBoxLayout(body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(self._stack)
        line = QFrame()
        line.setFixedHeight(1)
        set_role(line, "line")
        foot = QHBoxLayout()
        foot.setContentsMargins(SPACE_XL, SPACE_M, SPACE_XL, SPACE_M)
        foot.setSpacing(SPACE_S)
        foot.addWidget(self.skip_button)
        foot.addStretch(1)
        foot.addWidget(self._dots, 0, Qt.AlignmentFlag.AlignVCenter)
        foot.addWidget(self.position)
        foot.addStretch(1)
        foot.addWidget(self.back_button)
        foot.addWidget(self.next_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(body, 1)
        layout.addWidget(line)
        layout.addLayout(foot)

    @property
    def page(self) -> int:
        """The number of the page that is shown, counted from 0."""
        return self._stack.currentIndex()

    def show_page(self, number: int) -> None:
        """Show a page with the focus on the button that goes on."""
        self._stack.setCurrentIndex(number)
        self._dots.set_current(number)
        is_last = number == len(self.pages) - 1
        position = self.tr("{0} of {1}").format(number + 1, len(self.pages))
        self.position.setText(position)
        self.back_button.setEnabled(number > 0)
        self.next_button.setText(self.tr("Finish") if is_last else self.tr("Next"))
        set_role(self.next_button, "" if is_last else "primary")
        self.skip_button.setVisible(not is_last)
        self.next_button.setFocus(Qt.FocusReason.OtherFocusReason)
        page = self.pages[number]
        announce(self, f"{position}. {page.title}. {page.words.text()}")
        self.page_shown.emit(number)

    @Slot()
    def _on_back_clicked(self) -> None:
        self.show_page(max(0, self.page - 1))

    @Slot()
    def _on_next_clicked(self) -> None:
        if self.page == len(self.pages) - 1:
            self.accept()
        else:
            self.show_page(self.page + 1)
