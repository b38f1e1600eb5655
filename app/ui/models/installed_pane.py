"""The page of models on this computer."""

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.protocol.models import FoundFolder, FoundFolders, ModelEntry
from app.ui.elements.message_card import MessageCard
from app.ui.elements.system_opener import Opener
from app.ui.intake import local_paths
from app.ui.models.folders_box import FoldersBox
from app.ui.models.installed_controller import InstalledController, model_paths
from app.ui.models.installed_details import InstalledDetails
from app.ui.models.parts import Page, card, push_button
from app.ui.models.row_list import RowList
from app.ui.models.words import counted, size_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_S


class InstalledPane(Page):
    """List and details, other programs' folders below; files can be dropped here.

    Signals:
        catalogue_requested: show the catalogue.
        settings_requested: ModelEntry whose settings are wanted.
    """

    catalogue_requested = Signal()
    settings_requested = Signal(object)

    def __init__(self, controller: InstalledController, opener: Opener, theme: Theme) -> None:
        """Show what `controller` keeps."""
        super().__init__(
            self.tr("Installed models"),
            self.tr(
                "Everything here runs on this computer. Drop a model file (.gguf, .bin) to use it in place."
            ),
            theme,
        )
        self._controller, self._opener = controller, opener
        self.setAcceptDrops(True)
        self.import_button = push_button(self.tr("&Import…"), theme, "add-file")
        self.folder_button = push_button(self.tr("Use a folder…"), theme, "add-folder")
        self.add_button(self.import_button)
        self.add_button(self.folder_button)
        self.list = RowList(controller.models, theme, self.tr("Installed models"))
        self.details = InstalledDetails(theme)
        self.folders = FoldersBox(theme)
        self.empty = MessageCard(theme)
        self.count = QLabel()
        set_role(self.count, "faint")
        self._lay_out()
        self._connect()
        self._say_loading()

    def _lay_out(self) -> None:
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setHandleWidth(SPACE_S)
        self._splitter.setStyleSheet("QSplitter::handle { background: transparent; }")
        self._splitter.setChildrenCollapsible(False)
        self._splitter.addWidget(card(self.list))
        self._splitter.addWidget(self.details)
        for index, stretch in enumerate((3, 4)):
            self._splitter.setStretchFactor(index, stretch)
        self._splitter.setSizes([380, 508])
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_S)
        column.addWidget(self._splitter, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.count)
        column.addLayout(foot)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(filled)
        self.body.addWidget(self._stack, 1)
        self.folders_card = card(self.folders)
        self.folders_card.hide()
        self.body.addWidget(self.folders_card)

    def _connect(self) -> None:
        controller = self._controller
        controller.changed.connect(self._on_changed)
        controller.list_failed.connect(self._on_list_failed)
        controller.folders_found.connect(self._on_folders_found)
        controller.imported.connect(self.list.choose)
        self.import_button.clicked.connect(controller.choose_files)
        self.folder_button.clicked.connect(controller.choose_folder)
        self.folders.use_requested.connect(self._on_use_requested)
        self.list.chosen.connect(self._on_chosen)
        self.list.opened.connect(self._on_opened)
        self.list.remove_requested.connect(self._on_remove_requested)
        self.list.menu_requested.connect(self._on_menu_requested)
        details = self.details
        details.load_requested.connect(controller.load_model)
        details.unload_requested.connect(controller.unload)
        details.cancel_requested.connect(controller.cancel_loading)
        details.default_requested.connect(controller.use_as_default)
        details.use_requested.connect(controller.use_for_sound)
        details.settings_requested.connect(self.settings_requested)
        details.folder_requested.connect(self._on_folder_requested)
        details.remove_requested.connect(controller.remove)

    def focus_first(self) -> None:
        """Put the keyboard on the list, or on what to do while it is empty."""
        buttons = self.empty.buttons
        (self.list if self._controller.models.items or not buttons else buttons[0]).setFocus()

    # --- what is shown

    def _say_loading(self) -> None:
        self.empty.say("model", self.tr("Looking for models…"))
        self._stack.setCurrentIndex(0)

    @Slot()
    def _on_changed(self) -> None:
        models = self._controller.models.items
        if not models:
            self.empty.say(
                "model",
                self.tr("No model is installed yet"),
                self.tr(
                    "A model writes the answers. The catalogue says which ones run well on this computer; "
                    "a file that you have already can be used where it is."
                ),
                (
                    (self.tr("Open the catalogue"), self.catalogue_requested.emit),
                    (self.tr("Import a file…"), self._controller.choose_files),
                ),
            )
            self._stack.setCurrentIndex(0)
            return
        self._stack.setCurrentIndex(1)
        count = counted(len(models), self.tr("1 model"), self.tr("{0} models"))
        words = self.tr("{0} · the models folder takes {1}")
        self.count.setText(words.format(count, size_words(self._controller.disk_bytes)))
        if self.list.current is None:
            self.list.choose(self._controller.default)
        if self.list.current is None:
            self.list.choose_first()
        self._show_details(self.list.current)

    @Slot(object)
    def _on_list_failed(self, error: AppError) -> None:
        if self._controller.models.items:
            self.banner.say_error(error)
            return
        title = self.tr("The models cannot be shown")
        self.empty.say_error(title, error, ((self.tr("Try again"), self._controller.load),))
        self._stack.setCurrentIndex(0)

    def _show_details(self, model: ModelEntry | None) -> None:
        self.details.setVisible(model is not None)
        if model is not None:
            self.details.show_model(
                model,
                is_default=self._controller.is_in_use(model),
                progress=self._controller.progress(model.name),
                note=self._controller.note(model.name),
            )

    @Slot(object)
    def _on_folders_found(self, found: FoundFolders) -> None:
        self.folders.show_folders(found)
        self.folders_card.setVisible(bool(found.folders))

    # --- wishes

    @Slot(object)
    def _on_chosen(self, model: ModelEntry | None) -> None:
        self._show_details(model)

    @Slot(object)
    def _on_opened(self, model: ModelEntry) -> None:
        """Load what lies there; show the settings of what is loaded."""
        if model.kind != "chat":
            return
        if model.state == "available":
            self._controller.load_model(model)
        elif model.state == "loaded":
            self.settings_requested.emit(model)

    @Slot(object)
    def _on_remove_requested(self, model: ModelEntry) -> None:
        if model.source != "bundled":
            self._controller.remove(model)

    @Slot(object)
    def _on_folder_requested(self, model: ModelEntry) -> None:
        if not self._opener.show_in_folder(model.path):
            self.banner.say("warning", self.tr("The folder cannot be shown here: {0}").format(model.path))

    @Slot(object, bool)
    def _on_use_requested(self, folder: FoundFolder, use: bool) -> None:
        self._controller.use_folder(folder, use=use)

    @Slot(object, QPoint)
    def _on_menu_requested(self, _model: ModelEntry, place: QPoint) -> None:
        self.menu().popup(place)

    def menu(self) -> QMenu:
        """Make a menu of what can be done with the chosen model: the buttons that can be clicked."""
        details = self.details
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for button in (
            details.load_button,
            details.unload_button,
            details.cancel_button,
            details.default_button,
            details.use_button,
            details.settings_button,
            details.folder_button,
            details.remove_button,
        ):
            if not button.isHidden() and button.isEnabled():
                menu.addAction(button.text()).triggered.connect(button.click)
        return menu

    # Qt overrides

    def dragEnterEvent(self, event: QDragEnterEvent, /) -> None:
        """Take model files."""
        if model_paths(local_paths(event.mimeData())):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent, /) -> None:
        """Use what was dropped."""
        paths = model_paths(local_paths(event.mimeData()))
        if paths:
            event.acceptProposedAction()
            self._controller.import_files(paths)
