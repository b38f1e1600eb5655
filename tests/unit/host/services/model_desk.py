"""A models service over folders of a test and a fake engine, and small model files."""

import struct
from pathlib import Path
from typing import Any

from app.core.paths import DataPaths
from app.host.services.answer_queue import AnswerQueue
from app.host.services.engine import EngineService
from app.host.services.fit import FitService
from app.host.services.model_bench import BenchService
from app.host.services.model_folders import Surroundings
from app.host.services.model_inspection import Inspector
from app.host.services.model_list import ModelListService
from app.host.services.model_loading import ModelLoader
from app.host.services.model_places import ModelPlaces
from app.host.services.model_settings import ModelSettingsStore
from app.host.services.models import ModelsService
from app.host.services.ports import RequestContext
from app.host.services.settings import SettingsService
from app.host.supervision import Worker
from app.protocol.body import Body, Request
from app.protocol.hardware import Cpu, Engine, GetHardware, Gpu, Hardware, Memory
from app.protocol.models import ModelChanged, ModelEntry
from tests.unit.host.conftest import Context, Recorder

GPU = Gpu(
    name="Vulkan0",
    description="Card 7",
    memory_total_bytes=8 * 1024**3,
    memory_free_bytes=7 * 1024**3,
    backend="Vulkan",
)


def text(value: str) -> bytes:
    """Write a string as GGUF does."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(**metadata: Any) -> bytes:
    """Make a GGUF file without tensors; `general__type` stands for `general.type`."""
    body = b""
    for key, value in metadata.items():
        body += text(key.replace("__", "."))
        if isinstance(value, bool):
            body += struct.pack("<I?", 7, value)
        elif isinstance(value, int):
            body += struct.pack("<II", 4, value)
        else:
            body += struct.pack("<I", 8) + text(value)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(metadata)) + body


def shaped(n_layers: int = 2, n_weights: int = 32_768) -> bytes:
    """Make a GGUF file that a fit can be computed of: an embedding matrix of 32 × n_weights / 32 in F32."""
    keys = {
        "general__architecture": "llama",
        "llama__block_count": n_layers,
        "llama__embedding_length": 32,
        "llama__feed_forward_length": 64,
        "llama__attention__head_count": 1,
        "llama__context_length": 4096,
    }
    head = bytearray(gguf(**keys))
    head[8:16] = struct.pack("<Q", 1)
    head += text("token_embd.weight") + struct.pack("<IQQIQ", 2, 32, n_weights // 32, 0, 0)
    head += b"\0" * (-len(head) % 32)
    return bytes(head) + b"\0" * (4 * n_weights)


class RecordingEngine(EngineService):
    """Keeps what is sent to the worker."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self.sent: list[Body] = []

    def stream(self, request: Request[Any], payload: bytes = b"") -> Any:
        self.sent.append(request)
        return super().stream(request, payload)

    async def call(self, request: Request[Any]) -> Any:
        self.sent.append(request)
        return await super().call(request)

    def of(self, kind: type[Body]) -> list[Any]:
        return [body for body in self.sent if isinstance(body, kind)]


class ModelDesk:
    """A models service over three folders: the starter's, the data folder's and another one.

    Attributes:
        gpus: what the machine seems to have.
    """

    def __init__(
        self, tmp_path: Path, worker: Worker, events: Recorder, watch_period_s: float = 60.0
    ) -> None:
        self.home, self.other = tmp_path / "home", tmp_path / "other"
        self.starter = tmp_path / "starter"
        self.paths = DataPaths(tmp_path / "data")
        self.own = self.paths.models_dir
        for folder in (self.home, self.other, self.starter, self.own):
            folder.mkdir(parents=True)
        self.gpus: tuple[Gpu, ...] = ()
        self.cpu_name, self.n_probes = "Chip 9", 0
        self.worker, self.events = worker, events
        self.engine, self.queue = RecordingEngine(worker), AnswerQueue()
        self.settings = SettingsService(self.paths.settings_path, events)
        self.fit = FitService(self.hardware, self.engine, self.queue, self.paths.calibration_path, events)
        self.inspector = Inspector()
        self.store = ModelSettingsStore(self.paths.model_settings_path, self.settings)
        self.environ: dict[str, str] = {}
        around = Surroundings(self.home, self.environ, "linux")
        self.sounds = tuple(tmp_path / name for name in ("speech-to-text", "text-to-speech"))
        self.places = ModelPlaces(
            self.starter, self.own, self.paths.model_places_path, self.settings, around, self.sounds
        )
        self.loader = ModelLoader(
            self.engine,
            self.queue,
            self.store,
            self.settings,
            self.inspector,
            self.fit,
            events,
            self.paths.kv_snapshots_dir,
        )
        self.service = ModelsService(
            self.places,
            self.loader,
            self.inspector,
            self.store,
            self.fit,
            self.queue,
            self.settings,
            events,
            watch_period_s,
        )
        self.settings.listen(self.service.on_settings)
        self.list = ModelListService(
            self.service, self.places, self.loader, self.inspector, self.store, events
        )
        self.bench = BenchService(self.service, self.engine, self.fit, self.queue)

    async def hardware(self, request: GetHardware, context: RequestContext) -> Hardware:
        self.n_probes += 1
        return Hardware(
            cpu=Cpu(name=self.cpu_name, physical_cores=2, logical_cores=2),
            memory=Memory(total_bytes=16, available_bytes=8),
            gpus=self.gpus,
            gpu_note="",
            engine=Engine(),
            disk_free_bytes=1,
            disk_total_bytes=2,
        )

    def add(self, name: str, n_bytes: int = 1000, own: bool = True, data: bytes | None = None) -> Path:
        """Write a GGUF file."""
        path = (self.own if own else self.starter) / f"{name}.gguf"
        path.write_bytes((gguf() if data is None else data).ljust(n_bytes, b"\0"))
        return path

    async def entry(self, name: str) -> ModelEntry:
        return next(entry for entry in await self.service.entries() if entry.name == name)

    async def names(self) -> list[str]:
        return [entry.name for entry in await self.service.entries()]

    async def ask(self, request: Request[Any], context: Context | None = None) -> Any:
        """Send a request to whichever service answers it."""
        handlers = {**self.service.handlers(), **self.list.handlers(), **self.bench.handlers()}
        return await handlers[type(request)](request, context or Context())

    def changes(self) -> list[tuple[str, str, float | None]]:
        return [
            (event.model.name, event.model.state, event.progress)
            for event in self.events.bodies
            if isinstance(event, ModelChanged)
        ]
