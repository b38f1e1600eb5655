"""`chats.db` as a file: opened, migrated, copied, and replaced when it is damaged.

Every function runs in the thread of `ChatStore`.
"""

import contextlib
import errno
import logging
import os
import shutil
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from app.core.errors import StorageError
from app.protocol.system import Notice

log = logging.getLogger(__name__)

BACKUP_PERIOD_S = 24 * 3600.0
N_BACKUPS = 3
APPLICATION_ID = 0x68326764  # "h2gd"
_BUSY_MS = 5_000
_SIDE_FILES = ("-wal", "-shm", "-journal")
_MAGIC = b"SQLite format 3\0"
_USER_VERSION = struct.Struct(">60xI")
_STAMP = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class Opened:
    """An open database.

    Attributes:
        notice: what the user must know of how it was opened; None for the ordinary course.
    """

    connection: apsw.Connection
    notice: Notice | None = None


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Turn the database's errors into StorageError."""
    try:
        yield
    except apsw.Error as error:
        raise _storage_error(error) from error
    except OSError as error:
        raise _os_error(error) from error


def _storage_error(error: apsw.Error) -> StorageError:
    context = {"error": type(error).__name__}
    if isinstance(error, apsw.FullError):
        return StorageError(
            "storage.full",
            "The conversation could not be saved: the disk of the data folder is full.",
            "Free some space on that disk and try again.",
            context,
        )
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return StorageError(
            "storage.read_only",
            "The conversations cannot be written: the data folder does not allow it.",
            "Make the data folder writable for you, or choose another one with --data-dir.",
            context,
        )
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return StorageError(
            "chats.damaged",
            "The stored conversations are damaged.",
            "Close the program and start it again: it then restores them from its latest copy.",
            context,
        )
    return StorageError(
        "chats.failed",
        f"The conversations could not be read or saved ({type(error).__name__}).",
        "Check the disk of the data folder, then try again.",
        context,
    )


def _os_error(error: OSError) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _storage_error(apsw.FullError())
    return StorageError(
        "chats.failed",
        f"The conversations could not be read or saved ({error.strerror}).",
        "Check the disk and the permissions of the data folder, then try again.",
        {"errno": errno.errorcode.get(error.errno or 0, "")},
    )


def open_database(path: Path, backups_dir: Path, migrations: Sequence[str]) -> Opened:
    """Open the file, or create it, and bring it to the newest schema.

    A damaged file is kept aside as `chats.db.damaged-N` and replaced by its latest sound copy, or a new one.

    Args:
        path: of the file.
        backups_dir: for verified copies.
        migrations: SQL scripts; the n-th (from 1) leads from schema n - 1 to n.

    Raises:
        StorageError: `chats.newer` (nothing was changed), or the disk's reasons.
    """
    with in_words():
        _refuse_newer(_version_in_file(path), len(migrations))
        notice = None
        try:
            _require_content(path, backups_dir)
            connection = _connect(path)
        except (apsw.CorruptError, apsw.NotADBError):
            notice = _replace_damaged(path, backups_dir, len(migrations))
            connection = _connect(path)
        try:
            _refuse_newer(_version_of(connection), len(migrations))
            _migrate(connection, backups_dir, migrations)
        except BaseException:
            connection.close()
            raise
        return Opened(connection, notice)


def _version_in_file(path: Path) -> int:
    """Read the schema's version without opening (and so changing) the database; 0 where there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(_USER_VERSION.size)
    except FileNotFoundError:
        return 0
    if len(head) < _USER_VERSION.size or not head.startswith(_MAGIC):
        return 0
    version: int = _USER_VERSION.unpack(head)[0]
    return version


def _version_of(connection: apsw.Connection) -> int:
    version: int = connection.pragma("user_version")
    return version


def _refuse_newer(version: int, newest: int) -> None:
    if version > newest:
        raise StorageError(
            "chats.newer",
            "The conversations were written by a newer version of this program.",
            "Update the program, or choose another data folder with --data-dir. Nothing was changed.",
            {"schema": version, "known": newest},
        )


def _require_content(path: Path, backups_dir: Path) -> None:
    """Look at the file before the engine does, which may change what lies beside a damaged one.

    Raises:
        apsw.NotADBError: it does not begin like a database, or is empty although copies tell of content.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head != _MAGIC and (head or backups(backups_dir)):
        raise apsw.NotADBError("no database")


