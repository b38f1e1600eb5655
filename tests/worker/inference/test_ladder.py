"""What is tried instead where a model cannot be loaded as planned, and how it is said."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ModelError
from app.core.fit import Room, Wish
from app.core.gguf import read_head
from app.core.model_shape import ModelShape, shape_of
from app.protocol.engine import LoadModel
from app.protocol.hardware import Gpu
from app.worker.inference import loading, memory
from app.worker.inference.backend import AbortFlag
from app.worker.inference.ladder import Ladder, Step
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.loading import load_model
from app.worker.inference.native_model import NativeContext, NativeModel
from app.worker.inference.random_model import RandomModel
from app.worker.inference.template import Renderer
from app.worker.inference.text_model import Surroundings
from app.worker.runtime import Cancelled
from tests.worker.inference.gguf_writer import TinyModel

GIB = 1024**3
GPU = Gpu(
    name="Vulkan0",
    description="A card",
    memory_total_bytes=8 * GIB,
    memory_free_bytes=8 * GIB,
    backend="Vulkan",
)


@pytest.fixture
def shape(tmp_path: Path) -> ModelShape:
    """A model of 32 layers with heads that can be stored in q8_0."""
    model = shape_of(read_head(TinyModel().write(tmp_path / "shape.gguf")))
    return replace(model, n_layers=32, key_size=64, value_size=64, context_trained=8192)


def descend(ladder: Ladder, step: Step, *, of_weights: bool = False) -> Iterator[Step]:
    while (below := ladder.below(step.placement, of_weights=of_weights)) is not None:
        yield below
        step = below


def test_all_steps_in_order(shape: ModelShape) -> None:
    ladder = Ladder(shape, Wish(), Room(available_bytes=8 * GIB, gpu_available_bytes=8 * GIB))
    (first,) = ladder.plan()
    assert (first.placement.gpu_layers, first.placement.n_ctx, first.note) == (32, 8192, "")
    steps = list(descend(ladder, first))
    placements = [step.placement for step in steps]
    assert [placement.gpu_layers for placement in placements[:4]] == [16, 8, 4, 0]
    assert [(each.kv_type, each.n_ctx) for each in placements[3:]] == [
        ("f16", 8192),
        ("q8_0", 8192),
        ("q8_0", 4096),
        ("q8_0", 2048),
        ("q8_0", 1024),
        ("q8_0", 512),
    ]
    notes = [step.note for step in steps]
    assert notes[0] == "The graphics processor could not take 32 of 32 layers: 16 are tried."
    assert notes[3] == "The graphics processor could not be used: the model runs on the processor."
    assert notes[4] == "Memory was short: the KV cache is kept in half the space (q8_0)."
    assert notes[5] == "Memory was short: the context holds 4,096 tokens instead of 8,192."
    needs = [placement.need.total_bytes for placement in placements[3:]]
    assert needs == sorted(needs, reverse=True)


def test_weights_that_the_processor_cannot_load_end_it(shape: ModelShape) -> None:
    ladder = Ladder(shape, Wish(), Room(available_bytes=8 * GIB))
    assert list(descend(ladder, next(ladder.plan()), of_weights=True)) == []


@pytest.mark.parametrize("wish", [Wish(kv_type="f16"), Wish(flash_attention=False)])
def test_a_cache_that_must_stay_as_it_is(shape: ModelShape, wish: Wish) -> None:
    ladder = Ladder(shape, wish, Room(available_bytes=8 * GIB))
    steps = list(descend(ladder, next(ladder.plan())))
    assert {step.placement.kv_type for step in steps} == {"f16"}
    assert [step.placement.n_ctx for step in steps] == [4096, 2048, 1024, 512]


# --- loading, with devices and contexts that fail


class Faults:
    """What fails.

    Attributes:
        gpu_layers: the GPU takes at most so many; None: whatever it is given.
        n_ctx: contexts above this cannot be made.
        kv_f16: contexts of float16 cannot be made.
        first_tokens: the GPU cannot compute.
        tried: (layers on the GPU, KV type, context) of each try; no KV type where the weights failed.
    """

    def __init__(self) -> None:
        self.gpu_layers: int | None = None
        self.n_ctx = 10**6
        self.kv_f16 = False
        self.first_tokens = False
        self.tried: list[tuple[int, str, int]] = []


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """A machine with a graphics processor, which is the processor in disguise, and what fails on it."""
    faults = Faults()

    class Model(NativeModel):
        def __init__(self, path: Path, on_progress: Any, *, gpu_layers: int = 0) -> None:
            faults.tried.append((gpu_layers, "", 0))
            if faults.gpu_layers is not None and gpu_layers > faults.gpu_layers:
                raise OSError("ErrorOutOfDeviceMemory")
            self.disguised = gpu_layers
            super().__init__(path, on_progress, use_gpu=False)

    class Context(NativeContext):
        def __init__(self, model: Any, n_ctx: int, *rest: Any, kv_type: str, **options: Any) -> None:
            faults.tried[-1] = (model.disguised, kv_type, n_ctx)
            if n_ctx > faults.n_ctx or (faults.kv_f16 and kv_type == "f16"):
                raise MemoryError
            self.on_gpu = bool(model.disguised)
            super().__init__(model, n_ctx, *rest, kv_type=kv_type, **options)

        def decode(self, tokens: Any, position: int | None = None) -> int:
            if faults.first_tokens and self.on_gpu:
                return -3
            return super().decode(tokens, position)

    monkeypatch.setattr(loading, "usable_gpus", lambda: (GPU,))
    monkeypatch.setattr(loading, "trusted_gpus", lambda *_args: ("key", ""))
    monkeypatch.setattr(loading, "NativeModel", Model)
    monkeypatch.setattr(loading, "NativeContext", Context)
    return faults


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return TinyModel(width=128, n_layers=4, context_length=2048).write(tmp_path / "four layers.gguf")


class Loads:
    """Loads models, keeps what is told meanwhile, and frees them."""

    def __init__(self, abort: AbortFlag, renderer: Renderer) -> None:
        self.told: list[str] = []
        self._around = Surroundings(
            abort, renderer, threading.Lock(), lambda _done, note: self.told.append(note), lambda: False
        )
        self._loaded: list[LoadedModel] = []

    def __call__(self, path: Path, around: dict[str, Any] | None = None, **options: Any) -> LoadedModel:
        request = LoadModel(path=str(path), n_threads=1, **options)
        self._loaded.append(load_model(request, replace(self._around, **(around or {}))))
        return self._loaded[-1]

    def close(self) -> None:
        for loaded in self._loaded:
            loaded.close()


@pytest.fixture
def load(abort: AbortFlag, renderer: Renderer, backend: None) -> Iterator[Loads]:
    loads = Loads(abort, renderer)
    yield loads
    loads.close()


def test_the_gpu_gets_all_layers(load: Loads, faults: Faults, model_path: Path) -> None:
    info = load(model_path).info
    assert (info.n_gpu_layers, info.n_layers, info.device, info.notes) == (4, 4, "A card", ())
    assert info.predicted_bytes > 0 and info.measured_bytes > 0


def test_a_full_gpu_gets_fewer_layers(load: Loads, faults: Faults, model_path: Path) -> None:
    faults.gpu_layers = 2
    info = load(model_path).info
    assert (info.n_gpu_layers, info.device) == (2, "A card")
    assert info.notes == ("The graphics processor could not take 4 of 4 layers: 2 are tried.",)
    assert [tried[0] for tried in faults.tried] == [4, 2]
    assert info.notes[0] in load.told


@pytest.mark.parametrize("fault", ["gpu_layers", "first_tokens"])
def test_the_processor_takes_what_the_gpu_cannot(
    load: Loads, faults: Faults, model_path: Path, fault: str
) -> None:
    setattr(faults, fault, 0 if fault == "gpu_layers" else True)
    info = load(model_path).info
    assert (info.n_gpu_layers, info.device, info.context_length) == (0, "CPU", 2048)
    assert info.notes[-1] == "The graphics processor could not be used: the model runs on the processor."
    assert [tried[0] for tried in faults.tried] == [4, 2, 1, 0]


def test_cache_and_context_shrink_until_they_fit(load: Loads, faults: Faults, model_path: Path) -> None:
    faults.n_ctx, faults.kv_f16 = 1024, True
    loaded = load(model_path, gpu_layers=0)
    assert (loaded.info.kv_type, loaded.info.context_length) == ("q8_0", 1024)
    assert faults.tried == [(0, "f16", 2048), (0, "q8_0", 2048), (0, "q8_0", 1024)]
    assert len(loaded.info.notes) == 2


def test_where_nothing_works_the_engines_words_are_kept(
    load: Loads, faults: Faults, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults.n_ctx = 0
    monkeypatch.setattr(loading, "take_errors", lambda: "no memory at all")
    with pytest.raises(ModelError) as caught:
        load(model_path)
    assert caught.value.code == "model.load_failed"
    assert caught.value.context["engine"] == "no memory at all"
    assert faults.tried[-1] == (0, "q8_0", 512)


def test_what_does_not_fit_beside_the_gpu_is_refused(
    load: Loads, faults: Faults, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults.gpu_layers = 0
    # the weights' 2.4 MB have no place but on the GPU: the embeddings and the engine's own 12 MB fit
    monkeypatch.setattr(memory, "available_memory", lambda: 16_000_000)
    with pytest.raises(ModelError) as caught:
        load(model_path, batch_tokens=16)
    assert caught.value.code == "model.too_large"


def test_a_cancelled_load_is_not_tried_again(load: Loads, faults: Faults, model_path: Path) -> None:
    faults.gpu_layers = 0
    with pytest.raises(Cancelled):
        load(model_path, {"is_cancelled": lambda: bool(faults.tried)})
    assert len(faults.tried) == 1


def test_other_failures_are_not_the_gpus(
    load: Loads, faults: Faults, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NativeModel, "generates_text", False)
    with pytest.raises(ModelError, match="does not write text"):
        load(model_path)
    assert len(faults.tried) == 1


def test_a_gpu_that_failed_its_test_is_not_used(
    load: Loads, faults: Faults, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "trusted_gpus", lambda *_args: ("key", "it failed its test"))
    info = load(model_path).info
    assert info.n_gpu_layers == 0
    assert info.notes == ("The graphics processor (A card) is not used: it failed its test.",)


def test_a_gpu_that_failed_in_an_answer_is_not_used(load: Loads, faults: Faults, model_path: Path) -> None:
    info = load(model_path, {"without_gpu": "It failed."}).info
    assert (info.n_gpu_layers, info.notes) == (0, ("It failed.",))


def test_wishes_are_kept(load: Loads, faults: Faults, model_path: Path) -> None:
    loaded = load(model_path, gpu_layers=1, kv_type="q4_0", flash_attention="on", batch_tokens=32)
    info = loaded.info
    assert (info.n_gpu_layers, info.kv_type, loaded.n_batch) == (1, "q4_0", 32)


def test_a_kv_type_that_needs_flash_attention(load: Loads, faults: Faults, model_path: Path) -> None:
    info = load(model_path, kv_type="q8_0", flash_attention="off").info
    assert info.kv_type == "f16"
    assert info.notes == ("The KV cache is kept as f16: q8_0 needs flash attention, which is off.",)


# --- memory that really ends, in a process of its own

CHILD = """
import resource, sys, threading
from app.worker.inference.backend import AbortFlag, start_backend
start_backend()
import psutil
from app.protocol.engine import LoadModel
from app.worker.inference.loading import load_model
from app.worker.inference.random_model import RandomModel
from app.worker.inference.template import Renderer
from app.worker.inference.text_model import Surroundings

