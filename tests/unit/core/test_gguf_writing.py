"""What is written can be read."""

from pathlib import Path
from typing import Any

import pytest

from app.core import gguf_writing as gguf
from app.core.gguf import read_head


@pytest.mark.parametrize(
    ("kind", "value", "size"),
    [(gguf.U8, 7, 1), (gguf.BOOL, True, 1), (gguf.I16, -2, 2), (gguf.F32, 0.5, 4), (gguf.U64, 2**40, 8)],
)
def test_numbers(kind: int, value: Any, size: int, tmp_path: Path) -> None:
    assert len(gguf.number(kind, value)) == gguf.size_of(kind) == size
    path = tmp_path / "written.gguf"
    pairs = gguf.text("one") + gguf.scalar(kind, value) + gguf.text("all") + gguf.items(kind, [value] * 3)
    path.write_bytes(gguf.padded(gguf.head(0, 2) + pairs))
    assert read_head(path).metadata == {"one": value, "all": [value] * 3}
