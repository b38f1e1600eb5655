"""The thin layer over llama.cpp's C interface: model, context, sampler, abort flag, log.

The high-level class of llama-cpp-python is not used: it copies the logits of every token and
gives no control over the KV cache. Objects here own native memory: call `close`.

Source: `llama.h` of the llama.cpp that llama-cpp-python 0.3.36 brings.
"""

import ctypes
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

from app.worker.inference.native import lib, load_plugins

log = logging.getLogger(__name__)

DECODED, ABORTED = 0, 2
REPEAT_WINDOW = 64
_SEQUENCE, _TO_THE_END = 0, -1
_LOG_LEVELS = {3: logging.WARNING, 4: logging.ERROR}

_recent_errors: deque[str] = deque(maxlen=20)
_flags: "WeakSet[AbortFlag]" = WeakSet()


def _on_log(level: int, text: bytes, _user_data: Any) -> None:
    """Pass the engine's warnings and errors to the log; called from any of its threads."""
    severity = _LOG_LEVELS.get(level)
    if any(flag.is_set() for flag in _flags):  # it calls every abort an error
        severity = None
    line = text.decode("utf-8", "replace").strip() if severity else ""
    if severity is None or not line:
        return
    if severity >= logging.ERROR:
        _recent_errors.append(line)
    log.log(severity, "llama.cpp: %s", line)


# The library keeps the bare pointer: the callback must live as long as the process.
_log_callback = lib.llama_log_callback(_on_log)


def start_backend() -> None:
    """Prepare llama.cpp and send its log to ours; once a process, before anything else here."""
    lib.llama_log_set(_log_callback, ctypes.c_void_p(0))
    load_plugins()
    lib.llama_backend_init()


def has_gpu() -> bool:
    """Whether the engine found a device that can take layers from the processor."""
    return bool(lib.llama_supports_gpu_offload())


def take_errors() -> str:
    """Give and forget what the engine complained about lately (the cause of a failed load)."""
    text = "; ".join(_recent_errors)
    _recent_errors.clear()
    return text


class AbortFlag:
    """A flag that the engine reads between the nodes of a graph, without entering Python.

    The engine's callback is C's `strlen` on two bytes of ours: 0 ("go on") while the first is zero, 1
    ("abort") once it is not. A Python callback would take the interpreter lock about a thousand times a
    token.

    Attributes:
        callback: for `llama_set_abort_callback`.
        address: its user data.
    """

    def __init__(self) -> None:
        """Make the flag, not set."""
        _flags.add(self)
        self._bytes = ctypes.create_string_buffer(2)
        runtime = ctypes.CDLL("msvcrt") if sys.platform == "win32" else ctypes.CDLL(None)
        self.callback: Any = ctypes.cast(runtime.strlen, lib.ggml_abort_callback)
        self.address: Any = ctypes.cast(self._bytes, ctypes.c_void_p)

    def set(self) -> None:
        """Make the engine abort what it evaluates. Any thread."""
        self._bytes[0] = b"\x01"

    def clear(self) -> None:
        """Let the engine run."""
        self._bytes[0] = b"\x00"

    def is_set(self) -> bool:
        """Whether the engine was told to abort."""
        return bool(self._bytes[0] != b"\x00")


class NativeModel:
    """A loaded model file.

    Attributes:
        pointer: `llama_model *`.
        vocab: `llama_vocab *`.
    """

    def __init__(self, path: Path, on_progress: Callable[[float], bool], *, use_gpu: bool = True) -> None:
        """Load the weights, memory-mapped; blocks.

        Args:
            path: a file that passed `app.core.gguf.read_head`.
            on_progress: told 0 to 1; returning False ends the loading.
            use_gpu: the GPUs that the engine found get its layers.

        Raises:
            OSError: the engine refused the file or was told to stop; `take_errors` says why.
        """
        parameters = lib.llama_model_default_params()
        if not use_gpu:
            self._no_devices = (ctypes.c_void_p * 1)(None)  # a list that ends at once
            parameters.devices = ctypes.addressof(self._no_devices)
        parameters.progress_callback = lib.llama_progress_callback(lambda done, _data: on_progress(done))
        name = str(path).encode() if sys.platform == "win32" else os.fsencode(path)
        take_errors()
        self.pointer: Any = lib.llama_model_load_from_file(name, parameters)
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
    def generates_text(self) -> bool:
        """Whether it continues text by itself (embedding models and encoder-decoders do not)."""
        return bool(lib.llama_model_has_decoder(self.pointer)) and not lib.llama_model_has_encoder(
            self.pointer
        )