renderer = Renderer()
renderer.start()
around = Surroundings(AbortFlag(), renderer, threading.Lock(), lambda done, note: None, lambda: False)
limit = psutil.Process().memory_info().vms + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
model = load_model(LoadModel(path=sys.argv[1], context_length=8192, gpu_layers=0, n_threads=1), around)
print(model.info.kv_type, model.info.context_length, *model.info.notes, sep="\\n")
model.close()
renderer.close()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="address space can be limited on Linux")
@pytest.mark.parametrize(
    ("more_bytes", "kv_type", "n_ctx"),
    [
        (1_000_000_000, "f16", {8192}),
        (620_000_000, "q8_0", {8192}),
        (400_000_000, "q8_0", {4096, 2048, 1024}),
    ],
)
def test_memory_that_ends_goes_down_the_ladder(
    starter_path: Path, tmp_path: Path, more_bytes: int, kv_type: str, n_ctx: set[int]
) -> None:
    # 70 MB of weights and a cache of 540 MB as f16, 285 MB as q8_0
    shape = RandomModel(
        n_layers=16, width=1024, n_heads=8, n_kv_heads=8, inner=256, tokenizer=starter_path, is_tied=True
    )
    path = shape.write(tmp_path / "large cache.gguf", hollow=True)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(more_bytes)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    got_type, got_ctx, *notes = child.stdout.splitlines()
    assert got_type == kv_type
    assert int(got_ctx) in n_ctx
    assert bool(notes) == (kv_type == "q8_0")
    assert all(note.startswith("Memory was short: ") for note in notes)
