"""Downloads on the disk: what is wanted, how far it has come, and what was verified.

models/.downloads/<id>/state.json   a record, written whole
models/.downloads/<id>/part         what has come; no search for models takes it
models/.verified.json               what was downloaded and checked, by its name in the models folder
"""

import contextlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from app.core.errors import UsageError
from app.core.hub_names import checked_file_name, checked_repository, checked_revision

MAX_STATE_BYTES = 64_000
MAX_VERIFIED_BYTES = 4_000_000
QUEUED, RUNNING, PAUSED, VERIFIED = "queued", "running", "paused", "verified"
DONE, FAILED = "done", "failed"
_STATES = frozenset({QUEUED, RUNNING, PAUSED, VERIFIED, DONE, FAILED})
_ID = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"|[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Record:
    """One file to download.

    Attributes:
        group: shared by the files that make one model.
        n_files: in the group.
        order: of becoming visible within the group: what makes the model loadable comes last.
        file: path inside the repository.
        name: path inside the models folder.
        revision: the commit that `sha256` was given for.
        git_sha1: checksum of a small file, for which the hub has no sha256.
        role: as `CatalogueFile.role`.
        state: `queued`, `running`, `paused`, `verified` (waits for its group), `done` or `failed`.
        etag: of what has come; empty where the server gave none that can be trusted.
        waits_for: `disk`: paused by the program until there is room.
    """

    id: str
    group: str
    n_files: int
    order: int
    title: str
    repository: str
    revision: str
    file: str
    name: str
    size_bytes: int
    created: float
    sha256: str = ""
    git_sha1: str = ""
    licence: str = ""
    role: str = "model"
    state: str = QUEUED
    etag: str = ""
    waits_for: str = ""
    error_code: str = ""
    error_message: str = ""
    error_hint: str = ""
    n_tries: int = 0


@dataclass(frozen=True)
class VerifiedFile:
    """A downloaded file whose bytes were compared with the hub's checksum.

    Attributes:
        name: path inside the models folder.
        file: path inside the repository.
    """

    name: str
    size_bytes: int
    modified_ns: int
    sha256: str
    repository: str
    revision: str
    file: str
    licence: str
    role: str