class NativeContext:
    """A context of one sequence over a model: its KV cache and compute buffers. One thread at a time.

    Attributes:
        n_tokens_max: tokens that fit.
    """

    def __init__(
        self, model: NativeModel, n_ctx: int, n_batch: int, n_threads: int, abort: AbortFlag
    ) -> None:
        """Allocate the context.

        Raises:
            MemoryError: the engine could not.
        """
        parameters = lib.llama_context_default_params()
        parameters.n_ctx = n_ctx
        parameters.n_batch = parameters.n_ubatch = n_batch
        parameters.n_threads = parameters.n_threads_batch = n_threads
        parameters.n_outputs_max = (
            1  # only the last token's logits are wanted: saves n_vocab floats a batch token
        )
        parameters.abort_callback = abort.callback
        parameters.abort_callback_data = abort.address
        self._abort = abort  # keeps the flag's memory alive
        self.pointer: Any = lib.llama_init_from_model(model.pointer, parameters)
        if not self.pointer:
            raise MemoryError("llama.cpp did not make the context")
        self._memory: Any = lib.llama_get_memory(self.pointer)
        self.n_tokens_max = int(lib.llama_n_ctx(self.pointer))
        self._one = (ctypes.c_int32 * 1)()
        self._one_batch = lib.llama_batch(
            n_tokens=1, token=ctypes.cast(self._one, ctypes.POINTER(ctypes.c_int32))
        )

    def close(self) -> None:
        """Free it."""
        if self.pointer:
            lib.llama_free(self.pointer)
            self.pointer = None

    def decode(self, tokens: Sequence[int]) -> int:
        """Evaluate tokens behind what the cache holds; return the engine's code (DECODED, ABORTED, …)."""
        array = (ctypes.c_int32 * len(tokens))(*tokens)
        batch = lib.llama_batch(
            n_tokens=len(tokens), token=ctypes.cast(array, ctypes.POINTER(ctypes.c_int32))
        )
        return int(lib.llama_decode(self.pointer, batch))

    def decode_one(self, token: int) -> int:
        """Evaluate one token, without allocating."""
        self._one[0] = token
        code: int = lib.llama_decode(self.pointer, self._one_batch)
        return code

    def keep_first(self, n_tokens: int) -> bool:
        """Drop everything behind the first `n_tokens`; False where this model's cache cannot."""
        return bool(lib.llama_memory_seq_rm(self._memory, _SEQUENCE, n_tokens, _TO_THE_END))

    def clear(self) -> None:
        """Drop everything."""
        lib.llama_memory_clear(self._memory, True)

    @property
    def first_position(self) -> int:
        """The oldest position that the cache still holds for all layers; -1 where it is empty."""
        return int(lib.llama_memory_seq_pos_min(self._memory, _SEQUENCE))


class Sampler:
    """A chain that picks the next token from the logits of the last evaluated one."""

    def __init__(self) -> None:
        """Make an empty chain."""
        parameters = lib.llama_sampler_chain_default_params()
        self._chain: Any = lib.llama_sampler_chain_init(parameters)

    def add_repeat_penalty(self, n_vocab: int, penalty: float, n_wanted: int) -> None:
        """Make the last 64 tokens of the answer less likely; 1 changes nothing.

        At most 64 tokens lose by it, so the `n_wanted` best ones afterwards (0: all) are among the
        `n_wanted` + 64 best before: only those are kept, which saves 0.2 ms a token and changes no result.
        """
        if n_wanted and penalty > 1:
            self._add(lib.llama_sampler_init_top_k(n_wanted + REPEAT_WINDOW))
        self._add(lib.llama_sampler_init_penalties(n_vocab, REPEAT_WINDOW, penalty, 0.0, 0.0))

    def add_greedy(self) -> None:
        """End the chain by the likeliest token."""
        self._add(lib.llama_sampler_init_greedy())

    def add_random(self, temperature: float, top_k: int, top_p: float, min_p: float, seed: int) -> None:
        """End the chain by a random draw (llama.cpp's usual order of steps)."""
        if top_k > 0:
            self._add(lib.llama_sampler_init_top_k(top_k))
        if top_p < 1:
            self._add(lib.llama_sampler_init_top_p(top_p, 1))
        if min_p > 0:
            self._add(lib.llama_sampler_init_min_p(min_p, 1))
        self._add(lib.llama_sampler_init_temp(temperature))
        self._add(lib.llama_sampler_init_dist(seed))

    def _add(self, step: Any) -> None:
        lib.llama_sampler_chain_add(self._chain, step)

    def next_token(self, context: NativeContext) -> int:
        """Pick a token and remember it for the penalty."""
        token: int = lib.llama_sampler_sample(self._chain, context.pointer, -1)
        return token

    def close(self) -> None:
        """Free the chain and its steps."""
        if self._chain:
            lib.llama_sampler_free(self._chain)
            self._chain = None
