"""What the model is told: passages as delimited data, prompts that only grow."""

from hypothesis import given
from hypothesis import strategies as st

from app.core.conversations import PromptTurn
from app.core.prompting import (
    SYSTEM_PROMPT,
    Passage,
    choose,
    echo_stops,
    pack,
    passage_budget,
    prompt_images,
    prompt_messages,
    question_content,
    search_limit,
    system_prompt,
    without_echo,
)
from app.protocol.search import Hit


def hit(chunk_id: int, start: int, end: int, document_id: int = 1) -> Hit:
    return Hit(
        rank=chunk_id,
        score=1.0,
        document_id=document_id,
        chunk_id=chunk_id,
        path="/home/me/pump.pdf",
        page=3,
        char_start=start,
        char_end=end,
        heading="Care",
        text="x" * (end - start),
    )


def passage(n: int = 1, text: str = "It is red.", heading: str = "Care", page: int | None = 3) -> Passage:
    return Passage(n, 1, "/home/me/pump.pdf", "pump.pdf", heading, page, 10, 10 + len(text), text)


def test_the_limit_follows_the_budget() -> None:
    assert search_limit(2000) == 41
    assert search_limit(1) == 8
    assert search_limit(10**6) == 200


def test_small_models_get_fewer_passages() -> None:
    budgets = [passage_budget(n) for n in (135_000_000, 1_000_000_000, 7_000_000_000)]
    assert budgets == sorted(budgets)
    assert budgets[0] < 1000 < budgets[2]


def test_small_models_get_a_shorter_system_prompt() -> None:
    assert len(system_prompt(135_000_000)) < len(system_prompt(7_000_000_000))
    assert all("quotations" in system_prompt(n) for n in (135_000_000, 7_000_000_000))


def test_the_best_hits_that_fit_are_chosen() -> None:
    hits = [hit(1, 0, 10), hit(2, 10, 20), hit(3, 20, 30)]
    tokens = {1: 100, 2: 1000, 3: 50}
    assert choose(hits, tokens, 300) == hits[:1]
    assert choose(hits, tokens, 2000) == hits
    assert choose(hits, tokens, 10) == [hits[0]]
    assert choose([], tokens, 300) == []


def test_neighbours_are_joined_in_document_order() -> None:
    spans = pack([hit(5, 200, 300), hit(9, 0, 50, document_id=2), hit(4, 100, 199), hit(8, 900, 950)])
    assert [(s.hit.document_id, s.char_start, s.char_end) for s in spans] == [
        (1, 100, 300),
        (1, 900, 950),
        (2, 0, 50),
    ]
    assert spans[0].hit.chunk_id == 4


def test_overlapping_hits_become_one_span() -> None:
    assert [(s.char_start, s.char_end) for s in pack([hit(1, 0, 100), hit(2, 20, 60)])] == [(0, 100)]


def test_a_question_without_passages_is_itself() -> None:
    assert question_content("Why?") == "Why?"


def test_passages_stand_numbered_before_the_question() -> None:
    content = question_content("Which colour?", [passage(1), passage(2, "It is new.", "", None)], [4, 7])
    assert content.index("[1]") < content.index("It is red.") < content.index("[2]")
    assert content.index("It is new.") < content.index("[4], [7]") < content.index("Which colour?")
    assert "pump.pdf, page 3, Care" in content


def test_what_no_reader_sees_does_not_reach_the_model() -> None:
    hidden = "\U000e0069\U000e0067\u200b\u202e\x00"
    content = question_content("Why?", [passage(text=f"plain{hidden}text")])
    assert not set(hidden) & set(content)


@given(st.text(alphabet='"\n a[1]', max_size=30))
def test_no_passage_can_pretend_to_end(text: str) -> None:
    content = question_content("Why?", [passage(1, text), passage(2, "x")])
    assert content.count('"""') == 4


def test_a_passage_knows_what_it_contains() -> None:
    assert passage().contains(1, 10, 20)
    assert not passage().contains(2, 10, 20)
    assert not passage().contains(1, 9, 20)
    assert not passage().contains(1, 10, 21)


def test_a_prompt_begins_with_the_one_before_it() -> None:
    first = prompt_messages(SYSTEM_PROMPT, [], "one?")
    turns = [PromptTurn("a", "one?", "reply [1]")]
    second = prompt_messages(SYSTEM_PROMPT, turns, "two?")
    assert first[0].content == SYSTEM_PROMPT
    assert second[: len(first)] == first
    assert [m.role for m in second] == ["system", "user", "assistant", "user"]


def test_only_a_tiny_model_is_stopped_where_it_continues_the_prompt() -> None:
    assert echo_stops(135_000_000) == ("\nQuestion:",)
    assert echo_stops(8_000_000_000) == ()


def test_a_closing_mark_without_an_opening_one_is_taken_off() -> None:
    assert without_echo('It is 5 bar.\n"""\n') == "It is 5 bar."
    assert without_echo(' """\nIt is 5 bar.\n"""') == '"""\nIt is 5 bar.\n"""'
    assert without_echo("It is 5 bar. ") == "It is 5 bar."


def test_images_are_named_by_their_first_appearance() -> None:
    turns = [
        PromptTurn("q1", "one?", "one.", images=("b", "a")),
        PromptTurn("q2", "two?", "two."),
        PromptTurn("q3", "three?", "three.", images=("a", "c")),
    ]
    assert prompt_images(turns, ("d", "b")) == ("b", "a", "c", "d")
    messages = prompt_messages(SYSTEM_PROMPT, turns, "four?", ("d", "b"))
    assert [m.images for m in messages if m.role == "user"] == [(0, 1), (), (1, 2), (3, 0)]
    assert all(not m.images for m in messages if m.role != "user")
