"""Answering: evaluate what is new of the prompt, then pick token after token."""

import contextlib
import logging
import time
from dataclasses import dataclass

from app.core.errors import AppError, ModelError
from app.protocol.engine import Generate, Generation, PromptMessage, PromptProgress
from app.worker.inference.backend import AbortFlag
from app.worker.inference.conversation_state import ConversationState
from app.worker.inference.draft_model import DraftModel
from app.worker.inference.grammar import Grammar, GuidedSampler
from app.worker.inference.grammar_check import GrammarCheck
from app.worker.inference.json_schema import schema_grammar
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.native_model import ABORTED, DECODED
from app.worker.inference.prompt_cache import PromptCache, PromptPlan, n_common, n_common_bytes
from app.worker.inference.sampler import Sampler, make_sampler
from app.worker.inference.speculation import BatchCost
from app.worker.inference.template import RenderStopped
from app.worker.inference.text_model import Sink
from app.worker.inference.text_stream import TextSender
from app.worker.inference.vision import PromptImages, n_text, whole_images
from app.worker.inference.writing import Figures, Writer
from app.worker.runtime import Cancelled

log = logging.getLogger(__name__)

_PROGRESS_INTERVAL_S = 0.1


@dataclass(frozen=True)
class Surplus:
    """What a model has beside its weights and its context, for its answers.

    Attributes:
        state: keeps the KV cache of conversations.
        cost: what evaluating several tokens at once costs, learnt from answer to answer.
        grammars: checks grammars before the engine gets them.
        draft: a model that guesses ahead.
    """

    state: ConversationState
    cost: BatchCost
    grammars: GrammarCheck
    draft: DraftModel | None = None


