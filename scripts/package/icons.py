"""Draw the application's icon in every form that an installer needs, from `resources/icons/app-icon.svg`.

Windows wants an .ico, macOS an .icns, Linux one PNG per size. QtSvg draws; it needs neither a display nor a
QApplication for that.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.setup.layout import REPOSITORY_DIR

SOURCE_PATH = REPOSITORY_DIR / "resources" / "icons" / "app-icon.svg"
ICO_SIZES = (16, 20, 24, 32, 40, 48, 64, 128, 256)
HICOLOR_SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
WIZARD_SIZE = (164, 314)
"""Width and height in pixels of the picture at the side of the Windows installer."""

# Source: Apple's icon grid: the shape takes 824 of 1024 pixels, the rest is room for the shadow.
_MACOS_MARGIN = 100 / 1024 - 32 / 1024
# Source: the types that Apple's iconutil writes. The two small ones hold raw channels, the others PNG; those
# with two names are also the double-resolution form of the next smaller size.
_ICNS_CHANNELS = {"ic04": 16, "ic05": 32}
_ICNS_PNG = {
    "ic11": 32,
    "ic12": 64,
    "ic07": 128,
    "ic13": 256,
    "ic08": 256,
    "ic14": 512,
    "ic09": 512,
    "ic10": 1024,
}


@dataclass(frozen=True)
class Drawing:
    """The icon at one size.

    Attributes:
        png: The file's bytes.
        argb: The channels one after the other (alpha, red, green, blue), a byte for each pixel, row by row.
    """

    png: bytes
    argb: tuple[bytes, bytes, bytes, bytes]


def draw(size: int, margin: float = 0.0, source_path: Path = SOURCE_PATH) -> Drawing:
    """Draw the icon.

    Args:
        size: Edge in pixels.
        margin: What stays empty at each edge, as a share of the size.
        source_path: The SVG file.

    Raises:
        ValueError: The file is not an SVG drawing.
    """
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    renderer = QSvgRenderer(QByteArray(source_path.read_bytes()))
    if not renderer.isValid():
        raise ValueError(f"{source_path} is not an SVG drawing")
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    inset = size * margin
    renderer.render(painter, QRectF(inset, inset, size - 2 * inset, size - 2 * inset))
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # the stubs ask for bytes, which fail
    pixels = bytes(image.constBits())  # little-endian: blue, green, red, alpha
    channels = (pixels[3::4], pixels[2::4], pixels[1::4], pixels[0::4])
    return Drawing(bytes(buffer.data().data()), channels)


def ico(images: Mapping[int, bytes]) -> bytes:
    """Pack PNG images into an .ico file.

    Args:
        images: PNG bytes by edge in pixels, each at most 256.
    """
    sizes = sorted(images)
    header = struct.pack("<HHH", 0, 1, len(sizes))
    offset = len(header) + 16 * len(sizes)
    entries = b""
    for size in sizes:
        edge = size % 256  # 256 is written as 0
        entries += struct.pack("<BBBBHHII", edge, edge, 0, 0, 1, 32, len(images[size]), offset)
        offset += len(images[size])
    return header + entries + b"".join(images[size] for size in sizes)


def icns(parts: Sequence[tuple[str, bytes]]) -> bytes:
    """Pack parts (four-letter type, content) into an .icns file."""
    body = b"".join(name.encode("ascii") + struct.pack(">I", len(data) + 8) + data for name, data in parts)
    return b"icns" + struct.pack(">I", len(body) + 8) + body


def packed_channels(channels: Sequence[bytes]) -> bytes:
    """Encode raw channels the way .icns wants them: each in blocks of up to 128 bytes as they are."""
    result = b"ARGB"
    for channel in channels:
        for start in range(0, len(channel), 128):
            block = channel[start : start + 128]
            result += bytes([len(block) - 1]) + block
    return result


def write_ico(path: Path) -> None:
    """Write the icon for Windows, 16 to 256 pixels."""
    path.write_bytes(ico({size: draw(size).png for size in ICO_SIZES}))


def write_icns(path: Path) -> None:
    """Write the icon for macOS, 16 to 1024 pixels, with the margin that its icons have."""
    parts = [(name, packed_channels(draw(size, _MACOS_MARGIN).argb)) for name, size in _ICNS_CHANNELS.items()]
    parts += [(name, draw(size, _MACOS_MARGIN).png) for name, size in _ICNS_PNG.items()]
    path.write_bytes(icns(parts))


def write_hicolor(theme_dir: Path, name: str = "h2ogpt-desktop") -> list[Path]:
    """Write the PNGs and the SVG of a freedesktop icon theme.

    Args:
        theme_dir: The theme's folder (`…/share/icons/hicolor`).
        name: Of the files, as the desktop file names the icon.

    Returns:
        The files.
    """
    written = []
    for size in HICOLOR_SIZES:
        path = theme_dir / f"{size}x{size}" / "apps" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(size).png)
        written.append(path)
    path = theme_dir / "scalable" / "apps" / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SOURCE_PATH.read_bytes())
    return [*written, path]


def write_wizard_picture(path: Path) -> None:
    """Write the bitmap at the side of the Windows installer's first and last page."""
    from PySide6.QtCore import QRectF, Qt
    from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter
    from PySide6.QtSvg import QSvgRenderer

    width, height = WIZARD_SIZE
    image = QImage(width, height, QImage.Format.Format_RGB888)
    ground = QLinearGradient(0, 0, 0, height)
    ground.setColorAt(0, QColor("#2f83f2"))
    ground.setColorAt(1, QColor("#0a3f94"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(image.rect(), ground)
    edge = 96
    painter.setPen(Qt.PenStyle.NoPen)
    QSvgRenderer(str(SOURCE_PATH)).render(painter, QRectF((width - edge) / 2, 64, edge, edge))
    painter.end()
    image.save(str(path), "BMP")  # type: ignore[call-overload]  # the stubs ask for bytes, which fail
