"""How the window may close: work that would end with it is asked about, and the draft is stored first."""

import asyncio
import contextlib

from PySide6.QtCore import QLocale, QObject, Signal

from app.core.errors import AppError
from app.protocol.library import GetLibraryStatus
from app.protocol.system import GetHostStatus, Shutdown
from app.ui.chat.controller import ChatController
from app.ui.dialogs import CloseChoice, Dialogs
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

_STATUS_PATIENCE_S = 1.5


class WindowClosing(QObject):
    """Finds out whether the window may close.

    Attributes:
        is_asked: it is being found out whether something runs, or the user is being asked.

    Signals:
        allowed: the window may close now.
    """

    allowed = Signal()

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        dialogs: Dialogs,
        chats: ChatController,
        parent: QObject | None = None,
    ) -> None:
        """Ask with `dialogs`; the draft is stored through `chats`."""
        super().__init__(parent)
        self.is_asked = False
        self._session, self._tasks, self._dialogs, self._chats = session, tasks, dialogs, chats

    def ask(self) -> None:
        """Ask about running work, if there is any; nothing while that is being asked already."""
        if not self.is_asked:
            self.is_asked = True
            self._tasks.spawn(self._ask(), "close window")

    def leave(self) -> None:
        """Close without asking; what runs goes on in the background."""
        self._tasks.spawn(self._leave(), "close window")

    async def _ask(self) -> None:
        try:
            detail = await self._running_work()
            if detail:
                choice = await self._dialogs.ask_close(detail)
                if choice is CloseChoice.STAY:
                    return
                if choice is CloseChoice.STOP:
                    with contextlib.suppress(AppError):  # it is gone already
                        await self._session.call(Shutdown(force=True))
            await self._leave()
        finally:
            self.is_asked = False

    async def _running_work(self) -> str:
        """Say in words what still runs and would end with the last window; empty where nothing does."""
        if not self._session.is_connected:
            return ""
        try:
            async with asyncio.timeout(_STATUS_PATIENCE_S):
                status = await self._session.call(GetHostStatus())
                if not status.busy or status.n_clients > 1:
                    return ""
                library = await self._session.call(GetLibraryStatus())
        except (AppError, TimeoutError):
            return ""
        if library.waiting and not library.paused:
            count = QLocale().toString(library.waiting)
            return self.tr("Files that are still being read: {0}.").format(count)
        return self.tr("An answer is still being written.")

    async def _leave(self) -> None:
        with contextlib.suppress(
            AppError, TimeoutError
        ):  # a draft that cannot be stored must not hold the user
            async with asyncio.timeout(_STATUS_PATIENCE_S):
                await self._chats.close()
        self.allowed.emit()
