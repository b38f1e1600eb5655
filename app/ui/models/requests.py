"""How the controllers of this window ask the host: one task a wish, failures told, stale answers dropped."""

import asyncio
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.core.errors import AppError
from app.protocol.body import Request
from app.ui.session import Cancelled, Session
from app.ui.tasks import TaskSpawner


class Asker(QObject):
    """Base of the controllers.

    Signals:
        failed: AppError; a wish could not be fulfilled.
    """

    failed = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Ask through `session`."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self._jobs: dict[str, asyncio.Task[Any] | None] = {}

    def ask(
        self,
        request: Request[Any],
        take: Callable[[Any], object] | None = None,
        on_error: Callable[[AppError], object] | None = None,
    ) -> None:
        """Send a request; hand its answer to `take` and its failure to `on_error` (else it is told)."""
        self._tasks.spawn(self._ask(request, take, on_error), f"models.{type(request).__name__}")

    def ask_latest(
        self,
        slot: str,
        request: Request[Any],
        take: Callable[[Any], object],
        on_error: Callable[[AppError], object] | None = None,
    ) -> None:
        """Send a request in place of the one before it in `slot`, which is cancelled and never answered."""
        self.drop(slot)
        self._jobs[slot] = self._tasks.spawn(self._ask(request, take, on_error), f"models.{slot}")

    def drop(self, slot: str) -> None:
        """Cancel what runs in a slot."""
        task = self._jobs.pop(slot, None)
        if task is not None and not task.done():
            task.cancel()

    async def _ask(
        self,
        request: Request[Any],
        take: Callable[[Any], object] | None,
        on_error: Callable[[AppError], object] | None,
    ) -> None:
        try:
            answer = await self._session.call(request)
        except AppError as error:
            if on_error is None:
                self.failed.emit(error)
            else:
                on_error(error)
        except Cancelled:
            return
        else:
            if take is not None:
                take(answer)
