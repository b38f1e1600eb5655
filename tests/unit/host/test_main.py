"""The host's entry: what it tells its starter."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import StorageError
from app.core.paths import DataPaths
from app.host import __main__ as entry
from app.host import process
from app.host.data_folder import take


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(entry, "say", lines.append)
    monkeypatch.setattr(os, "umask", lambda mode: 0)
    return lines


def test_ready(paths: DataPaths, said: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(served: DataPaths, on_port: bool, on_ready: Callable[[], None]) -> None:
        assert (served, on_port) == (paths, True)
        on_ready()

    monkeypatch.setattr(process, "serve", serve)
    assert entry.main(["--data-dir", str(paths.root), "--port"]) == 0
    assert said == [{"state": "ready"}]


def test_taken(paths: DataPaths, said: list[dict[str, Any]]) -> None:
    lock = take(paths)
    paths.endpoint_path.touch()
    assert entry.main(["--data-dir", str(paths.root)]) == 0
    assert said == [{"state": "taken"}]
    assert lock is not None
    lock.release()


def test_failed(paths: DataPaths, said: list[dict[str, Any]]) -> None:
    paths.root.write_text("a file")
    assert entry.main(["--data-dir", str(paths.root)]) == 1
    assert said[0]["state"] == "failed" and said[0]["error"]["code"] == "storage.not_a_folder"


def test_cannot_listen(paths: DataPaths, said: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(*_: Any, **__: Any) -> None:
        raise StorageError("storage.no_socket", "No.", "Check.")

    monkeypatch.setattr(process, "serve", serve)
    assert entry.run(str(paths.root), on_port=False) == 1
    assert said[0]["error"] == {
        "code": "storage.no_socket",
        "message": "No.",
        "hint": "Check.",
        "context": {},
    }


def test_detaching_leaves_the_work_to_the_child(
    paths: DataPaths, said: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    exits: list[int] = []

    def stop(code: int) -> None:
        exits.append(code)
        raise SystemExit

    monkeypatch.setattr(os, "fork", lambda: 4711)
    monkeypatch.setattr(os, "_exit", stop)
    with pytest.raises(SystemExit):
        entry.main(["--data-dir", str(paths.root), "--detach"])
    assert exits == [0] and said == [] and not paths.root.exists()


def test_the_child_goes_on_in_no_folder_of_the_starter(
    paths: DataPaths, said: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[str] = []
    monkeypatch.setattr(os, "fork", lambda: 0)
    monkeypatch.setattr(os, "chdir", folders.append)
    paths.root.write_text("a file")
    assert entry.main(["--data-dir", str(paths.root), "--detach"]) == 1
    assert folders == ["/"] and said[0]["state"] == "failed"


def test_says_one_line_and_lets_go_of_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, (reading, writing) = os.dup(1), os.pipe()
    try:
        os.dup2(writing, 1)
        os.close(writing)
        with os.fdopen(os.dup(1), "w") as stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
            entry.say({"state": "ready"})
        with os.fdopen(reading) as pipe:
            assert json.loads(pipe.read()) == {"state": "ready"}
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def test_a_starter_that_has_gone_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = os.dup(1)

    class Gone:
        def write(self, text: str) -> None:
            raise BrokenPipeError

    try:
        monkeypatch.setattr(sys, "stdout", Gone())
        entry.say({"state": "ready"})
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def test_serve_opens_the_log_and_runs(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    ran: list[process.HostOptions] = []

    async def run(served: DataPaths, options: process.HostOptions, on_ready: Callable[[], None]) -> None:
        ran.append(options)

    monkeypatch.setattr(process, "open_host_log", opened.append)
    monkeypatch.setattr(process, "_run", run)
    process.serve(paths, True, lambda: None)
    assert opened == [paths.logs_dir / "host.log"] and ran[0].on_port
