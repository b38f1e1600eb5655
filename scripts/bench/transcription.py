#!/usr/bin/env python3
"""Measure speech to text: word error rate, speed and memory of the voice worker, beside faster-whisper.

    .venv/bin/python scripts/bench/transcription.py FOLDER [--model FOLDER] [--language CODE] [--json]

FOLDER holds WAV files (16,000 samples a second, 16 bits, one channel), each with its words in a .txt.
Words are compared as scripts/bench/word_errors.py says. The reference is faster-whisper called directly on
the same files, with its own voice activity filter and the same model, beams and number type.
"""

import argparse
import contextlib
import json
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.protocol.speech import (
    CloseTranscription,
    FeedTranscription,
    OpenTranscription,
    SpeechOptions,
    TranscriptPart,
)
from scripts.bench.word_errors import WordErrors, total, word_errors
from scripts.bench.worker_client import RequestCancelled, WorkerClient
from scripts.wav_files import read_wav

STARTER = Path(__file__).resolve().parents[2] / "resources/models/speech-to-text/whisper-tiny"
RATE = 16_000
PIECE_BYTES = 30 * RATE * 2
N_CANCELS = 8


@dataclass(frozen=True)
class Clip:
    """A sound and its words; `seconds` long."""

    name: str
    payload: bytes
    words: str

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.payload) / 2 / RATE


@dataclass(frozen=True)
class Measured:
    """One way of understanding all clips.

    Attributes:
        load_s: from starting to a loaded model.
        compute_s: for all clips together.
    """

    errors: WordErrors
    load_s: float
    compute_s: float
    texts: dict[str, str]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where there is nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=STARTER, help="default: the starter model")
    parser.add_argument("--language", default="", help="ISO 639-1; default: found out")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    clips = [
        clip_of(path) for path in sorted(options.folder.glob("*.wav")) if path.with_suffix(".txt").exists()
    ]
    if not clips:
        print("no .wav with its .txt there", file=sys.stderr)
        return 1
    seconds = sum(clip.seconds for clip in clips)
    worker, peak_bytes, cancelled_ms = by_worker(clips, options.model, options.language)
    reference = by_library(clips, options.model, options.language)
    result = {
        "clips": len(clips),
        "seconds": round(seconds, 1),
        "model": options.model.name,
        "cores": psutil.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "worker": _figures(worker, seconds)
        | {
            "peak_memory_mb": round(peak_bytes / 1e6),
            "slowest_cancel_ms": round(max(cancelled_ms, default=0.0), 1),
        },
        "reference": _figures(reference, seconds),
        "texts": worker.texts,
    }
    print(json.dumps(result, indent=None if options.json else 2, ensure_ascii=False))
    return 0


def clip_of(path: Path) -> Clip:
    """Read a clip."""
    try:
        payload, rate = read_wav(path)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    if rate != RATE:
        raise SystemExit(f"{path.name} does not hold 16,000 samples a second")
    return Clip(path.stem, payload, path.with_suffix(".txt").read_text("utf-8"))


def by_worker(clips: Sequence[Clip], model: Path, language: str) -> tuple[Measured, int, list[float]]:
    """Understand clips as the program does; give its greatest memory (bytes) and its cancels (ms), too."""
    options = SpeechOptions(model_path=str(model), language=language)
    with WorkerClient("voice", stderr=subprocess.DEVNULL) as worker:
        begin = time.perf_counter()
        first = worker.call(OpenTranscription(options=options))
        load_s = time.perf_counter() - begin
        worker.call(CloseTranscription(handle=first.handle))

        def understand(clip: Clip) -> str:
            handle = worker.call(OpenTranscription(options=options)).handle
            texts: list[str] = []
            for start in range(0, len(clip.payload), PIECE_BYTES):
                piece = clip.payload[start : start + PIECE_BYTES]
                last = start + PIECE_BYTES >= len(clip.payload)
                part = worker.call(FeedTranscription(handle=handle, last=last), piece, timeout_s=600)
                texts.extend(segment.text for segment in part.segments)
            worker.call(CloseTranscription(handle=handle))
            return " ".join(texts)

        measured = _measured(clips, understand, load_s)
        peak_bytes = peak_memory(worker.process.pid)
        return measured, peak_bytes, cancels_ms(worker, options, b"".join(clip.payload for clip in clips))


def cancels_ms(worker: WorkerClient, options: SpeechOptions, payload: bytes) -> list[float]:
    """Cancel in the middle of understanding; give how long each took, in milliseconds."""
    times: list[float] = []
    source = random.Random(1)
    for _ in range(N_CANCELS):
        handle = worker.call(OpenTranscription(options=options)).handle
        request = worker.start(FeedTranscription(handle=handle, last=True), payload)
        time.sleep(source.uniform(0.1, 1.0))
        begin = time.perf_counter()
        worker.cancel(request)
        with contextlib.suppress(RequestCancelled):
            worker.wait(request, TranscriptPart)
            print("it was faster than the cancel", file=sys.stderr)
            continue
        times.append(1000 * (time.perf_counter() - begin))
        worker.call(CloseTranscription(handle=handle))
    return times


def by_library(clips: Sequence[Clip], model: Path, language: str) -> Measured:
    """Understand clips with faster-whisper alone."""
    from faster_whisper import WhisperModel

    begin = time.perf_counter()
    whisper = WhisperModel(
        str(model), device="cpu", compute_type="int8", local_files_only=True, cpu_threads=_cores()
    )
    load_s = time.perf_counter() - begin

    def understand(clip: Clip) -> str:
        sound = np.frombuffer(clip.payload, "<i2").astype(np.float32) / 32768
        segments, _ = whisper.transcribe(sound, language=language or None, beam_size=5, vad_filter=True)
        return " ".join(segment.text.strip() for segment in segments)

    return _measured(clips, understand, load_s)


def peak_memory(pid: int) -> int:
    """Give the greatest memory of a process in bytes; where the system does not keep it, what it has now."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    memory = psutil.Process(pid).memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def _measured(clips: Sequence[Clip], understand: Callable[[Clip], str], load_s: float) -> Measured:
    begin = time.perf_counter()
    texts = {clip.name: understand(clip) for clip in clips}
    compute_s = time.perf_counter() - begin
    return Measured(
        total(word_errors(clip.words, texts[clip.name]) for clip in clips), load_s, compute_s, texts
    )


def _cores() -> int:
    return psutil.cpu_count(logical=False) or 1


def _figures(measured: Measured, seconds: float) -> dict[str, Any]:
    return {
        "word_error_rate": round(measured.errors.rate, 4),
        "errors": measured.errors.n_errors,
        "words": measured.errors.n_words,
        "times_real_time": round(seconds / measured.compute_s, 1),
        "load_s": round(measured.load_s, 2),
    }


if __name__ == "__main__":
    raise SystemExit(main())
