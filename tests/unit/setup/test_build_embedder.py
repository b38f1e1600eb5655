"""The graph that the set-up built gives the published model's vectors, and a wrong one is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

build_embedder = pytest.importorskip("scripts.build_embedder", reason="needs the extra 'build'")


def test_the_installed_graph_gives_the_reference_vectors() -> None:
    sentences, reference = build_embedder.read_reference(build_embedder.REFERENCE_PATH)
    assert len(sentences) >= 12
    tokenizer = build_embedder.load_tokenizer(build_embedder.MODEL_DIR)
    model_path = build_embedder.MODEL_DIR / build_embedder.OUTPUT_NAME
    vectors = build_embedder.embed(model_path, tokenizer, sentences)
    assert vectors.shape == (len(sentences), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    worst, mean = build_embedder.MIN_COSINES_INT8
    values = build_embedder.cosines(vectors, reference)
    assert values.min() >= worst
    assert values.mean() >= mean


def test_padding_hardly_changes_a_vector() -> None:
    sentences, _ = build_embedder.read_reference(build_embedder.REFERENCE_PATH)
    tokenizer = build_embedder.load_tokenizer(build_embedder.MODEL_DIR)
    model_path = build_embedder.MODEL_DIR / build_embedder.OUTPUT_NAME
    alone = build_embedder.embed(model_path, tokenizer, sentences[:1])
    beside_a_long_one = build_embedder.embed(model_path, tokenizer, [sentences[0], sentences[-1]])
    assert build_embedder.cosines(alone, beside_a_long_one[:1])[0] > 0.985


def test_vectors_that_differ_are_refused() -> None:
    reference = np.eye(3, 384, dtype=np.float32)
    build_embedder.require(reference, reference, (0.99, 0.99), "same")
    with pytest.raises(SystemExit, match="differ from the reference"):
        build_embedder.require(np.roll(reference, 1, axis=1), reference, (0.9, 0.9), "rolled")
    with pytest.raises(SystemExit, match="differ from the reference"):
        build_embedder.require(np.full_like(reference, np.nan), reference, (0.9, 0.9), "not a number")


@pytest.mark.slow
def test_building_leaves_one_verified_file(tmp_path: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).symlink_to(build_embedder.MODEL_DIR / name)
    build_embedder.build(tmp_path, build_embedder.REFERENCE_PATH)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model.int8.onnx",
        "model.safetensors",
        "tokenizer.json",
    ]
