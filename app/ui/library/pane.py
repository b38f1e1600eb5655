"""The library pane: collections, files, and what to do about them."""

import asyncio
from itertools import pairwise

from PySide6.QtCore import QMargins, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.core.errors import AppError
from app.protocol.library import LibraryStatus
from app.ui.elements.banner import Banner
from app.ui.elements.buttons import tool_button
from app.ui.elements.elided_label import ElidedLabel
from app.ui.elements.message_card import MessageCard
from app.ui.elements.system_opener import Opener, SystemOpener
from app.ui.icons import bind_icon
from app.ui.library.collection_actions import CollectionActions
from app.ui.library.collection_model import FilesDropped, PathsDropped
from app.ui.library.collection_panel import CollectionPanel
from app.ui.library.controller import LibraryController, Undo
from app.ui.library.details_panel import DetailsPanel
from app.ui.library.dialogs import QtQuestions, Questions
from app.ui.library.file_actions import FileActions
from app.ui.library.file_list import FileList
from app.ui.library.file_model import FileFilter
from app.ui.library.filter_bar import FilterBar
from app.ui.library.ingestion_bar import IngestionBar
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_M, SPACE_S, SPACE_XS

_COLLECTIONS_WIDTH = 200
_WIDE = 620  # from here on, collections stand beside the files instead of above


