"""The engine's reader of images: a projector file beside a model, over the C interface of libmtmd.

It turns the pixels of an image into embeddings that stand in the prompt where tokens would.

Source: `mtmd.h` and `mtmd-helper.h` of the llama.cpp that llama-cpp-python 0.3.36 brings.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.worker.inference.backend import AbortFlag, reader_log_callback
from app.worker.inference.native import lib
from app.worker.inference.native_model import ABORTED, DECODED, NativeContext, NativeModel

FAILED = -1
_SEQUENCE = 0
_TEXT, _IMAGE = 0, 1
# The engine asks the flag after this many nodes of the encoder's graph; each time it waits for its threads.
_NODES_BETWEEN_LOOKS = 4


@dataclass(frozen=True)
class Part:
    """What stands in the prompt for a part of an image.

    Attributes:
        tokens: of a text part, such as a mark of the image's beginning; empty for pixels.
        n_tokens: places that it takes in the context.
        n_positions: how far it moves the position of what follows; `n_tokens`, except for models that give
            places in two dimensions.
    """

    tokens: tuple[int, ...]
    n_tokens: int
    n_positions: int

    @property
    def is_pixels(self) -> bool:
        """Whether it is evaluated from pixels."""
        return not self.tokens


def _library() -> Any:
    """Give the bindings of libmtmd, which is loaded with the first projector."""
    import llama_cpp.mtmd_cpp

    return llama_cpp.mtmd_cpp


class Projector:
    """A loaded projector. `parts` may be called from any thread, everything else from the engine's.

    Attributes:
        moves_positions: places have two dimensions, so that positions are no count of tokens.
    """

    def __init__(
        self,
        path: Path,
        model: NativeModel,
        n_threads: int,
        abort: AbortFlag,
        is_cancelled: Callable[[], bool],
        *,
        use_gpu: bool,
    ) -> None:
        """Load it; blocks.

        Args:
            path: a file that passed `vision.check_projector`.
            model: that gets the embeddings.
            n_threads: for the encoder.
            abort: read between nodes of the encoder's graph.
            is_cancelled: asked often while loading.
            use_gpu: let the encoder run on the GPU that the engine found.

        Raises:
            OSError: the engine refused the file or was told to stop; `take_errors` says why.
        """
        self._mtmd = _library()
        self._mtmd.mtmd_helper_log_set(reader_log_callback, ctypes.c_void_p(0))
        self._abort = abort
        self._n_asked = 0
        # The engine keeps bare pointers: both must live as long as the projector.
        self._on_node = lib.ggml_backend_sched_eval_callback(self._goes_on)
        self._on_progress = self._mtmd.mtmd_progress_callback(lambda _done, _data: not is_cancelled())
        parameters = self._mtmd.mtmd_context_params_default()
        parameters.use_gpu = use_gpu
        parameters.print_timings = False
        parameters.n_threads = n_threads
        parameters.warmup = False
        parameters.cb_eval = self._on_node
        parameters.progress_callback = self._on_progress
        name = str(path).encode() if sys.platform == "win32" else os.fsencode(path)
        self._context: Any = self._mtmd.mtmd_init_from_file(name, model.pointer, parameters)
        if not self._context:
            raise OSError("libmtmd did not load the file")
        self.moves_positions = bool(self._mtmd.mtmd_decode_use_mrope(self._context))
        self._parts: dict[tuple[int, int], tuple[Part, ...]] = {}
        self._parts_lock = threading.Lock()

    def close(self) -> None:
        """Free it, before its model."""
        if self._context:
            self._mtmd.mtmd_free(self._context)
            self._context = None

    @property
    def reads_images(self) -> bool:
        """Whether it is for images (others are for sound)."""
        return bool(self._mtmd.mtmd_support_vision(self._context))

    def _goes_on(self, _tensor: Any, ask: bool, _data: Any) -> bool:
        """Tell the engine at which nodes to look at the flag, and there whether to go on."""
        if not ask:
            return not self._abort.is_set()
        self._n_asked += 1
        return self._n_asked % _NODES_BETWEEN_LOOKS == 0

    def parts(self, width: int, height: int) -> tuple[Part, ...]:
        """Give what stands in a prompt for an image of this size; pixels are not needed for that.

        Raises:
            ValueError: the engine cannot use an image of this size.
        """
        key = width, height
        with self._parts_lock:
            if key not in self._parts:
                with self.chunks(width, height) as chunks:
                    self._parts[key] = chunks.parts()
            return self._parts[key]

    def chunks(self, width: int, height: int, pixels: bytes | None = None) -> "Chunks":
        """Prepare an image; close what comes. Without pixels it can be counted but not evaluated.

        Raises:
            ValueError: the engine cannot use it.
        """
        return Chunks(self._mtmd, self._context, width, height, pixels)

    def evaluate(self, chunk: Any, context: NativeContext, position: int, n_batch: int) -> int:
        """Encode a part's pixels and evaluate them in the context behind what it holds; give its code.

        Args:
            chunk: of Chunks.
            context: of the model that the projector was loaded with.
            position: of the part's beginning.
            n_batch: places evaluated at once, where the model does not need the whole part at once.
        """
        self._n_asked = 0
        if self._mtmd.mtmd_encode_chunk(self._context, chunk) != 0:
            return FAILED
        if self._abort.is_set():
            return ABORTED
        embeddings = self._mtmd.mtmd_get_output_embd(self._context)
        if self._mtmd.mtmd_decode_use_non_causal(self._context, chunk):
            n_batch = context.n_batch_max
            if self._mtmd.mtmd_input_chunk_get_n_tokens(chunk) > n_batch:
                return FAILED  # the engine would end the process
        after = ctypes.c_int32()
        code: int = self._mtmd.mtmd_helper_decode_image_chunk(
            self._context,
            context.pointer,
            chunk,
            embeddings,
            position,
            _SEQUENCE,
            n_batch,
            ctypes.byref(after),
            self._mtmd.mtmd_helper_post_decode_callback(),
            None,
        )
        return ABORTED if code != DECODED and self._abort.is_set() else code


class Chunks:
    """An image as the engine cut it up; owns native memory, a context manager."""

    def __init__(self, mtmd: Any, context: Any, width: int, height: int, pixels: bytes | None) -> None:
        """Cut it up; see `Projector.chunks`."""
        self._mtmd = mtmd
        self._chunks: Any = mtmd.mtmd_input_chunks_init()
        data = None if pixels is None else (ctypes.c_uint8 * len(pixels)).from_buffer_copy(pixels)
        bitmap = mtmd.mtmd_bitmap_init(width, height, data)
        try:
            part = mtmd.mtmd_input_part(text=None, bitmap=bitmap)
            pointers = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
            code = mtmd.mtmd_tokenize_from_parts(context, self._chunks, pointers, 1, False)
        finally:
            mtmd.mtmd_bitmap_free(bitmap)
        if code != 0:
            self.close()
            raise ValueError(f"libmtmd refused an image of {width} × {height} pixels ({code})")

    def __enter__(self) -> "Chunks":
        """Give itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Free it."""
        self.close()

    def close(self) -> None:
        """Free it."""
        if self._chunks:
            self._mtmd.mtmd_input_chunks_free(self._chunks)
            self._chunks = None

    def all(self) -> list[Any]:
        """Give the parts' chunks, in order; they belong to this."""
        n_chunks = self._mtmd.mtmd_input_chunks_size(self._chunks)
        return [self._mtmd.mtmd_input_chunks_get(self._chunks, n) for n in range(n_chunks)]

    def parts(self) -> tuple[Part, ...]:
        """Describe the parts."""
        return tuple(self._part(chunk) for chunk in self.all())

    def _part(self, chunk: Any) -> Part:
        mtmd, n_tokens = self._mtmd, ctypes.c_size_t()
        if mtmd.mtmd_input_chunk_get_type(chunk) == _TEXT:
            tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(n_tokens))
            texts = tuple(int(tokens[n]) for n in range(n_tokens.value))
            return Part(texts, len(texts), len(texts))
        return Part(
            (),
            int(mtmd.mtmd_input_chunk_get_n_tokens(chunk)),
            int(mtmd.mtmd_input_chunk_get_n_pos(chunk)),
        )
