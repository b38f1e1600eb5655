"""One loaded model and everything that belongs to it; loading and unloading."""

import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import ModelError
from app.core.gguf import GgufHead, read_head
from app.protocol.engine import EngineInfo, LoadModel
from app.worker.inference.backend import has_gpu, take_errors
from app.worker.inference.cores import generation_threads
from app.worker.inference.memory import MemoryPlan, available_memory, plan_memory
from app.worker.inference.native_model import NativeContext, NativeModel
from app.worker.inference.prompt_cache import PromptCache
from app.worker.inference.template import ChatTemplate, Renderer, fallback_template
from app.worker.inference.text_model import Surroundings
from app.worker.inference.vocabulary import Vocabulary
from app.worker.inference.warming import read_ahead
from app.worker.runtime import Cancelled

log = logging.getLogger(__name__)

_READING_SHARE = 0.8
_PROGRESS_INTERVAL_S = 0.1
_SPLIT_NAME = re.compile(r"^(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")

Progress = Callable[[float], None]


@dataclass(frozen=True)
class FileStamp:
    """What tells that a file is still the one that was loaded."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileStamp":
        """Read it; raises OSError."""
        status = os.stat(path)  # noqa: PTH116
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass
class LoadedModel:
    """A model ready to generate.

    Attributes:
        n_batch: tokens of a prompt evaluated in one call.
        cache: mirror of the context's KV cache.
    """

    options: LoadModel
    stamps: dict[Path, FileStamp]
    model: NativeModel
    context: NativeContext
    vocabulary: Vocabulary
    template: ChatTemplate
    cache: PromptCache
    n_batch: int
    info: EngineInfo

    def raise_if_changed(self) -> None:
        """Check the files under the memory map: one that was overwritten gives garbage without an error.

        Raises:
            ModelError: `model.changed`.
        """
        for path, stamp in self.stamps.items():
            try:
                same = FileStamp.of(path) == stamp
            except OSError:
                same = False
            if not same:
                raise ModelError(
                    "model.changed",
                    f"The model file “{path.name}” was changed or removed while the model was in use.",
                    "Load the model again, or choose another one.",
                )

    def close(self) -> None:
        """Free the native parts."""
        self.context.close()
        self.model.close()


def load_model(options: LoadModel, around: Surroundings) -> LoadedModel:
    """Check, read and load a model file; the thread that will generate calls it.

    Raises:
        ModelError: codes of `LoadModel`.
        Cancelled: on request.
    """
    started = time.perf_counter()
    report = _throttled(lambda done: around.on_progress(done, ""))
    is_cancelled = around.is_cancelled
    head = read_head(Path(options.path))
    paths = _parts(head)
    stamps = {path: _stamp(path) for path in paths}
    weight_bytes = head.weight_bytes + sum(read_head(path).weight_bytes for path in paths[1:])
    n_batch = batch_tokens(head.n_params * weight_bytes // max(head.weight_bytes, 1))
    plan = plan_memory(head, weight_bytes, options.context_length, n_batch, available_memory())
    for path in paths:
        read_ahead(path, lambda done: report(done * _READING_SHARE), is_cancelled)
    if is_cancelled():
        raise Cancelled
    loaded = _load(options, head, plan, n_batch, stamps, around, report)
    report(1.0)
    return replace(loaded, info=replace(loaded.info, load_seconds=time.perf_counter() - started))


def batch_tokens(n_params: int) -> int:
    """Choose how many prompt tokens are evaluated in one call.

    Large batches are faster (512: 430 tokens a second on two cores with the starter model, 128: 415, 32:
    310), small
    ones make progress visible and let the abort flag be read: the engine reads it between the nodes of a
    graph, and one matrix product of 512 tokens takes half a second on two cores with a model of 8 billion
    weights. The choice depends on the model alone, so that the same prompt is always cut, and therefore
    rounded, in the same way.
    """
    if n_params < 1_000_000_000:
        return 512
    return 128 if n_params < 4_000_000_000 else 64


def _load(
    options: LoadModel,
    head: GgufHead,
    plan: MemoryPlan,
    n_batch: int,
    stamps: dict[Path, FileStamp],
    around: Surroundings,
    report: Progress,
) -> LoadedModel:
    is_cancelled = around.is_cancelled

    def on_native_progress(done: float) -> bool:
        report(_READING_SHARE + done * (1 - _READING_SHARE))
        return not is_cancelled()

    n_threads = options.n_threads or generation_threads()

    def open_native(*, use_gpu: bool) -> tuple[NativeModel, NativeContext, Vocabulary]:
        model = NativeModel(Path(options.path), on_native_progress, use_gpu=use_gpu)
        try:
            if not model.generates_text:
                raise _not_a_chat_model(head)
            context = NativeContext(model, plan.n_ctx, n_batch, n_threads, around.abort)
            return model, context, Vocabulary(model)
        except BaseException:
            model.close()
            raise

    model, context, vocabulary = _with_gpu_if_possible(open_native, head, is_cancelled)
    return LoadedModel(
        options=options,
        stamps=stamps,
        model=model,
        context=context,
        vocabulary=vocabulary,
        template=_chat_template(head, vocabulary, around.renderer),
        cache=PromptCache(),
        n_batch=n_batch,
        info=_info(options, head, model, context, n_threads),
    )


def _with_gpu_if_possible(
    open_native: Callable[..., tuple[NativeModel, NativeContext, Vocabulary]],
    head: GgufHead,
    is_cancelled: Callable[[], bool],
) -> tuple[NativeModel, NativeContext, Vocabulary]:
    """Load onto the GPUs that the engine found, and onto the processor alone where that fails.

    Raises:
        ModelError: neither worked.
        Cancelled: on request.
    """
    for use_gpu in (True, False) if has_gpu() else (False,):
        try:
            return open_native(use_gpu=use_gpu)
        except (OSError, MemoryError) as error:
            if is_cancelled():
                raise Cancelled from error
            words = take_errors()
            if not use_gpu:
                raise _load_failed(head, words) from error
            log.info("the model could not be loaded onto the GPU and goes to the processor: %s", words)
    raise AssertionError("the processor is always tried")


def _info(
    options: LoadModel, head: GgufHead, model: NativeModel, context: NativeContext, n_threads: int
) -> EngineInfo:
    return EngineInfo(
        path=str(head.path),
        name=head.path.stem,
        architecture=head.architecture,
        description=model.description,
        n_params=model.n_params,
        context_length=context.n_tokens_max,
        context_trained=head.context_trained,
        has_template=head.chat_template is not None,
        load_seconds=0.0,
        handle=options.handle,
        n_layers=head.number("block_count"),
        n_threads=n_threads,
    )


def _chat_template(head: GgufHead, vocabulary: Vocabulary, renderer: Renderer) -> ChatTemplate:
    if head.chat_template is not None:
        source, stop = head.chat_template, tuple[str, ...]()
    else:
        knows_chatml = vocabulary.has("<|im_start|>") and vocabulary.has("<|im_end|>")
        source, stop = fallback_template(knows_chatml)
    return ChatTemplate(source, vocabulary.bos_text, vocabulary.eos_text, renderer, stop)


def _parts(head: GgufHead) -> list[Path]:
    """Give all files of a model that is split into several, the first one first.

    Raises:
        ModelError: `model.load_failed`: it is not the first part.
    """
    if head.split_count == 1:
        return [head.path]
    name = _SPLIT_NAME.match(head.path.name)
    if name is None or int(name["number"]) != 1:
        raise ModelError(
            "model.load_failed",
            f"“{head.path.name}” is a later part of a model that is split into {head.split_count} files.",
            "Choose the first part, whose name contains 00001-of.",
        )
    return [
        head.path.with_name(f"{name['stem']}-{number:05d}-of-{name['count']}.gguf")
        for number in range(1, head.split_count + 1)
    ]


def _stamp(path: Path) -> FileStamp:
    try:
        return FileStamp.of(path)
    except OSError as error:
        raise ModelError(
            "model.not_found",
            f"The model file “{path.name}” is not there.",
            "Put it back beside the other parts, or choose another model.",
        ) from error


def _throttled(on_progress: Progress) -> Progress:
    last_s = 0.0

    def report(done: float) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if done >= 1.0 or now_s - last_s >= _PROGRESS_INTERVAL_S:
            last_s = now_s
            on_progress(done)

    return report


def _load_failed(head: GgufHead, engine_words: str) -> ModelError:
    context = {"engine": engine_words[:500], "architecture": head.architecture}
    # The engine has no codes: an architecture or tokenizer newer than it is told apart by its words alone.
    if "unknown model architecture" in engine_words or "unknown pre-tokenizer" in engine_words:
        return ModelError(
            "model.unsupported",
            f"“{head.path.name}” is of a kind ({head.architecture or 'unnamed'}) that this program's "
            "engine does not know.",
            "Update the program, or choose another model.",
            context,
        )
    return ModelError(
        "model.load_failed",
        f"The engine could not load “{head.path.name}”.",
        "Download the model again, or choose another one; the log in the data folder says more.",
        context,
    )


def _not_a_chat_model(head: GgufHead) -> ModelError:
    return ModelError(
        "model.unsupported",
        f"“{head.path.name}” does not write text: it is made for embedding or translation.",
        "Choose a chat model.",
        {"architecture": head.architecture},
    )
