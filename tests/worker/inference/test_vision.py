"""Images in prompts: evaluated where they stand, reused there, counted, cancelled, refused."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError, ModelError
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
from app.worker.inference import memory, vision
from app.worker.inference.backend import AbortFlag
from app.worker.inference.llama_text_model import LlamaTextModel
from app.worker.inference.opening import open_model
from app.worker.inference.projector import Part, Projector
from app.worker.inference.template import Renderer
from app.worker.inference.text_model import Sink, Surroundings
from app.worker.inference.vision import ImageReader, check_projector, image_tokens, n_text, whole_images
from app.worker.runtime import Cancelled
from scripts.make_mmproj import Shape, write
from tests.worker.inference.gguf_writer import CHATML, TinyModel

pytestmark = pytest.mark.usefixtures("backend")

KINDS = ("mlp", "gemma3", "qwen2vl_merger")


def image_of(seed: int, width: int = 90, height: int = 60) -> tuple[ImagePixels, bytes]:
    """A picture of coloured stripes."""
    pixels = bytes(
        (seed * 53 + x * (seed + 1) + channel * 90) % 256 for x in range(width) for channel in range(3)
    )
    return ImagePixels(width=width, height=height, sha256=f"{seed:064x}"), pixels * height


@dataclass
class Seer:
    """A model with a projector."""

    model: LlamaTextModel
    abort: AbortFlag
    progress: list[PromptProgress] = field(default_factory=list)
    on_progress: Callable[[PromptProgress], None] = lambda _body: None

    def __call__(
        self, *turns: str | tuple[str, tuple[int, ...]], images: tuple[tuple[ImagePixels, bytes], ...] = ()
    ) -> Generation:
        """Answer; turns alternate between user and assistant, a turn may name images."""
        messages = self.messages(*turns)
        sizes = tuple(size for size, _ in images)
        counted = self.model.count(CountTokens(messages=messages, images=sizes))
        self.progress.clear()
        self.abort.clear()
        request = Generate(messages=messages, images=sizes, max_tokens=8)
        payload = b"".join(pixels for _, pixels in images)
        result = self.model.generate(request, payload, self.abort, Sink(self._note, lambda _text: None))
        assert counted.counts == (result.prompt_tokens,)
        return result

    @staticmethod
    def messages(*turns: str | tuple[str, tuple[int, ...]]) -> tuple[PromptMessage, ...]:
        made = []
        for n, turn in enumerate(turns):
            text, shown = (turn, ()) if isinstance(turn, str) else turn
            made.append(PromptMessage(role="assistant" if n % 2 else "user", content=text, images=shown))
        return tuple(made)

    def _note(self, body: PromptProgress) -> None:
        self.progress.append(body)
        self.on_progress(body)

    @property
    def loaded(self) -> Any:
        return self.model._loaded


Opener = Callable[..., Seer]


@pytest.fixture
def opened(tmp_path: Path, abort: AbortFlag, renderer: Renderer) -> Iterator[Opener]:
    models: list[LlamaTextModel] = []

    def build(kind: str = "mlp", is_cancelled: Callable[[], bool] = lambda: False, **options: Any) -> Seer:
        family = "qwen2vl" if kind == "qwen2vl_merger" else "llama"
        tiny = TinyModel(architecture=family, context_length=1024, template=CHATML)
        projector = write(Shape(kind, tiny.width, **options), tmp_path / f"mmproj{len(models)}.gguf")
        path = tiny.write(tmp_path / f"tiny{len(models)}.gguf")
        around = Surroundings(abort, renderer, threading.Lock(), lambda _done, _note: None, is_cancelled)
        model = open_model(LoadModel(path=str(path), projector=str(projector), n_threads=1), around)
        assert isinstance(model, LlamaTextModel)
        models.append(model)
        return Seer(model, abort)

    yield build
    for model in models:
        model.close()


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_seen_and_told_apart(opened: Opener, kind: str) -> None:
    seer = opened(kind)
    assert seer.model.info.reads_images
    one, other = image_of(1), image_of(2)
    first = seer(("What is it?", (0,)), images=(one,))
    second = seer(("What is it?", (0,)), images=(other,))
    again = opened(kind)(("What is it?", (0,)), images=(one,))
    blind = seer("What is it?")
    assert first.text == again.text
    assert len({first.text, second.text, blind.text}) == 3


@pytest.mark.parametrize(("kind", "n_places"), [("mlp", 64), ("gemma3", 4)])
def test_an_image_takes_as_many_tokens_as_its_projector_says(
    opened: Opener, kind: str, n_places: int
) -> None:
    seer = opened(kind)
    without = seer("What is it?").prompt_tokens
    n_marks = sum(part.n_tokens for part in seer.loaded.reader.projector.parts(90, 60) if not part.is_pixels)
    assert seer(("What is it?", (0,)), images=(image_of(1),)).prompt_tokens == without + n_places + n_marks


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_goes_on_as_if_it_were_read_anew(opened: Opener, kind: str) -> None:
    """Reused images must stand at the right positions: two ways to the same prompt give the same words."""
    one, other = image_of(1), image_of(2, 40, 120)
    seer = opened(kind)
    first = seer(("What is it?", (0,)), images=(one,))
    turns = (("What is it?", (0,)), first.text, ("And these two?", (1, 0)))
    second = seer(*turns, images=(one, other))
    assert second.cached_tokens >= first.prompt_tokens
    third = seer(*turns, second.text, "Why?", images=(one, other))
    assert third.cached_tokens >= second.prompt_tokens
    fresh = opened(kind)
    assert fresh(*turns, images=(one, other)).text == second.text
    assert opened(kind)(*turns, second.text, "Why?", images=(one, other)).text == third.text
    # back to the first question: the image before it is kept, what stood behind it goes
    back = seer(("What is it?", (0,)), images=(one,))
    assert (back.text, back.cached_tokens) == (first.text, first.prompt_tokens - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_another_image_at_the_same_place_is_read_anew(opened: Opener, kind: str) -> None:
    seer = opened(kind)
    one, other, same_file_smaller = image_of(1), image_of(2), image_of(1, 45, 30)
    first = seer(("What is it?", (0,)), images=(one,))
    second = seer(("What is it?", (0,)), images=(other,))
    assert second.cached_tokens < 40
    assert len(seer.progress) >= 2
    assert seer(("What is it?", (0,)), images=(same_file_smaller,)).cached_tokens < 40
    assert seer(("What is it?", (0,)), images=(one,)).text == first.text


def test_an_image_that_is_cached_is_not_even_prepared(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    seer = opened()
    first = seer(("What is it?", (0,)), images=(image_of(1),))
    calls: list[int] = []
    monkeypatch.setattr(Projector, "evaluate", lambda *_arguments: calls.append(1))
    seer(("What is it?", (0,)), first.text, "Why?", images=(image_of(1),))
    assert calls == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancel_before_the_image_leaves_a_usable_cache(opened: Opener, kind: str) -> None:
    seer = opened(kind)
    expected = opened(kind)(("What is it?", (0,)), images=(image_of(1),)).text
    seer.on_progress = lambda _body: seer.abort.set()
    with pytest.raises(Cancelled) as caught:
        seer(("What is it?", (0,)), images=(image_of(1),))
    assert isinstance(caught.value.body, Generation)
    assert caught.value.body.finish == "cancelled"
    assert all(token >= 0 for token in seer.loaded.cache.tokens)
    seer.on_progress = lambda _body: None
    assert seer(("What is it?", (0,)), images=(image_of(1),)).text == expected


def test_a_cancel_while_the_image_is_encoded_stops_the_encoder(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag is set at the first look between two nodes of the encoder's graph."""
    seer = opened("mlp", n_layers=12)
    looks: list[bool] = []
    goes_on = Projector._goes_on

    def look(self: Projector, tensor: Any, ask: bool, data: Any) -> bool:
        if not ask:
            seer.abort.set()
            looks.append(True)
        return goes_on(self, tensor, ask, data)

    monkeypatch.setattr(Projector, "_goes_on", look)
    seer = opened("mlp", n_layers=12)
    with pytest.raises(Cancelled):
        seer(("What is it?", (0,)), images=(image_of(1),))
    assert len(looks) == 1
    assert all(token >= 0 for token in seer.loaded.cache.tokens)


