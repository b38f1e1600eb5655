"""The list of files: choosing, opening, removing, dragging."""

from PySide6.QtCore import QItemSelection, QModelIndex, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QContextMenuEvent, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QWidget

from app.protocol.library import FileEntry
from app.ui.library.file_delegate import FileDelegate
from app.ui.library.file_model import FileModel
from app.ui.theme import Theme


class FileList(QListView):
    """Shows a FileModel.

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
        self.setModel(model)
        self.setItemDelegate(FileDelegate(theme, self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setAccessibleName(self.tr("Files"))
        self.verticalScrollBar().setSingleStep(24)
        self.doubleClicked.connect(self._on_double_clicked)

    def chosen(self) -> list[FileEntry]:
        """Give the chosen files, in the order shown."""
        indexes = sorted(self.selectionModel().selectedIndexes(), key=QModelIndex.row)
        return [file for index in indexes if (file := self._files.file(index)) is not None]

    @Slot(QModelIndex)
    def _on_double_clicked(self, index: QModelIndex) -> None:
        if (file := self._files.file(index)) is not None:
            self.open_requested.emit(file)

    # --- Qt

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        """Tell that other files are chosen."""
        super().selectionChanged(selected, deselected)
        self.chosen_changed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens, Delete removes."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if (file := self._files.file(self.currentIndex())) is not None:
                self.open_requested.emit(file)
        elif event.key() == Qt.Key.Key_Delete and self.selectionModel().hasSelection():
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for a menu about the chosen files."""
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).center())
        if self.selectionModel().hasSelection():
            self.menu_requested.emit(place)
