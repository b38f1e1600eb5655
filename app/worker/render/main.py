"""The renderer: PDF pages and attached images to pixels. It may read files and do nothing else."""

import contextlib
import logging
import math
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from app.core.errors import FileError, NotFoundError
from app.protocol.pictures import DecodeImage, DrawPage, PageImage
from app.worker import sandbox
from app.worker.mupdf import pymupdf
from app.worker.render.documents import OpenDocuments
from app.worker.runtime import Job, Reply, Worker

log = logging.getLogger(__name__)

MAX_PIXELS = 16_000_000
_MIN_SCALE, _MAX_SCALE = 0.1, 8.0
_MEMORY_BYTES = 2_000_000_000
_STORE_SHARE_KEPT = 50
_MAX_DRAWING_S = 60.0


def main(argv: list[str]) -> int:
    """Serve until the host ends; return the exit code. Takes no arguments."""
    _limit_memory()
    sandbox.confine(sandbox.Rights(readable=("/",), threads=True))
    renderer = Renderer()
    worker = Worker("render", {"draw": {DrawPage: renderer.draw, DecodeImage: renderer.decode}})
    worker.at_exit(renderer.close)
    return worker.run()


class Renderer:
    """Draws pages; used by the worker's one lane."""

    def __init__(self) -> None:
        """Start without open documents."""
        self._documents = OpenDocuments()

    def draw(self, request: DrawPage, job: Job) -> Reply:
        """Draw one page.

        Raises:
            NotFoundError: `document.source_missing`, `page.not_found`.
            FileError: `page.not_renderable`, `pdf.password`, `pdf.damaged`, `page.too_large`, …
        """
        with _watched():
            document = self._documents.get(request.path)
            n_pages = document.page_count
            if not 1 <= request.page <= n_pages:
                raise NotFoundError(
                    "page.not_found", f"There is no page {request.page}; the document has {n_pages}."
                )
            job.raise_if_cancelled()
            pixels = _drawn(document, request.page, request.scale)
        image = PageImage(page=request.page, width=pixels.width, height=pixels.height, stride=pixels.stride)
        payload = bytes(pixels.samples_mv)
        pymupdf.TOOLS.store_shrink(_STORE_SHARE_KEPT)
        return Reply(image, payload)

    def decode(self, request: DecodeImage, job: Job) -> Reply:
        """Decode an attached image.

        Raises:
            FileError: `image.bad`, `image.too_large`.
        """
        from app.worker.render.images import decode_image  # Pillow, which drawing pages does without

        with _watched():
            return decode_image(request, job)

    def close(self) -> None:
        """Close the documents."""
        self._documents.close()


def _drawn(document: Any, number: int, scale: float) -> Any:
    """Give a page as a pixmap, RGB without alpha.

    The border of a task: MuPDF raises many kinds of errors on damaged pages; each ends this request alone.
    """
    try:
        page = document[number - 1]
        scale = fitting_scale(page.rect.width, page.rect.height, scale)
        return page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csRGB, alpha=False)
    except MemoryError as error:
        raise _too_large() from error
    except Exception as error:
        if "alloc" in str(error):
            raise _too_large() from error
        log.info("a page could not be drawn: %s", type(error).__name__)
        raise FileError(
            "pdf.damaged",
            f"Page {number} is damaged and cannot be drawn.",
            "Its stored text stays readable; get the file again from its source.",
        ) from error


def fitting_scale(width: float, height: float, scale: float) -> float:
    """Give the scale asked for, lowered so that the picture stays within MAX_PIXELS.

    Args:
        width: of the page in points.
        height: of the page in points.
        scale: pixels a point; held within 0.1 to 8.
    """
    scale = min(_MAX_SCALE, max(_MIN_SCALE, scale)) if math.isfinite(scale) else 1.0
    area = max(1.0, width) * max(1.0, height)
    # each side is rounded up to a whole pixel, which the margin pays for
    return min(scale, math.sqrt(0.995 * MAX_PIXELS / area))


def _too_large() -> FileError:
    return FileError(
        "page.too_large",
        "This page needs more memory than drawing one page may use.",
        "Open it in the system's own PDF program.",
    )


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    for what, limit in ((resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # lower already
            resource.setrlimit(what, (limit, limit))


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """End the process when drawing hangs: MuPDF cannot be interrupted, and the host starts a new renderer."""
    timer = threading.Timer(_MAX_DRAWING_S, _give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up() -> None:
    log.error("drawing a page took longer than %d s; the renderer ends", int(_MAX_DRAWING_S))
    os._exit(3)
