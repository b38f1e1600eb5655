#!/usr/bin/env python3
"""Measure reading aloud: the worker's synthesis beside Piper called directly, and when the first sound comes.

    .venv/bin/python scripts/bench/synthesis.py [--json] [--voice FILE.onnx] [--rounds N]

Piper is called directly in a process of its own with its own defaults (as many threads as there are cores);
the worker is asked for the same sentences with voice.Synthesize, over its pipes. Memory is the resident
memory of each process at the end; processor time says what a busy machine hides. The first sound is the time
from sound.Say to sound.started, through PortAudio, to a virtual sound card (Debian: pulseaudio,
pulseaudio-utils, libasound2-plugins) or, without one, the system's loudspeaker: of a worker that is started
for it (from its start on), in one that has just started, and in one that has spoken before. Ends with 1 where
synthesis is slower than 5 times real time, or a first sound takes longer than a second.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.core.paths import starter_models_dir
from app.protocol.body import Body
from app.protocol.speech import Say, SoundPlayed, SoundStarted, StopSound, Synthesize
from app.worker.voice.synthesis import PiperVoice
from scripts.bench.worker_client import RequestCancelled, WorkerClient
from scripts.faults.sound_card import SoundCard, is_available

MIN_SPEED = 5.0
MAX_FIRST_SOUND_S = 1.0
SENTENCES = (
    "The contract begins on the first of March and runs for two years.",
    "Either side may end it with three months' notice.",
    "The monthly rent is nine hundred and fifty euros, payable in advance by the third working day.",
    "No.",
    "According to the report, sales rose by twelve percent in the second quarter, while costs stayed flat.",
    "See page 14 for the table of measured temperatures.",
    "If the pump fails to start, check the fuse behind the lower panel before you call the service.",
    "The committee has not yet decided whether the bridge will be repaired or replaced.",
)
LONG_SENTENCE = (
    "After the first meeting of the year, in which nothing was decided because half of the members were ill, "
    "the chair proposed that all open questions should be answered in writing before the end of the month."
)


@dataclass(frozen=True)
class Speed:
    """How fast a way of speaking is.

    Attributes:
        times_real_time: seconds of speech for each second of work.
        resident_mb: memory of the process afterwards.
        load_s: until the voice was ready.
    """

    name: str
    times_real_time: float
    speech_s: float
    work_s: float
    processor_s: float
    resident_mb: float
    load_s: float


@dataclass(frozen=True)
class FirstSound:
    """Seconds from Say to the first sample at the loudspeaker."""

    name: str
    median_s: float
    worst_s: float
    n_times: int


def _speak_directly(pipe: Connection, voice_path: str, n_rounds: int) -> None:
    started = time.perf_counter()
    from piper import PiperVoice as Engine

    engine = Engine.load(voice_path)
    load_s = time.perf_counter() - started
    list(engine.synthesize("Warm up."))
    processor_s, speech_s, started = time.process_time(), 0.0, time.perf_counter()
    for sentence in SENTENCES * n_rounds:
        n_samples = sum(len(chunk.audio_int16_array) for chunk in engine.synthesize(sentence))
        speech_s += n_samples / engine.config.sample_rate
    work_s, processor_s = time.perf_counter() - started, time.process_time() - processor_s
    resident_mb = psutil.Process().memory_info().rss / 1e6
    times = speech_s / work_s
    pipe.send(Speed("Piper called directly", times, speech_s, work_s, processor_s, resident_mb, load_s))


def speed_of_piper(voice_path: Path, n_rounds: int) -> Speed:
    """Measure Piper called directly."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_speak_directly, args=(theirs, str(voice_path), n_rounds))
    process.start()
    measured: Speed = ours.recv()
    process.join()
    return measured


def speed_of_worker(voice_path: Path, n_rounds: int) -> Speed:
    """Measure the worker, over its pipes."""
    with WorkerClient("voice") as worker:
        started = time.perf_counter()
        worker.call(Synthesize(text="Warm up.", voice_path=str(voice_path)))
        load_s = time.perf_counter() - started
        process = psutil.Process(worker.process.pid)
        processor_s, speech_s, started = _processor_s(process), 0.0, time.perf_counter()
        for sentence in SENTENCES * n_rounds:
            sound = worker.call(Synthesize(text=sentence, voice_path=str(voice_path)))
            speech_s += sound.n_samples / sound.sample_rate
        work_s = time.perf_counter() - started
        processor_s = _processor_s(process) - processor_s
        resident_mb = process.memory_info().rss / 1e6
    return Speed("worker", speech_s / work_s, speech_s, work_s, processor_s, resident_mb, load_s)


