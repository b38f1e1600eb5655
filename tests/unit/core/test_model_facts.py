"""What model files are, from their heads and names."""

import struct
from pathlib import Path
from typing import Any

import pytest

from app.core.gguf import GgufHead
from app.core.model_facts import (
    BITS_PER_WEIGHT,
    Part,
    belongs_to,
    is_projector_name,
    kind_of,
    licence_of,
    part_names,
    part_of,
    quantization_in,
    quantization_of,
    size_about,
)


def head(architecture: str = "llama", **metadata: Any) -> GgufHead:
    values = {"general.architecture": architecture} | {
        key.replace("__", "."): value for key, value in metadata.items()
    }
    return GgufHead(Path("m.gguf"), 3, values, (), 0, struct.calcsize("<4s"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"),
        ("qwen2.5-7b-instruct-q4_k_m-00001-of-00002.gguf", "Q4_K_M"),
        ("Qwen3-0.6B-Q8_0.gguf", "Q8_0"),
        ("gpt-oss-20b-MXFP4.gguf", "MXFP4"),
        ("nomic-embed-text-v1.5.f16.gguf", "F16"),
        ("mxbai-embed-large-v1_fp16.gguf", "F16"),
        ("model-fp32.gguf", "F32"),
        ("Llama-3.3-70B-IQ2_XXS.gguf", "IQ2_XXS"),
        ("tiny-TQ1_0.gguf", "TQ1_0"),
        ("q4_0-model-Q6_K.gguf", "Q6_K"),
        ("Q1-report.gguf", ""),
        ("model.gguf", ""),
    ],
)
def test_quantization_in_names(name: str, expected: str) -> None:
    assert quantization_in(name) == expected


def test_the_file_counts_before_its_name() -> None:
    assert quantization_of(head(general__file_type=15), "x-Q8_0.gguf") == "Q4_K_M"
    assert quantization_of(head(general__file_type=999), "x-Q8_0.gguf") == "Q8_0"
    assert quantization_of(head(general__file_type=True), "x.gguf") == ""


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        (head(), "chat"),
        (head(general__type="adapter"), "adapter"),
        (head(adapter__type="lora"), "adapter"),
        (head(general__type="mmproj"), "projector"),
        (head("clip"), "projector"),
        (head("nomic-bert"), "embedding"),
        (head("qwen3", qwen3__pooling_type=3), "embedding"),
        (head("bert", bert__pooling_type=4), "reranking"),
        (head("qwen3", qwen3__pooling_type=0), "chat"),
    ],
)
def test_kinds(described: GgufHead, expected: str) -> None:
    assert kind_of(described) == expected


def test_licences() -> None:
    assert licence_of(head(general__license="apache-2.0")) == "apache-2.0"
    assert licence_of(head(general__license="other", **{"general.license.name": "gemma"})) == "gemma"
    assert licence_of(head(general__license=" ")) == licence_of(head(general__license=7)) == ""


def test_parts() -> None:
    assert part_of("big-Q4_K_M-00002-of-00003") == Part("big-Q4_K_M", 2, 3)
    for whole in ("big", "big-00001-of-00001", "big-00004-of-00003", "big-00000-of-00002", "big-1-of-2"):
        assert part_of(whole) is None
    assert part_names("big-00002-of-00002.gguf") == ("big-00001-of-00002.gguf", "big-00002-of-00002.gguf")
    assert part_names("big.gguf") == ()


def test_projectors_and_their_models() -> None:
    assert is_projector_name("mmproj-model-f16.gguf") and is_projector_name("gemma-MMPROJ.gguf")
    assert not is_projector_name("gemma.gguf")
    assert belongs_to("mmproj-SmolVLM-500M-Instruct-Q8_0", "SmolVLM-500M-Instruct-Q4_K_M")
    assert belongs_to("SmolVLM-500M-Instruct.mmproj-f16", "SmolVLM-500M-Instruct.Q4_K_M")
    assert not belongs_to("mmproj-SmolVLM-500M-Instruct-Q8_0", "SmolVLM-256M-Instruct-Q4_K_M")
    assert not belongs_to("mmproj-model-f16", "gemma-3-4b-it-Q4_K_M")


def test_sizes_are_estimated_within_a_few_percent_of_real_ones() -> None:
    real = {(8_030_261_248, "Q4_K_M"): 4_920_739_232, (70_553_706_496, "Q4_K_M"): 42_520_398_816}
    for (n_params, quantization), n_bytes in real.items():
        assert size_about(n_params, quantization) == pytest.approx(n_bytes, rel=0.03)
    assert size_about(None, "Q4_K_M") is None and size_about(1, "") is None
    assert BITS_PER_WEIGHT["Q6_K"] > BITS_PER_WEIGHT["Q4_K_M"]
