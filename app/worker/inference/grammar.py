"""Answers that obey a grammar: llama.cpp's GBNF, applied only where the model would break it.

The sampler picks first; the grammar is asked about that one token, and only if it is refused are all tokens
checked and the pick made again from those that are left. Checking all of a vocabulary costs milliseconds,
checking one microseconds.

Near the end of its tokens an answer is brought to a valid end: what closes is preferred to what opens.

Source: `llama.h` of the llama.cpp that llama-cpp-python 0.3.36 brings, `grammars/README.md` in llama.cpp.
"""

import ctypes
from typing import Any

import numpy as np

from app.core.errors import ModelError
from app.worker.inference.native import lib
from app.worker.inference.native_model import NativeContext
from app.worker.inference.sampler import Candidates, Sampler
from app.worker.inference.vocabulary import Vocabulary

_CLOSERS = ("}", "]", ",", ":", '"', *"0123456789", "[", "{")
"""What brings a JSON text to its end soonest where it is allowed, outside of a string, in order."""

_CLOSING_LEAST, _CLOSING_LEVEL = 32, 24
_NEVER = float("-inf")


class JsonPlace:
    """Whether a JSON text that grows stands inside a string.

    Attributes:
        in_string: it does.
        depth: objects and lists that are open.
    """

    def __init__(self) -> None:
        """Begin before the text."""
        self.in_string, self.depth = False, 0
        self._escaped = False

    def add(self, piece: bytes) -> None:
        """Take what follows."""
        for byte in piece:
            if self._escaped:
                self._escaped = False
            elif byte == ord("\\"):
                self._escaped = self.in_string
            elif byte == ord('"'):
                self.in_string = not self.in_string
            elif not self.in_string:
                self.depth += (byte in b"{[") - (byte in b"}]")


class Grammar:
    """A grammar at a place in its text; owns native memory."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        """Parse it. Only texts that cannot crash the engine's parser: see `grammar_check`.

        Raises:
            ModelError: `grammar.bad`.
        """
        self._pointer: Any = lib.llama_sampler_init_grammar(vocabulary.pointer, text.encode(), b"root")
        if not self._pointer:
            raise bad_grammar("the engine could not read it")

    def allow_only(self, candidates: Candidates) -> bool:
        """Rule out what the grammar forbids; False where nothing is left."""
        lib.llama_sampler_apply(self._pointer, ctypes.byref(candidates.native))
        return bool((candidates.table["logit"] > _NEVER).any())

    def allows(self, token: int) -> bool:
        """Whether a token may come next."""
        return self.allow_only(Candidates(np.array([token]), 0.0))

    def accept(self, token: int) -> None:
        """Go on behind a token that is allowed; any other would end the process."""
        lib.llama_sampler_accept(self._pointer, token)

    def close(self) -> None:
        """Free it."""
        if self._pointer:
            lib.llama_sampler_free(self._pointer)
            self._pointer = None


class GuidedSampler:
    """A sampler that a grammar guides (as Sampler, for one answer).

    Attributes:
        closing: the answer is to come to an end.
        seed: as Sampler.
    """

    def __init__(self, sampler: Sampler, grammar: Grammar, vocabulary: Vocabulary) -> None:
        """Take the parts, which it closes."""
        self._sampler, self._grammar, self._vocabulary = sampler, grammar, vocabulary
        self._ids = np.arange(vocabulary.n_tokens, dtype=np.int32)
        self._place = JsonPlace()
        self._closers = [token for text in _CLOSERS for token in _single(text, vocabulary)]
        self._quote = _single('"', vocabulary)
        # To the engine's grammars a control token is its spelling; in the answer it is nothing.
        self._hidden = [token for token in vocabulary.control_tokens if vocabulary.piece(token)]
        self.closing = False
        self.seed = sampler.seed

    def next_token(self, context: NativeContext, output: int = -1) -> int:
        """Pick a token that the grammar allows and remember it.

        Raises:
            ModelError: `grammar.bad`: no token of this model can go on.
        """
        token = self._soonest_end() if self.closing else None
        if token is None:
            logits = context.logits(output).copy()
            logits[self._hidden] = _NEVER
            token = self._free_choice(logits)
        self._sampler.accept(token)
        piece = self._vocabulary.piece(token)
        if piece is not None:
            self._grammar.accept(token)
            self._place.add(piece[0])
        return token

    def _free_choice(self, logits: "np.ndarray[Any, Any]") -> int:
        token = self._sampler.choose(Candidates(self._ids, logits))
        if self._grammar.allows(token):
            return token
        candidates = Candidates(self._ids, logits)
        if not self._grammar.allow_only(candidates):
            raise bad_grammar("this model has no token with which the answer could go on")
        left = candidates.table[candidates.table["logit"] > _NEVER]
        return self._sampler.choose(Candidates(left["id"], left["logit"]))

    def _soonest_end(self) -> int | None:
        """Give the allowed token that brings the answer to its end soonest; None where none is known."""
        order = self._quote if self._place.in_string else self._closers
        wanted = [*self._vocabulary.end_tokens, *order]
        candidates = Candidates(np.array(wanted), 0.0)
        if not self._grammar.allow_only(candidates):
            return None
        allowed = candidates.table["logit"] > _NEVER
        return wanted[int(allowed.argmax())]

    @property
    def tokens_to_end(self) -> int:
        """About how many tokens bringing the answer to its end takes: what is open still lacks parts."""
        return _CLOSING_LEAST + _CLOSING_LEVEL * self._place.depth

    def close(self) -> None:
        """Free the parts."""
        self._grammar.close()
        self._sampler.close()


def _single(text: str, vocabulary: Vocabulary) -> list[int]:
    """Give the token that is exactly this text; none where there is none."""
    tokens = vocabulary.tokenize_continuation(text)
    return tokens if len(tokens) == 1 and vocabulary.piece(tokens[0]) == (text.encode(),) * 2 else []


def bad_grammar(reason: str) -> ModelError:
    """Give the error for a grammar that cannot be used."""
    return ModelError(
        "grammar.bad",
        f"The grammar for this answer cannot be used: {reason}.",
        "Check it against llama.cpp's description of GBNF, or ask without one.",
    )
