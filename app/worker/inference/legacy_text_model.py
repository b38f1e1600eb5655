"""A model file from before GGUF on ctransformers, as the worker uses it, once it is loaded."""

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.core.errors import ModelError
from app.core.ggml_legacy import LegacyHead
from app.protocol.engine import (
    CountTokens,
    EngineInfo,
    Generate,
    Generation,
    LoadModel,
    MeasuredSpeed,
    MeasureSpeed,
    PromptMessage,
    PromptProgress,
    TokenCounts,
)
from app.worker.inference.backend import AbortFlag
from app.worker.inference.file_stamp import FileStamp, raise_if_changed
from app.worker.inference.legacy_native import LegacyModel
from app.worker.inference.template import ChatTemplate, RenderStopped
from app.worker.inference.text_model import Sink
from app.worker.inference.text_stream import TextSender
from app.worker.runtime import Cancelled

NOTE = (
    "This file is in an old format. The engine for it runs on the processor alone and knows no GPU, images, "
    "LoRA adapters, draft models, grammars or stored conversations."
)
_PROGRESS_INTERVAL_S = 0.1
_WINDOW = 64
_LARGEST_BATCH = 64
_BATCH_S = 0.08  # so that a cancel is seen soon: this engine cannot be interrupted
_PIECE_CHARS = 2_000
_WORDS = re.compile(r"\s{0,64}\S{1,128}|\s{1,64}")
_SEED_RANGE = 2**31 - 1
_BREAK = "\u2060"  # word joiner: no width, no break
# Texts that its tokenizers take for ends and turns. Source: `starcoder.cc` and `dolly.cc` there.
_CONTROLS = re.compile(
    r"<\|(?:system|user|assistant|end|end_of_turn|endoftext)\|>|<fim[-_](?:prefix|middle|suffix|pad)>"
    r"|### (?:End|Instruction:|Response:)"
)


@dataclass(frozen=True)
class LoadedFile:
    """What a loaded file consists of."""

    head: LegacyHead
    stamp: FileStamp
    model: LegacyModel
    n_threads: int
    n_context: int


