"""Messages for page pictures: front end to host by document, host to renderer by path."""

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
