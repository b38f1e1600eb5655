#!/usr/bin/env python3
"""Kill the inference worker while it writes a conversation's snapshot, and let its disk be full.

    .venv/bin/python scripts/faults/kill_snapshots.py [--kills 20]

After each kill the conversation is opened again and must be answered as without a snapshot: a whole one is
used, half of one never. Then a worker that may write no file larger than a part of a snapshot (as on a full
disk) must answer all the same and leave nothing behind.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.protocol.engine import Generate, Generation, LoadModel, PromptMessage, SaveSnapshot
from scripts.bench.generation import FACT, PLACES
from scripts.bench.opened_model import starter_model
from scripts.bench.worker_client import InferenceWorker

_N_FACTS = 12
_SMALL_FILE_BYTES = 2 * 1024 * 1024
_LIMIT_BYTES = 1024**3


def main(argv: Sequence[str] | None = None) -> int:
    """Kill, open again, compare; 1 where an answer was wrong or a file was left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    source = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        expected, save_s = _first(Path(folder))
        bad = whole = 0
        for number in range(options.kills):
            left = _killed(Path(folder), source.uniform(0, 1.3 * save_s))
            answer = _opened_again(Path(folder))
            used = answer.from_snapshot
            right = answer.text == expected.text and not _parts(Path(folder))
            whole, bad = whole + used, bad + (not right)
            print(f"kill {number + 1}: {left}; snapshot used: {used}; answer right: {right}")
            _empty(Path(folder))
        full = _full_disk(Path(folder), expected.text)
    print(f"{options.kills} kills: {whole} whole snapshots used, {bad} wrong answers or files left")
    print(f"full disk: {'as it should' if full else 'WRONG'}")
    return int(bad > 0 or not full)


def _first(folder: Path) -> tuple[Generation, float]:
    """Give the answer that every run must give, and how long saving takes."""
    with InferenceWorker() as worker:
        _load(worker, folder)
        answer = _ask(worker)
        started = time.perf_counter()
        worker.call(SaveSnapshot())
        save_s = time.perf_counter() - started
    _empty(folder)
    return answer, save_s


def _killed(folder: Path, delay_s: float) -> str:
    """Kill a worker `delay_s` after it began to save; say what it left."""
    worker = InferenceWorker()
    _load(worker, folder)
    _ask(worker)
    worker.start(SaveSnapshot())
    killer = threading.Timer(delay_s, worker.process.kill)
    killer.start()
    killer.join()
    worker.kill()
    return (
        ", ".join(f"{path.suffix} of {path.stat().st_size:,} bytes" for path in folder.iterdir()) or "nothing"
    )


def _opened_again(folder: Path) -> Generation:
    with InferenceWorker() as worker:
        _load(worker, folder)
        return _ask(worker)


def _full_disk(folder: Path, expected: str) -> bool:
    """Answer and save where files cannot grow beyond a part of a snapshot."""
    import resource  # POSIX only

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SMALL_FILE_BYTES, before[1]))
    try:
        worker = InferenceWorker()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with worker:
        _load(worker, folder)
        answer = _ask(worker)
        worker.call(SaveSnapshot())
        again = _ask(worker)
    return answer.text == again.text == expected and not list(folder.iterdir())


def _load(worker: InferenceWorker, folder: Path) -> None:
    worker.call(
        LoadModel(
            path=str(starter_model()),
            context_length=2048,
            snapshot_dir=str(folder),
            snapshot_limit_bytes=_LIMIT_BYTES,
        )
    )


def _ask(worker: InferenceWorker) -> Generation:
    text = " ".join(
        FACT.format(place=PLACES[n % 10], n=n, year=1800 + n, doors=n, rooms=n, steps=n)
        for n in range(_N_FACTS)
    )
    turns = (PromptMessage(role="user", content=f"{text}\n\nWhen was the mill opened?"),)
    return worker.call(Generate(messages=turns, conversation="c", max_tokens=8), timeout_s=300)


def _parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


if __name__ == "__main__":
    sys.exit(main())
