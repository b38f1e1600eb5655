#!/usr/bin/env python3
"""Measure the first token of a short answer, alone and while a recording is transcribed in the background.

    .venv/bin/python scripts/bench/answer_beside_transcript.py FOLDER [--tries N] [--json]

FOLDER holds WAV files (16,000 samples a second, 16 bits, one channel) with speech; an hour is made of them
and added to the library of a fresh data folder, with a real host, its workers and the starter models. The
same short question is asked again and again, at moments left to chance, first alone and then while the
recording is transcribed; the first token counts from the request of a front end. The speed of the
transcription is that of half a minute in which nobody asks, and of the time in which somebody does. Ends with
1 where the median is more than 10 % (and 20 ms) above that alone.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.client.client import HostClient
from app.core.paths import DataPaths
from app.protocol.body import Body
from app.protocol.chat import AnswerToken, Ask
from app.protocol.library import AddPaths, FileChanged
from app.protocol.system import Shutdown

RATE = 16_000
RECORDING_S = 3600
WATCH_S = 30.0
ALLOWED, ALLOWED_S = 1.1, 0.02
_QUESTION = Ask(question="Say hello.", keep=False, use_documents=False, max_tokens=4, temperature=0.0)


@dataclass(frozen=True)
class FirstTokens:
    """Seconds from the request to the first token."""

    name: str
    median_s: float
    p95_s: float
    worst_s: float
    n_tries: int


def summary(name: str, seconds: Sequence[float]) -> FirstTokens:
    """Give median and 95th percentile."""
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return FirstTokens(name, statistics.median(ordered), p95, ordered[-1], len(ordered))


class Drill:
    """A front end that asks, and sees how far the recording is."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.done_s = 0.0
        self.state = ""
        self._changed = asyncio.Event()
        self._chance = random.Random(1)

    def on_event(self, body: Body) -> None:
        """Note the progress of the one file."""
        if isinstance(body, FileChanged):
            self.state = body.file.state
            self.done_s = max(self.done_s, (body.file.progress or 0.0) * RECORDING_S)
            self._changed.set()

    async def ask(self, client: HostClient) -> float:
        """Ask once; give the seconds to the first token."""
        started, first_s = time.perf_counter(), 0.0
        async for body in client.stream(_QUESTION):
            if isinstance(body, AnswerToken) and not first_s:
                first_s = time.perf_counter() - started
        return first_s

    async def first_tokens(self, client: HostClient, n_tries: int) -> list[float]:
        """Ask at moments left to chance."""
        found = []
        for _ in range(n_tries):
            await asyncio.sleep(self._chance.uniform(3.0, 6.0))
            found.append(await self.ask(client))
        return found

    async def until_transcribed(self, seconds: float) -> None:
        """Wait until so much of the recording is understood."""
        while self.done_s < seconds:
            self._changed.clear()
            await self._changed.wait()

    async def speed(self) -> float:
        """Give how many times faster than real time it is transcribed while nobody asks."""
        await self.until_transcribed(self.done_s + 1.0)
        begun, done_s = time.perf_counter(), self.done_s
        while time.perf_counter() - begun < WATCH_S:
            await self.until_transcribed(self.done_s + 1.0)
        return (self.done_s - done_s) / (time.perf_counter() - begun)


def make_recording(folder: Path, path: Path) -> None:
    """Write an hour of speech: the files again and again, with a second of silence between them."""
    clips = []
    for file in sorted(folder.glob("*.wav")):
        with wave.open(str(file), "rb") as sound:
            clips.append(sound.readframes(sound.getnframes()) + bytes(2 * RATE))
    once = b"".join(clips)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((once * (RECORDING_S * RATE * 2 // len(once) + 1))[: RECORDING_S * RATE * 2])


async def measure(folder: Path, n_tries: int) -> tuple[list[FirstTokens], dict[str, float]]:
    """Ask alone and beside a transcription; give the first tokens, and the transcription's speeds."""
    with tempfile.TemporaryDirectory(prefix="h2ogpt-bench-") as data_dir:
        recording = Path(data_dir) / "hour.wav"
        make_recording(folder, recording)
        drill = Drill()
        client = await HostClient.connect(DataPaths(Path(data_dir) / "data"), "cli", drill.on_event)
        try:
            for _ in range(3):  # the model is loaded, the prompt is warm
                await drill.ask(client)
            alone = await drill.first_tokens(client, n_tries)
            await client.call(AddPaths(paths=(str(recording),)))
            await drill.until_transcribed(1.0)
            speed = await drill.speed()
            before_s, begun = drill.done_s, time.perf_counter()
            beside = await drill.first_tokens(client, n_tries)
            asked_speed = (drill.done_s - before_s) / (time.perf_counter() - begun)
            if not before_s < drill.done_s < RECORDING_S:
                raise SystemExit("The recording was not being transcribed while questions were asked.")
        finally:
            await client.call(Shutdown(force=True))  # it would go on with the recording
            await client.close()
    rows = [summary("alone", alone), summary("beside a transcription", beside)]
    return rows, {"undisturbed": speed, "between questions": asked_speed}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description="Measure the first token beside a transcription.")
    parser.add_argument("folder", type=Path, help="WAV files with speech")
    parser.add_argument("--tries", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    rows, speeds = asyncio.run(measure(options.folder, options.tries))
    if options.json:
        print(
            json.dumps({"first_tokens": [asdict(row) for row in rows], "times_real_time": speeds}, indent=2)
        )
    else:
        for row in rows:
            print(
                f"first token, {row.name:<24}{row.median_s:6.3f} s (median of {row.n_tries}; 95 % "
                f"{row.p95_s:.3f} s, worst {row.worst_s:.3f} s)"
            )
        for name, speed in speeds.items():
            print(f"transcribed, {name:<24}{speed:6.1f} times real time")
    alone, beside = rows
    return 0 if beside.median_s <= max(ALLOWED * alone.median_s, alone.median_s + ALLOWED_S) else 1


if __name__ == "__main__":
    raise SystemExit(main())
