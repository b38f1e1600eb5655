"""Claims of a model file's description that cannot be, at which the engine would end its whole process.

What merely does not agree with the weights (shapes, counts, missing parts) is not looked at: the engine
refuses such a file by itself.

Source: llama.cpp, `llama-model.cpp` (`load_hparams`), `llama-hparams.h` and `ggml-cpu/ops.cpp`: assertions.
"""

import math
from collections.abc import Mapping
from typing import Any

_MAX_LAYERS = 512
_MAX_EXPERTS = 1024
_ROPE_SCALINGS = frozenset({"none", "linear", "yarn", "longrope"})
_NORMS = ("layer_norm_epsilon", "layer_norm_rms_epsilon", "group_norm_epsilon")


def impossible(architecture: str, metadata: Mapping[str, Any]) -> str:
    """Say which claim cannot be; empty where there is none.

    Args:
        architecture: the model family; prefixes the family's own keys.
        metadata: as in GgufHead.
    """

    def value(name: str) -> Any:
        return metadata.get(f"{architecture}.{name}")

    return (
        _layers(value("block_count"), value("nextn_predict_layers"))
        or _norms([value(f"attention.{name}") for name in _NORMS])
        or _rope_scaling(value("rope.scaling.type"))
        or _experts(_largest(value("expert_count")), _largest(value("expert_used_count")))
        or _expert_groups(
            _largest(value("expert_count")),
            _largest(value("expert_group_count")),
            _largest(value("expert_group_used_count")),
        )
    )


def _layers(n_layers: Any, n_extra: Any) -> str:
    if not isinstance(n_layers, int):
        return ""
    if not 0 < n_layers <= _MAX_LAYERS:
        return f"it claims to have {n_layers:,} layers"
    if isinstance(n_extra, int) and n_extra > n_layers:
        return "it claims to have more layers for guessing ahead than layers"
    return ""


def _norms(epsilons: list[Any]) -> str:
    for epsilon in epsilons:
        if isinstance(epsilon, float) and not (math.isfinite(epsilon) and epsilon >= 0):
            return "a number that it divides by is none"
    return ""


def _rope_scaling(name: Any) -> str:
    if isinstance(name, str) and name not in _ROPE_SCALINGS:
        return "it claims to count positions in an unknown way"
    return ""


def _experts(n_experts: int, n_used: int) -> str:
    if n_experts > _MAX_EXPERTS:
        return f"it claims to have {n_experts:,} experts"
    if n_used > n_experts or (n_experts and n_used <= 0):
        return f"it claims to use {n_used:,} of {n_experts:,} experts"
    return ""


def _expert_groups(n_experts: int, n_groups: int, n_used: int) -> str:
    uneven = n_groups > 1 and (n_experts % n_groups or not 0 < n_used < n_groups)
    if n_groups and (n_groups >= n_experts or uneven):
        return f"it claims to part {n_experts:,} experts into {n_groups:,} groups"
    return ""


def _largest(value: Any) -> int:
    """Give a number, or the largest of one for each layer; 0 where there is none."""
    numbers = value if isinstance(value, list) else [value]
    return max((each for each in numbers if isinstance(each, int)), default=0)
