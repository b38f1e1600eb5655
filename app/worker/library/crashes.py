"""Find out at the start whether the last run crashed, and which file it was on; twice is enough."""

import faulthandler
import logging
from pathlib import Path
from typing import BinaryIO

from app.protocol.library import FileState
from app.worker.library.database import Database, fetch
from app.worker.library.reading import CRASHED, MAX_CRASHES
from app.worker.library.vectorizing import give_up_embedding

log = logging.getLogger(__name__)

MAX_UNEXPLAINED = 8
"""A file on which the worker was killed this often (by the system, for memory perhaps) is given up too."""

GIVEN_UP_CODE = "embedding.crashed"
GIVEN_UP_REASON = "This file is found by its words only: working out the meaning of its text crashed twice."
GIVEN_UP_HINT = "Retry the file to try again."


class CrashMark:
    """A file into which Python writes the stacks of all threads when the process crashes (no user text).

    Attributes:
        stacks: what the last run left; empty where it did not crash.
    """

    def __init__(self, path: Path) -> None:
        """Read what the last run left and watch this one. A killed process leaves nothing."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.stacks = path.read_text("utf-8", "replace") if path.exists() else ""
        self._file: BinaryIO = path.open("wb", buffering=0)
        faulthandler.enable(file=self._file, all_threads=True)

    def close(self) -> None:
        """Stop watching."""
        faulthandler.disable()
        self._file.close()

    def blames(self, module: str) -> bool:
        """Tell whether the crash may have happened in a thread of this module."""
        current = self.stacks.partition("Current thread")[2].partition("\n\n")[0]
        if "library/" not in current.replace("\\", "/"):
            return bool(self.stacks)  # a thread of an engine's own: any of them may be to blame
        return f"{module}.py" in current


def quarantine(database: Database, mark: CrashMark) -> None:
    """Count the crash of the last run and give up files that were crashed on twice."""
    with database.write() as connection:
        if mark.blames("reading"):
            connection.execute(
                "UPDATE locations SET crashes = crashes + 1 WHERE state = 'queued' AND attempts > 0"
                " AND recording = '' AND id = (SELECT value FROM meta WHERE key = 'reading')"
            )
        connection.execute(
            "UPDATE locations SET state = ?, reason_code = ?, reason = ?, hint = ?, seconds = 0,"
            " attempts = 0, crashes = 0, recording = '', anew = 0, changes = 0"
            " WHERE state = 'queued' AND (crashes >= ? OR attempts >= ?)",
            (
                str(FileState.FAILED),
                CRASHED.code,
                CRASHED.reason,
                CRASHED.hint,
                MAX_CRASHES,
                MAX_UNEXPLAINED,
            ),
        )
        if connection.changes():
            log.warning("%d files were given up after crashes", connection.changes())
        if not mark.blames("vectorizing"):
            connection.execute("UPDATE documents SET embed_attempts = 0 WHERE embed_attempts > 0")
        rows = fetch(
            connection,
            "SELECT id FROM documents WHERE stage = 'live' AND state = 'embedding' AND embed_attempts >= ?",
            (MAX_CRASHES,),
        )
        for (document_id,) in rows:
            give_up_embedding(connection, document_id, GIVEN_UP_CODE, GIVEN_UP_REASON, GIVEN_UP_HINT)
