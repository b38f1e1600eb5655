"""`models search`, `models download` and `network` in the terminal."""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from app.cli.commands import model_downloads
from app.cli.commands.model_downloads import progress_in_words
from app.cli.main import main
from app.protocol.catalogue import CatalogueFile, CatalogueList, CatalogueModel, ListHubFiles, SearchHub
from app.protocol.downloads import Download, DownloadList, ListDownloads, PauseDownload, StartDownload
from app.protocol.models import Fit
from app.protocol.network import GetNetwork, LedgerEntry, NetworkStatus
from app.protocol.system import Empty, SettingsBody, UpdateSettings
from tests.unit.cli.conftest import FakeHost

Capture = pytest.CaptureFixture[str]

MODEL = CatalogueModel(
    id="a/b-GGUF",
    title="b-GGUF",
    repository="a/b-GGUF",
    licence="mit",
    n_params=7_600_000_000,
    n_downloads=12_345,
    needs_token=True,
    files=(
        CatalogueFile(
            name="b-Q4_K_M.gguf", size_bytes=4_700_000_000, fit=Fit(verdict="good", words="runs well")
        ),
        CatalogueFile(name="b-Q8_0-00001-of-00002.gguf", size_bytes=None, parts=("x", "y")),
        CatalogueFile(name="mmproj.gguf", size_bytes=900, role="projector"),
    ),
)
ITEM = Download(
    id="1",
    title="b Q4_K_M",
    repository="a/b-GGUF",
    revision="c",
    name="b-Q4_K_M.gguf",
    state="queued",
    total_bytes=4_000_000_000,
    sha256="ab" * 32,
)


def options(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    model_downloads.add_parsers(parser.add_subparsers(dest="action"))
    return parser.parse_args(argv)


def run(host: FakeHost, *argv: str) -> int:
    client: Any = host
    return asyncio.run(model_downloads.run(options(*argv), client))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    monkeypatch.setattr(model_downloads, "POLL_S", 0.0)
    return FakeHost()


def test_search(fake: FakeHost, capsys: Capture) -> None:
    fake.answers[SearchHub] = CatalogueList(
        models=(replace(MODEL, files=()), replace(MODEL, licence="", n_params=None))
    )
    assert run(fake, "search", "b", "--limit", "5") == 0
    assert fake.requests == [SearchHub(text="b", limit=5)]
    out = capsys.readouterr().out
    assert "a/b-GGUF  (mit, 7.6 billion weights, 12,345 downloads, needs an access token)" in out
    assert "licence not named" in out
    assert run(fake, "search", "b", "--json") == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["a/b-GGUF"] * 2
    fake.answers[SearchHub] = CatalogueList(models=())
    assert run(fake, "search", "b") == 0
    assert "no GGUF model" in capsys.readouterr().out


def test_the_files_of_a_repository(fake: FakeHost, capsys: Capture) -> None:
    fake.answers[ListHubFiles] = replace(MODEL, n_downloads=None, needs_token=False)
    assert run(fake, "search", "a/b-GGUF") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        "    b-Q4_K_M.gguf  4.7 GB, runs well",
        "    b-Q8_0-00001-of-00002.gguf  size not known in 2 parts",
        "    mmproj.gguf  900 bytes, projector",
    ]


def states(*values: Download) -> Any:
    left = list(values)

    def answer(request: ListDownloads) -> DownloadList:
        other = replace(ITEM, id="other", state="running")
        return DownloadList(downloads=(other, left.pop(0) if len(left) > 1 else left[0]))

    return answer


