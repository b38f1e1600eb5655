"""A lock has one holder, and is free when that has gone."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.core import locks
from app.core.locks import FileLock, make_private


def test_one_holds_it_and_lets_it_go(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    lock = FileLock.acquire(path)
    assert lock is not None and path.stat().st_mode & 0o777 == 0o600
    assert FileLock.acquire(path) is None
    lock.release()
    again = FileLock.acquire(path)
    assert again is not None
    again.release()


def test_a_child_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    lock = FileLock.acquire(path)
    assert lock is not None
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as child:
        assert child.stdout is not None
        child.stdout.readline()
        lock.release()
        again = FileLock.acquire(path)
        child.communicate(b"\n")
    assert again is not None
    again.release()


def test_what_cannot_be_locked_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock.acquire(tmp_path / "nowhere" / "a.lock")

    def fail(descriptor: int) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks, "_try_lock", fail)
    before = psutil.Process().open_files()
    with pytest.raises(OSError, match="No locks"):
        FileLock.acquire(tmp_path / "a.lock")
    assert psutil.Process().open_files() == before


def test_a_system_that_fails_for_another_reason_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def fail(descriptor: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError) as failure:
        FileLock.acquire(tmp_path / "a.lock")
    assert failure.value.errno == errno.EIO


def test_a_folder_is_made_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deep" / "data"
    make_private(folder)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    make_private(folder)
    assert folder.stat().st_mode & 0o777 == 0o755
