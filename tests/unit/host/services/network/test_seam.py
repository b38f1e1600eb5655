"""The one door to the world: switch, ledger, redirects, and what is sent."""

import asyncio
import contextlib
import json
import logging
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app import __version__
from app.core.errors import AppError, StorageError, UsageError
from app.core.settings import Settings
from app.host.services.network import Ledger, Network, NetworkError, Timeouts
from app.host.services.network.access_token import AccessToken
from app.host.services.network.service import NetworkService
from app.protocol.network import ClearLedger, GetNetwork, NetworkStatus, NetworkUsed, SetHubToken
from scripts.faults.hub_stand_in import Fault, HubStandIn
from tests.unit.host.conftest import Context, Recorder
from tests.unit.host.services.hub_fakes import MemorySettings, stand_in

FILE = "m.gguf"
TIMEOUTS = Timeouts(connect_s=0.5, read_s=0.5, head_s=10.0)


@pytest.fixture
def hub() -> Iterator[HubStandIn]:
    with stand_in() as hub:
        yield hub


@pytest.fixture
def settings() -> MemorySettings:
    return MemorySettings()


@pytest.fixture
def network(tmp_path: Path, settings: MemorySettings, events: Recorder) -> Network:
    return Network(Ledger(tmp_path / "network.jsonl"), settings.current, events, TIMEOUTS)


def url(hub: HubStandIn, name: str = "a/b") -> str:
    return f"{hub.endpoint}/{name}/resolve/main/{FILE}"


async def fetched(network: Network, address: str, token: str = "") -> bytes:
    data = bytearray()
    async with network.open_url(address, "test of a file", {"X-Test": "1"}, token) as answer:
        async for chunk in answer.chunks():
            data += chunk
    return bytes(data)


async def test_each_server_has_its_entry_and_the_token_stays_at_home(
    hub: HubStandIn, network: Network, events: Recorder
) -> None:
    hub.add("a/b", {FILE: b"x" * 100_001})
    assert await fetched(network, url(hub), "hf_secret") == b"x" * 100_001
    entries = await network.entries()
    assert [entry.outcome for entry in entries] == ["closed", "closed"]
    assert entries[0].host.startswith("127.0.0.1:") and entries[1].host.startswith("localhost:")
    assert entries[1].n_received_bytes == 100_001 and entries[1].n_sent_bytes > 100
    assert all(entry.why == "test of a file" and entry.seconds is not None for entry in entries)
    first, second = hub.requests
    assert first.headers["authorization"] == "Bearer hf_secret"
    assert second.server == "storage"
    assert second.headers == {
        "host": second.headers["host"],
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "user-agent": f"h2oGPT-Desktop/{__version__}",
        "x-test": "1",
    }
    used = [body for body in events.bodies if isinstance(body, NetworkUsed)]
    assert [(body.entry.outcome, body.n_open) for body in used] == [
        ("open", 1), ("closed", 0), ("open", 1), ("closed", 0)
    ]  # fmt: skip


async def test_no_cookie_is_kept_and_no_address_is_logged(
    hub: HubStandIn, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hub.add("a/b", {FILE: b"x"})
    await fetched(network, url(hub))
    assert FILE not in caplog.text and "X-Signed" not in caplog.text
    await fetched(network, url(hub))
    assert not [seen for seen in hub.requests if "cookie" in seen.headers]


async def test_the_line_is_written_before_the_connection_opens(
    hub: HubStandIn, network: Network, tmp_path: Path
) -> None:
    hub.add("a/b", {FILE: b"x"}, Fault("stall_at_once"))
    task = asyncio.create_task(fetched(network, url(hub)))
    while not [seen for seen in hub.requests if seen.server == "storage"]:
        await asyncio.sleep(0.01)
    lines = [json.loads(line) for line in (tmp_path / "network.jsonl").read_text().splitlines()]
    assert lines[-1]["outcome"] == "open"
    assert (await network.entries())[-1].outcome == "open"
    with pytest.raises(NetworkError, match=r"network\.failed"):
        await task
    assert (await network.entries())[-1].outcome == "failed"


async def test_nothing_is_opened_while_the_switch_is_off(
    hub: HubStandIn, network: Network, settings: MemorySettings, events: Recorder
) -> None:
    settings.set(offline=True)
    with pytest.raises(NetworkError, match=r"network\.off"):
        await fetched(network, url(hub))
    assert [entry.outcome for entry in await network.entries()] == ["refused"]
    assert not hub.requests and network.n_open == 0
    assert isinstance(events.bodies[-1], NetworkUsed)


async def test_the_switch_ends_open_connections(
    hub: HubStandIn, network: Network, settings: MemorySettings
) -> None:
    hub.add("a/b", {FILE: b"x" * 50_000}, Fault("stall", after=10))
    came = 0
    with pytest.raises(NetworkError, match=r"network\.off"):
        async with network.open_url(url(hub), "test") as answer:
            async for chunk in answer.chunks():
                came += len(chunk)
                settings.set(offline=True)
    last = (await network.entries())[-1]
    assert came == 10 and network.n_open == 0 and last.outcome == "failed" and last.n_received_bytes == 10


async def test_the_switch_counts_between_line_and_connection(
    hub: HubStandIn, tmp_path: Path, settings: MemorySettings, events: Recorder
) -> None:
    class Turning(Ledger):
        def open_entry(self, host: str, why: str):  # type: ignore[no-untyped-def]
            settings.set(offline=True)
            return super().open_entry(host, why)

    network = Network(Turning(tmp_path / "l"), settings.current, events)
    with pytest.raises(NetworkError, match=r"network\.off"):
        await fetched(network, url(hub))
    assert not hub.requests


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("redirect_to_http", "network.bad_redirect"),
        ("redirect_to_file", "network.bad_redirect"),
        ("redirect_loop", "network.bad_redirect"),
        ("redirect_to_share", "network.bad_redirect"),
        ("redirect_to_nobody", "network.failed"),
        ("nothing", "network.failed"),
        ("garbage", "network.failed"),
        ("reset", "network.failed"),
        ("short_body", "network.failed"),
    ],
)
async def test_faults_are_told(hub: HubStandIn, network: Network, kind: str, code: str) -> None:
    hub.add("a/b", {FILE: b"x" * 50_000}, Fault(kind, after=100))
    with pytest.raises(NetworkError) as failure:
        await fetched(network, url(hub))
    assert failure.value.code == code and failure.value.user_message and failure.value.hint
    last = (await network.entries())[-1]
    assert network.n_open == 0
    assert last.outcome == ("closed" if code == "network.bad_redirect" else "failed")


