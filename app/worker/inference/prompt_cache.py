"""Which evaluated tokens the next prompt can reuse; pure.

The engine's cache holds tokens; a conversation is text. After an answer its tokens stand in the cache as the
model picked them, which need not be how the tokenizer would split the same text. So beside the tokens stand
marks: pairs of a number of tokens and the number of bytes of prompt text they stand for, one behind each
evaluated prompt and one behind each generated token. Where the next prompt's text begins with the text up to
a mark, the tokens up to it are reused as they are and only what follows is tokenized.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PromptPlan:
    """How to evaluate a prompt.

    Attributes:
        tokens: all of its tokens.
        n_reused: tokens at its beginning that are in the cache already; at least one token is left to
            evaluate.
    """

    tokens: list[int]
    n_reused: int


class PromptCache:
    """Mirror of what the engine's KV cache holds.

    Attributes:
        tokens: the evaluated tokens, in order.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.tokens: list[int] = []
        self._dropped_at: int | None = None
        self._text = bytearray()
        self._mark_tokens: list[int] = []
        self._mark_bytes: list[int] = []

    def clear(self) -> None:
        """Forget everything: the engine's cache was cleared."""
        self.keep_first(0)

    @property
    def n_reusable(self) -> int:
        """Tokens from the beginning that a later prompt may reuse.

        All, unless some were dropped from their midst: what follows those was evaluated while they were
        there.
        """
        return len(self.tokens) if self._dropped_at is None else self._dropped_at

    @property
    def is_text(self) -> bool:
        """Whether every place holds a token of text; an image's places hold negative numbers."""
        return min(self.tokens, default=0) >= 0

    def drop(self, first: int, n_tokens: int) -> None:
        """Forget tokens in the midst; only what stands before them can be reused from now on."""
        del self.tokens[first : first + n_tokens]
        self._dropped_at = min(first, self.n_reusable)
        self._forget_text(first)

    def keep_first(self, n_tokens: int) -> None:
        """Forget what stands behind the first `n_tokens`."""
        del self.tokens[n_tokens:]
        if self._dropped_at is not None and n_tokens <= self._dropped_at:
            self._dropped_at = None
        self._forget_text(n_tokens)

    def _forget_text(self, n_tokens: int) -> None:
        n_marks = bisect_right(self._mark_tokens, n_tokens)
        del self._mark_tokens[n_marks:], self._mark_bytes[n_marks:]
        del self._text[self._mark_bytes[-1] if n_marks else 0 :]

    def add_prompt_tokens(self, tokens: Sequence[int]) -> None:
        """Note evaluated tokens of a prompt that is not complete yet."""
        self.tokens.extend(tokens)

    def mark_prompt(self, text: bytes) -> None:
        """Note that the tokens stand for exactly this prompt text."""
        # A lossy tokenizer can give the same tokens for another text: marks that no longer fit go.
        n_marks = bisect_right(self._mark_bytes, n_common_bytes(self._text, text))
        del self._mark_tokens[n_marks:], self._mark_bytes[n_marks:]
        self._text[:] = text
        self._mark()

    def add_generated(self, token: int, piece: bytes) -> None:
        """Note an evaluated token of the answer and its text."""
        self.tokens.append(token)
        if self._dropped_at is None:  # else the text before it is not known any more
            self._text += piece
            self._mark()

    def to_json(self) -> dict[str, Any]:
        """Give the content, for a file."""
        return {
            "tokens": self.tokens,
            "text": self._text.hex(),
            "mark_tokens": self._mark_tokens,
            "mark_bytes": self._mark_bytes,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "PromptCache":
        """Make one of what `to_json` gave."""
        cache = cls()
        cache.tokens = list(content["tokens"])
        cache._text = bytearray.fromhex(content["text"])
        cache._mark_tokens = list(content["mark_tokens"])
        cache._mark_bytes = list(content["mark_bytes"])
        return cache

    def _mark(self) -> None:
        if not self._mark_tokens or self._mark_tokens[-1] < len(self.tokens):
            self._mark_tokens.append(len(self.tokens))
            self._mark_bytes.append(len(self._text))

    def plan(
        self,
        prompt: str,
        tokenize: Callable[[str], list[int]],
        tokenize_continuation: Callable[[str], list[int]],
    ) -> PromptPlan:
        """Choose the tokens of a prompt so that as many as can be are reused.

        Args:
            prompt: its rendered text.
            tokenize: gives the tokens of a whole prompt.
            tokenize_continuation: gives the tokens of a text that follows others.
        """
        text = prompt.encode("utf-8", "replace")
        n_tokens, n_bytes = self._last_mark_within(text)
        if n_tokens and n_tokens == self.n_reusable:
            return self._continued(text, n_tokens, n_bytes, tokenize_continuation)
        fresh = tokenize(prompt)
        n_same = min(n_common(self.tokens, fresh), self.n_reusable)
        if n_tokens > n_same:
            return self._continued(text, n_tokens, n_bytes, tokenize_continuation)
        return PromptPlan(fresh, min(n_same, len(fresh) - 1))

    def _continued(
        self, text: bytes, n_tokens: int, n_bytes: int, tokenize: Callable[[str], list[int]]
    ) -> PromptPlan:
        tokens = self.tokens[:n_tokens] + tokenize(text[n_bytes:].decode("utf-8", "replace"))
        return PromptPlan(tokens, min(n_tokens, len(tokens) - 1))

    def _last_mark_within(self, text: bytes) -> tuple[int, int]:
        """Give the last mark up to which the text begins like the cached one, at a code point's end."""
        n_same = len(self._text) if text.startswith(self._text) else n_common_bytes(self._text, text)
        index = bisect_right(self._mark_bytes, n_same)
        while index:
            index -= 1
            n_bytes = self._mark_bytes[index]
            if n_bytes == len(text) or text[n_bytes] & 0xC0 != 0x80:
                return self._mark_tokens[index], n_bytes
        return 0, 0


def n_common(first: Sequence[int], second: Sequence[int]) -> int:
    """Give how many tokens two rows have in common at their beginning."""
    n_both = min(len(first), len(second))
    if first[:n_both] == second[:n_both]:  # most often, and compared much faster
        return n_both
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return index
    return n_both


def n_common_bytes(first: bytes | bytearray, second: bytes) -> int:
    """Give the length of the common beginning, by halving (slices compare fast, single bytes do not)."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