def test_a_measurement_forgets_the_images_too(opened: Opener) -> None:
    seer = opened("qwen2vl_merger")
    first = seer(("What is it?", (0,)), images=(image_of(1),))
    assert seer.model.measure(MeasureSpeed(n_prompt=20, n_generate=4), seer.abort).n_prompt == 20
    assert seer(("What is it?", (0,)), images=(image_of(1),)).text == first.text


def test_marks_in_a_text_mean_nothing(opened: Opener) -> None:
    image = image_of(1)
    mark = f"<__image_{image[0].sha256}_90x60__>"
    seer = opened()
    plain = seer("What is it?").prompt_tokens
    typed = seer((f"What is {mark} it?", (0,)), images=(image,))
    shown = seer(("What is it?", (0,)), images=(image,))
    assert typed.prompt_tokens - shown.prompt_tokens > len(mark) // 2
    assert shown.prompt_tokens == plain + 64
    assert seer(f"What is {mark} it?").prompt_tokens > plain + len(mark) // 4


def test_what_does_not_fit_together_is_refused(opened: Opener) -> None:
    seer, image = opened(), image_of(1)

    def code(payload: bytes, shown: int = 0, size: ImagePixels = image[0]) -> str:
        request = Generate(messages=Seer.messages(("What?", (shown,))), images=(size,))
        with pytest.raises(AppError) as caught:
            seer.model.generate(request, payload, seer.abort, Sink(lambda _b: None, lambda _t: None))
        return caught.value.code

    assert code(image[1][:-1]) == "image.bad"
    assert code(image[1], shown=1) == "image.bad"
    assert code(b"", size=ImagePixels(width=0, height=0, sha256="0" * 64)) == "image.bad"
    assert seer(("What is it?", (0,)), images=(image,)).text


