"""Writing an answer: pick a token, evaluate it, and so on; guesses ahead, a full context, a grammar's end."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from app.protocol.engine import Generate
from app.worker.inference.draft_model import DraftModel
from app.worker.inference.grammar import GuidedSampler
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.sampler import Sampler
from app.worker.inference.speculation import BatchCost, PromptLookup

CLOSING_TOKENS = 256
"""Tokens that an answer under a grammar may take beyond its limit, to come to a valid end."""

_CLOSING_SHARE = 8  # of the limit, at most 32 tokens: from where on such an answer is brought to its end
_CLOSING_MAX = 32
_MIN_FREED = 16

Piece = tuple[bytes, bytes] | None


@dataclass
class Figures:
    """What was counted while writing."""

    n_shifted: int = 0
    n_drafted: int = 0
    n_accepted: int = 0


@dataclass
class Writer:
    """Writes one answer behind an evaluated prompt.

    Attributes:
        check: given the engine's code after each evaluation; raises where it failed or is not wanted any
            more.
        n_kept: gives the tokens at the beginning that stay when the context is full; asked only then.
        cost: what batches cost, learnt here.
        draft: a model that guesses ahead.
    """

    loaded: LoadedModel
    request: Generate
    sampler: Sampler | GuidedSampler
    check: Callable[[int], None]
    n_kept: Callable[[], int]
    cost: BatchCost
    draft: DraftModel | None = None
    figures: Figures = field(default_factory=Figures)

    def __post_init__(self) -> None:
        """Prepare for guessing, where this model's cache can drop guesses that were wrong."""
        self._is_text = self.loaded.cache.is_text
        can_guess = self.loaded.model.can_forget and self._is_text
        wanted = can_guess and self.request.prompt_lookup
        self._lookup = PromptLookup(self.loaded.cache.tokens) if wanted else None
        if not can_guess:
            self.draft = None
        self._n_left = self.request.max_tokens
        self.context_full = False

    # ------------------------------------------------------------------ limits

    @property
    def guided(self) -> GuidedSampler | None:
        """The sampler, where a grammar guides it."""
        return self.sampler if isinstance(self.sampler, GuidedSampler) else None

    def allows(self, n_taken: int) -> bool:
        """Whether another token may follow `n_taken` ones; brings a guided answer to its end in time."""
        limit = self.request.max_tokens
        self._n_left = limit - n_taken
        guided = self.guided
        if guided is None:
            return n_taken < limit
        needed = guided.tokens_to_end
        soon = self._n_left <= min(_CLOSING_MAX, limit // _CLOSING_SHARE)
        if soon or self._n_left + CLOSING_TOKENS <= needed or self._context_ends(needed):
            guided.closing = True
        return n_taken < limit + CLOSING_TOKENS

    def _context_ends(self, n_needed: int) -> bool:
        n_left = self.loaded.context.n_tokens_max - len(self.loaded.cache.tokens)
        return n_left < 2 * n_needed and not self._may_shift()

    def _may_shift(self) -> bool:
        return self.request.shift_context and self._is_text and self.loaded.context.can_shift

    # ------------------------------------------------------------------ tokens

    def tokens(self) -> Generator[Piece, None, None]:
        """Give the bytes of token after token (as `Vocabulary.piece`); ends where the context is full.

        The caller ends it by closing it. At each token that it gives, those before it are in the cache, and
        nothing behind them is once it is closed.
        """
        loaded, clock, lookup = self.loaded, time.perf_counter, self._lookup
        context, cache, pick = loaded.context, loaded.cache, self.sampler.next_token
        piece_of = loaded.vocabulary.piece
        token = pick(context, -1)
        while True:
            piece = piece_of(token)
            yield piece
            if lookup is not None:
                lookup.add(token)
            if len(cache.tokens) >= context.n_tokens_max and not self._shift():
                self.context_full = True
                return
            guesses = self._guesses(token)
            started_s = clock()
            self.check(context.decode_all([token, *guesses]) if guesses else context.decode_one(token))
            context.synchronize()
            self.cost.note(len(guesses) + 1, clock() - started_s)
            cache.add_generated(token, piece[1] if piece else b"")
            if not guesses:
                token = pick(context, -1)
                continue
            try:
                token = yield from self._verified(guesses)
            finally:
                context.keep_first(loaded.position(len(cache.tokens)))

    def _verified(self, guesses: Sequence[int]) -> Generator[Piece, None, int]:
        """Give the guesses that the sampler picks too; return what it picks behind them."""
        piece_of, add = self.loaded.vocabulary.piece, self.loaded.cache.add_generated
        context, pick, right = self.loaded.context, self.sampler.next_token, 0
        self.figures.n_drafted += len(guesses)
        try:
            for output, guess in enumerate(guesses):
                token = pick(context, output)
                if token != guess:
                    return token
                right += 1
                piece = piece_of(token)
                yield piece
                add(token, piece[1] if piece else b"")
                if self._lookup is not None:
                    self._lookup.add(token)
            return pick(context, len(guesses))
        finally:
            self.figures.n_accepted += right
            if self.draft is not None:
                self.draft.note(right, self.cost)

    def _guesses(self, token: int) -> Sequence[int]:
        """Guess what follows a token that is not evaluated yet."""
        context, cache = self.loaded.context, self.loaded.cache
        guided = self.guided
        if guided is not None and guided.closing:
            return ()
        n_room = context.n_tokens_max - len(cache.tokens) - 1
        n_max = min(context.n_outputs_max - 1, n_room, self._n_left - 1)
        if n_max < 1:
            return ()
        found = self._lookup.guess(self.cost, n_max) if self._lookup is not None else ()
        if not found and self.draft is not None:
            found = self.draft.guess([*cache.tokens, token], self.cost, n_max)
        return found

    # ------------------------------------------------------------------ context shift

    def _shift(self) -> bool:
        """Drop the older half of what follows the kept beginning; False where that cannot be."""
        context, cache = self.loaded.context, self.loaded.cache
        if not self._may_shift():
            return False
        n_kept = self.n_kept()
        n_dropped = (len(cache.tokens) - n_kept) // 2
        if n_dropped < _MIN_FREED:
            return False
        context.drop(n_kept, n_dropped)
        cache.drop(n_kept, n_dropped)
        self.figures.n_shifted += n_dropped
        return True
