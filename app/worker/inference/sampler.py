"""Picks the next token: a chain of llama.cpp's samplers in its usual order.

Source: `llama.h` of the llama.cpp that llama-cpp-python 0.3.36 brings; the order of the steps is that of
`common_sampler_init` in llama.cpp's `common/sampling.cpp`.
"""

import ctypes
import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from app.protocol.engine import Generate, Sampling
from app.worker.inference.native import lib
from app.worker.inference.native_model import NativeContext
from app.worker.inference.vocabulary import Vocabulary

SEED_RANGE = 2**32 - 1  # the engine takes the last value for "random"
DRY_BREAKERS = ("\n", ":", '"', "*")
"""Texts over which DRY sees no repetition, as llama.cpp sets them."""

_MIROSTAT_1_CANDIDATES = 100
_CANDIDATE = np.dtype([("id", "<i4"), ("logit", "<f4"), ("p", "<f4")])  # llama_token_data


class Candidates:
    """Tokens with their logits, as the engine's samplers take them.

    Attributes:
        table: (n,) of id, logit and p; samplers write to it.
        native: `llama_token_data_array` over it.
    """

    def __init__(self, ids: "np.ndarray[Any, Any]", logits: "np.ndarray[Any, Any] | float") -> None:
        """Take ids and their logits (n,)."""
        self.table = np.zeros(len(ids), _CANDIDATE)
        self.table["id"], self.table["logit"] = ids, logits
        data = self.table.ctypes.data_as(ctypes.POINTER(lib.llama_token_data))
        self.native = lib.llama_token_data_array(data=data, size=len(ids), selected=-1, sorted=False)

    @property
    def selected(self) -> int:
        """The token that the last step of a chain picked."""
        return int(self.native.data[self.native.selected].id)


class Sampler:
    """A chain that picks the next token from the logits of an evaluated one.

    Attributes:
        seed: of its random draws; None where it makes none.
    """

    def __init__(self) -> None:
        """Make an empty chain."""
        parameters = lib.llama_sampler_chain_default_params()
        self._chain: Any = lib.llama_sampler_chain_init(parameters)
        self.seed: int | None = None

    def add_logit_bias(self, n_vocab: int, bias_of: Mapping[int, float]) -> None:
        """Add to the logits of tokens."""
        array = (lib.llama_logit_bias * len(bias_of))()
        for entry, (token, bias) in zip(array, bias_of.items(), strict=True):
            entry.token, entry.bias = token, bias
        self._add(lib.llama_sampler_init_logit_bias(n_vocab, len(array), array))

    def add_penalties(
        self, n_vocab: int, window: int, repeat: float, frequency: float, presence: float, n_wanted: int
    ) -> None:
        """Make the last `window` tokens of the answer less likely.

        At most `window` tokens lose by penalties that only take, so the `n_wanted` best ones afterwards (0:
        all are needed) are among the `n_wanted` + `window` best before: only those are kept, which saves 0.2
        ms a token and changes no result.
        """
        if n_wanted and repeat >= 1 and frequency >= 0 and presence >= 0:
            self._add(lib.llama_sampler_init_top_k(n_wanted + window))
        self._add(lib.llama_sampler_init_penalties(n_vocab, window, repeat, frequency, presence))

    def add_dry(self, vocab: Any, sampling: Sampling, window: int) -> None:
        """Make what would go on with a repetition less likely (DRY)."""
        breakers = (ctypes.c_char_p * len(DRY_BREAKERS))(*(text.encode() for text in DRY_BREAKERS))
        self._add(
            lib.llama_sampler_init_dry(
                vocab,
                sampling.dry_multiplier,
                sampling.dry_base,
                sampling.dry_allowed_length,
                window,
                breakers,
                len(DRY_BREAKERS),
            )
        )

    def add_greedy(self) -> None:
        """End the chain by the likeliest token."""
        self._add(lib.llama_sampler_init_greedy())

    def add_random(self, request: Generate, seed: int) -> None:
        """End the chain by a random draw from what the cuts leave."""
        cuts, self.seed = request.sampling, seed
        if cuts.top_n_sigma > 0:
            self._add(lib.llama_sampler_init_top_n_sigma(cuts.top_n_sigma))
        if request.top_k > 0:
            self._add(lib.llama_sampler_init_top_k(request.top_k))
        if cuts.typical_p < 1:
            self._add(lib.llama_sampler_init_typical(cuts.typical_p, 1))
        if request.top_p < 1:
            self._add(lib.llama_sampler_init_top_p(request.top_p, 1))
        if request.min_p > 0:
            self._add(lib.llama_sampler_init_min_p(request.min_p, 1))
        if cuts.xtc_probability > 0:
            self._add(lib.llama_sampler_init_xtc(cuts.xtc_probability, cuts.xtc_threshold, 1, seed))
        self._add_temperature(request)
        self._add(lib.llama_sampler_init_dist(seed))

    def add_mirostat(self, request: Generate, n_vocab: int, seed: int) -> None:
        """End the chain by a draw that holds the surprise of the text at a target."""
        cuts, self.seed = request.sampling, seed
        self._add_temperature(request)
        if cuts.mirostat == 1:
            step = lib.llama_sampler_init_mirostat(
                n_vocab, seed, cuts.mirostat_tau, cuts.mirostat_eta, _MIROSTAT_1_CANDIDATES
            )
        else:
            step = lib.llama_sampler_init_mirostat_v2(seed, cuts.mirostat_tau, cuts.mirostat_eta)
        self._add(step)

    def _add_temperature(self, request: Generate) -> None:
        cuts = request.sampling
        if cuts.temperature_range > 0:
            step = lib.llama_sampler_init_temp_ext(
                request.temperature, cuts.temperature_range, cuts.temperature_exponent
            )
        else:
            step = lib.llama_sampler_init_temp(request.temperature)
        self._add(step)

    def _add(self, step: Any) -> None:
        lib.llama_sampler_chain_add(self._chain, step)

    def next_token(self, context: NativeContext, output: int = -1) -> int:
        """Pick a token behind an output of the last evaluation (-1: the last) and remember it."""
        token: int = lib.llama_sampler_sample(self._chain, context.pointer, output)
        return token

    def choose(self, candidates: Candidates) -> int:
        """Pick one of the candidates, without remembering it."""
        lib.llama_sampler_apply(self._chain, ctypes.byref(candidates.native))
        return candidates.selected

    def accept(self, token: int) -> None:
        """Remember a token that was chosen."""
        lib.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        """Free the chain and its steps."""
        if self._chain:
            lib.llama_sampler_free(self._chain)
            self._chain = None


