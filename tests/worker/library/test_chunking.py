"""Chunks: whole sentences, their size, headings and pages."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from app.worker.library.chunking import chunk_document
from app.worker.library.embedding import OnnxEmbedder
from app.worker.parser.result import Parsed, ParsedHeading, ParsedPage


class Words:
    """Counts words as tokens."""

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def cuts(self, text: str, n_tokens: int) -> list[int]:
        ends, seen = [], 0
        for position, character in enumerate(text):
            if character == " ":
                seen += 1
                if seen % n_tokens == 0:
                    ends.append(position)
        return [*ends, len(text)]


def parsed(
    text: str, headings: Sequence[ParsedHeading] = (), pages: Sequence[tuple[int, int]] = ()
) -> Parsed:
    ranges = tuple(ParsedPage(start, end, 595.0, 842.0) for start, end in pages)
    return Parsed(text, "text", "Title", "test", ranges, tuple(headings))


def cut(document: Parsed, target: int = 6) -> list[str]:
    return [document.text[c.char_start : c.char_end] for c in chunk_document(document, Words(), target)]


def test_sentences_are_packed_up_to_the_target() -> None:
    document = parsed("One two. Three four. Five six seven. Eight.")
    assert cut(document) == ["One two. Three four.", "Five six seven. Eight."]
    assert cut(parsed("")) == []
    assert cut(parsed(" \n ")) == []


def test_a_sentence_over_the_target_is_split_at_tokens() -> None:
    assert cut(parsed("a b c d e f g h i j k l m n. Short.")) == ["a b c d e f", "g h i j k l", "m n. Short."]


def test_no_chunk_crosses_a_heading_and_each_knows_its_path() -> None:
    text = "Intro here.\nPart One\nAlpha beta.\nDetail\nGamma.\nPart Two\nDelta."
    headings = [
        ParsedHeading("Part One", 1, text.index("Part One")),
        ParsedHeading("Detail", 2, text.index("Detail")),
        ParsedHeading("Part Two", 1, text.index("Part Two")),
    ]
    chunks = chunk_document(parsed(text, headings), Words(), 100)
    assert [(text[c.char_start : c.char_end], c.heading) for c in chunks] == [
        ("Intro here.", ""),
        ("Part One\nAlpha beta.", "Part One"),
        ("Detail\nGamma.", "Part One › Detail"),
        ("Part Two\nDelta.", "Part Two"),
    ]


def test_headings_of_one_place_and_outside_the_text_do_no_harm() -> None:
    headings = [ParsedHeading("A", 1, 0), ParsedHeading("B", 2, 0), ParsedHeading("C", 1, 99)]
    chunks = chunk_document(parsed("Only this.", headings), Words(), 100)
    assert [(c.char_start, c.char_end, c.heading) for c in chunks] == [(0, 10, "A › B")]


def test_a_page_is_crossed_only_within_a_sentence() -> None:
    text = "First page ends here.\nSecond page begins and\ngoes on over the end. Last."
    second, third = text.index("Second"), text.index("goes")
    pages = [(0, second - 1), (second, third - 1), (third, len(text))]
    assert cut(parsed(text, pages=pages), 100) == [
        "First page ends here.",
        "Second page begins and\ngoes on over the end. Last.",
    ]


def test_the_real_tokenizer_keeps_chunks_near_the_target(embedder: OnnxEmbedder) -> None:
    text = " ".join(f"Sentence number {i} speaks of pressure and temperature in boilers." for i in range(200))
    chunks = chunk_document(parsed(text), embedder)
    assert all(c.n_tokens <= 128 for c in chunks)
    assert all(c.n_tokens > 100 for c in chunks[:-1])
    table = "7,3;" * 2000
    assert all(
        embedder.count([table[c.char_start : c.char_end]])[0] <= 130
        for c in chunk_document(parsed(table), embedder)
    )


@given(st.text(alphabet=st.sampled_from("ab .!\n#。字"), max_size=400), st.integers(1, 20))
def test_chunks_hold_every_visible_character_once_and_in_order(text: str, target: int) -> None:
    chunks = chunk_document(parsed(text), Words(), target)
    position = 0
    for chunk in chunks:
        assert position <= chunk.char_start < chunk.char_end
        assert not text[position : chunk.char_start].strip()
        position = chunk.char_end
    assert not text[position:].strip()
