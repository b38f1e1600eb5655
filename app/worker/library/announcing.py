"""Tell the host what changed: events gathered and sent at most ten times a second."""

import logging
import threading
from collections.abc import Callable, Iterable

from app.core.errors import AppError
from app.protocol.body import Body
from app.protocol.library import CollectionsChanged, FileChanged, FilesRemoved
from app.protocol.system import Notice
from app.worker.library.collection_store import CollectionStore
from app.worker.library.file_store import FileStore

log = logging.getLogger(__name__)

_INTERVAL_S = 0.1
_MAX_FILES_A_TURN = 200
_STATUS_EVERY_TURNS = 5


class Announcer:
    """Sends FileChanged, FilesRemoved, CollectionsChanged, LibraryStatus and Notice events; a thread.

    A change is only marked; what is sent is the state at the time of sending, so a burst of changes of one
    file becomes one event.
    """

    def __init__(
        self,
        send: Callable[[Body], None],
        files: FileStore,
        collections: CollectionStore,
        status: Callable[[], Body],
    ) -> None:
        """Take where to send and what to ask; `start` begins."""
        self._send, self._files, self._collections, self._status = send, files, collections, status
        self._condition = threading.Condition()
        self._changed: dict[int, None] = {}
        self._removed: list[int] = []
        self._collections_changed = False
        self._status_changed = False
        self._notices: dict[str, Notice] = {}
        self._shown: set[str] = set()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is left and end."""
        with self._condition:
            self._stopped = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def files_changed(self, location_ids: Iterable[int]) -> None:
        """Mark files whose state or progress changed."""
        with self._condition:
            self._changed.update(dict.fromkeys(location_ids))
            self._status_changed = True
            self._condition.notify()

    def files_removed(self, location_ids: Iterable[int]) -> None:
        """Mark files that are gone."""
        with self._condition:
            self._removed.extend(location_ids)
            self._status_changed = self._collections_changed = True
            self._condition.notify()

    def collections_changed(self) -> None:
        """Mark that a collection, its name or its number of files changed."""
        with self._condition:
            self._collections_changed = self._status_changed = True
            self._condition.notify()

    def status_changed(self) -> None:
        """Mark that the state of ingestion changed."""
        with self._condition:
            self._status_changed = True
            self._condition.notify()

    def notice(self, error: AppError, severity: str = "error") -> None:
        """Tell the user of a trouble, once until `resolved` is called for it."""
        with self._condition:
            if error.code not in self._shown:
                self._shown.add(error.code)
                self._notices[error.code] = Notice(
                    severity=severity, code=error.code, message=error.user_message, hint=error.hint
                )
                self._condition.notify()

    def resolved(self, code: str) -> None:
        """Note that a trouble is over; it is told again if it comes back."""
        with self._condition:
            self._shown.discard(code)

    def _run(self) -> None:
        turn = 0
        while True:
            with self._condition:
                while not (self._has_work() or self._stopped):
                    self._condition.wait()
                if self._stopped and not self._has_work():
                    return
                stopped = self._stopped
            self._turn(last=stopped, status=turn % _STATUS_EVERY_TURNS == 0)
            turn += 1
            if not stopped:
                threading.Event().wait(_INTERVAL_S)

    def _has_work(self) -> bool:
        return bool(
            self._changed
            or self._removed
            or self._notices
            or self._collections_changed
            or self._status_changed
        )

    def _turn(self, *, last: bool, status: bool) -> None:
        with self._condition:
            changed = list(self._changed)[: None if last else _MAX_FILES_A_TURN]
            for location_id in changed:
                del self._changed[location_id]
            removed, self._removed = self._removed, []
            notices, self._notices = list(self._notices.values()), {}
            tell_status = self._status_changed and (status or last)
            tell_collections = self._collections_changed and (status or last)
            self._status_changed = self._status_changed and not tell_status
            self._collections_changed = self._collections_changed and not tell_collections
        try:
            for notice in notices:
                self._send(notice)
            if removed:
                self._send(FilesRemoved(location_ids=tuple(removed)))
            for entry in self._files.entries(changed) if changed else ():
                self._send(FileChanged(file=entry))
            if tell_collections:
                self._send(CollectionsChanged(collections=self._collections.all()))
            if tell_status:
                self._send(self._status())
        except AppError as error:  # a database that cannot be read now; the next change is told again
            log.warning("events were dropped: %s", error)
