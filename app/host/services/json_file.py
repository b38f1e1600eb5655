"""Small JSON files of the data folder: read with bounds, written whole, a bad one kept aside."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.core.errors import StorageError

MAX_FILE_BYTES = 4_000_000


class JsonFile:
    """One file that holds a JSON object.

    A crash leaves the old or the new content. A file that makes no sense is kept beside it as
    `NAME.bad-N`, and counts as empty.
    """

    def __init__(self, path: Path, title: str) -> None:
        """Name the file; `title` is what people call its content: “the settings of models”."""
        self._path, self._title = path, title

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    def read(self) -> dict[str, Any]:
        """Give the object; an empty one where there is no file, or none that makes sense."""
        try:
            return read_object(self._path, MAX_FILE_BYTES)
        except FileNotFoundError:
            return {}
        except OSError:
            return {}  # it cannot be read now, and may be next time
        except ValueError:
            self._keep_aside()
            return {}

    def _keep_aside(self) -> None:
        try:
            keep_aside(self._path)
        except OSError:
            return  # the next write tells that the folder cannot be written

    def write(self, value: dict[str, Any]) -> None:
        """Store the object.

        Raises:
            StorageError: `storage.not_saved`.
        """
        try:
            write_object(self._path, value)
        except OSError as error:
            raise StorageError(
                "storage.not_saved",
                f"{self._title} could not be saved ({error.strerror}).",
                "Check that the disk is not full and that the data folder can be written.",
            ) from error


def read_object(path: Path, max_bytes: int) -> dict[str, Any]:
    """Read a file's object.

    Raises:
        OSError: it cannot be read, or is not there.
        ValueError: it makes no sense.
    """
    if path.stat().st_size > max_bytes:
        raise ValueError("the file is too large")
    try:
        value = json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError("the file is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("the file does not hold an object")
    return value


def write_object(path: Path, value: Mapping[str, Any]) -> None:
    """Store an object so that a crash leaves the old file or the new one; raises OSError."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(_encoded(value))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _encoded(value: Mapping[str, Any]) -> bytes:
    """Spell an object for people to read; escaped where the name of a file holds bytes that are no text."""
    try:
        return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:
        return f"{json.dumps(value, indent=2)}\n".encode()


def keep_aside(path: Path) -> Path:
    """Rename a bad file to the first free `NAME.bad-N`, and give that; raises OSError."""
    number = 1
    while (aside := path.with_name(f"{path.name}.bad-{number}")).exists():
        number += 1
    path.replace(aside)
    return aside


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
