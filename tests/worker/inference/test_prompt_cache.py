"""What of the evaluated prompt is reused: as many tokens as stand for the same beginning of the text."""

import json

from hypothesis import given
from hypothesis import strategies as st

from app.worker.inference.prompt_cache import PromptCache, PromptPlan


def two_letters(text: str) -> list[int]:
    """A tokenizer that takes two letters at a time, so that a cut at an odd place shows."""
    return [hash_of(text[i : i + 2]) for i in range(0, len(text), 2)]


def hash_of(piece: str) -> int:
    return sum(ord(letter) * 1000**i for i, letter in enumerate(piece))


def plan(cache: PromptCache, prompt: str) -> PromptPlan:
    return cache.plan(prompt, two_letters, two_letters)


def evaluate(cache: PromptCache, prompt: str) -> PromptPlan:
    """Do what a generation does with a plan."""
    planned = plan(cache, prompt)
    cache.keep_first(planned.n_reused)
    cache.add_prompt_tokens(planned.tokens[planned.n_reused :])
    cache.mark_prompt(prompt.encode())
    return planned


def test_first_prompt_is_evaluated_whole() -> None:
    planned = plan(PromptCache(), "abcdef")
    assert planned.tokens == two_letters("abcdef")
    assert planned.n_reused == 0


def test_same_prompt_leaves_one_token_to_evaluate() -> None:
    cache = PromptCache()
    evaluate(cache, "abcdef")
    assert plan(cache, "abcdef").n_reused == 2


def test_follow_up_keeps_the_answers_own_tokens() -> None:
    cache = PromptCache()
    evaluate(cache, "ab>")
    for letter in "xyz":  # the tokenizer would have taken x and y together
        cache.add_generated(hash_of(letter), letter.encode())
    planned = plan(cache, "ab>xyz<cd>")
    assert planned.n_reused == 5
    assert planned.tokens == [*two_letters("ab>"), *map(hash_of, "xyz"), *two_letters("<cd>")]


def test_answer_cut_by_the_host_keeps_what_it_kept() -> None:
    cache = PromptCache()
    evaluate(cache, "ab>")
    for letter in "xyz":
        cache.add_generated(hash_of(letter), letter.encode())
    planned = plan(cache, "ab>x<cd>")
    assert planned.n_reused == 3
    assert planned.tokens[:3] == [*two_letters("ab>"), hash_of("x")]


def test_other_answer_keeps_the_prompt() -> None:
    cache = PromptCache()
    evaluate(cache, "ab>")
    cache.add_generated(hash_of("x"), b"x")
    assert plan(cache, "ab>").n_reused == 1  # both tokens stand in the cache, the last one is evaluated again
    assert plan(cache, "ab>q<").n_reused == 2


def test_other_conversation_keeps_the_common_tokens_only() -> None:
    cache = PromptCache()
    evaluate(cache, "systemAAAA")
    planned = plan(cache, "systemBBBB")
    assert planned.n_reused == 3
    assert planned.tokens == two_letters("systemBBBB")


def test_incomplete_prompt_is_reused_by_tokens() -> None:
    cache = PromptCache()
    cache.add_prompt_tokens(two_letters("abcdefgh")[:2])  # cancelled inside the prompt
    planned = plan(cache, "abcdefgh")
    assert planned.n_reused == 2
    assert planned.tokens == two_letters("abcdefgh")


def test_code_point_is_never_split() -> None:
    cache = PromptCache()
    evaluate(cache, "ab>")
    first, second = "é".encode()[:1], "é".encode()[1:]
    cache.add_generated(1, first)
    cache.add_generated(2, second)
    assert plan(cache, "ab>è<").n_reused == 2  # è begins with the same byte
    assert plan(cache, "ab>é<").n_reused == 4


