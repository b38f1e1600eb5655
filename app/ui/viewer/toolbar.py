"""The viewer's two rows of controls: what is shown, and how."""

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction, QIntValidator, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.ui.elements.buttons import tool_button
from app.ui.elements.elided_label import ElidedLabel
from app.ui.elements.tooltips import plain_tooltip
from app.ui.icons import icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import ICON_SIZE, SPACE_M, SPACE_S, SPACE_XS
from app.ui.viewer.zoom import Fit

_MENU_ZOOMS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
_WIDE = 400  # below, the fit buttons give way: their choices stand in the zoom menu too


class ViewerToolbar(QWidget):
    """Emits wishes; shows what it is told.

    Signals:
        page_requested: number of a page, from 1.
        page_step_requested: -1 or 1.
        zoom_requested: a zoom factor.
        zoom_step_requested: -1 or 1.
        fit_requested: a Fit.
        find_requested: open the search.
        text_requested: whether the text instead of the pages is wanted.
        external_requested: open the file in the system's program.
        close_requested: close the document.
    """

    page_requested = Signal(int)
    page_step_requested = Signal(int)
    zoom_requested = Signal(float)
    zoom_step_requested = Signal(int)
    fit_requested = Signal(object)
    find_requested = Signal()
    text_requested = Signal(bool)
    external_requested = Signal()
    close_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create both rows."""
        super().__init__(parent)
        self._theme = theme
        self._has_pixels = False
        self._page, self._n_pages = 0, 0
        self._file_icon = QLabel()
        self._name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        set_role(self._name, "heading")
        self.find_button = tool_button("search", self.tr("Find in the document"), theme, self, "Ctrl+F")
        self.text_button = tool_button("document", self.tr("Show as text"), theme, self)
        self.text_button.setCheckable(True)
        self.external_button = tool_button("external", self.tr("Open in its own program"), theme, self)
        self.close_button = tool_button("close", self.tr("Close the document"), theme, self)
        self.previous_page = tool_button("chevron-up", self.tr("Previous page"), theme, self, "Ctrl+PgUp")
        self.page_box = self._make_page_box()
        self._n_pages_label = QLabel()
        set_role(self._n_pages_label, "muted")
        self.next_page = tool_button("chevron-down", self.tr("Next page"), theme, self, "Ctrl+PgDown")
        self.zoom_out = tool_button("zoom-out", self.tr("Zoom out"), theme, self, "Ctrl+-")
        self.zoom_box = self._make_zoom_box()
        self.zoom_in = tool_button("zoom-in", self.tr("Zoom in"), theme, self, "Ctrl++")
        self.fit_width = tool_button("fit-width", self.tr("Fit to width"), theme, self, "Ctrl+0")
        self.fit_page = tool_button("fit", self.tr("Fit whole page"), theme, self, "Ctrl+9")
        self.fit_width.setCheckable(True)
        self.fit_page.setCheckable(True)
        self._lay_out()
        self._connect()
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    @property
    def title(self) -> str:
        """Name of the document shown."""
        return self._name.full_text

    def set_document(self, name: str, path: str, n_pages: int) -> None:
        """Show a document's name and, where it has pages, their number."""
        self._name.set_full_text(name)
        self._name.setToolTip(plain_tooltip(path))
        for widget in (self.previous_page, self.page_box, self._n_pages_label, self.next_page):
            widget.setVisible(n_pages > 0)
        self._n_pages = n_pages
        self._n_pages_label.setText(f"/ {n_pages:,}")
        self.page_box.setValidator(QIntValidator(1, max(1, n_pages), self.page_box))
        digits = self.page_box.fontMetrics().horizontalAdvance("0" * max(2, len(str(n_pages))))
        self.page_box.setFixedWidth(digits + 2 * SPACE_S + SPACE_M)
        self.page_box.setAccessibleName(self.tr("Page, of {n}").replace("{n}", str(n_pages)))

    def set_page(self, number: int) -> None:
        """Show which page is looked at."""
        self._page = number
        if not self.page_box.isModified():  # not while the user is typing
            self.page_box.setText(str(number))
        self.previous_page.setEnabled(number > 1)
        self.next_page.setEnabled(number < self._n_pages)

    def set_zoom(self, zoom: float, fit: Fit) -> None:
        """Show the zoom and what it follows."""
        words = f"{round(zoom * 100)} %"
        self.zoom_box.setText(words)
        self.zoom_box.setAccessibleName(self.tr("Zoom, {percent}").replace("{percent}", words))
        self.fit_width.setChecked(fit is Fit.WIDTH)
        self.fit_page.setChecked(fit is Fit.PAGE)

    def set_view(self, *, has_pixels: bool, shows_text: bool) -> None:
        """Show whether pages can be drawn, and whether the text is shown instead."""
        self._has_pixels = has_pixels and not shows_text
        self.text_button.setVisible(has_pixels)
        self.text_button.setChecked(shows_text)
        for action in self.zoom_box.menu().actions():
            if isinstance(action.data(), str):
                action.setVisible(self._has_pixels)
        self._arrange()

    def _make_page_box(self) -> QLineEdit:
        box = QLineEdit(self)
        box.setAlignment(Qt.AlignmentFlag.AlignRight)
        box.setValidator(QIntValidator(1, 1, box))
        box.setToolTip(self.tr("Page; type a number and press Enter"))
        return box

    def _make_zoom_box(self) -> QToolButton:
        button = QToolButton(self)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        button.setToolTip(self.tr("Choose the zoom"))
        button.setMinimumWidth(button.fontMetrics().horizontalAdvance("000 %") + 2 * SPACE_S)
        menu = QMenu(button)
        for fit, words in ((Fit.WIDTH, self.tr("Fit to width")), (Fit.PAGE, self.tr("Fit whole page"))):
            menu.addAction(words).setData(fit.value)
        for zoom in _MENU_ZOOMS:
            menu.addAction(f"{round(zoom * 100)} %").setData(zoom)
        menu.triggered.connect(self._on_zoom_menu_triggered)
        button.setMenu(menu)
        return button

    def _lay_out(self) -> None:
        header, tools = QHBoxLayout(), QHBoxLayout()
        header.setSpacing(SPACE_XS)
        header.addWidget(self._file_icon)
        header.addWidget(self._name, 1)
        for button in (self.find_button, self.text_button, self.external_button, self.close_button):
            header.addWidget(button)
        tools.setSpacing(SPACE_XS)
        for widget in (self.previous_page, self.page_box, self._n_pages_label, self.next_page):
            tools.addWidget(widget)
        tools.addStretch(1)
        for button in (self.zoom_out, self.zoom_box, self.zoom_in, self.fit_width, self.fit_page):
            tools.addWidget(button)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(SPACE_M, SPACE_S, SPACE_S, SPACE_S)
        rows.setSpacing(SPACE_XS)
        rows.addLayout(header)
        rows.addLayout(tools)

    def _connect(self) -> None:
        self.find_button.clicked.connect(self.find_requested)
        self.text_button.toggled.connect(self._on_text_toggled)
        self.external_button.clicked.connect(self.external_requested)
        self.close_button.clicked.connect(self.close_requested)
        self.page_box.returnPressed.connect(self._on_page_entered)
        self.page_box.editingFinished.connect(self._on_page_left)
        self.previous_page.clicked.connect(self._on_previous_clicked)
        self.next_page.clicked.connect(self._on_next_clicked)
        self.zoom_out.clicked.connect(self._on_zoom_out_clicked)
        self.zoom_in.clicked.connect(self._on_zoom_in_clicked)
        self.fit_width.clicked.connect(self._on_fit_width_clicked)
        self.fit_page.clicked.connect(self._on_fit_page_clicked)

    def _arrange(self) -> None:
        for button in (self.fit_width, self.fit_page):
            button.setVisible(self._has_pixels and self.width() >= _WIDE)

    @Slot(bool)
    def _on_text_toggled(self, checked: bool) -> None:
        self.text_requested.emit(checked)

    @Slot()
    def _on_page_entered(self) -> None:
        self.page_box.setModified(False)
        self.page_requested.emit(int(self.page_box.text()))

    @Slot()
    def _on_page_left(self) -> None:
        self.page_box.setModified(False)
        self.page_box.setText(str(self._page))

    @Slot()
    def _on_previous_clicked(self) -> None:
        self.page_step_requested.emit(-1)

    @Slot()
    def _on_next_clicked(self) -> None:
        self.page_step_requested.emit(1)

    @Slot()
    def _on_zoom_out_clicked(self) -> None:
        self.zoom_step_requested.emit(-1)

    @Slot()
    def _on_zoom_in_clicked(self) -> None:
        self.zoom_step_requested.emit(1)

    @Slot()
    def _on_fit_width_clicked(self) -> None:
        self.fit_requested.emit(Fit.WIDTH if self.fit_width.isChecked() else Fit.NONE)

    @Slot()
    def _on_fit_page_clicked(self) -> None:
        self.fit_requested.emit(Fit.PAGE if self.fit_page.isChecked() else Fit.NONE)

    @Slot(QAction)
    def _on_zoom_menu_triggered(self, action: QAction) -> None:
        chosen = action.data()
        if isinstance(chosen, str):  # a Fit, which Qt keeps as its text
            self.fit_requested.emit(Fit(chosen))
        else:
            self.zoom_requested.emit(chosen)

    @Slot()
    def _on_theme_changed(self) -> None:
        self._file_icon.setPixmap(icon("file", self._theme, "accent").pixmap(ICON_SIZE, ICON_SIZE))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave out what does not fit."""
        super().resizeEvent(event)
        self._arrange()
