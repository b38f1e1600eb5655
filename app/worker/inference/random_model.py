"""Models of random weights, of any shape: they cost memory and time like real ones, and mean nothing.

The calibration of this machine runs one, and so do measurements and tests (`scripts/make_gguf.py`).

Source: ggml, `ggml-common.h`: layouts of the quantized blocks; llama.cpp, `llama-arch.cpp`: names of keys and
    tensors.
"""

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from app.core import gguf_writing as gguf
from app.worker.runtime import Cancelled

# Random blocks are made once and repeated. Their number is a prime, so that rows of a matrix, which begin
# whole numbers of blocks apart, are all different: equal rows of the output matrix would be tied tokens.
_N_BLOCKS = 200_003
_MAX_HEAD_BYTES = 64 * 1024 * 1024
_SCALE = 0.02  # standard deviation of the weights, about as models are initialised


@dataclass(frozen=True)
class StorageType:
    """How weights are stored.

    Attributes:
        number: ggml's.
        per_block: weights in a block.
        block_bytes: bytes of a block.
        scales_at: places of float16 numbers in a block, with what they are set to.
    """

    number: int
    per_block: int
    block_bytes: int
    scales_at: tuple[tuple[int, float], ...] = ()

    def size_bytes(self, n_weights: int) -> int:
        """Give the bytes of so many weights."""
        return n_weights // self.per_block * self.block_bytes


# The scales make the weights' standard deviation about _SCALE: the random integers beside them spread over
# 4.6 steps (16 values), 74 (256 values), … A minimum takes the mean of unsigned values back to zero.
TYPES = {
    "F32": StorageType(0, 1, 4),
    "F16": StorageType(1, 1, 2),
    "Q4_0": StorageType(2, 32, 18, ((0, _SCALE / 4.6),)),
    "Q4_1": StorageType(3, 32, 20, ((0, _SCALE / 4.6), (2, -7.5 * _SCALE / 4.6))),
    "Q5_0": StorageType(6, 32, 22, ((0, _SCALE / 9.2),)),
    "Q8_0": StorageType(8, 32, 34, ((0, _SCALE / 74),)),
    "Q4_K": StorageType(12, 256, 144, ((0, _SCALE / 180), (2, _SCALE / 24))),
    "Q6_K": StorageType(14, 256, 210, ((208, _SCALE / 1370),)),
}


@dataclass(frozen=True, kw_only=True)
class RandomModel:
    """A Llama of random weights.

    Attributes:
        n_heads: attention heads; they share `width`.
        n_kv_heads: heads with keys and values.
        inner: width of the feed-forward part.
        n_vocab: tokens; where `tokenizer` is given, as many as that has.
        storage: a key of TYPES, for the matrices.
        output_storage: for embeddings and output matrix; empty: as `storage`.
        is_tied: the embeddings serve as output matrix.
        tokenizer: a GGUF file whose tokenizer and chat template are taken over; None makes a model without
            vocabulary, which only token numbers can be given to.
        seed: of the random numbers.
    """

    n_layers: int
    width: int
    n_heads: int
    n_kv_heads: int
    inner: int
    n_vocab: int = 32_000
    context_length: int = 8192
    storage: str = "Q4_0"
    output_storage: str = ""
    is_tied: bool = False
    tokenizer: Path | None = None
    seed: int = 1

    def write(
        self, path: Path, *, hollow: bool = False, is_cancelled: Callable[[], bool] = lambda: False
    ) -> Path:
        """Write the file, at the speed of the disk.

        Args:
            path: of the new file.
            hollow: leave the weights out: the disk gives zeros for them (a sparse file takes no room).
            is_cancelled: asked before each tensor.

        Raises:
            Cancelled: on request; the file is not complete then.
            OSError: as from writing.
        """
        keys, n_vocab = self._keys()
        table, rows, at = list(self._tensors(n_vocab)), b"", 0
        for name, shape, storage in table:
            rows += gguf.tensor_info(name, shape, storage.number, at)
            at += _padded_bytes(storage, shape)
        pairs = b"".join(gguf.text(key) + value for key, value in keys.items())
        streams: dict[StorageType, _Blocks] = {}
        with path.open("wb") as file:
            file.write(gguf.padded(gguf.head(len(table), len(keys)) + pairs + rows))
            if hollow:
                file.truncate(file.tell() + at)
                return path
            for name, shape, storage in table:
                if is_cancelled():
                    raise Cancelled
                if name.endswith("norm.weight"):
                    file.write(gguf.padded(np.ones(shape[0], "<f4").tobytes()))
                    continue
                if storage not in streams:
                    streams[storage] = _Blocks(storage, self.seed)
                streams[storage].write(file, _padded_bytes(storage, shape))
        return path

    def _keys(self) -> tuple[dict[str, bytes], int]:
        keys = {
            "general.architecture": gguf.scalar(gguf.STRING, "llama"),
            "general.name": gguf.scalar(gguf.STRING, "random"),
        }
        numbers = {
            "context_length": self.context_length,
            "embedding_length": self.width,
            "block_count": self.n_layers,
            "feed_forward_length": self.inner,
            "attention.head_count": self.n_heads,
            "attention.head_count_kv": self.n_kv_heads,
            "rope.dimension_count": self.width // self.n_heads,
        }
        n_vocab = self.n_vocab
        if self.tokenizer is not None:
            tokenizer, n_vocab = tokenizer_of(self.tokenizer)
            keys |= tokenizer
        else:
            keys["tokenizer.ggml.model"] = gguf.scalar(gguf.STRING, "none")
        numbers["vocab_size"] = n_vocab
        keys |= {f"llama.{name}": gguf.scalar(gguf.U32, value) for name, value in numbers.items()}
        keys["llama.attention.layer_norm_rms_epsilon"] = gguf.scalar(gguf.F32, 1e-5)
        return keys, n_vocab

    def _tensors(self, n_vocab: int) -> Iterator[tuple[str, tuple[int, ...], StorageType]]:
        matrix, norm = TYPES[self.storage], TYPES["F32"]
        outer = TYPES[self.output_storage or self.storage]
        width, inner = self.width, self.inner
        kv_width = width // self.n_heads * self.n_kv_heads
        yield "token_embd.weight", (width, n_vocab), outer
        yield "output_norm.weight", (width,), norm
        if not self.is_tied:
            yield "output.weight", (width, n_vocab), outer
        for layer in range(self.n_layers):
            name = f"blk.{layer}."
            yield name + "attn_norm.weight", (width,), norm
            yield name + "attn_q.weight", (width, width), matrix
            yield name + "attn_k.weight", (width, kv_width), matrix
            yield name + "attn_v.weight", (width, kv_width), matrix
            yield name + "attn_output.weight", (width, width), matrix
            yield name + "ffn_norm.weight", (width,), norm
            yield name + "ffn_gate.weight", (width, inner), matrix
            yield name + "ffn_up.weight", (width, inner), matrix
            yield name + "ffn_down.weight", (inner, width), matrix


