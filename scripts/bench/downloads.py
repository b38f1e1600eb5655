"""How fast downloads come, what they cost the host's loop, and how soon the switch and the limit count.

The hub is the stand-in in a process of its own; the download service runs in this one, as in the host. Prints
one JSON object.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.settings import Settings
from app.host.services.downloads import DownloadsService
from app.host.services.hub import Hub
from app.host.services.network import Ledger, Network
from app.host.services.network.access_token import AccessToken
from app.protocol.body import Body
from app.protocol.downloads import CancelDownload, DownloadChanged, ListDownloads, StartDownload
from scripts.faults.program import TOP_DIR

REPOSITORY, FILE = "stand-in/tiny-Q4_K_M", "tiny-Q4_K_M.gguf"
STEP_S = 0.005


@dataclass
class Bench:
    """The service around settings in memory; counts its events.

    Attributes:
        lags: milliseconds that the loop was late, one a step.
    """

    settings: Settings
    n_events: int = 0
    lags: list[float] = field(default_factory=list)
    payload: bytes = b""

    def current(self) -> Settings:
        """Give the settings."""
        return self.settings

    def publish(self, body: Body) -> None:
        """Count an event."""
        self.n_events += isinstance(body, DownloadChanged)

    def forward(self, message: object) -> None:
        """Take no message."""

    def progress(self, body: Body, payload: bytes = b"") -> None:
        """Take no progress."""

    async def watch_loop(self) -> None:
        """Note how late each step of the loop comes."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(STEP_S)
            self.lags.append(1000 * (time.perf_counter() - before - STEP_S))


async def _state(service: DownloadsService, bench: Bench) -> Any:
    listed: Any = await service.handlers()[ListDownloads](ListDownloads(), bench)
    return listed.downloads[-1]


async def _until(service: DownloadsService, bench: Bench, *states: str) -> Any:
    while (item := await _state(service, bench)).state not in states:  # noqa: ASYNC110  # as a front end would
        await asyncio.sleep(0.01)
    return item


async def measure(endpoint: str, models_dir: Path, limit_kb_s: int) -> dict[str, Any]:
    """Run the measurements."""
    bench = Bench(Settings(hub_endpoint=endpoint))
    network = Network(Ledger(models_dir.parent / "network.jsonl"), bench.current, bench)
    hub = Hub(network, AccessToken(lambda: None), bench)
    service = DownloadsService(models_dir, hub, lambda _: None, bench, bench)
    await service.open()
    handlers, request = service.handlers(), StartDownload(model=REPOSITORY, file=FILE)
    idle = asyncio.create_task(bench.watch_loop())
    await asyncio.sleep(1.0)
    quiet, bench.lags = bench.lags, []
    started, cpu, bench.n_events = time.perf_counter(), time.process_time(), 0
    await handlers[StartDownload](request, bench)
    item = await _until(service, bench, "verifying", "failed")
    fetched, cpu = time.perf_counter() - started, time.process_time() - cpu
    fetching, bench.lags = bench.lags, []
    await _until(service, bench, "done", "failed")
    checked = time.perf_counter() - started - fetched
    result: dict[str, Any] = {
        "megabytes": round(item.total_bytes / 1e6),
        "fetched_mb_s": round(item.total_bytes / 1e6 / fetched, 1),
        "checked_mb_s": round(item.total_bytes / 1e6 / checked, 1),
        "cpu_share_while_fetching": round(cpu / fetched, 2),
        "events_per_s": round(bench.n_events / (fetched + checked), 1),
        "lag_ms": {
            "idle": _figures(quiet),
            "fetching": _figures(fetching),
            "checking": _figures(bench.lags),
        },
    }
    idle.cancel()
    await handlers[CancelDownload](CancelDownload(id=item.id), bench)
    (models_dir / FILE).unlink()
    result |= await _limit_and_switch(service, bench, limit_kb_s)
    await service.close()
    return result


async def _limit_and_switch(service: DownloadsService, bench: Bench, limit_kb_s: int) -> dict[str, Any]:
    """Measure the speed under a limit, the speed soon after it was lifted, and the time of the switch."""
    bench.settings = bench.settings.model_copy(update={"bandwidth_limit_kb_s": limit_kb_s})
    await service.handlers()[StartDownload](StartDownload(model=REPOSITORY, file=FILE), bench)
    await _until(service, bench, "running")
    before, started = (await _state(service, bench)).done_bytes, time.perf_counter()
    await asyncio.sleep(5.0)
    limited = ((await _state(service, bench)).done_bytes - before) / 1000 / (time.perf_counter() - started)
    bench.settings = bench.settings.model_copy(update={"offline": True})
    started = time.perf_counter()
    await _until(service, bench, "paused")
    return {
        "limit_kb_s": limit_kb_s,
        "measured_kb_s": round(limited, 1),
        "switch_ended_it_after_s": round(time.perf_counter() - started, 2),
    }


def _figures(lags: list[float]) -> dict[str, float]:
    ordered = sorted(lags)
    return {
        "median": round(statistics.median(ordered), 2),
        "p99": round(ordered[int(len(ordered) * 0.99)], 2),
        "max": round(ordered[-1], 2),
    }


def main() -> int:
    """Run the bench; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--limit-kb-s", type=int, default=2000)
    options = parser.parse_args()
    command = [sys.executable, "-m", "scripts.faults.hub_stand_in", "--megabytes", str(options.megabytes)]
    work_dir = Path(tempfile.mkdtemp(prefix="h2ogpt-bench-"))
    (work_dir / "models").mkdir()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TOP_DIR) as hub:
        assert hub.stdout is not None
        endpoint = ""
        while not endpoint and (line := hub.stdout.readline()):
            endpoint = line.split()[1] if line.startswith("hub:") else ""
        try:
            result = asyncio.run(measure(endpoint, work_dir / "models", options.limit_kb_s))
        finally:
            hub.terminate()
    shutil.rmtree(work_dir, ignore_errors=True)
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
