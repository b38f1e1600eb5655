"""Model files that come into the window by drop, paste or a start: they are used where they are."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from app.core.errors import AppError
from app.protocol.models import ImportModel
from app.ui.notifier import Notifier
from app.ui.session import Session
from app.ui.tasks import TaskSpawner


class ModelIntake(QObject):
    """Asks the host to take model files over, one after the other; what is wrong with one is told.

    Signals:
        imported: ModelEntry that can be used from now on.
    """

    imported = Signal(object)

    def __init__(
        self, session: Session, tasks: TaskSpawner, notifier: Notifier, parent: QObject | None = None
    ) -> None:
        """Take nothing yet."""
        super().__init__(parent)
        self._session, self._tasks, self._notifier = session, tasks, notifier

    def take(self, paths: Sequence[str]) -> None:
        """Use model files by absolute path, in place."""
        self._tasks.spawn(self._import(tuple(paths)), "import models")

    async def _import(self, paths: tuple[str, ...]) -> None:
        for path in paths:
            try:
                entry = await self._session.call(ImportModel(path=path))
            except AppError as error:
                self._notifier.report(error, "import a model")
            else:
                self.imported.emit(entry)
