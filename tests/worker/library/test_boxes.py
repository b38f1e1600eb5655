"""Word boxes come back as they were, to a hundredth of a point."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.worker.library.boxes import pack_boxes, unpack_boxes
from app.worker.parser.result import WORD_RECORD

COORDINATE = st.floats(-1e6, 1e6, width=32)
WORD = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), *[COORDINATE] * 4)


@given(st.lists(WORD, max_size=40))
def test_any_words_come_back(words: list[tuple[int, int, float, float, float, float]]) -> None:
    ranges, boxes = unpack_boxes(pack_boxes(b"".join(WORD_RECORD.pack(*word) for word in words)))
    assert ranges.tolist() == [[word[0], word[1]] for word in words]
    np.testing.assert_allclose(
        boxes, np.array([word[2:] for word in words]).reshape(-1, 4), rtol=1e-6, atol=0.006
    )


def test_senseless_coordinates_are_taken_and_nothing_is_empty() -> None:
    ranges, boxes = unpack_boxes(pack_boxes(WORD_RECORD.pack(1, 2, float("nan"), float("inf"), 3.0, 4.0)))
    assert ranges.tolist() == [[1, 2]] and np.isfinite(boxes).all()
    assert [len(part) for part in unpack_boxes(None)] == [0, 0]


def test_a_page_of_text_takes_less_than_half() -> None:
    line = [
        (i * 7, i * 7 + 6, 50.0 + i % 12 * 40, 60.0 + i // 12 * 14, 85.0 + i % 12 * 40, 72.0 + i // 12 * 14)
        for i in range(500)
    ]
    records = b"".join(WORD_RECORD.pack(*word) for word in line)
    assert len(pack_boxes(records)) < len(records) / 2