def test_an_image_that_the_engine_refuses_is_named(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    seer = opened()

    def refuse(*_arguments: Any) -> Any:
        raise ValueError

    monkeypatch.setattr(Projector, "parts", refuse)
    with pytest.raises(AppError) as caught:
        seer(("What is it?", (0,)), images=(image_of(1),))
    assert caught.value.code == "image.bad"


def test_an_image_larger_than_a_batch_does_not_end_the_process(opened: Opener) -> None:
    seer = opened("gemma3")
    seer.loaded.context.n_batch_max = 3
    with pytest.raises(ModelError) as caught:
        seer(("What is it?", (0,)), images=(image_of(1),))
    assert caught.value.code == "engine.failed"


def test_a_model_without_projector_says_so(tiny_path: Path, abort: AbortFlag, renderer: Renderer) -> None:
    around = Surroundings(abort, renderer, threading.Lock(), lambda _done, _note: None, lambda: False)
    model = open_model(LoadModel(path=str(tiny_path), n_threads=1), around)
    assert not model.info.reads_images
    image = image_of(1)
    request = Generate(messages=Seer.messages(("What?", (0,))), images=(image[0],))
    with pytest.raises(ModelError) as caught:
        model.generate(request, image[1], abort, Sink(lambda _b: None, lambda _t: None))
    assert caught.value.code == "model.no_images"
    with pytest.raises(ModelError):
        model.count(CountTokens(messages=request.messages, images=request.images))
    model.close()


# ------------------------------------------------------------------------------------------- loading


def refusal(path: Path, projector: Path, abort: AbortFlag, renderer: Renderer) -> ModelError:
    around = Surroundings(abort, renderer, threading.Lock(), lambda _done, _note: None, lambda: False)
    with pytest.raises(ModelError) as caught:
        open_model(LoadModel(path=str(path), projector=str(projector), n_threads=1), around)
    return caught.value


def test_projectors_that_cannot_be_used_are_named(
    tiny_path: Path, tmp_path: Path, abort: AbortFlag, renderer: Renderer, caplog: pytest.LogCaptureFixture
) -> None:
    whole = write(Shape("mlp", 32), tmp_path / "whole.gguf").read_bytes()
    cases = {
        "none.gguf": (None, "not there any more"),
        "short.gguf": (whole[:-5000], "incomplete"),
        "words.gguf": (b"not a model", "cannot be used"),
        "chat.gguf": (tiny_path.read_bytes(), "no projector for images"),
        "wide.gguf": (write(Shape("mlp", 64), tmp_path / "w").read_bytes(), "belongs to another model"),
        "sound.gguf": (whole.replace(b"clip.has_vision_encoder", b"clip.has_audio__encoder"), "engine"),
        "unknown.gguf": (whole.replace(b"\3\0\0\0\0\0\0\0mlp", b"\3\0\0\0\0\0\0\0xyz"), "engine"),
    }
    for name, (content, words) in cases.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        error = refusal(tiny_path, path, abort, renderer)
        assert error.code == "projector.bad", name
        assert words in error.user_message, name
        assert error.hint
    caplog.clear()  # the engine's own words about the last two


def test_an_old_projector_of_another_model_is_refused_by_the_engine(
    tiny_path: Path, tmp_path: Path, abort: AbortFlag, renderer: Renderer, caplog: pytest.LogCaptureFixture
) -> None:
    """Old files do not say for which width they were made."""
    content = write(Shape("mlp", 64), tmp_path / "new.gguf").read_bytes()
    old = tmp_path / "old.gguf"
    old.write_bytes(content.replace(b"\6\0\0\0\0\0\0\0mmproj", b"\6\0\0\0\0\0\0\0unsaid"))
    check_projector(LoadModel(path=str(tiny_path), projector=str(old)))
    error = refusal(tiny_path, old, abort, renderer)
    assert (error.code, "belongs to another model" in error.user_message) == ("projector.bad", True)
    caplog.clear()


def test_memory_is_looked_at_before_the_projector_is_loaded(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vision, "available_memory", lambda: 1000)
    with pytest.raises(ModelError) as caught:
        opened()
    assert caught.value.code == "model.too_large"


def test_loading_a_projector_can_be_cancelled(
    opened: Opener, abort: AbortFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[bool] = []
    before = memory.available_memory

    def now() -> int:
        wanted.append(True)
        abort.set()  # as the worker does, which silences what the engine says about it
        return before()

    monkeypatch.setattr(vision, "available_memory", now)  # asked right before the projector is loaded
    with pytest.raises(Cancelled):
        opened("mlp", is_cancelled=lambda: bool(wanted))
    assert len(wanted) == 1


# ------------------------------------------------------------------------------------------- numbers


def test_tokens_of_images_are_no_tokens_of_any_vocabulary() -> None:
    image, _ = image_of(1)
    tokens = image_tokens(image, 0, 500)
    assert all(-(2**31) < token < 0 for token in tokens)
    assert [token % 2 for token in tokens] == [1] + [0] * 499
    assert tokens == image_tokens(image, 0, 500)
    others = (image_tokens(image, 1, 500), image_tokens(image_of(2)[0], 0, 500))
    assert all(set(tokens).isdisjoint(other) for other in others)


def test_images_are_kept_whole() -> None:
    tokens = [5, 6, -3, -4, -8, 7, -9]
    assert [whole_images(tokens, n) for n in range(8)] == [0, 1, 2, 2, 2, 5, 6, 7]
    assert [n_text(tokens, n) for n in range(8)] == [2, 1, 0, 0, 0, 1, 0, 0]


def test_positions_behind_images_in_two_dimensions() -> None:
    class Fake:
        moves_positions = True

    reader = ImageReader(Fake())  # type: ignore[arg-type]
    reader.add(10, Part((), 64, 8))
    reader.add(80, Part((), 16, 4))
    assert [reader.position(n) for n in (0, 10, 74, 80, 96)] == [0, 10, 18, 24, 28]
    reader.keep_first(80)
    assert [reader.position(n) for n in (74, 80, 90)] == [18, 24, 34]
