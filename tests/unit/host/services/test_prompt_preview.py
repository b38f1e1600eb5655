"""The preview asks the worker with the model's file and a conversation worth showing."""

from pathlib import Path
from typing import Any

import pytest

from app.core.errors import NotFoundError, UsageError
from app.host.services.prompt_preview import SAMPLE, PromptPreviewService
from app.protocol.engine import PromptMessage, RenderedPrompt, RenderPrompt
from app.protocol.models import PreviewPrompt, PromptPreview
from tests.unit.host.conftest import Context


class Engine:
    def __init__(self) -> None:
        self.asked: list[RenderPrompt] = []

    async def call(self, request: Any) -> Any:
        self.asked.append(request)
        return RenderedPrompt(text="T", problem="P", hint="H", stop=("S",))

    def stream(self, request: Any, payload: bytes = b"") -> Any:
        raise AssertionError("a preview has no progress")


async def path_of(name: str) -> Path:
    if name != "m":
        raise NotFoundError("model.not_found", f"There is no model called “{name}”.")
    return Path("/models/m.gguf")


async def ask(engine: Engine, **request: Any) -> PromptPreview:
    handlers = PromptPreviewService(engine, path_of).handlers()
    answer = await handlers[PreviewPrompt](PreviewPrompt(**request), Context())
    assert isinstance(answer, PromptPreview)
    return answer


async def test_a_models_own_template_with_the_sample() -> None:
    engine = Engine()
    assert await ask(engine, model="m") == PromptPreview(text="T", problem="P", hint="H", stop=("S",))
    assert engine.asked == [RenderPrompt(messages=SAMPLE, path=str(Path("/models/m.gguf")))]
    assert {message.role for message in SAMPLE} == {"system", "user", "assistant"}


async def test_format_and_template_need_no_model() -> None:
    engine = Engine()
    messages = (PromptMessage(role="user", content="Hi"),)
    await ask(engine, format="vicuna", template="{{ x }}", messages=messages)
    assert engine.asked == [RenderPrompt(messages=messages, prompt_format="vicuna", template="{{ x }}")]


async def test_what_makes_no_sense_is_told_before_the_worker_is_asked() -> None:
    engine = Engine()
    with pytest.raises(UsageError):
        await ask(engine, template="  ")
    with pytest.raises(NotFoundError):
        await ask(engine, model="other")
    long = await ask(engine, template="x" * 200_001)
    assert "longer than 200,000" in long.problem and not engine.asked
