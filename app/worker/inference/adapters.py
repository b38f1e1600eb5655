"""LoRA adapters: small files that change what a loaded model writes.

Source: `llama.h` of the llama.cpp that llama-cpp-python 0.3.36 brings; `docs/gguf.md` in ggml (keys).
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.core.errors import ModelError
from app.core.gguf import read_head
from app.protocol.engine import LoraAdapter
from app.worker.inference.backend import take_errors
from app.worker.inference.native import lib
from app.worker.inference.native_model import NativeContext, NativeModel, file_name


class Adapters:
    """The adapters of one model; owns native memory. Close it before the model and the context."""

    def __init__(self) -> None:
        """Begin with none."""
        self._pointers: list[Any] = []

    def load(
        self, model: NativeModel, context: NativeContext, architecture: str, wanted: Sequence[LoraAdapter]
    ) -> None:
        """Load adapters and let them count in a context, each as strongly as it says.

        Raises:
            ModelError: `adapter.bad`, or a code of `app.core.gguf.read_head`.
        """
        if not wanted:
            return
        for adapter in wanted:
            path = Path(adapter.path)
            _check(path, architecture)
            take_errors()
            pointer = lib.llama_adapter_lora_init(model.pointer, file_name(path))
            if not pointer:
                raise _bad(path, "it does not fit this model", take_errors())
            self._pointers.append(pointer)
        n = len(wanted)
        pointers = (lib.llama_adapter_lora_p_ctypes * n)(*self._pointers)
        scales = (ctypes.c_float * n)(*(adapter.scale for adapter in wanted))
        if lib.llama_set_adapters_lora(context.pointer, pointers, n, scales):
            raise _bad(Path(wanted[0].path), "the engine could not use it", take_errors())

    def close(self, context: NativeContext) -> None:
        """Free them."""
        if self._pointers and context.pointer:
            lib.llama_set_adapters_lora(context.pointer, None, 0, None)
        for pointer in self._pointers:
            lib.llama_adapter_lora_free(pointer)
        self._pointers.clear()


def _check(path: Path, architecture: str) -> None:
    head = read_head(path)
    if head.metadata.get("general.type") != "adapter" or head.metadata.get("adapter.type") != "lora":
        raise _bad(path, "it is not a LoRA adapter")
    if head.architecture != architecture:
        raise _bad(path, f"it was made for models of the kind {head.architecture or 'unnamed'}")


def _bad(path: Path, reason: str, engine_words: str = "") -> ModelError:
    return ModelError(
        "adapter.bad",
        f"The adapter “{path.name}” cannot be used with this model: {reason}.",
        "Choose an adapter that was made for this model, or none.",
        {"engine": engine_words[:500]} if engine_words else None,
    )
