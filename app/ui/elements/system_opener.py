"""Opens files and folders in the system's own programs."""

import sys
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QProcess, QUrl
from PySide6.QtGui import QDesktopServices


class Opener(Protocol):
    """What panes need; tests inject their own."""

    def open_file(self, path: str) -> bool:
        """Open a file in the program that the system has for it; False if there is none."""

    def show_in_folder(self, path: str) -> bool:
        """Show a file in the system's file manager; False if that is not possible."""


class SystemOpener:
    """Hands paths of the user's own files to the desktop."""

    def open_file(self, path: str) -> bool:
        """Open a file in the program that the system has for it; False if it is gone or there is none."""
        return Path(path).is_file() and QDesktopServices.openUrl(QUrl.fromLocalFile(path))

    def show_in_folder(self, path: str) -> bool:
        """Show the file chosen in its folder where the system can, else open the folder."""
        if sys.platform == "darwin":
            return _started("open", ["-R", path])
        if sys.platform == "win32":
            return _started("explorer", [f"/select,{Path(path)}"])
        folder = Path(path).parent
        return folder.is_dir() and QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def open_folder(path: Path) -> bool:
    """Open a folder in the system's file manager; False if it is gone or there is none."""
    return path.is_dir() and QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


def _started(program: str, arguments: list[str]) -> bool:
    started, _pid = QProcess.startDetached(program, arguments)
    return started
