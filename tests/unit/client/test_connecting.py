"""Finding the host, starting it, and every way in which that fails."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.client import HostClient, connecting
from app.client.connecting import connect, reach
from app.core.endpoint import Endpoint, write_endpoint
from app.core.errors import StorageError, WorkerError
from app.core.paths import DataPaths

SetHost = Callable[[str], None]


@pytest.fixture
def host_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SetHost:
    """Replace the host's program by a few lines; DATA_DIR is its data folder."""

    def replace(code: str) -> None:
        script = tmp_path / "host.py"
        script.write_text(code)

        def command(kind: str, arguments: list[str]) -> list[str]:
            assert kind == "host" and arguments[0] == "--data-dir"
            return [sys.executable, "-S", str(script), arguments[1]]

        monkeypatch.setattr(connecting, "worker_command", command)

    return replace


async def test_nobody_there_and_nobody_wanted(paths: DataPaths) -> None:
    with pytest.raises(WorkerError, match=r"host\.not_running"):
        await reach(paths, "cli")
    with pytest.raises(WorkerError, match=r"host\.not_running"):
        await HostClient.connect(paths, start_host=False)
    assert not paths.root.exists()


async def test_stale_addresses_are_harmless(paths: DataPaths, tmp_path: Path) -> None:
    paths.root.mkdir()
    for stale in (
        Endpoint(1, path=str(tmp_path / "gone.sock")),
        Endpoint(1, port=1),
        Endpoint(1, path=str(tmp_path / ("x" * 300))),
    ):
        write_endpoint(paths.endpoint_path, stale)
        with pytest.raises(WorkerError, match=r"host\.not_running"):
            await reach(paths, "cli")
    paths.endpoint_path.write_text("{")
    with pytest.raises(WorkerError, match=r"host\.not_running"):
        await reach(paths, "cli")


async def test_the_hosts_refusal_reaches_the_user(paths: DataPaths, host_program: SetHost) -> None:
    error = {"code": "storage.full", "message": "Full.", "hint": "Free some.", "context": {}}
    line = json.dumps({"state": "failed", "error": error})
    host_program(f"print({line!r})")
    with pytest.raises(StorageError) as failure:
        await connect(paths, "cli")
    assert (failure.value.user_message, failure.value.hint) == ("Full.", "Free some.")
    line = json.dumps({"state": "failed", "error": error | {"code": "host.odd"}})
    host_program(f"print({line!r})")
    with pytest.raises(WorkerError, match=r"host\.odd"):
        await connect(paths, "cli")


async def test_a_host_that_crashes_at_its_start(paths: DataPaths, host_program: SetHost) -> None:
    host_program("raise SystemExit('no module named x')")
    with pytest.raises(WorkerError, match=r"host\.start_failed") as failure:
        await connect(paths, "cli")
    assert "no module named x" in failure.value.context["reason"]
    assert failure.value.hint
    host_program("")
    with pytest.raises(WorkerError) as failure:
        await connect(paths, "cli")
    assert failure.value.context["reason"] == "it ended at once"


async def test_a_program_that_cannot_be_run(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "worker_command", lambda kind, arguments: ["/nowhere/python"])
    with pytest.raises(WorkerError) as failure:
        await connect(paths, "cli")
    assert failure.value.code == "host.start_failed" and "No such file" in failure.value.context["reason"]


async def test_no_place_for_temporary_files(
    paths: DataPaths, host_program: SetHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    host_program("raise SystemExit('lost')")
    with pytest.raises(WorkerError) as failure:
        await connect(paths, "cli")
    assert failure.value.context["reason"] == "it ended at once"


async def test_a_host_that_never_becomes_ready(
    paths: DataPaths, host_program: SetHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "START_TIMEOUT_S", 0.3)
    host_program("import time; time.sleep(60)")
    with pytest.raises(WorkerError, match=r"host\.start_failed"):
        await connect(paths, "cli")


async def test_a_place_that_is_taken_for_ever(
    paths: DataPaths, host_program: SetHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "START_TIMEOUT_S", 0.8)
    monkeypatch.setattr(connecting, "_RESPAWN_S", 0.2)
    host_program('print(\'{"state": "taken"}\')')
    started = time.monotonic()
    with pytest.raises(WorkerError, match=r"host\.start_failed"):
        await connect(paths, "cli")
    assert time.monotonic() - started < 10.0


async def test_killing_what_has_ended_already(paths: DataPaths, host_program: SetHost) -> None:
    host_program("")
    with Path(os.devnull).open("wb") as errors:
        process: Any = connecting._spawn(paths, errors)
        process.wait()
        connecting._kill(process)
        connecting._let_go(process)


async def test_a_socket_of_another_user_is_refused(
    paths: DataPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    path = tmp_path / "a.sock"
    server = await asyncio.start_unix_server(accept, path)
    paths.root.mkdir()
    write_endpoint(paths.endpoint_path, Endpoint(1, path=str(path)))
    monkeypatch.setattr(connecting, "is_same_user", lambda connection: False)
    with pytest.raises(WorkerError, match=r"host\.wrong_owner"):
        await reach(paths, "cli")
    await asyncio.sleep(0.05)  # the server's side of the connection ends too
    server.close()
    await server.wait_closed()