def make_sampler(request: Generate, vocabulary: Vocabulary, n_context: int) -> Sampler:
    """Build the chain that a request asks for.

    Penalties and DRY look back over the answer only: to punish the words of the passages that it is asked
    about would keep an answer from quoting them.

    Args:
        request: what is asked for.
        vocabulary: of the model.
        n_context: tokens of the context: what a window of -1 means.
    """
    sampler, cuts = Sampler(), request.sampling
    if cuts.logit_bias:
        sampler.add_logit_bias(vocabulary.n_tokens, _biases(cuts.logit_bias, vocabulary))
    window = cuts.repeat_window if cuts.repeat_window >= 0 else n_context
    if window and (request.repeat_penalty, cuts.frequency_penalty, cuts.presence_penalty) != (1.0, 0.0, 0.0):
        sampler.add_penalties(
            vocabulary.n_tokens,
            window,
            request.repeat_penalty,
            cuts.frequency_penalty,
            cuts.presence_penalty,
            _n_wanted(request),
        )
    if cuts.dry_multiplier > 0:
        sampler.add_dry(vocabulary.pointer, cuts, n_context)
    if request.temperature <= 0:
        sampler.add_greedy()
        return sampler
    seed = request.seed
    if seed is None:
        seed = random.randrange(SEED_RANGE)  # noqa: S311  # chooses words, guards nothing
    if cuts.mirostat in (1, 2):
        sampler.add_mirostat(request, vocabulary.n_tokens, seed % SEED_RANGE)
    else:
        sampler.add_random(request, seed % SEED_RANGE)
    return sampler


def _n_wanted(request: Generate) -> int:
    """Give how many of the best tokens the steps behind the penalties look at; 0 where all."""
    cuts = request.sampling
    if cuts.dry_multiplier > 0:
        return 0
    if request.temperature <= 0:
        return 1
    return 0 if cuts.mirostat or cuts.top_n_sigma > 0 else max(request.top_k, 0)


def _biases(logit_bias: Mapping[str, float], vocabulary: Vocabulary) -> dict[int, float]:
    """Give biases by token: those of a text count for each token that it consists of."""
    return {
        token: bias for text, bias in logit_bias.items() for token in vocabulary.tokenize_continuation(text)
    }
