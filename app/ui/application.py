"""Starts the window's process: one Qt application, one event loop, one window."""

import argparse
import asyncio
import json
import logging
import sys
import time
from pathlib import Path

import qasync
from PySide6.QtCore import QLibraryInfo, QLocale, QObject, Qt, QTimer, QTranslator, Slot
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication

from app import __version__
from app.core.paths import DataPaths, resources_dir
from app.ui.chat import code_colours, markdown_tokens
from app.ui.garbage import GarbageCollector
from app.ui.icons import icon_pixmap
from app.ui.logs import start_log
from app.ui.main_window import MainWindow, WindowParts
from app.ui.notifier import Notifier
from app.ui.openings import Openings
from app.ui.session import Session
from app.ui.signals import SignalWatcher
from app.ui.stalls import StallMonitor
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.window_state import load_state

log = logging.getLogger(__name__)
_ICON_SIZES = (16, 24, 32, 48, 64, 128, 256)
_EXIT_PATIENCE_S = 2.0


def run(paths: DataPaths, arguments: argparse.Namespace) -> int:
    """Open the window and run until it is closed; gives the exit status."""
    application = create_application()
    loop = qasync.QEventLoop(application, set_running_loop=False)
    asyncio.set_event_loop(loop)
    with loop:
        loop.run_until_complete(Program(application, paths, arguments).run())
    return 0


def create_application() -> QApplication:
    """Create the QApplication as the program wants it: sharp at fractional scales, named, with its icon."""
    QApplication.setApplicationName("h2ogpt-desktop")
    QApplication.setApplicationDisplayName("h2oGPT")
    QApplication.setApplicationVersion(__version__)
    QApplication.setDesktopFileName("h2ogpt-desktop")
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        policy = Qt.HighDpiScaleFactorRoundingPolicy.PassThrough
        QGuiApplication.setHighDpiScaleFactorRoundingPolicy(policy)
        application = QApplication(sys.argv[:1])
    application.setQuitOnLastWindowClosed(False)  # closing is asynchronous; Program decides
    _install_translations(application)
    return application


class Program(QObject):
    """Wires the objects of the window's process and takes them apart again."""

    def __init__(self, application: QApplication, paths: DataPaths, arguments: argparse.Namespace) -> None:
        """Build and show the window; the host is looked for in `run`."""
        super().__init__()
        self._began = arguments.began
        self._timings_path: Path | None = arguments.timings
        self._timings: dict[str, object] = {}
        self._closed = asyncio.Event()
        self._log_handler: logging.Handler | None = None
        self._paths = paths
        self.notifier = Notifier()
        self._undo_hooks = self.notifier.install()
        self.tasks = TaskSpawner(self.notifier)
        self.theme = Theme(load_state(paths).theme, self)
        self.theme.apply()
        application.setWindowIcon(_window_icon(self.theme))
        self.session = Session(paths, parent=self)
        self.window = MainWindow(WindowParts(self.session, self.tasks, self.notifier, self.theme))
        self.window.closed.connect(self._closed.set)
        self.session.connected.connect(self._on_connected)
        self.openings = Openings(self.window, self.session, self.tasks, self)
        self.openings.add(arguments.paths, arguments.n_refused)
        if sys.platform == "darwin":  # pragma: no cover  # there documents come as events, not as arguments
            application.installEventFilter(self.openings)
        self.signals = SignalWatcher(self.window.close_now, self)
        self.stalls = StallMonitor(self)
        self.garbage = GarbageCollector(self)
        self.window.show()
        self._time("shown_ms")

    async def run(self) -> None:
        """Connect, and return when the window was closed."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.notifier.on_loop_error)
        self.stalls.start()
        self.garbage.start()
        self.tasks.spawn(self.session.run(), "session")
        QTimer.singleShot(0, self._on_first_turn)
        try:
            await self._closed.wait()
        finally:
            await self._shut_down()

    async def _shut_down(self) -> None:
        self.stalls.stop()
        self._timings |= self.stalls.figures() | {"n_stalls": len(self.stalls.stalls)}
        self._write_timings()
        try:
            async with asyncio.timeout(_EXIT_PATIENCE_S):
                await self.session.close()
        except TimeoutError:
            log.info("the host did not take leave in time")
        await self.tasks.close()
        self.signals.close()
        self._undo_hooks()
        if self._log_handler is not None:
            logging.getLogger().removeHandler(self._log_handler)
            self._log_handler.close()
        self.window.deleteLater()
        self.garbage.stop()

    @Slot()
    def _on_first_turn(self) -> None:
        self._time("ready_ms")
        self._write_timings()

    @Slot()
    def _on_connected(self) -> None:
        if "connected_ms" not in self._timings:
            self._time("connected_ms")
            self._write_timings()
        if self._log_handler is None:
            self._log_handler = start_log(self._paths)
        self.tasks.spawn(self._warm_up(), "warm up")

    async def _warm_up(self) -> None:
        """Load in another thread what the first answer needs; importing it here would hold the window."""
        await asyncio.to_thread(markdown_tokens.warm_up)
        await asyncio.to_thread(code_colours.warm_up)

    def _time(self, name: str) -> None:
        self._timings[name] = round((time.time() - self._began) * 1000)

    def _write_timings(self) -> None:
        if self._timings_path is not None:
            self._timings_path.write_text(json.dumps(self._timings), encoding="utf-8")


def _window_icon(theme: Theme) -> QIcon:
    result = QIcon()
    for size in _ICON_SIZES:
        result.addPixmap(icon_pixmap("app", theme.colour("accent"), size))
    return result


def _install_translations(application: QApplication) -> None:
    """Load Qt's own words and ours for the user's language, where there are any."""
    locale = QLocale()
    if locale.language() == QLocale.Language.English:
        return
    for name, folder in (
        ("qtbase", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)),
        ("h2ogpt", str(resources_dir() / "translations")),
    ):
        translator = QTranslator(application)
        if translator.load(locale, name, "_", folder):
            application.installTranslator(translator)
