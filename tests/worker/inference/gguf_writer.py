"""Writes small GGUF files: of any content for the reader, and tiny random-weight models that really run."""

import array
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.gguf_writing import BOOL as BOOL
from app.core.gguf_writing import F32 as F32
from app.core.gguf_writing import I32 as I32
from app.core.gguf_writing import STRING as STRING
from app.core.gguf_writing import U32 as U32
from app.core.gguf_writing import U64 as U64
from app.core.gguf_writing import head as head
from app.core.gguf_writing import items as items
from app.core.gguf_writing import number as number
from app.core.gguf_writing import padded as padded
from app.core.gguf_writing import scalar as scalar
from app.core.gguf_writing import tensor_info as tensor_info
from app.core.gguf_writing import text as text

TYPE_F32, TYPE_F16, TYPE_Q4_0 = 0, 1, 2
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


@dataclass
class GgufFile:
    """A well-formed file in the making."""

    metadata: dict[str, bytes] = field(default_factory=dict)
    tensors: dict[str, tuple[tuple[int, ...], bytes]] = field(default_factory=dict)

    def add(self, key: str, kind: int, value: Any) -> None:
        """Add a value of the metadata."""
        self.metadata[key] = scalar(kind, value)

    def add_items(self, key: str, kind: int, values: Sequence[Any]) -> None:
        """Add an array of the metadata."""
        self.metadata[key] = items(kind, values)

    def add_tensor(self, name: str, shape: tuple[int, ...], values: Iterable[float]) -> None:
        """Add a float32 tensor, fastest dimension first."""
        self.tensors[name] = (shape, array.array("f", values).tobytes())

    def encode(self) -> bytes:
        """Give the file's bytes."""
        table, data = b"", b""
        for name, (shape, content) in self.tensors.items():
            table += tensor_info(name, shape, TYPE_F32, len(data))
            data += padded(content)
        pairs = b"".join(text(key) + value for key, value in self.metadata.items())
        return padded(head(len(self.tensors), len(self.metadata)) + pairs + table) + data

    def write(self, path: Path) -> Path:
        """Write the file."""
        path.write_bytes(self.encode())
        return path


