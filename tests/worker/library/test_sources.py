"""Finding, opening and hashing source files."""

import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest

from app.core.errors import FileError
from app.protocol.library import FileState
from app.worker.library.sources import (
    Interrupted,
    hash_file,
    normal_path,
    open_source,
    outcome_of,
    walk,
    write_content,
)


def found(path: Path, skipped: Path = Path("/nowhere")) -> dict[str, str]:
    walked = walk(os.fsencode(path), os.fsencode(skipped), lambda: False)
    return {
        os.path.relpath(os.fsdecode(file.path), path): file.outcome.code if file.outcome else ""
        for file in walked
    }


@pytest.mark.linux
def test_a_folder_is_walked_without_hidden_files_the_data_folder_and_loops(tmp_path: Path) -> None:
    for name in ("b.txt", "a/c.txt", "a/.hidden", ".git/config", "data/library.db", "a/deep/d.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "link.txt").symlink_to(tmp_path / "b.txt")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    assert found(tmp_path, tmp_path / "data") == {
        "b.txt": "",
        "pipe": "file.special",
        "null": "file.special",
        "a/c.txt": "",
        "a/link.txt": "",
        "a/up": "file.link_loop",
        "a/deep/d.txt": "",
    }
    assert found(tmp_path / ".git") == {"config": ""}  # named itself
    assert found(tmp_path / "absent") == {".": "file.missing"}


def test_a_walk_ends_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").touch()
    assert list(walk(os.fsencode(tmp_path), b"", lambda: True)) == []


@pytest.mark.linux
def test_only_regular_files_are_opened_and_nothing_blocks(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, state in (("pipe", "unsupported"), (".", "unsupported"), ("absent", "missing")):
        with pytest.raises(FileError) as refused:
            open_source(os.fsencode(tmp_path / name))
        assert refused.value.context["state"] == state


def test_a_hash_is_that_of_the_content_and_can_be_interrupted(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    with open_source(os.fsencode(tmp_path / "a")) as file:
        assert hash_file(file, threading.Event()) == hashlib.sha256(content).digest()
        assert file.tell() == 0
        stopped = threading.Event()
        stopped.set()
        with pytest.raises(Interrupted):
            hash_file(file, stopped)


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (PermissionError(errno.EACCES, ""), FileState.FAILED, "file.permission"),
        (FileNotFoundError(errno.ENOENT, ""), FileState.MISSING, "file.missing"),
        (OSError(errno.ELOOP, ""), FileState.UNSUPPORTED, "file.link_loop"),
        (OSError(errno.ENXIO, ""), FileState.UNSUPPORTED, "file.special"),
        (OSError(errno.EIO, ""), FileState.FAILED, "file.io"),
        (ValueError("embedded null byte"), FileState.MISSING, "file.missing"),
        (
            FileError("pdf.password", "Locked.", "Unlock it.", {"state": "failed"}),
            FileState.FAILED,
            "pdf.password",
        ),
    ],
)
def test_every_failure_has_an_outcome(error: Exception, state: FileState, code: str) -> None:
    outcome = outcome_of(error)
    assert (outcome.state, outcome.code) == (state, code)
    assert outcome.reason.endswith(".") and outcome.hint.endswith(".")


def test_content_is_stored_once_under_its_hash(tmp_path: Path) -> None:
    path, digest = write_content(tmp_path / "files", b"pasted")
    assert path.name == digest.hex() == hashlib.sha256(b"pasted").hexdigest()
    path.write_bytes(b"damaged")
    assert write_content(tmp_path / "files", b"pasted")[0].read_bytes() == b"pasted"
    assert len(list((tmp_path / "files").iterdir())) == 1


def test_paths_are_made_plain(tmp_path: Path) -> None:
    assert normal_path(f"{tmp_path}/a/../b/.//c/") == os.fsencode(tmp_path / "b" / "c")
