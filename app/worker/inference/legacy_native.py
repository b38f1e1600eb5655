"""ctransformers' library, over its C interface; objects own native memory: call `close`.

Of its package only the module with the declarations of the C functions is imported, and that in a way that
runs nothing else of it: its `__init__` would import a client of a model hub, and with it code that can open
connections, into a process that must not. Its own classes are not used: their tokenizer writes behind its
buffer where a text has more tokens than characters, and they cannot be asked for a number of things.

Source: `models/llm.cc` and `models/llm.h` of ctransformers 0.2.27.
"""

import ctypes
import importlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from app.core.errors import ModelError
from app.worker.probe.processor import processor

PACKAGE = "ctransformers"


def is_installed() -> bool:
    """Whether the engine is there; imports nothing."""
    return PACKAGE in sys.modules or importlib.util.find_spec(PACKAGE) is not None


def bindings() -> ModuleType:
    """Import the declarations of the C functions alone.

    Raises:
        ModelError: `model.unsupported`, the engine is not installed.
    """
    if PACKAGE not in sys.modules:
        found = importlib.util.find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise ModelError(
                "model.unsupported",
                "This model is in an old format from before GGUF, and the engine for it is not installed.",
                "Install the program's part “legacy”, or choose a newer file of the same model (GGUF).",
            )
        package = ModuleType(PACKAGE)
        package.__path__ = list(found.submodule_search_locations)
        package.__spec__ = importlib.machinery.ModuleSpec(PACKAGE, None, is_package=True)
        sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.llm")


def library_path(directory: Path, features: Sequence[str]) -> Path:
    """Choose the library for a processor: that of the largest instruction set it has.

    Args:
        directory: `lib` of the package.
        features: of the processor, in ggml's words.
    """
    present = set(features)
    if sys.platform == "win32" and "avx2" in present:
        present |= {"f16c", "fma"}  # Windows names neither, and every processor with AVX2 has both
    variant = "basic"
    if {"avx", "f16c"} <= present:
        variant = "avx2" if {"avx2", "fma"} <= present else "avx"
    name = {"win32": "ctransformers.dll", "darwin": "libctransformers.dylib"}.get(
        sys.platform, "libctransformers.so"
    )
    chosen = directory / variant / name
    return chosen if chosen.is_file() else directory / "basic" / name


class LegacyModel:
    """A loaded model. One thread at a time.

    Attributes:
        n_vocab: size of the vocabulary.
        n_context: tokens that fit.
        end_token: ends a text.
    """

    def __init__(self, path: Path, kind: str, context_length: int) -> None:
        """Load the weights into memory; blocks.

        Args:
            path: a file that passed `app.core.ggml_legacy.read_legacy_head`.
            kind: its architecture in the engine's words.
            context_length: tokens; 0 for the file's own.

        Raises:
            OSError: the engine refused the file.
            ModelError: `model.unsupported`, the engine is not installed.
        """
        llm: Any = bindings()
        package_dir = Path(str(llm.__file__)).parent
        library = library_path(package_dir / "lib", processor().features)
        self._lib: Any = llm.load_library(str(library))
        config = llm.ConfigStruct(context_length=context_length or -1, gpu_layers=0, mmap=True, mlock=False)
        name = str(path).encode() if sys.platform == "win32" else os.fsencode(path)
        self._pointer: Any = self._lib.ctransformers_llm_create(name, kind.encode(), config)
        if not self._pointer:
            raise OSError("ctransformers did not load the file")
        self.n_vocab = int(self._lib.ctransformers_llm_vocab_size(self._pointer))
        self.n_context = int(self._lib.ctransformers_llm_context_length(self._pointer))
        self.end_token = int(self._lib.ctransformers_llm_eos_token_id(self._pointer))

    def close(self) -> None:
        """Free it."""
        if self._pointer:
            self._lib.ctransformers_llm_delete(self._pointer)
            self._pointer = None

    def tokenize(self, data: bytes, *, with_beginning: bool) -> list[int]:
        """Give the tokens of a text without NUL; its library's function takes any length of the array."""
        tokens = (ctypes.c_int * (len(data) + 2))()
        n = self._lib.ctransformers_llm_tokenize(self._pointer, data, with_beginning, tokens)
        return tokens[:n]

    def piece(self, token: int) -> bytes:
        """Give a token's bytes."""
        found: bytes | None = self._lib.ctransformers_llm_detokenize(self._pointer, token)
        return found or b""

    def is_end(self, token: int) -> bool:
        """Whether a token ends the answer."""
        return bool(self._lib.ctransformers_llm_is_eos_token(self._pointer, token))

    def evaluate(self, tokens: Sequence[int], n_before: int, n_threads: int) -> bool:
        """Evaluate tokens at once behind the first `n_before` of the context; False where it failed."""
        array = (ctypes.c_int * len(tokens))(*tokens)
        return bool(
            self._lib.ctransformers_llm_batch_eval(
                self._pointer, array, len(tokens), n_before, len(tokens), n_threads
            )
        )

    def logits(self) -> Any:
        """Give the logits behind the last token: an array of n_vocab float32, valid until `evaluate`."""
        n = int(self._lib.ctransformers_llm_logits_size(self._pointer))
        address = ctypes.cast(self._lib.ctransformers_llm_logits_data(self._pointer), ctypes.c_void_p).value
        last = (address or 0) + 4 * (n - self.n_vocab)
        return (ctypes.c_float * self.n_vocab).from_address(last)

    def draw(
        self, recent: Sequence[int], top_k: int, top_p: float, temperature: float, penalty: float, seed: int
    ) -> int:
        """Draw a token; `top_k` from 1 to n_vocab, the temperature above 0."""
        array = (ctypes.c_int * len(recent))(*recent)
        token: int = self._lib.ctransformers_llm_sample(
            self._pointer, array, len(recent), top_k, top_p, temperature, penalty, seed
        )
        return token
