"""`library.db`: connections, transactions, numbered migrations, verified backups, errors in plain words.

One connection writes, behind a lock; every thread that reads has one of its own (WAL lets them go on while
something is written). Nothing here knows what the tables mean.
"""

import contextlib
import errno
import logging
import os
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from app.core.errors import StorageError

log = logging.getLogger(__name__)

Arguments = Sequence[Any] | Mapping[str, Any]
_USER_VERSION = struct.Struct(">60xI")
_WRITE_WAIT_MS = 10_000
_FULL_ERRNOS = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_READ_ONLY_ERRNOS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})
_FREE_HINT = "Free some space on the disk that holds the data folder; the work then goes on by itself."


class Database:
    """The library's database file.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: Path, migrations: Sequence[str], backups_dir: Path) -> None:
        """Open or create the file and bring its schema up to date.

        Args:
            path: of the file; its folder exists.
            migrations: SQL scripts; the n-th (from 1) leads to schema version n.
            backups_dir: where a copy goes before an existing file is migrated.

        Raises:
            StorageError: the file is damaged, cannot be written, or was written by a newer version; then
                nothing was changed.
        """
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._local = threading.local()
        self._connections: list[apsw.Connection] = []
        self._connections_lock = threading.Lock()
        with translated():
            _refuse_newer(_version_in_file(path), len(migrations))
            self._writer = self._connect()
            try:
                # Both are kept in the file; asked for again they would need a moment without any other user.
                self._writer.execute("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL")
                self._migrate(migrations, backups_dir)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close every connection; the last one folds the log into the file."""
        with self._connections_lock:
            connections, self._connections = self._connections, []
        for connection in reversed(connections):
            # A thread that is still inside a statement keeps its connection; the log is folded at the next
            # start.
            with contextlib.suppress(apsw.Error):
                connection.close()

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[apsw.Connection]:
        """Give the writing connection inside a transaction: committed at its end, or rolled back.

        Nested use joins the outer transaction. With `durable` the commit reaches the disk before this
        returns; without, it survives the death of the process but perhaps not that of the machine.

        Raises:
            StorageError: the transaction could not be written; nothing of it is kept.
        """
        with translated(), self._lock:
            if self._depth:
                yield self._writer
                return
            self._writer.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._writer.execute("BEGIN IMMEDIATE")
            self._depth = 1
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                self._depth = 0
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    def reader(self) -> apsw.Connection:
        """Give this thread's reading connection. Wrap its use in `translated()`."""
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            with translated():
                connection = self._connect()
                connection.execute("PRAGMA query_only=ON")
            self._local.connection = connection
        return connection

    def rows(self, sql: str, arguments: Arguments = ()) -> list[tuple[Any, ...]]:
        """Run a reading statement on this thread's connection and give all of its rows.

        Raises:
            StorageError: the file cannot be read.
        """
        connection = self.reader()
        with translated():
            return connection.execute(sql, arguments).fetchall()

    def row(self, sql: str, arguments: Arguments = ()) -> tuple[Any, ...] | None:
        """Give the first row of a reading statement, or None. Raises as `rows`."""
        found = self.rows(sql, arguments)
        return found[0] if found else None

    def value(self, sql: str, arguments: Arguments = ()) -> Any:
        """Give the one value of a reading statement that has one row. Raises as `rows`."""
        ((value,),) = self.rows(sql, arguments)
        return value

    def checkpoint(self) -> None:
        """Fold the log into the file and empty it, as far as readers allow."""
        with translated(), self._lock:
            if not self._depth:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self.path))
        with self._connections_lock:
            self._connections.append(connection)
        connection.set_busy_timeout(_WRITE_WAIT_MS)
        connection.execute(
            "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA cache_size=-16384;"
            "PRAGMA temp_store=MEMORY"
        )
        return connection

    def _migrate(self, migrations: Sequence[str], backups_dir: Path) -> None:
        version = schema_version(self._writer)
        _refuse_newer(version, len(migrations))
        if version == len(migrations):
            return
        if version:
            backup(self._writer, backups_dir, f"library-v{version}")
        for number in range(version + 1, len(migrations) + 1):
            with self.write() as connection:
                connection.execute(migrations[number - 1])
                connection.execute(f"PRAGMA user_version={number}")
            log.info("library.db is now at schema version %d", number)
        # The version must stand in the file itself, where an older program looks before it opens anything.
        self.checkpoint()


