"""Documents that nobody holds any more: marked at once, deleted in small steps with all that they left."""

from collections.abc import Callable, Collection

import apsw

from app.worker.library.database import Database, translated
from app.worker.library.schema import chunk_id

_PURGE_CHUNKS = 2000
_MERGE_PAGES = 500


def discard(connection: apsw.Connection, document_ids: Collection[int]) -> list[int]:
    """Mark those documents that no location holds as discarded; give them."""
    gone = []
    for document_id in document_ids:
        connection.execute(
            "UPDATE documents SET stage = 'discarded' WHERE id = ?1 AND stage <> 'discarded'"
            " AND NOT EXISTS (SELECT 1 FROM locations WHERE document_id = ?1)",
            (document_id,),
        )
        if connection.changes():
            gone.append(document_id)
    return gone


class DiscardedDocuments:
    """Deletes discarded documents; the housekeeper's thread."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    def discard_unfinished(self) -> None:
        """Mark what an interrupted worker left half written, to be deleted. Called at the start."""
        with self._database.write() as connection:
            connection.execute("UPDATE documents SET stage = 'discarded' WHERE stage = 'staging'")

    def purge(self, stopping: Callable[[], bool]) -> bool:
        """Delete discarded documents in small steps; give whether any was deleted."""
        found = False
        while not stopping():
            row = self._database.row("SELECT id FROM documents WHERE stage = 'discarded' LIMIT 1")
            if row is None:
                break
            found = True
            self._purge_step(int(row[0]))
        return found

    def _purge_step(self, document_id: int) -> None:
        with self._database.write() as connection:
            last = connection.execute(
                "SELECT max(ordinal) FROM chunks WHERE document_id = ?", (document_id,)
            ).get
            if last is None:
                for table in ("segments", "pages", "headings", "times"):
                    connection.execute(f"DELETE FROM {table} WHERE document_id = ?", (document_id,))  # noqa: S608
                connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('keywords_to_clean', 1)")
                return
            first = max(0, last + 1 - _PURGE_CHUNKS)
            connection.execute(
                "DELETE FROM keywords WHERE rowid BETWEEN ? AND ?",
                (chunk_id(document_id, first), chunk_id(document_id, last)),
            )
            for table in ("embeddings", "chunks"):
                connection.execute(
                    f"DELETE FROM {table} WHERE document_id = ? AND ordinal >= ?",  # noqa: S608
                    (document_id, first),
                )

    def clean_keywords(self, stopping: Callable[[], bool]) -> None:
        """Rewrite the keyword index so that no word of a deleted text is left in it, then empty the log.

        FTS5 only marks deleted rows; merging all its segments into one drops what was marked.
        """
        with translated():
            reader = self._database.reader()
            pending = reader.execute("SELECT 1 FROM meta WHERE key = 'keywords_to_clean'").fetchone()
        if pending is None:
            return
        step = -_MERGE_PAGES  # negative: begin to merge everything into one segment
        while not stopping():
            with self._database.write(durable=False) as connection:
                before = connection.total_changes()
                connection.execute("INSERT INTO keywords (keywords, rank) VALUES ('merge', ?)", (step,))
                finished = connection.total_changes() - before < 2
                if finished:
                    connection.execute("DELETE FROM meta WHERE key = 'keywords_to_clean'")
                    connection.execute("PRAGMA incremental_vacuum")
            step = _MERGE_PAGES
            if finished:
                self._database.checkpoint()
                return
