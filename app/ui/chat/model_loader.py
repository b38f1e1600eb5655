"""Loads a model ahead of its first use, on behalf of the window; can be cancelled."""

import asyncio

from PySide6.QtCore import QObject, Signal, Slot

from app.core.errors import AppError
from app.protocol.models import ChooseModel
from app.ui.notifier import Notifier
from app.ui.session import Cancelled, Session
from app.ui.tasks import TaskSpawner


class ModelLoader(QObject):
    """Asks for one model at a time; a newer wish ends the older one.

    Signals:
        changed: name of the model that is being loaded (str); empty where none is.
    """

    changed = Signal(str)

    def __init__(
        self, session: Session, tasks: TaskSpawner, notifier: Notifier, parent: QObject | None = None
    ) -> None:
        """Load nothing yet."""
        super().__init__(parent)
        self._session, self._tasks, self._notifier = session, tasks, notifier
        self._task: asyncio.Task[None] | None = None
        self._name: str | None = None

    @property
    def is_loading(self) -> bool:
        """Whether a model is being loaded because the window asked for it."""
        return self._task is not None

    def load(self, name: str) -> None:
        """Load a model; empty: the default one. Nothing where this one is being loaded already."""
        if self._task is not None and name == self._name:
            return
        self._end()
        self._name = name
        self._task = self._tasks.spawn(self._load(name), "load model")
        if self._task is not None:
            self.changed.emit(name)

    @Slot()
    def cancel(self) -> None:
        """End the loading; the host lets go of what was loaded so far."""
        if self._task is not None:
            self._end()
            self.changed.emit("")

    def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()  # leaving a request cancels it

    async def _load(self, name: str) -> None:
        try:
            await self._session.call(ChooseModel(name=name))
        except Cancelled:
            pass  # another front end ended it
        except AppError as error:
            self._notifier.report(error, "load model")
        if self._task is asyncio.current_task():
            self._task = None
            self.changed.emit("")
