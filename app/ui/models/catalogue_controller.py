"""The catalogue that came with the program: what the page asks the host for."""

from PySide6.QtCore import QObject, Signal, Slot

from app.protocol.catalogue import CatalogueList, CatalogueModel, ListCatalogue
from app.protocol.downloads import DownloadList, StartDownload
from app.ui.models.offers import OfferFilter, grouped, offer_look
from app.ui.models.requests import Asker
from app.ui.models.row_model import RowModel
from app.ui.session import Session
from app.ui.tasks import TaskSpawner


class OfferController(Asker):
    """Base of what offers models: it can start downloads.

    Signals:
        started: DownloadList; downloads were queued.
    """

    started = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Keep rows of CatalogueModel."""
        super().__init__(session, tasks, parent)
        self.offers = RowModel(lambda offer: offer.id, offer_look, self)

    def download(self, offer: CatalogueModel, file: str) -> None:
        """Queue the download of a file."""
        request = StartDownload(model=offer.id, file=file, revision=offer.revision)
        self.ask(request, self._on_started)

    def _on_started(self, downloads: DownloadList) -> None:
        self.started.emit(downloads)


class CatalogueController(OfferController):
    """Keeps the catalogue and shows the part of it that is wanted.

    Attributes:
        n_offers: in the whole catalogue.
        is_listed: the catalogue has come.

    Signals:
        changed: what is shown is other, or knows more.
        list_failed: AppError; the catalogue cannot be shown.
    """

    changed = Signal()
    list_failed = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Nothing is asked before `load`."""
        super().__init__(session, tasks, parent)
        self._all: tuple[CatalogueModel, ...] = ()
        self._filter = OfferFilter()
        self.is_listed = False
        session.models_changed.connect(self._on_models_changed)

    @property
    def n_offers(self) -> int:
        """How many models the catalogue has."""
        return len(self._all)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that the catalogue has, in its order."""
        return tuple(dict.fromkeys(offer.kind for offer in self._all))

    @Slot()
    def load(self) -> None:
        """Ask for the catalogue with advice for this computer."""
        self.ask_latest("catalogue", ListCatalogue(), self._take, self.list_failed.emit)

    def _take(self, listed: CatalogueList) -> None:
        self._all = listed.models
        self.is_listed = True
        self._show()

    def set_filter(self, wanted: OfferFilter) -> None:
        """Show other models."""
        self._filter = wanted
        self._show()

    def _show(self) -> None:
        self.offers.show(grouped(offer for offer in self._all if self._filter.admits(offer)))
        self.changed.emit()

    @Slot()
    def _on_models_changed(self) -> None:
        if self.is_listed:
            self.load()
