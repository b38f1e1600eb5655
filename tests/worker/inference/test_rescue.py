"""A graphics processor that fails in the middle of an answer is given up, once, and said."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.core.errors import ModelError
from app.protocol.body import from_message
from app.protocol.engine import EngineInfo, Generate, Generation, LoadModel, PromptMessage, TokenGenerated
from app.worker.inference import main
from app.worker.inference.main import InferenceService
from app.worker.inference.text_model import Sink, Surroundings
from app.worker.runtime import Job

REQUEST = LoadModel(path="model.gguf")
QUESTION = Generate(messages=(PromptMessage(role="user", content="Hello"),))
DONE = Generation(
    text="Hi",
    prompt_tokens=1,
    cached_tokens=0,
    completion_tokens=1,
    first_token_s=None,
    tokens_per_s=None,
    finish="stop",
)


@dataclass
class FailingModel:
    """A model that writes, or fails.

    Attributes:
        writes_first: some text is sent before it fails.
        code: of the failure; empty for none.
    """

    options: LoadModel
    n_gpu_layers: int
    notes: tuple[str, ...] = ()
    writes_first: bool = False
    code: str = ""
    closed: bool = False

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            path="model.gguf",
            name="model",
            architecture="llama",
            description="",
            n_params=1,
            context_length=512,
            context_trained=512,
            has_template=True,
            load_seconds=0.0,
            n_threads=1,
            n_gpu_layers=self.n_gpu_layers,
            notes=self.notes,
        )

    def generate(self, _request: Generate, _payload: bytes, _abort: object, sink: Sink) -> Generation:
        if self.writes_first:
            sink.on_text("H")
        if self.code:
            raise ModelError(self.code, "The engine could not go on.", "Try again.")
        return DONE

    def raise_if_changed(self) -> None:
        """Nothing changed."""

    def save_snapshot(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        self.closed = True


def _ignore(*_ended: object) -> None:
    """Nobody waits for its end."""


@dataclass
class Bench:
    """A service whose models are FailingModels.

    Attributes:
        first: what the next loaded model is like.
        opened: the models, in order.
    """

    service: InferenceService
    first: dict[str, Any] = field(default_factory=dict)
    opened: list[FailingModel] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)

    def job(self) -> Job:
        return Job("1", QUESTION, b"", lambda message: self.told.append(from_message(message)), _ignore)

    def open(self, request: LoadModel, around: Surroundings) -> FailingModel:
        notes = (around.without_gpu,) if around.without_gpu else ()
        model = FailingModel(request, 0 if notes else 24, notes, **({} if notes else self.first))
        self.opened.append(model)
        return model


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    bench = Bench(InferenceService())
    monkeypatch.setattr(main, "open_model", bench.open)
    yield bench
    bench.service.close()


def test_answer_starts_again_on_the_processor(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    bench.first = {"code": "engine.failed"}
    bench.service.load(REQUEST, bench.job())
    assert bench.service.generate(QUESTION, bench.job()) == DONE
    assert [model.n_gpu_layers for model in bench.opened] == [24, 0]
    assert bench.opened[0].closed
    again = bench.service.load(REQUEST, bench.job())
    assert len(bench.opened) == 2, "the same request keeps the model that works"
    assert again.notes == (
        "The graphics processor failed during an answer: the model runs on the processor.",
    )


def test_answer_that_had_begun_must_be_asked_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    bench.first = {"code": "engine.failed", "writes_first": True}
    bench.service.load(REQUEST, bench.job())
    with pytest.raises(ModelError) as caught:
        bench.service.generate(QUESTION, bench.job())
    assert "now runs on the processor" in caught.value.user_message
    assert bench.told == [TokenGenerated(text="H")]
    assert bench.service.generate(QUESTION, bench.job()) == DONE


@pytest.mark.parametrize("code", ["prompt.too_long", "model.changed"])
def test_other_failures_are_not_the_gpus(bench: Bench, code: str) -> None:
    bench.first = {"code": code}
    bench.service.load(REQUEST, bench.job())
    with pytest.raises(ModelError) as caught:
        bench.service.generate(QUESTION, bench.job())
    assert caught.value.code == code
    assert len(bench.opened) == 1
