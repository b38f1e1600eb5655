#!/usr/bin/env python3
"""Measure how soon a conversation that is opened again after a restart begins to answer.

    .venv/bin/python scripts/bench/snapshots.py [--model FILE] [--tokens 3000] [--runs 3] [--json]

Each run asks a question over a long text in one worker process, keeps the snapshot, ends the process, and
asks the next question in the same conversation in two new ones: with the snapshot and without. The answer
with the snapshot must have the same text as one without a restart. (One without the snapshot may differ at a
near-tie: it reads the first answer as a prompt, in other batches, which rounds differently.)
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.protocol.engine import Generate, Generation, LoadModel, PromptMessage, SaveSnapshot
from scripts.bench.generation import FACT, PLACES
from scripts.bench.opened_model import starter_model
from scripts.bench.worker_client import InferenceWorker

LIMIT_BYTES = 4 * 1024**3
NEXT_QUESTION = "And how many rooms has it?"


@dataclass(frozen=True)
class Run:
    """One conversation; seconds to the first token of the second answer, after a restart.

    Attributes:
        save_s: of writing the snapshot.
        snapshot_bytes: its size.
        same_text: the second answer says what it says without a restart.
    """

    prompt_tokens: int
    cached_tokens: int
    with_s: float
    without_s: float
    save_s: float
    snapshot_bytes: int
    same_text: bool

    @property
    def ratio(self) -> float:
        """How many times sooner."""
        return self.without_s / self.with_s


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where it is less than five times sooner or a text differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="GGUF file; default: the starter model")
    parser.add_argument("--tokens", type=int, default=3000, help="of the conversation (default 3000)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    model = options.model or starter_model()
    runs = [measure(model, options.tokens, n) for n in range(options.runs)]
    ratio = statistics.median(run.ratio for run in runs)
    if options.json:
        print(json.dumps({"model": model.stem, "ratio_median": ratio, "runs": [asdict(run) for run in runs]}))
    else:
        for run in runs:
            print(
                f"{model.stem}: {run.prompt_tokens} prompt tokens, {run.cached_tokens} from a snapshot of "
                f"{run.snapshot_bytes / 1e6:.0f} MB (written in {run.save_s:.2f} s); first token after "
                f"{run.with_s:.3f} s instead of {run.without_s:.3f} s: {run.ratio:.1f} times sooner; "
                f"same text: {run.same_text}"
            )
        print(f"median {ratio:.1f} times sooner")
    return int(ratio < 5 or not all(run.same_text for run in runs))


def measure(model: Path, n_tokens: int, n_run: int) -> Run:
    """Have one conversation over two starts of the worker."""
    facts = (
        FACT.format(
            place=PLACES[n % len(PLACES)], n=n + n_run, year=1800 + n, doors=n % 9, rooms=n % 40, steps=n
        )
        for n in range(n_tokens // 31)  # tokens of such a sentence
    )
    question = "Read this:\n\n" + " ".join(facts) + "\n\nWhen was the harbour of district 20 opened?"
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        with InferenceWorker() as worker:
            _load(worker, model, folder)
            first = _ask(worker, question)
            started = time.perf_counter()
            worker.call(SaveSnapshot())
            save_s = time.perf_counter() - started
            live = _ask(worker, question, first.text, NEXT_QUESTION)
            worker.kill()  # in order, it would keep this turn too
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        with InferenceWorker() as worker:
            _load(worker, model, folder)
            restored = _ask(worker, question, first.text, NEXT_QUESTION)
        with InferenceWorker() as worker:
            _load(worker, model, "")
            fresh = _ask(worker, question, first.text, NEXT_QUESTION)
    assert restored.from_snapshot and restored.first_token_s and fresh.first_token_s
    return Run(
        restored.prompt_tokens,
        restored.cached_tokens,
        restored.first_token_s,
        fresh.first_token_s,
        save_s,
        size,
        restored.text == live.text,
    )


def _load(worker: InferenceWorker, model: Path, folder: str) -> None:
    worker.call(
        LoadModel(path=str(model), context_length=8192, snapshot_dir=folder, snapshot_limit_bytes=LIMIT_BYTES)
    )


def _ask(worker: InferenceWorker, *contents: str) -> Generation:
    turns = tuple(
        PromptMessage(role="assistant" if n % 2 else "user", content=content)
        for n, content in enumerate(contents)
    )
    return worker.call(Generate(messages=turns, conversation="bench", max_tokens=24), timeout_s=600)


if __name__ == "__main__":
    sys.exit(main())
