"""Logs in the data folder: rotating, bounded, without user text."""

import faulthandler
import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

LOG_BYTES = 1_000_000
N_OLD_LOGS = 2


class RotatingLog:
    """Raw bytes (a worker's stderr) appended to a file that is renamed away when it is long enough.

    A write that fails (disk full, folder gone) is dropped: a log must never stop the work that it tells of.

    Attributes:
        n_dropped: bytes that could not be written.
    """

    def __init__(self, path: Path, max_bytes: int = LOG_BYTES, n_old: int = N_OLD_LOGS) -> None:
        """Name the file; it is opened at each write, so that nothing keeps a removed folder alive."""
        self._path, self._max_bytes, self._n_old = path, max_bytes, n_old
        self.n_dropped = 0

    def write(self, data: bytes) -> None:
        """Append bytes; at most one part of the limit long."""
        try:
            with self._path.open("ab") as file:
                file.write(data)
                is_full = file.tell() >= self._max_bytes
            if is_full:
                self._rotate()
        except OSError:
            self.n_dropped += len(data)

    def _rotate(self) -> None:
        for number in range(self._n_old, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(older)


class _QuietRotatingFileHandler(RotatingFileHandler):
    """Drops what cannot be written instead of printing a traceback about it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the base class's name
        """Ignore a failed write: the disk may be full, and a log must never stop the work."""


def open_host_log(path: Path) -> None:
    """Send this process's log records, and whatever is printed to stderr, to the host's log."""
    handler = _QuietRotatingFileHandler(
        path,
        maxBytes=LOG_BYTES,
        backupCount=N_OLD_LOGS,
        encoding="utf-8",
        errors="backslashreplace",
        delay=True,
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    faulthandler.enable(sys.stderr)
