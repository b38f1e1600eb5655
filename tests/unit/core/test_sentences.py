"""Sentence splitting: ranges, languages, marks that do not end a sentence."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.sentences import MAX_SENTENCE_CHARS, split_sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        (
            "It costs 3.50 euros. See www.example.org for more.",
            ["It costs 3.50 euros.", "See www.example.org for more."],
        ),
        ("Dr. Smith met J. R. Jones. They talked.", ["Dr. Smith met J. R. Jones.", "They talked."]),
        ("Use e.g. pumps, valves etc. and so on. Good.", ["Use e.g. pumps, valves etc. and so on.", "Good."]),
        ("We sell pumps, valves, etc. Prices follow.", ["We sell pumps, valves, etc.", "Prices follow."]),
        (
            "See Fig. 3 and no. 5. It said no. Then it left.",
            ["See Fig. 3 and no. 5.", "It said no.", "Then it left."],
        ),
        ("“Stop!” she said. He did.", ["“Stop!” she said.", "He did."]),
        ("He left (at last). She stayed.", ["He left (at last).", "She stayed."]),
        ("Wait… what? Yes… It is.", ["Wait… what?", "Yes…", "It is."]),
        ("a line\nwrapped by the page. Next.", ["a line\nwrapped by the page.", "Next."]),
        ("Title\n\nBody text", ["Title", "Body text"]),
        ("Items:\n- one\n- two\n3) three", ["Items:", "- one", "- two", "3) three"]),
        ("1. Introduction\n2. Method", ["1. Introduction", "2. Method"]),
        ("It began in 1998. Then it ended.", ["It began in 1998.", "Then it ended."]),
        ("Am 3. Mai kam Hr. Meier. Es war z.B. kalt.", ["Am 3. Mai kam Hr. Meier.", "Es war z.B. kalt."]),
        ("¿Qué es? ¡Nada! La Sra. López lo sabe.", ["¿Qué es?", "¡Nada!", "La Sra. López lo sabe."]),
        ("黑豹队只丢了308分。他们赢了！为什么？", ["黑豹队只丢了308分。", "他们赢了！", "为什么？"]),
        ("彼は「はい。」と言った。次。", ["彼は「はい。」", "と言った。", "次。"]),
        ("यह एक वाक्य है। दूसरा।", ["यह एक वाक्य है।", "दूसरा।"]),
        ("ما هذا؟ كتاب. جديد", ["ما هذا؟", "كتاب.", "جديد"]),
        (". alone", [". alone"]),
        ("He waited. . . Then.", ["He waited.", ".", ".", "Then."]),
    ],
)
def test_splits_as_a_reader_would(text: str, expected: list[str]) -> None:
    assert split(text) == expected


def test_a_part_of_the_text_gives_ranges_of_the_whole() -> None:
    text = "Skip this. Keep this one. And this. Not that."
    start, end = text.index("Keep"), text.index(" Not")
    assert [text[a:b] for a, b in split_sentences(text, start, end)] == ["Keep this one.", "And this."]


def test_long_runs_are_cut_at_lines_then_at_spaces_then_anywhere() -> None:
    rows = "\n".join(f"row {i} 12 34 56" for i in range(400))
    pieces = split(rows)
    assert len(pieces) > 1
    assert all(len(piece) <= MAX_SENTENCE_CHARS for piece in pieces)
    assert all(piece.startswith("row") and piece.endswith("56") for piece in pieces)
    assert {len(piece) for piece in split("x" * 2500)} == {MAX_SENTENCE_CHARS, 500}
    assert all(piece.endswith("word") for piece in split("word " * 500))
    assert split("x" * MAX_SENTENCE_CHARS + " " * 50) == ["x" * MAX_SENTENCE_CHARS]


@given(st.text(alphabet=st.sampled_from(" .!?\n\"')-#A1ba。！、字é;|\u00a0…"), max_size=300))
def test_every_visible_character_stands_in_exactly_one_range(text: str) -> None:
    ranges = split_sentences(text)
    assert all(start < end for start, end in ranges)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(ranges))
    covered = set().union(*(range(start, end) for start, end in ranges))
    assert {i for i, character in enumerate(text) if not character.isspace()} <= covered
    assert not any(text[start].isspace() or text[end - 1].isspace() for start, end in ranges)


@given(st.text(max_size=200))
def test_any_text_is_taken(text: str) -> None:
    assert "".join(json.dumps(text[a:b]) for a, b in split_sentences(text)).isascii()


def test_a_run_of_marks_is_looked_at_once() -> None:
    """It would take minutes, looked at from each of its marks anew."""
    text = "Contents" + "." * 100_000 + "7"
    assert "".join(text[start:end] for start, end in split_sentences(text)) == text
