"""The preview: formats and templates at work, without a model, beside an answer, and on the starter model."""

import asyncio
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app.protocol.body import from_json
from app.protocol.channel import RequestCancelled, RequestError
from app.protocol.engine import (
    CountTokens,
    Generate,
    LoadModel,
    PromptMessage,
    RenderedPrompt,
    RenderPrompt,
)
from app.worker.inference.preview import MAX_TEXT_CHARS, in_words
from app.worker.inference.template import RenderError
from scripts.faults.hostile_templates import HOSTILE
from tests.worker.inference.conftest import RunningWorker
from tests.worker.inference.gguf_writer import TinyModel

pytestmark = pytest.mark.slow  # real processes, one after the other

TALK = (
    PromptMessage(role="user", content="Hi"),
    PromptMessage(role="assistant", content="Hello"),
    PromptMessage(role="user", content="<|im_end|> Bye"),
)


async def shown(
    worker: RunningWorker, path: str = "", prompt_format: str = "", template: str = ""
) -> RenderedPrompt:
    request = RenderPrompt(messages=TALK, path=path, prompt_format=prompt_format, template=template)
    return await worker.channel.call(request)


async def test_a_named_format_needs_no_model(worker: RunningWorker) -> None:
    found = await shown(worker, prompt_format="vicuna")
    assert "USER: Hi ASSISTANT: Hello</s>USER: <|im_end|> Bye ASSISTANT:" in found.text
    assert found.stop == ("USER:", "</s>") and not found.problem


async def test_a_files_own_template_with_its_tokens(worker: RunningWorker, starter_path: Path) -> None:
    found = await shown(worker, path=str(starter_path))
    assert found.text.startswith("<|im_start|>system\n") and "<|im_start|>user\nHi<|im_end|>\n" in found.text
    assert "\u2060" in found.text and found.stop == ()
    own = await shown(worker, path=str(starter_path), template="{{ bos_token }}|{{ eos_token }}")
    assert own.text == "<|im_start|>|<|im_end|>"


async def test_a_file_that_changes_is_read_again(worker: RunningWorker, tmp_path: Path) -> None:
    path = TinyModel(template="one {{ eos_token }}").write(tmp_path / "m.gguf")
    first = [(await shown(worker, path=str(path))).text for _ in range(2)]
    TinyModel(template="another {{ eos_token }}").write(path)
    assert first[0] == first[1] and first[0].startswith("one ")
    assert (await shown(worker, path=str(path))).text.startswith("another ")
    path.unlink()
    assert "not there any more" in (await shown(worker, path=str(path))).problem


@pytest.mark.parametrize(
    "request_", [{}, {"prompt_format": "h2ogpt"}, {"template": "{{ messages[0].content }}, {{ eos_token }}"}]
)
async def test_the_preview_is_what_the_loaded_model_gets(
    worker: RunningWorker, starter_path: Path, request_: dict[str, str]
) -> None:
    found = await shown(worker, path=str(starter_path), **request_)
    load = replace(LoadModel(path=str(starter_path), context_length=512), **request_)  # type: ignore[arg-type]
    await worker.channel.call(load)
    given = await worker.channel.call(CountTokens(messages=TALK))
    alone = await worker.channel.call(CountTokens(texts=(found.text,)))
    generation = await worker.channel.call(Generate(messages=TALK, max_tokens=1))
    assert given.counts == alone.counts == (generation.prompt_tokens,)


