"""Starts the window's process: one Qt application, one event loop, one window."""

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import qasync
from PySide6.QtCore import QLibraryInfo, QLocale, QObject, Qt, QTimer, QTranslator, Slot
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication

from app import __version__
from app.core.paths import DataPaths, data_paths, resources_dir
from app.ui.chat import code_colours, markdown_blocks
from app.ui.icons import icon_pixmap
from app.ui.logs import start_log
from app.ui.main_window import MainWindow, WindowParts
from app.ui.notifier import Notifier
from app.ui.session import Session
from app.ui.signals import SignalWatcher
from app.ui.stalls import StallMonitor
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from app.ui.window_state import load_state

log = logging.getLogger(__name__)
_ICON_SIZES = (16, 24, 32, 48, 64, 128, 256)
_EXIT_PATIENCE_S = 2.0


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and run until it is closed; gives the exit status."""
    arguments = _parser().parse_args(argv)
    paths = data_paths(arguments.data_dir)
    os.umask(0o077)
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
        self._to_add = [os.path.abspath(path) for path in arguments.paths]  # noqa: PTH100  # links stay
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
        self.signals = SignalWatcher(self.window.close_now, self)
        self.stalls = StallMonitor(self)
        self.window.show()
        self._time("shown_ms")

    async def run(self) -> None:
        """Connect, and return when the window was closed."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.notifier.on_loop_error)
        self.stalls.start()
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

    @Slot()
    def _on_first_turn(self) -> None:
        self._time("ready_ms")

    @Slot()
    def _on_connected(self) -> None:
        if "connected_ms" not in self._timings:
            self._time("connected_ms")
            self._write_timings()
        if self._log_handler is None:
            self._log_handler = start_log(self._paths)
        to_add, self._to_add = self._to_add, []
        self.window.intake.add_paths(to_add)
        self.tasks.spawn(self._warm_up(), "warm up")

    async def _warm_up(self) -> None:
        """Load in another thread what the first answer needs; importing it here would hold the window."""
        await asyncio.to_thread(markdown_blocks.warm_up)
        await asyncio.to_thread(code_colours.warm_up)

    def _time(self, name: str) -> None:
        self._timings[name] = round((time.time() - self._began) * 1000)

    def _write_timings(self) -> None:
        if self._timings_path is not None:
            self._timings_path.write_text(json.dumps(self._timings), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="h2ogpt-desktop", description="Private answers from your own documents."
    )
    parser.add_argument("paths", nargs="*", help="files and folders to add to the library")
    parser.add_argument("--data-dir", help="keep everything in this folder")
    parser.add_argument(
        "--timings", type=Path, help="write start times and event-loop delays (JSON) to a file"
    )
    parser.add_argument("--began", type=float, default=time.time(), help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"h2oGPT Desktop {__version__}")
    return parser


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
