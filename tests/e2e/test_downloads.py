"""Downloads with the real host process: they outlive front ends and kills, and obey the switch."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.client import HostClient
from app.core.paths import DataPaths
from app.protocol.downloads import Download, ListDownloads, ResumeDownload, StartDownload
from app.protocol.network import GetNetwork, SetHubToken
from app.protocol.system import UpdateSettings
from scripts.faults.hub_stand_in import HubStandIn, gguf_bytes

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILE = "tiny-Q4_K_M.gguf"
DATA = gguf_bytes(5_000_000, seed=1)
SHA256 = hashlib.sha256(DATA).hexdigest()
CANARY = "hf_canary_e2e_20260101"


@pytest.fixture
def hub() -> Iterator[HubStandIn]:
    with HubStandIn() as hub:
        hub.add("some/tiny", {FILE: DATA}, seconds=2.0)
        yield hub


@pytest.fixture
async def served(paths: DataPaths, hub: HubStandIn) -> AsyncIterator[DataPaths]:
    """A data folder whose settings name the hub; its host is ended."""
    paths.root.mkdir()
    paths.settings_path.write_text(json.dumps({"hub_endpoint": hub.endpoint}))
    yield paths
    for process in psutil.process_iter(["cmdline"]):
        argv = process.info["cmdline"] or []
        if "app.host" in argv and str(paths.root) in argv:
            process.terminate()
            await asyncio.to_thread(process.wait, 15)


async def until(client: HostClient, condition: Callable[[Download], bool]) -> Download:
    for _ in range(600):
        listed = (await client.call(ListDownloads())).downloads
        if listed and condition(listed[-1]):
            return listed[-1]
        await asyncio.sleep(0.05)
    raise AssertionError("waited in vain")


async def test_a_download_outlives_the_host(served: DataPaths, hub: HubStandIn) -> None:
    client = await HostClient.connect(served, "cli")
    await client.call(StartDownload(model="some/tiny", file=FILE))
    kept = await until(client, lambda item: item.done_bytes > 500_000)
    os.kill(client.hello.pid, signal.SIGKILL)
    await client.wait_closed()
    await client.close()
    assert not (served.models_dir / FILE).exists()
    client = await HostClient.connect(served, "cli")
    await client.close()  # nobody looks, and the host goes on until it is done
    for _ in range(600):
        if (served.models_dir / FILE).exists():
            break
        await asyncio.sleep(0.05)
    assert hashlib.sha256((served.models_dir / FILE).read_bytes()).hexdigest() == SHA256
    ranges = [seen.headers.get("range", "") for seen in hub.requests if seen.server == "storage"]
    assert kept.done_bytes and ranges[0] == "" and ranges[-1].startswith("bytes=")


async def test_the_switch_and_the_ledger(served: DataPaths, hub: HubStandIn) -> None:
    client = await HostClient.connect(served, "cli")
    try:
        status = await client.call(SetHubToken(token=CANARY))
        assert status.has_token
        await client.call(StartDownload(model="some/tiny", file=FILE))
        await until(client, lambda item: item.done_bytes > 100_000)
        await client.call(UpdateSettings(values={"offline": True}))
        paused = await until(client, lambda item: item.state == "paused")
        assert paused.error_code == "network.off"
        n_requests = len(hub.requests)
        shown = await asyncio.to_thread(_network, served, "--json")
        assert shown["offline"] and shown["n_received_bytes"] > 100_000
        assert any("tiny-Q4_K_M.gguf" in entry["why"] for entry in shown["entries"])
        assert len(hub.requests) == n_requests
        assert not (await asyncio.to_thread(_network, served, "on", "--json"))["offline"]
        await client.call(ResumeDownload())
        await until(client, lambda item: item.state == "done")
        assert not (await client.call(GetNetwork())).offline
        await client.call(SetHubToken(token=""))
    finally:
        await client.close()
    _assert_nowhere(CANARY.encode(), served.root)
    _assert_nowhere(b"X-Signed", served.logs_dir)
    assert all("authorization" not in seen.headers for seen in hub.requests if seen.server == "storage")


def _network(paths: DataPaths, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "app.cli", "--data-dir", str(paths.root), "network", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def _assert_nowhere(secret: bytes, folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            assert secret not in path.read_bytes(), path