def test_download(fake: FakeHost, capsys: Capture) -> None:
    fake.answers[StartDownload] = DownloadList(downloads=(ITEM,))
    fake.answers[ListDownloads] = states(ITEM, replace(ITEM, state="running"), replace(ITEM, state="done"))
    assert run(fake, "download", "a/b-GGUF", "b-Q4_K_M.gguf", "--revision", "c") == 0
    assert fake.requests[0] == StartDownload(model="a/b-GGUF", file="b-Q4_K_M.gguf", revision="c")
    assert capsys.readouterr().out == f"b-Q4_K_M.gguf  done, 4.0 GB, sha256 {'ab' * 32}\n"
    fake.answers[ListDownloads] = states(replace(ITEM, state="done"))
    assert run(fake, "download", "a/b-GGUF", "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "done"


def test_a_download_that_fails(fake: FakeHost, capsys: Capture) -> None:
    failed = replace(ITEM, state="failed", error_message="It broke.", error_hint="Try again.")
    fake.answers[StartDownload] = DownloadList(downloads=(ITEM,))
    fake.answers[ListDownloads] = states(failed)
    assert run(fake, "download", "x") == 1
    assert capsys.readouterr().out == "b-Q4_K_M.gguf  failed: It broke.\n    Try again.\n"
    fake.answers[ListDownloads] = states(replace(ITEM, state="paused"))
    assert run(fake, "download", "x") == 1
    assert "paused: by the user" in capsys.readouterr().out
    fake.answers[ListDownloads] = DownloadList(downloads=())  # cancelled in the window
    assert run(fake, "download", "x") == 1


def test_progress_on_a_terminal(fake: FakeHost, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    running = replace(ITEM, state="running", done_bytes=1_000_000_000, bytes_per_s=1e6)
    fake.answers[StartDownload] = DownloadList(downloads=(ITEM,))
    fake.answers[ListDownloads] = states(running, replace(ITEM, state="done"))
    assert run(fake, "download", "x") == 0
    err = capsys.readouterr().err
    assert "\r25 %, 1.0 GB of 4.0 GB, 1.0 MB/s, 50:00 left" in err and err.endswith("\n")


def test_progress_in_words() -> None:
    assert progress_in_words([ITEM]) == "0 %, 0 bytes of 4.0 GB, waits for its turn"
    assert progress_in_words([replace(ITEM, total_bytes=None)]) == "0 bytes of 0 bytes, waits for its turn"
    done = replace(ITEM, state="done")
    slow = replace(ITEM, state="running", bytes_per_s=1e5)
    assert progress_in_words([done, slow]).endswith("50 %, 4.0 GB of 8.0 GB, 100.0 kB/s, 11:06:40 left")


async def test_ctrl_c_pauses_and_says_how_to_go_on(fake: FakeHost, capsys: Capture) -> None:
    fake.answers[StartDownload] = DownloadList(downloads=(ITEM,))
    fake.answers[ListDownloads] = DownloadList(downloads=(replace(ITEM, state="running"),))
    fake.answers[PauseDownload] = Empty()
    client: Any = fake
    task = asyncio.create_task(model_downloads.run(options("download", "x"), client))
    while len(fake.requests) < 3:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake.requests[-1] == PauseDownload(id="1")
    assert "The same command goes on" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ network

STATUS = NetworkStatus(
    offline=False,
    entries=(
        LedgerEntry(when=0.0, host="hub.example", why="search", outcome="closed", n_received_bytes=1234),
        LedgerEntry(when=0.0, host="hub.example", why="x", outcome="failed", detail="It broke."),
    ),
    n_entries=2,
    n_sent_bytes=500,
    n_received_bytes=1234,
    has_token=True,
    token_place="keyring",
    proxy="http://proxy:8",
    endpoint="https://hub.example",
)


def test_network(host: FakeHost, capsys: Capture) -> None:
    host.answers[GetNetwork] = STATUS
    assert main(["network", "--limit", "7"]) == 0
    assert host.requests == [GetNetwork(limit=7)]
    out = capsys.readouterr().out
    assert "Connections are allowed" in out and "https://hub.example, through http://proxy:8" in out
    assert "in the system's keyring" in out and "2 connections, 500 bytes sent, 1,234 received" in out
    assert "closed  hub.example  1,234 bytes  search" in out and "(It broke.)" in out
    host.answers[GetNetwork] = replace(
        STATUS, offline=True, n_entries=0, entries=(), has_token=False, proxy=""
    )


def test_the_switch(host: FakeHost, capsys: Capture) -> None:
    host.answers[GetNetwork] = replace(
        STATUS, offline=True, n_entries=0, entries=(), has_token=False, proxy="", token_place=""
    )
    host.answers[UpdateSettings] = SettingsBody(values={})
    assert main(["network", "off"]) == 0
    assert host.requests[0] == UpdateSettings(values={"offline": True})
    out = capsys.readouterr().out
    assert "switched off" in out and "No connection has been opened." in out and "token" not in out


def test_the_switch_on_as_json(host: FakeHost, capsys: Capture) -> None:
    host.answers[GetNetwork] = STATUS
    host.answers[UpdateSettings] = SettingsBody(values={})
    assert main(["network", "on", "--json"]) == 0
    assert host.requests[0] == UpdateSettings(values={"offline": False})
    assert json.loads(capsys.readouterr().out)["endpoint"] == "https://hub.example"
