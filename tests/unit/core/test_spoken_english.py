"""Amounts, ranges, dates, units and short forms as an English voice says them."""

import pytest

from app.core.spoken_english import in_english
from app.core.spoken_words import phrases_of, spoken

ENGLISH, GERMAN = phrases_of("en"), phrases_of("de")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$1,234.50, $1, $1.00.", "1,234 dollars and 50 cents, 1 dollar, 1 dollar."),
        ("€1.01 £3.05 £2.5 US$5", "1 euro and 1 cent 3 pounds and 5 pence 2.5 pounds US$5"),
        ("£1.01", "1 pound and 1 penny"),
        ("€35k, $1.5bn or £2 m", "35 thousand euros, 1.5 billion dollars or 2 million pounds"),
        ("on 2024-05-03, not 2024-13-03", "on May 3, 2024, not 2024-13-03"),
        ("pages 12–15, 1990 – 1995", "pages 12 to 15, 1990 to 1995"),
        ("25 km/h, 3m/s, 10 MB/s", "25 kilometers per hour, 3 meters per second, 10 megabytes per second"),
        ("16GB RAM, 10 ms, 5 m, mm", "16 gigabytes RAM, 10 milliseconds, 5 m, mm"),
        ("Fig. 3, p.12, No. 5 vs. no. 7", "figure 3, page 12, number 5 versus number 7"),
        ("No. That is it.", "No. That is it."),
        ("C# and F#, #5, a#b", "C sharp and F sharp, number 5, a#b"),
        (
            "10⁵ m/s, m² and x³, 2⁻³",
            "10 to the power of 5 meters per second, m squared and x cubed, 2 to the power of -3",
        ),
        ("<5 ms, > 10, a<b", "less than 5 milliseconds, more than 10, a<b"),
    ],
)
def test_what_an_english_voice_says(written: str, said: str) -> None:
    assert in_english(written) == said


def test_signs_of_programs_are_said_in_every_language() -> None:
    assert spoken("x >= 3, y <= ~5, a->b, a != b", ENGLISH) == (
        "x at least 3, y at most about 5, a to b, a is not equal to b"
    )
    assert spoken("x >= 3 für ~50 %", GERMAN) == "x mindestens 3 für etwa 50 %"
    assert spoken("It is $5.", GERMAN) == "It is $5."


def test_another_script_is_named_once_and_alone_is_not_said() -> None:
    assert spoken("Say Привет, мир 2! to 中文 people", ENGLISH) == (
        "Say words in another script! to words in another script people"
    )
    assert spoken("Das ist 中文.", GERMAN) == "Das ist Wörter in einer anderen Schrift."
    assert spoken("你好 → 😀", ENGLISH) == ""
    assert spoken("Привет, мир", phrases_of("ru")) == "Привет, мир"
    assert spoken("αβ and é", ENGLISH) == "αβ and é"


def test_a_formula_within_a_line_leaves_no_sign_behind() -> None:
    assert spoken(r"Take $$\int_0^1 x$$ and $a + b$.", ENGLISH) == "Take a formula and a + b."
