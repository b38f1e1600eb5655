"""Files from before GGUF on their own engine: loaded, answered with, cancelled, counted, refused."""

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ModelError
from app.protocol.channel import RequestError
from app.protocol.engine import (
    CountTokens,
    Generate,
    Generation,
    ImagePixels,
    LoadModel,
    MeasureSpeed,
    PromptMessage,
    PromptProgress,
)
from app.worker.inference import legacy_loading, legacy_native
from app.worker.inference.backend import AbortFlag
from app.worker.inference.legacy_loading import load_legacy
from app.worker.inference.legacy_native import LegacyModel, library_path
from app.worker.inference.legacy_text_model import LegacyTextModel, pieces
from app.worker.inference.opening import open_model
from app.worker.inference.template import Renderer
from app.worker.inference.text_model import Sink, Surroundings
from app.worker.runtime import Cancelled
from scripts.make_ggml import Shape, encode, write
from tests.worker.inference.conftest import RunningWorker

installed = pytest.mark.skipif(
    not legacy_native.is_installed(), reason="the engine for old files is installed by the set-up"
)
Opener = Callable[..., LegacyTextModel]


@pytest.fixture
def around(abort: AbortFlag, renderer: Renderer) -> Surroundings:
    return Surroundings(abort, renderer, threading.Lock(), lambda _done, _note: None, lambda: False)


@pytest.fixture
def opened(tmp_path: Path, around: Surroundings) -> Iterator[Opener]:
    models: list[LegacyTextModel] = []

    def build(shape: Shape | None = None, **options: Any) -> LegacyTextModel:
        path = write(shape or Shape(), tmp_path / f"tiny-gpt2-{len(models)}.bin")
        model = open_model(LoadModel(path=str(path), n_threads=1, **options), around)
        assert isinstance(model, LegacyTextModel)
        models.append(model)
        return model

    yield build
    for model in models:
        model.close()


def user(*contents: str) -> tuple[PromptMessage, ...]:
    roles = itertools.cycle(("user", "assistant"))
    return tuple(PromptMessage(role=role, content=text) for role, text in zip(roles, contents, strict=False))


def answer(model: LegacyTextModel, *contents: str, sink: Sink | None = None, **options: Any) -> Generation:
    flag = options.pop("abort", AbortFlag())
    request = Generate(messages=user(*contents), **{"max_tokens": 12, **options})
    return model.generate(request, b"", flag, sink or Sink(lambda _body: None, lambda _text: None))


@installed
@pytest.mark.parametrize("storage", ["F32", "F16", "Q4_0"])
def test_a_file_answers_the_same_twice(opened: Opener, storage: str) -> None:
    model = opened(Shape(storage=storage))
    assert (model.info.engine, model.info.architecture, model.info.context_length) == ("legacy", "gpt2", 128)
    assert model.info.notes
    assert not model.info.reads_images
    texts: list[str] = []
    first = answer(model, "hello", sink=Sink(lambda _body: None, texts.append))
    assert (first.completion_tokens, first.finish, "".join(texts)) == (12, "length", first.text)
    again = answer(model, "hello")
    assert (again.text, again.cached_tokens) == (first.text, first.prompt_tokens - 1)
    assert answer(opened(Shape(storage=storage)), "hello").text == first.text
    assert answer(opened(Shape(storage=storage, seed=2)), "hello").text != first.text


@installed
def test_a_conversation_goes_on_as_if_it_were_read_anew(opened: Opener) -> None:
    model = opened(Shape(context_length=512))
    first = answer(model, "hello", max_tokens=5)
    second = answer(model, "hello", "plain words", "and now?")
    assert second.cached_tokens >= first.prompt_tokens
    assert answer(opened(Shape(context_length=512)), "hello", "plain words", "and now?").text == second.text


@installed
def test_random_answers_follow_their_seed(opened: Opener) -> None:
    model = opened()
    options: dict[str, Any] = {"temperature": 1.5, "top_k": 0, "top_p": 1.0}
    one = answer(model, "hello", seed=5, **options)
    assert one.seed == 5
    assert answer(model, "hello", seed=5, **options).text == one.text
    others = {answer(model, "hello", seed=n, **options).text for n in range(6)}
    assert len(others) > 3
    assert answer(model, "hello", **options).seed is not None
    assert answer(model, "hello", temperature=0.5, top_k=10**6, seed=1).completion_tokens == 12


