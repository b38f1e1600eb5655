"""The window about models: pages at the left, what is chosen at the right."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from app.ui.models.navigation import Navigation
from app.ui.models.parts import Page, scaled_size
from app.ui.theme import Theme, set_role
from app.ui.toasts import ToastArea
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S

_SIZE = (1120, 760)
_SMALLEST = (820, 560)


class ModelsWindow(QWidget):
    """A window of its own that does not block the other one.

    Signals:
        page_shown: key of the page that is now shown, also when the window opens.
        closed: the user closed it.
    """

    page_shown = Signal(str)
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it without pages."""
        super().__init__(parent, Qt.WindowType.Window)
        self._theme = theme
        self._pages: dict[str, QWidget] = {}
        self.setWindowTitle(self.tr("Models"))
        self.setObjectName("models-window")
        self.resize(scaled_size(self, *_SIZE))
        self.setMinimumSize(*_SMALLEST)
        self._ground = QFrame()
        set_role(self._ground, "surface")
        title = QLabel(self.tr("Models"))
        set_role(title, "heading")
        self.navigation = Navigation(theme)
        self.navigation.page_chosen.connect(self._on_page_chosen)
        self.side = QFrame()
        set_role(self.side, "sidebar")
        side = QVBoxLayout(self.side)
        side.setContentsMargins(SPACE_S, SPACE_L, SPACE_S, SPACE_S)
        side.setSpacing(SPACE_M)
        title.setContentsMargins(SPACE_S, 0, 0, 0)
        side.addWidget(title)
        side.addWidget(self.navigation, 1)
        line = QFrame()
        set_role(line, "line")
        line.setFixedWidth(1)
        self._stack = QStackedWidget()
        self._foot = QWidget()
        self._foot.setFixedHeight(1)
        right = QVBoxLayout(self._ground)
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        right.addWidget(self._stack, 1)
        right.addWidget(self._foot)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for part in (self.side, line, self._ground):
            layout.addWidget(part, 1 if part is self._ground else 0)
        self.toasts = ToastArea(theme, self._ground, self._foot)
        self._add_shortcuts()

    def _add_shortcuts(self) -> None:
        for keys, slot in (
            ("Ctrl+W", self.close),
            ("Ctrl+Tab", self._on_next_page),
            ("Ctrl+Shift+Tab", self._on_page_before),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(slot)

    @property
    def current_key(self) -> str:
        """The page shown."""
        return self.navigation.current_key

    def page(self, key: str) -> QWidget | None:
        """Give a page; None if there is none of this key."""
        return self._pages.get(key)

    def add_page(self, key: str, title: str, icon_name: str, widget: QWidget) -> None:
        """Add a page below the others."""
        self._pages[key] = widget
        self._stack.addWidget(widget)
        self.navigation.add(key, title, icon_name)
        self.side.setFixedWidth(max(176, self.navigation.wanted_width + 2 * SPACE_S))

    def show_page(self, key: str) -> None:
        """Show a page; nothing if there is none of this key."""
        self.navigation.choose(key)

    def focus_page(self) -> None:
        """Put the keyboard into the page shown."""
        page = self._stack.currentWidget()
        if isinstance(page, Page):
            page.focus_first()
        elif page is not None:
            page.setFocus()

    @Slot(str)
    def _on_page_chosen(self, key: str) -> None:
        self._stack.setCurrentWidget(self._pages[key])
        self.page_shown.emit(key)

    @Slot()
    def _on_next_page(self) -> None:
        self._walk(1)

    @Slot()
    def _on_page_before(self) -> None:
        self._walk(-1)

    def _walk(self, step: int) -> None:
        keys = self.navigation.keys
        self.show_page(keys[(keys.index(self.current_key) + step) % len(keys)])
        self.focus_page()

    # Qt overrides

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Escape closes the window, as everywhere."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent, /) -> None:
        """Tell that it was closed."""
        super().closeEvent(event)
        self.closed.emit()
