"""Keeps the window about models and joins its pages."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.protocol.downloads import Download, DownloadList
from app.protocol.models import ModelEntry
from app.protocol.system import Notice
from app.ui.elements.system_opener import Opener, SystemOpener
from app.ui.models.catalogue_controller import CatalogueController
from app.ui.models.catalogue_pane import CataloguePane
from app.ui.models.downloads_controller import DownloadsController
from app.ui.models.downloads_pane import DownloadsPane
from app.ui.models.hub_status import HubStatusController
from app.ui.models.installed_controller import InstalledController
from app.ui.models.installed_pane import InstalledPane
from app.ui.models.parts import Page
from app.ui.models.questions import ModelQuestions, QtModelQuestions
from app.ui.models.search_controller import SearchController
from app.ui.models.search_pane import SearchPane
from app.ui.models.settings_controller import ModelSettingsController
from app.ui.models.window import ModelsWindow
from app.ui.models.words import counted
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme

INSTALLED, CATALOGUE, SEARCH, DOWNLOADS = "installed", "catalogue", "search", "downloads"
NETWORK = "network"


class ModelsController(QObject):
    """The one window about models; it is kept while it is closed, so that nothing is lost from view.

    Nothing is asked of the host before the window is first opened, except what `import_files` and
    `open_settings` need.

    Attributes:
        window: the window.
        installed, catalogue, search, downloads, settings: what stands behind its pages.

    Signals:
        opened: the window was shown.
        closed: the user closed it.
        running_changed: how many downloads run or wait (int), for a badge elsewhere.
        model_imported: name of a model that can be used from now on.
    """

    opened = Signal()
    closed = Signal()
    running_changed = Signal(int)
    model_imported = Signal(str)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        theme: Theme,
        questions: ModelQuestions | None,
        parent: QWidget | None = None,
        opener: Opener | None = None,
    ) -> None:
        """Build the window, hidden; None asks and opens through the system's own dialogs and programs."""
        super().__init__(parent)
        self.window = ModelsWindow(theme, parent)
        asks = questions or QtModelQuestions(self.window, theme)
        self._hub = HubStatusController(session, tasks, self)
        self.installed = InstalledController(session, tasks, asks, self)
        self.catalogue = CatalogueController(session, tasks, self)
        self.search = SearchController(session, tasks, self)
        self.downloads = DownloadsController(session, tasks, asks, self)
        self.settings = ModelSettingsController(session, tasks, asks, theme, self.window, self)
        self.installed_pane = InstalledPane(self.installed, opener or SystemOpener(), theme)
        self.catalogue_pane = CataloguePane(self.catalogue, theme)
        self.search_pane = SearchPane(self.search, theme)
        self.downloads_pane = DownloadsPane(self.downloads, theme)
        self._was_opened = False
        self._add_pages()
        self._connect(session)

    def _add_pages(self) -> None:
        for key, title, icon_name, pane in (
            (INSTALLED, self.tr("Installed"), "model", self.installed_pane),
            (CATALOGUE, self.tr("Catalogue"), "catalogue", self.catalogue_pane),
            (SEARCH, self.tr("Search"), "search", self.search_pane),
            (DOWNLOADS, self.tr("Downloads"), "download", self.downloads_pane),
        ):
            self.window.add_page(key, title, icon_name, pane)

    def _connect(self, session: Session) -> None:
        session.connected.connect(self._on_connected)
        self._hub.changed.connect(self.search_pane.show_hub)
        self._hub.changed.connect(self.catalogue_pane.details.show_hub)
        for asker in (self.installed, self.catalogue, self.search, self.downloads, self.settings, self._hub):
            asker.failed.connect(self._on_failed)
        self.installed.told.connect(self._on_told)
        self.installed.imported.connect(self.model_imported)
        self.installed.changed.connect(self._on_models_changed)
        self.installed_pane.catalogue_requested.connect(self._on_catalogue_requested)
        self.installed_pane.settings_requested.connect(self._on_settings_requested)
        self.downloads_pane.catalogue_requested.connect(self._on_catalogue_requested)
        self.downloads_pane.model_requested.connect(self.show_model)
        for pane in (self.catalogue_pane, self.search_pane):
            pane.installed_requested.connect(self.show_model)
            pane.downloads_requested.connect(self._on_downloads_requested)
            pane.token_requested.connect(self._on_network_requested)
        self.search_pane.network_requested.connect(self._on_network_requested)
        for offers in (self.catalogue, self.search):
            offers.started.connect(self._on_started)
        self.downloads.changed.connect(self._on_downloads_changed)
        self.downloads.ended.connect(self._on_download_ended)
        self.window.page_shown.connect(self._on_page_shown)
        self.window.closed.connect(self.closed)

    # --- for the program's window

    def open(self, page: str = "") -> None:
        """Show the window, or bring it to the front.

        Args:
            page: `installed`, `catalogue`, `search`, `downloads`, or the key of an added page; empty: the
                one shown last.
        """
        first = not self._was_opened
        self._was_opened = True
        before = self.window.current_key
        self.window.show_page(page or before or INSTALLED)
        if first:
            self._load()
        elif self.window.current_key == before:
            self._on_page_shown(before)
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()
        self.window.focus_page()
        self.opened.emit()

    def add_page(self, key: str, title: str, icon_name: str, widget: QWidget) -> None:
        """Add a page of another part of the program, below the others."""
        self.window.add_page(key, title, icon_name, widget)

    def import_files(self, paths: Sequence[str]) -> None:
        """Use model files where they are, and show them."""
        self.open(INSTALLED)
        self.installed.import_files(paths)

    @Slot(str)
    def show_model(self, name: str) -> None:
        """Show a model on the page of installed ones."""
        self.open(INSTALLED)
        self.installed_pane.list.choose(name)

    @Slot(str)
    def open_settings(self, name: str) -> None:
        """Show a model's settings."""
        self.open(INSTALLED)
        self.settings.open(name)

    @Slot()
    def close(self) -> None:
        """Put the window away, for the program's end."""
        self.window.close()

    # --- loading

    def _load(self) -> None:
        self.installed.load()
        self.installed.find_folders()
        self.catalogue.load()
        self.downloads.load()
        self._hub.load()

    @Slot()
    def _on_connected(self) -> None:
        """Ask anew: another host sends no history."""
        if self._was_opened:
            self._load()

    @Slot(str)
    def _on_page_shown(self, key: str) -> None:
        """Refresh what goes stale unseen: free memory, and the network's switch."""
        if not self.window.isVisible():
            return
        if key == INSTALLED:
            self.installed.load()
            self.installed.find_folders()
        elif key in (CATALOGUE, SEARCH):
            self._hub.load()
            if key == CATALOGUE:
                self.catalogue.load()

    # --- what the pages want of each other

    @Slot()
    def _on_models_changed(self) -> None:
        self.settings.set_models([model for model in self.installed.models.items if model.kind == "chat"])

    @Slot(object)
    def _on_settings_requested(self, model: ModelEntry) -> None:
        self.settings.open(model.name, model)

    @Slot()
    def _on_catalogue_requested(self) -> None:
        self.open(CATALOGUE)

    @Slot()
    def _on_downloads_requested(self) -> None:
        self.open(DOWNLOADS)

    @Slot()
    def _on_network_requested(self) -> None:
        self.open(NETWORK)

    @Slot(object)
    def _on_started(self, started: DownloadList) -> None:
        self.downloads.add(started)
        if started.downloads:
            words = self.tr("{0} is being downloaded.").format(started.downloads[0].title)
            notice = Notice(severity="info", code="", message=words)
            self.window.toasts.show_notice(notice, self.tr("Show"), self._on_downloads_requested)

    @Slot()
    def _on_downloads_changed(self) -> None:
        number = self.downloads.n_running
        words = counted(number, self.tr("1 is running"), self.tr("{0} are running"))
        self.window.navigation.set_badge(DOWNLOADS, number, words)
        for pane in (self.catalogue_pane, self.search_pane):
            pane.details.show_downloads(self.downloads.oldest_first)
        self.running_changed.emit(number)

    @Slot(object)
    def _on_download_ended(self, download: Download) -> None:
        if download.state == "done":
            self.installed.load()
            self.catalogue.load()
            self.search.mark_installed(download)

    # --- what is told

    @Slot(object)
    def _on_failed(self, error: AppError) -> None:
        page = self.window.page(self.window.current_key)
        if isinstance(page, Page) and self.window.isVisible():
            page.banner.say_error(error)
        else:
            notice = Notice(severity="error", code=error.code, message=error.user_message, hint=error.hint)
            self.window.toasts.show_notice(notice)

    @Slot(str)
    def _on_told(self, words: str) -> None:
        self.window.toasts.show_notice(Notice(severity="info", code="", message=words))
