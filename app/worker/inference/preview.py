"""What a template makes of a conversation, shown while somebody writes or chooses it; no model is loaded."""

import contextlib
from pathlib import Path

from app.core.errors import AppError
from app.core.gguf import GgufHead, read_head
from app.core.gguf_tokens import TokenTexts, read_token_texts
from app.core.prompt_formats import TOKENS, find_format
from app.protocol.engine import RenderedPrompt, RenderPrompt
from app.worker.inference.template import ChatTemplate, Renderer, RenderError, RenderStopped, template_for
from app.worker.runtime import Cancelled, Job

MAX_TEXT_CHARS = 200_000


class PromptPreview:
    """Answers `engine.render_prompt`, in a lane and with a template process of its own.

    So it never waits for an answer, and a template that hangs delays none.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self._renderer = Renderer()
        self._last: tuple[tuple[str, int, int], GgufHead, TokenTexts] | None = None

    def render(self, request: RenderPrompt, job: Job) -> RenderedPrompt:
        """Render; whatever is wrong with file, format or template is told in the result.

        Raises:
            Cancelled: on request.
        """
        job.on_cancel = self._renderer.stop
        job.raise_if_cancelled()  # it came before on_cancel stood
        try:
            template = self._template(request)
            return _cut(template.try_render(request.messages), template.stop)
        except AppError as error:
            return RenderedPrompt(text="", problem=error.user_message, hint=error.hint)
        except RenderError as error:
            problem, hint = in_words(error)
            return RenderedPrompt(text="", problem=problem, hint=hint)
        except RenderStopped as stopped:
            raise Cancelled from stopped

    def close(self) -> None:
        """End the template process."""
        self._renderer.close()

    def _template(self, request: RenderPrompt) -> ChatTemplate:
        head, tokens = None, _usual_tokens(request.prompt_format)
        if request.path:
            head, tokens = self._read(Path(request.path))
        source, stop = template_for(request, head, tokens.present.__contains__)
        return ChatTemplate(source, tokens.bos, tokens.eos, self._renderer, stop)

    def _read(self, path: Path) -> tuple[GgufHead, TokenTexts]:
        """Read what is needed of a model file; the last one is kept: people write letter by letter."""
        stamp = (str(path), 0, 0)
        with contextlib.suppress(OSError):  # reading says what is wrong
            status = path.stat()
            stamp = (str(path), status.st_size, status.st_mtime_ns)
        if self._last is None or self._last[0] != stamp or not stamp[1]:
            head = read_head(path)
            self._last = (stamp, head, read_token_texts(head, TOKENS))
        return self._last[1:]


def _usual_tokens(format_name: str) -> TokenTexts:
    usual = find_format(format_name or "plain")
    return TokenTexts(bos=usual.bos, eos=usual.eos)


def _cut(text: str, stop: tuple[str, ...]) -> RenderedPrompt:
    hint = f"Only the first {MAX_TEXT_CHARS:,} characters are shown." if len(text) > MAX_TEXT_CHARS else ""
    return RenderedPrompt(text=text[:MAX_TEXT_CHARS], hint=hint, stop=stop)


_PROBLEMS = {
    "syntax": ("is not written correctly", "Correct that line."),
    "refused": ("does not take this conversation", "The template itself says so."),
    "broken": ("does not work", "Correct that line."),
    "empty": ("writes nothing", "It must write the messages and begin the assistant's turn."),
    "limit": (
        "takes too much memory or repeats itself too often",
        "Look for texts that grow and for parts that use themselves.",
    ),
    "deadline": ("takes too long", "Look for loops inside loops and for very large numbers."),
}


def in_words(error: RenderError) -> tuple[str, str]:
    """Give problem and next step: “Line 3: the template is not written correctly (unexpected '}').”."""
    what, hint = _PROBLEMS.get(error.kind, _PROBLEMS["broken"])
    detail = f" ({error.words.rstrip('.')})" if error.words else ""
    if error.line:
        return f"Line {error.line}: the template {what}{detail}.", hint
    return f"The template {what}{detail}.", hint.replace("that line", "it")
