"""The data folder as the host takes it: made private, locked, or refused in words."""

import contextlib
import errno
import time

from app.core.errors import StorageError
from app.core.locks import PRIVATE_DIR, FileLock, make_private
from app.core.paths import DataPaths

PATIENCE_S = 3.0
_POLL_S = 0.03


def take(paths: DataPaths) -> FileLock | None:
    """Make the folder ready and lock it; None where another host has it.

    Raises:
        StorageError: the folder cannot be used; says why and what to do.
    """
    try:
        make_private(paths.root)
        lock = FileLock.acquire(paths.lock_path)
        if lock is not None:
            with contextlib.suppress(OSError):  # it is harmless, and replaced soon
                paths.endpoint_path.unlink(missing_ok=True)
            paths.logs_dir.mkdir(mode=PRIVATE_DIR, exist_ok=True)
    except OSError as error:
        raise storage_error(error, paths) from error
    return lock


def take_over(paths: DataPaths, patience_s: float = PATIENCE_S) -> FileLock | None:
    """Take the folder, waiting for a host that is ending; None where one serves, or starts just now.

    A host that serves has its address in the folder; one that ends has taken it away, and frees the lock
    soon. The address that a killed host left goes first of all.

    Raises:
        StorageError: as `take`.
    """
    deadline = time.monotonic() + patience_s
    while (lock := take(paths)) is None and not paths.endpoint_path.exists():
        if time.monotonic() >= deadline:
            return None
        time.sleep(_POLL_S)
    return lock


def storage_error(error: OSError, paths: DataPaths) -> StorageError:
    """Say in words why the data folder cannot be used."""
    code, what, hint = _REASONS.get(error.errno or 0, _OTHER)
    return StorageError(
        code,
        f"The data folder {paths.root} {what}.",
        hint,
        {"errno": errno.errorcode.get(error.errno or 0, "")},
    )


_CHOOSE = "Choose another folder with --data-dir or the environment variable H2OGPT_DATA_DIR."
_PERMISSION = (
    "storage.permission",
    "cannot be written by this user",
    f"Make the folder writable for you. {_CHOOSE}",
)
_NOT_A_FOLDER = ("storage.not_a_folder", "is not a folder", _CHOOSE)
_FULL = (
    "storage.full",
    "is on a disk that is full",
    "Free some space on that disk and start again.",
)
_NO_LOCK = ("storage.no_lock", "is on a file system that cannot lock files", _CHOOSE)
_OTHER = ("storage.failed", "cannot be used", _CHOOSE)
_REASONS = {
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: (
        "storage.read_only",
        "is on a disk that can only be read",
        f"Make that disk writable. {_CHOOSE}",
    ),
    errno.ENOENT: ("storage.failed", "cannot be made at that place", _CHOOSE),
    errno.ENOTDIR: _NOT_A_FOLDER,
    errno.EEXIST: _NOT_A_FOLDER,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.ENAMETOOLONG: ("storage.name_too_long", "has a name that is too long for its disk", _CHOOSE),
    errno.ENOLCK: _NO_LOCK,
    errno.ENOTSUP: _NO_LOCK,
    errno.ENOSYS: _NO_LOCK,
    errno.ELOOP: ("storage.link_loop", "is a link that leads back to itself", _CHOOSE),
}
