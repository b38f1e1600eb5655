"""Messages for pictures: pages, front end to host by document, host to renderer by path; attached images."""

from dataclasses import dataclass
from typing import ClassVar

from app.protocol.body import Body, Request


@dataclass(frozen=True, kw_only=True)
class PageImage(Body):
    """A page as pixels; the payload is RGB888, `stride` bytes a row."""

    page: int
    width: int
    height: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class RenderPage(Request[PageImage]):
    """Draw a page of a document.

    Errors: `document.source_changed`, `document.source_missing`, `page.not_found`.

    Attributes:
        scale: pixels per PDF point, 0.1 to 8; lowered so that the picture stays under 16 million pixels.
    """

    TYPE: ClassVar[str] = "page.render"
    RESULT: ClassVar[type[Body]] = PageImage
    document_id: int
    page: int
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class DrawPage(Request[PageImage]):
    """Host to renderer: draw one page of the file at `path`."""

    TYPE: ClassVar[str] = "renderer.draw"
    RESULT: ClassVar[type[Body]] = PageImage
    path: str
    page: int
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class DecodedImage(Body):
    """An image as pixels; the payload is RGB888, `width` × `height` × 3 bytes, rows from the top.

    Attributes:
        source_width, source_height: of the image before it was made smaller, upright.
    """

    width: int
    height: int
    source_width: int
    source_height: int


@dataclass(frozen=True, kw_only=True)
class DecodeImage(Request[DecodedImage]):
    """Host to renderer: decode the image file in the payload, upright, on white where it is transparent.

    Errors: `image.bad`, `image.too_large`.

    Attributes:
        max_side: pixels of the longer side at most; a smaller image is not enlarged.
    """

    TYPE: ClassVar[str] = "renderer.decode_image"
    RESULT: ClassVar[type[Body]] = DecodedImage
    max_side: int
