"""The data folder is made private and locked, or refused in words."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.core import locks
from app.core.errors import StorageError
from app.core.locks import FileLock
from app.core.paths import DataPaths
from app.host.data_folder import storage_error, take, take_over
from tests.unit.host.conftest import mode_of


def test_a_new_folder_is_private_and_locked(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path / "deep" / "日本 é 🙂" / "data")
    lock = take(paths)
    assert lock is not None
    assert mode_of(paths.root) == 0o700 and paths.logs_dir.is_dir()
    assert take(paths) is None
    lock.release()
    again = take(paths)
    assert again is not None
    again.release()


def test_an_open_folder_is_closed(paths: DataPaths) -> None:
    paths.root.mkdir(mode=0o755)
    lock = take(paths)
    assert lock is not None and mode_of(paths.root) == 0o700
    lock.release()


def test_somebody_elses_folder_stays_as_it_is(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.root.mkdir(mode=0o755)

    def refuse(self: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    lock = take(paths)
    assert lock is not None
    lock.release()


def test_the_lock_ends_with_its_process(paths: DataPaths) -> None:
    paths.root.mkdir()
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(paths.lock_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert FileLock.acquire(paths.lock_path) is None
        holder.kill()
    lock = FileLock.acquire(paths.lock_path)
    assert lock is not None
    lock.release()


def test_taking_over_waits_for_a_host_that_ends(paths: DataPaths) -> None:
    lock = take(paths)
    assert lock is not None
    assert take_over(paths, patience_s=0.1) is None
    paths.endpoint_path.touch()
    assert take_over(paths) is None
    paths.endpoint_path.unlink()
    ending = threading.Timer(0.2, lock.release)
    ending.start()
    second = take_over(paths)
    ending.join()
    assert second is not None
    second.release()


def test_a_file_in_the_way(paths: DataPaths) -> None:
    paths.root.write_text("a file")
    with pytest.raises(StorageError) as failure:
        take(paths)
    assert failure.value.code == "storage.not_a_folder"
    assert str(paths.root) in failure.value.user_message and "--data-dir" in failure.value.hint
    with pytest.raises(StorageError, match=r"storage\.not_a_folder"):
        take(DataPaths(paths.root / "below"))


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"storage\.name_too_long"):
        take(DataPaths(tmp_path / ("x" * 300)))


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "storage.permission"),
        (errno.EPERM, "storage.permission"),
        (errno.EROFS, "storage.read_only"),
        (errno.ENOSPC, "storage.full"),
        (errno.EDQUOT, "storage.full"),
        (errno.ENOLCK, "storage.no_lock"),
        (errno.ELOOP, "storage.link_loop"),
        (errno.EIO, "storage.failed"),
    ],
)
def test_each_reason_has_its_words(
    paths: DataPaths, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def fail(descriptor: int) -> bool:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks, "_try_lock", fail)
    with pytest.raises(StorageError) as failure:
        take(paths)
    assert failure.value.code == code and failure.value.hint
    assert failure.value.context == {"errno": errno.errorcode[number]}


def test_a_lock_that_the_file_system_refuses(paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def fail(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(StorageError, match=r"storage\.no_lock"):
        take(paths)
    assert storage_error(OSError("without a number"), paths).code == "storage.failed"
