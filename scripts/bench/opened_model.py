"""A model loaded in this process, asked without a host; for benchmarks that look inside."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.paths import starter_models_dir
from app.protocol.engine import Generate, Generation, LoadModel, PromptMessage
from app.worker.inference.backend import AbortFlag, start_backend
from app.worker.inference.llama_text_model import LlamaTextModel, complete
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.loading import load_model
from app.worker.inference.template import Renderer
from app.worker.inference.text_model import Sink, Surroundings


@dataclass
class OpenedModel:
    """A loaded model.

    Attributes:
        model: as the worker holds it.
        loaded: its parts.
    """

    model: LlamaTextModel
    loaded: LoadedModel

    def ask(self, *contents: str, **options: Any) -> Generation:
        """Answer; contents alternate between user and assistant."""
        turns = tuple(
            PromptMessage(role="assistant" if n % 2 else "user", content=content)
            for n, content in enumerate(contents)
        )
        sink = Sink(lambda _progress: None, lambda _text: None)
        return self.model.generate(Generate(messages=turns, **options), b"", AbortFlag(), sink)


@contextlib.contextmanager
def opened_model(path: Path, **options: Any) -> Iterator[OpenedModel]:
    """Load a model with options of LoadModel; raises ModelError."""
    start_backend()
    renderer = Renderer()
    renderer.start()
    around = Surroundings(AbortFlag(), renderer, threading.Lock(), lambda _done, _note: None, lambda: False)
    try:
        loaded = load_model(LoadModel(path=str(path), **options), around)
        model = complete(loaded, around)
        try:
            yield OpenedModel(model, loaded)
        finally:
            model.close()
    finally:
        renderer.close()


def starter_model() -> Path:
    """Give the starter model's file; raises SystemExit where it was not fetched."""
    found = sorted((starter_models_dir() / "chat").glob("*.gguf"))
    if not found:
        raise SystemExit("There is no model: run scripts/fetch_models.py.")
    return found[0]
