"""Asks loaded tiny models, in this process."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.protocol.engine import Generate, Generation, LoadModel, PromptMessage, PromptProgress
from app.worker.inference.backend import AbortFlag
from app.worker.inference.llama_text_model import LlamaTextModel, complete
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.loading import load_model
from app.worker.inference.template import Renderer
from app.worker.inference.text_model import Sink, Surroundings
from tests.worker.inference.gguf_writer import TinyModel


@dataclass
class Answerer:
    """A loaded model and what its generations reported."""

    model: LlamaTextModel
    loaded: LoadedModel
    abort: AbortFlag
    progress: list[PromptProgress] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    on_progress: Callable[[PromptProgress], None] = lambda _body: None

    def __call__(self, *contents: str, system: str = "", **options: object) -> Generation:
        """Answer; contents alternate between user and assistant, behind a system message if one is given."""
        self.progress.clear()
        self.texts.clear()
        turns = tuple(
            PromptMessage(role="assistant" if i % 2 else "user", content=content)
            for i, content in enumerate(contents)
        )
        if system:
            turns = (PromptMessage(role="system", content=system), *turns)
        request = Generate(messages=turns, **{"max_tokens": 16, **options})  # type: ignore[arg-type]
        self.abort.clear()
        return self.model.generate(request, b"", self.abort, Sink(self._note, self.texts.append))

    def _note(self, body: PromptProgress) -> None:
        self.progress.append(body)
        self.on_progress(body)


@dataclass
class Opener:
    """Writes and loads models."""

    folder: Path
    abort: AbortFlag
    renderer: Renderer
    opened: list[LlamaTextModel] = field(default_factory=list)

    def __call__(self, model: TinyModel, **options: object) -> Answerer:
        """Write a model and load it with options of LoadModel."""
        return self.load(model.write(self.folder / f"{len(self.opened)}.gguf"), **options)

    def load(self, path: Path, **options: object) -> Answerer:
        """Load a model file; raises as `complete`."""
        around = Surroundings(
            self.abort, self.renderer, threading.Lock(), lambda _done, _note: None, lambda: False
        )
        request = replace(LoadModel(path=str(path), n_threads=1), **options)  # type: ignore[arg-type]
        loaded = load_model(request, around)
        self.opened.append(complete(loaded, around))
        return Answerer(self.opened[-1], loaded, self.abort)

    def close(self) -> None:
        """Free all models."""
        for model in self.opened:
            model.close()
