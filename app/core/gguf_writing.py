"""The bytes of GGUF files, for the models of random weights that measurements and tests make.

Source: the GGUF specification in the ggml repository, `docs/gguf.md`.
"""

import struct
from collections.abc import Sequence
from typing import Any

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
_FORMS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", U64: "Q", I64: "q", F64: "d"}

ALIGNMENT = 32


def number(kind: int, value: Any) -> bytes:
    """Give the bytes of a number."""
    return struct.pack("<?" if kind == BOOL else "<" + _FORMS[kind], value)


def size_of(kind: int) -> int:
    """Give the bytes of a number of this kind."""
    return 1 if kind == BOOL else struct.calcsize("<" + _FORMS[kind])


def text(value: str | bytes) -> bytes:
    """Give the bytes of a string: length and content."""
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def scalar(kind: int, value: Any) -> bytes:
    """Give the bytes of a typed value."""
    return struct.pack("<I", kind) + (text(value) if kind == STRING else number(kind, value))


def items(kind: int, values: Sequence[Any]) -> bytes:
    """Give the bytes of a typed array."""
    body = b"".join(text(value) if kind == STRING else number(kind, value) for value in values)
    return struct.pack("<IIQ", ARRAY, kind, len(values)) + body


def tensor_info(name: str | bytes, shape: Sequence[int], kind: int, offset: int) -> bytes:
    """Give the bytes of one row of the tensor table."""
    dimensions = b"".join(struct.pack("<Q", n) for n in shape)
    return text(name) + struct.pack("<I", len(shape)) + dimensions + struct.pack("<IQ", kind, offset)


def head(n_tensors: int, n_keys: int, magic: bytes = b"GGUF", version: int = 3) -> bytes:
    """Give the first 24 bytes."""
    return magic + struct.pack("<IQQ", version, n_tensors, n_keys)


def padded(data: bytes, alignment: int = ALIGNMENT) -> bytes:
    """Fill up to a multiple of the alignment."""
    return data + bytes(-len(data) % alignment)
