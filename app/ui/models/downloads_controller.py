"""The downloads: what the page asks the host for, and what it hears from it."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal, Slot

from app.protocol.downloads import (
    CancelDownload,
    Download,
    DownloadChanged,
    DownloadList,
    ListDownloads,
    PauseDownload,
    ResumeDownload,
)
from app.ui.models.questions import ModelQuestions
from app.ui.models.requests import Asker
from app.ui.models.row_model import RowLook, RowModel
from app.ui.models.words import amount_words, download_mark, size_words
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

RUNNING = frozenset({"queued", "starting", "running", "stalled", "retrying", "verifying"})
PAUSABLE = RUNNING - {"verifying"}
RESUMABLE = frozenset({"paused", "failed"})
ENDED = frozenset({"done", "failed", "cancelled"})
_ASK_FROM_BYTES = 20 * 1024**2  # less than this is soon fetched again


class DownloadsController(Asker):
    """Keeps the list of downloads, the newest first.

    Attributes:
        downloads: rows of Download.
        is_listed: the list has come.

    Signals:
        changed: a download changed, came or went.
        list_failed: AppError; the list cannot be shown.
        ended: Download that is done or failed just now.
    """

    changed = Signal()
    list_failed = Signal(object)
    ended = Signal(object)

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        questions: ModelQuestions,
        parent: QObject | None = None,
    ) -> None:
        """Follow the session's events; nothing is asked before `load`."""
        super().__init__(session, tasks, parent)
        self._questions = questions
        self.downloads = RowModel(lambda download: download.id, _look, self)
        self.is_listed = False
        session.download_changed.connect(self._on_download_changed)

    @property
    def oldest_first(self) -> tuple[Download, ...]:
        """All downloads, as the host lists them."""
        return tuple(reversed(self.downloads.items))

    @property
    def n_running(self) -> int:
        """How many run or wait for their turn."""
        return sum(download.state in RUNNING for download in self.downloads.items)

    def any_in(self, states: frozenset[str]) -> bool:
        """Tell whether a download is in one of these states."""
        return any(download.state in states for download in self.downloads.items)

    @Slot()
    def load(self) -> None:
        """Ask for the list."""
        self.ask_latest("downloads", ListDownloads(), self._take, self.list_failed.emit)

    def _take(self, listed: DownloadList) -> None:
        self.is_listed = True
        self.downloads.show(reversed(listed.downloads))
        self.changed.emit()

    def add(self, started: DownloadList) -> None:
        """Show downloads that were just queued."""
        for download in started.downloads:
            self._put(download)
        self.changed.emit()

    @Slot(object)
    def _on_download_changed(self, event: DownloadChanged) -> None:
        download = event.download
        if event.removed:
            self.downloads.take(download.id)
        else:
            before: Download | None = self.downloads.by_key(download.id)
            self._put(download)
            if download.state in ("done", "failed") and before is not None and before.state != download.state:
                self.ended.emit(download)
        self.changed.emit()

    def _put(self, download: Download) -> None:
        if self.downloads.by_key(download.id) is not None:
            self.downloads.put(download)
        else:
            self.downloads.show([download, *self.downloads.items])

    # --- wishes

    def pause(self, download: Download) -> None:
        """Stop a download and keep what has come."""
        self.ask(PauseDownload(id=download.id))

    def resume(self, download: Download) -> None:
        """Go on with a paused or failed download."""
        self.ask(ResumeDownload(id=download.id))

    @Slot()
    def pause_all(self) -> None:
        """Stop all downloads and keep what has come."""
        self.ask(PauseDownload())

    @Slot()
    def resume_all(self) -> None:
        """Go on with all paused downloads."""
        self.ask(ResumeDownload())

    def remove(self, download: Download) -> None:
        """Take an ended download from the list; one that has not ended is cancelled, after a question."""
        self._tasks.spawn(self._remove(download), "models.cancel")

    async def _remove(self, download: Download) -> None:
        loses = download.state != "done" and download.done_bytes >= _ASK_FROM_BYTES
        if loses and not await self._may_lose(download):
            return
        self.ask(CancelDownload(id=download.id))

    async def _may_lose(self, download: Download) -> bool:
        words = self.tr("{0} of {1} have come and will be deleted. Pausing would keep them.")
        return await self._questions.confirm(
            self.tr("Cancel this download?"),
            words.format(size_words(download.done_bytes), download.title),
            self.tr("Cancel the download"),
        )

    @Slot()
    def remove_ended(self) -> None:
        """Take what is done or was cancelled from the list; failed ones stay, to be tried again."""
        for download in self.downloads.items:
            if download.state in ("done", "cancelled"):
                self.ask(CancelDownload(id=download.id))


def fraction(download: Download) -> float | None:
    """Give how far a download is, 0 to 1; None where that is not known."""
    if download.state == "done":
        return 1.0
    if not download.total_bytes:
        return None
    return min(1.0, download.done_bytes / download.total_bytes)


def titles(downloads: Sequence[Download]) -> str:
    """Give the titles of downloads, each once."""
    return ", ".join(dict.fromkeys(download.title for download in downloads))


def _look(download: Download) -> RowLook:
    return RowLook(
        title=download.title,
        right=amount_words(download),
        marks=(download_mark(download),),
        progress=fraction(download) if download.state in RUNNING else None,
    )
