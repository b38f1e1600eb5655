"""Loading: what is refused and why, progress, cancelling, and files that change under a loaded model."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import ModelError
from app.protocol.engine import LoadModel, PromptMessage
from app.worker.inference import loading, memory
from app.worker.inference.backend import AbortFlag
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.loading import load_model
from app.worker.inference.template import Renderer
from app.worker.inference.text_model import Surroundings
from app.worker.runtime import Cancelled
from tests.worker.inference.gguf_corpus import malformed
from tests.worker.inference.gguf_writer import STRING, U32, GgufFile, TinyModel

pytestmark = pytest.mark.usefixtures("backend")


class Loader:
    """Loads models and frees them at the end."""

    def __init__(self, abort: AbortFlag, renderer: Renderer) -> None:
        self._abort, self._renderer = abort, renderer
        self.progress: list[float] = []
        self.loaded: list[LoadedModel] = []

    def __call__(self, path: Path, context_length: int = 0, cancel_at: float = 2.0) -> LoadedModel:
        self.progress.clear()
        options = LoadModel(path=str(path), context_length=context_length, n_threads=1)
        loaded = load_model(
            options,
            Surroundings(
                self._abort,
                self._renderer,
                threading.Lock(),
                lambda done, _note: self.progress.append(done),
                lambda: self._reached(cancel_at),
            ),
        )
        self.loaded.append(loaded)
        return loaded

    def _reached(self, fraction: float) -> bool:
        return bool(self.progress) and self.progress[-1] >= fraction


@pytest.fixture
def load(abort: AbortFlag, renderer: Renderer) -> Iterator[Loader]:
    loader = Loader(abort, renderer)
    yield loader
    for loaded in loader.loaded:
        loaded.close()


def refusal(load: Loader, path: Path, context_length: int = 0) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load(path, context_length)
    assert caught.value.user_message and caught.value.hint
    return caught.value


def test_model_is_loaded(load: Loader, tiny_path: Path) -> None:
    info = load(tiny_path).info
    assert (info.name, info.architecture, info.has_template) == ("tiny", "llama", True)
    assert info.context_length == info.context_trained == 512
    assert info.n_params > 10_000
    assert info.n_threads == 1
    assert load.progress[-1] == 1.0
    assert load.progress == sorted(load.progress)


def test_context_can_be_chosen(load: Loader, tiny_path: Path) -> None:
    assert load(tiny_path, 256).info.context_length == 256


@pytest.mark.parametrize("name", ["with space", "é中文😀", "x" * 200, "quote'\"", "%s{}"])
def test_names_of_every_kind(load: Loader, tmp_path: Path, name: str) -> None:
    path = TinyModel().write(tmp_path / f"{name}.gguf")
    assert load(path).info.name == name


def test_malformed_files_never_reach_the_engine(
    load: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "NativeModel", None)
    for kind, (data, code) in malformed().items():
        path = tmp_path / "bad.gguf"
        path.write_bytes(data)
        assert refusal(load, path).code == code, kind


def test_file_without_weights(load: Loader, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = GgufFile()
    file.add("general.architecture", STRING, "llama")
    error = refusal(load, file.write(tmp_path / "hollow.gguf"))
    assert error.code == "model.load_failed"
    assert error.context["engine"]
    caplog.clear()


def test_unknown_architecture(load: Loader, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = TinyModel().build()
    file.add("general.architecture", STRING, "future9")
    error = refusal(load, file.write(tmp_path / "future.gguf"))
    assert error.code == "model.unsupported"
    assert "future9" in error.user_message
    caplog.clear()


def test_too_large_model_is_not_loaded(
    load: Loader, tiny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 1_000_000)
    assert refusal(load, tiny_path).code == "model.too_large"


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.85])
def test_loading_can_be_cancelled(
    load: Loader, tiny_path: Path, fraction: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_PROGRESS_INTERVAL_S", 0.0)
    with pytest.raises(Cancelled):
        load(tiny_path, cancel_at=fraction)


def test_context_that_cannot_be_allocated(
    load: Loader, tiny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(loading, "NativeContext", fail)
    assert refusal(load, tiny_path).code == "model.load_failed"


def test_model_that_writes_no_text(load: Loader, tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.worker.inference.native_model.NativeModel.generates_text", False)
    error = refusal(load, tiny_path)
    assert error.code == "model.unsupported"
    assert "embedding" in error.user_message


def split_head(n: int, count: int, path: Path) -> Path:
    file = TinyModel().build()
    file.add("split.count", U32, count)
    return file.write(path / f"big-{n:05d}-of-{count:05d}.gguf")


def test_missing_part_of_a_split_model(load: Loader, tmp_path: Path) -> None:
    error = refusal(load, split_head(1, 2, tmp_path))
    assert error.code == "model.not_found"
    assert "big-00002-of-00002.gguf" in error.user_message


def test_later_part_of_a_split_model(load: Loader, tmp_path: Path) -> None:
    assert refusal(load, split_head(2, 2, tmp_path)).code == "model.load_failed"


def overwrite(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def replace(path: Path) -> None:
    other = path.with_name("other.gguf")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def touch(path: Path) -> None:
    os.utime(path, ns=(0, time.time_ns()))


@pytest.mark.parametrize("change", [overwrite, replace, touch, Path.unlink])
def test_changed_file_is_noticed(load: Loader, tiny_path: Path, change: object) -> None:
    loaded = load(tiny_path)
    loaded.raise_if_changed()
    assert callable(change)
    change(tiny_path)
    with pytest.raises(ModelError) as caught:
        loaded.raise_if_changed()
    assert caught.value.code == "model.changed"


@pytest.mark.parametrize(("tokenizer", "begins"), [("bpe", "<|im_start|>"), ("spm", "<s>### User:")])
def test_file_without_template_gets_one(load: Loader, tmp_path: Path, tokenizer: str, begins: str) -> None:
    path = TinyModel(tokenizer=tokenizer, template=None).write(tmp_path / "bare.gguf")
    loaded = load(path)
    assert not loaded.info.has_template
    assert loaded.template.render((PromptMessage(role="user", content="Hi"),)).startswith(begins)
