"""What front ends do with files and collections: add, remove, retry, cancel, move."""

import json
import os
from collections.abc import Collection, Sequence

import apsw

from app.core.errors import UsageError
from app.protocol.library import (
    AddContent,
    AddPaths,
    DeleteCollection,
    FileList,
    FileState,
    ListFiles,
    MoveFiles,
    RemoveFiles,
    RemoveResult,
    RetryFiles,
)
from app.protocol.system import Empty
from app.worker.library.database import fetch, translated
from app.worker.library.discarded_documents import discard
from app.worker.library.file_store import NewFile, Outcome
from app.worker.library.library import Library
from app.worker.library.sources import is_absolute, normal_path, write_content
from app.worker.runtime import LATER, Job, Later

WALK_WAIT_S = 0.15
"""How long an AddPaths that does not wait is held back, so that it counts the files of small folders."""
_PURGE_WAIT_S = 2.0
_MAX_NAME_CHARS = 255

_CANCELLED = Outcome(
    FileState.FAILED, "cancelled", "Reading was cancelled.", "Retry reads the file from the start."
)


class FileOperations:
    """Serves the requests about files; one thread (the lane `files`)."""

    def __init__(self, library: Library) -> None:
        """Take the library."""
        self._library = library
        self._files, self._database = library.files, library.database

    def add_paths(self, request: AddPaths, job: Job) -> Later:
        """Accept paths and answer at once, or when all are final; see AddPaths."""
        relative = [path for path in request.paths if not is_absolute(path)]
        if relative or not request.paths:
            raise UsageError(
                "library.bad_path",
                "A path to add is not absolute." if relative else "No path to add was given.",
                "Name at least one file or folder with its full path.",
            )
        collection_id = self._library.collections.named(request.collection)
        waiter = self._library.waiters.begin(job, wait=request.wait)
        try:
            addition = self._library.adder.add(request.paths, collection_id, waiter)
        except Exception as error:
            self._library.waiters.fail(waiter, error)
            return LATER
        if not request.wait:
            addition.done.wait(WALK_WAIT_S)
            self._library.waiters.answer_now(waiter)
        return LATER

    def add_content(self, request: AddContent, job: Job) -> Later:
        """Store pasted content and queue it; see AddContent."""
        name = request.name.replace("/", "_").replace("\\", "_").replace("\0", "_")[:_MAX_NAME_CHARS]
        collection_id = self._library.collections.named(request.collection)
        waiter = self._library.waiters.begin(job, wait=False)
        try:
            location_id, is_new = self._store_content(name or "Pasted text.txt", job.payload, collection_id)
        except Exception as error:
            self._library.waiters.fail(waiter, error)
            return LATER
        new, known = ([location_id], []) if is_new else ([], [location_id])
        self._library.waiters.registered(waiter, new, known)
        if is_new:
            self._library.files_queued(new)
        self._library.waiters.answer_now(waiter)
        return LATER

    def _store_content(self, name: str, content: bytes, collection_id: int) -> tuple[int, bool]:
        """Write content and its location; give the location and whether it is new."""
        with self._library.housekeeper.content_lock, translated():
            path, _ = write_content(self._library.paths.files_dir, content)
            stat = path.stat()
            file = NewFile(os.fsencode(path), os.fsencode(name), stat.st_size, stat.st_mtime_ns, "content")
            with self._database.write() as connection:
                known = self._files.find(collection_id, file.path)
                return known or self._files.add(connection, collection_id, file), known is None

    def list_files(self, request: ListFiles, _job: Job) -> FileList:
        """Give one page of files."""
        entries, total = self._files.page(
            request.collection_id, request.contains, request.state, request.offset, request.limit
        )
        return FileList(files=tuple(entries), total=total)

    def remove(self, request: RemoveFiles, _job: Job) -> RemoveResult:
        """Remove locations, and content that none holds any more."""
        ids = set(request.location_ids)
        ids.update(self._files.matching(os.fsdecode(normal_path(path)) for path in request.paths))
        return RemoveResult(removed=self._remove(sorted(ids)))

    def retry(self, request: RetryFiles, _job: Job) -> Empty:
        """Queue files again."""
        self._library.stop_reading(request.location_ids)
        with self._database.write() as connection:
            self._files.requeue(connection, request.location_ids, anew=True)
        self._library.files_queued(request.location_ids)
        return Empty()

    def cancel(self, location_ids: Collection[int]) -> Empty:
        """Stop reading files; those that are final already stay as they are."""
        self._library.stop_reading(location_ids)
        discarded: list[int] = []
        with self._database.write() as connection:
            rows = fetch(
                connection,
                "SELECT id, state, document_id FROM locations WHERE state IN ('queued', 'embedding')"
                " AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(location_ids)),),
            )
            for location_id, state, document_id in rows:
                connection.execute(
                    "UPDATE locations SET revision = revision + 1 WHERE id = ?", (location_id,)
                )
                self._files.finish(connection, location_id, _CANCELLED, content_hash=None, seconds=0.0)
                if state == FileState.EMBEDDING:
                    connection.execute("UPDATE locations SET document_id = NULL WHERE id = ?", (location_id,))
                    discarded += discard(connection, [document_id])
        stopped = [row[0] for row in rows]
        self._library.documents_discarded(discarded)
        self._library.announcer.files_changed(stopped)
        self._library.waiters.finished(stopped)
        return Empty()

    def move(self, request: MoveFiles, _job: Job) -> Empty:
        """Move files to another collection; one that is there already is merged with it."""
        self._library.collections.get(request.collection_id)
        merged: list[int] = []
        with self._database.write() as connection:
            for location_id in request.location_ids:
                try:
                    with connection:
                        connection.execute(
                            "UPDATE locations SET collection_id = ?, conversation_id = NULL WHERE id = ?",
                            (request.collection_id, location_id),
                        )
                except apsw.ConstraintError:
                    merged.append(location_id)
        if merged:
            self._remove(merged)
        self._library.catalogue.changed()
        self._library.announcer.files_changed(request.location_ids)
        self._library.announcer.collections_changed()
        return Empty()

    def delete_collection(self, request: DeleteCollection, _job: Job) -> RemoveResult:
        """Delete a collection with its files; the default one is only emptied."""
        collection_id = self._library.collections.get(request.collection_id).id
        with self._database.write() as connection:
            connection.execute("DELETE FROM pending_paths WHERE collection_id = ?", (collection_id,))
            rows = fetch(connection, "SELECT id FROM locations WHERE collection_id = ?", (collection_id,))
            removed, discarded = _delete(connection, [row[0] for row in rows])
            if collection_id != self._library.collections.default_id:
                connection.execute("DELETE FROM collections WHERE id = ?", (collection_id,))
        self._after_removal(removed, discarded)
        return RemoveResult(removed=len(removed))

    def refresh(self, _request: object, job: Job) -> Later:
        """Look at every source; answered when all were looked at."""

        def done(failure: Exception | None) -> None:
            if failure is None:
                job.end(Empty())
            else:
                job.end_with_error(failure)

        self._library.housekeeper.refresh(done)
        return LATER

    def _remove(self, location_ids: Collection[int]) -> int:
        with self._database.write() as connection:
            removed, discarded = _delete(connection, location_ids)
        self._after_removal(removed, discarded)
        return len(removed)

    def _after_removal(self, removed: Sequence[int], discarded: Sequence[int]) -> None:
        self._library.stop_reading(removed)
        self._library.catalogue.changed()
        self._library.documents_discarded(discarded)
        self._library.waiters.removed(removed)
        self._library.announcer.files_removed(removed)
        self._library.housekeeper.wait_purged(_PURGE_WAIT_S)


def _delete(connection: apsw.Connection, location_ids: Collection[int]) -> tuple[list[int], list[int]]:
    """Delete locations; give those that were there, and the documents that none holds any more."""
    rows = fetch(
        connection,
        "DELETE FROM locations WHERE id IN (SELECT value FROM json_each(?)) RETURNING id, document_id",
        (json.dumps(list(location_ids)),),
    )
    discarded = discard(connection, {row[1] for row in rows if row[1] is not None})
    return [int(row[0]) for row in rows], discarded