class LegacyTextModel:
    """A loaded model file from before GGUF (text_model.TextModel)."""

    def __init__(
        self, options: LoadModel, loaded: LoadedFile, template: ChatTemplate, load_seconds: float
    ) -> None:
        """Take the loaded parts."""
        self._options, self._template = options, template
        self._loaded, self._model = loaded, loaded.model
        self._evaluated: list[int] = []
        self._batch = 1
        head = loaded.head
        self._info = EngineInfo(
            path=str(head.path),
            name=head.path.stem,
            architecture=head.kind,
            description=f"{head.kind} {head.n_params / 1e6:,.0f}M {head.storage}",
            n_params=head.n_params,
            context_length=loaded.n_context,
            context_trained=head.context_length,
            has_template=False,
            load_seconds=load_seconds,
            n_threads=loaded.n_threads,
            handle=options.handle,
            engine="legacy",
            n_layers=head.n_layer,
            kv_type="f32" if head.kv_bytes_per_token == 8 * head.n_layer * head.n_embd else "f16",
            notes=(NOTE,),
        )

    @property
    def options(self) -> LoadModel:
        """As it was asked for."""
        return self._options

    @property
    def info(self) -> EngineInfo:
        """As it was loaded."""
        return self._info

    def raise_if_changed(self) -> None:
        """Check the file, parts of which may be memory-mapped; raises ModelError."""
        raise_if_changed({self._loaded.head.path: self._loaded.stamp})

    def save_snapshot(self) -> None:
        """Keep nothing: this engine cannot."""

    def forget(self, conversation: str) -> None:
        """Forget nothing: it holds no conversation between two answers."""

    def close(self) -> None:
        """Free the native parts."""
        self._model.close()

    # ------------------------------------------------------------------ tokens

    def tokenize(self, text: str) -> list[int]:
        """Give the tokens of a text.

        Longer ones are cut before: the engine's regular expressions call themselves for every letter of a
        word and would end the process at some hundred thousand letters.
        """
        if not self._loaded.head.has_pieces:
            with_beginning = self._loaded.head.kind == "llama"
            return self._model.tokenize(_clean(text), with_beginning=with_beginning)
        tokens: list[int] = []
        for piece in pieces(text):
            tokens += self._model.tokenize(_clean(piece), with_beginning=False)
        return tokens

    def count(self, request: CountTokens) -> TokenCounts:
        """Count tokens of texts, or of a rendered conversation; raises ModelError where images are named."""
        if request.messages:
            _require_plain(request.images)
            prompt = self._template.render(_defused(request.messages))
            return TokenCounts(counts=(len(self.tokenize(prompt)),))
        return TokenCounts(counts=tuple(len(self.tokenize(text)) for text in request.texts))

    # ------------------------------------------------------------------ answers

    def generate(self, request: Generate, payload: bytes, abort: AbortFlag, sink: Sink) -> Generation:
        """Continue a conversation; raises as TextModel."""
        self.raise_if_changed()
        _require_plain(request.images)
        if request.grammar or request.json_schema is not None:
            raise ModelError(
                "model.unsupported",
                "The engine for old model files cannot keep an answer to a given form.",
                "Choose a model in GGUF format for this.",
            )
        answer = _Answer(self, request, (*request.stop, *self._template.stop), sink)
        try:
            finish = answer.write(abort)
        except (Cancelled, RenderStopped) as stopped:
            raise Cancelled(answer.result("cancelled")) from stopped
        return answer.result(finish)

    def prompt_tokens(self, request: Generate) -> list[int]:
        """Render and tokenize a prompt.

        Raises:
            ModelError: `prompt.template_failed`, `prompt.too_long`.
        """
        tokens = self.tokenize(self._template.render(_defused(request.messages)))
        room = self._loaded.n_context
        if len(tokens) >= room:
            raise ModelError(
                "prompt.too_long",
                f"The conversation has {len(tokens):,} tokens and this model's context holds {room:,}.",
                "Start a new conversation, ask about fewer documents, or choose another model.",
                {"prompt_tokens": len(tokens), "context_length": room},
            )
        return tokens or [self._model.end_token]

    @property
    def model(self) -> LegacyModel:
        """The native part."""
        return self._model

    def keep_common(self, tokens: Sequence[int]) -> int:
        """Forget what the context holds beyond the beginning it shares with a prompt; give its tokens."""
        n = 0
        most = min(len(tokens) - 1, len(self._evaluated))
        while n < most and tokens[n] == self._evaluated[n]:
            n += 1
        del self._evaluated[n:]
        return n

    def evaluate(self, tokens: Sequence[int], abort: AbortFlag, on_part: Callable[[int], None]) -> None:
        """Evaluate tokens behind what the context holds, in parts as large as a cancel may wait for.

        Raises:
            Cancelled: the flag was set; what was evaluated stays.
            ModelError: `engine.failed`.
        """
        done = 0
        while done < len(tokens):
            if abort.is_set():
                raise Cancelled
            part = tokens[done : done + self._batch]
            started = time.perf_counter()
            if not self._model.evaluate(part, len(self._evaluated), self._loaded.n_threads):
                self._evaluated.clear()
                raise ModelError(
                    "engine.failed",
                    "The engine for old files could not go on with this answer.",
                    "Ask again; if it happens again, choose another model.",
                    {"kind": self._loaded.head.kind},
                )
            seconds = (time.perf_counter() - started) / len(part)
            self._batch = max(1, min(_LARGEST_BATCH, 2 * self._batch, int(_BATCH_S / max(seconds, 1e-6))))
            self._evaluated += part
            done += len(part)
            on_part(done)

    # ------------------------------------------------------------------ speed

    def measure(self, request: MeasureSpeed, abort: AbortFlag) -> MeasuredSpeed:
        """Evaluate a prompt of arbitrary tokens, then single ones; raises Cancelled."""
        room = self._loaded.n_context - 1
        n_generated = min(request.n_generate, max(1, room // 2))
        n_prompt = max(1, min(request.n_prompt, room - n_generated))
        tokens = [1 + n * 7919 % (self._model.n_vocab - 1) for n in range(n_prompt + n_generated)]
        self._evaluated.clear()
        try:
            started = time.perf_counter()
            self.evaluate(tokens[:n_prompt], abort, lambda _done: None)
            middle = time.perf_counter()
            for token in tokens[n_prompt:]:
                self.evaluate([token], abort, lambda _done: None)
            ended = time.perf_counter()
        finally:
            self._evaluated.clear()
        return MeasuredSpeed(
            n_prompt=n_prompt,
            n_generated=n_generated,
            prompt_tokens_per_s=n_prompt / (middle - started),
            tokens_per_s=n_generated / (ended - middle),
            measured_bytes=self._info.measured_bytes,
        )


class _Answer:
    """One answer in the making."""

    def __init__(self, owner: LegacyTextModel, request: Generate, stop: Sequence[str], sink: Sink) -> None:
        self._started = time.perf_counter()
        self._owner, self._model, self._request, self._sink = owner, owner.model, request, sink
        self._text = TextSender(stop, sink.on_text)
        self._reported_s = float("-inf")
        self._prompt_tokens = self._cached_tokens = 0
        self._drawn: list[int] = []
        self._first_s = self._last_s = 0.0
        self._seed = request.seed
        if self._seed is None:
            self._seed = random.randrange(_SEED_RANGE)  # noqa: S311  # chooses words, guards nothing

    def write(self, abort: AbortFlag) -> str:
        """Evaluate the prompt and pick tokens until something ends the answer; give the reason."""
        tokens = self._owner.prompt_tokens(self._request)
        self._prompt_tokens = len(tokens)
        self._cached_tokens = self._owner.keep_common(tokens)
        new = tokens[self._cached_tokens :]
        self._owner.evaluate(new, abort, lambda done: self._report(done, len(new)))
        n_room = min(self._request.max_tokens, self._owner.info.context_length - len(tokens) + 1)
        for n in range(1, n_room + 1):
            token = self._pick()
            now_s = time.perf_counter()
            self._first_s = self._first_s or now_s
            if self._model.is_end(token):
                return "stop"
            self._last_s = now_s
            self._drawn.append(token)
            self._text.feed(self._model.piece(token), now_s)
            if self._text.stopped:
                return "stop"
            if n < n_room:
                self._owner.evaluate([token], abort, lambda _done: None)
        return "length" if n_room == self._request.max_tokens else "context"

    def _report(self, done: int, total: int) -> None:
        now_s = time.perf_counter()
        if done == total or now_s - self._reported_s >= _PROGRESS_INTERVAL_S:
            self._reported_s = now_s
            self._sink.on_prompt(PromptProgress(done=done, total=total, cached=self._cached_tokens))

    def _pick(self) -> int:
        """Pick the next token: the likeliest one here, a random one with the engine's own sampler."""
        request, recent = self._request, self._drawn[-_WINDOW:]
        if request.temperature <= 0:
            logits = np.array(self._model.logits(), dtype=np.float32)
            for token in set(recent):
                # The engine's own formula. Source: `gpt_sample_top_k_top_p` in `models/common.h`.
                logit = logits[token]
                logits[token] = (
                    logit * request.repeat_penalty if logit <= 0 else logit / request.repeat_penalty
                )
            return int(logits.argmax())
        n_vocab = self._model.n_vocab
        top_k = min(request.top_k or n_vocab, n_vocab)
        seed = ((self._seed or 0) + len(self._drawn)) % _SEED_RANGE  # the engine begins anew at each token
        return self._model.draw(
            recent, top_k, request.top_p, request.temperature, request.repeat_penalty, seed
        )

    def result(self, finish: str) -> Generation:
        """Send the text that is left and give the figures."""
        self._text.finish()
        n, seconds = len(self._drawn), self._last_s - self._first_s
        return Generation(
            text=self._text.text,
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached_tokens,
            completion_tokens=n,
            first_token_s=self._first_s - self._started if self._first_s else None,
            tokens_per_s=(n - 1) / seconds if n > 1 and seconds > 0 else None,
            finish=finish,
            seed=self._seed if self._request.temperature > 0 else None,
        )


def pieces(text: str) -> list[str]:
    """Cut a text into parts for the tokenizer: of some 2,000 characters, none with a very long word.

    The engine tries every part of a word, so the time for a word grows with the square of its length.
    """
    parts: list[str] = []
    begun: list[str] = []
    n_begun = 0
    for match in _WORDS.finditer(text):
        begun.append(match[0])
        n_begun += len(match[0])
        goes_on = match.end() < len(text) and not text[match.end()].isspace()
        if goes_on or n_begun >= _PIECE_CHARS:
            parts.append("".join(begun))
            begun, n_begun = [], 0
    return [*parts, "".join(begun)] if begun or not parts else parts


def _clean(text: str) -> bytes:
    """Give a text's bytes; C's texts end at NUL."""
    return text.encode("utf-8", "replace").replace(b"\0", b"")


def _defused(messages: Sequence[PromptMessage]) -> tuple[PromptMessage, ...]:
    """Give the messages with what the tokenizers take for control tokens broken by an invisible character."""
    return tuple(
        PromptMessage(
            role=message.role,
            content=_CONTROLS.sub(lambda match: match[0][0] + _BREAK + match[0][1:], message.content),
        )
        for message in messages
    )


def _require_plain(images: Sequence[object]) -> None:
    if images:
        raise ModelError(
            "model.no_images",
            "This model is in an old format that reads no images.",
            "Choose a model that reads images, or ask without the image.",
        )
