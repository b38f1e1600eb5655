"""The address file, and who is at the other end of a socket."""

import os
import socket
from pathlib import Path

import pytest

from app.core import endpoint as module
from app.core.endpoint import Endpoint, is_same_user, peer_uid, read_endpoint, write_endpoint


@pytest.mark.parametrize("endpoint", [Endpoint(1, path="/x/é.sock"), Endpoint(2, port=4711, token="t")])
def test_what_is_written_is_read(tmp_path: Path, endpoint: Endpoint) -> None:
    path = tmp_path / "host.json"
    write_endpoint(path, endpoint)
    assert read_endpoint(path) == endpoint
    assert list(tmp_path.iterdir()) == [path] and path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "5",
        "{}",
        '{"pid": null, "path": "", "port": 1, "token": ""}',
        '{"pid": 1, "path": "", "port": 0, "token": ""}',
        '{"pid": 1, "path": "", "port": 99999, "token": ""}',
    ],
)
def test_what_cannot_be_used_is_no_address(tmp_path: Path, content: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(content)
    assert read_endpoint(path) is None


def test_no_file_is_no_address(tmp_path: Path) -> None:
    assert read_endpoint(tmp_path / "host.json") is None


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.mkdir()
    with pytest.raises(OSError):
        write_endpoint(path, Endpoint(1, port=1))
    assert list(tmp_path.iterdir()) == [path]


def test_the_peer_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_uid(ours) == os.getuid() and is_same_user(ours)
        monkeypatch.setattr(module, "peer_uid", lambda connection: os.getuid() + 1)
        assert not is_same_user(ours)
        monkeypatch.setattr(module, "peer_uid", lambda connection: None)
        assert is_same_user(ours)
