"""The worker as a process: what the host sees over stdio."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from app.protocol.body import Body, from_json, from_message
from app.protocol.channel import ConnectionLost, RequestCancelled, RequestError
from app.protocol.engine import (
    CountTokens,
    EngineProgress,
    ForgetSnapshots,
    Generate,
    Generation,
    ImagePixels,
    LoadModel,
    PromptMessage,
    PromptProgress,
    SaveSnapshot,
    TokenGenerated,
    UnloadModel,
)
from app.protocol.system import Ping
from app.worker.runtime import Job
from scripts.make_mmproj import Shape, write
from tests.worker.inference.conftest import RunningWorker, running_worker
from tests.worker.inference.gguf_corpus import mutations
from tests.worker.inference.gguf_writer import TinyModel

pytestmark = pytest.mark.slow  # real processes, one after the other

PATIENCE_S = 30.0


def user(text: str) -> tuple[PromptMessage, ...]:
    return (PromptMessage(role="user", content=text),)


async def code_of(worker: RunningWorker, request: Body) -> str:
    with pytest.raises(RequestError) as caught:
        await worker.replies(request)
    return caught.value.body.code


async def test_answer_over_stdio(worker: RunningWorker, tiny_path: Path) -> None:
    assert worker.hello.kind == "inference"
    assert worker.hello.pid == worker.process.pid
    replies = [from_message(reply) for reply in await worker.replies(LoadModel(path=str(tiny_path)))]
    progress = [body.fraction for body in replies if isinstance(body, EngineProgress)]
    assert progress[-1] == 1.0
    messages = await worker.replies(Generate(messages=user("hello"), max_tokens=12))
    bodies = [from_message(message) for message in messages[:-1]]
    result = from_json(Generation, messages[-1].body)
    assert any(isinstance(body, PromptProgress) for body in bodies)
    assert "".join(body.text for body in bodies if isinstance(body, TokenGenerated)) == result.text


async def test_snapshots_are_kept_used_and_forgotten(tmp_path: Path, tiny_path: Path) -> None:
    folder = tmp_path / "snapshots"
    load = LoadModel(path=str(tiny_path), snapshot_dir=str(folder), snapshot_limit_bytes=2**30)
    ask = Generate(messages=user("abcdefghij" * 30), conversation="c", max_tokens=4)
    async with running_worker() as worker:
        assert await code_of(worker, SaveSnapshot()) == "model.not_loaded"
        await worker.channel.call(ForgetSnapshots(directory=str(folder)))  # works with no model
        await worker.channel.call(load)
        first = await worker.channel.call(ask)
        await worker.channel.call(SaveSnapshot())
        assert len(list(folder.iterdir())) == 1
    async with running_worker() as worker:
        await worker.channel.call(load)
        again = await worker.channel.call(ask)
        assert again.from_snapshot and again.text == first.text
        await worker.channel.call(ForgetSnapshots(directory=str(folder), conversation="c"))
        await worker.channel.call(SaveSnapshot())
        assert list(folder.iterdir()) == []
        assert not (await worker.channel.call(ask)).from_snapshot
        await worker.channel.call(UnloadModel())
        assert len(list(folder.iterdir())) == 1, "it was kept before the model went"
        await worker.channel.call(load)
        assert (await worker.channel.call(ask)).from_snapshot
        await worker.channel.call(ask)
    assert len(list(folder.iterdir())) == 1, "and when the worker ended"


async def test_loading_again_keeps_and_replaces(worker: RunningWorker, tmp_path: Path) -> None:
    one, other = (TinyModel(seed=n).write(tmp_path / f"{n}.gguf") for n in (1, 2))
    first = await worker.channel.call(LoadModel(path=str(one)))
    await worker.channel.call(Generate(messages=user("hello"), max_tokens=2))
    assert await worker.channel.call(LoadModel(path=str(one))) == first
    kept = await worker.channel.call(Generate(messages=user("hello"), max_tokens=2))
    assert kept.cached_tokens == kept.prompt_tokens - 1
    shorter = await worker.channel.call(LoadModel(path=str(one), context_length=256))
    assert shorter.context_length == 256
    replaced = await worker.channel.call(LoadModel(path=str(other)))
    assert replaced.name == "2"
    one.touch()
    assert (await worker.channel.call(LoadModel(path=str(one)))).name == "1"


async def test_without_a_model(worker: RunningWorker, tiny_path: Path, tmp_path: Path) -> None:
    assert await code_of(worker, Generate(messages=user("hello"))) == "model.not_loaded"
    assert await code_of(worker, LoadModel(path=str(tmp_path / "gone.gguf"))) == "model.not_found"
    await worker.channel.call(LoadModel(path=str(tiny_path)))
    await worker.channel.call(UnloadModel())
    assert await code_of(worker, CountTokens(texts=("a",))) == "model.not_loaded"


async def test_failed_load_leaves_no_model_and_a_working_worker(
    worker: RunningWorker, tiny_path: Path, tmp_path: Path
) -> None:
    await worker.channel.call(LoadModel(path=str(tiny_path)))
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(tiny_path.read_bytes()[:-100])
    assert await code_of(worker, LoadModel(path=str(bad))) == "model.truncated"
    assert await code_of(worker, Generate(messages=user("hello"))) == "model.not_loaded"
    await worker.channel.call(LoadModel(path=str(tiny_path)))
    assert (await worker.channel.call(Generate(messages=user("hello"), max_tokens=1))).completion_tokens <= 1


async def test_errors_of_prompts(worker: RunningWorker, tiny_path: Path) -> None:
    await worker.channel.call(LoadModel(path=str(tiny_path)))
    assert await code_of(worker, Generate(messages=user("x" * 2000))) == "prompt.too_long"
    assert await code_of(worker, Generate(messages=())) == "prompt.empty"


async def test_counting(worker: RunningWorker, tiny_path: Path) -> None:
    await worker.channel.call(LoadModel(path=str(tiny_path)))
    counts = await worker.channel.call(CountTokens(texts=("the", "xyz", "")))
    assert counts.counts == (1, 3, 0)
    (rendered,) = (await worker.channel.call(CountTokens(messages=user("hello")))).counts
    answer = await worker.channel.call(Generate(messages=user("hello"), max_tokens=1))
    assert rendered == answer.prompt_tokens


async def test_changed_file_unloads_the_model(worker: RunningWorker, tiny_path: Path) -> None:
    await worker.channel.call(LoadModel(path=str(tiny_path)))
    tiny_path.touch()
    assert await code_of(worker, Generate(messages=user("hello"))) == "model.changed"
    assert await code_of(worker, Generate(messages=user("hello"))) == "model.not_loaded"


async def test_hostile_template_does_not_stop_the_worker(worker: RunningWorker, tmp_path: Path) -> None:
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    path = TinyModel(template=loop).write(tmp_path / "hostile.gguf")
    await worker.channel.call(LoadModel(path=str(path)))
    replies = worker.channel.stream(Generate(messages=user("hello")))
    asking = asyncio.ensure_future(anext(replies))
    await asyncio.sleep(0.3)
    (*_, request_id) = worker.sent
    started = time.monotonic()
    await worker.channel.call(Ping())
    assert time.monotonic() - started < 1.5
    await worker.cancel(request_id)
    with pytest.raises(RequestCancelled) as caught:
        await asking
    assert from_json(Generation, caught.value.message.body).finish == "cancelled"
    assert await code_of(worker, Generate(messages=user("hello"))) == "prompt.template_failed"


async def test_stdin_end_ends_everything(worker: RunningWorker, tiny_path: Path) -> None:
    await worker.channel.call(LoadModel(path=str(tiny_path)))
    children = psutil.Process(worker.process.pid).children(recursive=True)
    assert len(children) == 1  # the template process
    worker.channel.close()
    assert await asyncio.wait_for(worker.process.wait(), PATIENCE_S) == 0
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
    assert not alive


async def test_killed_worker_leaves_no_template_process(worker: RunningWorker, tiny_path: Path) -> None:
    await worker.channel.call(LoadModel(path=str(tiny_path)))
    children = psutil.Process(worker.process.pid).children(recursive=True)
    worker.process.kill()
    await worker.process.wait()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_S)
    assert not alive


# ------------------------------------------------------------------------------- with the starter model


@pytest.fixture
async def starter(worker: RunningWorker, starter_path: Path) -> AsyncIterator[RunningWorker]:
    """A worker with the starter model and a short context."""
    await worker.channel.call(LoadModel(path=str(starter_path), context_length=2048))
    yield worker


FACTS = " ".join(f"Box {n} holds {n * 7 % 90} red balls and {n * 5 % 70} blue ones." for n in range(30))


async def cancelled(worker: RunningWorker, request: Generate, when: Callable[[object], bool]) -> float:
    """Cancel at the first reply for which `when` holds (None: before any reply); give the seconds."""
    replies, started = worker.channel.stream(request), 0.0
    first = asyncio.ensure_future(anext(replies))
    if when(None):
        await asyncio.sleep(0.25)
        started = time.monotonic()
        await worker.cancel(worker.sent[-1])
    with pytest.raises(RequestCancelled) as caught:
        message = await first
        while True:
            if not started and when(from_message(message)):
                started = time.monotonic()
                await worker.cancel(worker.sent[-1])
            message = await anext(replies)
    seconds = time.monotonic() - started
    assert from_json(Generation, caught.value.message.body).finish == "cancelled"
    return seconds


@pytest.mark.slow
async def test_greedy_text_after_a_cancelled_prompt_is_that_of_a_fresh_context(
    starter: RunningWorker, starter_path: Path
) -> None:
    request = Generate(messages=user(f"{FACTS} How many red balls are in box 3?"), max_tokens=12)
    seconds = await cancelled(starter, request, lambda body: body is None)
    assert seconds < 1.0  # 0.2 on a machine that does nothing else
    after = await starter.channel.call(request)
    await starter.channel.call(UnloadModel())
    await starter.channel.call(LoadModel(path=str(starter_path), context_length=2048))
    fresh = await starter.channel.call(request)
    assert after.text == fresh.text
    assert fresh.cached_tokens == 0


@pytest.mark.slow
async def test_cancelled_answer_keeps_its_text_and_serves_the_follow_up(starter: RunningWorker) -> None:
    question = user("Tell me a long story about a boat.")
    request = Generate(messages=question, max_tokens=400)
    seconds = await cancelled(starter, request, lambda body: isinstance(body, TokenGenerated))
    assert seconds < 1.0
    again = await starter.channel.call(Generate(messages=question, max_tokens=20))
    follow_up = (*question, PromptMessage(role="assistant", content=again.text), *user("Go on."))
    more = await starter.channel.call(Generate(messages=follow_up, max_tokens=8))
    assert more.cached_tokens == again.prompt_tokens + again.completion_tokens - 1


@pytest.mark.slow
async def test_text_comes_in_whole_code_points(starter: RunningWorker) -> None:
    request = Generate(
        messages=user("Repeat exactly: 日本語 😀 é ü ñ 中文"), max_tokens=60, temperature=1.2, seed=4, top_k=0
    )
    messages = await starter.replies(request)
    texts = [str(message.body["text"]) for message in messages if message.type == TokenGenerated.TYPE]
    result = from_json(Generation, messages[-1].body)
    assert "".join(texts) == result.text
    result.text.encode()  # no half of a code point


@pytest.mark.slow
async def test_counting_does_not_wait_for_an_answer(starter: RunningWorker) -> None:
    request = Generate(messages=user("Tell me a very long story."), max_tokens=300)
    async with contextlib.aclosing(starter.channel.stream(request)) as replies:
        async for message in replies:
            if message.type == TokenGenerated.TYPE:
                break
        counts = await starter.channel.call(CountTokens(texts=("one two",)))
        assert counts.counts == (2,)


@pytest.mark.slow
async def test_mutated_models_never_hang_the_worker(tmp_path: Path) -> None:
    """Each of 300 ends with a named error, an answer, or the death of its worker, within its time."""
    path, outcomes = tmp_path / "mutated.gguf", dict.fromkeys(("refused", "answered", "died"), 0)
    todo = list(mutations(300, seed=2))
    while todo:
        async with running_worker() as worker:
            while todo:
                path.write_bytes(todo.pop()[1])
                outcome = await asyncio.wait_for(_tried(worker, path), PATIENCE_S)
                outcomes[outcome] += 1
                if outcome == "died":
                    break
    assert sum(outcomes.values()) == 300
    assert outcomes["answered"] > 30 and outcomes["refused"] > 30
    assert outcomes["died"] < 30, outcomes


async def _tried(worker: RunningWorker, path: Path) -> str:
    try:
        await worker.channel.call(LoadModel(path=str(path), n_threads=1))
        await worker.channel.call(Generate(messages=user("hi"), max_tokens=4))
    except RequestError as error:
        assert error.body.code != "inference.failed", error.body
        return "refused"
    except ConnectionLost:
        return "died"
    return "answered"


async def test_pixels_come_behind_the_request(worker: RunningWorker, tmp_path: Path) -> None:
    model = TinyModel(context_length=512)
    path = model.write(tmp_path / "tiny.gguf")
    projector = write(Shape("mlp", model.width), tmp_path / "mmproj.gguf")
    info = await worker.channel.call(LoadModel(path=str(path), projector=str(projector)))
    assert info.reads_images
    sizes = (ImagePixels(width=20, height=10, sha256="a" * 64),)
    messages = (PromptMessage(role="user", content="what?", images=(0,)),)
    counted = await worker.channel.call(CountTokens(messages=messages, images=sizes))
    request = Generate(messages=messages, images=sizes, max_tokens=4)
    result, _ = await worker.channel.call_with_payload(request, bytes(range(200)) * 3)
    assert counted.counts == (result.prompt_tokens,)
    assert result.prompt_tokens > 64
    with pytest.raises(RequestError) as caught:
        await worker.channel.call_with_payload(request, bytes(599))
    assert caught.value.body.code == "image.bad"


async def test_a_cancelled_loading_ends_at_once_and_leaves_nothing(
    worker: RunningWorker, starter_path: Path
) -> None:
    load = LoadModel(path=str(starter_path), context_length=2048)
    request_id = ""
    with pytest.raises(RequestCancelled):
        async for message in worker.channel.stream(load):
            assert isinstance(from_message(message), EngineProgress)
            if not request_id:
                request_id = worker.sent[-1]
                await worker.cancel(request_id)
    assert await code_of(worker, Generate(messages=user("hello"))) == "model.not_loaded"
    info = await worker.channel.call(load)
    assert info.context_length == 2048


def test_a_cancel_after_the_last_look_comes_too_late() -> None:
    ended: list[object] = []
    job = Job("1", UnloadModel(), b"", lambda _message: None, lambda _job, result: ended.append(result))
    job.ends_at_once = True
    assert job.is_wanted() and not job.cancel() and job.cancelled.is_set()
    job.ends_at_once = True
    assert job.cancel() and not job.is_wanted()
