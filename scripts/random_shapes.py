"""Random models of the families that are not built like Llama: experts, heads of their own size, windows.

Source: llama.cpp, `llama-arch.cpp` and the graphs of `qwen3`, `gemma3` and of Llama with experts: names of
    keys and tensors.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.core import gguf_writing as gguf
from app.worker.inference.random_model import TYPES, RandomModel, StorageType

Tensors = Iterator[tuple[str, tuple[int, ...], StorageType]]


@dataclass(frozen=True, kw_only=True)
class MixtureModel(RandomModel):
    """A Llama whose feed-forward part is a mixture of experts, as Mixtral's.

    Attributes:
        n_experts: in each layer.
        n_used: of them for each token.
    """

    n_experts: int = 8
    n_used: int = 2

    def _keys(self) -> tuple[dict[str, bytes], int]:
        keys, n_vocab = super()._keys()
        keys["llama.expert_count"] = gguf.scalar(gguf.U32, self.n_experts)
        keys["llama.expert_used_count"] = gguf.scalar(gguf.U32, self.n_used)
        return keys, n_vocab

    def _tensors(self, n_vocab: int) -> Tensors:
        for name, shape, storage in super()._tensors(n_vocab):
            kind = name.split(".")[-2]
            if kind not in ("ffn_gate", "ffn_up", "ffn_down"):
                yield name, shape, storage
                continue
            if kind == "ffn_gate":
                yield name.replace(kind, "ffn_gate_inp"), (self.width, self.n_experts), TYPES["F32"]
            yield name.replace(kind, f"{kind}_exps"), (*shape, self.n_experts), storage


@dataclass(frozen=True, kw_only=True)
class WideHeadModel(RandomModel):
    """A Qwen 3: its heads have a size of their own, and norms for queries and keys.

    Attributes:
        head_size: of each head; the heads together may be wider than `width`.
    """

    architecture: str = "qwen3"
    head_size: int = 128

    def _keys(self) -> tuple[dict[str, bytes], int]:
        keys, n_vocab = super()._keys()
        name = self.architecture
        keys = {key.replace("llama.", f"{name}.", 1): value for key, value in keys.items()}
        keys["general.architecture"] = gguf.scalar(gguf.STRING, name)
        for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
            keys[f"{name}.{key}"] = gguf.scalar(gguf.U32, self.head_size)
        return keys, n_vocab

    def _tensors(self, n_vocab: int) -> Tensors:
        n_wide, n_narrow = self.head_size * self.n_heads, self.head_size * self.n_kv_heads
        shapes = {
            "attn_q": (self.width, n_wide),
            "attn_k": (self.width, n_narrow),
            "attn_v": (self.width, n_narrow),
            "attn_output": (n_wide, self.width),
        }
        for name, shape, storage in super()._tensors(n_vocab):
            kind = name.split(".")[-2]
            yield name, shapes.get(kind, shape), storage
            if kind in ("attn_q", "attn_k"):
                yield name.replace(kind, f"{kind}_norm"), (self.head_size,), TYPES["F32"]


@dataclass(frozen=True, kw_only=True)
class WindowModel(WideHeadModel):
    """A Gemma 3: five layers of six see only a window of the last tokens, and norms stand behind each part.

    Attributes:
        window: tokens that those layers see.
    """

    architecture: str = "gemma3"
    head_size: int = 256
    window: int = 512

    def _keys(self) -> tuple[dict[str, bytes], int]:
        keys, n_vocab = super()._keys()
        keys["gemma3.attention.sliding_window"] = gguf.scalar(gguf.U32, self.window)
        return keys, n_vocab

    def _tensors(self, n_vocab: int) -> Tensors:
        for name, shape, storage in super()._tensors(n_vocab):
            yield name, shape, storage
            if name.endswith("ffn_down.weight"):
                for norm in ("post_attention_norm", "post_ffw_norm"):
                    yield name.replace("ffn_down", norm), (self.width,), TYPES["F32"]
