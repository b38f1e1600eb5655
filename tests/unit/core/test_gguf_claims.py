"""Claims at which the engine would end its process are found before it sees the file."""

from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ModelError
from app.core.gguf import read_head
from app.core.gguf_claims import impossible
from tests.worker.inference.gguf_writer import STRING, GgufFile, TinyModel

EXPERTS = {"expert_count": 8, "expert_used_count": 2}


def said(**claims: Any) -> str:
    return impossible("llama", {f"llama.{key.replace('__', '.')}": value for key, value in claims.items()})


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"block_count": 1},
        {"block_count": 512, "nextn_predict_layers": 1},
        {"block_count": "many"},
        {"attention__layer_norm_rms_epsilon": 1e-5},
        {"attention__layer_norm_epsilon": 0.0},
        {"rope__scaling__type": "yarn"},
        EXPERTS,
        {"expert_count": 0, "expert_used_count": 0},
        {"expert_count": 1024, "expert_used_count": [8, 4]},
        EXPERTS | {"expert_group_count": 1},
        EXPERTS | {"expert_group_count": 4, "expert_group_used_count": 2},
    ],
)
def test_possible_claims(claims: dict[str, Any]) -> None:
    assert said(**claims) == ""


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"block_count": 0}, "0 layers"),
        ({"block_count": 513}, "513 layers"),
        ({"block_count": -1}, "-1 layers"),
        ({"block_count": 2, "nextn_predict_layers": 3}, "guessing ahead"),
        ({"attention__layer_norm_rms_epsilon": float("nan")}, "divides by"),
        ({"attention__group_norm_epsilon": -1e-5}, "divides by"),
        ({"attention__layer_norm_epsilon": float("inf")}, "divides by"),
        ({"rope__scaling__type": "magic"}, "unknown way"),
        ({"expert_count": 1025, "expert_used_count": 2}, "1,025 experts"),
        ({"expert_count": 8}, "use 0 of 8"),
        ({"expert_used_count": 2}, "use 2 of 0"),
        ({"expert_count": 4, "expert_used_count": [2, 8]}, "use 8 of 4"),
        ({"expert_group_count": 1}, "0 experts into 1 groups"),
        (EXPERTS | {"expert_group_count": 8, "expert_group_used_count": 2}, "8 experts into 8"),
        (EXPERTS | {"expert_group_count": 3, "expert_group_used_count": 2}, "8 experts into 3"),
        (EXPERTS | {"expert_group_count": 4}, "8 experts into 4"),
        (EXPERTS | {"expert_group_count": 4, "expert_group_used_count": 4}, "8 experts into 4"),
    ],
)
def test_impossible_claims(claims: dict[str, Any], words: str) -> None:
    assert words in said(**claims)


def refusal(file: GgufFile, path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_head(file.write(path / "bad.gguf"))
    assert caught.value.code == "model.damaged"
    return caught.value.user_message


def test_they_are_found_when_the_head_is_read(tmp_path: Path) -> None:
    file = TinyModel(n_layers=0).build()
    assert refusal(file, tmp_path) == "The model file “bad.gguf” is damaged: it claims to have 0 layers."


@pytest.mark.parametrize("n_tokens", [268, 5000])
def test_a_token_that_stands_there_twice(tmp_path: Path, n_tokens: int) -> None:
    file = TinyModel().build()
    file.add_items("tokenizer.ggml.tokens", STRING, [f"t{n}" for n in range(n_tokens - 1)] + ["t7"])
    assert "twice" in refusal(file, tmp_path)


@pytest.mark.parametrize("n_tokens", [268, 5000])
def test_tokens_without_text_are_not_the_same(tmp_path: Path, n_tokens: int) -> None:
    file = TinyModel().build()
    file.add_items("tokenizer.ggml.tokens", STRING, [f"t{n}" for n in range(n_tokens - 2)] + ["", ""])
    assert read_head(file.write(tmp_path / "good.gguf")).architecture == "llama"