def test_lossy_tokenizer_does_not_leave_wrong_marks() -> None:
    cache = PromptCache()

    def lossy(text: str) -> list[int]:
        return two_letters(text.replace("Q", "?"))

    def evaluate_lossy(prompt: str) -> PromptPlan:
        planned = cache.plan(prompt, lossy, lossy)
        cache.keep_first(planned.n_reused)
        cache.add_prompt_tokens(planned.tokens[planned.n_reused :])
        cache.mark_prompt(prompt.encode())
        return planned

    evaluate_lossy("aQ")
    evaluate_lossy("aQbb")
    assert evaluate_lossy("a?bbcc").n_reused == 2  # the same tokens for another text
    assert evaluate_lossy("aQbb").tokens == lossy("aQbb")


def test_clear_forgets_everything() -> None:
    cache = PromptCache()
    evaluate(cache, "abcdef")
    cache.clear()
    assert cache.tokens == []
    assert plan(cache, "abcdef").n_reused == 0


@given(
    st.lists(
        st.tuples(st.text("ab>é", min_size=1, max_size=8), st.text("xyé", max_size=6), st.integers(0, 9)),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_happens_the_tokens_stand_for_the_prompt(
    turns: list[tuple[str, str, int]],
) -> None:
    """Tokens stand for one letter each, so that they can be spelled out again after any sequence of turns."""
    cache, spoken = PromptCache(), ""

    def letters(text: str) -> list[int]:
        return list(map(ord, text))

    for question, answer, kept in turns:
        spoken = spoken[: len(spoken) - kept] if kept < 4 else spoken
        prompt = spoken + question
        planned = cache.plan(prompt, letters, letters)
        assert "".join(map(chr, planned.tokens)) == prompt
        assert planned.n_reused < len(planned.tokens)
        assert planned.tokens[: planned.n_reused] == cache.tokens[: planned.n_reused]
        cache.keep_first(planned.n_reused)
        cache.add_prompt_tokens(planned.tokens[planned.n_reused :])
        if kept == 9:  # cancelled before the prompt was complete
            cache.keep_first(len(planned.tokens) - 1)
            continue
        cache.mark_prompt(prompt.encode())
        for letter in answer:
            cache.add_generated(ord(letter), letter.encode())
        spoken = prompt + answer


def test_behind_dropped_tokens_nothing_is_reused() -> None:
    cache = PromptCache()
    evaluate(cache, "abcdef")
    for letter in "xyz":
        cache.add_generated(hash_of(letter), letter.encode())
    cache.drop(1, 2)
    assert cache.tokens == [*two_letters("ab"), *map(hash_of, "xyz")]
    assert cache.n_reusable == 1
    cache.add_generated(hash_of("q"), b"q")
    assert plan(cache, "abxyzq").n_reused == 1
    assert plan(cache, "abcdefxyzq!").n_reused == 1
    evaluate(cache, "abcdefxyz")
    assert cache.n_reusable == len(cache.tokens) == 5
    assert plan(cache, "abcdefxyz").n_reused == 4


def test_dropping_twice_keeps_the_first_place() -> None:
    cache = PromptCache()
    evaluate(cache, "abcdefghij")
    cache.drop(2, 1)
    cache.drop(3, 1)
    assert (cache.n_reusable, cache.tokens) == (2, two_letters("abcdgh"))
    cache.keep_first(3)
    assert cache.n_reusable == 2
    cache.keep_first(2)
    cache.add_generated(hash_of("x"), b"x")
    assert cache.n_reusable == 3


@given(st.lists(st.text("abcé", max_size=6), min_size=1, max_size=6))
def test_content_survives_a_file(prompts: list[str]) -> None:
    cache = PromptCache()
    for prompt in prompts:
        evaluate(cache, prompt + "!")
        cache.add_generated(hash_of("x"), b"x")
    again = PromptCache.from_json(json.loads(json.dumps(cache.to_json())))
    assert again.tokens == cache.tokens
    for prompt in prompts:
        assert plan(again, prompt + "!x?") == plan(cache, prompt + "!x?")
