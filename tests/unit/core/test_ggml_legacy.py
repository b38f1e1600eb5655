"""Files from before GGUF: told apart, measured to the last byte, refused in words."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core import ggml_legacy
from app.core.errors import ModelError
from app.core.ggml_layouts import MAGICS
from app.core.ggml_legacy import LegacyHead, is_legacy, read_legacy_head
from scripts.make_ggml import Shape, encode
from tests.unit.core.ggml_writer import OldFile, int32

FILES = {
    "gpt2": OldFile("gpt2"),
    "starcoder": OldFile("gpt2", words=[b"a", b"<fim_prefix>"]),
    "gptj": OldFile("gptj"),
    "gpt_neox": OldFile("gpt_neox"),
    "dolly-v2": OldFile("gpt_neox", words=[b"a", b"### End"]),
    "mpt": OldFile("mpt"),
    "replit": OldFile("replit"),
    "llama": OldFile("llama", "GGJT", 3),
    "falcon": OldFile("falcon", "GGCC", 10, merges=[(b"a", b"b")]),
}


def read(data: bytes, tmp_path: Path, name: str = "old-gpt2.bin") -> LegacyHead:
    path = tmp_path / name
    path.write_bytes(data)
    assert is_legacy(path) == (data[:4] in MAGICS)
    return read_legacy_head(path)


def refusal(data: bytes, tmp_path: Path, name: str = "old-gpt2.bin") -> ModelError:
    with pytest.raises(ModelError) as caught:
        read(data, tmp_path, name)
    assert caught.value.hint
    assert name in caught.value.user_message
    return caught.value


@pytest.mark.parametrize("kind", FILES)
def test_every_architecture_is_told_from_its_layout(kind: str, tmp_path: Path) -> None:
    file = FILES[kind]
    head = read(file.encode(), tmp_path)
    assert head.kind == kind
    assert (head.n_vocab, head.n_embd, head.n_layer) == (len(file.words), 32, 2)
    assert head.context_length == (0 if kind in ("llama", "falcon") else 64)
    assert head.weight_bytes == sum(n_bytes for *_, n_bytes in file.usual_tensors())
    assert head.n_params == head.weight_bytes // 4
    assert head.kv_bytes_per_token == 2 * 2 * 32 * (4 if kind in ("gpt2", "starcoder") else 2)
    assert head.has_pieces == (kind not in ("llama", "falcon", "replit"))
    assert head.storage == "F32"


@pytest.mark.parametrize(("magic", "version"), [("GGML", 0), ("GGMF", 1), ("GGJT", 1), ("GGJT", 2)])
def test_older_llama_files_are_read_unless_they_are_quantized(
    magic: str, version: int, tmp_path: Path
) -> None:
    file = OldFile("llama", magic, version)
    assert read(file.encode(), tmp_path).kind == "llama"
    file.numbers = {"storage": 2}
    error = refusal(file.encode(), tmp_path)
    assert (error.code, "older way" in error.user_message) == ("model.unsupported", True)


@pytest.mark.parametrize("storage", ["F32", "F16", "Q4_0"])
def test_the_script_writes_what_is_read(storage: str, tmp_path: Path) -> None:
    head = read(encode(Shape(storage=storage)), tmp_path)
    assert (head.kind, head.storage, head.context_length) == ("gpt2", storage, 128)


def test_old_blocks_are_refused(tmp_path: Path) -> None:
    data = encode(Shape(storage="Q4_0"))
    at = 4 + 5 * 4
    assert data[at : at + 4] == int32(2002)
    error = refusal(data[:at] + int32(1002) + data[at + 4 :], tmp_path)
    assert (error.code, "older way" in error.user_message) == ("model.unsupported", True)


def test_two_possible_architectures_are_asked_about(tmp_path: Path) -> None:
    data = FILES["gpt2"].encode()
    error = refusal(data, tmp_path, "model.bin")
    assert error.code == "model.unsupported"
    assert "config.json" in error.hint
    assert read(data, tmp_path, "my-StarCoder-q4.bin").kind == "starcoder"
    config = tmp_path / "config.json"
    for content, kind in (
        (json.dumps({"model_type": "gpt_bigcode"}), "starcoder"),
        (json.dumps({"model_type": "gpt2"}), "gpt2"),
    ):
        config.write_text(content, "utf-8")
        assert read(data, tmp_path, "model.bin").kind == kind
    for content in ("{", "[]", '{"model_type": 3}', '{"model_type": "gpt_neox"}', "[" * 100_000):
        config.write_text(content, "utf-8")
        assert refusal(data, tmp_path, "model.bin").code == "model.unsupported"


@pytest.mark.parametrize("kind", FILES)
def test_every_cut_is_noticed(kind: str, tmp_path: Path) -> None:
    data = FILES[kind].encode()
    for end in [*range(5, 60, 3), *range(60, len(data), 2999), len(data) - 1]:
        assert refusal(data[:end], tmp_path).code in ("model.truncated", "model.damaged")
    assert refusal(data[:-1], tmp_path).code == "model.truncated"
    assert refusal(data[: len(data) // 2], tmp_path).code == "model.truncated"


def wrong(kind: str = "gpt2", **fields: Any) -> OldFile:
    return replace(FILES[kind], **fields)


def tensors_of(kind: str = "gpt2") -> list[tuple[str, tuple[int, ...], int, int]]:
    return FILES[kind].usual_tensors()


MATRIX = ("model/h0/x", (32, 32), 0, 4096)
DAMAGES: dict[str, tuple[OldFile, str, str]] = {
    "no vocabulary": (wrong(numbers={"n_vocab": 0}), "model.damaged", "fits no model"),
    "heads": (wrong("gptj", numbers={"n_head": 5}), "model.damaged", "fits no model"),
    "rotation": (wrong("gptj", numbers={"n_rot": 99}), "model.damaged", "fits no model"),
    "layers": (wrong("llama", numbers={"n_layer": 5000}, tensors=[]), "model.damaged", "fits no model"),
    "context": (wrong("gptj", numbers={"n_ctx": -1}), "model.damaged", "fits no model"),
    "vocabulary twice": (wrong(repeated=99, words=[b"one", b"two", b"six"]), "model.damaged", "vocabulary"),
    "blocks": (
        wrong("llama", numbers={"n_embd": 34, "n_head": 1, "storage": 2}),
        "model.damaged",
        "whole blocks",
    ),
    "long word": (wrong(words=[b"a", b"b" * 5000, b"c"]), "model.damaged", "word"),
    "long vocabulary": (
        wrong("llama", numbers={"n_vocab": 1_900_000}, tensors=[]),
        "model.truncated",
        "too early",
    ),
    "merges": (wrong("falcon", n_merges=-2), "model.damaged", "joins"),
    "no parts": (wrong(tensors=[]), "model.truncated", "too early"),
    "missing parts": (wrong(tensors=tensors_of()[1:]), "model.damaged", "missing"),
    "missing layer": (wrong(tensors=tensors_of()[:-2]), "model.truncated", "too early"),
    "missing matrix": (wrong(tensors=tensors_of()[:-1]), "model.truncated", "too early"),
    "more layers": (
        wrong(tensors=[*tensors_of(), ("model/h7/x", (2,), 0, 8)]),
        "model.damaged",
        "more layers",
    ),
    "other sizes": (
        wrong(tensors=[("model/wte", (32, 4), 0, 512), *tensors_of()[1:]]),
        "model.damaged",
        "do not have the sizes",
    ),
    "twice": (wrong(tensors=[*tensors_of(), tensors_of()[1]]), "model.damaged", "twice"),
    "dimensions": (wrong(tensors=[*tensors_of(), ("x", (1, 1, 1), 0, 4)]), "model.damaged", "dimensions"),
    "name": (wrong(tensors=[*tensors_of(), ("x" * 300, (1,), 0, 4)]), "model.damaged", "name"),
    "size": (wrong(tensors=[*tensors_of(), ("x", (0,), 0, 0)]), "model.damaged", "impossible size"),
    "huge": (wrong(tensors=[*tensors_of(), ("x", (2**30, 4), 0, 0)]), "model.damaged", "impossible size"),
    "half blocks": (
        wrong(tensors=[*tensors_of(), ("x", (33, 1), 2, 18)]),
        "model.damaged",
        "impossible size",
    ),
    "quantized row": (
        wrong(tensors=[*tensors_of(), ("x", (32,), 2, 18)]),
        "model.damaged",
        "impossible type",
    ),
    "unknown type": (
        wrong(tensors=[*tensors_of(), ("x", (4,), 99, 4)]),
        "model.unsupported",
        "does not know",
    ),
    "unknown storage": (wrong("llama", numbers={"storage": 77}), "model.unsupported", "does not know"),
    "mixed storage": (wrong("gptj", numbers={"storage": 2004}), "model.unsupported", "does not know"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_each_damage_is_named(name: str, tmp_path: Path) -> None:
    file, code, words = DAMAGES[name]
    error = refusal(file.encode(), tmp_path)
    assert (error.code, words in error.user_message) == (code, True), error.user_message


def test_too_many_parts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ggml_legacy, "_MAX_TENSORS", 4)
    assert "number of parts" in refusal(FILES["gpt2"].encode(), tmp_path).user_message


def test_a_context_that_the_engine_cannot_count_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ggml_legacy, "_MAX_ELEMENTS", 2 * 32 * 64)
    error = refusal(FILES["gpt2"].encode(), tmp_path)
    assert (error.code, "too long" in error.user_message) == ("model.unsupported", True)


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    adapter = OldFile("llama", "GGLA", 1).encode()
    error = refusal(adapter, tmp_path)
    assert (error.code, "LoRA" in error.user_message) == ("model.unsupported", True)
    assert refusal(b"GGUF" + bytes(40), tmp_path).code == "model.not_gguf"
    assert refusal(b"", tmp_path).code == "model.not_gguf"
    assert refusal(OldFile("llama", "GGJT", 9).encode(), tmp_path).code == "model.unsupported"
    assert refusal(OldFile("llama", "GGJT", 3).encode()[:6], tmp_path).code == "model.truncated"


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "none.bin"
    assert not is_legacy(missing)
    for path, code in ((missing, "model.not_found"), (tmp_path, "model.not_gguf")):
        assert not is_legacy(path)
        with pytest.raises(ModelError) as caught:
            read_legacy_head(path)
        assert caught.value.code == code
    path = tmp_path / "old.bin"
    path.write_bytes(FILES["gptj"].encode())

    def fails(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ggml_legacy, "_read", fails)
    with pytest.raises(ModelError) as caught:
        read_legacy_head(path)
    assert caught.value.code == "model.unreadable"
    assert "Permission denied" in caught.value.user_message


@pytest.mark.parametrize("kind", FILES)
def test_mutations_are_read_or_named(kind: str, tmp_path: Path) -> None:
    """Numbers of the head and the tables are overwritten; whatever comes, it is a head or a reason."""
    whole = FILES[kind].encode()
    source = random.Random(kind)
    n_refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(source.randint(1, 3)):
            at = source.randrange(0, min(len(data) - 4, 400))
            value = source.choice([-1, 0, 1, 2**31 - 1, -(2**31), 255, source.randrange(2**31)])
            data[at : at + 4] = int32(value)
        path = tmp_path / "old-gpt2.bin"
        path.write_bytes(data)
        try:
            head = read_legacy_head(path)
        except ModelError as error:
            assert error.code in ("model.damaged", "model.truncated", "model.unsupported", "model.not_gguf")
            n_refused += 1
        else:
            assert head.weight_bytes <= len(data)
    assert n_refused > 15
