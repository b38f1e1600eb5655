"""What the user dropped or pasted: files and folders, or text."""

import os
from dataclasses import dataclass
from pathlib import PurePath

from PySide6.QtCore import QMimeData, QUrl

from app.ui.chat.image_files import is_image

MAX_TEXT_CHARACTERS = 5_000_000
_MODEL_SUFFIXES = frozenset({".gguf", ".ggml", ".bin"})


@dataclass(frozen=True)
class Intake:
    """Something to put into the library.

    Attributes:
        paths: absolute paths of files and folders of this machine.
        text: pasted or dropped text; used where there are no paths.
        n_refused: addresses that are no files of this machine.
    """

    paths: tuple[str, ...] = ()
    text: str = ""
    n_refused: int = 0

    def __bool__(self) -> bool:
        """Tell whether there is anything to add."""
        return bool(self.paths or self.text)

    @property
    def models(self) -> tuple[str, ...]:
        """Those of the paths that are model files."""
        return tuple(path for path in self.paths if is_model(path))

    @property
    def images(self) -> tuple[str, ...]:
        """Those of the paths that are images."""
        return tuple(path for path in self.paths if is_image(path))


def is_model(path: str) -> bool:
    """Tell by its name whether a file is a model; whether it truly is one, the host says."""
    return PurePath(path).suffix.casefold() in _MODEL_SUFFIXES


def intake_of(mime: QMimeData) -> Intake:
    """Read what a drop or the clipboard holds; nothing is opened."""
    paths = local_paths(mime)
    n_urls = len(mime.urls())
    if paths:
        return Intake(tuple(paths), "", max(0, n_urls - len(paths)))
    if n_urls and not mime.hasText():
        return Intake(n_refused=n_urls)
    text = mime.text() if mime.hasText() else ""
    if n_urls and all(QUrl(line).scheme() for line in text.split()):
        return Intake(n_refused=n_urls)
    return Intake(text=text[:MAX_TEXT_CHARACTERS] if text.strip() else "")


def local_paths(mime: QMimeData) -> list[str]:
    """Give the absolute paths of local files in a drop or the clipboard; other hosts' are left out."""
    paths = map(path_of, mime.urls() or _file_addresses(mime.text()))
    return [path for path in paths if path]


def path_of(url: QUrl) -> str:
    """Give the absolute path of a file of this machine; empty for any other address."""
    if url.isLocalFile() and not url.host() and (path := url.toLocalFile()) and not _is_unc(path):
        return os.path.abspath(path)  # noqa: PTH100  # resolve() would follow links
    return ""


def _file_addresses(text: str) -> list[QUrl]:
    """Give the addresses in a text that is nothing but `file:` addresses; some programs copy so."""
    lines = text[:MAX_TEXT_CHARACTERS].split()
    return [QUrl(line) for line in lines] if lines and all(line.startswith("file:") for line in lines) else []


def _is_unc(path: str) -> bool:
    """Tell whether a path names another machine; touching one can give away credentials (Windows)."""
    return path.startswith(("//", "\\\\"))


def suggested_name(text: str) -> str:
    """Suggest a file name for pasted text: its first words."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    kept = "".join(c if c.isalnum() or c in " -_" else " " for c in line)
    return " ".join(kept.split())[:50].strip() or "Pasted text"
