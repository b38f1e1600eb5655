"""Opens the box about the program and reads its components in another thread."""

import asyncio
import platform
import sys
from pathlib import Path

from PySide6 import __version__ as pyside_version
from PySide6.QtCore import QObject, Slot, qVersion
from PySide6.QtWidgets import QWidget

from app import __version__
from app.core.components import Component, components, licence_text
from app.core.errors import AppError
from app.core.frozen import is_frozen
from app.core.paths import resources_dir
from app.ui.about.dialog import AboutDialog, ProgramFacts
from app.ui.dialogs import run
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme


class AboutController(QObject):
    """Shows the box over a window.

    Attributes:
        dialog: the open box; None while there is none.
    """

    def __init__(
        self,
        session: Session,
        tasks: TaskSpawner,
        theme: Theme,
        over: QWidget,
        resources: Path | None = None,
    ) -> None:
        """Show over `over`; `resources` stand in for the program's own."""
        super().__init__(over)
        self._session, self._tasks, self._theme, self._over = session, tasks, theme, over
        self._resources_dir = resources or resources_dir()
        self.dialog: AboutDialog | None = None

    @Slot()
    def open(self) -> None:
        """Show the box, unless it is open."""
        if self.dialog is None:
            self.dialog = AboutDialog(program_facts(self._session.paths.root), self._theme, self._over)
            self.dialog.components.chosen.connect(self._on_component_chosen)
            self._tasks.spawn(self._show(self.dialog), "show about")
            self._tasks.spawn(self._load(self.dialog), "load components")

    async def _show(self, dialog: AboutDialog) -> None:
        try:
            await run(dialog)
        finally:
            self.dialog = None

    async def _load(self, dialog: AboutDialog) -> None:
        try:
            found = await asyncio.to_thread(components, self._resources_dir)
        except AppError as error:
            if dialog is self.dialog:
                dialog.components.show_problem(error)
            return
        if dialog is self.dialog:  # else it was closed meanwhile
            dialog.components.show_components(found)

    @Slot(object)
    def _on_component_chosen(self, component: Component) -> None:
        if self.dialog is not None:
            self._tasks.spawn(self._load_text(self.dialog, component), "load licence text")

    async def _load_text(self, dialog: AboutDialog, component: Component) -> None:
        try:
            text = await asyncio.to_thread(licence_text, component)
        except AppError as error:
            text = f"{error.user_message} {error.hint}"
        if dialog is self.dialog:
            dialog.components.show_text(component, text)


def program_facts(data_dir: Path) -> ProgramFacts:
    """Give what the box says of this installation."""
    is_installed = is_frozen()
    kind = "installed" if is_installed else "source tree"
    lines = (
        f"h2oGPT Desktop {__version__} ({kind})",
        f"Python {platform.python_version()}, Qt {qVersion()}, PySide6 {pyside_version}",
        f"{platform.system()} {platform.release()}, {platform.machine()}",
    )
    return ProgramFacts(
        version=__version__,
        data_dir=data_dir,
        program_dir=Path(sys.executable).parent if is_installed else None,
        versions="\n".join(lines),
    )