async def test_a_refusal_of_the_server_is_an_answer(hub: HubStandIn, network: Network) -> None:
    async with network.open_url(f"{hub.endpoint}/nothing", "test") as answer:
        assert answer.status == 404 and await answer.read(100, 5.0) == b""
    assert (await network.entries())[-1].detail == "HTTP 404"


async def test_a_body_is_read_within_bounds_and_unpacked(hub: HubStandIn, network: Network) -> None:
    hub.add("a/b", {FILE: b"x" * 300_000}, Fault("gzip", left=1))
    async with network.open_url(url(hub), "test") as answer:
        assert await answer.read(400_000, 5.0) == b"x" * 300_000
        assert answer.is_redirected
    async with network.open_url(url(hub), "test") as answer:
        assert 100 < len(await answer.read(100, 5.0)) < 200_000
        assert answer.host.startswith("localhost")


async def test_reading_a_body_that_breaks_off(hub: HubStandIn, network: Network) -> None:
    hub.add("a/b", {FILE: b"x" * 50_000}, Fault("short_body", after=100))
    with pytest.raises(NetworkError, match=r"network\.failed"):
        async with network.open_url(url(hub), "test") as answer:
            await answer.read(100_000, 5.0)


@pytest.mark.parametrize("kind", ["drip_head", "early_hints"])
async def test_a_head_that_never_ends_is_not_waited_for(
    hub: HubStandIn, tmp_path: Path, settings: MemorySettings, events: Recorder, kind: str
) -> None:
    hub.add("a/b", {FILE: b"x"}, Fault(kind))
    network = Network(Ledger(tmp_path / "l"), settings.current, events, Timeouts(0.5, 0.5, 0.5))
    with pytest.raises(NetworkError, match="did not come whole in time"):
        await fetched(network, url(hub))
    assert network.n_open == 0 and (await network.entries())[-1].outcome == "failed"


async def test_a_body_that_drips_is_not_waited_for(hub: HubStandIn, network: Network) -> None:
    hub.add("a/b", {FILE: b"x" * 50_000}, Fault("drip", after=100))
    with pytest.raises(NetworkError, match=r"did not come whole in time"):
        async with network.open_url(url(hub), "test") as answer:
            await answer.read(100_000, 0.3)
    assert (await network.entries())[-1].outcome == "failed"


async def test_what_the_caller_decides_is_no_failure_of_the_network(
    hub: HubStandIn, network: Network
) -> None:
    hub.add("a/b", {FILE: b"x"})
    with pytest.raises(StorageError):
        async with network.open_url(url(hub), "test"):
            raise StorageError("storage.full", "Full.")
    assert (await network.entries())[-1].outcome == "closed"
    with pytest.raises(TimeoutError):
        async with network.open_url(url(hub), "test"):
            raise TimeoutError


async def test_without_a_ledger_nothing_is_opened(
    hub: HubStandIn, tmp_path: Path, settings: MemorySettings, events: Recorder
) -> None:
    network = Network(Ledger(tmp_path), settings.current, events)  # a folder cannot be written
    with pytest.raises(StorageError, match=r"network\.no_ledger"):
        await fetched(network, url(hub))
    with pytest.raises(StorageError, match=r"network\.no_ledger"):
        await network.forget_entries()
    assert not hub.requests


