"""The icon in every form: the containers are read back, and the drawing is looked at."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from scripts.package import icons

PNG = b"\x89PNG\r\n\x1a\n"


def png_size(data: bytes) -> tuple[int, int]:
    assert data.startswith(PNG)
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def read_ico(data: bytes) -> dict[int, bytes]:
    reserved, kind, count = struct.unpack_from("<HHH", data)
    assert (reserved, kind) == (0, 1)
    images = {}
    for number in range(count):
        edge, height, _, _, _, bits, size, offset = struct.unpack_from("<BBBBHHII", data, 6 + 16 * number)
        assert edge == height
        assert bits == 32
        images[edge or 256] = data[offset : offset + size]
    return images


def read_icns(data: bytes) -> dict[str, bytes]:
    assert data[:4] == b"icns"
    assert struct.unpack(">I", data[4:8])[0] == len(data)
    parts, at = {}, 8
    while at < len(data):
        name, size = data[at : at + 4].decode(), struct.unpack(">I", data[at + 4 : at + 8])[0]
        parts[name] = data[at + 8 : at + size]
        at += size
    return parts


def unpacked(data: bytes, n_pixels: int) -> list[bytes]:
    """Decode channels as macOS does: a length below 128 is followed by as many bytes and one more."""
    assert data[:4] == b"ARGB"
    plain, at = b"", 4
    while at < len(data):
        length = data[at]
        assert length < 128, "no repeated bytes are written"
        plain += data[at + 1 : at + 2 + length]
        at += 2 + length
    return [plain[start : start + n_pixels] for start in range(0, len(plain), n_pixels)]


def test_containers_hold_what_was_put_in() -> None:
    images = {16: b"small", 256: b"large"}
    assert read_ico(icons.ico(images)) == images
    parts = [("ic07", b"one"), ("ic10", b"three")]
    assert read_icns(icons.icns(parts)) == dict(parts)
    channels = [bytes(range(256)), b"\0" * 256, b"\1" * 256, b"\2" * 256]
    assert unpacked(icons.packed_channels(channels), 256) == channels


@pytest.mark.ui
def test_the_windows_icon_has_every_size(tmp_path: Path) -> None:
    icons.write_ico(tmp_path / "app.ico")
    images = read_ico((tmp_path / "app.ico").read_bytes())
    assert set(images) >= {16, 32, 48, 256}
    assert all(png_size(data) == (edge, edge) for edge, data in images.items())


@pytest.mark.ui
def test_the_macos_icon_has_every_size(tmp_path: Path) -> None:
    icons.write_icns(tmp_path / "app.icns")
    parts = read_icns((tmp_path / "app.icns").read_bytes())
    assert {png_size(data)[0] for data in parts.values() if data.startswith(PNG)} == {
        32,
        64,
        128,
        256,
        512,
        1024,
    }
    alpha, _, _, blue = unpacked(parts["ic04"], 256)
    assert alpha[0] == 0, "the corner is empty"
    middle = 8 * 16 + 8
    assert alpha[middle] == 255
    assert blue[middle] > 200
    assert len(unpacked(parts["ic05"], 1024)) == 4


@pytest.mark.ui
def test_the_linux_theme_has_the_drawing_and_its_sizes(tmp_path: Path) -> None:
    paths = icons.write_hicolor(tmp_path)
    assert all(path.is_file() for path in paths)
    assert png_size((tmp_path / "48x48" / "apps" / "h2ogpt-desktop.png").read_bytes()) == (48, 48)
    assert (tmp_path / "scalable" / "apps" / "h2ogpt-desktop.svg").is_file()


@pytest.mark.ui
@pytest.mark.parametrize("size", [16, 32, 48, 256])
def test_the_icon_is_a_white_mark_on_a_blue_rounded_square(size: int) -> None:
    alpha, red, _, blue = icons.draw(size).argb
    assert alpha[0] < 128, "a rounded corner"
    centre, edge = (size * 45 // 100) * size + size // 2, size // 2 * size + max(1, size // 10)
    assert red[centre] > 220
    assert red[edge] < 90 < blue[edge]


@pytest.mark.ui
def test_the_installers_picture_has_the_size_that_nsis_wants(tmp_path: Path) -> None:
    path = tmp_path / "picture.bmp"
    icons.write_wizard_picture(path)
    data = path.read_bytes()
    assert data[:2] == b"BM"
    assert struct.unpack_from("<ii", data, 18) == icons.WIZARD_SIZE


@pytest.mark.ui
def test_a_file_that_is_no_drawing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.svg"
    path.write_text("no drawing")
    with pytest.raises(ValueError, match="not an SVG"):
        icons.draw(16, source_path=path)
