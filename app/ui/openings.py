"""What the window is given to open from outside: by its own start, a later start, or the desktop (macOS)."""

import asyncio
import contextlib
import os
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Slot
from PySide6.QtGui import QFileOpenEvent, QGuiApplication
from PySide6.QtWidgets import QWidget

from app.core.errors import AppError
from app.protocol.window import TakeOpening, WindowOpened
from app.ui.intake import path_of
from app.ui.main_window import MainWindow
from app.ui.session import Session
from app.ui.tasks import TaskSpawner

_ADDING_PATIENCE_S = 8.0  # less than WindowService.PATIENCE_S


class Openings(QObject):
    """Adds files to the library that came with a start of the program, and brings the window to the front.

    Files wait until a host is attached. Once the window has closed it takes nothing any more: the start that
    asks becomes the window itself. As an event filter of the application it takes documents that macOS
    delivers as events.
    """

    def __init__(
        self, window: MainWindow, session: Session, tasks: TaskSpawner, parent: QObject | None = None
    ) -> None:
        """Take what comes through `session` for `window`."""
        super().__init__(parent)
        self._window, self._session, self._tasks = window, session, tasks
        self._waiting: list[str] = []
        self._is_open = True
        session.window_opened.connect(self._on_window_opened)
        session.connected.connect(self._on_connected)
        window.closed.connect(self._on_window_closed)

    def add(self, paths: Sequence[str], n_refused: int = 0) -> None:
        """Add files and folders by absolute path, and say that so many addresses were refused."""
        if self._session.is_connected:
            self._window.intake.add_paths(list(paths))
        else:
            self._waiting.extend(paths)
        self._window.intake.tell_refused(n_refused, any_added=bool(paths))

    @Slot()
    def _on_connected(self) -> None:
        paths, self._waiting = self._waiting, []
        self._window.intake.add_paths(paths)

    @Slot(object)
    def _on_window_opened(self, opening: WindowOpened) -> None:
        if self._is_open:
            bring_to_front(self._window, opening.activation_token)
            self._tasks.spawn(self._take(opening), "take opening")

    async def _take(self, opening: WindowOpened) -> None:
        """Add, and let the start that asks go when its files are in the library for good."""
        adding = self._window.intake.add_paths(list(opening.paths))
        self._window.intake.tell_refused(opening.n_refused, any_added=bool(opening.paths))
        if adding is not None:  # it tells what goes wrong itself, and the library may be slow to open
            await asyncio.wait((adding,), timeout=_ADDING_PATIENCE_S)
        with contextlib.suppress(AppError):  # the host is lost: the start that asks tries again
            await self._session.call(TakeOpening(opening_id=opening.opening_id))

    @Slot()
    def _on_window_closed(self) -> None:
        self._is_open = False

    # Qt overrides

    def eventFilter(self, watched: QObject, event: QEvent, /) -> bool:
        """Take the documents that the desktop wants opened."""
        if not isinstance(event, QFileOpenEvent):
            return super().eventFilter(watched, event)
        path = path_of(event.url())
        self.add([path] if path else [], 0 if path else 1)
        bring_to_front(self._window)
        return True


def bring_to_front(window: QWidget, activation_token: str = "") -> None:
    """Show, raise and activate a window.

    Args:
        window: the window.
        activation_token: of the desktop, for whoever may take the focus. Wayland's is read by Qt from the
            environment when the window asks for activation; X11's Qt cannot be told of.
    """
    if activation_token and QGuiApplication.platformName().startswith("wayland"):
        os.environ["XDG_ACTIVATION_TOKEN"] = activation_token  # Source: QWaylandXdgSurface::requestActivate
    if window.isMinimized():
        window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.show()
    window.raise_()
    window.activateWindow()
