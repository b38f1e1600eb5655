"""Single texts of a model file's vocabulary, without the engine and without keeping the vocabulary.

Source: the GGUF specification in the ggml repository, `docs/gguf.md` (keys `tokenizer.ggml.*`); what a
tokenizer has where the file does not say: `llama-vocab.cpp` of llama.cpp.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import ModelError
from app.core.gguf import MAX_STRING_BYTES, GgufHead, SkippedArray

_LENGTH = struct.Struct("<Q")
_MAX_TOKEN_BYTES = 4096  # longer ones are no marks
# Tokenizer: its beginning and its ending token where the file names none.
_DEFAULTS = {"llama": (1, 2), "gpt2": (11, 11)}


@dataclass(frozen=True)
class TokenTexts:
    """What a vocabulary says about itself.

    Attributes:
        bos: text of the token that begins a text; empty where there is none.
        eos: text of the one that ends one.
        present: of the texts asked for, those that are tokens.
    """

    bos: str = ""
    eos: str = ""
    present: frozenset[str] = frozenset()


def read_token_texts(head: GgufHead, wanted: Iterable[str] = ()) -> TokenTexts:
    """Read the texts of the special tokens, and which of some texts are tokens.

    Takes about 0.2 s for a vocabulary of 260,000; any thread or process. The head was checked when it was
    read; the file may have changed since, so every length is checked again.

    Args:
        head: of the model file.
        wanted: texts to look for.

    Raises:
        ModelError: `model.unreadable`, `model.damaged`: the file is not what it was.
    """
    asked = frozenset(wanted)
    bos, eos = _special(head, "bos"), _special(head, "eos")
    found: dict[int, str] = {}
    present: set[str] = set()
    for index, text in enumerate(_tokens(head)):
        if index in (bos, eos):
            found[index] = text
        if text in asked:
            present.add(text)
    return TokenTexts(found.get(bos, ""), found.get(eos, ""), frozenset(present))


def _special(head: GgufHead, which: str) -> int:
    value = head.metadata.get(f"tokenizer.ggml.{which}_token_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    defaults = _DEFAULTS.get(str(head.metadata.get("tokenizer.ggml.model")), (-1, -1))
    return defaults[0 if which == "bos" else 1]


def _tokens(head: GgufHead) -> Iterator[str]:
    value = head.metadata.get("tokenizer.ggml.tokens")
    if isinstance(value, list):
        yield from (item if isinstance(item, str) else "" for item in value)
    elif isinstance(value, SkippedArray):
        yield from _skipped_tokens(head.path, value)


def _skipped_tokens(path: Path, array: SkippedArray) -> Iterator[str]:
    try:
        with path.open("rb", buffering=1024 * 1024) as file:
            file.seek(array.at)
            for _ in range(array.n_items):
                raw = file.read(_LENGTH.size)
                n_bytes = _LENGTH.unpack(raw)[0] if len(raw) == _LENGTH.size else MAX_STRING_BYTES + 1
                data = file.read(n_bytes) if n_bytes <= MAX_STRING_BYTES else b""
                if len(data) < n_bytes:
                    raise _changed(path, "model.damaged")
                yield data.decode("utf-8", "replace") if n_bytes <= _MAX_TOKEN_BYTES else ""
    except OSError as error:
        raise _changed(path, "model.unreadable") from error


def _changed(path: Path, code: str) -> ModelError:
    return ModelError(
        code,
        f"The model file “{path.name}” was changed or removed while it was read.",
        "Put it back, or choose another model.",
    )
