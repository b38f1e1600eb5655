"""Files of the library: the table `locations`, and its entries as front ends see them."""

import json
import os
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from app.protocol.library import FileEntry, FileState
from app.worker.library.database import Database

Progress = Callable[[int], float | None]
"""Gives the progress (0 to 1) of a location that is being read now, else None."""

_SELECT = """
    SELECT l.id, l.document_id, l.path, l.name, l.collection_id, l.state, l.reason_code, l.reason, l.hint,
           l.size_bytes, d.n_pages, coalesce(d.n_chunks, 0), coalesce(d.n_embedded, 0), l.added_at, l.seconds,
           (SELECT p.path FROM locations p
            WHERE p.document_id = l.document_id AND p.collection_id = l.collection_id AND p.id < l.id
            ORDER BY p.id LIMIT 1)
    FROM locations l LEFT JOIN documents d ON d.id = l.document_id
"""
_MAX_PAGE = 1000


@dataclass(frozen=True)
class Outcome:
    """How the reading of a file ended, where no document came of it.

    Attributes:
        state: a final state.
        code: stable name of the reason.
        reason: in words.
        hint: the next step; may be empty.
    """

    state: FileState
    code: str
    reason: str
    hint: str = ""


@dataclass(frozen=True)
class QueuedFile:
    """A file that waits to be read.

    Attributes:
        revision: what the user asked for last; a result for an older one is dropped.
        document_id: what the location holds already (a changed source is read again), or None.
        anew: a recording is to be transcribed once more, although its content is known.
    """

    location_id: int
    collection_id: int | None
    path: bytes
    name: str
    origin: str
    revision: int
    attempts: int
    crashes: int
    document_id: int | None
    anew: bool = False


@dataclass(frozen=True)
class NewFile:
    """A file to register.

    Attributes:
        outcome: already known to be unusable (a pipe, a missing file); None to queue it.
    """

    path: bytes
    name: bytes
    size_bytes: int = 0
    mtime_ns: int = 0
    origin: str = "path"
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Source:
    """A location as it was when it was last read, to compare with the disk."""

    location_id: int
    path: bytes
    origin: str
    document_id: int | None
    content_hash: bytes | None
    size_bytes: int
    mtime_ns: int
    state: FileState


