"""What a model file is, from its head and its name: its kind, its quantization, its parts."""

import re
from dataclasses import dataclass

from app.core.gguf import GgufHead

# Families whose models give vectors instead of text.
# Source: llama.cpp, `src/llama-arch.cpp`, the encoder-only architectures.
_EMBEDDING_FAMILIES = frozenset(
    {
        "bert",
        "nomic-bert",
        "nomic-bert-moe",
        "neo-bert",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "gemma-embedding",
        "eurobert",
    }
)
_PROJECTOR_FAMILIES = frozenset({"clip", "mmproj"})
_RANK_POOLING = 4

# Numbers of `general.file_type`. Source: llama.cpp, `include/llama.h`, `enum llama_ftype`.
_FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
}

# Bits that one weight takes, embeddings and scales included, as quantizing a Llama 3.1 8B gave them.
# Source: llama.cpp, `tools/quantize/README.md`, table of sizes; block sizes of ggml for the plain types.
BITS_PER_WEIGHT = {
    "F32": 32.0,
    "F16": 16.0,
    "BF16": 16.0,
    "Q8_0": 8.5,
    "Q6_K": 6.56,
    "Q5_K_M": 5.70,
    "Q5_K_S": 5.57,
    "Q5_1": 6.0,
    "Q5_0": 5.5,
    "Q4_K_M": 4.89,
    "Q4_K_S": 4.67,
    "Q4_1": 5.0,
    "Q4_0": 4.66,
    "IQ4_NL": 4.68,
    "IQ4_XS": 4.46,
    "MXFP4": 4.63,
    "Q3_K_L": 4.30,
    "Q3_K_M": 4.00,
    "Q3_K_S": 3.64,
    "IQ3_M": 3.76,
    "IQ3_S": 3.66,
    "IQ3_XS": 3.50,
    "IQ3_XXS": 3.25,
    "Q2_K": 3.16,
    "IQ2_M": 2.93,
    "IQ2_S": 2.74,
    "IQ2_XS": 2.59,
    "IQ2_XXS": 2.38,
    "IQ1_M": 2.15,
    "IQ1_S": 2.00,
}

_QUANTIZATION = re.compile(
    r"(?:^|[-_.\s(])("
    r"(?:I?Q[1-8](?:_(?:K|NL|XXS|XS|S|M|L|0|1))+)|(?:I?Q[1-8]_[01])|(?:TQ[12]_0)|MXFP4|BF16|FP?16|FP?32"
    r")(?=$|[-_.\s)])",
    re.IGNORECASE,
)
_PART = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})$")


@dataclass(frozen=True)
class Part:
    """A file of a model that is split.

    Attributes:
        stem: name of the whole model.
        number: from 1.
        count: of all parts.
    """

    stem: str
    number: int
    count: int


def part_of(stem: str) -> Part | None:
    """Read a part's name (`NAME-00001-of-00003`, without the ending); None where it is whole.

    Source: llama.cpp, `tools/gguf-split/README.md`.
    """
    match = _PART.match(stem)
    if match is None:
        return None
    number, count = int(match["number"]), int(match["count"])
    return Part(match["stem"], number, count) if 1 <= number <= count and count > 1 else None


def part_names(name: str) -> tuple[str, ...]:
    """Give the file names of all parts, from that of any of them; empty for a whole file."""
    stem, dot, ending = name.rpartition(".")
    part = part_of(stem)
    if part is None:
        return ()
    return tuple(
        f"{part.stem}-{number:05d}-of-{part.count:05d}{dot}{ending}" for number in range(1, part.count + 1)
    )


def quantization_in(name: str) -> str:
    """Find the quantization in a file name, as its makers write it (`Q4_K_M`); empty without one."""
    matches = _QUANTIZATION.findall(name)
    if not matches:
        return ""
    found = str(matches[-1]).upper()
    return {"FP16": "F16", "FP32": "F32"}.get(found, found)


def quantization_of(head: GgufHead, name: str) -> str:
    """Give the quantization that the file states, else the one in its name; empty where neither says."""
    stated = head.metadata.get("general.file_type")
    if isinstance(stated, int) and not isinstance(stated, bool) and stated in _FILE_TYPES:
        return _FILE_TYPES[stated]
    return quantization_in(name)


def kind_of(head: GgufHead) -> str:
    """Tell what a GGUF file is for: `chat`, `embedding`, `reranking`, `projector` or `adapter`.

    Source: the GGUF specification of ggml, `docs/gguf.md` (`general.type`, `adapter.type`); pooling types:
        llama.cpp, `include/llama.h`, `enum llama_pooling_type`.
    """
    stated = head.metadata.get("general.type")
    if stated == "adapter" or "adapter.type" in head.metadata:
        return "adapter"
    if stated == "mmproj" or head.architecture in _PROJECTOR_FAMILIES:
        return "projector"
    pooling = head.number("pooling_type", -1)
    if pooling == _RANK_POOLING:
        return "reranking"
    return "embedding" if pooling > 0 or head.architecture in _EMBEDDING_FAMILIES else "chat"


def licence_of(head: GgufHead) -> str:
    """Give the licence that the file states; empty where it does not."""
    for key in ("general.license.name", "general.license"):
        value = head.metadata.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()[:100]
    return ""


def size_about(n_params: int | None, quantization: str) -> int | None:
    """Estimate a file's bytes from the number of weights; None where it cannot be."""
    bits = BITS_PER_WEIGHT.get(quantization)
    return None if n_params is None or bits is None else int(n_params * bits / 8)


def is_projector_name(name: str) -> bool:
    """Whether a file name says that it is a projector for images (`mmproj-…`, as llama.cpp names them)."""
    return "mmproj" in name.casefold()


def belongs_to(projector_stem: str, model_stem: str) -> bool:
    """Whether a projector's name says that it is made for this model.

    `mmproj-SmolVLM2-500M-f16` is for `SmolVLM2-500M-Q8_0`; `mmproj-model-f16` names no model.
    """
    words = [word for word in _words(projector_stem) if word not in ("mmproj", "model")]
    return bool(words) and _words(model_stem)[: len(words)] == words


def _words(stem: str) -> list[str]:
    without = _QUANTIZATION.sub("", stem.casefold())
    return [word for word in re.split(r"[-_.\s]+", without) if word]
