"""Wires the services of the host to each other, in one place.

Imported while the library worker starts: this brings in the libraries that take time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.paths import DataPaths
from app.host.services.answering import Ports
from app.host.services.chat import ChatService
from app.host.services.chats import Chats
from app.host.services.conversations import ConversationsService
from app.host.services.doctor import DoctorService
from app.host.services.downloads import DownloadsService
from app.host.services.engine import EngineService
from app.host.services.hardware import HardwareService
from app.host.services.hub import Hub, HubService
from app.host.services.library import LibraryService
from app.host.services.models import ModelsService
from app.host.services.network import Ledger, Network
from app.host.services.network.access_token import AccessToken
from app.host.services.network.service import NetworkService
from app.host.services.pages import PagesService
from app.host.services.ports import Events, Handler, Service
from app.host.services.settings import SettingsService
from app.host.supervision import Worker
from app.protocol.body import Body


@dataclass(frozen=True)
class Services:
    """The services that others than front ends use.

    Attributes:
        handlers: of all requests of front ends, except those about the library and the host itself.
    """

    handlers: Mapping[type[Body], Handler]
    settings: SettingsService
    chats: Chats
    downloads: DownloadsService

    async def open(self) -> None:
        """Go on with what the end of the program before broke off."""
        await self.downloads.open()

    def is_busy(self) -> bool:
        """Whether work runs that the end of the host would break off."""
        return self.downloads.is_busy()

    async def close(self) -> None:
        """Finish what is still to be written."""
        await self.downloads.close()
        await self.chats.close()


def wire(
    paths: DataPaths,
    models_dir: Path,
    workers: Mapping[str, Worker],
    library: LibraryService,
    events: Events,
) -> Services:
    """Make the services; nothing is opened or started.

    Args:
        paths: the data folder.
        models_dir: the starter models, a read-only root.
        workers: by kind.
        library: the service in front of the library worker.
        events: where services publish.
    """
    settings = SettingsService(paths.settings_path, events)
    engine = EngineService(workers["inference"])
    models = ModelsService((models_dir / "chat", paths.models_dir), engine, settings, events)
    chats = Chats(paths.chats_db_path, paths.backups_dir, events)
    network = Network(Ledger(paths.network_ledger_path), settings.current, events)
    token = AccessToken()
    hub = Hub(network, token, settings)
    downloads = DownloadsService(paths.models_dir, hub, lambda _: None, settings, events)
    services: tuple[Service, ...] = (
        ConversationsService(chats, events),
        ChatService(Ports(library, engine, models, settings), chats, events),
        settings,
        models,
        NetworkService(network, token, settings),
        HubService(hub),
        downloads,
        PagesService(library, workers["render"]),
        HardwareService(paths),
        DoctorService(paths, library, engine, models, workers, [lambda: [settings.check()], chats.check]),
    )
    handlers: dict[type[Body], Handler] = {}
    for service in services:
        handlers |= service.handlers()
    return Services(handlers, settings, chats, downloads)
