"""Reading the head of model files from before GGUF within bounds, and refusing what no engine should see.

These files (GGML, GGMF, GGJT, GGCC) name neither their architecture nor their parts' sizes: a reader must
know the layout. Each of `ggml_layouts` is tried on the whole file, up to the last byte of the tensor table;
the one that fits names the architecture. The engine for them trusts every number in a file, so this one
trusts none.
"""

import json
import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from app.core.errors import ModelError
from app.core.ggml_layouts import (
    ALIGNED_FROM,
    GGCC,
    GGCC_VERSION,
    GGJT,
    GGJT_VERSIONS,
    GGLA,
    GGMF,
    GGML,
    LAYOUTS,
    LLAMA_STORAGE,
    MAGICS,
    PLAIN_TYPES,
    QUANTIZED_VERSION,
    STORAGE,
    TENSOR_TYPES,
    Layout,
)
from app.core.model_opening import opened

_MAX_VOCABULARY, _MAX_WIDTH, _MAX_LAYERS, _MAX_CONTEXT = 2_000_000, 262_144, 1_000, 1_048_576
_MAX_WORD_BYTES, _MAX_NAME_BYTES, _MAX_TENSORS, _MAX_CONFIG_BYTES = 4_096, 255, 20_000, 1_048_576
_MAX_ELEMENTS = 2**31  # the engine counts in 32 bits
_DOWNLOAD_AGAIN = "Download the model again, or choose another one."
_NEWER = "Choose a newer file of the same model in GGUF format, or another model."


# What tells apart two architectures of one layout: words of the vocabulary, then what config.json or the
# file's name says.
_WORDS = {b"<fim_prefix>": "starcoder", b"<fim-prefix>": "starcoder", b"### End": "dolly-v2"}
_CONFIG_KINDS = {"gpt2": "gpt2", "gpt_bigcode": "starcoder", "gpt_neox": "gpt_neox"}
_NAMES = {"starcoder": "starcoder", "starchat": "starcoder", "santacoder": "starcoder", "gpt2": "gpt2",
          "gpt-2": "gpt2", "cerebras": "gpt2"}  # fmt: skip


@dataclass(frozen=True)
class LegacyHead:
    """What stands before the weights.

    Attributes:
        kind: the architecture in the engine's words, such as `gpt2`.
        context_length: tokens it was trained for; 0 where the file does not say.
        storage: how most weights are stored, such as `Q4_0`.
        kv_bytes_per_token: of the engine's KV cache.
    """

    path: Path
    kind: str
    n_vocab: int
    n_embd: int
    n_layer: int
    context_length: int
    storage: str
    n_params: int
    weight_bytes: int
    file_bytes: int
    kv_bytes_per_token: int

    @property
    def has_pieces(self) -> bool:
        """Whether the engine cuts texts by a regular expression and finds the longest words in the parts."""
        return self.kind not in ("llama", "falcon", "replit")