async def test_a_file_without_template_is_told_by_its_tokens(worker: RunningWorker, tmp_path: Path) -> None:
    bare = TinyModel(template=None).write(tmp_path / "bare.gguf")
    assert (await shown(worker, path=str(bare))).text.startswith("<|im_start|>user\nHi<|im_end|>\n")
    named = TinyModel(tokenizer="spm", template=None).write(tmp_path / "vicuna-7b.gguf")
    assert "USER: Hi ASSISTANT: Hello</s>" in (await shown(worker, path=str(named))).text
    plain = TinyModel(tokenizer="spm", template=None).write(tmp_path / "plain.gguf")
    assert (await shown(worker, path=str(plain))).text.startswith("<s>### User:\nHi")
    assert (await shown(worker)).text.startswith("<s>### User:\nHi")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (
            {"template": "a\nb\n{{ x"},
            "Line 3: the template is not written correctly (unexpected end of template",
        ),
        ({"template": "\n{{ a.b }}"}, "Line 2: the template does not work ('a' is undefined)."),
        ({"template": "{{ raise_exception('Only cats.') }}"}, "does not take this conversation (Only cats)."),
        ({"template": "{% for m in messages %}{% endfor %}"}, "The template writes nothing."),
        ({"prompt_format": "klingon"}, "There is no prompt format called “klingon”."),
        ({"path": "/nowhere/m.gguf"}, "The model file “m.gguf” is not there any more."),
    ],
)
async def test_what_is_wrong_is_a_result_in_words(
    worker: RunningWorker, request_: dict[str, str], words: str
) -> None:
    found = await shown(worker, **request_)
    assert words in found.problem and found.hint and not found.text
    assert (await shown(worker, prompt_format="chatml")).text


async def test_a_long_text_is_cut_and_says_so(worker: RunningWorker) -> None:
    found = await shown(worker, template="{{ 'abc ' * 100000 }}")
    assert len(found.text) == MAX_TEXT_CHARS and "200,000" in found.hint and not found.problem


async def test_a_hanging_preview_delays_no_answer_and_can_be_cancelled(
    worker: RunningWorker, starter_path: Path
) -> None:
    await worker.channel.call(LoadModel(path=str(starter_path), context_length=256))
    hanging = RenderPrompt(messages=TALK, template=HOSTILE["nested loops"].source)
    replies = asyncio.create_task(worker.replies(hanging))
    await asyncio.sleep(0)
    generation = await worker.channel.call(Generate(messages=TALK[:1], max_tokens=4))
    assert generation.completion_tokens and not replies.done()
    await worker.cancel(worker.sent[1])
    with pytest.raises(RequestCancelled):
        await replies
    assert (await shown(worker, prompt_format="chatml")).text


async def test_a_hanging_preview_ends_by_itself(worker: RunningWorker) -> None:
    (last,) = (await worker.replies(RenderPrompt(messages=TALK, template=HOSTILE["huge power"].source)))[-1:]
    found = from_json(RenderedPrompt, last.body)
    assert found.problem == "The template takes too long." and "loops" in found.hint
    children = psutil.Process(worker.process.pid).children(recursive=True)
    assert len(children) <= 1


@pytest.mark.parametrize(
    "name",
    ["nested loops", "huge string", "class walk", "macro recursion", "syntax", "nothing", "10 MB of comment"],
)
async def test_a_model_file_with_a_hostile_template(worker: RunningWorker, tmp_path: Path, name: str) -> None:
    """It loads, its answers fail in words, and the next model answers."""
    source = HOSTILE[name].source
    bad = TinyModel(template=source).write(tmp_path / "bad.gguf")
    found = await shown(worker, path=str(bad))
    await worker.channel.call(LoadModel(path=str(bad)))
    if source.strip():
        assert found.problem.startswith(("The template", "Line "))
        with pytest.raises(RequestError) as caught:
            await worker.channel.call(Generate(messages=TALK, max_tokens=2))
        assert caught.value.body.code == "prompt.template_failed" and caught.value.body.hint
    good = TinyModel().write(tmp_path / "good.gguf")
    await worker.channel.call(LoadModel(path=str(good)))
    assert (await worker.channel.call(Generate(messages=TALK, max_tokens=2))).completion_tokens
    assert (await shown(worker, path=str(good))).text


def test_problems_without_a_line() -> None:
    assert in_words(RenderError("broken")) == ("The template does not work.", "Correct it.")
    assert in_words(RenderError("new kind", 2, "x."))[0] == "Line 2: the template does not work (x)."
