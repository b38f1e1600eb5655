"""The one door to the world: the switch, the ledger, and addresses that are refused."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import UsageError
from app.core.paths import DataPaths
from app.host.services.network import Network, NetworkError, network_of
from tests.unit.host.conftest import mode_of


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://example.org/")
            self.end_headers()
        elif self.path == "/here":
            self.send_response(302)
            self.send_header("Location", "/file")
            self.end_headers()
        elif self.path == "/missing":
            self.send_error(404)
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 100_000 + self.headers.get("X-Test", "").encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def ledger(path: Path) -> list[tuple[str, int]]:
    return [(line["event"], line["bytes"]) for line in map(json.loads, path.read_text().splitlines())]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network.jsonl"


def test_reads_and_writes_the_ledger(address: str, path: Path) -> None:
    network = Network(path, lambda: True)
    with network.open_url(f"{address}/here", "test of a file", {"X-Test": "!"}) as download:
        data = b""
        while part := download.read(30_000):
            data += part
    assert data.endswith(b"x!") and download.n_bytes == 100_001
    assert ledger(path) == [("opened", 0), ("closed", 100_001)]
    line = json.loads(path.read_text().splitlines()[0])
    assert line["host"] == "127.0.0.1" and line["why"] == "test of a file" and line["when"] > 0
    assert mode_of(path) == 0o600


def test_nothing_is_opened_while_the_switch_is_off(path: Path) -> None:
    network = Network(path, lambda: False)
    with (
        pytest.raises(NetworkError, match=r"network\.off"),
        network.open_url("https://example.org/", "test"),
    ):
        pass
    assert ledger(path) == [("refused", 0)]


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "http://example.org/", "ftp://127.0.0.1/", "https://", "nonsense", "http://[", ""],
)
def test_addresses_that_are_refused(path: Path, url: str) -> None:
    with pytest.raises(UsageError, match=r"network\.bad_url"), Network(path, lambda: True).open_url(url, "x"):
        pass
    assert not path.exists()


def test_a_redirect_is_checked_like_the_first_address(address: str, path: Path) -> None:
    network = Network(path, lambda: True)
    with pytest.raises(UsageError, match=r"network\.bad_url"), network.open_url(f"{address}/away", "x"):
        pass
    assert ledger(path)[0] == ("opened", 0)


def test_failures_are_told(address: str, tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    network = network_of(paths, lambda: True)
    with pytest.raises(NetworkError) as failure, network.open_url(f"{address}/missing", "x"):
        pass
    assert failure.value.code == "network.failed" and failure.value.hint
    assert ledger(paths.network_ledger_path)[-1] == ("failed", 0)
