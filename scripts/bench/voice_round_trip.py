#!/usr/bin/env python3
"""Speak 50 sentences and transcribe them again, through host and workers and by the engines called directly.

    .venv/bin/python scripts/bench/voice_round_trip.py [--sentences FILE] [--json]

Errors are counted in words (`word_errors.py`). Promised: at most 10 % of the words wrong, and speech
made at least 5 times as fast as it is heard (median of the sentences, the voice being loaded).
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.client import HostClient
from app.core.errors import AppError
from app.core.paths import data_paths, starter_models_dir
from app.protocol.system import Shutdown
from app.protocol.voice import SpeakText, TranscribeFile
from scripts.bench.word_errors import word_errors
from scripts.wav_files import write_wav

SENTENCES = Path(__file__).with_name("voice_sentences.txt")
MOST_WRONG = 0.10
LEAST_SPEED = 5.0
RATE = 16_000


@dataclass(frozen=True)
class Trip:
    """One sentence there and back.

    Attributes:
        heard: what was understood.
        n_wrong: words that are wrong, missing or too many.
        sound_s: length of the spoken sentence.
        speak_s: that speaking it took.
        understand_s: that understanding it took.
    """

    sentence: str
    heard: str
    n_words: int
    n_wrong: int
    sound_s: float
    speak_s: float
    understand_s: float


@dataclass(frozen=True)
class Report:
    """All sentences by one way.

    Attributes:
        word_error: wrong words over all words.
        speaking: times as fast as it is heard, median.
        understanding: the same.
    """

    way: str
    word_error: float
    speaking: float
    understanding: float
    trips: tuple[Trip, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sentences", type=Path, default=SENTENCES, help="a text file, one in each line")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--engines", action="store_true", help=argparse.SUPPRESS)  # what the child is asked
    options = parser.parse_args(argv)
    sentences = [line for line in options.sentences.read_text("utf-8").splitlines() if line.strip()]
    if options.engines:
        print(json.dumps([asdict(trip) for trip in by_engines(sentences)]))
        return 0
    try:
        reports = [asyncio.run(by_program(sentences)), _by_child(options.sentences)]
    except AppError as error:
        print(f"{error.user_message} {error.hint}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps([asdict(report) for report in reports], ensure_ascii=False))
    else:
        _print(reports)
    kept = reports[0].word_error <= MOST_WRONG and reports[0].speaking >= LEAST_SPEED
    return 0 if kept else 1


async def by_program(sentences: Sequence[str]) -> Report:
    """Let a host of our own speak each sentence into a file and transcribe the file."""
    trips = []
    with tempfile.TemporaryDirectory(prefix="bench-voice-") as temporary:
        folder = Path(temporary)
        client = await HostClient.connect(data_paths(folder / "data"), kind="cli")
        try:
            await _there_and_back(client, "Both are loaded now.", folder / "warm.wav")
            for number, sentence in enumerate(sentences):
                trips.append(await _there_and_back(client, sentence, folder / f"{number}.wav"))
            await client.call(Shutdown(force=True))
            await client.wait_closed()
        finally:
            await client.close()
    return _report("program", trips)


async def _there_and_back(client: HostClient, sentence: str, path: Path) -> Trip:
    started = time.perf_counter()
    spoken, samples = await client.call_with_payload(SpeakText(text=sentence))
    speak_s = time.perf_counter() - started
    write_wav(path, samples, spoken.sample_rate)
    started = time.perf_counter()
    transcript = await client.call(TranscribeFile(path=str(path)))
    understand_s = time.perf_counter() - started
    sound_s = spoken.n_samples / spoken.sample_rate
    return _trip(sentence, transcript.text, sound_s, speak_s, understand_s)


def _by_child(path: Path) -> Report:
    """Call the engines in a process of their own, so that nothing of the program is in theirs."""
    command = [sys.executable, str(Path(__file__).resolve()), "--engines", "--sentences", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AppError("bench.engines", "The engines could not be called directly.", done.stderr[-500:])
    return _report("engines", [Trip(**trip) for trip in json.loads(done.stdout)])


def by_engines(sentences: Sequence[str]) -> list[Trip]:
    """Speak and understand in this process, with piper-tts and faster-whisper as their manuals say."""
    import numpy as np
    from faster_whisper import WhisperModel
    from piper import PiperVoice

    models_dir = starter_models_dir()
    voice = PiperVoice.load(next((models_dir / "text-to-speech").rglob("*.onnx")))
    weights = next((models_dir / "speech-to-text").rglob("model.bin"))
    model = WhisperModel(str(weights.parent), device="cpu", compute_type="int8")

    def there_and_back(sentence: str) -> Trip:
        started = time.perf_counter()
        spoken = np.concatenate([chunk.audio_float_array for chunk in voice.synthesize(sentence)])
        speak_s = time.perf_counter() - started
        sound_s = len(spoken) / voice.config.sample_rate
        places = np.linspace(0, len(spoken) - 1, int(sound_s * RATE))
        sound = np.interp(places, np.arange(len(spoken)), spoken).astype(np.float32)
        started = time.perf_counter()
        segments, _ = model.transcribe(sound, language="en")
        heard = " ".join(segment.text for segment in segments)
        return _trip(sentence, heard, sound_s, speak_s, time.perf_counter() - started)

    there_and_back("Both are loaded now.")
    return [there_and_back(sentence) for sentence in sentences]


def _trip(sentence: str, heard: str, sound_s: float, speak_s: float, understand_s: float) -> Trip:
    errors = word_errors(sentence, heard)
    return Trip(sentence, heard.strip(), errors.n_words, errors.n_errors, sound_s, speak_s, understand_s)


def _report(way: str, trips: Sequence[Trip]) -> Report:
    return Report(
        way=way,
        word_error=sum(trip.n_wrong for trip in trips) / sum(trip.n_words for trip in trips),
        speaking=statistics.median(trip.sound_s / trip.speak_s for trip in trips),
        understanding=statistics.median(trip.sound_s / trip.understand_s for trip in trips),
        trips=tuple(trips),
    )


def _print(reports: Sequence[Report]) -> None:
    for trip in reports[0].trips:
        if trip.n_wrong:
            print(f"{trip.n_wrong} wrong: {trip.sentence}\n         {trip.heard}")
    n_words = sum(trip.n_words for trip in reports[0].trips)
    print(f"\n{len(reports[0].trips)} sentences, {n_words} words")
    print(f"{'':10}{'word error':>12}{'speaking':>12}{'understanding':>15}")
    for report in reports:
        speeds = f"{report.speaking:>10.1f} x{report.understanding:>13.1f} x"
        print(f"{report.way:10}{100 * report.word_error:>10.1f} %{speeds}")
    print(f"promised  {100 * MOST_WRONG:>10.1f} %{LEAST_SPEED:>10.1f} x")


if __name__ == "__main__":
    raise SystemExit(main())
