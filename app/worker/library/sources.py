"""Source files: open them safely, hash them, find them below folders; what cannot be read gets a reason."""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from app.core.errors import FileError
from app.protocol.library import FileState
from app.worker.library.file_store import NewFile, Outcome

_READ_BYTES = 1 << 20
_O_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe must not wait for its writer
    | getattr(os, "O_BINARY", 0)
)

_SPECIAL = Outcome(
    FileState.UNSUPPORTED,
    "file.special",
    "This is not a regular file but a folder, a pipe, a socket or a device.",
    "Only regular files can be read.",
)
_LOOP = Outcome(
    FileState.UNSUPPORTED,
    "file.link_loop",
    "This link leads to a folder that is already being read.",
    "Nothing is missing: the folder's files are listed once.",
)
MISSING = Outcome(
    FileState.MISSING,
    "file.missing",
    "There is no file at this path.",
    "Put the file back and retry, or remove it from the library.",
)
MISSING_KEPT = Outcome(
    FileState.MISSING,
    "file.missing",
    "The file is no longer at this path; the text read from it before is kept.",
    "Put the file back and refresh, or remove it from the library.",
)
EMPTY = Outcome(
    FileState.EMPTY, "file.empty", "The file has no content (0 bytes).", "Nothing can be found in it."
)
CHANGING = Outcome(
    FileState.FAILED,
    "file.changing",
    "The file kept changing while it was read.",
    "Retry it when the program that writes it has finished.",
)


class Interrupted(Exception):  # noqa: N818  # an outcome, not a fault
    """The work was cancelled, or the worker ends."""


def open_source(path: bytes) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        FileError: with the final state in its context: missing, no permission, a pipe, a broken disk.
    """
    try:
        descriptor = os.open(path, _O_FLAGS)
    except (OSError, ValueError) as error:
        raise file_error(outcome_of(error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise file_error(_SPECIAL)
    return os.fdopen(descriptor, "rb")


def hash_file(file: BinaryIO, cancelled: threading.Event) -> bytes:
    """Give the sha256 of a file's content and go back to its start.

    Raises:
        FileError: reading failed.
        Interrupted: `cancelled` was set.
    """
    digest = hashlib.sha256()
    try:
        file.seek(0)
        while data := file.read(_READ_BYTES):
            if cancelled.is_set():
                raise Interrupted
            digest.update(data)
        file.seek(0)
    except OSError as error:
        raise file_error(outcome_of(error)) from error
    return digest.digest()


def same_file_state(before: os.stat_result, after: os.stat_result) -> bool:
    """Tell whether nothing was written between two looks at an open file."""
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def file_error(outcome: Outcome) -> FileError:
    """Give the error that carries an outcome."""
    return FileError(outcome.code, outcome.reason, outcome.hint, {"state": str(outcome.state)})


def outcome_of(error: Exception) -> Outcome:
    """Give the outcome of a file that could not be opened or read."""
    if isinstance(error, FileError):
        state = error.context.get("state", str(FileState.FAILED))
        return Outcome(FileState(state), error.code, error.user_message, error.hint)
    number = getattr(error, "errno", None)
    if isinstance(error, FileNotFoundError | NotADirectoryError | ValueError):
        return MISSING
    if isinstance(error, PermissionError):
        return Outcome(
            FileState.FAILED,
            "file.permission",
            "You have no permission to read this file.",
            "Change the file's permissions, then retry.",
        )
    if number in (errno.ENXIO, errno.EOPNOTSUPP, errno.ENODEV):
        return _SPECIAL
    if number == errno.ELOOP:
        return _LOOP
    return Outcome(
        FileState.FAILED,
        "file.io",
        "The file cannot be read: the disk or network drive reports an error.",
        "Check that the drive is connected, then retry.",
    )


def walk(path: bytes, skipped_dir: bytes, stopping: Callable[[], bool]) -> Iterator[NewFile]:
    """Give every file at or below a path, in name order; hidden ones only where named themselves.

    Links are followed, but no folder is entered twice.

    Args:
        path: absolute path of a file or folder.
        skipped_dir: the data folder, whose files are the program's own.
        stopping: asked often; ends the walk.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  # bytes
    except (OSError, ValueError) as error:
        yield _new_file(path, None, outcome_of(error))
        return
    if not stat.S_ISDIR(status.st_mode):
        yield _new_file(path, status, None if stat.S_ISREG(status.st_mode) else _SPECIAL)
        return
    entered = {(status.st_dev, status.st_ino)}
    waiting = [path]
    while waiting and not stopping():
        directory = waiting.pop()
        folders: list[bytes] = []
        for found in _scan(directory):
            if isinstance(found, NewFile):
                yield found
                continue
            status = found[1]
            if (status.st_dev, status.st_ino) in entered:
                yield _new_file(found[0], None, _LOOP)
            elif found[0] != skipped_dir:
                entered.add((status.st_dev, status.st_ino))
                folders.append(found[0])
        waiting.extend(reversed(folders))


def _scan(directory: bytes) -> Iterator[NewFile | tuple[bytes, os.stat_result]]:
    """Give the files of one folder, and its folders as (path, status)."""
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(b"."))
    except OSError as error:
        yield _new_file(directory, None, outcome_of(error))
        return
    for name in names:
        path = os.path.join(directory, name)  # noqa: PTH118  # bytes: names need not be text
        try:
            status = os.stat(path)  # noqa: PTH116  # bytes
        except OSError as error:
            yield _new_file(path, None, outcome_of(error))
            continue
        if stat.S_ISDIR(status.st_mode):
            yield path, status
        else:
            yield _new_file(path, status, None if stat.S_ISREG(status.st_mode) else _SPECIAL)


def _new_file(path: bytes, status: os.stat_result | None, outcome: Outcome | None) -> NewFile:
    return NewFile(
        path=path,
        name=os.path.basename(path),  # noqa: PTH119
        size_bytes=0 if status is None else status.st_size,
        mtime_ns=0 if status is None else status.st_mtime_ns,
        outcome=outcome,
    )


def normal_path(path: str) -> bytes:
    """Give an absolute path without `.`, `..` and a separator at its end; links are kept as they are."""
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100


def is_absolute(path: str) -> bool:
    """Tell whether a path is absolute (front ends resolve what the user typed)."""
    return os.path.isabs(path)  # noqa: PTH117


def write_content(files_dir: Path, content: bytes) -> tuple[Path, bytes]:
    """Store content as `files/<sha256>`, complete or not at all; give its path and hash."""
    digest = hashlib.sha256(content).digest()
    path = files_dir / digest.hex()
    if path.exists() and hashlib.sha256(path.read_bytes()).digest() == digest:
        return path, digest
    files_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)  # what was written of it would keep a full disk full
        raise
    if os.name == "posix":  # elsewhere a folder cannot be synced
        descriptor = os.open(files_dir, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return path, digest