class _Run:
    """One answer in the making."""

    def __init__(
        self,
        loaded: LoadedModel,
        request: Generate,
        abort: AbortFlag,
        sink: Sink,
        surplus: Surplus,
        images: PromptImages,
    ) -> None:
        self.started = time.perf_counter()
        self._images = images
        self._loaded, self._request, self._abort, self._sink = loaded, request, abort, sink
        self._surplus = surplus
        # Under a grammar the answer ends where the grammar does; a format's stop strings may stand in it.
        stops = request.stop if _is_guided(request) else (*request.stop, *loaded.template.stop)
        self._text = TextSender(stops, sink.on_text)
        self.prompt_tokens = self.cached_tokens = self.completion_tokens = 0
        self._first_s = self._last_s = 0.0
        self._from_snapshot = False
        self._figures = Figures()
        self._seed: int | None = None

    # ------------------------------------------------------------------ prompt

    def prepare(self) -> list[int]:
        """Render and tokenize the prompt, cut the cache back to what it shares with it; give what is left.

        Raises:
            ModelError: `prompt.template_failed`, `prompt.too_long`.
        """
        loaded = self._loaded
        images = self._images
        prompt = loaded.template.render(defused(loaded, self._request.messages, images))

        def plan_over(cache: PromptCache) -> PromptPlan:
            plan = cache.plan(prompt, images.tokenize_prompt, images.tokenize_continuation)
            return PromptPlan(plan.tokens, whole_images(plan.tokens, plan.n_reused))

        plan = plan_over(loaded.cache)
        self.prompt_tokens = len(plan.tokens)
        if self.prompt_tokens >= loaded.context.n_tokens_max:
            raise _too_long(self.prompt_tokens, loaded.context.n_tokens_max)
        enter = self._surplus.state.enter
        if enter(self._request.conversation, lambda cache: plan_over(cache).n_reused):
            self._from_snapshot = True
            plan = plan_over(loaded.cache)
            self.prompt_tokens = len(plan.tokens)
        self.cached_tokens = plan.n_reused
        if plan.n_reused < len(loaded.cache.tokens):
            self.cached_tokens = _keep_first(loaded, plan.n_reused)
        self._prompt = prompt.encode("utf-8", "replace")
        return plan.tokens[self.cached_tokens :]

    def evaluate(self, tokens: list[int]) -> None:
        """Evaluate the new part of the prompt, in batches that end at multiples of the batch size.

        Raises:
            Cancelled: the abort flag was set; whole batches stay in the cache.
            ModelError: `engine.failed`.
        """
        loaded, total, done, reported_s = self._loaded, len(tokens), 0, float("-inf")
        while done < total:
            part = self._evaluate_part(tokens, done)
            loaded.cache.add_prompt_tokens(part)
            done += len(part)
            now_s = time.perf_counter()
            if done == total or now_s - reported_s >= _PROGRESS_INTERVAL_S:
                reported_s = now_s
                self._sink.on_prompt(PromptProgress(done=done, total=total, cached=self.cached_tokens))
        loaded.cache.mark_prompt(self._prompt)

    def _evaluate_part(self, tokens: list[int], start: int) -> list[int]:
        """Evaluate the next text of a batch at most, or the next part of an image; give its tokens."""
        loaded, at = self._loaded, self.cached_tokens + start
        if tokens[start] < 0:
            code, n_tokens = self._images.evaluate(loaded, tokens[start], at)
            self._check(code)
            return tokens[start : start + n_tokens]
        part = tokens[start : start + min(loaded.n_batch - at % loaded.n_batch, n_text(tokens, start))]
        reader = loaded.reader
        position = reader.position(at) if reader is not None and reader.moves_positions else None
        self._check(loaded.context.decode(part, position))
        return part

    def _check(self, code: int) -> None:
        """Raise where a batch was not evaluated or is not wanted any more; what it left behind is dropped."""
        is_stopped = self._abort.is_set()
        if code == DECODED and not is_stopped:
            return
        _keep_first(self._loaded, len(self._loaded.cache.tokens))
        if code == ABORTED or is_stopped:
            raise Cancelled
        raise ModelError(
            "engine.failed",
            "The engine could not go on with this answer.",
            "Ask again; if it happens again, load the model again.",
            {"engine_code": code},
        )

    # ------------------------------------------------------------------ answer

    def generate(self, sampler: Sampler | GuidedSampler) -> str:
        """Pick tokens until something ends the answer; give the reason as in `Generation.finish`.

        Raises:
            Cancelled: the abort flag was set.
            ModelError: `engine.failed`, `grammar.bad`.
        """
        surplus, clock = self._surplus, time.perf_counter
        self._seed = sampler.seed
        writer = Writer(
            self._loaded, self._request, sampler, self._checked, self._n_kept, surplus.cost, surplus.draft
        )
        self._figures = writer.figures
        with contextlib.closing(writer.tokens()) as tokens:
            for n, piece in enumerate(tokens, 1):
                now_s = clock()
                if n == 1:
                    self._first_s = now_s
                if piece is None:
                    return "stop"
                self._last_s = now_s
                self.completion_tokens = n
                self._text.feed(piece[0], now_s)
                if self._text.stopped:
                    return "stop"
                if not writer.allows(n):
                    return "length"
        return "context"

    def _checked(self, code: int) -> None:
        if code or self._abort.is_set():
            self._check(code)

    def _n_kept(self) -> int:
        """Give the tokens at the beginning that stay when the context is full: the system's message."""
        loaded, messages = self._loaded, self._request.messages
        words, n_max = loaded.vocabulary, loaded.context.n_tokens_max // 2
        n_least = len(words.tokenize_prompt("")) if loaded.cache.tokens else 0
        if not messages or messages[0].role != "system":
            return n_least
        probe = (messages[0], PromptMessage(role="user", content=""))
        try:
            text = loaded.template.render(defused(loaded, probe, self._images)).encode("utf-8", "replace")
        except AppError:
            return n_least
        n_same = n_common_bytes(self._prompt, text)
        tokens = words.tokenize_prompt(self._prompt[:n_same].decode("utf-8", "replace"))
        n_kept = n_common(tokens, loaded.cache.tokens)
        return n_kept if n_least <= n_kept <= n_max else n_least

    def result(self, finish: str) -> Generation:
        """Send the text that is left and give the figures."""
        self._text.finish()
        n, seconds = self.completion_tokens, self._last_s - self._first_s
        return Generation(
            text=self._text.text,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            completion_tokens=n,
            first_token_s=self._first_s - self.started if self._first_s else None,
            tokens_per_s=(n - 1) / seconds if n > 1 and seconds > 0 else None,
            finish=finish,
            seed=self._seed,
            n_shifted=self._figures.n_shifted,
            n_drafted=self._figures.n_drafted,
            n_accepted=self._figures.n_accepted,
            from_snapshot=self._from_snapshot,
        )