class DownloadStore:
    """Reads and writes the files of downloads. Any thread; one call for one download at a time."""

    def __init__(self, models_dir: Path) -> None:
        """Name the models folder; nothing is made."""
        self._models_dir = models_dir
        self._dir = models_dir / ".downloads"

    @property
    def models_dir(self) -> Path:
        """Where models become visible."""
        return self._models_dir

    def part_path(self, record: Record) -> Path:
        """Give the file that what comes is written to."""
        return self._dir / record.id / "part"

    def target_path(self, record: Record) -> Path:
        """Give the file that it becomes."""
        return self._models_dir / record.name

    def part_bytes(self, record: Record) -> int:
        """Give how much has come."""
        try:
            return self.part_path(record).stat().st_size
        except FileNotFoundError:
            return 0

    def save(self, record: Record) -> None:
        """Write a record so that a crash leaves the old or the new one.

        Raises:
            OSError: it cannot be written.
        """
        folder = self._dir / record.id
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(folder / "state.json", asdict(record))

    def load(self) -> list[Record]:
        """Give the records, the oldest first; a folder that makes no sense is passed over.

        So is a group that lacks a file: the program ended while the wish for it was being written.
        """
        found = [record for path in self._dir.glob("*/state.json") if (record := _read_record(path))]
        n_found = Counter(record.group for record in found)
        begun = {record.group for record in found if record.state == DONE}
        whole = [
            record for record in found if record.group in begun or n_found[record.group] >= record.n_files
        ]
        return sorted(whole, key=lambda record: (record.created, record.group, record.order))

    def remove(self, record: Record) -> None:
        """Delete a record and what has come; a file that became visible stays."""
        folder = self._dir / record.id
        (folder / "state.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)  # what stays, the next start sweeps away

    def sweep(self) -> None:
        """Delete what has come of downloads that have no record: the program ended between two steps."""
        for folder in self._dir.glob("*"):
            if _ID.fullmatch(folder.name) and not (folder / "state.json").exists():
                shutil.rmtree(folder, ignore_errors=True)

    def publish(self, record: Record) -> None:
        """Make a verified file visible under its name: recorded as verified first, then renamed.

        Done twice, the second time does nothing.

        Raises:
            FileExistsError: another file has the name.
            OSError: the disk refuses.
        """
        part, target = self.part_path(record), self.target_path(record)
        if not part.exists() and target.exists():
            return
        state = part.stat()
        self._note_verified(record, state.st_size, state.st_mtime_ns)
        target.parent.mkdir(parents=True, exist_ok=True)
        _rename_to_free_name(part, target)
        _sync_folder(target.parent)

    def _note_verified(self, record: Record, size_bytes: int, modified_ns: int) -> None:
        path = self._models_dir / ".verified.json"
        values = _verified_values(path)
        values = {name: value for name, value in values.items() if (self._models_dir / name).exists()}
        values[record.name] = {
            "size_bytes": size_bytes,
            "modified_ns": modified_ns,
            "sha256": record.sha256,
            "repository": record.repository,
            "revision": record.revision,
            "file": record.file,
            "licence": record.licence,
            "role": record.role,
        }
        _write_whole(path, values)


def verified_files(models_dir: Path) -> dict[str, VerifiedFile]:
    """Give what was downloaded and verified, by its name in the models folder; changed files are left out."""
    found = {}
    for name, value in _verified_values(models_dir / ".verified.json").items():
        entry = _verified(name, value)
        with contextlib.suppress(OSError):
            state = (models_dir / name).stat()
            if entry is not None and (state.st_size, state.st_mtime_ns) == (
                entry.size_bytes,
                entry.modified_ns,
            ):
                found[name] = entry
    return found


def _verified(name: str, value: Any) -> VerifiedFile | None:
    try:
        checked_file_name(name)
        texts = [value[key] for key in ("sha256", "repository", "revision", "file", "licence", "role")]
        sizes = [value["size_bytes"], value["modified_ns"]]
    except (UsageError, KeyError, TypeError):
        return None
    good = all(isinstance(text, str) for text in texts) and all(isinstance(size, int) for size in sizes)
    return VerifiedFile(name, *sizes, *texts) if good else None


def _verified_values(path: Path) -> dict[str, Any]:
    value = _read_object(path, MAX_VERIFIED_BYTES)
    return dict(value) if value is not None else {}


def _read_record(path: Path) -> Record | None:
    """Read one record; what it names is checked as if it came from the hub, because files can be changed."""
    value = _read_object(path, MAX_STATE_BYTES)
    if value is None or value.get("id") != path.parent.name:
        return None
    known = {field.name for field in fields(Record)}
    try:
        record = Record(**{key: item for key, item in value.items() if key in known})
        _check(record)
    except (UsageError, TypeError, ValueError):
        return None
    return record


def _check(record: Record) -> None:
    """Refuse a record with values that the program would not have written.

    Raises:
        UsageError, TypeError, ValueError: it holds such.
    """
    numbers: dict[str, tuple[type, ...]] = {
        "created": (int, float),
        "size_bytes": (int,),
        "order": (int,),
        "n_files": (int,),
        "n_tries": (int,),
    }
    for field in fields(Record):
        value = getattr(record, field.name)
        if not isinstance(value, numbers.get(field.name, (str,))) or isinstance(value, bool):
            raise TypeError(field.name)
    checked_file_name(record.file)
    checked_file_name(record.name)
    checked_repository(record.repository)
    checked_revision(record.revision)
    good = (
        _ID.fullmatch(record.id)
        and _ID.fullmatch(record.group)
        and record.state in _STATES
        and record.size_bytes >= 0
        and _DIGEST.fullmatch(record.sha256)
        and _DIGEST.fullmatch(record.git_sha1)
        and (record.sha256 or record.git_sha1)
    )
    if not good:
        raise ValueError("a value that the program never wrote")


def _read_object(path: Path, max_bytes: int) -> Mapping[str, Any] | None:
    try:
        value = json.loads(path.read_bytes()) if path.stat().st_size <= max_bytes else None
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _write_whole(path: Path, value: Mapping[str, Any]) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=True)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _rename_to_free_name(part: Path, target: Path) -> None:
    """Rename without replacing: a link fails where the name is taken, also by a file of this instant.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        os.link(part, target)
    except FileExistsError:
        if not part.samefile(target):
            raise
        part.unlink()  # the program ended between the two steps below
    except OSError:  # a file system without links
        if target.exists():
            raise FileExistsError(f"{target.name} is there already") from None
        part.rename(target)
    else:
        part.unlink()


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
