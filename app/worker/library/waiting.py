"""Requests that wait for files to reach their final state."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.protocol.library import FINAL_STATES, AddResult, FileEntry, FileResult, FileState
from app.worker.library.file_store import FileStore
from app.worker.library.recording_store import WAITS_CODE
from app.worker.runtime import Cancelled, Job

_FAILED = frozenset({FileState.FAILED, FileState.MISSING})
DUPLICATE = "duplicate"


@dataclass(eq=False)
class Waiter:
    """One AddPaths or AddContent that is not answered yet.

    Attributes:
        job: the request.
        wait: it asked for the final states.
        open_ids: files that are not final yet.
        seen: all files registered so far.
        walked: all of its paths were walked.
    """

    job: Job
    wait: bool
    open_ids: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    n_failed: int = 0
    walked: bool = False
    ended: bool = False


class Waiters:
    """All open waiters; any thread.

    A file is registered with its waiter and checked under one lock, and finished files come in under the
    same lock after their commit, so no end is missed.
    """

    def __init__(self, files: FileStore) -> None:
        """Take where to look states up."""
        self._files = files
        self._lock = threading.Lock()
        self._open: set[Waiter] = set()

    def begin(self, job: Job, *, wait: bool) -> Waiter:
        """Make the waiter of a request; cancelling the request ends it, not the work."""
        waiter = Waiter(job, wait)
        with self._lock:
            self._open.add(waiter)
        job.on_cancel = lambda: self._cancel(waiter)
        if job.cancelled.is_set():
            self._cancel(waiter)
        return waiter

    def registered(self, waiter: Waiter, location_ids: Iterable[int], known: Iterable[int]) -> None:
        """Count files that were registered.

        Args:
            waiter: of the request that named them.
            location_ids: files that are new or are read again.
            known: files that were in the library already, unchanged.
        """
        with self._lock:
            if waiter.ended:
                return
            new, old = set(location_ids) - waiter.seen, set(known) - waiter.seen
            waiter.seen |= new | old
            if not waiter.wait:
                return
            for entry in self._files.entries(old):
                self._tell(waiter, entry, known=True)
            waiter.open_ids.update(new)
            for entry in self._files.entries(new):
                if entry.state in FINAL_STATES or _is_postponed(entry):
                    self._tell(waiter, entry)

    def walked(self, waiter: Waiter) -> None:
        """Note that all files of a request are registered."""
        with self._lock:
            waiter.walked = True
            self._end_if_complete(waiter)

    def fail(self, waiter: Waiter, error: Exception) -> None:
        """End a request with an error."""
        with self._lock:
            if not waiter.ended:
                waiter.ended = True
                self._open.discard(waiter)
                waiter.job.end_with_error(error)

    def answer_now(self, waiter: Waiter) -> None:
        """Answer a request that does not wait, although its paths are still being walked."""
        with self._lock:
            if not waiter.wait:
                self._end(waiter)

    def finished(self, location_ids: Iterable[int]) -> None:
        """Note that files reached a final state; call it after the commit."""
        with self._lock:
            wanted = set().union(*(waiter.open_ids for waiter in self._open)) & set(location_ids)
            if not wanted:
                return
            for entry in self._files.entries(wanted):
                for waiter in list(self._open):
                    if entry.location_id in waiter.open_ids and entry.state in FINAL_STATES:
                        self._tell(waiter, entry)

    def postponed(self, location_ids: Iterable[int]) -> None:
        """Note that files wait for something that may not come soon: nobody has to wait with them."""
        with self._lock:
            wanted = set().union(*(waiter.open_ids for waiter in self._open)) & set(location_ids)
            for entry in self._files.entries(wanted) if wanted else ():
                for waiter in list(self._open):
                    if entry.location_id in waiter.open_ids:
                        self._tell(waiter, entry)

    def removed(self, location_ids: Iterable[int]) -> None:
        """Note that files were removed while somebody waited for them."""
        gone = set(location_ids)
        with self._lock:
            for waiter in list(self._open):
                waiter.open_ids -= gone
                self._end_if_complete(waiter)

    def _tell(self, waiter: Waiter, entry: FileEntry, *, known: bool = False) -> None:
        waiter.open_ids.discard(entry.location_id)
        is_failed = entry.state in _FAILED
        state = DUPLICATE if (known or entry.duplicate_of) and not is_failed else str(entry.state)
        reason = entry.reason
        if state == DUPLICATE and entry.duplicate_of:
            reason = f"The same content as {entry.duplicate_of}."
        elif state == DUPLICATE:
            reason = "This file is in the library already and has not changed."
        waiter.n_failed += is_failed
        waiter.job.progress(
            FileResult(
                path=entry.path,
                state=state,
                reason=reason,
                pages=entry.pages,
                chunks=entry.chunks,
                seconds=0.0 if known else round(entry.seconds or 0.0, 3),
            )
        )
        self._end_if_complete(waiter)

    def _end_if_complete(self, waiter: Waiter) -> None:
        if waiter.walked and not waiter.open_ids:
            self._end(waiter)

    def _end(self, waiter: Waiter) -> None:
        if not waiter.ended:
            waiter.ended = True
            self._open.discard(waiter)
            waiter.job.end(AddResult(n_files=len(waiter.seen), n_failed=waiter.n_failed))

    def _cancel(self, waiter: Waiter) -> None:
        with self._lock:
            if not waiter.ended:
                waiter.ended = True
                self._open.discard(waiter)
                waiter.job.end_with_error(Cancelled())


def _is_postponed(entry: FileEntry) -> bool:
    """Tell whether a recording waits for something that is not here, and not just for its turn."""
    return entry.state == FileState.QUEUED and entry.reason_code not in ("", WAITS_CODE)
