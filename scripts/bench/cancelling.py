#!/usr/bin/env python3
"""Measure how long a cancel takes: while a model is loaded, a prompt read, an answer written, under a schema.

    .venv/bin/python scripts/bench/cancelling.py [--model FILE] [--draft FILE] [--runs 10] [--json]

Times run from sending the cancel to its confirmation, in the worker's own process, as the host sees them.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.protocol.engine import (
    EngineInfo,
    Generate,
    Generation,
    LoadModel,
    PromptMessage,
    TokenGenerated,
    UnloadModel,
)
from scripts.bench.generation import LONG_TASK
from scripts.bench.opened_model import starter_model
from scripts.bench.worker_client import InferenceWorker, RequestCancelled

LIMIT_S = 0.2
SCHEMA = {"type": "array", "items": {"type": "string"}, "minItems": 100}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where one took longer than 0.2 s."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="GGUF file; default: the starter model")
    parser.add_argument("--draft", default="", help="GGUF file of a draft model")
    parser.add_argument("--runs", type=int, default=10, help="of each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    source, times = random.Random(1), dict[str, list[float]]()
    with InferenceWorker() as worker:
        path = str(options.model or starter_model())
        load = LoadModel(path=path, context_length=8192, draft=options.draft)
        load_s = worker.call(load, timeout_s=600).load_seconds
        for n in range(options.runs):
            seconds = _cancelled_loading(worker, load, load_s * (n + 0.5) / options.runs)
            if seconds is not None:
                times.setdefault("loading", []).append(seconds)
        worker.call(load, timeout_s=600)
        for n in range(options.runs):
            prompt = f"{n} " + "The quick brown fox jumps over the lazy dog. " * 600
            reading = _cancelled(worker, prompt, source.uniform(0.3, 2.0), wait_for_text=False)
            writing = _cancelled(worker, LONG_TASK, source.uniform(0, 1.0), wait_for_text=True)
            guided = _cancelled(
                worker, LONG_TASK, source.uniform(0, 1.0), wait_for_text=True, json_schema=SCHEMA
            )
            for name, seconds in (("reading", reading), ("writing", writing), ("guided", guided)):
                if seconds is not None:
                    times.setdefault(name, []).append(seconds)
    if options.json:
        print(json.dumps(times))
    else:
        for name, all_s in times.items():
            middle = sorted(all_s)[len(all_s) // 2]
            print(
                f"{name}: {1000 * max(all_s):.0f} ms at most, {1000 * middle:.0f} ms median of {len(all_s)}"
            )
    return int(max(max(all_s) for all_s in times.values()) > LIMIT_S)


def _cancelled_loading(worker: InferenceWorker, load: LoadModel, delay_s: float) -> float | None:
    """Load a model anew, cancel that after a while; None where it was loaded before."""
    worker.call(UnloadModel())
    request_id = worker.start(load)
    time.sleep(delay_s)
    started = time.perf_counter()
    worker.cancel(request_id)
    try:
        worker.wait(request_id, EngineInfo, timeout_s=600)
    except RequestCancelled:
        return time.perf_counter() - started
    return None


def _cancelled(
    worker: InferenceWorker, prompt: str, delay_s: float, *, wait_for_text: bool, **options: Any
) -> float | None:
    """Start an answer, cancel it after a while, give the seconds until then; None if it ended."""
    messages = (PromptMessage(role="user", content=prompt),)
    request = Generate(messages=messages, max_tokens=4000, temperature=0.8, **options)
    request_id = worker.start(request)
    if wait_for_text:
        while not isinstance(worker.await_progress(request_id), TokenGenerated):
            continue
    time.sleep(delay_s)
    started = time.perf_counter()
    worker.cancel(request_id)
    try:
        worker.wait(request_id, Generation)
    except RequestCancelled:
        return time.perf_counter() - started
    return None  # it ended before


if __name__ == "__main__":
    sys.exit(main())
