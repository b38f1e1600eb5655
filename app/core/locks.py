"""Locks of the operating system: at most one process holds each, and none outlives its holder."""

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

PRIVATE_DIR = 0o700
_BUSY = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)


class FileLock:
    """The operating system's lock on a file of the data folder.

    The system frees it when the process ends, however it ends; nobody ever removes the file. Children do not
    inherit it.
    """

    def __init__(self, descriptor: int) -> None:
        """Take over a locked descriptor; use `acquire` instead."""
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path) -> Self | None:
        """Lock the file; None where another process holds it.

        Raises:
            OSError: the file cannot be opened, or the file system cannot lock.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            locked = _try_lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if not locked:
            os.close(descriptor)
            return None
        return cls(descriptor)

    def release(self) -> None:
        """Free the lock."""
        os.close(self._descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":  # pragma: no cover  # this system only
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise
    return True


def make_private(folder: Path) -> None:
    """Make the data folder where it is missing, and this user's alone.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    if os.name == "posix" and stat.S_IMODE(folder.stat().st_mode) != PRIVATE_DIR:
        # Somebody else's folder cannot be changed; the doctor warns about what stays open to others.
        with suppress(PermissionError):
            folder.chmod(PRIVATE_DIR)
