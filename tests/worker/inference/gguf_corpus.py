"""Malformed GGUF files, one kind each, and seeded mutations of a good one.

The kinds follow those that llama.cpp tests its own reader with; the bytes are made here.
"""

import random
import struct
from collections.abc import Iterator

from tests.worker.inference.gguf_writer import (
    BOOL,
    STRING,
    TYPE_F16,
    TYPE_F32,
    TYPE_Q4_0,
    U32,
    U64,
    TinyModel,
    head,
    items,
    number,
    padded,
    scalar,
    tensor_info,
    text,
)

_ARCHITECTURE = text("general.architecture") + scalar(STRING, "llama")
_HUGE = 2**63


def malformed() -> dict[str, tuple[bytes, str]]:
    """Give each kind's bytes and the code that reading it must end with."""
    return {**_headers(), **_pairs(), **_tensors(), **_data()}


def _headers() -> dict[str, tuple[bytes, str]]:
    return {
        "empty": (b"", "model.not_gguf"),
        "two bytes": (b"GG", "model.not_gguf"),
        "magic alone": (b"GGUF", "model.truncated"),
        "text file": (b"Once upon a time there was a model file.", "model.not_gguf"),
        "bad magic": (head(0, 0, magic=b"FUGU"), "model.not_gguf"),
        "legacy ggjt": (b"tjgg" + struct.pack("<I", 3) + bytes(64), "model.unsupported"),
        "legacy ggml": (b"lmgg" + bytes(64), "model.unsupported"),
        "version 0": (head(0, 0, version=0), "model.unsupported"),
        "version 1": (head(0, 0, version=1), "model.unsupported"),
        "version of the future": (head(0, 0, version=4), "model.unsupported"),
        "other byte order": (head(0, 0, version=0x03000000), "model.unsupported"),
        "cut in the counts": (head(0, 0)[:20], "model.truncated"),
        "too many tensors": (head(_HUGE, 0), "model.damaged"),
        "too many keys": (head(0, _HUGE), "model.damaged"),
        "keys that are not there": (head(0, 5), "model.truncated"),
        "tensors that are not there": (head(5, 0), "model.truncated"),
    }


def _pairs() -> dict[str, tuple[bytes, str]]:
    def with_value(value: bytes) -> bytes:
        return head(0, 1) + text("key") + value

    long_array = struct.pack("<IIQ", 9, 0, _HUGE)
    array_past_end = struct.pack("<IIQ", 9, U64, 5000)
    strings_past_end = struct.pack("<IIQ", 9, STRING, 5000)
    strings_cut = struct.pack("<IIQ", 9, STRING, 2000) + struct.pack("<Q", 15_000) * 2000
    string_too_long = struct.pack("<IIQ", 9, STRING, 2000) + struct.pack("<Q", 2**40) * 2000
    return {
        "key longer than the file": (head(0, 1) + struct.pack("<Q", 1000) + b"key", "model.truncated"),
        "key of 2**63 bytes": (head(0, 1) + struct.pack("<Q", _HUGE) + b"key", "model.damaged"),
        "empty key": (head(0, 1) + text("") + scalar(U32, 1), "model.damaged"),
        "key twice": (head(0, 2) + (text("a") + scalar(U32, 1)) * 2, "model.damaged"),
        "unknown type": (with_value(struct.pack("<I", 13) + bytes(8)), "model.damaged"),
        "no value": (with_value(struct.pack("<I", U64)), "model.truncated"),
        "string of 2**62 bytes": (with_value(struct.pack("<IQ", STRING, 2**62)), "model.damaged"),
        "string past the end": (with_value(struct.pack("<IQ", STRING, 999) + b"abc"), "model.truncated"),
        "array of 2**63 items": (with_value(long_array), "model.damaged"),
        "array past the end": (with_value(array_past_end), "model.truncated"),
        "strings past the end": (with_value(strings_past_end), "model.truncated"),
        "strings cut short": (with_value(strings_cut), "model.truncated"),
        "huge string in an array": (with_value(string_too_long), "model.damaged"),
        "array of arrays": (with_value(struct.pack("<IIQ", 9, 9, 1) + bytes(64)), "model.damaged"),
        "array of unknown type": (with_value(struct.pack("<IIQ", 9, 77, 1) + bytes(64)), "model.damaged"),
        "alignment 0": (_aligned(0), "model.damaged"),
        "alignment 13": (_aligned(13), "model.damaged"),
        "alignment as text": (
            head(0, 1) + text("general.alignment") + scalar(STRING, "32"),
            "model.damaged",
        ),
        "alignment as truth": (head(0, 1) + text("general.alignment") + scalar(BOOL, True), "model.damaged"),
    }


def _aligned(alignment: int) -> bytes:
    return head(0, 1) + text("general.alignment") + scalar(U32, alignment)


def _with_table(*rows: bytes, data_bytes: int = 4096) -> bytes:
    return padded(head(len(rows), 1) + _ARCHITECTURE + b"".join(rows)) + bytes(data_bytes)