class Proxy:
    """A proxy that notes what it is asked and refuses it."""

    def __init__(self) -> None:
        self.asked = b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._server.accept()
            with connection:
                self.asked = connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    yield proxy
    await asyncio.to_thread(proxy.close)


async def test_a_proxy_gets_its_password_and_nothing_else(
    network: Network, settings: MemorySettings, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings.set(proxy=f"http://me:canary@127.0.0.1:{proxy.port}")
    with pytest.raises(NetworkError) as failure:
        await fetched(network, "https://hub.example/a", "hf_secret")
    assert failure.value.context["kind"] == "ProxyError" and "proxy" in failure.value.user_message
    assert proxy.asked.startswith(b"CONNECT hub.example:443 HTTP/1.1\r\n")
    assert b"hf_secret" not in proxy.asked and b"Proxy-Authorization: Basic" in proxy.asked
    entries = json.dumps([entry.__dict__ for entry in await network.entries()])
    assert "canary" not in entries + caplog.text + str(failure.value) and "hf_secret" not in caplog.text


async def test_this_computer_is_reached_without_the_proxy(
    hub: HubStandIn, network: Network, settings: MemorySettings
) -> None:
    hub.add("a/b", {FILE: b"x"})
    settings.set(proxy="http://127.0.0.1:9")
    assert await fetched(network, url(hub)) == b"x"


async def test_a_proxy_where_nothing_answers_is_named(network: Network, settings: MemorySettings) -> None:
    settings.set(proxy="http://me:secret@127.0.0.1:9")
    with pytest.raises(NetworkError, match=r"proxy http://127\.0\.0\.1:9, through which hub\.invalid"):
        await fetched(network, "https://hub.invalid/")


async def test_a_bad_proxy_or_address_opens_nothing(network: Network, settings: MemorySettings) -> None:
    settings.set(proxy="socks5://x:1")
    with pytest.raises(UsageError, match=r"network\.bad_proxy"):
        await fetched(network, "https://hub.example/")
    with pytest.raises(UsageError, match=r"network\.bad_url"):
        await fetched(network, "http://hub.example/")


async def test_a_name_that_nobody_has_and_a_bad_certificate(
    network: Network, settings: MemorySettings, hub: HubStandIn
) -> None:
    settings.set(proxy="none")
    with pytest.raises(NetworkError) as failure:
        await fetched(network, "https://hub.invalid/")
    assert failure.value.code == "network.failed"
    with pytest.raises(NetworkError) as failure:
        await fetched(network, url(hub).replace("http:", "https:"))
    assert failure.value.code == "network.failed"


# ------------------------------------------------------------------------------------------ service


@pytest.fixture
def service(network: Network, settings: MemorySettings) -> NetworkService:
    return NetworkService(network, AccessToken(lambda: None), settings)


async def ask(service: NetworkService, request: GetNetwork | SetHubToken) -> NetworkStatus:
    result = await service.handlers()[type(request)](request, Context())
    assert isinstance(result, NetworkStatus)
    return result


async def test_the_status(
    service: NetworkService, network: Network, hub: HubStandIn, settings: MemorySettings
) -> None:
    hub.add("a/b", {FILE: b"x" * 10})
    await fetched(network, url(hub))
    settings.set(proxy="http://me:canary@proxy:8")
    status = await ask(service, GetNetwork(limit=1))
    assert status.n_entries == 2 and len(status.entries) == 1 and status.n_received_bytes == 10
    assert status.entries[0].host.startswith("localhost")
    assert status.proxy == "http://proxy:8" and status.endpoint == Settings().hub_endpoint
    assert not status.has_token and not status.offline
    settings.set(proxy="none")
    assert (await ask(service, GetNetwork())).proxy == ""
    settings.set(proxy="nonsense://", hub_endpoint="http://127.0.0.1:1")
    assert (await ask(service, GetNetwork())).proxy == ""
    settings.set(hub_endpoint="https://hub.example")
    assert (await ask(service, GetNetwork())).proxy == ""
    await service.handlers()[ClearLedger](ClearLedger(), Context())
    assert (await ask(service, GetNetwork())).n_entries == 0


async def test_the_token_is_kept_and_never_shown(service: NetworkService) -> None:
    status = await ask(service, SetHubToken(token=" hf_canary\n"))
    assert status.has_token and status.token_place == "memory" and "canary" not in repr(status)
    for bad in ("hf canary", "hf_é", "x" * 501):
        with pytest.raises(AppError) as failure:
            await ask(service, SetHubToken(token=bad))
        assert failure.value.code == "network.bad_token" and bad not in str(failure.value)
    assert not (await ask(service, SetHubToken(token=""))).has_token
