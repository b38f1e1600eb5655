"""From lines of speech to a text: paragraphs, time marks, spans, passages that keep lines whole."""

import dataclasses
import math
from collections.abc import Sequence

import pytest

from app.protocol.recordings import StoreTranscript, TranscriptLine
from app.worker.library.chunking import chunk_ranges
from app.worker.library.transcript import NOTE_CODE, milliseconds, time_mark, transcript_of


class Words:
    """Counts a token a word."""

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def cuts(self, text: str, n_tokens: int) -> list[int]:
        raise AssertionError("a line was cut")


def request(*lines: tuple[float, float, str], language: str = "en", title: str = "") -> StoreTranscript:
    return StoreTranscript(
        location_id=1,
        revision=0,
        lines=tuple(TranscriptLine(start_s=start, end_s=end, text=text) for start, end, text in lines),
        language=language,
        format="wav",
        seconds=60.0,
        model="whisper-tiny",
        title=title,
    )


def test_each_span_is_its_line_and_a_pause_begins_a_paragraph() -> None:
    heard = [
        (0.0, 2.0, " The first line."),
        (2.1, 4.0, "The second\nline. "),
        (4.0, 4.5, "  "),
        (7.0, 9.25, "After a pause."),
    ]
    made = transcript_of(request(*heard), "talk")
    assert made.parsed.text == "The first line. The second line.\n\nAfter a pause."
    assert [made.parsed.text[start:end] for start, end, _, _ in made.spans] == [
        "The first line.",
        "The second line.",
        "After a pause.",
    ]
    assert [(start, end) for _, _, start, end in made.spans] == [(0, 2000), (2100, 4000), (7000, 9250)]
    assert (made.parsed.title, made.parsed.format, made.parsed.parser) == ("talk", "wav", "whisper-tiny")
    assert made.parsed.headings == ()


def test_long_speech_is_cut_at_a_sentence_after_a_minute_and_marked_every_five() -> None:
    lines = [(t, t + 5.0, f"Line {t}." if t % 20 == 0 else f"line {t}") for t in range(0, 700, 5)]
    made = transcript_of(request(*lines, title=" A\ttitle "), "talk")
    assert made.parsed.title == "A title"
    paragraphs = made.parsed.text.split("\n\n")
    assert paragraphs[0].endswith("Line 60.")  # the first end of a sentence after a minute
    assert [(heading.title, heading.level) for heading in made.parsed.headings] == [
        ("00:00", 1),
        ("05:00", 1),
        ("10:00", 1),
    ]
    for heading in made.parsed.headings[1:]:
        minutes = int(heading.title[:2])
        assert made.parsed.text[heading.char_start :].lower().startswith(f"line {minutes * 60}")
        assert made.parsed.text[heading.char_start - 2 : heading.char_start] == "\n\n"


def test_speech_without_sentences_gets_paragraphs_all_the_same() -> None:
    made = transcript_of(request(*((t, t + 5.0, f"word{t}") for t in range(0, 200, 5))), "talk")
    assert [part.split()[0] for part in made.parsed.text.split("\n\n")] == ["word0", "word90", "word180"]


def test_languages_without_spaces_are_joined_without_them() -> None:
    made = transcript_of(request((0, 1, "你好。"), (1, 2, "再见。"), language="zh"), "talk")
    assert made.parsed.text == "你好。再见。"
    assert [span[:2] for span in made.spans] == [(0, 3), (3, 6)]


def test_odd_times_and_letters_are_put_in_order() -> None:
    made = transcript_of(
        request((5.0, 3.0, "a\ud800b"), (math.nan, math.inf, "c"), (-1.0, 1.0, "d")), "stem\udcff"
    )
    assert made.parsed.text == "a\ufffdb c d"
    assert made.parsed.title == "stem\ufffd"
    times = [span[2:] for span in made.spans]
    assert [start for start, _ in times] == [5000, 5000, 5000]
    assert all(start <= end for start, end in times)
    assert milliseconds(math.inf) == milliseconds(1e300) == 1_000 * 3_600_000
    silence = transcript_of(dataclasses.replace(request(), note="Only noise."), "silence").parsed
    assert (silence.text, silence.partial_reason, silence.partial_code) == ("", "Only noise.", NOTE_CODE)


@pytest.mark.parametrize(
    ("at_ms", "mark"), [(0, "00:00"), (300_000, "05:00"), (3_900_000, "1:05:00"), (36_061_000, "10:01:01")]
)
def test_time_marks_look_as_in_players(at_ms: int, mark: str) -> None:
    assert time_mark(at_ms) == mark


def test_passages_keep_lines_whole_and_end_at_time_marks() -> None:
    lines = [(t * 5.0, t * 5.0 + 5.0, f"Line {t} says five words.") for t in range(80)]
    lines[3] = (15.0, 20.0, "word " * 300)
    made = transcript_of(request(*lines), "talk")
    chunks = chunk_ranges(made.parsed, [span[:2] for span in made.spans], Words())
    starts, ends = {span[0] for span in made.spans}, {span[1] for span in made.spans}
    assert all(chunk.char_start in starts and chunk.char_end in ends for chunk in chunks)
    assert all(chunk.n_tokens <= 128 for chunk in chunks if chunk.n_tokens != 300)
    assert sum(made.parsed.text[c.char_start : c.char_end].count("says") for c in chunks) == len(lines) - 1
    assert [chunk.heading for chunk in chunks] == sorted(chunk.heading for chunk in chunks)
    assert {chunk.heading for chunk in chunks} == {"00:00", "05:00"}
