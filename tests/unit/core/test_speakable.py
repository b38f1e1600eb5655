"""Messages become sentences to speak: with their places, without marks, and never changed by later text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.speakable import HEADING_S, MAX_CHARS, MAX_ROWS, PARAGRAPH_S, sentences

# Pieces of Markdown, whole and broken.
PIECES = [
    *("a", "B", "the ", "Word ", "done. ", "it. ", "No. ", "5", "1. ", "12 ", ". ", "! ", "? ", "\n", "\n\n"),
    *("- ", "* ", "**", "_", "`", "``", "```", "```python\n", "\n```\n", "~~~\n", "|", "| a | b |\n"),
    *("|---|---|\n", "$", "$$", "$x$", "\\(", "\\)", "\\[", "\\]", "[", "]", "(", ")", "[1]", "[1, 2]"),
    *("](http://a.b/c)", "http://x.org/y.z ", "<b>", "</b>", "<br>", "&amp;", "😀", "→", "。", "> ", "# "),
    *("~~", '"', "“", "”", "...", "… ", "e.g. ", "Dr. ", ", ", "; ", "\t", "\\*", "![", "<!--", "-->"),
    *("===\n", "---\n", "3. Mai ", "\r\n", "„", "é", "x" * 50, "lorem, ipsum " * 6, "[a]: b\n", "[^1] "),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def words(text: str, language: str = "en") -> list[str]:
    return [sentence.words for sentence in sentences(text, language=language)]


@settings(max_examples=80, deadline=None)
@given(TEXTS)
def test_what_was_given_while_a_text_is_written_stays_equal(text: str) -> None:
    final = sentences(text)
    given_before: list[object] = []
    for length in range(len(text) + 1):
        now = sentences(text[:length], whole=False)
        assert now[: len(given_before)] == given_before
        assert final[: len(now)] == now
        given_before = list(now)


@settings(max_examples=100, deadline=None)
@given(st.one_of(TEXTS, st.text(max_size=200)))
def test_ranges_are_in_order_and_words_can_be_said(text: str) -> None:
    end = 0
    for sentence in sentences(text):
        assert end <= sentence.start < sentence.end <= len(text)
        assert text[sentence.start : sentence.end].strip()
        assert any(character.isalnum() for character in sentence.words)
        assert "\n" not in sentence.words and sentence.pause_s > 0
        end = sentence.end


def test_the_first_sentence_comes_as_soon_as_the_next_one_begins() -> None:
    assert sentences("Hello there", whole=False) == []
    assert sentences("Hello there. ", whole=False) == []
    (first,) = sentences("Hello there. It ", whole=False)
    assert (first.start, first.end, first.words) == (0, 12, "Hello there.")
    assert [s.words for s in sentences("你好。再", whole=False, language="zh")] == ["你好。"]
    assert [s.words for s in sentences("A line\n\nB", whole=False)] == ["A line."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A **title**", ["A title."]),
        ("Hello *world* and __you__.", ["Hello world and you."]),
        ("See [the docs](https://a.b/c_(d)) now.", ["See the docs now."]),
        ("See https://www.example.org/x?y=1.", ["See link to example.org."]),
        ("See <https://example.org>.", ["See link to example.org."]),
        ("See http://[x/y now.", ["See http://x/y now."]),
        ("See http://a℀b.org now.", ["See link to… now."]),
        ("It is so.[1] It is red [2, 3].", ["It is so.", "It is red."]),
        ("It is so. [1]", ["It is so."]),
        ("It is so[^1].\n\n[^1]: A note.", ["It is so.", "A note."]),
        ("`read_file()` is said.", ["read file is said."]),
        ("``a ` b`` is code.", ["a b is code."]),
        ("It costs $5 and $10. More.", ["It costs 5 dollars and 10 dollars.", "More."]),
        ("Einstein: $E = mc^2$, or $x=5$.", ["Einstein: a formula, or x equals 5."]),
        ("Or \\(a+b\\).", ["Or a + b."]),
        ("$$\nx^2\n$$\nAfter.", ["A formula.", "After."]),
        ("$$x$$\n\\[\ny\n\\]", ["A formula.", "A formula."]),
        ("Dr. Smith went home 😀! Then?", ["Dr. Smith went home!", "Then?"]),
        ("A → B, 5 ≥ 3 ✅", ["A to B, 5 at least 3 yes."]),
        (
            "- one\n- **two**\n  goes on\n1. first\n2) second",
            ["one.", "two goes on.", "1. first.", "2) second."],
        ),
        ("- [ ] open\n- [x] closed", ["to do: open.", "done: closed."]),
        ("> quoted. More\n> of it.", ["quoted.", "More of it."]),
        ("> quoted\nnot quoted", ["quoted.", "not quoted."]),
        ("![a cat](x.png) and ![](y.png)", ["image: a cat and image."]),
        ("A<br>B <b>c</b> &amp; d<!-- no -->.", ["A, B c & d."]),
        ("Title\n===\nText\n---\n***\n[a]: http://x.y", ["Title.", "Text."]),
        ("2 \\* 3 is six.", ["2 times 3 is six."]),
        ("2*3 = 6 and # 5.", ["2 times 3 equals 6 and 5."]),
        ("😀 ✨", []),
        ("", []),
        ("™ and 5 °C", ["™ and 5 °C."]),
        ("“Quoted.”", ["“Quoted.”"]),
        ("f(x) ends ( ).", ["f(x) ends."]),
    ],
)
def test_marks_are_left_out_and_the_rest_is_said(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_code_is_named_not_read() -> None:
    assert words("```python\na = 1\n\nb = 2\n```") == ["Code in Python, 2 lines."]
    assert words("```\na\n```") == ["Code, 1 line."]
    assert words("~~~elixir\na\n~~~\nAfter.") == ["Code in Elixir, 1 line.", "After."]
    assert words("```\n```") == []
    assert words("```c++\nunclosed") == ["Code in C plus plus, 1 line."]
    assert sentences("```\nunclosed\n", whole=False) == []
    assert words("> ```sh\n> ls\n> ```") == ["Code in shell, 1 line."]


def test_a_table_is_read_by_rows_with_the_names_of_its_columns() -> None:
    head = "| Name | Age |\n|:-----|----:|\n"
    assert words(f"{head}| Joe | 5 |\n| Ann | |\n| | |") == ["Name: Joe; Age: 5.", "Name: Ann."]
    assert words("| a | b |\n| c \\| d | e") == ["a; b.", "c, d; e."]
    assert words(head) == ["Name; Age."]
    assert words("| A: |\n|---|\n| 1 | 2 |") == ["A: 1; 2."]
    rows = "".join(f"| p{number} | {number} |\n" for number in range(20))
    said = words(head + rows)
    assert len(said) == MAX_ROWS + 1 and said[-1] == "And 12 more rows."
    assert words(head + "| x | 1 |\n" * (MAX_ROWS + 1))[-1] == "And 1 more row."
    assert [s.words for s in sentences(f"{head}| Joe | 5 |\n| Ann", whole=False)] == []
    assert [s.words for s in sentences(f"{head}| Joe | 5 |\n| Ann | 6 |\n", whole=False)] == [
        "Name: Joe; Age: 5."
    ]
    assert sentences("| Name |\n", whole=False) == []


def test_long_sentences_are_cut_at_commas() -> None:
    text = "This is a part of a long sentence, " * 20 + "and it ends."
    found = sentences(text)
    assert len(found) > 2 and all(s.end - s.start <= MAX_CHARS for s in found)
    assert all(s.words.startswith(("This", "and")) for s in found)
    assert " ".join(text[s.start : s.end] for s in found) == text
    unbroken = sentences("word " * 100)
    assert len(unbroken) == 3 and all(s.end - s.start <= MAX_CHARS for s in unbroken)
    assert len(sentences("x" * 500)) == 1
    dashed = sentences("The first part of what is said here goes on – " * 8)
    assert len(dashed) > 1


def test_pauses_follow_headings_and_paragraphs() -> None:
    heading, first, second = sentences("# Title\n\nOne. Two.")
    assert (heading.pause_s, second.pause_s) == (HEADING_S, PARAGRAPH_S)
    assert first.pause_s < second.pause_s


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("de", ["Code in Python, 1 Zeile.", "Link zu a.b."]),
        ("fr", ["Code en Python, 1 ligne.", "lien vers a.b."]),
        ("es", ["Código en Python, 1 línea.", "enlace a a.b."]),
        ("sw", ["Code in Python, 1 line.", "link to a.b."]),
    ],
)
def test_the_voices_language_is_spoken(language: str, expected: list[str]) -> None:
    assert words("```py\nx\n```\nhttps://a.b", language) == expected


@pytest.mark.parametrize(
    ("text", "words"), [("```python\nx = 1", "Code in Python, 1 line."), ("$$\na = b", "A formula.")]
)
def test_what_is_open_waits_for_its_end(text: str, words: str) -> None:
    assert sentences(text, whole=False) == []
    assert [sentence.words for sentence in sentences(text, whole=True)] == [words]
