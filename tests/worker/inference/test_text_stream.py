"""Text given out is whole code points and holds nothing of a stop string."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.worker.inference.text_stream import TEXT_INTERVAL_S, TextSender, TextStream


def run(stream: TextStream, pieces: list[bytes]) -> list[str]:
    return [*map(stream.feed, pieces), stream.finish()]


def test_code_point_across_tokens() -> None:
    pieces = [bytes([byte]) for byte in "a€😀".encode()]
    assert run(TextStream(), pieces) == ["a", "", "", "€", "", "", "", "😀", ""]


def test_code_point_cut_by_the_end_is_left_out() -> None:
    stream = TextStream()
    run(stream, [b"ok ", "€".encode()[:2]])
    assert stream.text == "ok "


def test_bytes_that_are_no_text_are_replaced() -> None:
    stream = TextStream()
    run(stream, [b"a\xff", b"b"])
    assert stream.text == "a\ufffdb"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["Hello", " END", " more"], "Hello"),
        (["Hello E", "N", "D more"], "Hello"),
        (["Hello E", "N", "ough"], "Hello ENough"),
        (["Hello E", "N"], "Hello EN"),
        (["E", "E", "E", "N", "D"], "EE"),
        (["no stop"], "no stop"),
    ],
)
def test_stop_string(pieces: list[str], text: str) -> None:
    stream = TextStream(["END", " END", ""])
    given_out = run(stream, [piece.encode() for piece in pieces])
    assert "".join(given_out) == stream.text == text
    assert stream.stopped == ("END" in "".join(pieces))


def test_nothing_comes_after_a_stop() -> None:
    stream = TextStream(["."])
    assert stream.feed(b"one. two") == "one"
    assert stream.feed(b"three") == ""
    assert stream.finish() == ""


def test_first_of_two_stops_counts() -> None:
    stream = TextStream(["two", "one"])
    assert stream.feed(b"zero one two") == "zero "


def test_text_is_sent_in_portions() -> None:
    sent: list[str] = []
    sender = TextSender(["END"], sent.append)
    sender.feed(b"", 1.0)
    assert sent == []
    sender.feed(b"Two ", 1.0)
    sender.feed(b"years, ", 1.0 + TEXT_INTERVAL_S / 2)
    assert sent == ["Two "] and sender.text == "Two years, "
    sender.feed(b"no E", 1.0 + TEXT_INTERVAL_S)
    assert sent == ["Two ", "years, no "]
    sender.feed(b"more. E", 1.0 + TEXT_INTERVAL_S)
    assert not sender.stopped
    sender.finish()
    assert sent[2:] == ["Emore. E"] and "".join(sent) == sender.text


def test_nothing_empty_is_sent() -> None:
    sent: list[str] = []
    sender = TextSender(["."], sent.append)
    sender.feed(b".", 1.0)
    sender.finish()
    assert sender.stopped and sent == []


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3), st.data())
def test_same_text_however_it_is_cut(text: str, stops: list[str], data: st.DataObject) -> None:
    stream, at = TextStream(stops), 0
    while at < len(text):
        n = data.draw(st.integers(1, 4))
        stream.feed(text[at : at + n].encode())
        at += n
    stream.finish()
    ends = [text.find(stop) for stop in stops if stop in text]
    # The stop that is complete first ends the text; where two end at one place the earlier beginning wins, so
    # the text is a beginning of the original that holds no stop.
    assert text.startswith(stream.text)
    assert not any(stop in stream.text for stop in stops)
    assert stream.stopped == bool(ends)
    if not ends:
        assert stream.text == text
