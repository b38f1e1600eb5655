"""Decodes attached images under limits; the renderer's one thread calls it.

Pillow does the decoding: MuPDF knows no WebP and ignores the turn that cameras note instead of turning the
pixels (docs/decisions/0060-images.md). Only formats whose size stands in a header that is read before any
pixel are opened, and only the first picture of a file with several.
"""

import io
import logging
from typing import Any

from PIL import ExifTags, Image

from app.core.errors import FileError
from app.protocol.pictures import DecodedImage, DecodeImage
from app.worker.runtime import Job, Reply

log = logging.getLogger(__name__)

# Four bytes each while they are decoded, three more when the transparent part is filled: 560 MB in the
# renderer, which may use 2 GB.
MAX_PIXELS = 80_000_000
MAX_SIDE = 4_096
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_SIXTEEN_BITS = "I;16"
_WHITE = (255, 255, 255, 255)

# How the stored rows have to be turned to stand upright. Source: Exif 2.32, 4.6.4, tag Orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_TURNS[number] for number in (5, 6, 7, 8)}

# Pillow's own limit only warns at this size and goes on.
Image.MAX_IMAGE_PIXELS = None


def decode_image(request: DecodeImage, job: Job) -> Reply:
    """Decode the payload.

    Raises:
        FileError: `image.bad`, `image.too_large`.
    """
    pixels, source = _decoded(job.payload, max(1, min(request.max_side, MAX_SIDE)))
    body = DecodedImage(
        width=pixels.width, height=pixels.height, source_width=source[0], source_height=source[1]
    )
    return Reply(body, pixels.tobytes())


def _decoded(data: bytes, max_side: int) -> tuple[Any, tuple[int, int]]:
    """Give the image, upright, RGB, and its size before it was made smaller.

    The border of a task: decoders raise many kinds of errors on damaged files; each ends this request alone.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large()
            size = image.size
            image.draft("RGB", (max_side, max_side))  # JPEG decodes to a half, quarter or eighth directly
            image.load()
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            pixels = _on_white(image, max_side)
    except FileError:
        raise
    except MemoryError as error:
        raise _too_large() from error
    except Exception as error:
        log.info("an image could not be decoded: %s", type(error).__name__)
        raise FileError(
            "image.bad",
            "This file is no image that can be read: it is damaged, or of another kind.",
            "Use a PNG, JPEG, WebP, GIF, BMP or TIFF file; save it anew where it is damaged.",
        ) from error
    turn = _TURNS.get(orientation)
    if turn is not None:
        pixels = pixels.transpose(turn)
    return pixels, size[::-1] if turn in _SIDEWAYS else size


def _on_white(image: Any, max_side: int) -> Any:
    """Give the first picture as RGB, no larger than `max_side` either way."""
    if image.mode.startswith(_SIXTEEN_BITS):
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, _WHITE)
        ground.alpha_composite(image)
        image = ground.convert("RGB")
    return image


def _too_large() -> FileError:
    return FileError(
        "image.too_large",
        f"The image has more than {MAX_PIXELS // 1_000_000} million pixels.",
        "Save it smaller and attach that.",
    )
