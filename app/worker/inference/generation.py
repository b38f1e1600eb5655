"""Answering: evaluate what is new of the prompt, then pick token after token."""

import logging
import random
import time

from app.core.errors import ModelError
from app.protocol.engine import Generate, Generation, PromptMessage, PromptProgress
from app.worker.inference.backend import AbortFlag
from app.worker.inference.engine import LoadedModel
from app.worker.inference.native_model import ABORTED, DECODED
from app.worker.inference.sampler import Sampler
from app.worker.inference.template import RenderStopped
from app.worker.inference.text_model import Sink
from app.worker.inference.text_stream import TextStream
from app.worker.inference.vision import PromptImages, n_text, whole_images
from app.worker.runtime import Cancelled

log = logging.getLogger(__name__)

_PROGRESS_INTERVAL_S = 0.1
# Messages of several tokens: each costs the host and the front end time on the cores that generate. A person
# sees 30 pictures a second; a token waits at most for the next one, and only while tokens come faster than
# this.
_TEXT_INTERVAL_S = 0.033
_SEED_RANGE = 2**32 - 1  # the engine takes the last value for "random"


class _Run:
    """One answer in the making."""

    def __init__(
        self, loaded: LoadedModel, request: Generate, abort: AbortFlag, sink: Sink, images: PromptImages
    ) -> None:
        self.started = time.perf_counter()
        self._images = images
        self._loaded, self._request, self._abort, self._sink = loaded, request, abort, sink
        self._stream = TextStream((*request.stop, *loaded.template.stop))
        self._pending: list[str] = []
        self._sent_s = float("-inf")
        self.prompt_tokens = self.cached_tokens = self.completion_tokens = 0
        self._first_s = self._last_s = 0.0

    # ------------------------------------------------------------------ prompt

    def prepare(self) -> list[int]:
        """Render and tokenize the prompt, cut the cache back to what it shares with it; give what is left.

        Raises:
            ModelError: `prompt.template_failed`, `prompt.too_long`.
        """
        loaded = self._loaded
        images = self._images
        prompt = loaded.template.render(defused(loaded, self._request.messages, images))
        plan = loaded.cache.plan(prompt, images.tokenize_prompt, images.tokenize_continuation)
        n_reused = whole_images(plan.tokens, plan.n_reused)
        self.prompt_tokens = len(plan.tokens)
        if self.prompt_tokens >= loaded.context.n_tokens_max:
            raise _too_long(self.prompt_tokens, loaded.context.n_tokens_max)
        self.cached_tokens = n_reused
        if n_reused < len(loaded.cache.tokens):
            self.cached_tokens = _keep_first(loaded, n_reused)
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

    def generate(self, sampler: Sampler) -> str:
        """Pick tokens until something ends the answer; give the reason as in `Generation.finish`.

        Raises:
            Cancelled: the abort flag was set.
            ModelError: `engine.failed`.
        """
        loaded = self._loaded
        context, cache, piece_of = loaded.context, loaded.cache, loaded.vocabulary.piece
        next_token, decode_one, clock = sampler.next_token, context.decode_one, time.perf_counter
        n_room = min(self._request.max_tokens, context.n_tokens_max - self.prompt_tokens + 1)
        for n in range(1, n_room + 1):
            token = next_token(context)
            now_s = clock()
            if n == 1:
                self._first_s = now_s
            piece = piece_of(token)
            if piece is None:
                return "stop"
            self._last_s = now_s
            self.completion_tokens = n
            self._give(piece[0], now_s)
            if self._stream.stopped:
                return "stop"
            if n == n_room:
                break
            code = decode_one(token)
            if code or self._abort.is_set():
                self._check(code)
            cache.add_generated(token, piece[1])
        return "length" if n_room == self._request.max_tokens else "context"

    def _give(self, piece: bytes, now_s: float) -> None:
        text = self._stream.feed(piece)
        if text:
            self._pending.append(text)
        if self._pending and now_s - self._sent_s >= _TEXT_INTERVAL_S:
            self._sent_s = now_s
            self._send()

    def _send(self) -> None:
        text = "".join(self._pending)
        self._pending.clear()
        if text:
            self._sink.on_text(text)

    def result(self, finish: str) -> Generation:
        """Send the text that is left and give the figures."""
        self._pending.append(self._stream.finish())
        self._send()
        n, seconds = self.completion_tokens, self._last_s - self._first_s
        return Generation(
            text=self._stream.text,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            completion_tokens=n,
            first_token_s=self._first_s - self.started if self._first_s else None,
            tokens_per_s=(n - 1) / seconds if n > 1 and seconds > 0 else None,
            finish=finish,
        )


def generate(
    loaded: LoadedModel, request: Generate, abort: AbortFlag, sink: Sink, payload: bytes = b""
) -> Generation:
    """Continue a conversation; the engine's thread. `payload` holds the pixels of its images.

    Raises:
        Cancelled: with the Generation so far.
        AppError: codes of `Generate`.
    """
    images = PromptImages(loaded.reader, loaded.vocabulary, request.images, payload)
    run = _Run(loaded, request, abort, sink, images)
    loaded.raise_if_changed()
    sampler = make_sampler(request, loaded.vocabulary.n_tokens)
    try:
        run.evaluate(run.prepare())
        finish = run.generate(sampler)
    except (Cancelled, RenderStopped) as stopped:
        raise Cancelled(run.result("cancelled")) from stopped
    finally:
        sampler.close()
        images.close()
    loaded.raise_if_changed()  # what came out of weights overwritten meanwhile is no answer
    return run.result(finish)


def make_sampler(request: Generate, n_vocab: int) -> Sampler:
    """Build the chain that a request asks for."""
    sampler = Sampler()
    n_wanted = 1 if request.temperature <= 0 else request.top_k
    if request.repeat_penalty != 1.0:
        sampler.add_repeat_penalty(n_vocab, request.repeat_penalty, n_wanted)
    if request.temperature <= 0:
        sampler.add_greedy()
    else:
        seed = request.seed
        if seed is None:
            seed = random.randrange(_SEED_RANGE)  # noqa: S311  # chooses words, guards nothing
        sampler.add_random(
            request.temperature, request.top_k, request.top_p, request.min_p, seed % _SEED_RANGE
        )
    return sampler


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
    position = reader.position(n_tokens) if reader is not None else n_tokens
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
