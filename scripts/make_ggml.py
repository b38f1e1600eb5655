#!/usr/bin/env python3
"""Write a small model in the format from before GGUF: GPT-2's shape, random weights, a vocabulary of bytes.

Such files were made until the middle of 2023 and are run by ctransformers. What this one writes means
nothing; it takes the same way through the program as a real one. Used by tests:

    python3 scripts/make_ggml.py /tmp/tiny-gpt2.bin

Source: ``models/llms/gpt2.cc`` of ctransformers 0.2.27.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = 0x67676D6C
STORAGE = {"F32": 0, "F16": 1, "Q4_0": 2}
_BLOCK = 32
_QUANTIZED_VERSION = 2
_END = b"<|endoftext|>"
_WORDS = (b" the", b" and", b"the", b"and", b"ing", b" a", b"er", b"User", b"Assistant", b"###")


@dataclass(frozen=True)
class Shape:
    """The model's shape.

    Attributes:
        width: numbers a token; a multiple of 32.
        storage: of the large tensors, one of STORAGE.
        seed: of the weights.
    """

    width: int = 64
    n_layers: int = 2
    n_heads: int = 2
    context_length: int = 128
    storage: str = "F32"
    seed: int = 1


def vocabulary() -> list[bytes]:
    """Give the words: every byte, a few pieces, the end of a text."""
    return [bytes([byte]) for byte in range(256)] + [*_WORDS, _END]


def tensors(shape: Shape) -> dict[str, np.ndarray[Any, Any]]:
    """Make the weights; numpy's last dimension is the file's first."""
    source = np.random.default_rng(shape.seed)

    def weights(*sizes: int, scale: float = 0.3) -> np.ndarray[Any, Any]:
        return source.normal(0, scale, sizes).astype(np.float32)

    n, n_words = shape.width, len(vocabulary())
    made = {
        "model/ln_f/g": np.ones(n, np.float32),
        "model/ln_f/b": np.zeros(n, np.float32),
        "model/wte": weights(n_words, n, scale=1.0),
        "model/wpe": weights(shape.context_length, n),
    }
    for layer in range(shape.n_layers):
        block = f"model/h{layer}/"
        for name in ("ln_1", "ln_2"):
            made[f"{block}{name}/g"], made[f"{block}{name}/b"] = (
                np.ones(n, np.float32),
                np.zeros(n, np.float32),
            )
        for name, rows, columns in (
            ("attn/c_attn", 3 * n, n),
            ("attn/c_proj", n, n),
            ("mlp/c_fc", 4 * n, n),
            ("mlp/c_proj", n, 4 * n),
        ):
            made[f"{block}{name}/w"], made[f"{block}{name}/b"] = weights(rows, columns), weights(rows)
    return made


def stored(weights: np.ndarray[Any, Any], storage: str) -> bytes:
    """Give the bytes of a tensor.

    Source: `quantize_row_q4_0_reference` in `ggml.c`: blocks of 32 weights, a float16 scale and 16 bytes of
    which each holds weight i in its low and weight i + 16 in its high half.
    """
    if storage == "F32":
        return weights.astype("<f4").tobytes()
    if storage == "F16":
        return weights.astype("<f2").tobytes()
    blocks = weights.reshape(-1, _BLOCK)
    largest = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(axis=1)]
    scale = largest / -8
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale != 0)
    levels = np.minimum(15, (blocks * inverse[:, None] + 8.5).astype(np.int8)).astype(np.uint8)
    halves = levels[:, : _BLOCK // 2] | (levels[:, _BLOCK // 2 :] << 4)
    packed = np.concatenate([scale.astype("<f2")[:, None].view(np.uint8), halves], axis=1)
    return packed.tobytes()


def encode(shape: Shape) -> bytes:
    """Give the file's bytes."""
    words = vocabulary()
    number = STORAGE[shape.storage]
    storage = number + (1000 * _QUANTIZED_VERSION if shape.storage.startswith("Q") else 0)
    head = (len(words), shape.context_length, shape.width, shape.n_heads, shape.n_layers, storage)
    parts = [struct.pack("<I6ii", MAGIC, *head, len(words))]
    parts += [struct.pack("<I", len(word)) + word for word in words]
    for name, weights in tensors(shape).items():
        plain = weights.ndim == 1 or name == "model/wpe"
        kind = "F32" if plain else shape.storage
        sizes = weights.shape[::-1]
        parts.append(struct.pack(f"<{3 + len(sizes)}i", len(sizes), len(name), STORAGE[kind], *sizes))
        parts += [name.encode(), stored(weights, kind)]
    return b"".join(parts)


def write(shape: Shape, path: Path) -> Path:
    """Write the file."""
    path.write_bytes(encode(shape))
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Write a small random model in the format from before GGUF.")
    parser.add_argument("output", type=Path, help="the file; its name should contain “gpt2”")
    parser.add_argument("--storage", choices=STORAGE, default="F32")
    parser.add_argument("--width", type=int, default=64, help="a multiple of 32")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--context", type=int, default=128, help="tokens")
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    if options.width <= 0 or options.width % _BLOCK:
        parser.error(f"--width must be a multiple of {_BLOCK}")
    shape = Shape(options.width, options.layers, context_length=options.context, storage=options.storage)
    write(shape, options.output)
    print(f"{options.output}: {options.output.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
