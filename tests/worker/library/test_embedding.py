"""The embedding engines: the reference vectors, batches, tokens, a missing model, the second engine."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import ModelError
from app.core.paths import starter_models_dir
from app.worker.library.embedding import (
    DIM,
    OnnxEmbedder,
    TorchEmbedder,
    read_reference,
    text_to_embed,
)

MODEL_DIR = starter_models_dir() / "embedding" / "all-MiniLM-L6-v2"


def test_the_bundled_model_gives_the_reference_vectors(embedder: OnnxEmbedder) -> None:
    reference = read_reference()
    vectors = embedder.embed([text for text, _ in reference])
    expected = np.stack([vector for _, vector in reference])
    assert vectors.shape == (len(reference), DIM) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert (vectors * expected).sum(axis=1).min() > 0.97


def test_a_vector_hardly_depends_on_the_batch_it_is_in(embedder: OnnxEmbedder) -> None:
    texts = ["Short.", "A longer text about pumps and valves. " * 10, "黑豹队", ""]
    together = embedder.embed(texts, 2)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    # Dynamic quantization takes one scale for a whole batch, so a vector moves a little with its neighbours.
    assert (together * alone).sum(axis=1).min() > 0.96
    assert embedder.embed([]).shape == (0, DIM)


def test_tokens_are_counted_and_cut_as_the_model_sees_them(embedder: OnnxEmbedder) -> None:
    assert embedder.count(["hello world", ""]) == [2, 0]
    text = "hello world " * 10
    cuts = embedder.cuts(text, 4)
    assert cuts == [24, 48, 72, 96, len(text)]
    assert embedder.cuts("hello", 4) == [5]


def test_title_and_heading_stand_before_the_text() -> None:
    assert text_to_embed("Manual", "Setup › First", "Press.") == "Manual › Setup › First\nPress."
    assert text_to_embed("", "", "Press.") == "Press."


def test_a_missing_or_broken_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as missing:
        OnnxEmbedder(tmp_path)
    assert missing.value.code == "embedding.missing"
    shutil.copy(MODEL_DIR / "tokenizer.json", tmp_path)
    (tmp_path / "model.int8.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError) as broken:
        OnnxEmbedder(tmp_path)
    assert broken.value.code == "embedding.broken"


def test_the_second_engine_says_what_it_needs() -> None:
    try:
        import sentence_transformers  # noqa: F401
    except ImportError:
        with pytest.raises(ModelError) as missing:
            TorchEmbedder("any")
        assert missing.value.code == "embedding.no_torch"
        assert "torch" in missing.value.hint


@pytest.mark.torch
@pytest.mark.slow
def test_both_engines_agree(embedder: OnnxEmbedder) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra `torch` is not installed")
    second = TorchEmbedder(str(MODEL_DIR))
    texts = [text for text, _ in read_reference()]
    expected = np.stack([vector for _, vector in read_reference()])
    assert second.dim == DIM
    assert (second.embed(texts, 2) * expected).sum(axis=1).min() > 0.9999
    assert (second.embed(texts) * embedder.embed(texts)).sum(axis=1).min() > 0.97
    assert second.count(texts) == embedder.count(texts)
    assert second.cuts(texts[0], 4) == embedder.cuts(texts[0], 4)
    with pytest.raises(ModelError):
        TorchEmbedder("/nowhere/at/all")
