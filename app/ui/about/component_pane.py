"""The searchable list of components, with the licence text of the chosen one."""

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from app.core.components import Component
from app.core.errors import AppError
from app.ui.about.component_model import ComponentFilter, ComponentModel, ComponentRole
from app.ui.theme import set_role
from app.ui.tokens import FONT_SMALL, SPACE_M, SPACE_S, SPACE_XS


class ComponentPane(QWidget):
    """Shows components; the text of the chosen one is asked for by a signal, because it is read elsewhere.

    Signals:
        chosen: Component whose text is wanted.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Say that the list is being read."""
        super().__init__(parent)
        self.model = ComponentModel(self)
        self._filter = ComponentFilter(self.model, self)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search by name or licence"))
        self.search.setAccessibleName(self.tr("Search components"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_search_changed)
        self.count = QLabel(self.tr("Reading the list…"))
        set_role(self.count, "faint")
        self.view = self._new_view()
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setWordWrap(True)
        self.title.setContentsMargins(SPACE_XS, SPACE_XS, SPACE_XS, 0)
        self.title.hide()
        set_role(self.title, "muted")
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName(self.tr("Licence text"))
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPointSizeF(self.font().pointSizeF() * FONT_SMALL)
        self.text.setFont(font)
        self.text.setPlaceholderText(self.tr("Choose a component to read its licence."))
        self._lay_out()

    def _new_view(self) -> QTreeView:
        view = QTreeView()
        view.setModel(self._filter)
        view.setRootIsDecorated(False)
        view.setUniformRowHeights(True)
        view.setAllColumnsShowFocus(True)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setAccessibleName(self.tr("Components"))
        view.setTabKeyNavigation(False)
        header = view.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        view.setColumnWidth(0, 180)
        view.setColumnWidth(1, 88)
        view.selectionModel().currentRowChanged.connect(self._on_row_changed)
        return view

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACE_M)
        row.addWidget(self.search, 1)
        row.addWidget(self.count)
        lists = QHBoxLayout()
        lists.setSpacing(SPACE_S)
        lists.addWidget(_framed(self.view), 3)
        lists.addWidget(_framed(self.title, self.text), 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_S)
        layout.addLayout(row)
        layout.addLayout(lists, 1)

    @property
    def current(self) -> Component | None:
        """The chosen component."""
        component: Component | None = self.view.currentIndex().data(ComponentRole.COMPONENT)
        return component

    def show_components(self, components: Sequence[Component]) -> None:
        """Show the list."""
        self.model.set_components(components)
        self.title.hide()
        self.text.clear()
        self._show_count()

    def show_problem(self, error: AppError) -> None:
        """Say why there is no list."""
        self.count.setText("")
        self.text.setPlainText(f"{error.user_message} {error.hint}".strip())
        self.search.setEnabled(False)

    def show_text(self, component: Component, text: str) -> None:
        """Show a licence text, if its component is still the chosen one."""
        if component == self.current:
            missing = self.tr("The licence is “{0}”; its text is not bundled.").format(component.licence)
            self.text.setPlainText(text or missing)

    def _show_count(self) -> None:
        shown, total = self._filter.rowCount(), self.model.rowCount()
        words = self.tr("{0} of {1} components") if shown != total else self.tr("{1} components")
        self.count.setText(words.format(shown, total))

    @Slot(str)
    def _on_search_changed(self, text: str) -> None:
        self._filter.search(text)
        self.view.scrollTo(self.view.currentIndex())
        self._show_count()

    @Slot(QModelIndex, QModelIndex)
    def _on_row_changed(self, current: QModelIndex, _before: QModelIndex) -> None:
        self.text.clear()
        component = current.data(ComponentRole.COMPONENT)
        self.title.setVisible(component is not None)
        if component is not None:
            name = f"{component.name} {component.version}".strip()
            self.title.setText(self.tr("{0}: {1}").format(name, component.licence or self.tr("not named")))
            self.chosen.emit(component)


def _framed(*widgets: QWidget) -> QFrame:
    frame = QFrame()
    set_role(frame, "card")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(SPACE_XS, SPACE_XS, SPACE_XS, SPACE_XS)
    layout.setSpacing(SPACE_XS)
    for widget in widgets:
        layout.addWidget(widget)
    return frame
