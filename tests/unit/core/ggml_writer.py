"""Writes small files of the formats from before GGUF, of every layout."""

import struct
from dataclasses import dataclass, field
from typing import Any

MAGICS = {"GGML": 0x67676D6C, "GGMF": 0x67676D66, "GGJT": 0x67676A74, "GGLA": 0x67676C61, "GGCC": 0x67676363}
_NUMBERS = {
    "gpt2": ("n_vocab", "n_ctx", "n_embd", "n_head", "n_layer", "storage"),
    "gptj": ("n_vocab", "n_ctx", "n_embd", "n_head", "n_layer", "n_rot", "storage"),
    "gpt_neox": ("n_vocab", "n_ctx", "n_embd", "n_head", "n_layer", "n_rot", "parallel", "storage"),
    "mpt": ("n_embd", "n_ctx", "n_head", "n_layer", "n_vocab", "alibi", "clip", "storage"),
    "replit": ("n_embd", "n_ctx", "n_head", "n_layer", "n_vocab", "storage"),
    "llama": ("n_vocab", "n_embd", "n_mult", "n_head", "n_layer", "n_rot", "storage"),
    "falcon": ("n_vocab", "n_embd", "n_head", "n_head_kv", "n_layer", "falcon_type", "storage", "n_merges"),
}
_NAMES = {
    "gpt2": ("model/wte", "model/h{}/attn/c_attn/w", "model/h{}/ln_1/g"),
    "gptj": ("transformer.wte.weight", "transformer.h.{}.attn.q_proj.weight", "transformer.h.{}.ln_1.weight"),
    "gpt_neox": (
        "gpt_neox.embed_in.weight",
        "gpt_neox.layers.{}.attention.dense.weight",
        "gpt_neox.layers.{}.input_layernorm.weight",
    ),
    "mpt": (
        "transformer.wte.weight",
        "transformer.blocks.{}.attn.Wqkv.weight",
        "transformer.blocks.{}.norm_1.weight",
    ),
    "replit": (
        "transformer.wte.weight",
        "transformer.blocks.{}.attn.Wqkv.weight",
        "transformer.blocks.{}.norm_1.weight",
    ),
    "llama": ("tok_embeddings.weight", "layers.{}.attention.wq.weight", "layers.{}.attention_norm.weight"),
    "falcon": (
        "transformer.word_embeddings.weight",
        "transformer.h.{}.mlp.up.weight",
        "transformer.h.{}.input_layernorm.weight",
    ),
}


def int32(value: int) -> bytes:
    """Give the bytes of a number."""
    return struct.pack("<i", value)


def text(value: bytes) -> bytes:
    """Give the bytes of a text."""
    return int32(len(value)) + value


@dataclass
class OldFile:
    """A file in the making; change what should be wrong.

    Attributes:
        repeated: size of the vocabulary where it stands again; None: the right one.
        tensors: (name, shape, type, n_bytes); None: those of the layout.
    """

    kind: str = "gpt2"
    magic: str = "GGML"
    version: int = 0
    words: list[bytes] = field(default_factory=lambda: [b"a", b"b", b"<|endoftext|>"])
    numbers: dict[str, int] = field(default_factory=dict)
    repeated: int | None = None
    tensors: list[tuple[str, tuple[int, ...], int, int]] | None = None
    merges: list[tuple[bytes, bytes]] = field(default_factory=list)
    n_merges: int | None = None

    def header(self) -> dict[str, int]:
        """Give the header's numbers."""
        usual = {
            "n_vocab": len(self.words),
            "n_ctx": 64,
            "n_embd": 32,
            "n_head": 2,
            "n_layer": 2,
            "n_rot": 16,
        }
        usual |= {
            "n_mult": 32,
            "n_head_kv": 1,
            "falcon_type": 7,
            "parallel": 1,
            "storage": 0,
            "n_merges": len(self.merges),
        }
        return usual | self.numbers

    def usual_tensors(self) -> list[tuple[str, tuple[int, ...], int, int]]:
        """Give the tensors that fit the header."""
        numbers = self.header()
        width, vocabulary = numbers["n_embd"], numbers["n_vocab"]
        embedding, matrix, norm = _NAMES[self.kind]
        made: list[Any] = [(embedding, (width, vocabulary), 0, 4 * width * vocabulary)]
        for layer in range(numbers["n_layer"]):
            made.append((matrix.format(layer), (width, width), 0, 4 * width * width))
            made.append((norm.format(layer), (width,), 0, 4 * width))
        return made

    def encode(self) -> bytes:
        """Give the file's bytes."""
        numbers = self.header()
        data = bytearray(struct.pack("<I", MAGICS[self.magic]))
        if self.magic != "GGML":
            data += struct.pack("<I", self.version)
        for name in _NUMBERS[self.kind]:
            data += struct.pack("<f", 8.0) if name in ("alibi", "clip") else int32(numbers[name])
        if self.kind in ("gpt2", "gptj"):
            data += int32(numbers["n_vocab"] if self.repeated is None else self.repeated)
        for word in self.words:
            data += text(word)
            if self.kind in ("replit", "llama", "falcon"):
                data += struct.pack("<f", 0.0)
        if self.kind == "falcon":
            data += int32(len(self.merges) if self.n_merges is None else self.n_merges)
            data += b"".join(text(one) + text(other) for one, other in self.merges)
        for name, shape, storage, n_bytes in self.usual_tensors() if self.tensors is None else self.tensors:
            data += struct.pack("<3i", len(shape), len(name.encode()), storage)
            data += b"".join(map(int32, shape)) + name.encode()
            if self.magic in ("GGJT", "GGCC"):
                data += bytes(-len(data) % 32)
            data += bytes(n_bytes)
        return bytes(data)
