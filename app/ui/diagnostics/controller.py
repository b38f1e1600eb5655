"""What the diagnostics page asks the host for."""

from PySide6.QtCore import QObject, Signal, Slot

from app.core.errors import AppError
from app.protocol.hardware import GetHardware, Hardware
from app.protocol.system import Check, RunDoctor
from app.ui.session import Session
from app.ui.tasks import TaskSpawner


class DiagnosticsController(QObject):
    """Looks at the computer and runs the checks; each at most once at a time.

    Attributes:
        hardware: what was found last; None before.
        checks: of the last run; empty before.

    Signals:
        looking, checking: it began.
        found: `hardware` is new.
        checked: `checks` are new.
        look_failed, check_failed: AppError.
    """

    looking = Signal()
    found = Signal()
    look_failed = Signal(object)
    checking = Signal()
    checked = Signal()
    check_failed = Signal(object)

    def __init__(self, session: Session, tasks: TaskSpawner, parent: QObject | None = None) -> None:
        """Ask nothing yet."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self._is_looking = self._is_checking = False
        self.hardware: Hardware | None = None
        self.checks: tuple[Check, ...] = ()

    @Slot()
    def look(self) -> None:
        """Look at the computer (a process of its own does, for a second or two)."""
        if not self._is_looking:
            self._is_looking = True
            self.looking.emit()
            self._tasks.spawn(self._look(), "diagnostics.look")

    async def _look(self) -> None:
        try:
            self.hardware = await self._session.call(GetHardware())
        except AppError as error:
            self._is_looking = False
            self.look_failed.emit(error)
        else:
            self._is_looking = False
            self.found.emit()

    @Slot()
    def check(self) -> None:
        """Check the data folder, the model and the search."""
        if not self._is_checking:
            self._is_checking = True
            self.checking.emit()
            self._tasks.spawn(self._check(), "diagnostics.check")

    async def _check(self) -> None:
        try:
            report = await self._session.call(RunDoctor())
        except AppError as error:
            self._is_checking = False
            self.check_failed.emit(error)
        else:
            self._is_checking = False
            self.checks = report.checks
            self.checked.emit()