@installed
def test_repeated_words_become_less_likely(opened: Opener) -> None:
    model = opened(Shape(context_length=256))
    plain, varied = (answer(model, "hello", max_tokens=100, repeat_penalty=p) for p in (1.0, 5.0))
    assert plain.completion_tokens == varied.completion_tokens == 100
    assert len(set(varied.text)) > len(set(plain.text))


@installed
def test_an_answer_ends_at_its_stop_text_and_where_the_context_does(opened: Opener) -> None:
    model = opened(Shape(context_length=64))
    whole = answer(model, "hi", max_tokens=8)
    first = whole.text[0]
    stopped = answer(model, "hi", stop=(first,), max_tokens=8)
    assert (stopped.text, stopped.finish) == ("", "stop")
    full = answer(model, "hi", max_tokens=500)
    assert full.finish in ("context", "stop")
    assert full.prompt_tokens + full.completion_tokens <= 65
    with pytest.raises(ModelError) as caught:
        answer(model, "word " * 100)
    assert caught.value.code == "prompt.too_long"
    assert answer(model, "hi", max_tokens=8).text == whole.text


@installed
def test_a_cancel_stops_between_parts_and_between_tokens(opened: Opener) -> None:
    model, abort = opened(Shape(context_length=512)), AbortFlag()
    expected = answer(opened(Shape(context_length=512)), "some words " * 20).text

    def stop(_body: PromptProgress | str) -> None:
        abort.set()

    for sink in (Sink(stop, lambda _text: None), Sink(lambda _body: None, stop)):
        with pytest.raises(Cancelled) as caught:
            answer(model, "some words " * 20, sink=sink, abort=abort, max_tokens=200)
        assert isinstance(caught.value.body, Generation)
        assert caught.value.body.finish == "cancelled"
        assert caught.value.body.completion_tokens < 200
        abort.clear()
    assert answer(model, "some words " * 20).text == expected


@installed
def test_tokens_are_counted_whatever_the_text(opened: Opener) -> None:
    model = opened()
    assert model.count(CountTokens(texts=("", "the", "héé", "a\0b", "日本"))).counts == (0, 1, 5, 2, 6)
    long = ("word " * 40_000, "x" * 50_000, "\n" * 5_000)
    assert all(n > 4_000 for n in model.count(CountTokens(texts=long)).counts)
    (whole,) = model.count(CountTokens(messages=user("hello"))).counts
    assert answer(model, "hello").prompt_tokens == whole


@installed
def test_speed_is_measured(opened: Opener) -> None:
    model, abort = opened(), AbortFlag()
    before = answer(model, "hello").text
    speed = model.measure(MeasureSpeed(n_prompt=1000, n_generate=1000), abort)
    assert (speed.n_prompt, speed.n_generated) == (64, 63)
    assert speed.tokens_per_s > 0
    assert answer(model, "hello").text == before
    abort.set()
    with pytest.raises(Cancelled):
        model.measure(MeasureSpeed(), abort)
    abort.clear()


@installed
def test_what_this_engine_cannot_do_is_said(opened: Opener, tmp_path: Path, around: Surroundings) -> None:
    model = opened(template="{{ messages[-1].content }}")
    assert answer(model, "hello").prompt_tokens == 5
    image = ImagePixels(width=1, height=1, sha256="0" * 64)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"grammar": 'root ::= "a"'}, "model.unsupported"),
        ({"json_schema": {}}, "model.unsupported"),
        ({"images": (image,)}, "model.no_images"),
    )
    for options, code in cases:
        with pytest.raises(ModelError) as caught:
            answer(model, "hello", **options)
        assert caught.value.code == code
    with pytest.raises(ModelError):
        model.count(CountTokens(messages=user("hello"), images=(image,)))
    path = write(Shape(), tmp_path / "gpt2.bin")
    with pytest.raises(ModelError) as caught:
        load_legacy(LoadModel(path=str(path), projector="/x"), around)
    assert caught.value.code == "projector.bad"
    model.save_snapshot()


@installed
def test_a_changed_file_is_noticed(opened: Opener) -> None:
    model = opened()
    assert model.options.n_threads == 1
    Path(model.info.path).touch()
    with pytest.raises(ModelError) as caught:
        answer(model, "hello")
    assert caught.value.code == "model.changed"
    Path(model.info.path).unlink()
    with pytest.raises(ModelError):
        model.raise_if_changed()