def _tensors() -> dict[str, tuple[bytes, str]]:
    good = tensor_info("a", (8,), TYPE_F32, 0)
    return {
        "name of 64 bytes": (_with_table(tensor_info("n" * 64, (8,), TYPE_F32, 0)), "model.damaged"),
        "name of 2**63 bytes": (
            head(1, 0) + struct.pack("<Q", _HUGE) + bytes(64),
            "model.damaged",
        ),
        "five dimensions": (_with_table(tensor_info("a", (2,) * 5, TYPE_F32, 0)), "model.damaged"),
        "2**32-1 dimensions": (
            _with_table(text("a") + struct.pack("<I", 2**32 - 1) + bytes(64)),
            "model.damaged",
        ),
        "negative dimension": (_with_table(tensor_info("a", (2**64 - 1,), TYPE_F32, 0)), "model.damaged"),
        "product overflows": (_with_table(tensor_info("a", (2**32, 2**32), TYPE_F32, 0)), "model.damaged"),
        "bytes overflow": (_with_table(tensor_info("a", (2**62,), TYPE_F32, 0)), "model.truncated"),
        "padding wraps": (_with_table(tensor_info("a", (2**62 - 4,), TYPE_F16, 0)), "model.truncated"),
        "unknown storage": (_with_table(tensor_info("a", (8,), 4242, 0)), "model.unsupported"),
        "removed storage": (_with_table(tensor_info("a", (32,), 4, 0)), "model.unsupported"),
        "half a block": (_with_table(tensor_info("a", (33,), TYPE_Q4_0, 0)), "model.damaged"),
        "no dimensions, blocks": (_with_table(tensor_info("a", (), TYPE_Q4_0, 0)), "model.damaged"),
        "offset not aligned": (_with_table(tensor_info("a", (8,), TYPE_F32, 7)), "model.damaged"),
        "offset elsewhere": (_with_table(good, tensor_info("b", (8,), TYPE_F32, 64)), "model.damaged"),
        "overlap": (_with_table(good, tensor_info("b", (8,), TYPE_F32, 0)), "model.damaged"),
        "name twice": (_with_table(good, tensor_info("a", (8,), TYPE_F32, 32)), "model.damaged"),
    }


def _data() -> dict[str, tuple[bytes, str]]:
    good = tensor_info("a", (8,), TYPE_F32, 0)
    other_alignment = padded(
        head(2, 1)
        + text("general.alignment")
        + scalar(U32, 64)
        + good
        + tensor_info("b", (8,), TYPE_F32, 32),
        64,
    )
    return {
        "no data": (_with_table(good, data_bytes=0), "model.truncated"),
        "data one byte short": (_with_table(good, data_bytes=31), "model.truncated"),
        "laid out for another alignment": (other_alignment + bytes(4096), "model.damaged"),
        "far beyond the end": (_with_table(tensor_info("a", (2**40,), TYPE_F32, 0)), "model.truncated"),
    }


def well_formed() -> dict[str, bytes]:
    """Give files that the reader must accept although no engine can run them."""
    return {
        "nothing in it": head(0, 0),
        "one key": head(0, 1) + _ARCHITECTURE,
        "arrays": head(0, 2) + text("a") + items(U32, [1, 2]) + text("b") + items(BOOL, [True, False]),
        "a truth": head(0, 1) + text("a") + struct.pack("<I", BOOL) + number(BOOL, True),
        "one tensor": _with_table(tensor_info("a", (8,), TYPE_F32, 0)),
        "empty tensor": _with_table(tensor_info("a", (0,), TYPE_F32, 0)),
        "scalar tensor": _with_table(tensor_info("a", (), TYPE_F32, 0)),
        "version 2": head(0, 0, version=2),
    }


def mutations(n: int, seed: int = 1) -> Iterator[tuple[str, bytes]]:
    """Give mutations of a tiny model that runs: bytes, lengths, cuts, doublings, mostly in its head."""
    source = random.Random(seed)
    good = TinyModel(n_layers=1, width=32).build().encode()
    n_head = good.index(b"output_norm.weight")
    for number_ in range(n):
        data = bytearray(good)
        kind = source.choice(("byte", "byte", "bytes", "u32", "u64", "cut", "double", "swap"))
        at = source.randrange(4, n_head + 2000)
        if kind == "byte":
            data[at] ^= 1 << source.randrange(8)
        elif kind == "bytes":
            data[at : at + 8] = source.randbytes(8)
        elif kind == "u32":
            data[at : at + 4] = struct.pack("<I", source.choice((0, 1, 2**16, 2**31, 2**32 - 1)))
        elif kind == "u64":
            data[at : at + 8] = struct.pack("<Q", source.choice((0, 2**31, 2**32, 2**62, 2**63, 2**64 - 1)))
        elif kind == "cut":
            del data[at:]
        elif kind == "double":
            data[at:at] = data[at : at + 64]
        else:
            other = source.randrange(4, n_head)
            data[at : at + 16], data[other : other + 16] = data[other : other + 16], data[at : at + 16]
        yield f"{number_} {kind} at {at}", bytes(data)
