#!/usr/bin/env python3
"""Compare the predicted memory of models with what a worker really takes, at several contexts and KV types.

    .venv/bin/python scripts/bench/memory.py [--json] [--dir FOLDER]

Each row is a worker process of its own that loads a model, reads a prompt and writes some tokens. Measured is
its peak, watched from outside: the growth of its resident memory since before loading, weights mapped from
the file included, plus what the engine put onto a GPU. The prompt fills the context where that takes less
than a minute. Ends with 1 where a prediction is more than 15 % off.
"""

import argparse
import json
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.core.paths import starter_models_dir
from app.protocol.engine import EngineInfo, LoadModel, MeasureSpeed
from scripts.bench.worker_client import WorkerClient
from scripts.make_gguf import PRESETS

ALLOWED = 0.15


@dataclass(frozen=True)
class Case:
    """One model, context and KV type.

    Attributes:
        n_prompt: tokens of the prompt that is read.
    """

    model: str
    n_ctx: int
    kv_type: str
    n_prompt: int = 512


@dataclass(frozen=True)
class Row:
    """A case's figures, in bytes.

    Attributes:
        loaded_bytes: what the worker said after loading (`EngineInfo.measured_bytes`).
        peak_bytes: growth seen from outside, at its highest after loading.
        ratio: predicted over peak.
    """

    case: Case
    predicted_bytes: int
    loaded_bytes: int
    peak_bytes: int
    ratio: float


# Without flash attention (f16 on the processor) the buffers fill with the context: so does the prompt.
CASES = (
    Case("starter", 8192, "f16", 7900),
    Case("starter", 2048, "q8_0", 1900),
    Case("starter", 8192, "q4_0", 2048),
    Case("350m Q8_0", 4096, "f16", 3900),
    Case("350m Q4_0, tied", 4096, "q8_0"),
    Case("1b Q4_K", 4096, "f16", 3900),
    Case("1b Q4_K", 16_384, "q8_0"),
    Case("1b F16", 2048, "f16", 1900),
    Case("3b Q4_0", 2048, "f16", 1900),
    Case("mixture Q4_K", 4096, "f16", 3900),
    Case("qwen3 Q4_K", 4096, "f16", 3900),
    Case("gemma3 Q4_0, tied", 8192, "f16", 3900),
    Case("gemma3 Q4_0, tied", 16_384, "q8_0", 1024),
)


class Watch:
    """Notes the highest resident memory of a process, every few milliseconds."""

    def __init__(self, process_id: int) -> None:
        """Begin."""
        self._process = psutil.Process(process_id)
        self.before_bytes = self._process.memory_info().rss
        self.peak_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """Forget what was seen: loading maps whole files for a moment."""
        self.peak_bytes = 0

    def stop(self) -> int:
        """End; give the growth in bytes."""
        self._over.set()
        self._thread.join()
        return self.peak_bytes - self.before_bytes

    def _look(self) -> None:
        while not self._over.wait(0.01):
            self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)


def measure(case: Case, path: Path) -> Row:
    """Load a model in a worker and use it."""
    with WorkerClient("inference") as worker:
        watch = Watch(worker.process.pid)
        info: EngineInfo = worker.call(
            LoadModel(path=str(path), context_length=case.n_ctx, kv_type=case.kv_type)
        )
        watch.restart()
        worker.call(MeasureSpeed(n_prompt=case.n_prompt, n_generate=8), timeout_s=600)
        peak = watch.stop()
    if (info.context_length, info.kv_type) != (case.n_ctx, case.kv_type):
        raise SystemExit(f"{case}: loaded otherwise: {info}")
    return Row(case, info.predicted_bytes, info.measured_bytes, peak, info.predicted_bytes / peak)


def model_file(name: str, folder: Path) -> Path:
    """Give the file of a model, made where it is not the starter model."""
    if name == "starter":
        return next((starter_models_dir() / "chat").glob("*.gguf"))
    path = folder / f"{name}.gguf"
    if not path.exists():
        preset, _, storage = name.partition(" ")
        storage, _, tied = storage.partition(", ")
        output = "Q6_K" if storage.endswith("_K") else ""
        starter = next((starter_models_dir() / "chat").glob("*.gguf"))
        model = replace(
            PRESETS[preset],
            storage=storage,
            output_storage=output,
            is_tied=bool(tied),
            context_length=32_768,
            tokenizer=starter,
        )
        model.write(path)
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Measure all cases; 1 where one is too far off."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dir", type=Path, help="where the generated models are kept; a temporary folder")
    arguments = parser.parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.dir or Path(temporary)
        for case in CASES:
            row = measure(case, model_file(case.model, folder))
            rows.append(row)
            if not arguments.json:
                print(
                    f"{case.model:16} {case.n_ctx:6,} tokens {case.kv_type:4}: predicted "
                    f"{row.predicted_bytes / 1e6:7,.1f} MB, loaded {row.loaded_bytes / 1e6:7,.1f} MB, peak "
                    f"{row.peak_bytes / 1e6:7,.1f} MB, ratio {row.ratio:.3f}",
                    flush=True,
                )
    worst = max(abs(row.ratio - 1) for row in rows)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(f"furthest off: {worst:.1%}")
    return 0 if worst <= ALLOWED else 1


if __name__ == "__main__":
    raise SystemExit(main())