def schema_version(connection: apsw.Connection) -> int:
    """Give the schema version of an open database."""
    version: int = connection.pragma("user_version")
    return version


def backup(source: apsw.Connection, backups_dir: Path, stem: str) -> Path:
    """Copy a database while it is open, verify the copy, and only then give it its name.

    Raises:
        StorageError: the copy could not be written or is not sound.
    """
    backups_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = backups_dir / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}.db"
    temporary = target.with_suffix(".tmp")
    with translated():
        temporary.unlink(missing_ok=True)
        copy = apsw.Connection(str(temporary))
        try:
            with copy.backup("main", source, "main") as progress:
                while not progress.done:
                    progress.step(1024)
            copy.execute("PRAGMA journal_mode=DELETE")
            sound = copy.pragma("integrity_check") == "ok" and schema_version(copy) == schema_version(source)
        finally:
            copy.close()
        if not sound:
            temporary.unlink()
            raise StorageError(
                "storage.backup_failed",
                "The library could not be updated, because its backup copy is not sound.",
                "Nothing was changed. Run `h2ogpt doctor` to see what is wrong with the library.",
            )
        _sync_file(temporary)
        temporary.replace(target)
    return target


def fetch(connection: apsw.Connection, sql: str, arguments: Arguments = ()) -> list[tuple[Any, ...]]:
    """Give all rows of a statement run inside a transaction."""
    return connection.execute(sql, arguments).fetchall()


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn errors of SQLite and of the file system into StorageError."""
    try:
        yield
    except apsw.FullError as error:
        raise full_error() from error
    except (apsw.CorruptError, apsw.NotADBError, apsw.FormatError) as error:
        raise StorageError(
            "storage.damaged",
            "The library's database is damaged.",
            "A copy from before may stand in `backups` in the data folder; `h2ogpt doctor` says more.",
        ) from error
    except (apsw.ReadOnlyError, apsw.PermissionsError, apsw.CantOpenError) as error:
        raise _read_only_error() from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StorageError(
            "storage.busy",
            "Another program holds the library's database.",
            "Close the other program that uses this data folder, then try again.",
        ) from error
    except apsw.IOError as error:
        raise _io_error(error) from error
    except OSError as error:
        if error.errno in _FULL_ERRNOS:
            raise full_error() from error
        if error.errno in _READ_ONLY_ERRNOS:
            raise _read_only_error() from error
        raise


def full_error() -> StorageError:
    """Give the error of a full disk."""
    return StorageError("storage.full", "The disk that holds the data folder is full.", _FREE_HINT)


def _read_only_error() -> StorageError:
    return StorageError(
        "storage.read_only",
        "The data folder cannot be written.",
        "Check that the folder exists, that it belongs to you and that its disk is not write-protected.",
    )


def _io_error(error: apsw.IOError) -> StorageError:
    result = getattr(error, "extendedresult", 0)
    if result == apsw.SQLITE_IOERR_SHMSIZE:  # the log's index could not grow
        return full_error()
    return StorageError(
        "storage.io",
        "Reading or writing the data folder failed.",
        "Check the disk that holds the data folder; the work is tried again.",
        {"extended_result": result},
    )


def _version_in_file(path: Path) -> int:
    """Read the schema version from the file's header; opening it as a database would write."""
    try:
        with path.open("rb") as file:
            header = file.read(_USER_VERSION.size)
    except FileNotFoundError:
        return 0
    version: int = _USER_VERSION.unpack(header)[0] if len(header) == _USER_VERSION.size else 0
    return version


def _refuse_newer(version: int, known: int) -> None:
    if version > known:
        raise StorageError(
            "storage.newer",
            "This library was written by a newer version of the program.",
            "Use the newer version, or choose another data folder. Nothing was changed.",
            {"version": version, "known": known},
        )


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
