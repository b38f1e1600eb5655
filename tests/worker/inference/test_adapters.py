"""LoRA adapters: they change what is written, as strongly as asked, and only where they fit."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.errors import ModelError
from app.protocol.engine import LoraAdapter
from app.worker.inference.native_model import NativeContext
from tests.worker.inference.answering import Answerer, Opener
from tests.worker.inference.gguf_writer import F32, STRING, GgufFile, TinyModel

pytestmark = pytest.mark.usefixtures("backend")


def write_adapter(
    path: Path,
    *,
    architecture: str = "llama",
    kind: str = "adapter",
    width: int = 32,
    rank: int = 4,
    seed: int = 1,
) -> Path:
    """Write a random adapter of the query projections of a tiny model."""
    file, source = GgufFile(), random.Random(seed)
    file.add("general.architecture", STRING, architecture)
    file.add("general.type", STRING, kind)
    file.add("adapter.type", STRING, "lora")
    file.add("adapter.lora.alpha", F32, float(rank))
    for layer in range(2):
        name = f"blk.{layer}.attn_q.weight"
        for end, shape in (("lora_a", (width, rank)), ("lora_b", (rank, width))):
            values = [source.gauss(0, 1.0) for _ in range(shape[0] * shape[1])]
            file.add_tensor(f"{name}.{end}", shape, values)
    return file.write(path)


def logits(context: NativeContext) -> "np.ndarray[Any, Any]":
    context.clear()
    context.decode([5, 6, 7, 8, 9])
    return context.logits().copy()


def adapted(start: Opener, *adapters: tuple[Path, float], **options: object) -> Answerer:
    loras = tuple(LoraAdapter(path=str(path), scale=scale) for path, scale in adapters)
    return start(TinyModel(), loras=loras, **options)


def test_adapter_changes_the_logits_as_strongly_as_asked(start: Opener) -> None:
    path = write_adapter(start.folder / "adapter.gguf")
    other = write_adapter(start.folder / "other.gguf", seed=2)
    plain = logits(start(TinyModel()).loaded.context)

    def distance(*adapters: tuple[Path, float]) -> float:
        return float(np.abs(logits(adapted(start, *adapters).loaded.context) - plain).max())

    assert distance((path, 0.0)) == 0
    assert 0 < distance((path, 0.02)) < distance((path, 1.0))
    assert distance((path, 1.0)) != distance((path, 1.0), (other, 1.0))


def test_answers_and_snapshots_are_of_the_adapted_model(start: Opener) -> None:
    path = write_adapter(start.folder / "adapter.gguf")
    kept = {"snapshot_dir": str(start.folder / "snapshots"), "snapshot_limit_bytes": 2**30}
    long = "abcdefghij" * 30
    plain = start(TinyModel(), **kept)
    plain(long, conversation="c")
    plain.model.save_snapshot()
    changed = adapted(start, (path, 1.0), **kept)
    assert not changed(long, conversation="c").from_snapshot


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"architecture": "qwen2"}, "models of the kind qwen2"),
        ({"kind": "model"}, "not a LoRA adapter"),
        ({"width": 64}, "does not fit this model"),
    ],
)
def test_adapters_that_do_not_fit(
    start: Opener, written: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_adapter(start.folder / "adapter.gguf", **written)
    with pytest.raises(ModelError, match=words) as caught:
        adapted(start, (path, 1.0))
    assert caught.value.code == "adapter.bad"
    caplog.clear()


def test_adapter_that_is_missing_or_damaged(start: Opener) -> None:
    with pytest.raises(ModelError) as caught:
        adapted(start, (start.folder / "nowhere.gguf", 1.0))
    assert caught.value.code == "model.not_found"
    path = write_adapter(start.folder / "adapter.gguf")
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(ModelError) as caught:
        adapted(start, (path, 1.0))
    assert caught.value.code == "model.truncated"


@pytest.mark.parametrize("which", ["adapter", "draft", "projector"])
def test_changed_files_beside_the_model_are_noticed(start: Opener, which: str) -> None:
    path = write_adapter(start.folder / "beside.gguf")
    options: dict[str, Any] = {"projector": {"projector": str(path)}}.get(which, {})
    if which == "draft":
        options = {"draft": str(TinyModel().write(path))}
    answer = adapted(start, (path, 1.0)) if which == "adapter" else start(TinyModel(), **options)
    answer("hello")
    path.touch()
    with pytest.raises(ModelError, match=r"beside\.gguf") as caught:
        answer("hello")
    assert caught.value.code == "model.changed"