def _connect(path: Path) -> apsw.Connection:
    """Open and look through the whole file.

    Raises:
        apsw.CorruptError: or NotADBError, it is damaged.
    """
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(_BUSY_MS)
        if connection.pragma("quick_check", 1) != "ok":
            raise apsw.CorruptError("quick_check")
        is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
        if not is_empty and connection.pragma("application_id") != APPLICATION_ID:
            raise apsw.NotADBError("another program's database")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: apsw.Connection, backups_dir: Path, migrations: Sequence[str]) -> None:
    version = _version_of(connection)
    if 0 < version < len(migrations):
        back_up(connection, backups_dir)
    for number in range(version + 1, len(migrations) + 1):
        with connection:  # one transaction a step: a kill leaves the schema before or after it
            connection.execute(migrations[number - 1])
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
        log.info("chats.db is at schema %d", number)
    if version < len(migrations):
        # Where an older program looks for the version before it opens anything.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


# ---------------------------------------------------------------------------------------------- copies


def back_up(connection: apsw.Connection, backups_dir: Path) -> Path:
    """Make a verified copy; the oldest ones of the same schema go when there are more than N_BACKUPS.

    Raises:
        StorageError: the copy is not sound.
        apsw.Error: it cannot be written.
    """
    backups_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    version = _version_of(connection)
    target = _unused(backups_dir, f"chats-v{version}-{time.strftime(_STAMP)}", ".db")
    temporary = target.with_suffix(".part")
    temporary.unlink(missing_ok=True)
    try:
        _copy(connection, temporary)
        if _sound_version(temporary) != version:
            raise StorageError(
                "chats.backup_failed",
                "A copy of the conversations could not be read back, so nothing was changed.",
                "Check the disk of the data folder, then start the program again.",
            )
        _sync(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    for old in backups(backups_dir, version)[N_BACKUPS:]:
        old.unlink(missing_ok=True)
    return target


def _copy(source: apsw.Connection, target: Path) -> None:
    copy = apsw.Connection(str(target))
    try:
        with copy.backup("main", source, "main") as progress:
            while not progress.done:
                progress.step(1_000)
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        copy.close()


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _unused(folder: Path, name: str, suffix: str = "") -> Path:
    """Give a path that does not exist: the name with its suffix, with a number between them if need be."""
    number, candidate = 1, folder / f"{name}{suffix}"
    while candidate.exists():
        number += 1
        candidate = folder / f"{name}-{number}{suffix}"
    return candidate


def backups(backups_dir: Path, version: int | None = None) -> list[Path]:
    """Give the copies, the newest first; of one schema or of all."""
    pattern = "chats-v*-*.db" if version is None else f"chats-v{version}-*.db"
    return sorted(
        backups_dir.glob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True
    )


def is_backup_due(backups_dir: Path) -> bool:
    """Tell whether the newest copy is older than a day, or there is none."""
    newest = backups(backups_dir)
    return not newest or time.time() - newest[0].stat().st_mtime > BACKUP_PERIOD_S


def _sound_version(path: Path) -> int | None:
    """Give the schema of a copy that is whole; None for one that is not."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error:
        return None
    try:
        return _version_of(connection) if connection.pragma("integrity_check", 1) == "ok" else None
    except apsw.Error:
        return None
    finally:
        connection.close()


# ---------------------------------------------------------------------------------------------- damage


def _replace_damaged(path: Path, backups_dir: Path, newest_schema: int) -> Notice:
    """Keep the damaged file aside and put the latest sound copy, if any, in its place; say what happened."""
    aside = _unused(path.parent, f"{path.name}.damaged-{time.strftime(_STAMP)}")
    for suffix in _SIDE_FILES:
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.replace(aside.with_name(aside.name + suffix))
    path.replace(aside)
    log.error("chats.db was damaged and is kept as %s", aside.name)
    for copy in backups(backups_dir):
        version = _sound_version(copy)
        if version is not None and version <= newest_schema:
            temporary = path.with_name(f"{path.name}.part")
            shutil.copyfile(copy, temporary)
            _sync(temporary)
            temporary.replace(path)
            return _restored(aside, copy)
    return Notice(
        severity="error",
        code="chats.started_anew",
        message=(
            "The file of your conversations was damaged and there is no sound copy of it. A new, empty one "
            f"was started. The damaged file is kept as {aside.name} in the data folder."
        ),
        hint="Documents and settings are not touched. Keep the damaged file if you want to have it repaired.",
    )


def _restored(aside: Path, copy: Path) -> Notice:
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(copy.stat().st_mtime))
    return Notice(
        severity="error",
        code="chats.restored",
        message=(
            f"The file of your conversations was damaged. They were restored from the copy of {made}; what "
            f"was written after that is missing. The damaged file is kept as {aside.name} in the data folder."
        ),
        hint="Documents and settings are not touched.",
    )
