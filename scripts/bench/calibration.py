#!/usr/bin/env python3
"""Calibrate this machine and compare the estimated speed of models with what a worker measures.

    .venv/bin/python scripts/bench/calibration.py [--json] [--dir FOLDER]

Other programs that use the cores meanwhile change both; run it on a quiet machine.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.core.fit import shape_of, tokens_per_s
from app.core.gguf import read_head
from app.protocol.engine import Calibrate, Calibration, LoadModel, MeasureSpeed
from scripts.bench.memory import model_file
from scripts.bench.worker_client import WorkerClient

MODELS = ("starter", "350m Q8_0", "350m Q4_0, tied", "1b Q4_K", "1b F16")
N_WRITTEN = 32


def main(argv: Sequence[str] | None = None) -> int:
    """Print estimated and measured tokens a second of each model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dir", type=Path, help="where the generated models are kept; a temporary folder")
    arguments = parser.parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory() as temporary, WorkerClient("inference") as worker:
        started = time.perf_counter()
        calibration: Calibration = worker.call(Calibrate())
        seconds = time.perf_counter() - started
        for name in MODELS:
            path = model_file(name, arguments.dir or Path(temporary))
            worker.call(LoadModel(path=str(path), context_length=2048))
            speed = worker.call(MeasureSpeed(n_prompt=512, n_generate=N_WRITTEN), timeout_s=600)
            estimate = tokens_per_s(shape_of(read_head(path)), 0, "f16", calibration) or 0.0
            rows.append({"model": name, "estimated": estimate, "measured": speed.tokens_per_s})
            if not arguments.json:
                ratio = estimate / speed.tokens_per_s
                print(
                    f"{name:16} estimated {estimate:6.1f}, measured {speed.tokens_per_s:6.1f} tokens/s, "
                    f"ratio {ratio:.2f}"
                )
    if arguments.json:
        print(json.dumps({"calibration": vars(calibration), "seconds": seconds, "models": rows}, indent=2))
    else:
        print(f"calibrated in {seconds:.1f} s: {calibration}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
