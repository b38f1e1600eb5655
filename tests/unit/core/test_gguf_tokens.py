"""Single texts of a vocabulary are read from the file, bounded, whatever became of it."""

from pathlib import Path

import pytest

from app.core.errors import ModelError
from app.core.gguf import read_head
from app.core.gguf_tokens import TokenTexts, read_token_texts
from tests.worker.inference.gguf_writer import I32, STRING, U32, GgufFile

LONG = [f"t{n}" for n in range(3000)]


def write(path: Path, tokens: list[str], kind: int = STRING, **keys: object) -> Path:
    file = GgufFile()
    file.add("general.architecture", STRING, "llama")
    for key, value in keys.items():
        file.add(f"tokenizer.ggml.{key}", STRING if isinstance(value, str) else U32, value)
    file.add_items("tokenizer.ggml.tokens", kind, tokens)
    return file.write(path)


@pytest.mark.parametrize("tokens", [["a", "<s>", "</s>", "[INST]"], ["a", "<s>", "</s>", "[INST]", *LONG]])
def test_texts_by_number_and_texts_asked_for(tmp_path: Path, tokens: list[str]) -> None:
    path = write(tmp_path / "m.gguf", tokens, bos_token_id=1, eos_token_id=2)
    found = read_token_texts(read_head(path), ("[INST]", "[/INST]"))
    assert found == TokenTexts("<s>", "</s>", frozenset({"[INST]"}))


def test_last_token_of_a_long_vocabulary(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", LONG, bos_token_id=2999, eos_token_id=9_999_999)
    assert read_token_texts(read_head(path)) == TokenTexts("t2999", "")


@pytest.mark.parametrize(
    ("model", "bos", "eos"), [("llama", "t1", "t2"), ("gpt2", "t11", "t11"), ("other", "", "")]
)
def test_what_a_tokenizer_has_where_the_file_is_silent(
    tmp_path: Path, model: str, bos: str, eos: str
) -> None:
    path = write(tmp_path / "m.gguf", LONG, model=model)
    assert read_token_texts(read_head(path)) == TokenTexts(bos, eos)


def test_files_without_a_vocabulary(tmp_path: Path) -> None:
    file = GgufFile()
    file.add("general.architecture", STRING, "llama")
    assert read_token_texts(read_head(file.write(tmp_path / "a.gguf"))) == TokenTexts()
    file.add_items("tokenizer.ggml.tokens", I32, [1, 2, 3])
    assert read_token_texts(read_head(file.write(tmp_path / "b.gguf")), ("1",)) == TokenTexts()


def test_a_huge_token_is_no_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", ["x" * 5000, *LONG], bos_token_id=0, eos_token_id=1)
    assert read_token_texts(read_head(path)) == TokenTexts("", "t0")


def test_a_file_that_changed_meanwhile(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", LONG, bos_token_id=2999)
    head = read_head(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError) as caught:
        read_token_texts(head)
    assert caught.value.code == "model.damaged" and "m.gguf" in caught.value.user_message
    path.write_bytes(whole[:200] + b"\xff" * (len(whole) - 200))
    with pytest.raises(ModelError):
        read_token_texts(head)
    path.unlink()
    with pytest.raises(ModelError) as caught:
        read_token_texts(head)
    assert caught.value.code == "model.unreadable"
