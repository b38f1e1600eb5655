"""What can be done with the chosen files: their menu, and what each of its entries does."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from app.protocol.library import FileEntry
from app.ui.elements.banner import Banner
from app.ui.elements.system_opener import Opener
from app.ui.library.controller import LibraryController, is_kept_inside
from app.ui.library.details_panel import DetailsPanel
from app.ui.library.dialogs import Questions
from app.ui.library.file_list import FileList
from app.ui.library.file_words import RETRYABLE, WORKING
from app.ui.tasks import TaskSpawner


class FileActions(QObject):
    """Fulfils the wishes of the list of files and of the details beside it.

    Signals:
        open_document_requested: id of a document to show in the viewer.
    """

    open_document_requested = Signal(int)

    def __init__(
        self,
        files: FileList,
        details: DetailsPanel,
        controller: LibraryController,
        questions: Questions,
        opener: Opener,
        banner: Banner,
        tasks: TaskSpawner,
        over: QWidget,
    ) -> None:
        """Listen to `files` and `details`; ask through `questions`; act through `controller` and `opener`.

        The menu shows over `over`.
        """
        super().__init__(over)
        self._list, self._details, self._controller = files, details, controller
        self._questions, self._opener, self._banner = questions, opener, banner
        self._tasks, self._over = tasks, over
        files.open_requested.connect(self._on_open_requested)
        files.remove_requested.connect(self._on_remove)
        files.menu_requested.connect(self._on_menu_requested)
        details.open_requested.connect(self._on_open_chosen)
        details.retry_requested.connect(self._on_retry)
        details.cancel_requested.connect(self._on_cancel)
        details.folder_requested.connect(self._on_show_in_folder)
        details.menu_requested.connect(self._on_details_menu)

    @Slot(object)
    def _on_open_requested(self, file: FileEntry) -> None:
        if file.document_id is not None:
            self.open_document_requested.emit(file.document_id)
            return
        words = self.tr("“{name}” has no text to show yet: {reason}").replace("{name}", file.name)
        reason = file.reason or self.tr("it has not been read.")
        self._banner.say("info", f"{words.replace('{reason}', reason)} {file.hint}".strip())

    @Slot()
    def _on_open_chosen(self) -> None:
        if chosen := self._list.chosen():
            self._on_open_requested(chosen[0])

    @Slot()
    def _on_retry(self) -> None:
        self._controller.retry([file for file in self._list.chosen() if file.state in RETRYABLE])

    @Slot()
    def _on_cancel(self) -> None:
        self._controller.cancel([file for file in self._list.chosen() if file.state in WORKING])

    @Slot()
    def _on_remove(self) -> None:
        self._tasks.spawn(self._remove(self._list.chosen()), "library.ask_remove")

    async def _remove(self, files: Sequence[FileEntry]) -> None:
        pasted = [file for file in files if is_kept_inside(file)]
        if pasted:
            text = self.tr(
                "“{name}” was pasted and exists in the library only. Removing it cannot be undone."
            ).replace("{name}", pasted[0].name)
            title = self.tr("Remove from the library?")
            if not await self._questions.confirm(title, text, self.tr("Remove")):
                return
        if files:
            self._controller.remove(files)

    @Slot()
    def _on_show_in_folder(self) -> None:
        chosen = self._list.chosen()
        if chosen and not self._opener.show_in_folder(chosen[0].path):
            words = self.tr("The folder of {path} could not be shown. It may have been moved or deleted.")
            self._banner.say("error", words.replace("{path}", chosen[0].path))

    @Slot()
    def _on_copy_path(self) -> None:
        paths = "\n".join(file.path for file in self._list.chosen())
        QGuiApplication.clipboard().setText(paths.encode("utf-8", "replace").decode())

    @Slot()
    def _on_details_menu(self) -> None:
        self._on_menu_requested(self._details.more.mapToGlobal(QPoint(0, self._details.more.height())))

    @Slot(QPoint)
    def _on_menu_requested(self, place: QPoint) -> None:
        self.menu().popup(place)

    def menu(self) -> QMenu:
        """Give a menu of what can be done with the chosen files; it deletes itself when closed."""
        chosen = self._list.chosen()
        menu = QMenu(self._over)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if len(chosen) == 1:
            can_open = chosen[0].document_id is not None
            menu.addAction(self.tr("Open"), self._on_open_chosen).setEnabled(can_open)
            menu.addAction(self.tr("Show in folder"), self._on_show_in_folder)
        menu.addAction(self.tr("Copy path"), self._on_copy_path)
        menu.addSeparator()
        retry = menu.addAction(self.tr("Read again"), self._on_retry)
        retry.setEnabled(any(file.state in RETRYABLE for file in chosen))
        stop = menu.addAction(self.tr("Stop reading"), self._on_cancel)
        stop.setEnabled(any(file.state in WORKING for file in chosen))
        self._add_move_menu(menu, chosen)
        menu.addSeparator()
        remove = menu.addAction(self.tr("Remove from the library"), self._on_remove)
        remove.setToolTip(self.tr("The files themselves stay on the disk."))
        menu.setToolTipsVisible(True)
        return menu

    def _add_move_menu(self, menu: QMenu, chosen: Sequence[FileEntry]) -> None:
        targets = menu.addMenu(self.tr("Move to"))
        present = {file.collection_id for file in chosen}
        for collection in self._controller.collections.collections:
            if present != {collection.id}:
                targets.addAction(collection.name).setData(collection.id)
        targets.setEnabled(not targets.isEmpty())
        targets.triggered.connect(self._on_move_chosen)

    @Slot(object)
    def _on_move_chosen(self, action: object) -> None:
        collection_id = action.data()  # type: ignore[attr-defined]
        self._controller.move([file.location_id for file in self._list.chosen()], collection_id)
