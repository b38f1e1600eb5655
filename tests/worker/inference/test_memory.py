"""Whether a model fits is told before it is loaded, with the numbers."""

from pathlib import Path

import pytest

from app.core.errors import ModelError
from app.core.gguf import GgufHead, Tensor
from app.worker.inference import memory
from app.worker.inference.memory import available_memory, kv_bytes_per_token, plan_memory

GIB = 1024**3


def eight_billion(**changes: object) -> GgufHead:
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
    return GgufHead(Path("big.gguf"), 3, metadata | changes, tensors, 0, int(4.7 * GIB))


def plan(available_gib: float, requested: int = 0, head: GgufHead | None = None) -> memory.MemoryPlan:
    head = head or eight_billion()
    return plan_memory(head, head.weight_bytes, requested, 64, int(available_gib * GIB))


def test_kv_of_a_token() -> None:
    assert kv_bytes_per_token(eight_billion()) == 2 * 32 * 8 * 128 * 2


@pytest.mark.parametrize(
    ("available_gib", "n_ctx"), [(32, 16_384), (9, 8_192), (7, 4_096), (6, 2_048), (5.4, 2_048)]
)
def test_context_is_chosen_by_free_memory(available_gib: float, n_ctx: int) -> None:
    assert plan(available_gib).n_ctx == n_ctx


def test_context_is_never_above_the_trained_one() -> None:
    small = eight_billion(**{"llama.context_length": 3000})
    assert plan(32, head=small).n_ctx == 3000
    assert plan(32, requested=100_000, head=small).n_ctx == 3000


def test_requested_context_is_taken() -> None:
    assert plan(32, requested=65_536).n_ctx == 65_536


def test_file_that_does_not_tell_its_context() -> None:
    silent = eight_billion(**{"llama.context_length": 0})
    assert plan(32, head=silent).n_ctx == 4096
    assert plan(32, requested=10_000, head=silent).n_ctx == 10_000


@pytest.mark.parametrize("requested", [0, 131_072])
def test_too_large_model_is_refused_with_numbers(requested: int) -> None:
    available = 4.0 if requested == 0 else 12.0
    with pytest.raises(ModelError) as caught:
        plan(available, requested)
    error = caught.value
    assert error.code == "model.too_large"
    assert f"{available:.1f} GB are free" in error.user_message
    assert error.context["needed_bytes"] > error.context["available_bytes"] == available * GIB
    assert ("shorter context" in error.hint) == bool(requested)


def test_layers_of_different_width_are_summed() -> None:
    uneven = eight_billion(**{"llama.attention.head_count_kv": [8, 0] * 16})
    assert kv_bytes_per_token(uneven) == 2 * 16 * 8 * 128 * 2


def test_key_and_value_size_of_their_own() -> None:
    wide = eight_billion(**{"llama.attention.key_length": 256, "llama.attention.value_length": 64})
    assert kv_bytes_per_token(wide) == 32 * 8 * (256 + 64) * 2


def test_recurrent_model_needs_no_kv() -> None:
    none = eight_billion(**{"llama.attention.head_count": 0, "llama.attention.head_count_kv": 0})
    assert kv_bytes_per_token(none) == 0


def test_available_memory_is_plausible() -> None:
    assert 2**24 < available_memory() < 2**50


def group(folder: Path, names: tuple[str, str], limit: str, usage: int, stat: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(limit)
    (folder / names[1]).write_text(str(usage))
    (folder / "memory.stat").write_text(stat)


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
V2 = ("memory.max", "memory.current")


def test_control_groups_limit_the_memory(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    group(root / "user" / "app", V2, "max", 5, "")
    group(root / "user", V2, "1000", 700, "anon 1\ninactive_file 100\n")
    group(root / "memory" / "old", V1, "5000", 6000, "total_inactive_file 10\n")
    group(root / "memory", V1, str(2**63 - 4096), 1, "")
    lines = ["0::/user/app", "4:cpu,memory:/old", "3:freezer:/x"]
    assert memory.control_group_rooms(lines, root) == [400, 0]


def test_system_without_control_groups(tmp_path: Path) -> None:
    assert memory.control_group_rooms([], tmp_path) == []
    assert memory.control_group_rooms(["0::/nowhere"], tmp_path) == []
