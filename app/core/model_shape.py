"""What a model's memory and speed depend on, from the head of its file or from a catalogue's facts.

Source: the GGUF specification in the ggml repository, `docs/gguf.md` (keys); llama.cpp, `llama-hparams.cpp`
    and `llama-memory-recurrent.cpp` (rows of the KV cache and of recurrent states).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.gguf import GgufHead, Tensor

_EXPERTS = re.compile(r"_exps\.(weight|bias)$")
_INPUT, _OUTPUT = "token_embd.weight", "output.weight"
_FLOAT32_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """The numbers of a model that its memory and speed follow from.

    Attributes:
        architecture: family as the file names it; empty where not known.
        n_params: all weights.
        weight_bytes: of all tensors in all files.
        n_layers: repeating layers.
        n_kv_heads_total: heads with keys and values, summed over all layers; 0 where all are recurrent.
        n_heads: attention heads of a layer (the largest number).
        key_size: numbers of one head's key.
        value_size: numbers of one head's value; 0 where the key holds it.
        width: numbers of a token between layers.
        inner: width inside the feed-forward part of a layer, of all experts used at once.
        n_vocab: tokens of the vocabulary.
        context_trained: tokens the model was trained for; 0 where not known.
        window: tokens of the sliding attention window of some layers; 0 where there is none. The engine keeps
            the whole context of those too, so that the cache can be cut anywhere.
        n_params_active: weights used for one token.
        active_bytes: weights read for one token.
        input_bytes: the token embeddings, which stay in main memory.
        output_bytes: the output matrix, which goes to the GPU with the first layer.
        is_tied: the embeddings are the output matrix; with a GPU they are in memory twice.
        state_bytes: recurrent states of one sequence, all layers.
    """

    architecture: str
    n_params: int
    weight_bytes: int
    n_layers: int
    n_kv_heads_total: int
    n_heads: int
    key_size: int
    value_size: int
    width: int
    inner: int
    n_vocab: int
    context_trained: int
    n_params_active: int
    active_bytes: int
    input_bytes: int
    output_bytes: int
    window: int = 0
    is_tied: bool = False
    state_bytes: int = 0

    @property
    def layer_bytes(self) -> int:
        """Weights of one repeating layer, on average."""
        own = self.weight_bytes - self.input_bytes - (0 if self.is_tied else self.output_bytes)
        return max(own, 0) // max(self.n_layers, 1)


def shape_of(head: GgufHead, more_heads: Sequence[GgufHead] = ()) -> ModelShape:
    """Read a model's shape from the head of its (first) file.

    Numbers that the file does not tell count as 0.

    Args:
        head: of the file, or of the first part of a split model.
        more_heads: of the other parts.
    """
    tensors = [*head.tensors, *(tensor for more in more_heads for tensor in more.tensors)]
    sizes = {tensor.name: tensor.size_bytes for tensor in tensors}
    embeddings = next((tensor for tensor in tensors if tensor.name == _INPUT), None)
    input_bytes = sizes.get(_INPUT, 0)
    n_layers, n_heads = head.number("block_count"), head.number("attention.head_count")
    width = head.number("embedding_length")
    head_size = width // n_heads if n_heads else 0
    share = _expert_share(head)
    is_tied = _OUTPUT not in sizes
    return ModelShape(
        architecture=head.architecture,
        n_params=sum(_n_weights(tensor) for tensor in tensors),
        weight_bytes=sum(tensor.size_bytes for tensor in tensors),
        n_layers=n_layers,
        n_kv_heads_total=_n_kv_heads(head, n_layers, n_heads),
        n_heads=n_heads,
        key_size=head.number("attention.key_length", head_size),
        # Latent attention (DeepSeek) keeps one compressed row that is key and value at once.
        value_size=(
            0 if head.number("attention.key_length_mla") else head.number("attention.value_length", head_size)
        ),
        width=width,
        inner=_inner(head),
        n_vocab=embeddings.shape[-1] if embeddings is not None and embeddings.shape else 0,
        context_trained=head.context_trained,
        n_params_active=int(sum(_n_weights(tensor) * _used(tensor, share, is_tied) for tensor in tensors)),
        active_bytes=int(sum(tensor.size_bytes * _used(tensor, share, is_tied) for tensor in tensors)),
        input_bytes=input_bytes,
        output_bytes=sizes.get(_OUTPUT, input_bytes),
        window=head.number("attention.sliding_window"),
        is_tied=is_tied,
        state_bytes=_state_bytes(head, n_layers),
    )


def shape_from_facts(
    *,
    weight_bytes: int | None,
    n_layers: int | None,
    n_heads: int | None,
    n_kv_heads: int | None,
    width: int | None,
    n_params: int | None = None,
    n_params_active: int | None = None,
    architecture: str | None = None,
    inner: int | None = None,
    n_vocab: int | None = None,
    context_trained: int | None = None,
    key_size: int | None = None,
    value_size: int | None = None,
    n_attention_layers: int | None = None,
) -> ModelShape | None:
    """Make a shape from what a catalogue knows, without the file; None where too little is known.

    Needed are the bytes of the weights (the file's size), layers, heads, key-value heads and width. What else
    is missing is filled in as it usually is: a feed-forward part of 3.5 times the width and a vocabulary of
    128,000 (for the buffers), heads that share the width, and as many weights as the bytes hold at 4.85 bits,
    those of the usual quantization Q4_K_M. The output matrix is taken to stand apart from the embeddings.
    `n_kv_heads` are those of one layer, `n_attention_layers` the layers that keep keys and values where some
    do not; the other names are those of ModelShape.
    """
    if not (weight_bytes and n_layers and n_heads and n_kv_heads and width):
        return None
    n_params = n_params or int(weight_bytes * 8 / 4.85)
    n_vocab = n_vocab or 128_000
    matrix_bytes = min(weight_bytes * n_vocab * width // n_params, weight_bytes // 3)
    head_size = width // n_heads
    active = min((n_params_active or n_params) / n_params, 1.0)
    return ModelShape(
        architecture=architecture or "",
        n_params=n_params,
        weight_bytes=weight_bytes,
        n_layers=n_layers,
        n_kv_heads_total=(n_attention_layers or n_layers) * n_kv_heads,
        n_heads=n_heads,
        key_size=key_size or head_size,
        value_size=value_size if value_size is not None else key_size or head_size,
        width=width,
        inner=inner or width * 7 // 2,
        n_vocab=n_vocab,
        context_trained=context_trained or 0,
        n_params_active=int(n_params * active),
        active_bytes=int((weight_bytes - matrix_bytes) * active),
        input_bytes=matrix_bytes,
        output_bytes=matrix_bytes,
    )


def _n_weights(tensor: Tensor) -> int:
    n_weights = 1
    for n in tensor.shape:
        n_weights *= n
    return n_weights


def _used(tensor: Tensor, expert_share: float, is_tied: bool) -> float:
    """Give the share of a tensor that is read for one token."""
    if tensor.name == _INPUT:
        return 1.0 if is_tied else 0.0  # one row, or all of it as the output matrix
    return expert_share if _EXPERTS.search(tensor.name) else 1.0


def _expert_share(head: GgufHead) -> float:
    n_experts, n_used = head.number("expert_count"), head.number("expert_used_count")
    return min(n_used / n_experts, 1.0) if n_experts and n_used else 1.0


def _inner(head: GgufHead) -> int:
    """Give the widest feed-forward part of a layer: a plain one, or the experts used at once."""
    n_used = head.number("expert_used_count")
    expert = head.number("expert_feed_forward_length", head.number("feed_forward_length"))
    return max(head.number("feed_forward_length"), n_used * expert)


def _n_kv_heads(head: GgufHead, n_layers: int, n_heads: int) -> int:
    """Give the key-value heads of all layers together."""
    per_layer = head.metadata.get(f"{head.architecture}.attention.head_count_kv")
    if isinstance(per_layer, list) and all(isinstance(n, int) for n in per_layer):
        return sum(per_layer)
    every = head.number("full_attention_interval")  # the others are recurrent
    n_attention = n_layers // every if every else n_layers
    return n_attention * head.number("attention.head_count_kv", n_heads)


def _state_bytes(head: GgufHead, n_layers: int) -> int:
    """Give the bytes of the recurrent layers' states: a short convolution's past and the state itself."""
    state, inner = head.number("ssm.state_size"), head.number("ssm.inner_size")
    past = max(head.number("ssm.conv_kernel") - 1, 0) * (inner + 2 * head.number("ssm.group_count") * state)
    per_layer = head.metadata.get(f"{head.architecture}.attention.head_count_kv")
    every = head.number("full_attention_interval")
    n_recurrent = n_layers
    if isinstance(per_layer, list) and 0 in per_layer:
        n_recurrent = per_layer.count(0)
    elif every:
        n_recurrent = n_layers - n_layers // every
    return n_recurrent * (past + state * inner) * _FLOAT32_BYTES
