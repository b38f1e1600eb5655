"""How a model is loaded is planned before it is, with what is free now."""

from pathlib import Path

import pytest

from app.core.errors import ModelError
from app.core.fit import Room, Wish
from app.core.gguf import GgufHead, Tensor
from app.core.model_shape import shape_of
from app.protocol.hardware import Gpu
from app.worker.inference.ladder import Ladder, Step
from app.worker.inference.memory import plan_memory, room_for

GIB = 1024**3


def eight_billion() -> GgufHead:
    """A model of 8 billion weights, 4 bits each, 8 of 32 heads with keys."""
    metadata = {
        "general.architecture": "llama",
        "llama.context_length": 131_072,
        "llama.embedding_length": 4096,
        "llama.feed_forward_length": 14_336,
        "llama.block_count": 32,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
    }
    tensors = (Tensor("token_embd.weight", (4096, 128_256), 2, 0, int(4.6 * GIB)),)
    return GgufHead(Path("big.gguf"), 3, metadata, tensors, 0, int(4.7 * GIB))


def plan(available_gib: float, requested: int = 0) -> Step:
    head, room = eight_billion(), Room(available_bytes=int(available_gib * GIB))
    ladder = Ladder(shape_of(head), Wish(context_length=requested, batch_tokens=64), room)
    return plan_memory(head, ladder, room)


@pytest.mark.parametrize(("available_gib", "n_ctx"), [(32, 16_384), (9, 8_192), (7, 4_096), (6, 2_048)])
def test_context_is_chosen_by_free_memory(available_gib: float, n_ctx: int) -> None:
    step = plan(available_gib)
    assert (step.placement.n_ctx, step.note) == (n_ctx, "")


def test_requested_context_is_taken() -> None:
    assert plan(32, requested=65_536).placement.n_ctx == 65_536


def test_requested_context_that_does_not_fit_is_shortened_and_said() -> None:
    step = plan(12, requested=131_072)  # 16 GiB of float16, 8.5 GiB of q8_0
    assert step.placement.n_ctx == 65_536
    assert step.note == "Memory was short: the context holds 65,536 tokens instead of 131,072."


@pytest.mark.parametrize("requested", [0, 131_072])
def test_too_large_model_is_refused_with_numbers(requested: int) -> None:
    with pytest.raises(ModelError) as caught:
        plan(4.0, requested)
    error = caught.value
    assert error.code == "model.too_large"
    assert "4.0 GB are free" in error.user_message
    assert error.context["needed_bytes"] > error.context["available_bytes"] == 4 * GIB


def gpu(free_gib: float, *, integrated: bool = False) -> Gpu:
    return Gpu(
        name="Vulkan0",
        description="A card",
        memory_total_bytes=16 * GIB,
        memory_free_bytes=int(free_gib * GIB),
        backend="Vulkan",
        integrated=integrated,
    )


@pytest.mark.parametrize(
    ("gpus", "free_gib", "integrated"),
    [
        ((), 0, False),
        ((gpu(8),), 8, False),
        ((gpu(8), gpu(6)), 14, False),
        ((gpu(4, integrated=True), gpu(8)), 8, False),
        ((gpu(4, integrated=True),), 4, True),
    ],
)
def test_room_of_the_gpus(gpus: tuple[Gpu, ...], free_gib: float, integrated: bool) -> None:
    room = room_for(gpus)
    assert room.gpu_available_bytes == free_gib * GIB
    assert room.gpu_integrated == integrated
    assert 2**24 < room.available_bytes < 2**50
