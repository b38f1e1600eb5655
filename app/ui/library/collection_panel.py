"""The collections: choosing one, and wishes to create, rename and delete."""

from PySide6.QtCore import QModelIndex, QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QContextMenuEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from app.protocol.library import Collection
from app.ui.elements.buttons import tool_button
from app.ui.library.collection_model import CollectionModel
from app.ui.library.file_delegate import CollectionDelegate
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS

_ROWS_SHOWN = 4


class CollectionPanel(QWidget):
    """A list of collections with a header.

    Signals:
        chosen: Collection, or None for all files.
        create_requested: the user wants a new collection.
        rename_requested: Collection.
        delete_requested: Collection.
    """

    chosen = Signal(object)
    create_requested = Signal()
    rename_requested = Signal(object)
    delete_requested = Signal(object)

    def __init__(self, model: CollectionModel, theme: Theme, parent: QWidget | None = None) -> None:
        """Show `model`."""
        super().__init__(parent)
        self._model, self._theme = model, theme
        heading = QLabel(self.tr("Collections"))
        set_role(heading, "muted")
        self.add_button = tool_button("add", self.tr("New collection"), theme, self)
        self.list = CollectionList(self)
        self.list.setModel(model)
        self.list.setItemDelegate(CollectionDelegate(theme, self.list))
        header = QHBoxLayout()
        header.setContentsMargins(SPACE_M, 0, SPACE_S, 0)
        header.addWidget(heading, 1)
        header.addWidget(self.add_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_XS, 0, SPACE_XS)
        layout.setSpacing(SPACE_XS)
        layout.addLayout(header)
        layout.addWidget(self.list, 1)
        self.add_button.clicked.connect(self.create_requested)
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self.list.rename_requested.connect(self._on_rename)
        self.list.delete_requested.connect(self._on_delete)
        self.list.menu_requested.connect(self._on_menu_requested)
        model.layoutChanged.connect(self._on_layout_changed)
        self.list.setCurrentIndex(model.index(0))

    def current(self) -> Collection | None:
        """Give the collection chosen; None for all files."""
        return self._model.collection(self.list.currentIndex())

    def choose(self, collection_id: int | None) -> None:
        """Choose a collection, or all files."""
        self.list.setCurrentIndex(self._model.index(self._model.row_of(collection_id)))

    @Slot(QModelIndex)
    def _on_current_changed(self, current: QModelIndex) -> None:
        self.chosen.emit(self._model.collection(current))

    @Slot()
    def _on_layout_changed(self) -> None:
        self.list.updateGeometry()
        if not self.list.currentIndex().isValid():
            self.choose(None)  # the one chosen is gone

    @Slot()
    def _on_rename(self) -> None:
        if (collection := self.current()) is not None:
            self.rename_requested.emit(collection)

    @Slot()
    def _on_delete(self) -> None:
        if (collection := self.current()) is not None:
            self.delete_requested.emit(collection)

    @Slot(QPoint)
    def _on_menu_requested(self, place: QPoint) -> None:
        self.menu().popup(place)

    def menu(self) -> QMenu:
        """Give a menu about the collection chosen; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("New collection …"), self.create_requested.emit)
        if (collection := self.current()) is not None:
            menu.addAction(self.tr("Rename …"), self._on_rename)
            is_default = collection == self._model.collections[0]
            words = self.tr("Remove all its files …") if is_default else self.tr("Delete …")
            menu.addAction(words, self._on_delete)
        return menu


class CollectionList(QListView):
    """The rows; as high as a few of them, at most.

    Signals:
        rename_requested: F2.
        delete_requested: Delete.
        menu_requested: global position for a menu.
    """

    rename_requested = Signal()
    delete_requested = Signal()
    menu_requested = Signal(QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        """Create the list without a model."""
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DropOnly)
        self.setDropIndicatorShown(True)
        self.setAccessibleName(self.tr("Collections"))

    def sizeHint(self) -> QSize:
        """Give room for a few rows."""
        rows = min(self.model().rowCount(), _ROWS_SHOWN)
        return QSize(super().sizeHint().width(), rows * max(1, self.sizeHintForRow(0)) + SPACE_XS)

    def minimumSizeHint(self) -> QSize:
        """Keep two rows in sight."""
        return QSize(80, 2 * max(1, self.sizeHintForRow(0)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F2 renames, Delete deletes."""
        if event.key() == Qt.Key.Key_F2:
            self.rename_requested.emit()
        elif event.key() == Qt.Key.Key_Delete:
            self.delete_requested.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for a menu about the collection chosen."""
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).center())
        self.menu_requested.emit(place)