class _Blocks:
    """An endless row of random blocks."""

    def __init__(self, storage: StorageType, seed: int) -> None:
        random = np.random.default_rng(seed)
        if storage.number < 2:
            values = random.normal(0, _SCALE, _N_BLOCKS)
            self._data = memoryview(values.astype("<f4" if storage.number == 0 else "<f2").tobytes())
        else:
            blocks = np.frombuffer(random.bytes(_N_BLOCKS * storage.block_bytes), np.uint8)
            blocks = blocks.reshape(_N_BLOCKS, storage.block_bytes).copy()
            for place, scale in storage.scales_at:
                blocks[:, place : place + 2] = np.array([scale], "<f2").view(np.uint8)
            self._data = memoryview(blocks.tobytes())
        self._at, self._block_bytes = 0, storage.block_bytes

    def write(self, file: BinaryIO, n_bytes: int) -> None:
        """Write the next bytes; padding may cut a block, so each write begins a new one."""
        while n_bytes:
            piece = self._data[self._at : self._at + n_bytes]
            file.write(piece)
            n_bytes -= len(piece)
            self._at = (self._at + len(piece)) % len(self._data)
        self._at = self._at // self._block_bytes * self._block_bytes


def _padded_bytes(storage: StorageType, shape: tuple[int, ...]) -> int:
    n_bytes = storage.size_bytes(math.prod(shape))
    return (n_bytes + gguf.ALIGNMENT - 1) // gguf.ALIGNMENT * gguf.ALIGNMENT


def tokenizer_of(path: Path) -> tuple[dict[str, bytes], int]:
    """Take tokenizer and chat template from a model file, as the bytes of its head.

    Args:
        path: a file that passed `app.core.gguf.read_head`.

    Returns:
        Keys with their typed values, and the number of tokens.
    """
    kept = {key: value for key, value in raw_pairs(path).items() if key.startswith("tokenizer.")}
    tokens = kept.get("tokenizer.ggml.tokens", bytes(16))
    return kept, int(struct.unpack_from("<Q", tokens, 8)[0])


def raw_pairs(path: Path) -> dict[str, bytes]:
    """Give the keys of a model file's head with the bytes of their typed values."""
    with path.open("rb") as file:
        data = file.read(_MAX_HEAD_BYTES)
    (n_keys,) = struct.unpack_from("<Q", data, 16)
    at, pairs = 24, dict[str, bytes]()
    for _ in range(n_keys):
        (n_bytes,) = struct.unpack_from("<Q", data, at)
        key = data[at + 8 : at + 8 + n_bytes].decode()
        start = at + 8 + n_bytes
        (kind,) = struct.unpack_from("<I", data, start)
        at = _end_of_value(data, start + 4, kind)
        pairs[key] = data[start:at]
    return pairs


def _end_of_value(data: bytes, at: int, kind: int) -> int:
    """Give where a value of the metadata ends."""
    if kind == gguf.STRING:
        return at + 8 + int(struct.unpack_from("<Q", data, at)[0])
    if kind != gguf.ARRAY:
        return at + gguf.size_of(kind)
    of, n_items = struct.unpack_from("<IQ", data, at)
    at += 12
    if of != gguf.STRING:
        return at + int(n_items) * gguf.size_of(of)
    for _ in range(n_items):
        at = _end_of_value(data, at, of)
    return at
