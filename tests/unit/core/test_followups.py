"""Follow-ups get the words that they need; questions that stand alone stay as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.followups import Turn, needs_context, stand_alone

TOWER = [Turn("Who designed the Eiffel Tower?", "Gustave Eiffel's company designed it. It is tall.")]


@pytest.mark.parametrize(
    "question",
    [
        "How tall is it?",
        "When was he born?",
        "Why?",
        "What about Germany?",
        "And in 1900?",
        "When was that?",
        "That was when?",
        "How long does this warranty last?",
        "Who wrote it and when?",
        "What is its height?",
        "Tell me more",
        "它有多高？",
        "那么柏林呢？",
        "Und wie hoch ist er?",
        "¿Y en Madrid?",
        "How much did the company pay for it?",
    ],
)
def test_a_follow_up_gets_the_subject(question: str) -> None:
    query = stand_alone(question, TOWER)
    assert query.endswith(question)
    assert "Eiffel" in query
    assert "Tower" in query


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of Spain?",
        "When did Marie Curie win her first Nobel Prize?",
        "Is it possible to export tables as CSV?",
        "How long does it take to charge the battery?",
        "Does the report say that sales grew?",
        "When a valve fails, how is it replaced?",
        "How many employees are there in the Berlin office?",
        "And how many people work in the Berlin office?",
        "How does the pump protect its bearings?",
        "What did Anna do when she left?",
        "法国的首都是什么？",
        "Was kostet das Ticket?",
        "What time is it in Tokyo?",
    ],
)
def test_a_question_that_stands_alone_stays(question: str) -> None:
    assert not needs_context(question)
    assert stand_alone(question, TOWER) == question


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("Tell me more about the warranty", "the warranty"),
        ("Please tell me about the warranty.", "the warranty."),
        ("Can you explain how the pump works?", "how the pump works?"),
        ("What does this document say about refunds?", "refunds?"),
        ("According to the manual, how long is the warranty?", "how long is the warranty?"),
        ("I'd like to know more about the pump", "the pump"),
        ("Erkläre mir bitte die Garantie", "die Garantie"),
        ("Was steht in diesem Dokument über Garantien?", "Garantien?"),
        ("Summarize", "Summarize"),
        ("Explain it", "Explain it"),
        ("Tell me", "Tell me"),
        ("List prices rise when?", "prices rise when?"),
    ],
)
def test_what_only_asks_for_an_answer_is_not_searched_for(question: str, query: str) -> None:
    assert stand_alone(question, []) == query


def test_a_first_question_stays() -> None:
    assert stand_alone("How tall is it?", []) == "How tall is it?"


def test_a_question_after_one_without_subject_looks_further_back() -> None:
    query = stand_alone("How tall is it?", [*TOWER, Turn("Why?", "")])
    assert query.startswith("designed Eiffel Tower")


def test_nothing_to_add_leaves_the_question() -> None:
    assert stand_alone("Why?", [Turn("How?", "")]) == "Why?"


def test_words_that_the_question_has_are_not_repeated() -> None:
    assert stand_alone("Is it a tower?", TOWER) == "designed Eiffel Gustave: Is it a tower?"


def test_another_year_replaces_the_earlier_one() -> None:
    turns = [Turn("What was the revenue in France in 2023?", "4 million")]
    assert stand_alone("And in 2022?", turns) == "revenue France: And in 2022?"


def test_runs_of_signs_stay_whole() -> None:
    assert stand_alone("它有多高？", [Turn("埃菲尔铁塔在哪里？", "")]).startswith("埃菲尔铁塔")


def test_a_long_question_gives_both_of_its_ends() -> None:
    turns = [Turn("alpha beta gamma delta epsilon zeta theta iota kappa lambda sigma", "")]
    assert stand_alone("Why?", turns) == "alpha beta gamma delta iota kappa lambda sigma: Why?"


@given(st.text(), st.lists(st.builds(Turn, st.text(), st.text())))
def test_the_end_of_the_question_is_always_kept(question: str, earlier: list[Turn]) -> None:
    words = question.split()
    assert not words or stand_alone(question, earlier).split()[-1:] == words[-1:]


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("um so hey can you tell me what the warranty is thanks", "what the warranty is"),
        ("okay do you know who built the tower please", "who built the tower"),
        ("I was wondering when it opened you know", "when it opened"),
    ],
)
def test_spoken_questions_lose_what_says_nothing(question: str, query: str) -> None:
    assert stand_alone(question, []) == query
