"""A small model of the same vocabulary that guesses what the large one will write."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.core.errors import ModelError
from app.core.fit import kv_cache_bytes, shape_of
from app.core.gguf import read_head
from app.worker.inference.backend import AbortFlag
from app.worker.inference.memory import available_memory
from app.worker.inference.native import lib
from app.worker.inference.native_model import DECODED, NativeContext, NativeModel
from app.worker.inference.prompt_cache import n_common
from app.worker.inference.speculation import BatchCost, DraftPace

_SURE = 0.4  # a guess of less is seldom right: the row ends there
_SPARE_BYTES = 256 * 1024 * 1024


class DraftModel:
    """A loaded draft model and its own cache. The engine's thread.

    Attributes:
        pace: how much it guesses.
    """

    def __init__(self, model: NativeModel, context: NativeContext, n_batch: int) -> None:
        """Take the loaded parts."""
        self._model, self._context, self._n_batch = model, context, n_batch
        self._tokens: list[int] = []  # in its cache
        self.pace = DraftPace()
        self._asked: tuple[int, float] | None = None

    def guess(self, tokens: list[int], cost: BatchCost, n_max: int) -> Sequence[int]:
        """Give what it would write behind `tokens`, the likeliest each time, as long as it is sure.

        Nothing where guessing does not pay, where its context is full, or where an abort stopped it.
        """
        n_max = min(n_max, self._context.n_tokens_max - len(tokens))
        n = self.pace.size(cost, n_max) if n_max > 0 else 0
        if not n or not self._follow(tokens[:-1]):
            return ()
        started_s, guesses, token = time.perf_counter(), list[int](), tokens[-1]
        while len(guesses) < n and self._decoded([token]):
            logits = self._context.logits()
            token = int(logits.argmax())
            if 1.0 / float(np.exp(logits - logits[token]).sum()) < _SURE:
                break
            guesses.append(token)
        self._asked = len(guesses), time.perf_counter() - started_s
        return guesses

    def note(self, n_right: int, cost: BatchCost) -> None:
        """Learn how many of the last guesses were right."""
        if self._asked is not None:
            n_guessed, seconds = self._asked
            self._asked = None
            self.pace.note(n_guessed, n_right, seconds, cost)

    def _follow(self, tokens: list[int]) -> bool:
        """Bring its cache to these tokens; False where that failed or was aborted."""
        n_same = n_common(self._tokens, tokens)
        if n_same < len(self._tokens):
            if not self._context.keep_first(n_same):
                self._context.clear()
                n_same = 0
            del self._tokens[n_same:]
        return all(
            self._decoded(tokens[at : at + self._n_batch]) for at in range(n_same, len(tokens), self._n_batch)
        )

    def _decoded(self, tokens: list[int]) -> bool:
        if self._context.decode(tokens) == DECODED:
            self._tokens.extend(tokens)
            return True
        self._context.clear()
        self._tokens.clear()
        return False

    def close(self) -> None:
        """Free it."""
        self._context.close()
        self._model.close()


def open_draft(
    path: Path,
    main: NativeModel,
    n_context: int,
    n_batch: int,
    n_threads: int,
    abort: AbortFlag,
    *,
    use_gpu: bool = False,
) -> DraftModel | None:
    """Load a draft model for `main`, where that is; None where memory is too short for it.

    Raises:
        ModelError: `draft.bad`, or a code of `app.core.gguf.read_head`.
    """
    head = read_head(path)
    n_tokens = min(n_context, head.context_trained or n_context)
    kv_bytes = kv_cache_bytes(shape_of(head), n_tokens, "f16")
    if head.weight_bytes + kv_bytes + _SPARE_BYTES > available_memory():
        return None
    try:
        model = NativeModel(path, lambda _done: True, use_gpu=use_gpu)
    except OSError as error:
        raise _bad(path, "the engine could not load it") from error
    try:
        reason = _mismatch(main, model)
        if reason:
            raise _bad(path, reason)
        context = NativeContext(model, n_tokens, n_batch, n_threads, abort)
    except MemoryError:
        model.close()
        return None
    except ModelError:
        model.close()
        raise
    return DraftModel(model, context, n_batch)


def _mismatch(main: NativeModel, draft: NativeModel) -> str:
    """Say why guesses of one model are no tokens of the other's; empty where they are."""
    if not draft.generates_text:
        return "it does not write text"
    if not draft.can_forget:
        return "its cache cannot go back when a guess was wrong"
    n_tokens = int(lib.llama_vocab_n_tokens(main.vocab))
    if n_tokens != int(lib.llama_vocab_n_tokens(draft.vocab)):
        return "it has another vocabulary"
    text: Any = lib.llama_vocab_get_text
    if any(text(main.vocab, token) != text(draft.vocab, token) for token in range(n_tokens)):
        return "it has another vocabulary"
    return ""


def _bad(path: Path, reason: str) -> ModelError:
    return ModelError(
        "draft.bad",
        f"“{path.name}” cannot guess ahead for this model: {reason}.",
        "Choose a small model of the same family, or none.",
    )
