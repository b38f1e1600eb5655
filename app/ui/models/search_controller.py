"""Searching the hub: connections are opened only for what the user asks."""

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.core.errors import AppError
from app.protocol.catalogue import CatalogueList, CatalogueModel, ListHubFiles, SearchHub
from app.protocol.downloads import Download
from app.ui.models.catalogue_controller import OfferController
from app.ui.models.offers import with_installed
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

_CHOICE_PAUSE_MS = 350  # walking through the results with the arrow keys asks for the last one only


class SearchController(OfferController):
    """Keeps the results of the last search, and the files of those that were looked at.

    Signals:
        searching: text of a search that began (str).
        found: CatalogueList.
        search_failed: AppError.
        files_asked: CatalogueModel whose files are being asked for.
        files_ready: CatalogueModel with its files.
        files_failed: CatalogueModel and AppError.
    """

    searching = Signal(str)
    found = Signal(object)
    search_failed = Signal(object)
    files_asked = Signal(object)
    files_ready = Signal(object)
    files_failed = Signal(object, object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Start without results."""
        super().__init__(session, tasks, parent)
        self._files: dict[str, CatalogueModel] = {}
        self._wanted: CatalogueModel | None = None
        self._timer = QTimer(self, singleShot=True, interval=_CHOICE_PAUSE_MS)
        self._timer.timeout.connect(self._ask_files)

    def search(self, text: str) -> None:
        """Search for a text; blank text asks for nothing."""
        if not (wanted := text.strip()):
            return
        self._timer.stop()
        self.drop("files")
        self._files.clear()
        self.searching.emit(wanted)
        self.ask_latest("search", SearchHub(text=wanted), self._on_found, self.search_failed.emit)

    @Slot()
    def cancel(self) -> None:
        """End the search that runs."""
        self.drop("search")

    def _on_found(self, results: CatalogueList) -> None:
        self.offers.show(results.models)
        self.found.emit(results)

    def look_at(self, offer: CatalogueModel) -> None:
        """Show the files of a result, asking for them where they are not known yet."""
        self._timer.stop()
        self.drop("files")
        self._wanted = offer
        if offer.id in self._files:
            self.files_ready.emit(self._files[offer.id])
        else:
            self.files_asked.emit(offer)
            self._timer.start()

    @Slot()
    def _ask_files(self) -> None:
        offer = self._wanted
        if offer is None:
            return

        def take(found: CatalogueModel) -> None:
            self._files[offer.id] = found
            self.files_ready.emit(found)

        def fail(error: AppError) -> None:
            self.files_failed.emit(offer, error)

        request = ListHubFiles(repository=offer.repository, revision=offer.revision)
        self.ask_latest("files", request, take, fail)

    def mark_installed(self, download: Download) -> None:
        """Note a file that is here now; nothing is asked of the hub for that."""
        for key, offer in self._files.items():
            if offer.repository == download.repository:
                self._files[key] = with_installed(offer, download)
                if self._wanted is not None and self._wanted.id == key:
                    self.files_ready.emit(self._files[key])
