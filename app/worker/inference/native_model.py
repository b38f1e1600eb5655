"""A model and a context of llama.cpp, over its C interface; objects own native memory: call `close`.

The high-level class of llama-cpp-python is not used: it copies the logits of every token and gives no control
over the KV cache.

Source: `llama.h` of the llama.cpp that llama-cpp-python 0.3.36 brings.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.worker.inference.backend import AbortFlag, take_errors
from app.worker.inference.native import lib

DECODED, ABORTED = 0, 2
ALL_LAYERS = -1
# Source: `enum ggml_type` in ggml.h.
KV_NUMBERS = {"f16": 1, "q8_0": 8, "q4_0": 2}
FLASH_NUMBERS = {"auto": -1, "off": 0, "on": 1}
MAX_OUTPUTS = 16
"""Tokens of one call whose logits are wanted: one, and those guessed ahead."""

_SEQUENCE, _TO_THE_END = 0, -1


def file_name(path: Path) -> bytes:
    """Give a path as the engine takes it: UTF-8 on Windows, the system's bytes elsewhere."""
    return str(path).encode() if sys.platform == "win32" else os.fsencode(path)


class NativeModel:
    """A loaded model file.

    Attributes:
        pointer: `llama_model *`.
        vocab: `llama_vocab *`.
    """

    def __init__(
        self,
        path: Path,
        on_progress: Callable[[float], bool],
        *,
        use_gpu: bool = True,
        gpu_layers: int = ALL_LAYERS,
    ) -> None:
        """Load the weights, memory-mapped; blocks.

        Args:
            path: a file that passed `app.core.gguf.read_head`.
            on_progress: told 0 to 1; returning False ends the loading.
            use_gpu: the GPUs that the engine found may be used.
            gpu_layers: the last so many repeating layers go there, and the output matrix with them.

        Raises:
            OSError: the engine refused the file or was told to stop; `take_errors` says why.
        """
        parameters = lib.llama_model_default_params()
        if not use_gpu or not gpu_layers:
            self._no_devices = (ctypes.c_void_p * 1)(None)  # a list that ends at once
            parameters.devices = ctypes.addressof(self._no_devices)
        elif gpu_layers != ALL_LAYERS:
            parameters.n_gpu_layers = gpu_layers + 1  # the engine counts the output matrix as one
        parameters.progress_callback = lib.llama_progress_callback(lambda done, _data: on_progress(done))
        take_errors()
        self.pointer: Any = lib.llama_model_load_from_file(file_name(path), parameters)
        if not self.pointer:
            raise OSError("llama.cpp did not load the file")
        self.vocab: Any = lib.llama_model_get_vocab(self.pointer)

    def close(self) -> None:
        """Free it; contexts must be closed before."""
        if self.pointer:
            lib.llama_model_free(self.pointer)
            self.pointer = None

    @property
    def description(self) -> str:
        """Family, size and storage type as the engine names them."""
        buffer = ctypes.create_string_buffer(256)
        lib.llama_model_desc(self.pointer, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @property
    def n_params(self) -> int:
        """Number of weights."""
        return int(lib.llama_model_n_params(self.pointer))

    @property
    def n_swa(self) -> int:
        """Tokens of the sliding attention window; 0 where there is none."""
        return int(lib.llama_model_n_swa(self.pointer))

    @property
    def can_forget(self) -> bool:
        """Whether the last tokens can always be dropped again, as guesses that were wrong must be.

        A recurrent state cannot go back, and a sliding window may have lost what stood before them.
        """
        keeps_state = lib.llama_model_is_recurrent(self.pointer) or lib.llama_model_is_hybrid(self.pointer)
        return not keeps_state and not self.n_swa

    @property
    def generates_text(self) -> bool:
        """Whether it continues text by itself (embedding models and encoder-decoders do not)."""
        return bool(lib.llama_model_has_decoder(self.pointer)) and not lib.llama_model_has_encoder(
            self.pointer
        )


class NativeContext:
    """A context of one sequence over a model: its KV cache and compute buffers. One thread at a time.

    Attributes:
        n_tokens_max: tokens that fit.
        n_batch_max: tokens that can be evaluated at once.
        n_outputs_max: tokens that `decode_all` takes.
    """

    def __init__(
        self,
        model: NativeModel,
        n_ctx: int,
        n_batch: int,
        n_threads: int,
        abort: AbortFlag,
        *,
        kv_type: str = "f16",
        flash_attention: str = "auto",
    ) -> None:
        """Allocate the context.

        Args:
            model: whose context it is.
            n_ctx: tokens.
            n_batch: tokens evaluated in one call, at most.
            n_threads: of the processor.
            abort: read between the nodes of a graph.
            kv_type: a key of KV_NUMBERS.
            flash_attention: a key of FLASH_NUMBERS.

        Raises:
            MemoryError: the engine could not.
        """
        parameters = lib.llama_context_default_params()
        parameters.n_ctx = n_ctx
        parameters.n_batch = parameters.n_ubatch = n_batch
        parameters.n_threads = parameters.n_threads_batch = n_threads
        # Of a prompt only the last token's logits are wanted: saves n_vocab floats for the others.
        parameters.n_outputs_max = min(MAX_OUTPUTS, n_batch)
        parameters.type_k = parameters.type_v = KV_NUMBERS[kv_type]
        parameters.flash_attn_type = FLASH_NUMBERS[flash_attention]
        parameters.abort_callback = abort.callback
        parameters.abort_callback_data = abort.address
        self._abort = abort  # keeps the flag's memory alive
        self.pointer: Any = lib.llama_init_from_model(model.pointer, parameters)
        if not self.pointer:
            raise MemoryError("llama.cpp did not make the context")
        self._memory: Any = lib.llama_get_memory(self.pointer)
        self.n_tokens_max = int(lib.llama_n_ctx(self.pointer))
        self.n_batch_max = n_batch
        self.n_outputs_max = min(MAX_OUTPUTS, n_batch)
        self._n_vocab = int(lib.llama_vocab_n_tokens(model.vocab))
        self._all_outputs = (ctypes.c_int8 * MAX_OUTPUTS)(*[1] * MAX_OUTPUTS)
        self._one = (ctypes.c_int32 * 1)()
        self._one_batch = lib.llama_batch(
            n_tokens=1, token=ctypes.cast(self._one, ctypes.POINTER(ctypes.c_int32))
        )

    def close(self) -> None:
        """Free it."""
        if self.pointer:
            lib.llama_free(self.pointer)
            self.pointer = None

    def decode(self, tokens: Sequence[int], position: int | None = None) -> int:
        """Evaluate tokens behind what the cache holds; return the engine's code (DECODED, ABORTED, …).

        Args:
            tokens: at most as many as fit into a batch.
            position: of the first one, where it is not the one behind the last (after some images).
        """
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        batch = lib.llama_batch(
            n_tokens=len(tokens), token=ctypes.cast(array, ctypes.POINTER(ctypes.c_int32))
        )
        if position is not None:
            places = (ctypes.c_int32 * len(tokens))(*range(position, position + len(tokens)))
            batch.pos = ctypes.cast(places, ctypes.POINTER(ctypes.c_int32))
        return int(lib.llama_decode(self.pointer, batch))

    def decode_one(self, token: int) -> int:
        """Evaluate one token, without allocating."""
        self._one[0] = token
        code: int = lib.llama_decode(self.pointer, self._one_batch)
        return code

    def decode_all(self, tokens: Sequence[int]) -> int:
        """Evaluate up to `n_outputs_max` tokens and keep the logits of each; code as `decode`."""
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        batch = lib.llama_batch(
            n_tokens=len(tokens),
            token=ctypes.cast(array, ctypes.POINTER(ctypes.c_int32)),
            logits=ctypes.cast(self._all_outputs, ctypes.POINTER(ctypes.c_int8)),
        )
        return int(lib.llama_decode(self.pointer, batch))

    def synchronize(self) -> None:
        """Wait until what was evaluated is there: a GPU works on while `decode` returns."""
        lib.llama_synchronize(self.pointer)

    def logits(self, output: int = -1) -> "np.ndarray[Any, Any]":
        """Give the logits behind an output of the last evaluation, (n_vocab,) float32; a view."""
        pointer = lib.llama_get_logits_ith(self.pointer, output)
        return np.ctypeslib.as_array(pointer, (self._n_vocab,))

    def drop(self, first: int, n_tokens: int) -> None:
        """Drop tokens and move what follows them to their place; only where `can_shift`."""
        lib.llama_memory_seq_rm(self._memory, _SEQUENCE, first, first + n_tokens)
        lib.llama_memory_seq_add(self._memory, _SEQUENCE, first + n_tokens, _TO_THE_END, -n_tokens)

    @property
    def can_shift(self) -> bool:
        """Whether tokens can be moved to other positions."""
        return bool(lib.llama_memory_can_shift(self._memory))

    @property
    def state_bytes(self) -> int:
        """Bytes that `save_state` writes, about."""
        return int(lib.llama_state_seq_get_size(self.pointer, _SEQUENCE))

    def save_state(self, path: Path, tokens: Sequence[int]) -> int:
        """Write the cache and its tokens to a file; give the bytes written, 0 where it failed."""
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        return int(
            lib.llama_state_seq_save_file(self.pointer, file_name(path), _SEQUENCE, array, len(tokens))
        )

    def load_state(self, path: Path, n_tokens: int) -> list[int]:
        """Fill the empty cache from a file that `save_state` wrote; give its tokens, none if it failed.

        Only for files whose content was checked: the engine trusts what it reads.
        """
        array, n_read = (ctypes.c_int32 * n_tokens)(), ctypes.c_size_t()
        done = lib.llama_state_seq_load_file(
            self.pointer, file_name(path), _SEQUENCE, array, n_tokens, ctypes.byref(n_read)
        )
        return array[: n_read.value] if done else []

    def wait(self) -> None:
        """Wait until what was asked of the devices is done."""
        lib.llama_synchronize(self.pointer)

    def keep_first(self, position: int) -> bool:
        """Drop everything from a position on; False where this model's cache cannot.

        The position is the number of tokens, except behind images of models that place them in two
        dimensions.
        """
        return bool(lib.llama_memory_seq_rm(self._memory, _SEQUENCE, position, _TO_THE_END))

    def clear(self) -> None:
        """Drop everything."""
        lib.llama_memory_clear(self._memory, True)

    @property
    def first_position(self) -> int:
        """The oldest position that the cache still holds for all layers; -1 where it is empty."""
        return int(lib.llama_memory_seq_pos_min(self._memory, _SEQUENCE))
