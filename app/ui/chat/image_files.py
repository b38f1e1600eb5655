"""Image files and pasted images as bytes to send; called in other threads than the window's."""

from pathlib import Path, PurePath

from PySide6.QtCore import QBuffer, QByteArray, QCoreApplication, QIODevice
from PySide6.QtGui import QImage, QImageWriter

from app.core.errors import FileError

MAX_BYTES = 50 * 1000 * 1000
_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".avif", ".heic"}
)


def is_image(path: str) -> bool:
    """Tell by its name whether a file is an image."""
    return PurePath(path).suffix.casefold() in _SUFFIXES


def patterns() -> str:
    """Give the names of images as a pattern for a file dialog."""
    return " ".join(f"*{suffix}" for suffix in sorted(_SUFFIXES))


def read_image(path: str) -> bytes:
    """Read an image's file.

    Raises:
        FileError: `image.too_large`, `image.empty` or `image.unreadable`.
    """
    name = PurePath(path).name
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        words = _tr("“{0}” cannot be read: {1}.").format(name, error.strerror or type(error).__name__)
        raise FileError("image.unreadable", words, _tr("Check that the file is still there.")) from error
    if len(content) > MAX_BYTES:
        raise _too_large(name)
    if not content:
        raise FileError("image.empty", _tr("“{0}” is empty.").format(name), _tr("Choose another image."))
    return content


def png_of(image: QImage, name: str) -> bytes:
    """Write a pasted image as a PNG file.

    Raises:
        FileError: `image.too_large` or `image.unreadable`.
    """
    content = QByteArray()
    buffer = QBuffer(content)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not QImageWriter(buffer, QByteArray(b"png")).write(image):
        words = _tr("The image in the clipboard cannot be used.")
        raise FileError("image.unreadable", words, _tr("Save it as a file and attach that."))
    if content.size() > MAX_BYTES:
        raise _too_large(name)
    return bytes(content.data())


def _too_large(name: str) -> FileError:
    words = _tr("“{0}” is larger than {1} MB.").format(name, MAX_BYTES // 1_000_000)
    return FileError("image.too_large", words, _tr("Make it smaller, or cut out the part that matters."))


def _tr(text: str) -> str:
    return QCoreApplication.translate("ImageFiles", text)