class FileStore:
    """Reads and writes the table `locations`; any thread.

    Callers of what writes pass the connection of their transaction.
    """

    def __init__(self, database: Database, progress: Progress) -> None:
        """Take the database and where to ask for progress."""
        self._database = database
        self._progress = progress

    def entries(self, location_ids: Collection[int]) -> list[FileEntry]:
        """Give the entries that exist of these locations, by id."""
        sql = f"{_SELECT} WHERE l.id IN (SELECT value FROM json_each(?)) ORDER BY l.id"  # noqa: S608
        rows = self._database.rows(sql, (json.dumps(list(location_ids)),))
        return [self._entry(row) for row in rows]

    def page(
        self, collection_id: int | None, contains: str, state: str, offset: int, limit: int
    ) -> tuple[list[FileEntry], int]:
        """Give one page of entries in name order, and how many match on all pages."""
        conditions, arguments = ["l.collection_id IS NOT NULL"], list[int | str]()
        if collection_id is not None:
            conditions.append("l.collection_id = ?")
            arguments.append(collection_id)
        if contains:
            conditions.append("instr(l.name_key, ?) > 0")
            arguments.append(file_name_key(contains))
        if state == FileState.READING:
            return self._reading(conditions, arguments)
        if state:
            conditions.append("l.state = ?")
            arguments.append(state)
        where = " AND ".join(conditions)
        total = self._database.value(f"SELECT count(*) FROM locations l WHERE {where}", arguments)  # noqa: S608
        rows = self._database.rows(
            f"{_SELECT} WHERE {where} ORDER BY l.name_key, l.id LIMIT ? OFFSET ?",
            (*arguments, max(0, min(limit, _MAX_PAGE)), max(0, offset)),
        )
        return [self._entry(row) for row in rows], int(total)

    def _reading(self, conditions: list[str], arguments: list[int | str]) -> tuple[list[FileEntry], int]:
        """Give the files being read; the database knows them as queued, and they are few."""
        where = " AND ".join([*conditions, "l.state = 'queued'"])
        rows = self._database.rows(f"{_SELECT} WHERE {where} ORDER BY l.name_key, l.id", arguments)
        found = [entry for entry in map(self._entry, rows) if entry.state == FileState.READING]
        return found, len(found)

    def counts(self) -> dict[str, int]:
        """Give the number of files by state."""
        rows = self._database.rows(
            "SELECT state, count(*) FROM locations WHERE collection_id IS NOT NULL GROUP BY state"
        )
        return {str(state): int(count) for state, count in rows}

    def find(self, collection_id: int, path: bytes) -> int | None:
        """Give the location of a path in a collection."""
        row = self._database.row(
            "SELECT id FROM locations WHERE collection_id = ? AND path = ?", (collection_id, path)
        )
        return None if row is None else int(row[0])

    def add(self, connection: apsw.Connection, collection_id: int, file: NewFile) -> int:
        """Insert a location, queued or with the outcome that it has already; give its id."""
        outcome = file.outcome or Outcome(FileState.QUEUED, "", "")
        connection.execute(
            "INSERT INTO locations (collection_id, path, name, name_key, origin, size_bytes, mtime_ns, state,"
            " reason_code, reason, hint, added_at, seconds) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                collection_id,
                file.path,
                file.name,
                file_name_key(os.fsdecode(file.name)),
                file.origin,
                file.size_bytes,
                file.mtime_ns,
                str(outcome.state),
                outcome.code,
                outcome.reason,
                outcome.hint,
                time.time(),
                0.0 if file.outcome else None,
            ),
        )
        return connection.last_insert_rowid()

    def next_queued(self) -> QueuedFile | None:
        """Give the file to read next: those that were never tried first, in order of arrival."""
        row = self._database.row(
            "SELECT id, collection_id, path, name, origin, revision, attempts, crashes, document_id, anew"
            " FROM locations WHERE state = 'queued' AND recording = '' ORDER BY attempts, id LIMIT 1"
        )
        if row is None:
            return None
        location_id, collection_id, path, name, *rest = row
        return QueuedFile(location_id, collection_id, path, os.fsdecode(name), *rest)

    def begin_attempt(self, connection: apsw.Connection, location_id: int) -> None:
        """Note that a reading begins, so that one that kills the worker is found at the next start."""
        connection.execute("UPDATE locations SET attempts = attempts + 1 WHERE id = ?", (location_id,))
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('reading', ?)", (location_id,))

    def forget_attempt(self, connection: apsw.Connection, location_id: int) -> None:
        """Take back what `begin_attempt` noted."""
        connection.execute("UPDATE locations SET attempts = attempts - 1 WHERE id = ?", (location_id,))

    def is_current(self, connection: apsw.Connection, location_id: int, revision: int) -> bool:
        """Tell whether a reading is still wanted: not removed, not cancelled, not asked for anew."""
        row = connection.execute(
            "SELECT 1 FROM locations WHERE id = ? AND revision = ? AND state = 'queued'",
            (location_id, revision),
        ).fetchone()
        return row is not None

    def finish(
        self,
        connection: apsw.Connection,
        location_id: int,
        outcome: Outcome,
        *,
        content_hash: bytes | None,
        seconds: float,
        stat: os.stat_result | None = None,
    ) -> None:
        """Set a final state without a new document; what the location held before stays searchable."""
        connection.execute(
            "UPDATE locations SET state = ?, reason_code = ?, reason = ?, hint = ?, seconds = ?,"
            " attempts = 0, crashes = 0, recording = '', anew = 0, changes = 0,"
            " content_hash = coalesce(?, content_hash) WHERE id = ?",
            (
                str(outcome.state),
                outcome.code,
                outcome.reason,
                outcome.hint,
                seconds,
                content_hash,
                location_id,
            ),
        )
        if stat is not None:
            connection.execute(
                "UPDATE locations SET size_bytes = ?, mtime_ns = ? WHERE id = ?",
                (stat.st_size, stat.st_mtime_ns, location_id),
            )

    def link(
        self,
        connection: apsw.Connection,
        location_id: int,
        document_id: int,
        *,
        content_hash: bytes,
        stat: os.stat_result | None,
        seconds: float,
    ) -> None:
        """Let a location hold a document and take over its state (without `stat`: its size stays)."""
        size, mtime = (None, None) if stat is None else (stat.st_size, stat.st_mtime_ns)
        connection.execute(
            "UPDATE locations SET document_id = ?1, content_hash = ?2, size_bytes = coalesce(?3, size_bytes),"
            " mtime_ns = coalesce(?4, mtime_ns), seconds = ?5, attempts = 0, crashes = 0, recording = '',"
            " anew = 0, changes = 0, (state, reason_code, reason, hint) ="
            " (SELECT state, reason_code, reason, hint FROM documents WHERE id = ?1) WHERE id = ?6",
            (document_id, content_hash, size, mtime, seconds, location_id),
        )

    def requeue(
        self, connection: apsw.Connection, location_ids: Iterable[int], *, anew: bool = False
    ) -> None:
        """Queue locations to be read from the start; what they hold stays searchable until then.

        Args:
            connection: of the transaction.
            location_ids: which.
            anew: recordings are transcribed once more, although their content is known.
        """
        connection.executemany(
            "UPDATE locations SET state = 'queued', reason_code = '', reason = '', hint = '', seconds = NULL,"
            " attempts = 0, crashes = 0, revision = revision + 1, recording = '', anew = ?, changes = 0"
            " WHERE id = ?",
            [(int(anew), location_id) for location_id in location_ids],
        )

    def sources(self, location_ids: Collection[int] | None = None) -> list[Source]:
        """Give the sources of these locations (None: all)."""
        condition, arguments = "", list[str]()
        if location_ids is not None:
            condition = "WHERE id IN (SELECT value FROM json_each(?))"
            arguments.append(json.dumps(list(location_ids)))
        rows = self._database.rows(
            "SELECT id, path, origin, document_id, content_hash, size_bytes, mtime_ns, state"  # noqa: S608
            f" FROM locations {condition} ORDER BY id",
            arguments,
        )
        return [_source(row) for row in rows]

    def sources_of_document(self, document_id: int) -> list[Source]:
        """Give the sources that hold a document, the earliest first."""
        rows = self._database.rows(
            "SELECT id FROM locations WHERE document_id = ? ORDER BY id", (document_id,)
        )
        ids = [int(row[0]) for row in rows]
        return self.sources(ids)

    def paths_of(
        self, document_ids: Collection[int], collection_ids: Collection[int] | None
    ) -> dict[int, str]:
        """Give the path to show of each document: its earliest in these collections that is still there."""
        condition = "l.collection_id IS NOT NULL"
        arguments = [json.dumps(list(document_ids))]
        if collection_ids is not None:
            condition = "l.collection_id IN (SELECT value FROM json_each(?))"
            arguments.append(json.dumps(list(collection_ids)))
        rows = self._database.rows(
            "SELECT l.document_id, l.path FROM locations l"  # noqa: S608
            f" WHERE l.document_id IN (SELECT value FROM json_each(?)) AND {condition}"
            " ORDER BY l.state = 'missing' DESC, l.id DESC",
            arguments,
        )
        return {int(row[0]): os.fsdecode(row[1]) for row in rows}  # the last one of a document counts

    def name_of(self, location_id: int) -> str:
        """Give a location's name to show; empty where it is gone."""
        row = self._database.row("SELECT name FROM locations WHERE id = ?", (location_id,))
        return "" if row is None else os.fsdecode(row[0])

    def matching(self, paths: Iterable[str]) -> list[int]:
        """Give the locations with one of these paths, or below one."""
        found: set[int] = set()
        for path in paths:
            exact = os.fsencode(path)
            below = exact.rstrip(os.fsencode(os.sep)) + os.fsencode(os.sep)
            # Every path below a folder sorts from `folder/` up to, and without, `folder0` (the next byte).
            above = below[:-1] + bytes([below[-1] + 1])
            rows = self._database.rows(
                "SELECT id FROM locations WHERE path = ? OR (path >= ? AND path < ?)",
                (exact, below, above),
            )
            found.update(int(row[0]) for row in rows)
        return sorted(found)

    def _entry(self, row: tuple[Any, ...]) -> FileEntry:
        location_id, state, n_chunks, n_embedded = row[0], FileState(row[5]), row[11], row[12]
        code, reason, hint = row[6], row[7], row[8]
        progress = None
        if state == FileState.QUEUED:
            progress = self._progress(location_id)
            if progress is not None:  # what it waited for is over
                state, code, reason, hint = FileState.READING, "", "", ""
        elif state == FileState.EMBEDDING and n_chunks:
            progress = n_embedded / n_chunks
        return FileEntry(
            location_id=location_id,
            document_id=row[1],
            path=os.fsdecode(row[2]),
            name=os.fsdecode(row[3]),
            collection_id=row[4],
            state=state,
            reason_code=code,
            reason=reason,
            hint=hint,
            size_bytes=row[9],
            pages=row[10],
            chunks=n_chunks,
            progress=progress,
            duplicate_of="" if row[15] is None else os.fsdecode(row[15]),
            added_at=row[13],
            seconds=row[14],
        )


def _source(row: tuple[Any, ...]) -> Source:
    location_id, path, origin, document_id, content_hash, size_bytes, mtime_ns, state = row
    return Source(
        location_id, path, origin, document_id, content_hash, size_bytes, mtime_ns, FileState(state)
    )


def file_name_key(name: str) -> str:
    """Give the form under which names are ordered and searched: without case; undecodable bytes replaced."""
    return os.fsencode(name).decode("utf-8", "replace").casefold()


def path_of(source: Source) -> Path:
    """Give a source's path."""
    return Path(os.fsdecode(source.path))
