#!/usr/bin/env python3
"""Old model files, damaged in many ways, against the reader in front of their engine and the engine itself.

    python3 scripts/faults/old_files.py --files 400

Each file is a small GPT-2 whose header, vocabulary or tensor table was changed. The reader must name what it
refuses; what it lets pass is loaded and evaluated in a process of its own. Prints how many were refused,
loaded, refused by the engine, and how many ended that process.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.core.errors import ModelError
from app.core.ggml_legacy import read_legacy_head
from scripts.make_ggml import Shape, encode

_CHILD = """
import sys
from pathlib import Path
from app.core.ggml_legacy import read_legacy_head
from app.worker.inference.legacy_native import LegacyModel
for line in sys.stdin:
    path = Path(line.strip())
    head = read_legacy_head(path)
    try:
        model = LegacyModel(path, head.kind, head.context_length)
    except OSError:
        print("refused", flush=True)
        continue
    tokens = model.tokenize(b"hello there", with_beginning=False)[:8] or [0]
    print("ok" if model.evaluate(tokens, 0, 1) else "failed", flush=True)
    model.close()
"""


def damaged(whole: bytes, source: random.Random) -> bytes:
    """Give the file with one to three numbers changed, cut, or with bytes taken out."""
    data = bytearray(whole)
    kind = source.randrange(10)
    if kind == 0:
        return bytes(data[: source.randrange(len(data))])
    if kind == 1:
        at = source.randrange(len(data))
        del data[at : at + source.randint(1, 64)]
        return bytes(data)
    heads = [0, len(data) // 3, len(data) // 2]
    for _ in range(source.randint(1, 3)):
        at = source.choice(heads) + source.randrange(0, 3000)
        value = source.choice([-1, 0, 1, 2, 3, 255, 2**31 - 1, -(2**31), source.randrange(2**31)])
        data[at : at + 4] = value.to_bytes(4, "little", signed=True)
    return bytes(data)


class Engine:
    """The engine in a process of its own, started again where a file ended it."""

    def __init__(self) -> None:
        """Start it."""
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )

    def try_file(self, path: Path) -> str:
        """Give `ok`, `refused`, `failed` or `died`."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if not answer:
            self.close()
            self._start()
        return answer or "died"

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def main() -> int:
    """Run the drill; 1 where a file ended the engine's process or a refusal had no words."""
    parser = argparse.ArgumentParser(description="Damage old model files and try each.")
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    source = random.Random(options.seed)
    wholes = [encode(Shape(storage=storage)) for storage in ("F32", "F16", "Q4_0")]
    counts: Counter[str] = Counter()
    engine = Engine()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "damaged-gpt2.bin"
        for _ in range(options.files):
            path.write_bytes(damaged(source.choice(wholes), source))
            try:
                read_legacy_head(path)
            except ModelError as error:
                counts[error.code if error.hint else "no hint"] += 1
            else:
                counts[f"engine: {engine.try_file(path)}"] += 1
    engine.close()
    print(json.dumps(dict(counts.most_common())))
    return 1 if counts["engine: died"] or counts["no hint"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
