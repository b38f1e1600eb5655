"""The thread that tidies up: deletes what was discarded, looks at the sources, sweeps stored content."""

import logging
import os
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from app.core.errors import AppError
from app.protocol.library import FileState
from app.worker.library.database import Database
from app.worker.library.discarded_documents import DiscardedDocuments
from app.worker.library.file_store import FileStore, Outcome, Source
from app.worker.library.pace import EMBEDDING_STEPS, lower_priority
from app.worker.library.sources import MISSING, MISSING_KEPT

log = logging.getLogger(__name__)

_CLEAN_DELAY_S = 0.3
_RETRY_S = 5.0
_REFRESH_BATCH = 200


class Housekeeper:
    """Works wishes off at a low priority.

    Attributes:
        content_lock: held while stored content and its location do not agree yet.
    """

    def __init__(
        self,
        database: Database,
        files: FileStore,
        discarded: DiscardedDocuments,
        files_dir: Path,
        *,
        reading: Callable[[], bool],
        requeued: Callable[[Iterable[int]], None],
        changed: Callable[[Iterable[int]], None],
    ) -> None:
        """Take the parts; `start` begins.

        Args:
            database: of the library.
            files: their sources are looked at.
            discarded: deletes what nobody holds any more.
            files_dir: stored content.
            reading: tells whether files are being read, which goes before cleaning.
            requeued: gets files whose source changed.
            changed: gets files whose state changed.
        """
        self._database, self._files, self._discarded = database, files, discarded
        self._files_dir = files_dir
        self._reading, self._requeued, self._changed = reading, requeued, changed
        self.content_lock = threading.RLock()
        self._condition = threading.Condition()
        self._purge_wanted = True
        self._purging = False
        self._clean_wanted = True
        self._refreshes: list[Callable[[Exception | None], None]] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="housekeeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that runs; the rest is done at the next start."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=3.0)

    def purge(self) -> None:
        """Delete discarded documents soon."""
        with self._condition:
            self._purge_wanted = self._clean_wanted = True
            self._condition.notify_all()

    def wait_purged(self, timeout_s: float) -> None:
        """Wait until nothing discarded is left, or for that long."""
        with self._condition:
            self._condition.wait_for(lambda: not (self._purge_wanted or self._purging), timeout_s)

    def refresh(self, done: Callable[[Exception | None], None]) -> None:
        """Look at every source soon; `done` is called afterwards, with what went wrong or None."""
        with self._condition:
            self._refreshes.append(done)
            self._condition.notify_all()

    def _run(self) -> None:
        lower_priority(EMBEDDING_STEPS)
        while True:
            with self._condition:
                while not (self._purge_wanted or self._clean_wanted or self._refreshes or self._stopped):
                    self._condition.wait()
                if self._stopped:
                    return
            try:
                self._turn()
            except AppError as error:
                log.warning("tidying up failed: %s", error)
                self._wait(_RETRY_S)
            except Exception:  # the border of a thread: tidying is tried again, the worker goes on
                log.exception("tidying up failed")
                self._wait(_RETRY_S)

    def _turn(self) -> None:
        self._refresh_if_wanted()
        with self._condition:
            purge, self._purge_wanted = self._purge_wanted, False
            self._purging = purge
        try:
            if purge:
                self._discarded.purge(self._is_stopped)
                self._sweep_files()
        except BaseException:
            with self._condition:
                self._purge_wanted = True
            raise
        finally:
            with self._condition:
                self._purging = False
                self._condition.notify_all()
        if self._clean_wanted and not self._reading():
            self._discarded.clean_keywords(self._must_yield)
            with self._condition:
                self._clean_wanted = False
        elif self._clean_wanted:
            self._wait(_CLEAN_DELAY_S)

    def _wait(self, seconds: float) -> None:
        with self._condition:
            self._condition.wait_for(
                lambda: self._stopped or self._purge_wanted or bool(self._refreshes), seconds
            )

    def _is_stopped(self) -> bool:
        return self._stopped

    def _must_yield(self) -> bool:
        return self._stopped or self._purge_wanted

    def _sweep_files(self) -> None:
        """Delete stored content that no location names any more."""
        if not self._files_dir.is_dir():
            return
        with self.content_lock:
            rows = self._database.rows("SELECT path FROM locations WHERE origin = 'content'")
            named = {os.path.basename(row[0]) for row in rows}  # noqa: PTH119  # bytes
            for path in self._files_dir.iterdir():
                if os.fsencode(path.name) not in named:
                    path.unlink(missing_ok=True)

    def _refresh_if_wanted(self) -> None:
        with self._condition:
            waiting, self._refreshes = self._refreshes, []
        if not waiting:
            return
        failure: Exception | None = None
        try:
            self._look_at_sources()
        except AppError as error:
            failure = error
        for done in waiting:
            done(failure)

    def _look_at_sources(self) -> None:
        sources = self._files.sources()
        for first in range(0, len(sources), _REFRESH_BATCH):
            if self._stopped:
                return
            batch = sources[first : first + _REFRESH_BATCH]
            gone, stale = [], []
            for source in batch:
                look = _look_at(source)
                if look == FileState.MISSING:
                    gone.append(source)
                elif look == FileState.QUEUED:
                    stale.append(source.location_id)
            self._mark(gone, stale)

    def _mark(self, gone: list[Source], stale: list[int]) -> None:
        if not gone and not stale:
            return
        with self._database.write() as connection:
            for source in gone:
                outcome: Outcome = MISSING if source.document_id is None else MISSING_KEPT
                connection.execute(
                    "UPDATE locations SET state = ?, reason_code = ?, reason = ?, hint = ?, recording = ''"
                    " WHERE id = ?",
                    (str(outcome.state), outcome.code, outcome.reason, outcome.hint, source.location_id),
                )
            self._files.requeue(connection, stale)
        self._changed([source.location_id for source in gone])
        self._requeued(stale)


def _look_at(source: Source) -> FileState | None:
    """Give what is to be done: MISSING to mark it, QUEUED to read it again, None for nothing."""
    if source.state in (FileState.QUEUED, FileState.EMBEDDING):
        return None
    try:
        status = os.stat(source.path)  # noqa: PTH116  # bytes
    except OSError:
        return None if source.state == FileState.MISSING else FileState.MISSING
    if not stat.S_ISREG(status.st_mode):
        return None  # a pipe or folder, listed with its reason
    unchanged = (status.st_size, status.st_mtime_ns) == (source.size_bytes, source.mtime_ns)
    return None if unchanged and source.state != FileState.MISSING else FileState.QUEUED
