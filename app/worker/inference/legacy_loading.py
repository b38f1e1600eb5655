"""Loading a model file from before GGUF with ctransformers: checked, within the memory that is free."""

import time
from pathlib import Path

from app.core.errors import ModelError
from app.core.ggml_legacy import LegacyHead, read_legacy_head
from app.core.prompt_formats import format_for
from app.protocol.engine import LoadModel
from app.worker.inference.cores import generation_threads
from app.worker.inference.file_stamp import FileStamp
from app.worker.inference.legacy_native import LegacyModel, bindings
from app.worker.inference.legacy_text_model import NOTE, LegacyTextModel, LoadedFile
from app.worker.inference.memory import available_memory
from app.worker.inference.template import ChatTemplate, template_for
from app.worker.inference.text_model import Surroundings
from app.worker.inference.warming import read_ahead
from app.worker.runtime import Cancelled

_READING_SHARE = 0.8
# What the engine takes beside weights and KV cache: two or three fixed buffers of 256 MB.
_BUFFER_BYTES = 3 * 256 * 1024 * 1024
_DEFAULT_CONTEXT = 2_048  # of the architectures whose files do not name it
_GIB = 1024**3


def load_legacy(options: LoadModel, around: Surroundings) -> LegacyTextModel:
    """Check, read and load a model file; the thread that will generate calls it.

    Raises:
        ModelError: codes of `LoadModel`.
        Cancelled: on request.
    """
    started = time.perf_counter()
    path = Path(options.path)
    head = read_legacy_head(path)
    if options.projector:
        raise ModelError(
            "projector.bad",
            f"“{path.name}” is in an old format that reads no images.",
            "Choose a newer model, or this one without a projector.",
        )
    bindings()
    n_context = _context_length(head, options.context_length)
    _require_memory(head, n_context)
    stamp = FileStamp.of(path)
    read_ahead(path, lambda done: around.on_progress(done * _READING_SHARE, ""), around.is_cancelled)
    if around.is_cancelled():
        raise Cancelled
    n_threads = options.n_threads or generation_threads()
    try:
        model = LegacyModel(path, head.kind, n_context)
    except OSError as error:
        raise ModelError(
            "model.load_failed",
            f"The engine for old files could not load “{path.name}”.",
            "Choose a newer file of the same model in GGUF format, or another model.",
            {"kind": head.kind},
        ) from error
    around.on_progress(1.0, NOTE)
    source, stop = _template(options, head)
    loaded = LoadedFile(head, stamp, model, n_threads, min(model.n_context, n_context))
    template = ChatTemplate(source, "", "", around.renderer, stop)
    return LegacyTextModel(options, loaded, template, time.perf_counter() - started)


def _template(options: LoadModel, head: LegacyHead) -> tuple[str, tuple[str, ...]]:
    """Choose template and stop strings: such files bring none, so the name tells where nothing was chosen."""
    if options.template.strip() or options.prompt_format:
        return template_for(options, None, lambda _text: False)
    chosen = format_for(head.kind, head.path.stem, lambda _text: False)
    return chosen.template, chosen.stop


def _context_length(head: LegacyHead, wished: int) -> int:
    """Choose the context: where the file names it, the engine takes no other."""
    return head.context_length or wished or _DEFAULT_CONTEXT


def _require_memory(head: LegacyHead, n_context: int) -> None:
    needed = head.weight_bytes + n_context * head.kv_bytes_per_token + _BUFFER_BYTES
    available = available_memory()
    if needed > available:
        raise ModelError(
            "model.too_large",
            f"“{head.path.name}” needs about {needed / _GIB:.1f} GB of memory, and {available / _GIB:.1f} GB "
            "are free.",
            "Close other programs, or choose a smaller model.",
            {"needed_bytes": needed, "available_bytes": available, "n_ctx": n_context},
        )