def generate(
    loaded: LoadedModel,
    request: Generate,
    abort: AbortFlag,
    sink: Sink,
    surplus: Surplus,
    payload: bytes = b"",
) -> Generation:
    """Continue a conversation; the engine's thread. `payload` holds the pixels of its images.

    Raises:
        Cancelled: with the Generation so far.
        AppError: codes of `Generate`.
    """
    images = PromptImages(loaded.reader, loaded.vocabulary, request.images, payload)
    run = _Run(loaded, request, abort, sink, surplus, images)
    loaded.raise_if_changed()
    sampler: Sampler | GuidedSampler | None = None
    try:
        sampler = _sampler(loaded, request, abort, surplus)
        run.evaluate(run.prepare())
        finish = run.generate(sampler)
    except (Cancelled, RenderStopped) as stopped:
        raise Cancelled(run.result("cancelled")) from stopped
    finally:
        if sampler is not None:
            sampler.close()
        images.close()
    loaded.raise_if_changed()  # what came out of weights overwritten meanwhile is no answer
    return run.result(finish)


def _sampler(
    loaded: LoadedModel, request: Generate, abort: AbortFlag, surplus: Surplus
) -> Sampler | GuidedSampler:
    """Make what picks the tokens.

    Raises:
        ModelError: `grammar.bad`, `schema.bad`.
        Cancelled: the abort flag was set.
    """
    words = loaded.vocabulary
    if request.json_schema is not None:
        grammar = Grammar(schema_grammar(request.json_schema), words)
    elif request.grammar.strip():
        surplus.grammars.check(request.grammar, abort)
        grammar = Grammar(request.grammar, words)
    else:
        return make_sampler(request, words, loaded.context.n_tokens_max)
    return GuidedSampler(make_sampler(request, words, loaded.context.n_tokens_max), grammar, words)


def _is_guided(request: Generate) -> bool:
    return request.json_schema is not None or bool(request.grammar.strip())


def defused(
    loaded: LoadedModel, messages: tuple[PromptMessage, ...], images: PromptImages
) -> tuple[PromptMessage, ...]:
    """Give the messages with marks of their images, and control tokens defused: no text can end its turn."""
    return tuple(images.marked(message, loaded.vocabulary.defused) for message in messages)


def _keep_first(loaded: LoadedModel, n_tokens: int) -> int:
    """Cut the engine's cache and its mirror back; give the tokens kept: `n_tokens`, or 0 if it cannot.

    Recurrent models cannot drop a part, and a sliding window may have lost what the kept part needs.
    """
    context, cache, reader = loaded.context, loaded.cache, loaded.reader
    position = loaded.position(n_tokens)
    whole = n_tokens > 0 and context.keep_first(position)
    window = loaded.model.n_swa
    if whole and window and context.first_position > max(0, position - window):
        whole = False
    if not whole:
        context.clear()
        n_tokens = 0
    cache.keep_first(n_tokens)
    if reader is not None:
        reader.keep_first(n_tokens)
    return n_tokens


def _too_long(n_tokens: int, n_max: int) -> ModelError:
    return ModelError(
        "prompt.too_long",
        f"The conversation has {n_tokens:,} tokens and this model's context holds {n_max:,}.",
        "Start a new conversation, ask about fewer documents, or set a longer context.",
        {"prompt_tokens": n_tokens, "context_length": n_max},
    )
