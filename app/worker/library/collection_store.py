"""Collections: named sets of files."""

import time
import unicodedata

import apsw

from app.core.errors import NotFoundError, UsageError
from app.protocol.library import Collection
from app.worker.library.database import Database

_MAX_NAME_CHARS = 100
_SELECT = """
    SELECT c.id, c.name, (SELECT count(*) FROM locations l WHERE l.collection_id = c.id) FROM collections c
"""


class CollectionStore:
    """Reads and writes the table `collections`; any thread."""

    def __init__(self, database: Database) -> None:
        """Take the database and remember the default collection."""
        self._database = database
        row = database.row("SELECT id FROM collections WHERE is_default")
        assert row is not None  # the first migration makes it
        self.default_id = int(row[0])

    def all(self) -> tuple[Collection, ...]:
        """Give all collections, the default one first, then by name."""
        rows = self._database.rows(f"{_SELECT} ORDER BY c.is_default DESC, c.name_key, c.id")
        return tuple(Collection(id=row[0], name=row[1], n_files=row[2]) for row in rows)

    def get(self, collection_id: int) -> Collection:
        """Give one collection.

        Raises:
            NotFoundError: `collection.not_found`.
        """
        row = self._database.row(f"{_SELECT} WHERE c.id = ?", (collection_id,))
        if row is None:
            raise _not_found()
        return Collection(id=row[0], name=row[1], n_files=row[2])

    def find(self, name: str) -> int | None:
        """Give the id of the collection of that name, without regard to case; None where there is none."""
        row = self._database.row("SELECT id FROM collections WHERE name_key = ?", (name_key(name),))
        return None if row is None else int(row[0])

    def named(self, name: str) -> int:
        """Give the id of the collection of that name, the default one for an empty name; made if need be.

        Raises:
            UsageError: `collection.bad_name`.
        """
        if not name.strip():
            return self.default_id
        found = self.find(name)
        return self.create(name).id if found is None else found

    def create(self, name: str) -> Collection:
        """Create a collection.

        Raises:
            UsageError: `collection.exists` or `collection.bad_name`.
        """
        clean = _clean(name)
        with self._database.write() as connection:
            _refuse_taken(connection, clean, None)
            connection.execute(
                "INSERT INTO collections (name, name_key, created_at) VALUES (?, ?, ?)",
                (clean, name_key(clean), time.time()),
            )
            return Collection(id=connection.last_insert_rowid(), name=clean)

    def rename(self, collection_id: int, name: str) -> Collection:
        """Rename a collection.

        Raises:
            NotFoundError: `collection.not_found`.
            UsageError: `collection.exists` or `collection.bad_name`.
        """
        clean = _clean(name)
        with self._database.write() as connection:
            _refuse_taken(connection, clean, collection_id)
            connection.execute(
                "UPDATE collections SET name = ?, name_key = ? WHERE id = ?",
                (clean, name_key(clean), collection_id),
            )
            if not connection.changes():
                raise _not_found()
        return self.get(collection_id)


def name_key(name: str) -> str:
    """Give the form under which names are compared: NFC, without case and surrounding white space."""
    return unicodedata.normalize("NFC", name.strip()).casefold()


def _clean(name: str) -> str:
    clean = " ".join(name.split())
    if not clean or len(clean) > _MAX_NAME_CHARS or not clean.isprintable():
        raise UsageError(
            "collection.bad_name",
            "A collection cannot have that name.",
            f"Choose a name of 1 to {_MAX_NAME_CHARS} visible characters.",
        )
    return clean


def _refuse_taken(connection: apsw.Connection, name: str, own_id: int | None) -> None:
    row = connection.execute("SELECT id FROM collections WHERE name_key = ?", (name_key(name),)).fetchone()
    if row is not None and row[0] != own_id:
        raise UsageError(
            "collection.exists", f"There is a collection called “{name}” already.", "Choose another name."
        )


def _not_found() -> NotFoundError:
    return NotFoundError(
        "collection.not_found",
        "This collection does not exist any more.",
        "Look at the list of collections again.",
    )
