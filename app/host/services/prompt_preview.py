"""Prompt formats and templates shown at work: `model.preview_prompt`."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from app.core.errors import UsageError
from app.host.services.ports import EnginePort, Handler, RequestContext
from app.protocol.body import Body
from app.protocol.engine import PromptMessage, RenderPrompt
from app.protocol.models import PreviewPrompt, PromptPreview

MAX_TEMPLATE_CHARS = 200_000  # as in the model settings

PathOfModel = Callable[[str], Awaitable[Path]]
"""Gives the file of a model by its name; raises `model.not_found`."""

SAMPLE = (
    PromptMessage(role="system", content="You answer from the user's documents."),
    PromptMessage(role="user", content="When was the bridge built?"),
    PromptMessage(role="assistant", content="It was built in 1889."),
    PromptMessage(role="user", content="And by whom?"),
)
"""A conversation with everything that a format has to write."""


class PromptPreviewService:
    """Asks the inference worker, which has a lane for it: an answer being written delays no preview."""

    def __init__(self, engine: EnginePort, path_of: PathOfModel) -> None:
        """Take the worker's service and how a model's file is found."""
        self._engine, self._path_of = engine, path_of

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {PreviewPrompt: self._preview}

    async def _preview(self, request: PreviewPrompt, context: RequestContext) -> PromptPreview:
        if not (request.model or request.format or request.template.strip()):
            raise UsageError(
                "prompt.nothing_to_show",
                "There is nothing to show.",
                "Choose a model or a prompt format, or write a template.",
            )
        if len(request.template) > MAX_TEMPLATE_CHARS:
            return PromptPreview(
                text="",
                problem=f"The template is longer than {MAX_TEMPLATE_CHARS:,} characters.",
                hint="Shorten it.",
            )
        path = str(await self._path_of(request.model)) if request.model else ""
        rendered = await self._engine.call(
            RenderPrompt(
                messages=request.messages or SAMPLE,
                path=path,
                prompt_format=request.format,
                template=request.template,
            )
        )
        return PromptPreview(
            text=rendered.text, problem=rendered.problem, hint=rendered.hint, stop=rendered.stop
        )
