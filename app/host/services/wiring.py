"""Wires the services of the host to each other, in one place.

Imported while the library worker starts: this brings in the libraries that take time.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.paths import DataPaths, catalogue_path
from app.host.services.answer_queue import AnswerQueue
from app.host.services.answering import Ports
from app.host.services.catalogue import CatalogueService
from app.host.services.chat import ChatService
from app.host.services.chats import Chats
from app.host.services.conversations import ConversationsService
from app.host.services.doctor import DoctorService
from app.host.services.downloads import DownloadsService
from app.host.services.engine import EngineService
from app.host.services.fit import FitService
from app.host.services.hardware import HardwareService
from app.host.services.hub import Hub, HubService
from app.host.services.hub_fit import HubAdvisor
from app.host.services.images import ImagesService
from app.host.services.library import LibraryService
from app.host.services.model_bench import BenchService
from app.host.services.model_folders import Surroundings
from app.host.services.model_inspection import Inspector
from app.host.services.model_list import ModelListService
from app.host.services.model_loading import ModelLoader
from app.host.services.model_places import ModelPlaces
from app.host.services.model_settings import ModelSettingsStore
from app.host.services.models import ModelsService
from app.host.services.network import Ledger, Network
from app.host.services.network.access_token import AccessToken
from app.host.services.network.service import NetworkService
from app.host.services.pages import PagesService
from app.host.services.ports import Events, Handler, Service
from app.host.services.prompt_preview import PromptPreviewService
from app.host.services.settings import SettingsService
from app.host.services.voice import VoiceService
from app.host.supervision import Worker
from app.protocol.body import Body
from app.protocol.hardware import GetHardware


@dataclass(frozen=True)
class Services:
    """The services that others than front ends use.

    Attributes:
        handlers: of all requests of front ends, except those about the library and the host itself.
    """

    handlers: Mapping[type[Body], Handler]
    settings: SettingsService
    chats: Chats
    models: ModelsService
    downloads: DownloadsService
    voice: VoiceService

    async def open(self) -> None:
        """Go on with what the end of the program before broke off."""
        await self.downloads.open()
        self.voice.open()

    def is_busy(self) -> bool:
        """Whether work runs that the end of the host would break off."""
        return self.downloads.is_busy() or self.voice.is_busy()

    async def close(self) -> None:
        """Finish what is still to be written."""
        await self.voice.close()
        await self.models.close()
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
    engine, hardware = EngineService(workers["inference"]), HardwareService(paths)
    queue, models, catalogue, fit, model_services = _wire_models(
        paths, models_dir, engine, settings, hardware, events
    )
    settings.listen(models.on_settings)
    chats = Chats(paths.chats_db_path, paths.backups_dir, events, paths.images_dir, models.forget_snapshots)
    images = ImagesService(paths.images_dir, workers["render"])
    network, token = Network(Ledger(paths.network_ledger_path), settings.current, events), AccessToken()
    hub = Hub(network, token, settings)
    downloads = DownloadsService(paths.models_dir, hub, catalogue.find_now, settings, events)
    voice = VoiceService(paths, models_dir, workers, library, settings, events)
    checkers = [lambda: [settings.check()], chats.check]
    services: tuple[Service, ...] = (
        ConversationsService(chats, events),
        ChatService(Ports(library, engine, models, settings, images), chats, events, queue),
        images,
        settings,
        *model_services,
        NetworkService(network, token, settings),
        HubService(hub, HubAdvisor(hub, models, fit).advised),
        downloads,
        PagesService(library, workers["render"]),
        hardware,
        voice,
        DoctorService(paths, library, engine, models, workers, checkers, queue, [voice.checks]),
    )
    handlers: dict[type[Body], Handler] = {}
    for service in services:
        handlers |= service.handlers()
    return Services(handlers, settings, chats, models, downloads, voice)


def _wire_models(
    paths: DataPaths,
    models_dir: Path,
    engine: EngineService,
    settings: SettingsService,
    hardware: HardwareService,
    events: Events,
) -> tuple[AnswerQueue, ModelsService, CatalogueService, FitService, tuple[Service, ...]]:
    """Make the services about models; give the queue before the engine, list, catalogue, advice, and all."""
    queue, inspector = AnswerQueue(), Inspector()
    fit = FitService(hardware.handlers()[GetHardware], engine, queue, paths.calibration_path, events)
    store = ModelSettingsStore(paths.model_settings_path, settings)
    around = Surroundings(Path.home(), os.environ)
    sound_dirs = [models_dir / name for name in ("speech-to-text", "text-to-speech")]
    places = ModelPlaces(
        models_dir / "chat", paths.models_dir, paths.model_places_path, settings, around, sound_dirs
    )
    loader = ModelLoader(engine, queue, store, settings, inspector, fit, events, paths.kv_snapshots_dir)
    models = ModelsService(places, loader, inspector, store, fit, queue, settings, events)
    catalogue = CatalogueService(catalogue_path(), models, fit, inspector)
    services = (
        models,
        ModelListService(models, places, loader, inspector, store, events),
        catalogue,
        PromptPreviewService(engine, models.path_of),
        BenchService(models, engine, fit, queue),
    )
    return queue, models, catalogue, fit, services
