"""What a child sends is checked before it is believed."""

import json
import struct
from typing import Any

import pytest

from app.worker.parser import frames
from app.worker.parser.frames import BadFrames, Extract, FrameReader
from app.worker.parser.reasons import Refusal
from app.worker.parser.result import WORD_RECORD, ParsedHeading, ParsedPage


def extract() -> Extract:
    return Extract(
        text="one two 😀",
        format="pdf",
        title="T",
        parser="p 1",
        pages=[ParsedPage(0, 3, 10.0, 20.0), ParsedPage(4, 9, None, None)],
        headings=[ParsedHeading("one", 1, 0)],
        words=[WORD_RECORD.pack(0, 3, 1, 2, 3, 4), b""],
        partial=Refusal("limit.text", {"limit": 10, "kept": "page 1"}),
    )


def received(made: Extract, piece: int = 7) -> dict[bytes, bytes]:
    data = b"".join(frames.result_frames(made))
    reader = FrameReader(10_000)
    found: dict[bytes, bytes] = {}
    for start in range(0, len(data), piece):
        found.update(reader.feed(data[start : start + piece]))
    return found


def test_a_result_survives_the_way_in_pieces_of_any_size() -> None:
    for piece in (1, 7, 10_000):
        found = received(extract(), piece)
        parsed = frames.to_parsed(found[frames.HEAD], found[frames.TEXT], found[frames.WORDS])
        assert parsed.text == "one two 😀"
        assert parsed.pages == tuple(extract().pages)
        assert parsed.headings == tuple(extract().headings)
        assert parsed.words == tuple(extract().words)
        assert parsed.partial_code == "limit.text"
        assert "page 1" in parsed.partial_reason
        assert frames.DONE in found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pages", [[0, 99, None, None]]),
        ("pages", [[-1, 3, None, None]]),
        ("pages", [[3, 1, None, None]]),
        ("pages", [[0, 5, None, None], [4, 9, None, None]]),
        ("pages", [[0, 3]]),
        ("pages", "no list"),
        ("headings", [["a", 1, 99]]),
        ("headings", [["a", 1, 5], ["b", 1, 0]]),
        ("headings", [["a", "x", 1]]),
        ("words", [24]),
        ("words", [23, 1]),
        ("words", [48, -24]),
        ("partial", {"code": "unknown", "values": {}}),
        ("partial", {"code": "limit.text"}),
    ],
)
def test_a_false_head_is_refused(key: str, value: Any) -> None:
    found = received(extract())
    head = json.loads(found[frames.HEAD])
    head[key] = value
    with pytest.raises(BadFrames):
        frames.to_parsed(json.dumps(head).encode(), found[frames.TEXT], found[frames.WORDS])


def test_false_texts_and_words_are_refused() -> None:
    found = received(extract())
    with pytest.raises(BadFrames):
        frames.to_parsed(found[frames.HEAD], b"\xff\xfe", found[frames.WORDS])
    with pytest.raises(BadFrames):
        frames.to_parsed(found[frames.HEAD], found[frames.TEXT], WORD_RECORD.pack(0, 500, 1, 2, 3, 4))
    with pytest.raises(BadFrames):
        frames.to_parsed(b"[1, 2", found[frames.TEXT], found[frames.WORDS])
    with pytest.raises(BadFrames):
        frames.to_parsed(b"[" * 100_000, found[frames.TEXT], found[frames.WORDS])


def test_sizes_are_limited() -> None:
    with pytest.raises(BadFrames):
        FrameReader(100).feed(b"x" * 101)
    with pytest.raises(BadFrames):
        FrameReader(100).feed(struct.pack("<cQ", b"T", 2**60))


def test_progress_stays_between_0_and_1() -> None:
    for sent, expected in ((0.5, 0.5), (7.0, 1.0), (-1.0, 0.0), (float("nan"), 0.0)):
        ((_, payload),) = FrameReader(100).feed(frames.progress_frame(sent))
        assert frames.read_progress(payload) == expected
    with pytest.raises(BadFrames):
        frames.read_progress(b"123")


def test_refusals_and_ends() -> None:
    ((_, payload),) = FrameReader(1000).feed(frames.refusal_frame(Refusal("pdf.password", {"n": 1})))
    assert (frames.read_refusal(payload).code, frames.read_refusal(payload).values) == (
        "pdf.password",
        {"n": 1},
    )
    with pytest.raises(BadFrames):
        frames.read_refusal(b"[]")
    reader = FrameReader(1000)
    assert reader.exit_status() is None
    reader.feed(
        frames.frame(frames.TEXT, b"whole") + frames.frame(frames.WORDS, b"cut off in the middle")[:15]
    )
    reader.feed(frames.exit_mark(9))
    assert reader.exit_status() == 9
