"""How model files from before GGUF are written: magics, versions, types of weights, and the layouts.

Source: the loaders of ctransformers 0.2.27, `models/llms/*.cc`, `models/ggml/llama-ggml.cpp` and
    `libfalcon.cpp`; block and type sizes: `models/ggml/ggml.c` there.
"""

import re
from dataclasses import dataclass

from app.core import gguf

# The magics as their bytes stand in the file: little-endian numbers that spell the name backwards.
GGML, GGMF, GGJT, GGLA, GGCC = b"lmgg", b"fmgg", b"tjgg", b"algg", b"ccgg"
MAGICS = frozenset({GGML, GGMF, GGJT, GGLA, GGCC})

QUANTIZED_VERSION = 2  # of blocks; older ones have other sizes
GGJT_VERSIONS, GGCC_VERSION = (1, 2, 3), 10

TENSOR_TYPES = {n: gguf.TENSOR_TYPES[n] for n in (0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14)}
"""Those of GGUF that these files can have: (weights per block, bytes per block)."""
PLAIN_TYPES = (0, 1)
# How most tensors of a file are stored, by the number in its header.
STORAGE = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
            11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K"}  # fmt: skip
# LLaMA's files number the mixtures of K-quants one by one.
LLAMA_STORAGE = {n: STORAGE[n] for n in range(10) if n in STORAGE} | {
    10: "Q2_K", 11: "Q3_K", 12: "Q3_K", 13: "Q3_K", 14: "Q4_K", 15: "Q4_K", 16: "Q5_K", 17: "Q5_K",
    18: "Q6_K",
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How the files of some architectures are written.

    Attributes:
        kinds: the architectures, in the engine's words.
        magics: that such files begin with.
        numbers: names of the header's numbers, in order; `f:` marks a float.
        repeats_vocabulary: the size of the vocabulary stands before it again.
        has_scores: a float stands behind each word.
        embedding: name of the tensor of shape (width, vocabulary).
        layer: pattern of the names of a layer's tensors; its group is the layer's number.
        kv_bytes: of a number in the KV cache.
    """

    kinds: tuple[str, ...]
    magics: tuple[bytes, ...]
    numbers: tuple[str, ...]
    embedding: str
    layer: re.Pattern[str]
    repeats_vocabulary: bool = False
    has_scores: bool = False
    kv_bytes: int = 2


_HEAD = ("n_vocab", "n_ctx", "n_embd", "n_head", "n_layer")
_BLOCK_HEAD = ("n_embd", "n_ctx", "n_head", "n_layer", "n_vocab")
LAYOUTS = (
    Layout(("gpt2", "starcoder"), (GGML,), (*_HEAD, "storage"), "model/wte", re.compile(r"model/h(\d+)/"),
            repeats_vocabulary=True, kv_bytes=4),
    Layout(("gptj",), (GGML,), (*_HEAD, "n_rot", "storage"), "transformer.wte.weight",
            re.compile(r"transformer\.h\.(\d+)\."), repeats_vocabulary=True),
    Layout(("gpt_neox", "dolly-v2"), (GGML,), (*_HEAD, "n_rot", "parallel", "storage"),
            "gpt_neox.embed_in.weight", re.compile(r"gpt_neox\.layers\.(\d+)\.")),
    Layout(("mpt",), (GGML,), (*_BLOCK_HEAD, "f:alibi", "f:clip", "storage"), "transformer.wte.weight",
            re.compile(r"transformer\.blocks\.(\d+)\.")),
    Layout(("replit",), (GGML,), (*_BLOCK_HEAD, "storage"), "transformer.wte.weight",
            re.compile(r"transformer\.blocks\.(\d+)\."), has_scores=True),
    Layout(("llama",), (GGML, GGMF, GGJT),
            ("n_vocab", "n_embd", "n_mult", "n_head", "n_layer", "n_rot", "storage"),
            "tok_embeddings.weight", re.compile(r"layers\.(\d+)\."), has_scores=True),
    Layout(("falcon",), (GGCC,),
            ("n_vocab", "n_embd", "n_head", "n_head_kv", "n_layer", "falcon_type", "storage", "n_merges"),
            "transformer.word_embeddings.weight", re.compile(r"transformer\.h\.(\d+)\."), has_scores=True),
)  # fmt: skip
ALIGNED_FROM = 1  # GGJT 1: tensors begin at multiples of 32 bytes
