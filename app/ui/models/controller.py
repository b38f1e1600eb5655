"""Keeps the window about models and joins its pages."""

from collections.abc import Sequence
from dataclasses import dataclass

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

    Nothing is built or asked of the host before the window is first wanted, except that the downloads are
    followed from the beginning.

    Attributes:
        installed, catalogue, search, downloads, settings: what stands behind the pages.

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
        """Prepare; None asks and opens through the system's own dialogs and programs."""
        super().__init__(parent)
        self._theme, self._over, self._opener = theme, parent, opener or SystemOpener()
        asks = questions or QtModelQuestions(self._window_for_questions, theme)
        self._hub = HubStatusController(session, tasks, self)
        self.installed = InstalledController(session, tasks, asks, self)
        self.catalogue = CatalogueController(session, tasks, self)
        self.search = SearchController(session, tasks, self)
        self.downloads = DownloadsController(session, tasks, asks, self)
        self.settings = ModelSettingsController(session, tasks, asks, theme, self._window_for_questions, self)
        self._pages: ModelPages | None = None
        self._added: list[tuple[str, str, str, QWidget]] = []
        self._was_opened = False
        session.connected.connect(self._on_connected)
        for asker in (self.installed, self.catalogue, self.search, self.downloads, self.settings, self._hub):
            asker.failed.connect(self._on_failed)
        self.installed.told.connect(self._on_told)
        self.installed.imported.connect(self.model_imported)
        self.installed.changed.connect(self._on_models_changed)
        for offers in (self.catalogue, self.search):
            offers.started.connect(self._on_started)
        self.downloads.changed.connect(self._on_downloads_changed)
        self.downloads.ended.connect(self._on_download_ended)

    @property
    def pages(self) -> "ModelPages":
        """The window's pages; built when they are first wanted."""
        if self._pages is None:
            self._pages = self._new_pages()
        return self._pages

    @property
    def window(self) -> ModelsWindow:
        """The window; built when it is first wanted."""
        return self.pages.window

    def _window_for_questions(self) -> QWidget:
        return self.window

    def _new_pages(self) -> "ModelPages":
        pages = ModelPages(
            window=ModelsWindow(self._theme, self._over),
            installed=InstalledPane(self.installed, self._opener, self._theme),
            catalogue=CataloguePane(self.catalogue, self._theme),
            search=SearchPane(self.search, self._theme),
            downloads=DownloadsPane(self.downloads, self._theme),
        )
        for key, title, icon_name, pane in (
            (INSTALLED, self.tr("Installed"), "model", pages.installed),
            (CATALOGUE, self.tr("Catalogue"), "catalogue", pages.catalogue),
            (SEARCH, self.tr("Search"), "search", pages.search),
            (DOWNLOADS, self.tr("Downloads"), "download", pages.downloads),
            *self._added,
        ):
            pages.window.add_page(key, title, icon_name, pane)
        self._join(pages)
        return pages

    def _join(self, pages: "ModelPages") -> None:
        self._hub.changed.connect(pages.search.show_hub)
        self._hub.changed.connect(pages.catalogue.details.show_hub)
        pages.installed.catalogue_requested.connect(self._on_catalogue_requested)
        pages.installed.settings_requested.connect(self._on_settings_requested)
        pages.downloads.catalogue_requested.connect(self._on_catalogue_requested)
        pages.downloads.model_requested.connect(self.show_model)
        for pane in (pages.catalogue, pages.search):
            pane.installed_requested.connect(self.show_model)
            pane.downloads_requested.connect(self._on_downloads_requested)
            pane.token_requested.connect(self._on_network_requested)
        pages.search.network_requested.connect(self._on_network_requested)
        pages.window.page_shown.connect(self._on_page_shown)
        pages.window.closed.connect(self.closed)

    # --- for the program's window

    def open(self, page: str = "") -> None:
        """Show the window, or bring it to the front.

        Args:
            page: `installed`, `catalogue`, `search`, `downloads`, or the key of an added page; empty: the
                one shown last.
        """
        first, window = not self._was_opened, self.window
        self._was_opened = True
        before = window.current_key
        window.show_page(page or before or INSTALLED)
        if first:
            self._load()
        elif window.current_key == before:
            self._on_page_shown(before)
        window.show()
        window.raise_()
        window.activateWindow()
        window.focus_page()
        self.opened.emit()

    def add_page(self, key: str, title: str, icon_name: str, widget: QWidget) -> None:
        """Add a page of another part of the program, below the others."""
        self._added.append((key, title, icon_name, widget))
        if self._pages is not None:
            self._pages.window.add_page(key, title, icon_name, widget)

    def import_files(self, paths: Sequence[str]) -> None:
        """Use model files where they are, and show them."""
        self.open(INSTALLED)
        self.installed.import_files(paths)

    @Slot(str)
    def show_model(self, name: str) -> None:
        """Show a model on the page of installed ones."""
        self.open(INSTALLED)
        self.pages.installed.list.choose(name)

    @Slot(str)
    def open_settings(self, name: str) -> None:
        """Show a model's settings."""
        self.open(INSTALLED)
        self.settings.open(name)

    @Slot()
    def close(self) -> None:
        """Put the window away, for the program's end."""
        if self._pages is not None:
            self._pages.window.close()

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
        if self._pages is not None:
            words = counted(number, self.tr("1 is running"), self.tr("{0} are running"))
            self.window.navigation.set_badge(DOWNLOADS, number, words)
            for pane in (self.pages.catalogue, self.pages.search):
                pane.details.show_downloads(self.downloads.oldest_first)
        self.running_changed.emit(number)

    @Slot(object)
    def _on_download_ended(self, download: Download) -> None:
        if download.state == "done" and self._was_opened:
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


@dataclass(frozen=True)
class ModelPages:
    """The window and its pages."""

    window: ModelsWindow
    installed: InstalledPane
    catalogue: CataloguePane
    search: SearchPane
    downloads: DownloadsPane
