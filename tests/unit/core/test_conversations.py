"""Trees of messages, and the part of them that a prompt holds."""

from hypothesis import given
from hypothesis import strategies as st

from app.core.conversations import PromptTurn, branch, cyclic, first_kept, window


def turn(name: str, start: str = "", *, reply: str = "yes") -> PromptTurn:
    return PromptTurn(name, f"{name}?", reply, (), start)


def test_a_branch_runs_from_the_root_to_its_leaf() -> None:
    parents = {"a": None, "b": "a", "c": "b", "other": "a"}
    assert branch(parents, "c") == ["a", "b", "c"]
    assert branch(parents, "other") == ["a", "other"]
    assert branch(parents, None) == []


def test_a_damaged_tree_shows_what_can_be_shown() -> None:
    assert branch({"b": "gone", "c": "b"}, "c") == ["b", "c"]
    assert branch({"a": "b", "b": "a"}, "a") == ["b", "a"]


def test_cycles_are_found_with_what_hangs_on_them() -> None:
    assert cyclic({"a": None, "b": "a", "lost": "gone"}) == set()
    assert cyclic({"a": "b", "b": "a", "c": "a", "d": None, "e": "d"}) == {"a", "b", "c"}


@given(st.dictionaries(st.integers(0, 20).map(str), st.none() | st.integers(0, 20).map(str)))
def test_a_walk_always_ends(parents: dict[str, str | None]) -> None:
    bad = cyclic(parents)
    for message_id in parents:
        ids = branch(parents, message_id)
        assert ids[-1] == message_id
        assert len(set(ids)) == len(ids)
        assert (message_id in bad) == (parents[ids[0]] is not None and parents[ids[0]] in ids)


def test_the_next_prompt_begins_like_the_last_one() -> None:
    turns = [turn("a", "a"), turn("b", "a"), turn("c", "b"), turn("d", "b")]
    assert [t.question_id for t in window(turns)] == ["b", "c", "d"]


def test_turns_that_the_model_did_not_answer_stand_in_no_prompt() -> None:
    turns = [turn("a", "a"), turn("stopped", "a", reply=""), PromptTurn("not found", "", "")]
    assert [t.question_id for t in window(turns)] == ["a"]
    assert window(turns[1:]) == []


def test_a_window_whose_start_is_gone_begins_at_the_first_turn() -> None:
    assert [t.question_id for t in window([turn("a", "gone")])] == ["a"]


def test_all_turns_are_kept_while_they_fit() -> None:
    assert first_kept([100, 100], 400, 200) == 0


def test_a_fresh_window_leaves_half_of_the_room_free() -> None:
    assert first_kept([100, 100, 100, 100], 500, 200) == 3
    assert first_kept([10, 500], 500, 200) == 2
    assert first_kept([100], 500, 600) == 1


def test_a_fresh_window_always_drops_something() -> None:
    assert first_kept([0, 101], 100, 0) >= 1
