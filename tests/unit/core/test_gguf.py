"""The reader of model files: it takes what is well-formed and names what is wrong with the rest."""

import io
import os
import sys
import time
from pathlib import Path

import pytest

from app.core import gguf
from app.core.errors import ModelError
from app.core.gguf import GgufHead, SkippedArray, Tensor, read_head, read_head_from
from tests.worker.inference.gguf_corpus import malformed, mutations, well_formed
from tests.worker.inference.gguf_writer import F32, STRING, U32, GgufFile, TinyModel

MALFORMED = malformed()


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_file_is_refused_with_its_code(kind: str, tmp_path: Path) -> None:
    data, code = MALFORMED[kind]
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        read_head(path)
    assert caught.value.code == code
    assert "bad.gguf" in caught.value.user_message
    assert caught.value.hint


def test_corpus_covers_thirty_kinds() -> None:
    assert len(MALFORMED) >= 30


@pytest.mark.parametrize("kind", well_formed())
def test_well_formed_file_is_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "good.gguf"
    path.write_bytes(well_formed()[kind])
    head = read_head(path)
    assert head.file_bytes == path.stat().st_size
    assert head.version in (2, 3)


def test_head_of_a_model_is_read(tmp_path: Path) -> None:
    path = TinyModel().write(tmp_path / "tiny.gguf")
    head = read_head(path)
    assert head.architecture == "llama"
    assert head.context_trained == 512
    assert head.chat_template is not None and "<|im_start|>" in head.chat_template
    assert head.split_count == 1
    assert head.number("block_count") == 2
    assert head.tensors[0] == Tensor("token_embd.weight", (32, 268), 0, 0, 32 * 268 * 4)
    assert head.data_offset % 32 == 0
    assert head.data_offset + head.weight_bytes <= head.file_bytes
    assert head.n_params == head.weight_bytes // 4


def test_head_is_read_from_bytes_that_are_no_file_yet(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    TinyModel().write(path)
    head, data = read_head(path), path.read_bytes()
    start = io.BytesIO(data[: head.data_offset])
    assert read_head_from(start, "m.gguf", len(data)).tensors == head.tensors
    with pytest.raises(ModelError, match=r"model\.truncated"):
        read_head_from(io.BytesIO(data[:100]), "m.gguf", len(data))


def test_mutations_end_in_a_named_error_or_a_head(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "mutated.gguf", {"read": 0, "refused": 0}
    started = time.monotonic()
    for _, data in mutations(400):
        path.write_bytes(data)
        try:
            assert isinstance(read_head(path), GgufHead)
            outcomes["read"] += 1
        except ModelError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 50  # else the mutations miss what they aim at
    assert time.monotonic() - started < 30


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        read_head(tmp_path / "gone.gguf")
    assert caught.value.code == "model.not_found"


def test_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        read_head(tmp_path)
    assert caught.value.code == "model.not_gguf"


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes in the file system are POSIX")
def test_named_pipe_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe.gguf"
    os.mkfifo(path)
    with pytest.raises(ModelError) as caught:
        read_head(path)
    assert caught.value.code == "model.not_gguf"


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = TinyModel().write(tmp_path / "tiny.gguf")

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError) as caught:
        read_head(path)
    assert caught.value.code == "model.unreadable"
    assert "Permission denied" in caught.value.user_message


def test_long_arrays_are_checked_but_not_kept(tmp_path: Path) -> None:
    file = GgufFile()
    file.add_items("names", STRING, ["é"] * 2000)
    file.add_items("scores", F32, [0.5] * 2000)
    file.add_items("few", U32, [1, 2, 3])
    metadata = read_head(file.write(tmp_path / "arrays.gguf")).metadata
    assert metadata == {"names": SkippedArray(2000), "scores": SkippedArray(2000), "few": [1, 2, 3]}


def test_numbers_per_layer_give_the_largest(tmp_path: Path) -> None:
    file = GgufFile()
    file.add("general.architecture", STRING, "x")
    file.add_items("x.heads", U32, [4, 8, 2])
    file.add("x.name", STRING, "word")
    file.add("split.count", U32, 3)
    file.add("tokenizer.chat_template", STRING, "  ")
    head = read_head(file.write(tmp_path / "x.gguf"))
    assert head.number("heads") == 8
    assert head.number("name", 5) == 5
    assert head.number("absent") == 0
    assert head.split_count == 3
    assert head.chat_template is None


def test_architecture_may_be_absent(tmp_path: Path) -> None:
    assert read_head(GgufFile().write(tmp_path / "none.gguf")).architecture == ""


def test_description_over_the_limit_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = TinyModel().write(tmp_path / "tiny.gguf")
    monkeypatch.setattr(gguf, "MAX_HEAD_BYTES", 1000)
    with pytest.raises(ModelError) as caught:
        read_head(path)
    assert caught.value.code == "model.damaged"


def test_file_that_shrinks_while_read_is_truncated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, file = tmp_path / "shrinks.gguf", TinyModel().build()
    file.add_items("many", STRING, ["word"] * 2000)
    monkeypatch.setattr("app.core.gguf.os.fstat", lambda _fd: os.stat_result((0,) * 6 + (2**20, 0, 0, 0)))
    in_the_strings = file.encode().index(b"many") + 1200
    for n_bytes in (30, 4000, in_the_strings, in_the_strings + 2, in_the_strings + 6):
        path.write_bytes(file.encode()[:n_bytes])
        with pytest.raises(ModelError) as caught:
            read_head(path)
        assert caught.value.code == "model.truncated"