def _processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def first_sound(worker: WorkerClient, text: str, voice_path: Path) -> float:
    """Give the seconds from Say to the first sample; what follows is stopped."""
    started = time.perf_counter()
    heard_at: list[float] = []

    def on_progress(body: Body) -> None:
        if isinstance(body, SoundStarted):
            heard_at.append(time.perf_counter() - started)
            worker.call(StopSound())

    request = worker.start(Say(text=text, voice_path=str(voice_path)))
    with contextlib.suppress(RequestCancelled):
        worker.wait(request, SoundPlayed, on_progress)
    return heard_at[0]


def first_sounds(voice_path: Path, n_rounds: int) -> list[FirstSound]:
    """Measure in workers that have just started, with and without their start, and in one that has spoken."""
    cold, whole = [], []
    for _ in range(n_rounds):
        started = time.perf_counter()
        with WorkerClient("voice") as worker:
            start_s = time.perf_counter() - started
            cold.append(first_sound(worker, SENTENCES[0], voice_path))
            whole.append(start_s + cold[-1])
    with WorkerClient("voice") as worker:
        first_sound(worker, SENTENCES[0], voice_path)
        warm = [first_sound(worker, text, voice_path) for text in SENTENCES * n_rounds]
        long = [first_sound(worker, LONG_SENTENCE, voice_path) for _ in range(n_rounds)]
    return [
        FirstSound("no worker runs", statistics.median(whole), max(whole), len(whole)),
        FirstSound("just started", statistics.median(cold), max(cold), len(cold)),
        FirstSound("has spoken before", statistics.median(warm), max(warm), len(warm)),
        FirstSound(f"has, {len(LONG_SENTENCE)} characters", statistics.median(long), max(long), len(long)),
    ]


@contextlib.contextmanager
def a_loudspeaker() -> Iterator[str]:
    """Have a virtual sound card where there can be one; give what is used."""
    if not is_available():
        yield "the system's loudspeaker"
        return
    with SoundCard() as card:
        os.environ.update(card.environment())
        yield "a virtual sound card"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit code."""
    starter = starter_models_dir() / "text-to-speech" / "en_US-joe-medium" / "en_US-joe-medium.onnx"
    parser = argparse.ArgumentParser(description="Measure reading aloud.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--voice", type=Path, default=starter, help="a Piper voice")
    parser.add_argument("--rounds", type=int, default=3, help="how often each sentence is spoken")
    options = parser.parse_args(arguments)
    PiperVoice(options.voice)  # read once, so that the first one measured does not pay for the disk
    speeds = [measure(options.voice, options.rounds) for measure in (speed_of_piper, speed_of_worker)]
    with a_loudspeaker() as loudspeaker:
        sounds = first_sounds(options.voice, options.rounds)
    if options.json:
        figures = {"speeds": [asdict(row) for row in speeds], "first_sounds": [asdict(row) for row in sounds]}
        print(json.dumps(figures, indent=2))
    else:
        print(f"{os.cpu_count()} cores; first sounds to {loudspeaker}\n")
        for row in speeds:
            print(
                f"{row.name:<24}{row.times_real_time:6.1f} times real time ({row.speech_s:.0f} s of speech "
                f"in {row.work_s:.1f} s, {row.processor_s:.1f} s of processor time), "
                f"{row.resident_mb:.0f} MB resident, ready after {row.load_s:.1f} s"
            )
        for sound in sounds:
            print(
                f"{'first sound, ' + sound.name:<40}{sound.median_s:6.2f} s (median of {sound.n_times}; "
                f"worst {sound.worst_s:.2f} s)"
            )
    is_fast = speeds[1].times_real_time >= MIN_SPEED
    is_prompt = all(sound.median_s <= MAX_FIRST_SOUND_S for sound in sounds)
    return 0 if is_fast and is_prompt else 1


if __name__ == "__main__":
    raise SystemExit(main())
