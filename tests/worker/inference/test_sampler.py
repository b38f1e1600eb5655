"""Every step of the sampler does what its name says, on logits that are known."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from app.protocol.engine import Generate, Sampling
from app.worker.inference.sampler import Candidates, Sampler, make_sampler
from tests.worker.inference.answering import Answerer, Opener
from tests.worker.inference.gguf_writer import TinyModel

pytestmark = pytest.mark.usefixtures("backend")

N_DRAWS = 400
LOGITS = np.log(np.array([0.5, 0.2, 0.15, 0.1, 0.05], np.float32))
OPEN = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": 5}

Make = Callable[..., Sampler]


@pytest.fixture
def llama(start: Opener) -> Answerer:
    return start(TinyModel())


@pytest.fixture
def make(llama: Answerer) -> Iterator[Make]:
    made: list[Sampler] = []

    def build(sampling: Sampling | None = None, **options: Any) -> Sampler:
        request = Generate(messages=(), sampling=sampling or Sampling(), **{**OPEN, **options})
        made.append(make_sampler(request, llama.loaded.vocabulary, 512))
        return made[-1]

    yield build
    for sampler in made:
        sampler.close()


def choose(sampler: Sampler, logits: Any = LOGITS) -> int:
    token = sampler.choose(Candidates(np.arange(len(logits)), logits))
    return token


def drawn(sampler: Sampler, logits: Any = LOGITS) -> dict[int, float]:
    """Give how often each token comes, without remembering any."""
    counts = Counter(choose(sampler, logits) for _ in range(N_DRAWS))
    return {token: n / N_DRAWS for token, n in counts.items()}


def test_open_chain_draws_by_probability(make: Make) -> None:
    shares = drawn(make())
    assert shares == pytest.approx(dict(enumerate(np.exp(LOGITS))), abs=0.08)


@pytest.mark.parametrize(
    ("options", "sampling", "left"),
    [
        ({"top_k": 2}, {}, {0, 1}),
        ({"top_p": 0.69}, {}, {0, 1}),
        ({"min_p": 0.25}, {}, {0, 1, 2}),
        ({}, {"top_n_sigma": 0.5}, {0}),
        # entropy 1.33 nats: the surprise of 0.2 (1.61) and 0.15 (1.90) is nearest to it
        ({}, {"typical_p": 0.3}, {1, 2}),
        ({}, {"xtc_probability": 1.0, "xtc_threshold": 0.12}, {2, 3, 4}),
    ],
)
def test_cuts_leave_what_they_should(
    make: Make, options: dict[str, Any], sampling: dict[str, Any], left: set[int]
) -> None:
    assert set(drawn(make(Sampling(**sampling), **options))) == left


def test_temperatures(make: Make) -> None:
    assert drawn(make(temperature=0.3))[0] > 0.9
    assert drawn(make(temperature=3.0))[0] < 0.4
    sure = np.log(np.array([0.96, 0.01, 0.01, 0.01, 0.01], np.float32))
    ranging = make(Sampling(temperature_range=0.9), temperature=1.0)
    assert drawn(ranging, sure)[0] > 0.99, "little entropy: little temperature"


@pytest.mark.parametrize("version", [1, 2])
def test_mirostat_draws_and_learns(make: Make, version: int) -> None:
    low = make(Sampling(mirostat=version, mirostat_tau=0.1, mirostat_eta=0.5))
    for _ in range(60):
        low.accept(choose(low))
    assert drawn(low)[0] > 0.9, "little surprise is wanted"
    high = make(Sampling(mirostat=version, mirostat_tau=9.0))
    assert len(drawn(high)) > 2


def test_penalties_count_what_was_said(make: Make) -> None:
    near = np.array([2.0, 1.9, -5.0, -5.0, -5.0], np.float32)
    for sampling, options in (
        (Sampling(frequency_penalty=0.5), {}),
        (Sampling(presence_penalty=0.5), {}),
        (Sampling(), {"repeat_penalty": 1.5}),
    ):
        sampler = make(sampling, temperature=0.0, **options)
        assert choose(sampler, near) == 0
        sampler.accept(0)
        assert choose(sampler, near) == 1


def test_window_of_penalties(make: Make) -> None:
    near = np.array([2.0, 1.9, -5.0, -5.0, -5.0], np.float32)
    for window, expected in ((2, 0), (3, 1), (-1, 1), (0, 0)):
        sampler = make(Sampling(presence_penalty=0.5, repeat_window=window), temperature=0.0)
        for token in (0, 3, 4):
            sampler.accept(token)
        assert choose(sampler, near) == expected


def test_dry_ends_a_repetition(make: Make) -> None:
    said = [1, 2, 3, 4, 1, 2, 3]  # 4 would go on with it
    logits = np.array([0.0, 0.0, 0.0, 0.0, 1.0], np.float32)
    for multiplier, expected in ((0.0, {4}), (5.0, {0, 1, 2, 3})):
        sampler = make(Sampling(dry_multiplier=multiplier), temperature=0.0)
        for token in said:
            sampler.accept(token)
        assert choose(sampler, logits) in expected


def test_bias_by_text(make: Make, llama: Answerer) -> None:
    words = llama.loaded.vocabulary
    (a,), (b,) = words.tokenize_continuation("a"), words.tokenize_continuation("b")
    logits = np.zeros(words.n_tokens, np.float32)
    logits[a] = 3.0
    assert choose(make(temperature=0.0), logits) == a
    assert choose(make(Sampling(logit_bias={"b": 4.0}), temperature=0.0), logits) == b
    assert choose(make(Sampling(logit_bias={"a": -9.0, "the": 5.0}), temperature=0.0), logits) != a


def test_seed_is_told(llama: Answerer) -> None:
    assert llama("x").seed is None, "a greedy answer draws nothing"
    assert llama("x", temperature=1.0, seed=7).seed == 7
    assert llama("x", temperature=1.0, seed=2**64 + 5).seed == (2**64 + 5) % (2**32 - 1)
    first = llama("x", temperature=1.5, top_k=0, top_p=1.0, min_p=0.0)
    again = llama("x", temperature=1.5, top_k=0, top_p=1.0, min_p=0.0, seed=first.seed)
    assert (again.text, again.seed) == (first.text, first.seed)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(typical_p=0.9, top_n_sigma=2.0, xtc_probability=0.5, temperature_range=0.3),
        Sampling(frequency_penalty=0.2, presence_penalty=-0.2, dry_multiplier=0.8, repeat_window=-1),
        Sampling(mirostat=1),
        Sampling(mirostat=2),
        Sampling(logit_bias={"the": -1.0}),
    ],
)
def test_all_together_in_an_answer(llama: Answerer, sampling: Sampling) -> None:
    first = llama("hello", sampling=sampling, temperature=0.9, seed=3, max_tokens=40)
    assert llama("hello", sampling=sampling, temperature=0.9, seed=3, max_tokens=40).text == first.text
