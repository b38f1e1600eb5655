"""What people say around a question goes; what it is about stays."""

import pytest

from app.core.fillers import without_fillers


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("um so what is the capital", "what is the capital"),
        ("what is um the capital", "what is the capital"),
        ("Okay. What is the capital? Thanks.", "What is the capital?."),
        ("hey you know which year it was thanks", "which year it was"),
        ("well, how deep is it", "how deep is it"),
        ("okay so um what about 2022", "what about 2022"),
        ("who won please thank you", "who won"),
        ("right then, can I just ask: what is it for", "what is it for"),
        ("hi there remind me who built it if you don't mind", "who built it"),
        ("Um wie viel Uhr beginnt es?", "wie viel Uhr beginnt es?"),
        ("äh also wie hoch ist er bitte", "wie hoch ist er"),
        ("euh alors comment il est mort", "comment il est mort"),
        ("bueno ¿cuándo murió por favor", "¿cuándo murió"),
    ],
)
def test_leaves_out_fillers(question: str, expected: str) -> None:
    assert without_fillers(question).rstrip(".") == expected.rstrip(".")


@pytest.mark.parametrize(
    "question",
    [
        "well depth in Kern county",
        "right angle definition",
        "OK Corral gunfight",
        "hello world program",
        "Also sprach Zarathustra",
        "how do you say thank you",
        "On what yard line did it begin?",
        "Was wird benutzt, um Tee zu kochen?",
        "the first person who won",
        "may flowers bloom when it rains",
        "UM campus",
        "um",
        "thanks",
        "?",
        "",
    ],
)
def test_leaves_the_rest_alone(question: str) -> None:
    assert without_fillers(question) == question


@pytest.mark.parametrize("run", [" " * 100_000, "." * 100_000, " please" * 20_000])
def test_long_runs_take_no_time(run: str) -> None:
    """Looked at from each of their places anew, they would take minutes."""
    assert without_fillers(f"what{run} x").startswith("what")
