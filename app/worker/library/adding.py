"""The thread that registers paths: walks folders, tells new files from known ones, queues them."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import apsw

from app.core.errors import AppError, StorageError
from app.protocol.library import FINAL_STATES, FileState
from app.worker.library.database import Database
from app.worker.library.file_store import FileStore, NewFile
from app.worker.library.sources import normal_path, walk
from app.worker.library.waiting import Waiter, Waiters

log = logging.getLogger(__name__)

_BATCH = 200
_RETRY_S = 5.0
_RETRIED = frozenset({FileState.FAILED, FileState.MISSING, FileState.UNSUPPORTED})


@dataclass
class Addition:
    """Paths that were asked for and are not all registered yet.

    Attributes:
        paths: (row of `pending_paths`, which keeps it over a restart; path) each.
        done: set when all are registered.
    """

    collection_id: int
    paths: list[tuple[int, bytes]]
    waiter: Waiter | None
    done: threading.Event = field(default_factory=threading.Event)


class Adder:
    """Works additions off in order; what was accepted survives a restart."""

    def __init__(
        self,
        database: Database,
        files: FileStore,
        waiters: Waiters,
        data_dir: bytes,
        *,
        registered: Callable[[Sequence[int]], None],
        trouble: Callable[[AppError], None],
    ) -> None:
        """Take the parts; `start` begins.

        Args:
            database: of the library.
            files: where files are registered.
            waiters: who waits for them.
            data_dir: never walked, because its files are the program's own.
            registered: gets the locations that are new or are read again.
            trouble: gets an error that stops the work for now.
        """
        self._database, self._files, self._waiters = database, files, waiters
        self._data_dir, self._registered, self._trouble = data_dir, registered, trouble
        self._condition = threading.Condition()
        self._queue: list[Addition] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="adder", daemon=True)

    def start(self) -> None:
        """Take up what an earlier run left, and begin."""
        rows = self._database.rows("SELECT id, path, collection_id FROM pending_paths ORDER BY id")
        for pending_id, path, collection_id in rows:
            self._queue.append(Addition(collection_id, [(pending_id, path)], None))
        self._thread.start()

    def stop(self) -> None:
        """End; what is left is taken up at the next start."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=3.0)

    @property
    def busy(self) -> bool:
        """Whether paths are still being walked."""
        with self._condition:
            return bool(self._queue)

    def add(self, paths: Iterable[str], collection_id: int, waiter: Waiter | None) -> Addition:
        """Accept paths durably; they are registered in the background."""
        normal = [normal_path(path) for path in paths]
        with self._database.write() as connection:
            pending = []
            for path in normal:
                connection.execute(
                    "INSERT INTO pending_paths (path, collection_id) VALUES (?, ?)", (path, collection_id)
                )
                pending.append((connection.last_insert_rowid(), path))
        addition = Addition(collection_id, pending, waiter)
        with self._condition:
            self._queue.append(addition)
            self._condition.notify_all()
        return addition

    def _run(self) -> None:
        while (addition := self._next()) is not None:
            try:
                self._register(addition)
            except StorageError as error:
                self._trouble(error)
                with self._condition:
                    self._condition.wait(timeout=_RETRY_S)
                continue
            except Exception as error:  # the border of a thread: one bad path must not end all adding
                log.exception("adding failed")
                failure = AppError("library.adding_failed", f"Adding files failed ({type(error).__name__}).")
                self._trouble(failure)
                if addition.waiter is not None:
                    self._waiters.fail(addition.waiter, failure)
                self._forget(addition)
            with self._condition:
                if not self._stopped:
                    self._queue.remove(addition)
            addition.done.set()

    def _next(self) -> Addition | None:
        with self._condition:
            while not self._queue and not self._stopped:
                self._condition.wait()
            return None if self._stopped else self._queue[0]

    def _register(self, addition: Addition) -> None:
        """Register everything below the paths; done again, it finds what it did before."""
        for pending_id, path in addition.paths:
            found = walk(path, self._data_dir, lambda: self._stopped)
            while batch := list(islice(found, _BATCH)):
                self._register_batch(addition, batch)
            if self._stopped:
                return
            with self._database.write(durable=False) as connection:
                connection.execute("DELETE FROM pending_paths WHERE id = ?", (pending_id,))
        if addition.waiter is not None:
            self._waiters.walked(addition.waiter)

    def _forget(self, addition: Addition) -> None:
        with self._database.write() as connection:
            connection.executemany(
                "DELETE FROM pending_paths WHERE id = ?", [(pending_id,) for pending_id, _ in addition.paths]
            )

    def _register_batch(self, addition: Addition, batch: Sequence[NewFile]) -> None:
        read_ids: list[int] = []
        known_ids: list[int] = []
        with self._database.write() as connection:
            alive = connection.execute(
                "SELECT 1 FROM collections WHERE id = ?", (addition.collection_id,)
            ).fetchone()
            if alive is None:
                return  # the collection was deleted meanwhile, and these files with it
            known = self._known(connection, addition.collection_id, batch)
            for file in batch:
                row = known.get(file.path)
                if row is None:
                    read_ids.append(self._files.add(connection, addition.collection_id, file))
                elif _is_to_be_read(row, file):
                    self._files.requeue(connection, [row[0]])
                    read_ids.append(row[0])
                elif FileState(row[1]) in FINAL_STATES:
                    known_ids.append(row[0])
                else:
                    read_ids.append(row[0])
        if addition.waiter is not None:
            self._waiters.registered(addition.waiter, read_ids, known_ids)
        self._registered(read_ids)

    def _known(
        self, connection: apsw.Connection, collection_id: int, batch: Sequence[NewFile]
    ) -> dict[bytes, tuple[int, str, int, int]]:
        """Give (id, state, size, mtime) of the paths that the collection holds already."""
        found = {}
        for file in batch:
            row = connection.execute(
                "SELECT id, state, size_bytes, mtime_ns FROM locations WHERE collection_id = ? AND path = ?",
                (collection_id, file.path),
            ).fetchone()
            if row is not None:
                found[file.path] = (row[0], row[1], row[2], row[3])
        return found


def _is_to_be_read(row: tuple[int, str, int, int], file: NewFile) -> bool:
    """Tell whether a known path is read again: it changed, or what ended badly is tried once more."""
    if FileState(row[1]) not in FINAL_STATES:
        return False
    changed = (row[2], row[3]) != (file.size_bytes, file.mtime_ns)
    return file.outcome is None and (changed or FileState(row[1]) in _RETRIED)
