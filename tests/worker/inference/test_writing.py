"""Answers longer than the context, guesses ahead, and answers under a grammar that must end."""

import json
from typing import Any

import numpy as np
import pytest

from app.core.errors import ModelError
from app.protocol.engine import Sampling
from app.worker.inference.native_model import NativeContext
from app.worker.inference.speculation import BatchCost, DraftPace, PromptLookup
from app.worker.inference.writing import CLOSING_TOKENS
from app.worker.runtime import Cancelled
from tests.worker.inference.answering import Answerer, Opener
from tests.worker.inference.gguf_writer import TinyModel

pytestmark = pytest.mark.usefixtures("backend")

LIST = 'root ::= "[" ([a-z] ",")* [a-z] "]"'


@pytest.fixture
def llama(start: Opener) -> Answerer:
    return start(TinyModel())


def endless(answer: Answerer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no token end an answer."""
    monkeypatch.setattr(answer.loaded.vocabulary, "piece", lambda _token: (b"x", b"x"))


def fresh(answer: Answerer) -> Answerer:
    answer.loaded.context.clear()
    answer.loaded.cache.clear()
    return answer


# -------------------------------------------------------------------------------- context shift


def test_full_context_is_shifted_and_the_system_stays(
    llama: Answerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = "obey the rules and be kind"
    endless(llama, monkeypatch)
    result = llama("x" * 300, system=system, max_tokens=600)
    assert (result.finish, result.completion_tokens) == ("length", 600)
    assert result.n_shifted >= 200
    tokens = llama.loaded.cache.tokens
    assert len(tokens) == result.prompt_tokens + 599 - result.n_shifted <= 512
    kept = llama.loaded.vocabulary.tokenize_prompt(f"<|im_start|>system\n{system}<|im_end|>\n")
    assert tokens[: len(kept)] == kept
    assert llama.loaded.cache.n_reusable < len(kept) + 20


@pytest.mark.parametrize("tokenizer", ["bpe", "spm"])
def test_after_a_shift_only_the_beginning_is_reused(
    start: Opener, monkeypatch: pytest.MonkeyPatch, tokenizer: str
) -> None:
    answer = start(TinyModel(tokenizer=tokenizer))
    expected = answer("y" * 200, system="short rules", max_tokens=8)
    fresh(answer)
    endless(answer, monkeypatch)
    assert answer("x" * 400, system="short rules", max_tokens=300).n_shifted
    n_reusable = answer.loaded.cache.n_reusable
    monkeypatch.undo()
    again = answer("y" * 200, system="short rules", max_tokens=8)
    assert again.text == expected.text
    assert 0 < again.cached_tokens <= n_reusable < 60


def test_shifted_cache_goes_on_like_one_that_never_held_the_rest(llama: Answerer) -> None:
    """Positions are moved as they should be: with one layer, dropped tokens leave no trace but themselves."""
    context = llama.loaded.context
    tokens = [5 + n % 50 for n in range(60)]
    context.decode(tokens)
    context.drop(10, 20)
    context.decode([7])
    moved = context.logits().copy()
    context.clear()
    context.decode(tokens[:10] + tokens[30:])
    context.decode([7])
    straight = context.logits().copy()
    context.clear()
    context.decode(tokens)
    context.decode([7])
    unmoved = context.logits()
    near, far = np.abs(moved - straight).max(), np.abs(unmoved - straight).max()
    assert near < far


def test_without_a_system_message_the_oldest_half_goes(
    llama: Answerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless(llama, monkeypatch)
    result = llama("x" * 450, max_tokens=200)
    assert (result.finish, result.n_shifted) == ("length", 256)


def test_shift_that_is_not_wanted_or_not_possible_ends_the_answer(
    llama: Answerer, start: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless(llama, monkeypatch)
    assert llama("x" * 450, max_tokens=200, shift_context=False).finish == "context"
    monkeypatch.setattr(NativeContext, "can_shift", False)
    stuck = llama("x" * 450, max_tokens=200)
    assert (stuck.finish, stuck.n_shifted) == ("context", 0)


# -------------------------------------------------------------------------------- guessing ahead


def test_lookup_guesses_what_followed_before() -> None:
    lookup = PromptLookup([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3])
    cheap = BatchCost(one_s=1.0, slope=0.01)
    assert lookup.guess(cheap, 4) == [4, 5, 6, 7]
    lookup.add(4)
    assert lookup.guess(cheap, 2) == [5, 6]
    lookup.add(99)
    assert lookup.guess(cheap, 4) == []
    assert PromptLookup([1]).guess(cheap, 4) == []


def test_guesses_that_are_wrong_are_given_up_and_taken_up_again() -> None:
    source = np.random.default_rng(1)
    lookup = PromptLookup(source.integers(0, 3, 300).tolist())
    dear = BatchCost(one_s=1.0, slope=0.5)
    sizes = []
    for token in source.integers(0, 3, 200).tolist():
        lookup.add(token)
        sizes.append(len(lookup.guess(dear, 15)))
    assert sum(sizes[100:]) < 20, "a third of such guesses is right: too few"
    for _ in range(30):
        for token in (7, 8, 9, 10):
            lookup.add(token)
    assert len(lookup.guess(dear, 15)) > 4


def test_costs_are_learnt() -> None:
    cost = BatchCost()
    cost.note(4, 1.0)
    assert cost == BatchCost(), "nothing to compare with"
    for _ in range(60):
        cost.note(1, 0.1)
        cost.note(5, 0.5)
    assert cost.one_s == pytest.approx(0.1) and cost.slope == pytest.approx(1.0, abs=0.01)
    assert cost.best_size(0.99, 0.99, 15) == 0, "five at once take as long as five"


def test_draft_model_that_does_not_pay_is_tried_now_and_then() -> None:
    pace, cost = DraftPace(), BatchCost(one_s=1.0, slope=0.05)
    assert pace.size(cost, 8) > 0
    for _ in range(60):
        pace.note(4, 0, 4.0, cost)
    sizes = [pace.size(cost, 8) for _ in range(200)]
    assert 0 < sum(n > 0 for n in sizes) < 10


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 1.3, "top_k": 0, "min_p": 0.0, "seed": 11, "repeat_penalty": 1.05}]
)
def test_guesses_change_no_text(
    llama: Answerer, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Greedy answers and drawn ones: every token is picked from the logits it would be picked from."""
    prompt = "the and the and " * 8
    letters = Sampling(logit_bias=dict.fromkeys("abc", 20.0))  # rows of them come again, and go on otherwise
    options = {**options, "sampling": letters}
    plain = llama(prompt, max_tokens=120, prompt_lookup=False, **options)
    monkeypatch.setattr(BatchCost, "best_size", lambda _self, _first, _next, n_max, _cost=0.0: n_max)
    guessed = llama(prompt, max_tokens=120, **options)
    assert guessed.text == plain.text
    assert guessed.completion_tokens == plain.completion_tokens
    assert guessed.n_drafted > guessed.n_accepted > 0 and plain.n_drafted == 0
    evaluated = llama.loaded.cache.tokens
    assert len(evaluated) == guessed.prompt_tokens + guessed.completion_tokens - (guessed.finish != "stop")
    assert llama(prompt, max_tokens=120, prompt_lookup=False, **options).text == plain.text


def test_repeating_text_accepts_guesses(llama: Answerer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grammar makes the tiny model repeat itself; the guesses must be found right."""
    monkeypatch.setattr(BatchCost, "best_size", lambda _self, _first, _next, n_max, _cost=0.0: n_max)
    result = llama("x", max_tokens=60, grammar='root ::= "abcdefgh "{20}')
    assert result.text.startswith("abcdefgh abcdefgh ")
    assert result.n_accepted > 20


def test_cancel_among_guesses_keeps_the_cache_true(llama: Answerer, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = llama("abcabcabc", max_tokens=40, prompt_lookup=False)
    monkeypatch.setattr(BatchCost, "best_size", lambda _self, _first, _next, n_max, _cost=0.0: n_max)
    real = llama.loaded.context.decode_all

    def decode_all(tokens: list[int]) -> int:
        code = real(tokens)
        llama.abort.set()
        return code

    monkeypatch.setattr(llama.loaded.context, "decode_all", decode_all)
    with pytest.raises(Cancelled):
        llama("abcabcabcabc", max_tokens=40, grammar='root ::= "abc"{30}')
    monkeypatch.undo()
    assert llama("abcabcabc", max_tokens=40).text == expected.text


@pytest.mark.parametrize("same", [True, False])
def test_draft_model_changes_no_text(
    start: Opener, llama: Answerer, same: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = llama.loaded.options.path if same else TinyModel(seed=9).write(start.folder / "draft.gguf")
    drafted = start(TinyModel(), draft=str(path))
    assert drafted.loaded.info.notes == ()
    monkeypatch.setattr(DraftPace, "size", lambda _self, _cost, n_max: min(4, n_max))
    plain = llama("hello", "there", "again", max_tokens=60, prompt_lookup=False)
    result = drafted("hello", "there", "again", max_tokens=60, prompt_lookup=False)
    assert result.text == plain.text
    assert result.n_drafted >= result.n_accepted
    if same and plain.completion_tokens > 10:
        assert result.n_accepted == result.n_drafted > 0
    follow_up = drafted("hello", "there", "else", max_tokens=20, prompt_lookup=False)
    assert follow_up.text == llama("hello", "there", "else", max_tokens=20, prompt_lookup=False).text


def test_draft_models_that_do_not_fit(start: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    other = TinyModel(tokenizer="spm").write(start.folder / "other.gguf")
    recurrent = TinyModel(architecture="mamba").write(start.folder / "recurrent.gguf")
    for path, words in ((other, "another vocabulary"), (recurrent, "cannot go back")):
        with pytest.raises(ModelError, match=words) as caught:
            start(TinyModel(), draft=str(path))
        assert caught.value.code == "draft.bad"
    monkeypatch.setattr("app.worker.inference.draft_model.available_memory", lambda: 1000)
    small = start(TinyModel(), draft=str(TinyModel().write(start.folder / "draft.gguf")))
    assert "too little memory" in small.loaded.info.notes[0]
    assert small("hello").completion_tokens


def test_models_that_cannot_forget_guess_nothing(start: Opener) -> None:
    mamba = start(TinyModel(architecture="mamba"))
    assert mamba("abcabcabcabc", max_tokens=40).n_drafted == 0


# -------------------------------------------------------------------------------- grammars


@pytest.mark.parametrize("temperature", [0.0, 1.5])
@pytest.mark.parametrize("max_tokens", [1, 5, 40])
def test_grammar_is_obeyed_and_comes_to_its_end(llama: Answerer, temperature: float, max_tokens: int) -> None:
    for seed in range(5):
        result = llama("x", grammar=LIST, temperature=temperature, seed=seed, max_tokens=max_tokens)
        assert result.finish == "stop"
        inner = result.text.removeprefix("[").removesuffix("]").split(",")
        assert result.text[0] + result.text[-1] == "[]" and all(len(letter) == 1 for letter in inner)
        assert result.completion_tokens <= max_tokens + 4


def test_grammar_that_cannot_end_ends_with_the_cap(llama: Answerer) -> None:
    result = llama("x", grammar='root ::= "ab" root', max_tokens=3)
    assert (result.finish, result.completion_tokens) == ("length", 3 + CLOSING_TOKENS)


def test_control_tokens_are_no_text_of_a_grammar(llama: Answerer) -> None:
    """To the engine `<|im_start|>` would be twelve characters, in the answer it is none."""
    wish = Sampling(logit_bias={"<|im_start|>": 50.0})
    for seed in range(5):
        result = llama("x", grammar="root ::= [ -~]{12}", sampling=wish, temperature=1.0, seed=seed)
        assert len(result.text) == 12


def test_stop_string_ends_an_answer_under_a_grammar(llama: Answerer) -> None:
    result = llama("x", grammar='root ::= "one two three"', stop=(" two",))
    assert (result.text, result.finish) == ("one", "stop")


def test_stops_of_the_format_do_not_cut_an_answer_under_a_grammar(start: Opener) -> None:
    answer = start(TinyModel(tokenizer="spm", template=None))
    stop = answer.loaded.template.stop[0]
    assert stop
    text = f"a{stop}b"
    result = answer("x", grammar=f"root ::= {json.dumps(text)}", max_tokens=60)
    assert result.text == text


def test_follow_up_of_an_answer_under_a_grammar_is_reused(llama: Answerer) -> None:
    first = llama("x", grammar=LIST, max_tokens=5)
    again = llama("x", first.text, "y")
    assert again.cached_tokens >= first.prompt_tokens + first.completion_tokens - 1


def test_context_that_ends_closes_the_answer(llama: Answerer) -> None:
    result = llama(
        "x" * 300, grammar='root ::= "[" ([a-z] ",")* [a-z] "]"', max_tokens=400, shift_context=False
    )
    assert result.finish == "stop" and result.text.endswith("]")


@pytest.mark.parametrize("tokenizer", ["bpe", "spm"])
@pytest.mark.parametrize("max_tokens", [2, 60])
def test_schema_is_obeyed(start: Opener, tokenizer: str, max_tokens: int) -> None:
    answer = start(TinyModel(tokenizer=tokenizer))
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 5}, "n": {"type": "integer", "minimum": 3}},
        "required": ["name", "n"],
    }
    for seed in range(3):
        result = answer("x", json_schema=schema, temperature=1.0, seed=seed, max_tokens=max_tokens)
        value = json.loads(result.text)
        assert value.keys() == {"name", "n"} and value["n"] >= 3 and len(value["name"]) <= 5


@pytest.mark.parametrize(
    ("grammar", "words"),
    [
        ("root ::= undefined", "could not read"),
        ("x ::= [a-z]", "could not read"),
        ('root ::= root "a"', "could not read"),
        ('root ::= "a"{100000}', "could not read"),
        ("no grammar at all", "could not read"),
        ('root ::= "' + "a" * 50_000 + '"', "longer than"),
        ("root ::= " + "(" * 20_000 + '"a"' + ")" * 20_000, "too deeply nested"),
    ],
)
def test_bad_grammars_are_named(llama: Answerer, grammar: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        llama("x", grammar=grammar)
    assert caught.value.code == "grammar.bad"
    assert llama("x").completion_tokens


@pytest.mark.slow
def test_grammar_that_never_comes_back_is_stopped(llama: Answerer) -> None:
    rules = [f"r{n} ::= r{n + 1}? r{n + 1}?" for n in range(40)]
    with pytest.raises(ModelError, match="too ambiguous"):
        llama("x", grammar="\n".join([*rules, 'r40 ::= "a"', "root ::= r0"]))


def test_cancel_while_a_grammar_is_tried(llama: Answerer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(llama.abort), "clear", lambda self: self.set())
    with pytest.raises(Cancelled):
        llama("x", grammar=LIST)


def test_bad_schema_is_named(llama: Answerer) -> None:
    with pytest.raises(ModelError, match="“not” cannot be promised") as caught:
        llama("x", json_schema={"not": {"type": "string"}})
    assert caught.value.code == "schema.bad"
