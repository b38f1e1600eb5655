#!/usr/bin/env python3
"""Write a small projector file (mmproj) with random weights that fits a chat model.

No vision model is among the starter models. What such a projector "sees" means nothing, but it takes the
same way through the engine as a real one: it is loaded, images become as many places in the prompt as its
shape says, different images give different answers. Used by tests and for trying things out:

    python3 scripts/make_mmproj.py resources/models/chat/MODEL.gguf /tmp/mmproj.gguf --kind mlp

Kinds: ``mlp`` (LLaVA's: a square image of fixed size), ``gemma3`` (a model evaluates such an image as a
whole) and ``qwen2vl_merger`` (images of any size; the model gives places in two dimensions).

Source: the tensor and key names of llama.cpp's ``tools/mtmd/clip-impl.h``.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.core.errors import ModelError
from app.core.gguf import read_head

KINDS = ("mlp", "gemma3", "qwen2vl_merger")
_ALIGNMENT = 32
_U32, _F32, _BOOL, _STRING, _ARRAY = 4, 6, 7, 8, 9
_PATCH = 14


@dataclass(frozen=True)
class Shape:
    """The projector's shape.

    Attributes:
        kind: one of KINDS.
        text_width: numbers a place, as the chat model takes them.
        image_side: pixels of the square that an image is fitted into; a multiple of 4 × 14.
        width: of the encoder.
        n_layers: of the encoder.
        seed: of the weights.
    """

    kind: str
    text_width: int
    image_side: int = 112
    width: int = 32
    n_layers: int = 2
    seed: int = 1

    @property
    def n_places(self) -> int:
        """Places in the prompt of a square image of `image_side` pixels."""
        side = self.image_side // _PATCH
        return (side // {"mlp": 1, "gemma3": 4, "qwen2vl_merger": 2}[self.kind]) ** 2


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def _value(value: Any) -> bytes:
    """Give a typed value of the metadata."""
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", _U32, value)
    if isinstance(value, float):
        return struct.pack("<If", _F32, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    return struct.pack("<IIQ", _ARRAY, _F32, len(value)) + struct.pack(f"<{len(value)}f", *value)


def metadata(shape: Shape) -> dict[str, Any]:
    """Give the keys and values of the file's head."""
    return {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "general.name": f"random {shape.kind}",
        "clip.has_vision_encoder": True,
        "clip.projector_type": shape.kind,
        "clip.use_gelu": True,
        "clip.vision.image_size": shape.image_side,
        "clip.vision.patch_size": _PATCH,
        "clip.vision.embedding_length": shape.width,
        "clip.vision.feed_forward_length": 2 * shape.width,
        "clip.vision.block_count": shape.n_layers,
        "clip.vision.projection_dim": shape.text_width,
        "clip.vision.attention.head_count": 2,
        "clip.vision.attention.layer_norm_epsilon": 1e-6,
        "clip.vision.image_mean": (0.5, 0.5, 0.5),
        "clip.vision.image_std": (0.5, 0.5, 0.5),
    }


def tensors(shape: Shape) -> dict[str, np.ndarray[Any, Any]]:
    """Make the weights; numpy's last dimension is the file's first."""
    source = np.random.default_rng(shape.seed)

    def weights(*sizes: int, scale: float = 0.3) -> np.ndarray[Any, Any]:
        return source.normal(0, scale, sizes).astype(np.float32)

    n, inner = shape.width, 2 * shape.width
    n_patches = (shape.image_side // _PATCH) ** 2
    made = {"v.patch_embd.weight": weights(n, 3, _PATCH, _PATCH, scale=0.05)}
    if shape.kind == "qwen2vl_merger":
        made["v.patch_embd.weight.1"] = weights(n, 3, _PATCH, _PATCH, scale=0.05)
    else:
        made["v.patch_embd.bias"] = weights(n)
        made["v.position_embd.weight"] = weights(n_patches, n)
    for layer in range(shape.n_layers):
        block = f"v.blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            made[f"{block}{name}.weight"], made[f"{block}{name}.bias"] = weights(n, n), weights(n)
        for name in ("ln1", "ln2"):
            made[f"{block}{name}.weight"] = np.ones(n, np.float32)
            made[f"{block}{name}.bias"] = np.zeros(n, np.float32)
        made[f"{block}ffn_up.weight"], made[f"{block}ffn_up.bias"] = weights(inner, n), weights(inner)
        made[f"{block}ffn_down.weight"], made[f"{block}ffn_down.bias"] = weights(n, inner), weights(n)
    made["v.post_ln.weight"], made["v.post_ln.bias"] = np.ones(n, np.float32), np.zeros(n, np.float32)
    return made | _projector(shape, weights)


def _projector(shape: Shape, weights: Any) -> dict[str, np.ndarray[Any, Any]]:
    n, out = shape.width, shape.text_width
    if shape.kind == "gemma3":
        return {
            "mm.soft_emb_norm.weight": np.ones(n, np.float32),
            "mm.input_projection.weight": weights(n, out),
        }
    merged = n if shape.kind == "mlp" else 4 * n
    return {
        "mm.0.weight": weights(merged, merged),
        "mm.0.bias": weights(merged),
        "mm.2.weight": weights(out, merged),
        "mm.2.bias": weights(out),
    }


def write(shape: Shape, path: Path) -> Path:
    """Write the file."""
    pairs = metadata(shape)
    table, data = b"", b""
    made = tensors(shape)
    for name, weights in made.items():
        sizes = weights.shape[::-1]
        table += _text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, 0, len(data))
        data += _padded(weights.tobytes())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(made), len(pairs))
    head += b"".join(_text(key) + _value(value) for key, value in pairs.items())
    path.write_bytes(_padded(head + table) + data)
    return path


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Write a projector with random weights for a chat model.")
    parser.add_argument("model", type=Path, help="the chat model, a GGUF file")
    parser.add_argument("output", type=Path)
    parser.add_argument("--kind", choices=KINDS, default="mlp")
    parser.add_argument("--image-side", type=int, default=112, help="pixels; a multiple of 56")
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    if options.image_side <= 0 or options.image_side % (4 * _PATCH):
        parser.error(f"--image-side must be a multiple of {4 * _PATCH}")
    try:
        width = read_head(options.model).number("embedding_length")
    except ModelError as error:
        print(f"{error.user_message} {error.hint}", file=sys.stderr)
        return 1
    shape = Shape(options.kind, width, options.image_side)
    write(shape, options.output)
    print(f"{options.output}: an image takes {shape.n_places} places")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
