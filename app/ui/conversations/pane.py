"""The pane at the left: new conversation, search, list."""

from PySide6.QtCore import QModelIndex, QPoint, QSize, QSortFilterProxyModel, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.protocol.chat import ConversationEntry
from app.ui.conversations.delegate import ConversationDelegate
from app.ui.conversations.model import ConversationListModel, ConversationRole
from app.ui.icon_label import IconLabel
from app.ui.icons import bind_icon, icon
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS


class ConversationList(QListView):
    """The list itself; Delete asks for the deletion of the current row."""

    delete_requested = Signal()

    # Qt overrides

    def keyPressEvent(self, event: QKeyEvent, /) -> None:
        """Delete, and Enter to open."""
        if event.matches(QKeySequence.StandardKey.Delete):
            self.delete_requested.emit()
            return
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and self.currentIndex().isValid():  # while a title is edited, its editor gets the keys
            self.activated.emit(self.currentIndex())
            return
        super().keyPressEvent(event)


class ConversationPane(QFrame):
    """Shows the conversations and passes on what the user wants.

    Signals:
        new_requested: a new conversation.
        open_requested: id of the conversation to show.
        delete_requested: ConversationEntry.
    """

    new_requested = Signal()
    open_requested = Signal(str)
    delete_requested = Signal(object)

    def __init__(self, model: ConversationListModel, theme: Theme, parent: QWidget | None = None) -> None:
        """Show a model."""
        super().__init__(parent)
        set_role(self, "sidebar")
        self._theme, self._model = theme, model
        self._wanted_id: str | None = None
        self._filtered = QSortFilterProxyModel(self)
        self._filtered.setSourceModel(model)
        self._filtered.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._filtered.setDynamicSortFilter(True)
        self._search = self._new_search()
        self.list = self._new_list()
        self._empty = QLabel()
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        set_role(self._empty, "faint")
        self._lay_out()
        for signal in (
            self._filtered.rowsInserted,
            self._filtered.rowsRemoved,
            self._filtered.modelReset,
            self._filtered.layoutChanged,
        ):
            signal.connect(self._on_rows_changed)
        self._on_rows_changed()

    def _lay_out(self) -> None:
        header = QHBoxLayout()
        header.setContentsMargins(SPACE_XS, 0, 0, 0)
        header.setSpacing(SPACE_S)
        header.addWidget(IconLabel("app", "accent", self._theme, 22))
        name = QLabel("h2oGPT")
        set_role(name, "heading")
        header.addWidget(name)
        header.addStretch()
        self._new = QPushButton(self.tr("New conversation"))
        self._new.setToolTip(self.tr("New conversation (Ctrl+N)"))
        bind_icon(self._new, "add", self._theme)
        self._new.clicked.connect(self.new_requested)
        top = QVBoxLayout()
        top.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, 0)
        top.setSpacing(SPACE_M)
        top.addLayout(header)
        top.addWidget(self._new)
        top.addWidget(self._search)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, SPACE_S)
        layout.setSpacing(SPACE_S)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        bottom = QVBoxLayout()
        bottom.setContentsMargins(SPACE_M, SPACE_M, SPACE_M, 0)
        bottom.addWidget(self._empty)
        bottom.addStretch()
        self._empty_box = QWidget()
        self._empty_box.setLayout(bottom)
        layout.addWidget(self._empty_box, 1)

    def _new_search(self) -> QLineEdit:
        search = QLineEdit()
        search.setPlaceholderText(self.tr("Search titles"))
        search.setAccessibleName(self.tr("Search titles of conversations"))
        search.setClearButtonEnabled(True)
        action = QAction(search)
        bind_icon(action, "search", self._theme, "text_faint")
        search.addAction(action, QLineEdit.ActionPosition.LeadingPosition)
        search.textChanged.connect(self._on_search_changed)
        return search

    def _new_list(self) -> ConversationList:
        view = ConversationList()
        view.setAccessibleName(self.tr("Conversations"))
        view.setModel(self._filtered)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.setMouseTracking(True)
        view.setUniformItemSizes(True)
        view.setMinimumSize(QSize(120, 60))
        delegate = ConversationDelegate(self._theme, view)
        delegate.more_requested.connect(self._on_more_requested)
        view.setItemDelegate(delegate)
        view.clicked.connect(self._on_activated)
        view.activated.connect(self._on_activated)
        view.customContextMenuRequested.connect(self._on_context_menu_requested)
        view.delete_requested.connect(self._on_delete_requested)
        self._theme.changed.connect(view.viewport().update)
        return view

    def show_current(self, conversation_id: str | None) -> None:
        """Mark the conversation that is open; None marks none."""
        self._wanted_id = conversation_id
        row = None if conversation_id is None else self._model.row_of(conversation_id)
        index = QModelIndex() if row is None else self._filtered.mapFromSource(self._model.index(row))
        if index.isValid():
            self.list.setCurrentIndex(index)
        else:
            self.list.clearSelection()
            self.list.setCurrentIndex(QModelIndex())

    def focus_list(self) -> None:
        """Put the focus into the list, or on the first control where it is empty."""
        (self._new if self.list.isHidden() else self.list).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def focus_search(self) -> None:
        """Put the cursor into the search field."""
        self._search.setFocus()
        self._search.selectAll()

    def entry_at(self, index: QModelIndex) -> ConversationEntry:
        """Give the conversation of an index of the view."""
        entry = index.data(ConversationRole.ENTRY)
        assert isinstance(entry, ConversationEntry)
        return entry

    @Slot()
    def _on_rows_changed(self) -> None:
        is_empty = self._filtered.rowCount() == 0
        self.list.setHidden(is_empty)
        self._empty_box.setVisible(is_empty)
        if self._model.rowCount():
            self._empty.setText(self.tr("No title holds these words."))
        else:
            self._empty.setText(
                self.tr("Your conversations will stand here. Ask something to begin the first.")
            )
        if self._wanted_id is not None:
            self.show_current(self._wanted_id)

    @Slot(str)
    def _on_search_changed(self, text: str) -> None:
        self._filtered.setFilterFixedString(text.strip())
        self._on_rows_changed()

    @Slot(QModelIndex)
    def _on_activated(self, index: QModelIndex) -> None:
        self.open_requested.emit(self.entry_at(index).id)

    @Slot()
    def _on_delete_requested(self) -> None:
        index = self.list.currentIndex()
        if index.isValid():
            self.delete_requested.emit(self.entry_at(index))

    @Slot(QPoint)
    def _on_context_menu_requested(self, position: QPoint) -> None:
        index = self.list.indexAt(position)
        if index.isValid():
            self._open_menu(index, self.list.viewport().mapToGlobal(position))

    @Slot(QModelIndex)
    def _on_more_requested(self, index: QModelIndex) -> None:
        rect = self.list.visualRect(index)
        self._open_menu(index, self.list.viewport().mapToGlobal(rect.bottomRight() - QPoint(60, 0)))

    def _open_menu(self, index: QModelIndex, position: QPoint) -> None:
        self.list.setCurrentIndex(index)
        menu = self.new_menu(index)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(position)

    def new_menu(self, index: QModelIndex) -> QMenu:
        """Give the menu for a row."""
        menu = QMenu(self)
        rename = menu.addAction(icon("edit", self._theme), self.tr("Rename"), self._on_rename_triggered)
        rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
        delete = menu.addAction(icon("trash", self._theme), self.tr("Delete"), self._on_delete_requested)
        delete.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        return menu

    @Slot()
    def _on_rename_triggered(self) -> None:
        self.list.edit(self.list.currentIndex())