def is_legacy(path: Path) -> bool:
    """Tell whether a file begins like one from before GGUF; False where it cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  # a FIFO would block open()
            return False
        with path.open("rb") as file:
            return file.read(4) in MAGICS
    except OSError:
        return False


def read_legacy_head(path: Path) -> LegacyHead:
    """Read and check a file: every count, length and tensor against the file's size, up to its last byte.

    Takes about 0.2 s for a vocabulary of 50,000; any thread or process.

    Raises:
        ModelError: `model.not_found`, `model.unreadable`, `model.not_gguf`, `model.unsupported`,
            `model.truncated` or `model.damaged`.
    """
    with opened(path, _no_model(path)) as (file, file_bytes):
        return _read(file, path, file_bytes)


def _read(file: BinaryIO, path: Path, file_bytes: int) -> LegacyHead:
    magic = file.read(4)
    if magic == GGLA:
        raise _unsupported(path, "is a LoRA adapter, not a model", "Choose the model that it belongs to.")
    if magic not in MAGICS:
        raise _no_model(path)
    version = 0
    if magic != GGML:
        raw = file.read(4)
        if len(raw) < 4:
            raise _truncated(path)
        version = int(struct.unpack("<I", raw)[0])
    _require_version(path, magic, version)
    walks = [
        _Walk(file, path, file_bytes, layout, magic, version) for layout in LAYOUTS if magic in layout.magics
    ]
    failures = []
    for walk in walks:
        try:
            return walk.head()
        except ModelError as error:
            failures.append((walk.n_fitting, error))
    # Where two layouts fit equally far, the one that knows what the file is says more.
    n_fitting, reason = max(
        failures, key=lambda failure: (failure[0], failure[1].code == "model.unsupported")
    )
    if not n_fitting and reason.code == "model.damaged":
        raise _damaged(path, "its beginning fits no model of this old format") from reason
    raise reason


def _require_version(path: Path, magic: bytes, version: int) -> None:
    known = {GGML: (0,), GGMF: (1,), GGJT: GGJT_VERSIONS, GGCC: (GGCC_VERSION,)}[magic]
    if version not in known:
        name = magic[::-1].decode("ascii").upper()
        raise _unsupported(
            path, f"is of version {version} of the format {name}, which this program does not know"
        )


@dataclass
class _Table:
    """What a walk over the tensors found."""

    layers: dict[int, set[str]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    n_params: int = 0
    weight_bytes: int = 0


class _Walk:
    """One layout tried on a file; every read is checked against the end.

    Attributes:
        n_fitting: words and tensors that made sense: how far the layout fitted.
    """

    def __init__(
        self, file: BinaryIO, path: Path, file_bytes: int, layout: Layout, magic: bytes, version: int
    ) -> None:
        self._file, self._path, self._file_bytes = file, path, file_bytes
        self._layout, self._magic, self._version = layout, magic, version
        self._at = 4 if magic == GGML else 8
        self._special = ""
        self.n_fitting = 0

    def head(self) -> LegacyHead:
        """Walk over the file; raises ModelError where the layout does not fit."""
        self._file.seek(self._at)
        numbers = self._numbers()
        self._vocabulary(numbers["n_vocab"])
        if "n_merges" in numbers:
            self._merges()
        storage = self._storage(numbers["storage"])  # asked late: a layout that fits so far may complain
        per_block = 1 if storage in ("F32", "F16") else 256 if storage.endswith("_K") else 32
        if numbers["n_embd"] % per_block:
            raise self._damaged("its width does not consist of whole blocks")
        table = self._tensors()
        self._require_tensors(table, numbers)
        width, layers = numbers["n_embd"], numbers["n_layer"]
        context = numbers.get("n_ctx", 0)
        if width * layers * max(context, 1) >= _MAX_ELEMENTS:
            raise _unsupported(self._path, "has a context that is too long for the engine for old files")
        return LegacyHead(
            path=self._path,
            kind=self._kind(),
            n_vocab=numbers["n_vocab"],
            n_embd=width,
            n_layer=layers,
            context_length=context,
            storage=storage,
            n_params=table.n_params,
            weight_bytes=table.weight_bytes,
            file_bytes=self._file_bytes,
            kv_bytes_per_token=2 * layers * width * self._layout.kv_bytes,
        )

    # ------------------------------------------------------------------ header

    def _numbers(self) -> dict[str, int]:
        numbers = {}
        for name in self._layout.numbers:
            raw = self._bytes(4)
            if not name.startswith("f:"):
                numbers[name] = int(struct.unpack("<i", raw)[0])
        bounds = {
            "n_vocab": _MAX_VOCABULARY,
            "n_embd": _MAX_WIDTH,
            "n_head": _MAX_WIDTH,
            "n_layer": _MAX_LAYERS,
            "n_ctx": _MAX_CONTEXT,
            "n_head_kv": _MAX_WIDTH,
            "n_mult": _MAX_WIDTH,
        }
        for name, most in bounds.items():
            if name in numbers and not 1 <= numbers[name] <= most:
                raise self._damaged(f"its number of {name[2:]} is impossible")
        if numbers["n_embd"] % numbers["n_head"]:
            raise self._damaged("its heads do not divide its width")
        if not 0 <= numbers.get("n_rot", 0) <= numbers["n_embd"] // numbers["n_head"]:
            raise self._damaged("its rotation is wider than a head")
        return numbers

    def _storage(self, number: int) -> str:
        if self._magic == GGML:
            blocks, number = divmod(number, 1000)
            if number not in (0, 1) and blocks != QUANTIZED_VERSION and self._layout.kinds != ("llama",):
                raise self._unsupported("stores its weights in an older way that no engine reads any more")
        names = LLAMA_STORAGE if self._layout.kinds[0] in ("llama", "falcon") else STORAGE
        if number not in names:
            raise self._unsupported("stores its weights in a way that the engine for old files does not know")
        storage = names[number]
        if self._layout.kinds == ("llama",) and self._version < 3 and storage not in ("F32", "F16"):
            raise self._unsupported("stores its weights in an older way that no engine reads any more")
        return storage

    # ------------------------------------------------------------------ vocabulary

    def _vocabulary(self, n_words: int) -> None:
        if self._layout.repeats_vocabulary and self._number() != n_words:
            raise self._damaged("its vocabulary has another size than its header says")
        least = 8 if self._layout.has_scores else 4
        if n_words * least > self._file_bytes - self._at:
            raise self._truncated()
        for _ in range(n_words):
            word = self._word()
            self._special = self._special or _WORDS.get(word, "")
            if self._layout.has_scores:
                self._bytes(4)
            self.n_fitting += 1

    def _merges(self) -> None:
        n_merges = self._number()
        if not 0 <= n_merges <= _MAX_VOCABULARY:
            raise self._damaged("its vocabulary joins an impossible number of words")
        for _ in range(n_merges):
            self._word()
            self._word()

    def _word(self) -> bytes:
        n_bytes = self._number()
        if not 0 <= n_bytes <= _MAX_WORD_BYTES:
            raise self._damaged("a word of its vocabulary is impossibly long")
        return self._bytes(n_bytes)

    # ------------------------------------------------------------------ tensors

    def _tensors(self) -> _Table:
        table = _Table()
        while self._at < self._file_bytes:
            if len(table.shapes) == _MAX_TENSORS:
                raise self._damaged("it has an impossible number of parts")
            self._tensor(table)
            self.n_fitting += 1_000  # a part that fits tells more than a word
        return table

    def _tensor(self, table: _Table) -> None:
        n_dimensions, n_name, kind = self._number(), self._number(), self._number()
        if n_dimensions not in (1, 2):
            raise self._damaged("a part has an impossible number of dimensions")
        if not 1 <= n_name <= _MAX_NAME_BYTES:
            raise self._damaged("the name of a part is impossibly long")
        shape = tuple(self._number() for _ in range(n_dimensions))
        name = self._bytes(n_name).decode("utf-8", "replace")
        if name in table.shapes:
            raise self._damaged("a part stands in it twice")
        if kind not in TENSOR_TYPES:
            raise self._unsupported("stores its weights in a way that the engine for old files does not know")
        n_weights = 1
        for n in shape:
            n_weights *= n
        per_block, block_bytes = TENSOR_TYPES[kind]
        if min(shape) < 1 or n_weights >= _MAX_ELEMENTS or shape[0] % per_block:
            raise self._damaged("a part has an impossible size")
        if n_dimensions == 1 and kind not in PLAIN_TYPES:
            raise self._damaged("a part has an impossible type")
        if self._version >= ALIGNED_FROM and self._magic != GGMF:
            self._skip(-self._at % 32)
        n_bytes = n_weights // per_block * block_bytes
        self._skip(n_bytes)
        self._note(table, name, shape, n_weights, n_bytes)

    def _note(self, table: _Table, name: str, shape: tuple[int, ...], n_weights: int, n_bytes: int) -> None:
        table.shapes[name] = shape
        table.n_params += n_weights
        table.weight_bytes += n_bytes
        found = self._layout.layer.match(name)
        if found:
            table.layers.setdefault(int(found[1]), set()).add(name[found.end() :])

    def _require_tensors(self, table: _Table, numbers: Mapping[str, int]) -> None:
        """Refuse a file whose parts are not those of its header: the engine would compute with nothing."""
        shape = table.shapes.get(self._layout.embedding)
        if shape is None or not table.layers:
            raise self._truncated() if not table.shapes else self._damaged("parts are missing in it")
        if shape != (numbers["n_embd"], numbers["n_vocab"]):
            raise self._damaged("its parts do not have the sizes that its header says")
        if len(table.layers) > numbers["n_layer"] or max(table.layers) >= numbers["n_layer"]:
            raise self._damaged("it has more layers than its header says")
        names = table.layers.get(0, set())
        if len(table.layers) < numbers["n_layer"] or any(found != names for found in table.layers.values()):
            raise self._truncated()

    def _kind(self) -> str:
        """Tell the architecture; raises ModelError where two are possible."""
        kinds = self._layout.kinds
        if len(kinds) == 1:
            return kinds[0]
        if "dolly-v2" in kinds:
            return self._special or "gpt_neox"
        kind = self._special or _configured_kind(self._path) or _named_kind(self._path)
        if kind not in kinds:
            raise self._unsupported(
                "may be a GPT-2 or a StarCoder model, which its content does not tell",
                "Put “gpt2” or “starcoder” into the file's name, or the model's config.json beside it.",
            )
        return kind

    # ------------------------------------------------------------------ bytes

    def _number(self) -> int:
        return int(struct.unpack("<i", self._bytes(4))[0])

    def _bytes(self, n_bytes: int) -> bytes:
        data = self._file.read(n_bytes) if n_bytes <= self._file_bytes - self._at else b""
        if len(data) < n_bytes:
            raise self._truncated()
        self._at += n_bytes
        return data

    def _skip(self, n_bytes: int) -> None:
        if n_bytes > self._file_bytes - self._at:
            raise self._truncated()
        self._at += n_bytes
        self._file.seek(self._at)

    def _truncated(self) -> ModelError:
        return _truncated(self._path, {"at": self._at, "size_bytes": self._file_bytes})

    def _damaged(self, what: str) -> ModelError:
        return _damaged(self._path, what, {"at": self._at, "layout": self._layout.kinds[0]})

    def _unsupported(self, what: str, hint: str = _NEWER) -> ModelError:
        return _unsupported(self._path, what, hint)


def _configured_kind(path: Path) -> str:
    """Give what the config.json beside the file says; empty where there is none that can be read."""
    try:
        with path.with_name("config.json").open("rb") as file:
            value = json.loads(file.read(_MAX_CONFIG_BYTES))
    except (OSError, ValueError, RecursionError):
        return ""
    kind = value.get("model_type") if isinstance(value, dict) else None
    return _CONFIG_KINDS.get(kind, "") if isinstance(kind, str) else ""


def _named_kind(path: Path) -> str:
    name = path.name.casefold()
    return next((kind for text, kind in _NAMES.items() if text in name), "")


def _no_model(path: Path) -> ModelError:
    return ModelError(
        "model.not_gguf",
        f"“{path.name}” is not a model file.",
        "Choose a model file in GGUF format (its name usually ends in .gguf).",
    )


def _truncated(path: Path, context: Mapping[str, Any] | None = None) -> ModelError:
    return ModelError(
        "model.truncated",
        f"The model file “{path.name}” is incomplete: it ends too early.",
        _DOWNLOAD_AGAIN,
        context,
    )


def _damaged(path: Path, what: str, context: Mapping[str, Any] | None = None) -> ModelError:
    return ModelError(
        "model.damaged", f"The model file “{path.name}” is damaged: {what}.", _DOWNLOAD_AGAIN, context
    )


def _unsupported(path: Path, what: str, hint: str = _NEWER) -> ModelError:
    return ModelError("model.unsupported", f"“{path.name}” {what}.", hint)
