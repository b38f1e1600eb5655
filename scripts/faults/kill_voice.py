"""Kill the voice worker while it records and understands: no sound on the disk, no microphone left open.

    .venv/bin/python -m scripts.faults.kill_voice [--kills 50] [--seed 1]

The real worker listens to a virtual microphone that somebody speaks into; it is killed at a random moment
within a recording, or while it understands one. Its home, temporary and working folders are empty afterwards.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from app.core.paths import starter_models_dir
from app.protocol.speech import FinishRecording, Record, SpeechOptions
from scripts.bench.worker_client import WorkerClient
from scripts.faults.program import report
from scripts.faults.sound_card import SoundCard

_LONGEST_S = 2.5
_UNDERSTANDING_S = 0.3
_CLOSED_WITHIN_S = 3.0
_FOLDERS = ("HOME", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")


def main() -> int:
    """Kill and look, again and again; print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    left: list[str] = []
    n_open = 0
    with SoundCard() as card, tempfile.TemporaryDirectory(prefix="kill-voice-") as place:
        home = Path(place)
        os.environ.update(card.environment(), PYTHONDONTWRITEBYTECODE="1", **dict.fromkeys(_FOLDERS, place))
        os.chdir(home)
        for _ in range(options.kills):
            _kill_once(card, rng)
            left += [str(path.relative_to(home)) for path in home.rglob("*")]
            n_open += not _closes(card)
    passed = [
        report(f"{options.kills} kills: files left", not left, f"{left[:5]}" if left else "none"),
        report(f"{options.kills} kills: microphones left open", not n_open, str(n_open)),
    ]
    return 0 if all(passed) else 1


def _kill_once(card: SoundCard, rng: random.Random) -> None:
    """Record what somebody says, and kill the worker at some moment."""
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, 3000, 16_000 * 8).astype(np.int16)
    worker = WorkerClient("voice", (), subprocess.DEVNULL)
    speaking = card.play_into(noise, 16_000)
    model = str(starter_models_dir() / "speech-to-text" / "whisper-tiny")
    request_id = worker.start(Record(options=SpeechOptions(model_path=model)))
    while not card.n_recording():
        worker.await_progress(request_id)
    time.sleep(rng.uniform(0.0, _LONGEST_S))
    if rng.random() < 0.5:
        worker.start(FinishRecording())
        time.sleep(rng.uniform(0.0, _UNDERSTANDING_S))
    worker.kill()
    speaking.stop()


def _closes(card: SoundCard) -> bool:
    deadline = time.monotonic() + _CLOSED_WITHIN_S
    while card.n_recording():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


if __name__ == "__main__":
    sys.exit(main())
