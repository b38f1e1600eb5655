"""The list of files: choosing, opening, removing, dragging."""

from PySide6.QtCore import QEvent, QItemSelection, QModelIndex, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QContextMenuEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.protocol.library import FileEntry
from app.ui.library.file_delegate import FileDelegate
from app.ui.library.file_model import FileModel
from app.ui.theme import Theme


class FileList(QTableView):
    """Shows a FileModel, one file a row.

    It is a table of one column because, unlike QListView, a table lays out rows of equal height without
    asking the model about each of them: ten thousand files cost no more than ten.

    Signals:
        open_requested: FileEntry (double click, Enter).
        remove_requested: the chosen files are to be removed (Delete).
        chosen_changed: other files are chosen.
        menu_requested: global position for a menu about the chosen files.
    """

    open_requested = Signal(object)
    remove_requested = Signal()
    chosen_changed = Signal()
    menu_requested = Signal(QPoint)

    def __init__(self, model: FileModel, theme: Theme, parent: QWidget | None = None) -> None:
        """Show `model`."""
        super().__init__(parent)
        self._files = model
        self._delegate = FileDelegate(theme, self)
        self.setModel(model)
        self.setItemDelegate(self._delegate)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        # the delegate draws the chosen row with round corners; the view would fill it squarely before
        self.setStyleSheet(
            "QTableView { selection-background-color: transparent; }"
            "QTableView::item:selected, QTableView::item:hover { background: transparent; }"
        )
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setAccessibleName(self.tr("Files"))
        self.horizontalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalScrollBar().setSingleStep(24)
        self._set_row_height()
        self.doubleClicked.connect(self._on_double_clicked)

    def chosen(self) -> list[FileEntry]:
        """Give the chosen files, in the order shown."""
        selection = self.selectionModel().selection()
        parts = [selection.at(i) for i in range(selection.count())]
        rows = {row for part in parts for row in range(part.top(), part.bottom() + 1)}
        return [self._files.files[row] for row in sorted(rows)]

    def _set_row_height(self) -> None:
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        self.verticalHeader().setDefaultSectionSize(self._delegate.sizeHint(option, QModelIndex()).height())

    @Slot(QModelIndex)
    def _on_double_clicked(self, index: QModelIndex) -> None:
        if (file := self._files.file(index)) is not None:
            self.open_requested.emit(file)

    # --- Qt

    def changeEvent(self, event: QEvent) -> None:
        """Keep rows high enough for another font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange) and hasattr(self, "_delegate"):
            self._set_row_height()

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        """Tell that other files are chosen."""
        super().selectionChanged(selected, deselected)
        self.chosen_changed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens, Delete removes, Home and End go to the first and the last file."""
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if (file := self._files.file(self.currentIndex())) is not None:
                self.open_requested.emit(file)
        elif key == Qt.Key.Key_Delete and self.selectionModel().hasSelection():
            self.remove_requested.emit()
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End) and not event.modifiers():
            self.selectRow(0 if key == Qt.Key.Key_Home else self._files.rowCount() - 1)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for a menu about the chosen files."""
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).center())
        if self.selectionModel().hasSelection():
            self.menu_requested.emit(place)
