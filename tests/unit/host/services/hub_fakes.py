"""The misbehaving hub of the drills, and services around it in this process."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from app.core.settings import Settings
from app.host.services.download_store import DownloadStore
from app.host.services.downloads import DownloadsService
from app.host.services.hub import Hub, Patience
from app.host.services.network import Ledger, Network, Timeouts
from app.host.services.network.access_token import AccessToken
from app.host.services.transfer import Limits
from app.host.services.transfer_pace import Disk
from app.protocol.body import Body, Request
from app.protocol.catalogue import CatalogueModel
from app.protocol.downloads import Download, ListDownloads, StartDownload
from scripts.faults.hub_stand_in import HubStandIn
from tests.unit.host.conftest import Context, Recorder, until

R = TypeVar("R", bound=Body)
QUICK = Limits(
    stall_s=0.3,
    slow_window_s=0.5,
    slow_bytes=4096,
    backoff_s=(0.02,),
    n_failures=3,
    progress_bytes=50_000,
    room_poll_s=0.05,
)
ENDED = frozenset({"done", "failed", "paused"})


@dataclass
class MemorySettings:
    """Settings that a test changes."""

    value: Settings = field(default_factory=Settings)

    def current(self) -> Settings:
        return self.value

    def set(self, **values: Any) -> None:
        self.value = self.value.model_copy(update=values)


@contextmanager
def stand_in() -> Iterator[HubStandIn]:
    with HubStandIn() as hub:
        yield hub


@dataclass
class Place:
    """A data folder with its network, hub and downloads."""

    root: Path
    hub_server: HubStandIn
    events: Recorder = field(default_factory=Recorder)
    settings: MemorySettings = field(default_factory=MemorySettings)
    catalogue: dict[str, CatalogueModel] = field(default_factory=dict)
    disk: Disk = field(default_factory=lambda: Disk(10**12, 10**12))
    limits: Limits = QUICK
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(0.5, 0.5, 10.0))
    patience: Patience = field(default_factory=lambda: Patience(10.0, 10.0))

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.models_dir = self.root / "models"
        self.settings.set(hub_endpoint=self.hub_server.endpoint)
        self.token = AccessToken(lambda: None)
        self.ledger = Ledger(self.root / "network.jsonl")
        self.network = Network(self.ledger, self.settings.current, self.events, self.timeouts)
        self.hub = Hub(self.network, self.token, self.settings, self.patience)
        self.store = DownloadStore(self.models_dir)

    def look(self, folder: Path) -> Disk:
        return self.disk

    @asynccontextmanager
    async def downloads(self) -> AsyncIterator["Served"]:
        """Run the service, as between a start and an end of the host."""
        service = DownloadsService(
            self.models_dir,
            self.hub,
            self.catalogue.get,
            self.settings,
            self.events,
            self.limits,
            self.look,
        )
        await service.open()
        try:
            yield Served(service)
        finally:
            await service.close()

    def visible(self) -> list[str]:
        """Give what a search for models finds."""
        found = [path for path in self.models_dir.rglob("*") if path.is_file()]
        names = [str(path.relative_to(self.models_dir)) for path in found if ".downloads" not in path.parts]
        return sorted(name for name in names if name != ".verified.json")


@dataclass
class Served:
    """A running service of downloads."""

    service: DownloadsService

    async def call(self, request: Request[R]) -> R:
        result = await self.service.handlers()[type(request)](request, Context())
        assert isinstance(result, request.RESULT)
        return cast(R, result)

    async def list(self) -> tuple[Download, ...]:
        return (await self.call(ListDownloads())).downloads

    async def start(self, model: str, file: str = "", revision: str = "") -> tuple[Download, ...]:
        return (await self.call(StartDownload(model=model, file=file, revision=revision))).downloads

    async def wait(self, *states: str) -> tuple[Download, ...]:
        """Wait until every download is in one of these states; else in one that ends it."""
        wanted = frozenset(states) or ENDED
        await until(lambda: bool(self.states()) and self.states() <= wanted)
        return await self.list()

    def states(self) -> set[str]:
        from app.host.services.download_events import body_of

        return {body_of(job).state for job in self.service._jobs.values()}
