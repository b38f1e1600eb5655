"""Pictures of pages: the library knows the file, the render worker draws it."""

from collections.abc import Mapping

from app.core.errors import UsageError
from app.host.services.document_source import unchanged_source
from app.host.services.ports import Handler, LibraryPort, Reply, RequestContext
from app.host.supervision import Worker
from app.protocol.body import Body
from app.protocol.pictures import DrawPage, RenderPage

MIN_SCALE, MAX_SCALE = 0.1, 8.0


class PagesService:
    """Draws pages of documents whose file is still the one that was read."""

    def __init__(self, library: LibraryPort, renderer: Worker) -> None:
        """Bind the two workers."""
        self._library, self._renderer = library, renderer

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {RenderPage: self._render}

    async def _render(self, request: RenderPage, context: RequestContext) -> Reply:
        if not MIN_SCALE <= request.scale <= MAX_SCALE:
            raise UsageError("page.bad_scale", f"A page cannot be drawn at the scale {request.scale:g}.")
        path = await unchanged_source(
            self._library,
            request.document_id,
            "its pages cannot be shown",
            "Its stored text can still be read.",
        )
        image, pixels = await self._renderer.call_with_payload(
            DrawPage(path=path, page=request.page, scale=request.scale),
            activity=f"while drawing page {request.page}",
        )
        return Reply(image, pixels)
