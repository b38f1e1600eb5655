"""Attached images as the renderer decodes them: upright, on white, within limits."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from app.core.errors import FileError
from app.protocol.pictures import DecodedImage, DecodeImage
from app.worker.render import images
from app.worker.render.images import MAX_PIXELS, decode_image
from app.worker.runtime import Job, Reply

RED, BLUE = (250, 10, 10), (10, 10, 250)


def decode(data: bytes, max_side: int = 1568) -> tuple[DecodedImage, Image.Image]:
    request = DecodeImage(max_side=max_side)
    reply = decode_image(request, Job("r1", request, data, lambda message: None, lambda job, result: None))
    assert isinstance(reply, Reply)
    body = reply.body
    assert isinstance(body, DecodedImage)
    assert len(reply.payload) == body.width * body.height * 3
    return body, Image.frombytes("RGB", (body.width, body.height), reply.payload)


def code_of(data: bytes) -> str:
    with pytest.raises(FileError) as caught:
        decode(data)
    assert caught.value.hint
    return caught.value.code


def two_halves() -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (80, 40), RED)
    image.paste(BLUE, (40, 0, 80, 40))
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def near(one: Any, other: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_kind_is_decoded(kind: str) -> None:
    body, image = decode(saved(two_halves(), kind))
    assert (body.width, body.height, body.source_width, body.source_height) == (80, 40, 80, 40)
    assert near(image.getpixel((5, 20)), RED)
    assert near(image.getpixel((75, 20)), BLUE)


def test_large_images_become_smaller_and_small_ones_stay() -> None:
    for kind in ("PNG", "JPEG"):
        body, image = decode(saved(two_halves().resize((3000, 1500)), kind), max_side=300)
        assert (image.size, body.source_width, body.source_height) == ((300, 150), 3000, 1500)
    assert decode(saved(two_halves(), "PNG"), max_side=10**9)[1].size == (80, 40)
    assert decode(saved(two_halves(), "PNG"), max_side=0)[1].size == (1, 1)


@pytest.mark.parametrize(
    ("orientation", "red_at", "size"),
    [(1, "left", (80, 40)), (3, "right", (80, 40)), (6, "top", (40, 80)), (8, "bottom", (40, 80))],
)
def test_a_photo_stands_upright(orientation: int, red_at: str, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    body, image = decode(saved(two_halves(), "JPEG", exif=exif.tobytes()))
    assert image.size == (body.source_width, body.source_height) == size
    width, height = size
    places = {
        "left": (5, height // 2),
        "right": (width - 5, height // 2),
        "top": (width // 2, 5),
        "bottom": (width // 2, height - 5),
    }
    assert near(image.getpixel(places[red_at]), RED)


def test_what_is_transparent_is_white() -> None:
    image = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    image.putpixel((9, 9), (*RED, 255))
    _, decoded = decode(saved(image, "PNG"))
    assert decoded.getpixel((0, 0)) == (255, 255, 255)
    assert decoded.getpixel((9, 9)) == RED
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0, *RED])
    assert decode(saved(palette, "GIF", transparency=0))[1].getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16"])
def test_other_colour_modes_become_rgb(mode: str) -> None:
    image = Image.new(mode, (6, 6))
    if mode == "I;16":
        image.putpixel((0, 0), 65_535)
    _, decoded = decode(saved(image, "TIFF"))
    assert decoded.mode == "RGB"
    if mode == "I;16":
        assert decoded.getpixel((0, 0)) == (255, 255, 255)
        assert decoded.getpixel((5, 5)) == (0, 0, 0)


def test_the_first_picture_of_a_moving_one_is_taken() -> None:
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)
    moving = saved(first, "GIF", save_all=True, append_images=[second])
    assert near(decode(moving)[1].getpixel((4, 4)), RED)


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header promises more than its few bytes hold."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def test_too_many_pixels_are_refused_from_the_header() -> None:
    assert code_of(png_of(100_000, 100_000)) == "image.too_large"
    assert code_of(png_of(MAX_PIXELS, 2)) == "image.too_large"


def test_memory_that_runs_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(image: Any, max_side: int) -> Any:
        raise MemoryError

    monkeypatch.setattr(images, "_on_white", fails)
    assert code_of(saved(two_halves(), "PNG")) == "image.too_large"


def test_broken_files_are_named() -> None:
    whole = saved(Image.effect_noise((64, 64), 80).convert("RGB"), "PNG")
    damages: list[Callable[[bytes], bytes]] = [
        lambda data: b"",
        lambda data: b"no image at all",
        lambda data: data[: len(data) // 2],
        lambda data: data[:60],
        lambda data: data[:200] + bytes(100) + data[300:],
    ]
    assert {code_of(damage(whole)) for damage in damages} == {"image.bad"}
    assert code_of(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n") == "image.bad"


def test_mutations_never_raise_anything_else() -> None:
    """Each kind with bytes changed here and there: an image or a reason."""
    n_bad = 0
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"):
        whole = saved(two_halves(), kind)
        for seed in range(40):
            data = bytearray(whole)
            for step in range(3):
                data[(seed * 37 + step * 101) % min(len(data), 400)] ^= 1 + seed * 5 % 255
            try:
                decode(bytes(data))
            except FileError as error:
                assert error.code in ("image.bad", "image.too_large")
                n_bad += 1
    assert n_bad > 40