@installed
def test_loading_ends_in_a_model_or_a_reason(
    tmp_path: Path, around: Surroundings, monkeypatch: pytest.MonkeyPatch, renderer: Renderer
) -> None:
    def code(content: bytes, surroundings: Surroundings = around) -> str:
        path = tmp_path / "gpt2.bin"
        path.write_bytes(content)
        with pytest.raises(ModelError) as caught:
            load_legacy(LoadModel(path=str(path)), surroundings)
        return caught.value.code

    whole = encode(Shape())
    assert code(whole[:-100]) == "model.truncated"
    # what the reader lets pass, the engine's own checks refuse: a name that it does not know
    assert code(whole.replace(b"ln_f/g", b"lx_f/g")) == "model.load_failed"
    monkeypatch.setattr(legacy_loading, "available_memory", lambda: 1000)
    assert code(whole) == "model.too_large"
    monkeypatch.undo()
    cancelled = Surroundings(AbortFlag(), renderer, threading.Lock(), lambda _d, _n: None, lambda: True)
    with pytest.raises(Cancelled):
        load_legacy(LoadModel(path=str(write(Shape(), tmp_path / "gpt2.bin"))), cancelled)


@installed
def test_an_evaluation_that_fails_is_named(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened()
    monkeypatch.setattr(LegacyModel, "evaluate", lambda *_arguments: False)
    with pytest.raises(ModelError) as caught:
        answer(model, "hello")
    assert caught.value.code == "engine.failed"


@installed
@pytest.mark.slow
def test_no_client_of_a_hub_is_imported() -> None:
    """Nor anything else that could open a connection."""
    code = (
        "import sys; from app.worker.inference.legacy_native import bindings; bindings();"
        "print([name for name in ('huggingface_hub', 'cpuinfo', 'httpx', 'requests', 'ssl')"
        " if name in sys.modules], sys.modules['ctransformers'].__file__ if"
        " hasattr(sys.modules['ctransformers'], '__file__') else None)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[] None"


@installed
@pytest.mark.slow
async def test_the_worker_opens_old_files_too(worker: RunningWorker, tmp_path: Path) -> None:
    path = write(Shape(), tmp_path / "gpt2.bin")
    info = await worker.channel.call(LoadModel(path=str(path)))
    assert info.engine == "legacy"
    result = await worker.channel.call(Generate(messages=user("hello"), max_tokens=4))
    assert result.completion_tokens == 4
    path.write_bytes(encode(Shape())[:-50])
    with pytest.raises(RequestError) as caught:
        await worker.channel.call(Generate(messages=user("hello"), max_tokens=4))
    assert caught.value.body.code == "model.changed"
    with pytest.raises(RequestError) as caught:
        await worker.channel.call(LoadModel(path=str(path)))
    assert caught.value.body.code == "model.truncated"


def test_without_the_engine_the_next_step_is_named(
    tmp_path: Path, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy_native, "PACKAGE", "no_such_package_here")
    assert not legacy_native.is_installed()
    path = write(Shape(), tmp_path / "gpt2.bin")
    with pytest.raises(ModelError) as caught:
        open_model(LoadModel(path=str(path)), around)
    assert caught.value.code == "model.unsupported"
    assert "GGUF" in caught.value.hint


def test_the_library_of_the_largest_instruction_set_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = library_path(tmp_path, ()).name
    for variant in ("basic", "avx", "avx2"):
        (tmp_path / variant).mkdir()
        (tmp_path / variant / name).touch()

    def chosen(*features: str) -> str:
        return library_path(tmp_path, features).parent.name

    monkeypatch.setattr(sys, "platform", "linux")
    assert chosen() == chosen("avx2") == "basic"
    assert chosen("avx", "f16c") == chosen("avx", "f16c", "avx2") == "avx"
    assert chosen("avx", "f16c", "avx2", "fma") == "avx2"
    (tmp_path / "avx2" / name).unlink()
    assert chosen("avx", "f16c", "avx2", "fma") == "basic"


def test_long_texts_are_cut_where_no_word_is() -> None:
    for text in ("", "a b", "word " * 3000, "x" * 1000, " " * 500, "\n\nab " * 900, "é" * 300):
        parts = pieces(text)
        assert "".join(parts) == text
        assert all(len(part) < 2200 for part in parts)
        assert all(len(word) <= 128 for part in parts for word in part.split())
    assert pieces("one two") == ["one two"]
