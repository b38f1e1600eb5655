"""A GGUF model on llama.cpp, as the worker uses it."""

import time
from dataclasses import replace
from pathlib import Path

from app.core.errors import ModelError
from app.protocol.engine import (
    CountTokens,
    EngineInfo,
    Generate,
    Generation,
    LoadModel,
    MeasuredSpeed,
    MeasureSpeed,
    TokenCounts,
)
from app.worker.inference.adapters import Adapters
from app.worker.inference.backend import AbortFlag
from app.worker.inference.conversation_state import ConversationState
from app.worker.inference.draft_model import DraftModel, open_draft
from app.worker.inference.file_stamp import FileStamp
from app.worker.inference.generation import Surplus, defused, generate
from app.worker.inference.grammar_check import GrammarCheck
from app.worker.inference.loaded_model import LoadedModel
from app.worker.inference.native_model import ABORTED, DECODED
from app.worker.inference.speculation import BatchCost
from app.worker.inference.text_model import Sink, Surroundings
from app.worker.inference.vision import PromptImages
from app.worker.runtime import Cancelled


class LlamaTextModel:
    """A loaded GGUF model (text_model.TextModel)."""

    def __init__(self, loaded: LoadedModel, surplus: Surplus, adapters: Adapters) -> None:
        """Take the loaded parts."""
        self._loaded, self._surplus, self._adapters = loaded, surplus, adapters

    @property
    def options(self) -> LoadModel:
        """As it was asked for."""
        return self._loaded.options

    @property
    def info(self) -> EngineInfo:
        """As it was loaded."""
        return self._loaded.info

    def raise_if_changed(self) -> None:
        """Check the files under the memory map; raises ModelError."""
        self._loaded.raise_if_changed()

    def generate(self, request: Generate, payload: bytes, abort: AbortFlag, sink: Sink) -> Generation:
        """Continue a conversation; raises as TextModel."""
        return generate(self._loaded, request, abort, sink, self._surplus, payload)

    def count(self, request: CountTokens) -> TokenCounts:
        """Count tokens of texts, or of a rendered conversation."""
        words = self._loaded.vocabulary
        if request.messages:
            images = PromptImages(self._loaded.reader, words, request.images)
            prompt = self._loaded.template.render(defused(self._loaded, request.messages, images))
            return TokenCounts(counts=(len(images.tokenize_prompt(prompt)),))
        return TokenCounts(counts=tuple(words.count(text) for text in request.texts))

    def measure(self, request: MeasureSpeed, abort: AbortFlag) -> MeasuredSpeed:
        """Evaluate a prompt of arbitrary tokens in the usual batches, then single ones; raises Cancelled."""
        loaded = self._loaded
        room = loaded.context.n_tokens_max - 1
        n_generated = min(request.n_generate, max(1, room // 2))
        n_prompt = max(1, min(request.n_prompt, room - n_generated))
        self._surplus.state.save()
        self._surplus.state.forget("")
        try:
            started = time.perf_counter()
            for at in range(0, n_prompt, loaded.n_batch):
                self._decode([self._token(n) for n in range(at, min(at + loaded.n_batch, n_prompt))], abort)
            middle = time.perf_counter()
            for n in range(n_generated):
                self._decode([self._token(n_prompt + n)], abort)
            ended = time.perf_counter()
        finally:
            self._empty()
        return MeasuredSpeed(
            n_prompt=n_prompt,
            n_generated=n_generated,
            prompt_tokens_per_s=n_prompt / (middle - started),
            tokens_per_s=n_generated / (ended - middle),
            # Buffers for a full context are reserved at loading, and touched as it fills.
            measured_bytes=max(loaded.info.measured_bytes, loaded.meter.peak_bytes()),
        )

    def _token(self, n: int) -> int:
        return 1 + n * 7919 % (self._loaded.vocabulary.n_tokens - 1)

    def _empty(self) -> None:
        self._loaded.context.clear()
        self._loaded.cache.clear()
        if self._loaded.reader is not None:
            self._loaded.reader.keep_first(0)

    def _decode(self, tokens: list[int], abort: AbortFlag) -> None:
        code = self._loaded.context.decode(tokens)
        if code == ABORTED or abort.is_set():
            raise Cancelled
        if code != DECODED:
            raise ModelError(
                "engine.failed",
                "The engine could not evaluate a test prompt.",
                "Load the model again, or choose another one.",
                {"engine_code": code},
            )

    def save_snapshot(self) -> None:
        """Keep the KV cache of the conversation that the context holds."""
        self._surplus.state.save()

    def forget(self, conversation: str) -> None:
        """Drop a conversation from memory; any, where it is empty."""
        self._surplus.state.forget(conversation)

    def close(self) -> None:
        """Free the native parts."""
        if self._surplus.draft is not None:
            self._surplus.draft.close()
        self._adapters.close(self._loaded.context)
        self._loaded.close()


def complete(loaded: LoadedModel, around: Surroundings) -> LlamaTextModel:
    """Load what belongs to a loaded model: LoRA adapters and a draft model; it is closed where that fails.

    Raises:
        ModelError: `adapter.bad`, `draft.bad`, or a code of `app.core.gguf.read_head`.
    """
    options, adapters = loaded.options, Adapters()
    try:
        others = [*(adapter.path for adapter in options.loras), options.draft, options.projector]
        for name in filter(None, others):
            loaded.stamps[Path(name)] = _stamp(Path(name))
        adapters.load(loaded.model, loaded.context, loaded.info.architecture, options.loras)
        draft = _draft(loaded, around)
        surplus = Surplus(ConversationState(loaded), BatchCost(), GrammarCheck(Path(options.path)), draft)
    except BaseException:
        adapters.close(loaded.context)
        loaded.close()
        raise
    return LlamaTextModel(loaded, surplus, adapters)


def _stamp(path: Path) -> FileStamp:
    try:
        return FileStamp.of(path)
    except OSError as error:
        raise ModelError(
            "model.not_found",
            f"The file “{path.name}” that belongs to this model is not there.",
            "Put it back, or take it out of the settings of the model.",
        ) from error


def _draft(loaded: LoadedModel, around: Surroundings) -> DraftModel | None:
    if not loaded.options.draft:
        return None
    path = Path(loaded.options.draft)
    draft = open_draft(
        path,
        loaded.model,
        loaded.context.n_tokens_max,
        loaded.n_batch,
        loaded.info.n_threads,
        around.abort,
        use_gpu=loaded.info.n_gpu_layers > 0,
    )
    if draft is None:
        note = f"“{path.name}” does not guess ahead: too little memory is free for it."
        loaded.info = replace(loaded.info, notes=(*loaded.info.notes, note))
    return draft
