"""A model's shape is read from its file's head, or made from a catalogue's facts."""

from pathlib import Path
from typing import Any

import pytest

from app.core.gguf import GgufHead, Tensor, read_head
from app.core.model_shape import ModelShape, shape_from_facts, shape_of
from tests.worker.inference.gguf_writer import TinyModel

Q4 = 2  # ggml's q4_0: 18 bytes for 32 weights


def tensor(name: str, *shape: int) -> Tensor:
    n_weights = 1
    for n in shape:
        n_weights *= n
    return Tensor(name, shape, Q4, 0, n_weights // 32 * 18)


def head_of(tensors: tuple[Tensor, ...] = (), architecture: str = "llama", **keys: Any) -> GgufHead:
    metadata: dict[str, Any] = {"general.architecture": architecture}
    metadata |= {f"{architecture}.{key.replace('__', '.')}": value for key, value in keys.items()}
    return GgufHead(Path("some.gguf"), 3, metadata, tensors, 0, 1)


def eight_billion(**changes: Any) -> GgufHead:
    """A model of 8 billion weights, 4 bits each, 8 of 32 heads with keys."""
    keys = {
        "context_length": 131_072,
        "embedding_length": 4096,
        "feed_forward_length": 14_336,
        "block_count": 32,
        "attention__head_count": 32,
        "attention__head_count_kv": 8,
    }
    layer = 4096 * 4096 * 2 + 4096 * 1024 * 2 + 3 * 4096 * 14_336
    tensors = (
        tensor("token_embd.weight", 4096, 128_256),
        *(tensor(f"blk.{n}.all.weight", layer) for n in range(32)),
        tensor("output.weight", 4096, 128_256),
    )
    return head_of(tensors, **(keys | changes))


def test_shape_of_a_plain_model() -> None:
    shape = shape_of(eight_billion())
    assert shape.architecture == "llama"
    assert 7.9e9 < shape.n_params < 8.1e9
    assert shape.weight_bytes == shape.n_params // 32 * 18
    assert (shape.n_layers, shape.n_heads, shape.n_kv_heads_total) == (32, 32, 256)
    assert (shape.key_size, shape.value_size) == (128, 128)
    assert (shape.width, shape.inner, shape.n_vocab) == (4096, 14_336, 128_256)
    assert shape.context_trained == 131_072
    assert shape.input_bytes == shape.output_bytes == 4096 * 128_256 // 32 * 18
    assert not shape.is_tied
    assert shape.active_bytes == shape.weight_bytes - shape.input_bytes, "one row of the embeddings is read"
    assert shape.layer_bytes * 32 == shape.weight_bytes - 2 * shape.input_bytes
    assert shape.state_bytes == shape.window == 0


def test_embeddings_that_are_the_output_matrix() -> None:
    whole = eight_billion()
    tied = shape_of(GgufHead(whole.path, 3, whole.metadata, whole.tensors[:-1], 0, 1))
    assert tied.is_tied
    assert tied.output_bytes == tied.input_bytes
    assert tied.active_bytes == tied.weight_bytes
    assert tied.layer_bytes * 32 == tied.weight_bytes - tied.input_bytes


def test_parts_of_a_split_model_are_added() -> None:
    whole = eight_billion()
    first = GgufHead(whole.path, 3, whole.metadata, whole.tensors[:10], 0, 1)
    second = head_of(whole.tensors[10:])
    assert shape_of(first, [second]) == shape_of(whole)


def test_layers_of_different_width_are_summed() -> None:
    assert shape_of(eight_billion(attention__head_count_kv=[8, 0] * 16)).n_kv_heads_total == 128


def test_key_and_value_size_of_their_own() -> None:
    shape = shape_of(eight_billion(attention__key_length=256, attention__value_length=64))
    assert (shape.key_size, shape.value_size) == (256, 64)


def test_latent_attention_keeps_one_row() -> None:
    latent = {"attention__key_length": 576, "attention__value_length": 512, "attention__key_length_mla": 192}
    shape = shape_of(eight_billion(**latent, attention__head_count_kv=1))
    assert (shape.key_size, shape.value_size, shape.n_kv_heads_total) == (576, 0, 32)


def test_heads_without_groups_have_keys_each() -> None:
    keys: dict[str, Any] = {"block_count": 2, "attention__head_count": 4, "embedding_length": 64}
    assert shape_of(head_of(**keys)).n_kv_heads_total == 8


def test_sliding_window_is_told() -> None:
    assert shape_of(eight_billion(attention__sliding_window=1024)).window == 1024


def test_experts_count_by_their_share() -> None:
    tensors = (tensor("blk.0.ffn_up_exps.weight", 32, 64, 8), tensor("blk.0.attn_q.weight", 32, 32))
    shape = shape_of(head_of(tensors, expert_count=8, expert_used_count=2, expert_feed_forward_length=64))
    assert shape.active_bytes == tensors[0].size_bytes // 4 + tensors[1].size_bytes
    assert shape.n_params_active == 32 * 64 * 2 + 32 * 32
    assert shape.inner == 128
    mixtral = shape_of(head_of(tensors, expert_count=8, expert_used_count=2, feed_forward_length=64))
    assert mixtral.inner == 128


def test_recurrent_model_has_states_and_no_keys(tmp_path: Path) -> None:
    shape = shape_of(read_head(TinyModel(architecture="mamba").write(tmp_path / "tiny.gguf")))
    assert shape.n_kv_heads_total == 0
    # two layers: three past inputs of the convolution (64 numbers) and 16 numbers a channel, float32
    assert shape.state_bytes == 2 * (3 * 64 + 16 * 64) * 4


SSM: dict[str, Any] = {
    "ssm__state_size": 16,
    "ssm__inner_size": 64,
    "ssm__conv_kernel": 4,
    "ssm__group_count": 1,
}


@pytest.mark.parametrize(
    ("keys", "n_attention", "n_recurrent"),
    [
        ({"attention__head_count_kv": [2, 0, 0, 2]}, 2, 2),
        ({"attention__head_count_kv": 2, "full_attention_interval": 4}, 1, 3),
        ({"attention__head_count_kv": 2}, 4, 4),  # both in each layer
    ],
)
def test_layers_of_two_kinds(keys: dict[str, Any], n_attention: int, n_recurrent: int) -> None:
    shape = shape_of(head_of(block_count=4, attention__head_count=2, embedding_length=64, **SSM, **keys))
    assert shape.n_kv_heads_total == 2 * n_attention
    assert shape.state_bytes == n_recurrent * (3 * (64 + 2 * 16) + 16 * 64) * 4


def test_head_that_tells_nothing() -> None:
    shape = shape_of(head_of((Tensor("token_embd.weight", (), 0, 0, 4),)))
    assert (shape.n_layers, shape.n_vocab, shape.key_size, shape.layer_bytes) == (0, 0, 0, 0)


FACTS: dict[str, Any] = {
    "weight_bytes": 4_900_000_000,
    "n_layers": 32,
    "n_heads": 32,
    "n_kv_heads": 8,
    "width": 4096,
}


def from_facts(**changes: Any) -> ModelShape | None:
    facts: dict[str, Any] = FACTS | changes
    return shape_from_facts(**facts)


def test_catalogue_facts_are_enough() -> None:
    shape = from_facts()
    assert shape is not None
    assert (shape.n_kv_heads_total, shape.key_size, shape.value_size) == (256, 128, 128)
    assert 7e9 < shape.n_params < 9e9
    assert 0 < shape.active_bytes < shape.weight_bytes
    assert shape.inner == 14_336


def test_known_facts_count_before_guesses() -> None:
    shape = from_facts(
        architecture="qwen3moe",
        n_params=30_000_000_000,
        n_params_active=3_000_000_000,
        inner=6144,
        n_vocab=151_936,
        context_trained=40_960,
        key_size=96,
        value_size=64,
        n_attention_layers=8,
    )
    assert shape is not None
    assert (shape.architecture, shape.inner, shape.n_vocab) == ("qwen3moe", 6144, 151_936)
    assert (shape.key_size, shape.value_size, shape.n_kv_heads_total) == (96, 64, 64)
    assert shape.n_params_active == 3_000_000_000
    assert shape.active_bytes < shape.weight_bytes // 9


@pytest.mark.parametrize("missing", FACTS)
def test_too_few_facts_give_no_shape(missing: str) -> None:
    assert from_facts(**{missing: None}) is None