# ---------------------------------------------------------------------------------------------- tiny models

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass
class TinyModel:
    """Shape and content of a model with random weights.

    Attributes:
        tokenizer: `bpe` (bytes and a few merges) or `spm` (SentencePiece with byte tokens).
        template: chat template; None writes none.
        architecture: `llama` (attention), `qwen2vl` (the same with images in two dimensions) or `mamba`
            (recurrent: its cache cannot be cut).
    """

    architecture: str = "llama"
    tokenizer: str = "bpe"
    template: str | None = CHATML
    context_length: int = 512
    width: int = 32
    n_layers: int = 2
    seed: int = 1

    def write(self, path: Path) -> Path:
        """Write the model."""
        return self.build().write(path)

    def build(self) -> GgufFile:
        """Make the model."""
        file, random_source = GgufFile(), random.Random(self.seed)
        file.add("general.architecture", STRING, self.architecture)
        file.add("general.name", STRING, "tiny")
        n_vocab = self._add_tokenizer(file)
        if self.template is not None:
            file.add("tokenizer.chat_template", STRING, self.template)
        if self.architecture == "mamba":
            self._add_mamba(file, random_source, n_vocab)
        else:
            self._add_llama(file, random_source, n_vocab)
        return file

    def _add_tokenizer(self, file: GgufFile) -> int:
        spm = self.tokenizer == "spm"
        tokens = _spm_tokens() if spm else _bpe_tokens()
        file.add("tokenizer.ggml.model", STRING, "llama" if spm else "gpt2")
        file.add("tokenizer.ggml.pre", STRING, "default" if spm else "gpt-2")
        file.add_items("tokenizer.ggml.tokens", STRING, [token for token, _ in tokens])
        file.add_items("tokenizer.ggml.token_type", I32, [kind for _, kind in tokens])
        file.add_items("tokenizer.ggml.scores", F32, [-float(i) for i in range(len(tokens))])
        if not spm:
            file.add_items("tokenizer.ggml.merges", STRING, _MERGES)
        names = [token for token, _ in tokens]
        file.add("tokenizer.ggml.bos_token_id", U32, names.index("<s>"))
        file.add("tokenizer.ggml.eos_token_id", U32, names.index("</s>" if spm else "<|im_end|>"))
        file.add("tokenizer.ggml.add_bos_token", BOOL, spm)
        return len(tokens)

    def _add_llama(self, file: GgufFile, source: random.Random, n_vocab: int) -> None:
        n, inner, family = self.width, 2 * self.width, self.architecture
        file.add(f"{family}.context_length", U32, self.context_length)
        file.add(f"{family}.embedding_length", U32, n)
        file.add(f"{family}.block_count", U32, self.n_layers)
        file.add(f"{family}.feed_forward_length", U32, inner)
        file.add(f"{family}.attention.head_count", U32, 2)
        file.add(f"{family}.attention.head_count_kv", U32, 1)
        file.add(f"{family}.rope.dimension_count", U32, n // 2)
        file.add(f"{family}.attention.layer_norm_rms_epsilon", F32, 1e-5)
        file.add(f"{family}.vocab_size", U32, n_vocab)
        if family == "qwen2vl":
            file.add_items(f"{family}.rope.dimension_sections", I32, [2, 3, 3, 0])
        _weights(file, source, "token_embd.weight", (n, n_vocab), 1.0)
        _ones(file, "output_norm.weight", n)
        _weights(file, source, "output.weight", (n, n_vocab), 1.0)
        for layer in range(self.n_layers):
            name = f"blk.{layer}."
            _ones(file, name + "attn_norm.weight", n)
            _weights(file, source, name + "attn_q.weight", (n, n))
            _weights(file, source, name + "attn_k.weight", (n, n // 2))
            _weights(file, source, name + "attn_v.weight", (n, n // 2))
            _weights(file, source, name + "attn_output.weight", (n, n))
            _ones(file, name + "ffn_norm.weight", n)
            _weights(file, source, name + "ffn_gate.weight", (n, inner))
            _weights(file, source, name + "ffn_up.weight", (n, inner))
            _weights(file, source, name + "ffn_down.weight", (inner, n))

    def _add_mamba(self, file: GgufFile, source: random.Random, n_vocab: int) -> None:
        n, inner, state, rank, kernel = self.width, 2 * self.width, 16, 4, 4
        file.add("mamba.context_length", U32, self.context_length)
        file.add("mamba.embedding_length", U32, n)
        file.add("mamba.block_count", U32, self.n_layers)
        file.add("mamba.feed_forward_length", U32, 0)
        file.add("mamba.attention.head_count", U32, 0)
        file.add("mamba.attention.layer_norm_rms_epsilon", F32, 1e-5)
        file.add("mamba.ssm.conv_kernel", U32, kernel)
        file.add("mamba.ssm.inner_size", U32, inner)
        file.add("mamba.ssm.state_size", U32, state)
        file.add("mamba.ssm.time_step_rank", U32, rank)
        file.add("mamba.vocab_size", U32, n_vocab)
        _weights(file, source, "token_embd.weight", (n, n_vocab), 1.0)
        _ones(file, "output_norm.weight", n)
        for layer in range(self.n_layers):
            name = f"blk.{layer}."
            _ones(file, name + "attn_norm.weight", n)
            _weights(file, source, name + "ssm_in.weight", (n, 2 * inner))
            _weights(file, source, name + "ssm_conv1d.weight", (kernel, inner))
            _weights(file, source, name + "ssm_conv1d.bias", (inner,))
            _weights(file, source, name + "ssm_x.weight", (inner, rank + 2 * state))
            _weights(file, source, name + "ssm_dt.weight", (rank, inner))
            _weights(file, source, name + "ssm_dt.bias", (inner,))
            file.add_tensor(name + "ssm_a", (state, inner), [-1.0] * (state * inner))
            _ones(file, name + "ssm_d", inner)
            _weights(file, source, name + "ssm_out.weight", (inner, n))


def _weights(
    file: GgufFile, source: random.Random, name: str, shape: tuple[int, ...], scale: float = 0.3
) -> None:
    n = 1
    for size in shape:
        n *= size
    file.add_tensor(name, shape, [source.gauss(0, scale) for _ in range(n)])


def _ones(file: GgufFile, name: str, n: int) -> None:
    file.add_tensor(name, (n,), [1.0] * n)


_MERGES = ["t h", "th e", "a n", "an d", "i n", "Ġ the", "Ġ and", "o n", "e r"]
_SPECIAL = ["<s>", "<|im_start|>", "<|im_end|>"]


def _bpe_tokens() -> list[tuple[str, int]]:
    """Give a byte-level vocabulary: 256 bytes as GPT-2 spells them, some merges, three control tokens."""
    merged = [merge.replace(" ", "") for merge in _MERGES]
    return [(token, NORMAL) for token in _byte_letters() + merged] + [(token, CONTROL) for token in _SPECIAL]


def _byte_letters() -> list[str]:
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    letters, extra = [], 0
    for byte in range(256):
        if byte in shown:
            letters.append(chr(byte))
        else:
            letters.append(chr(256 + extra))
            extra += 1
    return letters


def _spm_tokens() -> list[tuple[str, int]]:
    """Give a SentencePiece vocabulary with byte tokens, letters and a few words."""
    words = ["▁", "▁the", "▁and", "th", "he", "in", "▁a", "er", *map(chr, range(33, 127))]
    return [
        ("<unk>", UNKNOWN),
        ("<s>", CONTROL),
        ("</s>", CONTROL),
        *((f"<0x{byte:02X}>", BYTE) for byte in range(256)),
        *((word, NORMAL) for word in words),
    ]
