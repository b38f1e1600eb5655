"""Recordings that wait to be transcribed: their part of the table `locations`."""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import apsw

from app.worker.library.database import Database, fetch
from app.worker.library.file_store import Outcome

WAITS_CODE = "recording.waits"
WAITS_REASON = "Waits to be transcribed."

_COLUMNS = "id, path, name, revision, document_id, content_hash, size_bytes, mtime_ns, anew, changes"


@dataclass(frozen=True)
class QueuedRecording:
    """A recording that waits or is being transcribed.

    Attributes:
        document_id: what its location holds already, or None.
        content_hash: sha256 of its bytes when it was found to be a recording.
        size_bytes: then.
        mtime_ns: then.
        anew: it is transcribed once more, although its content is known.
        changes: how often it was changed while it was transcribed.
    """

    location_id: int
    path: bytes
    name: str
    revision: int
    document_id: int | None
    content_hash: bytes
    size_bytes: int
    mtime_ns: int
    anew: bool
    changes: int

    def is_unchanged(self, status: os.stat_result) -> bool:
        """Tell whether the file looks as it did when it was read."""
        return (status.st_size, status.st_mtime_ns) == (self.size_bytes, self.mtime_ns)


class RecordingStore:
    """Reads and writes which recordings wait; any thread.

    Callers of what writes pass the connection of their transaction.
    """

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def next_waiting(self, running: Collection[int]) -> QueuedRecording | None:
        """Give the next recording: none that runs, and none with the same content as one that runs."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM locations WHERE recording = 'waiting' AND state = 'queued'"  # noqa: S608
            " AND id NOT IN (SELECT value FROM json_each(?1)) AND content_hash NOT IN"
            " (SELECT content_hash FROM locations WHERE id IN (SELECT value FROM json_each(?1)))"
            " ORDER BY attempts, id LIMIT 1",
            (json.dumps(sorted(running)),),
        )
        return _recording(rows[0]) if rows else None

    def current(self, location_id: int, revision: int) -> QueuedRecording | None:
        """Give a recording whose result is still wanted: not removed, not cancelled, not asked for anew."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM locations WHERE id = ? AND revision = ?"  # noqa: S608
            " AND state = 'queued' AND recording <> ''",
            (location_id, revision),
        )
        return _recording(rows[0]) if rows else None

    def n_postponed(self) -> int:
        """Give how many wait for something that is not here yet."""
        return int(self._database.value("SELECT count(*) FROM locations WHERE recording = 'later'"))

    def n_waiting(self) -> int:
        """Give how many wait for their turn, or have it."""
        return int(self._database.value("SELECT count(*) FROM locations WHERE recording = 'waiting'"))

    def same_content(self, connection: apsw.Connection, recording: QueuedRecording) -> list[int]:
        """Give others that wait with the same bytes."""
        rows = fetch(
            connection,
            "SELECT id FROM locations WHERE recording <> '' AND state = 'queued' AND content_hash = ?"
            " AND id <> ?",
            (recording.content_hash, recording.location_id),
        )
        return [int(row[0]) for row in rows]

    def wait(
        self, connection: apsw.Connection, location_id: int, content_hash: bytes, status: os.stat_result
    ) -> None:
        """Let a file that was found to be a recording wait for its turn."""
        connection.execute(
            "UPDATE locations SET recording = 'waiting', reason_code = ?, reason = ?, hint = '',"
            " content_hash = ?, size_bytes = ?, mtime_ns = ?, attempts = 0, crashes = 0 WHERE id = ?",
            (WAITS_CODE, WAITS_REASON, content_hash, status.st_size, status.st_mtime_ns, location_id),
        )

    def postpone(self, connection: apsw.Connection, location_id: int, why: Outcome) -> None:
        """Let a recording wait until `resume`, with the reason."""
        connection.execute(
            "UPDATE locations SET recording = 'later', reason_code = ?, reason = ?, hint = ?, attempts = 0"
            " WHERE id = ?",
            (why.code, why.reason, why.hint, location_id),
        )

    def resume(self, connection: apsw.Connection) -> list[int]:
        """Let all that were postponed wait for their turn again; give them."""
        rows = fetch(
            connection,
            "UPDATE locations SET recording = 'waiting', reason_code = ?, reason = ?, hint = ''"
            " WHERE recording = 'later' RETURNING id",
            (WAITS_CODE, WAITS_REASON),
        )
        return [int(row[0]) for row in rows]

    def read_again(self, connection: apsw.Connection, recording: QueuedRecording) -> None:
        """Queue a recording that was changed, to be looked at from the start; results for it are dropped."""
        connection.execute(
            "UPDATE locations SET recording = '', reason_code = '', reason = '', hint = '', attempts = 0,"
            " revision = revision + 1, changes = changes + 1 WHERE id = ?",
            (recording.location_id,),
        )

    def begin_attempt(self, connection: apsw.Connection, location_id: int) -> None:
        """Note that a transcription begins, so that one that kills the program is found in the end."""
        connection.execute("UPDATE locations SET attempts = attempts + 1 WHERE id = ?", (location_id,))

    def forget_attempts(self, connection: apsw.Connection, location_ids: Collection[int]) -> None:
        """Take back what `begin_attempt` noted."""
        connection.execute(
            "UPDATE locations SET attempts = max(0, attempts - 1) WHERE recording <> ''"
            " AND id IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(location_ids)),),
        )

    def replace_document(
        self, connection: apsw.Connection, recording: QueuedRecording, new_id: int
    ) -> tuple[list[int], list[int]]:
        """Let whatever holds an earlier transcript of these bytes hold the new one.

        Returns:
            The earlier documents, and the locations that held them.
        """
        rows = fetch(
            connection,
            "SELECT id FROM documents WHERE content_hash = ? AND stage = 'live' AND id <> ?",
            (recording.content_hash, new_id),
        )
        old_ids = [int(row[0]) for row in rows]
        holder_ids: list[int] = []
        for old_id in old_ids:
            connection.execute(
                "UPDATE locations SET (state, reason_code, reason, hint) ="
                " (SELECT state, reason_code, reason, hint FROM documents WHERE id = ?1)"
                " WHERE document_id = ?2 AND state IN ('embedding', 'ready', 'partial', 'empty')",
                (new_id, old_id),
            )
            holders = fetch(
                connection,
                "UPDATE locations SET document_id = ? WHERE document_id = ? RETURNING id",
                (new_id, old_id),
            )
            holder_ids.extend(int(row[0]) for row in holders)
        return old_ids, holder_ids


def _recording(row: tuple[Any, ...]) -> QueuedRecording:
    location_id, path, name, revision, document_id, content_hash, size_bytes, mtime_ns, anew, changes = row
    return QueuedRecording(
        location_id,
        path,
        os.fsdecode(name),
        revision,
        document_id,
        content_hash,
        size_bytes,
        mtime_ns,
        bool(anew),
        changes,
    )
