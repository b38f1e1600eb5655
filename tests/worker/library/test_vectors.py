"""Exact search over vectors in memory: equal to a plain product, over growth, removal and scopes."""

import numpy as np
import pytest

from app.worker.library import vectors as module
from app.worker.library.schema import chunk_id
from app.worker.library.vectors import Scores, VectorMatrix

DIM = 8


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_ROWS", 7)


def rows(count: int, seed: int = 0) -> Scores:
    values: Scores = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values


@pytest.mark.usefixtures("small_blocks")
def test_search_gives_what_a_plain_product_gives() -> None:
    matrix, values, query = VectorMatrix(DIM), rows(50), rows(1, 1)[0]
    ids = [chunk_id(1 + i % 5, i) for i in range(50)]
    for first in range(0, 50, 9):
        matrix.add(ids[first : first + 9], values[first : first + 9])
    hits = matrix.search(query, 10, None, [ids[3], 12345])
    expected = np.argsort(-(values @ query))[:10]
    assert hits.chunk_ids.tolist() == [ids[i] for i in expected]
    np.testing.assert_allclose(hits.scores, (values @ query)[expected], rtol=1e-5)
    assert hits.asked[0] == pytest.approx(float(values[3] @ query), rel=1e-5)
    assert np.isnan(hits.asked[1])


@pytest.mark.usefixtures("small_blocks")
def test_removed_documents_are_gone_and_their_rows_are_dropped() -> None:
    matrix, values, query = VectorMatrix(DIM), rows(40), rows(1, 1)[0]
    ids = [chunk_id(1 + i % 4, i) for i in range(40)]
    matrix.add(ids, values)
    matrix.remove_documents([2])
    assert len(matrix) == 30
    assert all(value >> 20 != 2 for value in matrix.search(query, 40).chunk_ids.tolist())
    assert np.isnan(matrix.search(query, 1, None, [ids[1]]).asked[0])
    matrix.remove_documents([3])  # more than a quarter is dead now: compacted
    kept = [i for i in range(40) if ids[i] >> 20 in (1, 4)]
    hits = matrix.search(query, 40)
    assert hits.chunk_ids.tolist() == [ids[i] for i in sorted(kept, key=lambda i: -float(values[i] @ query))]
    assert matrix.chunk_ids().tolist() == sorted(ids[i] for i in kept)
    matrix.add([chunk_id(9, 0)], rows(1, 5))
    assert len(matrix) == 21


def test_a_scope_limits_what_is_found() -> None:
    matrix, query = VectorMatrix(DIM), rows(1, 1)[0]
    matrix.add([chunk_id(1 + i % 3, i) for i in range(30)], rows(30))
    assert {value >> 20 for value in matrix.search(query, 30, {1, 3}).chunk_ids.tolist()} == {1, 3}
    assert len(matrix.search(query, 5, set()).chunk_ids) == 0
    assert len(VectorMatrix(DIM).search(query, 5, None, [7]).chunk_ids) == 0