class LibraryPane(QFrame):
    """Shows the library and acts on it.

    Signals:
        open_document_requested: id of a document to show in the viewer.
    """

    open_document_requested = Signal(int)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        theme: Theme,
        parent: QWidget | None = None,
        *,
        opener: Opener | None = None,
        questions: Questions | None = None,
    ) -> None:
        """Create the pane; it fills as soon as the session is connected.

        Args:
            session: the connection to the host.
            tasks: starts tasks.
            theme: colours.
            parent: owner.
            opener: shows files in the system's programs.
            questions: asks the user; dialogs by default.
        """
        super().__init__(parent)
        self._tasks = tasks
        self._questions = questions or QtQuestions(self)
        self._undo: Undo | None = None
        self._is_arranged_by_user = False
        self.controller = LibraryController(session, tasks, self)
        self.files = FileList(self.controller.files, theme, self)
        self.collections = CollectionPanel(self.controller.collections, theme, self)
        CollectionActions(self.collections, self.controller, self._questions, tasks, self)
        self.filter_bar = FilterBar(theme, self)
        self.details = DetailsPanel(theme, self)
        self.ingestion = IngestionBar(theme, self)
        self.banner = Banner(theme, self, QMargins(SPACE_M, SPACE_XS, SPACE_M, SPACE_S))
        self.file_actions = FileActions(
            self.files,
            self.details,
            self.controller,
            self._questions,
            opener or SystemOpener(),
            self.banner,
            tasks,
            self,
        )
        self.card = MessageCard(theme, self)
        self.count = ElidedLabel()
        self.add_files_button = QPushButton(self.tr("Add files"), self)
        self.add_folder_button = tool_button("add-folder", self.tr("Add a folder"), theme, self)
        self.more_button = tool_button("more", self.tr("More"), theme, self)
        bind_icon(self.add_files_button, "add-file", theme, "on_accent")
        set_role(self.add_files_button, "primary")
        self._lay_out()
        self._connect()
        self._set_tab_order()
        self._show_loading()
        if session.is_connected:
            self.controller.load()

    # --- what the window calls

    def add_paths(self, paths: list[str]) -> "asyncio.Task[None] | None":
        """Add files and folders to the collection shown; see LibraryController.add_paths."""
        return self.controller.add_paths(paths)

    # --- what is shown

    def _filter(self) -> FileFilter:
        collection = self.collections.current()
        return FileFilter(
            collection_id=collection.id if collection else None,
            contains=self.filter_bar.contains,
            state=self.filter_bar.state,
        )

    @Slot()
    def _on_filter_changed(self) -> None:
        self.controller.set_filter(self._filter())

    @Slot()
    def _show_loading(self) -> None:
        self.card.say("collection", self.tr("Opening the library …"))
        self._stack.setCurrentWidget(self.card)

    @Slot()
    def _on_files_changed(self) -> None:
        total = self.controller.files.total
        words = self.tr("1 file") if total == 1 else self.tr("{n} files").replace("{n}", f"{total:,}")
        self.count.set_full_text(words if total else "")
        if self.controller.files.rowCount():
            self._stack.setCurrentWidget(self.files)
        elif self.controller.files.is_complete:
            self._show_empty()
        self._on_chosen_changed()

    @Slot()
    def _on_chosen_changed(self) -> None:
        self.details.show_files(self.files.chosen())

    def _show_empty(self) -> None:
        add = ((self.tr("Add files …"), self._on_add_files), (self.tr("Add a folder …"), self._on_add_folder))
        note = self.tr(
            "PDF, Word, PowerPoint, Excel, CSV, HTML, Markdown, plain text, RTF, source code, and audio and "
            "video, which are transcribed. Files stay where they are, and nothing leaves this computer."
        )
        if self.controller.files.filter.is_narrow:
            clear = ((self.tr("Show all files"), self.filter_bar.clear),)
            words = self.tr("No file here has that name and state.")
            self.card.say("search", self.tr("Nothing found"), words, clear)
        elif self.collections.current() is not None:
            words = self.tr("Drop files or folders here, or drag files of other collections onto its name.")
            self.card.say("folder", self.tr("This collection is empty"), words, add)
        else:
            words = self.tr("Then ask about them in the chat: every answer shows the words it comes from.")
            title = self.tr("Drop files or folders here")
            self.card.say("add-file", title, words, add, note=note, role="accent")
        self._stack.setCurrentWidget(self.card)

    @Slot(object)
    def _on_list_failed(self, error: AppError) -> None:
        again = ((self.tr("Try again"), self.controller.load),)
        if self.controller.files.rowCount():
            self.banner.say_error(error, again)
            return
        self.card.say_error(self.tr("The library cannot be shown"), error, again)
        self._stack.setCurrentWidget(self.card)

    @Slot(object)
    def _on_failed(self, error: AppError) -> None:
        self.banner.say_error(error)

    @Slot(object)
    def _on_undo_offered(self, undo: Undo) -> None:
        self._undo = undo
        steps = ((self.tr("Undo"), self._on_undo),) if undo.paths else ()
        self.banner.say("info", undo.words, steps)

    @Slot()
    def _on_undo(self) -> None:
        self.banner.hide()
        if self._undo is not None:
            self.controller.undo(self._undo)
            self._undo = None

    @Slot(object)
    def _on_status(self, status: LibraryStatus) -> None:
        self.ingestion.show_status(status)
        self.filter_bar.show_counts(status)

    # --- adding

    @Slot()
    def _on_add_files(self) -> None:
        self._tasks.spawn(self._add(files=True), "library.choose_files")

    @Slot()
    def _on_add_folder(self) -> None:
        self._tasks.spawn(self._add(files=False), "library.choose_folder")

    async def _add(self, *, files: bool) -> None:
        chosen = await (self._questions.files() if files else self._questions.folder())
        self.controller.add_paths(chosen)

    # --- collections

    @Slot(object)
    def _on_files_dropped(self, drop: FilesDropped) -> None:
        self.controller.move(drop.location_ids, drop.collection.id)

    @Slot(object)
    def _on_paths_dropped(self, drop: PathsDropped) -> None:
        self.controller.add_paths(drop.paths, drop.collection.name)

    @Slot()
    def _on_collections_changed(self) -> None:
        self._arrange()

    # --- more

    @Slot()
    def _on_more(self) -> None:
        self.more_menu().popup(self.more_button.mapToGlobal(QPoint(0, self.more_button.height())))

    def more_menu(self) -> QMenu:
        """Give a menu about the whole library; it deletes itself when closed."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Look for changed files"), self.controller.refresh)
        status = self.controller.status
        if status is not None and status.paused:
            menu.addAction(self.tr("Resume reading"), self._on_resume)
        else:
            menu.addAction(self.tr("Pause reading"), self._on_pause)
        return menu

    @Slot()
    def _on_pause(self) -> None:
        self.controller.pause(paused=True)

    @Slot()
    def _on_resume(self) -> None:
        self.controller.pause(paused=False)

    @Slot(bool)
    def _on_pause_requested(self, paused: bool) -> None:
        self.controller.pause(paused=paused)

    # --- putting together

    def _lay_out(self) -> None:
        set_role(self, "surface")
        set_role(self.count, "heading")
        header = QHBoxLayout()
        header.setContentsMargins(SPACE_M, SPACE_S, SPACE_S, SPACE_S)
        header.setSpacing(SPACE_XS)
        header.addWidget(self.count, 1)
        for button in (self.add_files_button, self.add_folder_button, self.more_button):
            header.addWidget(button)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.files)
        self._stack.addWidget(self.card)
        right = QWidget(self)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, SPACE_XS, 0, 0)
        column.setSpacing(0)
        for widget in (self.filter_bar, self.banner, self._stack, self._make_line(), self.details):
            column.addWidget(widget, 1 if widget is self._stack else 0)
        self._splitter = QSplitter(Qt.Orientation.Vertical, self)
        self._splitter.setHandleWidth(1)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(self.collections)
        self._splitter.addWidget(right)
        self._splitter.setStretchFactor(1, 1)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addLayout(header)
        rows.addWidget(self._splitter, 1)
        rows.addWidget(self._make_line())
        rows.addWidget(self.ingestion)

    def _arrange(self) -> None:
        """Give the collections the room that they need, until the user chose another."""
        if self._is_arranged_by_user:
            return
        if self._splitter.orientation() == Qt.Orientation.Horizontal:
            self._splitter.setSizes([_COLLECTIONS_WIDTH, max(1, self.width() - _COLLECTIONS_WIDTH)])
        else:
            height = self.collections.sizeHint().height()
            self._splitter.setSizes([height, max(1, self._splitter.height() - height)])

    @Slot()
    def _on_splitter_moved(self) -> None:
        self._is_arranged_by_user = True

    def _set_tab_order(self) -> None:
        order = (
            self.add_files_button,
            self.add_folder_button,
            self.more_button,
            self.collections.add_button,
            self.collections.list,
            self.filter_bar.field,
            self.filter_bar.states,
            self.files,
            self.details.open_button,
            self.ingestion.button,
        )
        for first, second in pairwise(order):
            QWidget.setTabOrder(first, second)

    def _make_line(self) -> QFrame:
        line = QFrame(self)
        line.setFixedHeight(1)
        set_role(line, "line")
        return line

    def _connect(self) -> None:
        controller, files, details = self.controller, self.files, self.details
        controller.files_changed.connect(self._on_files_changed)
        controller.list_failed.connect(self._on_list_failed)
        controller.failed.connect(self._on_failed)
        controller.undo_offered.connect(self._on_undo_offered)
        controller.status_changed.connect(self._on_status)
        controller.collections_changed.connect(self._on_collections_changed)
        controller.preview_ready.connect(details.show_preview)
        controller.length_ready.connect(details.show_length)
        controller.collections.files_dropped.connect(self._on_files_dropped)
        controller.collections.paths_dropped.connect(self._on_paths_dropped)
        files.chosen_changed.connect(self._on_chosen_changed)
        self.file_actions.open_document_requested.connect(self.open_document_requested)
        details.preview_requested.connect(controller.preview)
        details.length_requested.connect(controller.length)
        self.collections.chosen.connect(self._on_filter_changed)
        self.filter_bar.changed.connect(self._on_filter_changed)
        self.ingestion.pause_requested.connect(self._on_pause_requested)
        self.add_files_button.clicked.connect(self._on_add_files)
        self.add_folder_button.clicked.connect(self._on_add_folder)
        self.more_button.clicked.connect(self._on_more)
        self._splitter.splitterMoved.connect(self._on_splitter_moved)

    # --- Qt

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the collections beside the files where there is room."""
        super().resizeEvent(event)
        wide = self.width() >= _WIDE
        wanted = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if self._splitter.orientation() != wanted:
            self._splitter.setOrientation(wanted)
            self._is_arranged_by_user = False
            self._arrange()
