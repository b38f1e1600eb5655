"""Guessing tokens ahead, so that several are evaluated in the time of few; the text stays what it would be.

Each guess is evaluated together with the token before it, and the sampler picks behind every one as it would
have without it: a guess counts only where it is what was picked.

Two sources guess: the prompt and the answer themselves (answers over documents quote them), and a small model
of the same vocabulary. How many are guessed follows from how often they were right and what a larger batch
costs on this machine, so that where nothing repeats nothing is guessed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

_NGRAM = 3
_MAX_TOKENS = 32_768  # to look through more would be felt before the first token
_LEARNING = 0.15
_SLOW_LEARNING = 0.06  # the first guess of a row is right or wrong by chance
_WORTH_IT = 1.05  # of the plain speed: a gain that the measuring would not lose in its noise
_FIRST_GUESS_RIGHT, _NEXT_GUESS_RIGHT = 0.3, 0.8  # of prompt lookup, before anything was seen
_FIRST_SLOPE = 0.3


@dataclass
class BatchCost:
    """What evaluating several tokens at once costs, measured while answering; kept from answer to answer.

    Attributes:
        one_s: seconds of a single token; 0 before the first.
        slope: what each further token adds, as a share of `one_s`.
    """

    one_s: float = 0.0
    slope: float = _FIRST_SLOPE

    def note(self, n_tokens: int, seconds: float) -> None:
        """Learn from a call of `n_tokens` tokens."""
        if n_tokens == 1:
            self.one_s = _learned(self.one_s or seconds, seconds)
        elif self.one_s:
            self.slope = _learned(self.slope, max(0.0, (seconds / self.one_s - 1) / (n_tokens - 1)))

    def best_size(self, first_right: float, next_right: float, n_max: int, guess_cost: float = 0.0) -> int:
        """Give how many tokens to guess.

        Args:
            first_right: how probably the first guess is right.
            next_right: the same for each further one, if all before it were.
            n_max: at most so many.
            guess_cost: of making one guess, as a share of `one_s`.
        """
        best, best_gain, gained, chance = 0, _WORTH_IT, 1.0, first_right
        for n in range(1, n_max + 1):
            gained += chance
            chance *= next_right
            gain = gained / (1 + n * (self.slope + guess_cost))
            if gain > best_gain:
                best, best_gain = n, gain
        return best


@dataclass
class HitRate:
    """How often guesses were right: the first of a row, and those behind a right one."""

    first: float
    following: float

    def note(self, right: bool, *, in_row: bool) -> None:
        """Learn from one guess."""
        if in_row:
            self.following = _learned(self.following, float(right))
        else:
            self.first = _learned(self.first, float(right), _SLOW_LEARNING)


class PromptLookup:
    """Guesses that a text goes on as it did the last time its last three tokens stood in a row.

    Attributes:
        rate: how often that was right, whether or not the guess was evaluated: looking costs nothing.
    """

    def __init__(self, tokens: Iterable[int]) -> None:
        """Take the prompt's tokens."""
        self._tokens = list(tokens)[-_MAX_TOKENS:]
        grams = zip(*(self._tokens[n:] for n in range(_NGRAM)), strict=False)
        self._follows = {gram: at for at, gram in enumerate(grams, _NGRAM) if at < len(self._tokens)}
        self.rate = HitRate(_FIRST_GUESS_RIGHT, _NEXT_GUESS_RIGHT)
        self._in_row = False
        self._at: int | None = None
        self._find()

    def _find(self) -> None:
        self._at = self._follows.get(tuple(self._tokens[-_NGRAM:]))

    def add(self, token: int) -> None:
        """Take the next token of the answer."""
        tokens, at = self._tokens, self._at
        right = False
        if at is not None:
            right = tokens[at] == token
            self.rate.note(right, in_row=self._in_row)
        if len(tokens) >= _NGRAM:
            self._follows[tuple(tokens[-_NGRAM:])] = len(tokens)
        tokens.append(token)
        self._in_row = right
        if right and at is not None:
            self._at = at + 1
        else:
            self._find()

    def guess(self, cost: BatchCost, n_max: int) -> Sequence[int]:
        """Give the next tokens, as many as are worth a try; none where there is nothing to go by."""
        if self._at is None:
            return []
        first = self.rate.following if self._in_row else self.rate.first
        n = cost.best_size(first, self.rate.following, n_max)
        period = len(self._tokens) - self._at  # behind the end the guesses themselves go on
        return [self._tokens[self._at + i % period] for i in range(n)]


@dataclass
class DraftPace:
    """How much a draft model guesses.

    Its guesses cost time even where they are not evaluated, so where they did not pay they are tried again
    only now and then.
    """

    rate: HitRate = field(default_factory=lambda: HitRate(0.7, 0.7))
    guess_cost: float = 0.2
    _n_skipped: int = 0

    _RETRY_AFTER = 48
    _RETRY_SIZE = 4

    def size(self, cost: BatchCost, n_max: int) -> int:
        """Give how many tokens the draft model is to guess now."""
        n = cost.best_size(self.rate.first, self.rate.following, n_max, self.guess_cost)
        if n:
            self._n_skipped = 0
            return n
        self._n_skipped += 1
        if self._n_skipped % self._RETRY_AFTER:
            return 0
        return min(self._RETRY_SIZE, n_max)

    def note(self, n_guessed: int, n_right: int, seconds: float, cost: BatchCost) -> None:
        """Learn from one row of guesses and the time that they took."""
        for n in range(min(n_right + 1, n_guessed)):
            self.rate.note(n < n_right, in_row=n > 0)
        if cost.one_s and n_guessed:
            self.guess_cost = _learned(self.guess_cost, seconds / n_guessed / cost.one_s)


def _learned(before: float, seen: float, share: float = _LEARNING) -> float:
    return before + share * (seen - before)
