#!/usr/bin/env python3
"""Measure barge-in in made-up rooms: how soon a voice is noticed in the loudspeaker's echo, and what is none.

    .venv/bin/python scripts/bench/barge_in.py FOLDER [--voices N] [--minutes M] [--echo-db DB …] [--json]

The starter voice reads sentences; the program's own queue and clock say what it plays, with trembling
callbacks. A room (reverberation of 0.15 to 0.5 s, 3 dB below the direct sound) makes the echo: 20 to 250 ms
late, its clock 50 ppm off, its loud moments compressed by a small loudspeaker. Somebody of the given folder
(../shared/data/speech/librivox) interrupts after 4 to 14 s, from a place where there was a pause, at -26 dB
of full scale. Noticed is what the echo filter and both detectors notice, as in a recording. Each run begins
in a room that is not known. `removed_db` is by how much the canceller lowers the echo (ERLE) after 5 s.
"""

import argparse
import json
import sys
import time
import wave
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.core.paths import starter_models_dir
from app.protocol.audio import SPEECH_RATE
from app.worker.voice.activity import ModelDetector, SpeechWatch, to_waveform
from app.worker.voice.canceller import SPAN, Canceller
from app.worker.voice.clip_queue import Clip, ClipQueue
from app.worker.voice.echo import EchoFilter
from app.worker.voice.ports import Samples
from app.worker.voice.resampling import resample
from app.worker.voice.synthesis import PiperVoice

Sound = NDArray[np.float64]

ECHO_DB = (-20, -10, -5, 0, 5, 10)
"""Echo against voice."""
REVERBERATION_S = (0.15, 0.25, 0.35, 0.5)
DELAY_S = (0.02, 0.07, 0.12, 0.25, 0.18)
DRIFT_PPM = 50.0
DIRECT_DB = 3.0
VOICE_DB = -26.0
BEGIN_S, WRITTEN_AHEAD_S, TREMBLE_S, PAUSE_S = 1.0, 0.08, 0.004, 0.35
BLOCK = SPEECH_RATE // 50
PATIENCE_S = 1.5
VOICE_PATH = starter_models_dir() / "text-to-speech/en_US-joe-medium/en_US-joe-medium.onnx"
SENTENCES = Path(__file__).with_name("voice_sentences.txt")


@dataclass(frozen=True)
class Result:
    """What happened at one loudness of the echo.

    Attributes:
        echo_db: against the voice.
        n_voices: that interrupted.
        missed: of them, not noticed within 1.5 s.
        late: of the noticed ones, after more than 300 ms.
        median_ms: from the first sound until noticed.
        p95_ms: the same, of 95 %.
        false_before: noticed where nobody had spoken yet, before the voices.
        false_alone: the same in minutes of reading without any voice.
        removed_db: by the canceller, in those.
    """

    echo_db: int
    n_voices: int
    missed: int
    late: int
    median_ms: float
    p95_ms: float
    false_before: int
    false_alone: int
    removed_db: float


class Line:
    """What a loudspeaker plays, by a clock that is set from outside."""

    def __init__(self, sentences: list[Samples], rate: int) -> None:
        """Queue sentences."""
        self._queue = ClipQueue()
        self._rate = rate
        self._n_filled = 0
        self._queue.restart(rate)
        for sentence in sentences:
            at_speech_rate = resample(sentence, rate, SPEECH_RATE)
            self._queue.add(Clip(sentence, rate, 1.0, round(PAUSE_S * rate), at_speech_rate))
        self.now_s = 0.0

    def go_on(self, now_s: float, random: np.random.Generator) -> None:
        """Let the sound system ask for what it wants until then."""
        self.now_s = now_s
        n_frames = self._rate // 50
        while (due := BEGIN_S + self._n_filled / self._rate - WRITTEN_AHEAD_S) <= now_s:
            self._queue.fill(n_frames, WRITTEN_AHEAD_S + random.uniform(-TREMBLE_S, TREMBLE_S), due)
            self._n_filled += n_frames

    def now(self) -> int:
        """See `ports.TimeLine`."""
        return round(self.now_s * SPEECH_RATE)

    def heard(self, first: int, n_samples: int) -> NDArray[np.float32]:
        """See `ports.TimeLine`."""
        return self._queue.heard(first, n_samples)


class Reading:
    """A reading in a room: what the microphone hears, and what the program knows.

    Attributes:
        heard: (n,) by the microphone.
        sounds: (n,) whether the echo is heard.
        line: what was played.
    """

    def __init__(
        self, sentences: list[Samples], rate: int, seconds: float, echo_db: int, number: int
    ) -> None:
        """Make the reading of this number; it decides room, delay and order."""
        self._random = np.random.default_rng(number)
        order = [sentences[at] for at in self._random.permutation(len(sentences))]
        self.line = Line(order, rate)
        pause = np.zeros(round(PAUSE_S * rate), np.int16)
        whole = np.concatenate([part for sentence in order for part in (sentence, pause)])
        n_samples = round(seconds * SPEECH_RATE)
        played = np.zeros(n_samples)
        begin = round(BEGIN_S * SPEECH_RATE)
        sound = to_waveform(resample(whole, rate, SPEECH_RATE))[: n_samples - begin]
        played[begin : begin + len(sound)] = sound
        echo = self._in_room(_compressed(played), number)
        self.sounds = np.convolve(np.abs(echo) > 0.005 * np.abs(echo).max(), np.ones(800), "same") > 0
        loudness = np.sqrt(np.mean(np.square(echo[self.sounds])))
        echo *= 10 ** ((VOICE_DB + echo_db) / 20) / loudness
        self.heard = echo + self._random.normal(0, 0.0004, n_samples)

    def _in_room(self, played: Sound, number: int) -> Sound:
        room = np.random.default_rng(1000 + number)
        reverberation_s = REVERBERATION_S[number % len(REVERBERATION_S)]
        n_tail = round(reverberation_s * SPEECH_RATE)
        answer = room.standard_normal(n_tail) * np.exp(-6.9 * np.arange(n_tail) / n_tail)
        answer[:16] = 0.0
        answer *= 10 ** (-DIRECT_DB / 20) / np.sqrt(np.sum(np.square(answer)))
        answer[0] = 1.0
        colour = 0.25 * room.standard_normal(24) * np.exp(-np.arange(24) / 6)
        colour[0] = 1.0
        late = np.zeros(round(DELAY_S[number % len(DELAY_S)] * SPEECH_RATE))
        echo = _convolved(_drifted(played), np.concatenate([late, np.convolve(answer, colour)]))
        return echo

    def add(self, voice: Sound, at_s: float) -> float:
        """Let somebody speak, from the next moment on in which the echo sounds; give when that is."""
        at = round(at_s * SPEECH_RATE)
        at += int(np.argmax(self.sounds[at:]))
        voice = voice[: len(self.heard) - at]
        self.heard[at : at + len(voice)] += voice
        return at / SPEECH_RATE

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Give what the microphone hears, block by block; each comes a little late."""
        for at in range(0, len(self.heard) - BLOCK + 1, BLOCK):
            self.line.go_on((at + BLOCK) / SPEECH_RATE + 0.01 + self._random.exponential(0.004), self._random)
            samples = np.clip(np.rint(self.heard[at : at + BLOCK] * 32767), -32768, 32767)
            yield to_waveform(samples.astype(np.int16))


def _compressed(played: Sound) -> Sound:
    """Play through a loudspeaker that is at its limit in loud moments: 2.4 dB at the peaks."""
    peak = np.percentile(np.abs(played[np.abs(played) > 0.005]), 99.5)
    return np.asarray(np.tanh(played / peak) * peak)


def _drifted(played: Sound) -> Sound:
    """Play by a clock that is slower; interpolated at four times the rate."""
    n_samples = len(played)
    spectrum = np.zeros(2 * n_samples + 1, np.complex128)
    spectrum[: n_samples // 2 + 1] = np.fft.rfft(played)
    finer = np.fft.irfft(spectrum, 4 * n_samples) * 4
    places = np.arange(n_samples) * (1 - DRIFT_PPM * 1e-6) * 4
    return np.asarray(np.interp(places, np.arange(4 * n_samples), finer))


def _convolved(sound: Sound, answer: Sound) -> Sound:
    n_points = 1 << (len(sound) + len(answer)).bit_length()
    both = np.fft.rfft(sound, n_points) * np.fft.rfft(answer, n_points)
    return np.asarray(np.fft.irfft(both, n_points)[: len(sound)])


def voices(folder: Path) -> list[Sound]:
    """Give 2 s of each place of WAV files where speech begins after 80 ms of quiet, all equally loud."""
    found = []
    for path in sorted(folder.glob("*.wav")):
        with wave.open(str(path)) as file:
            assert file.getframerate() == SPEECH_RATE
            sound = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
        frames = sound[: len(sound) // 160 * 160].reshape(-1, 160)
        level = 10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12)
        speaks = level > level.max() - 24
        sound = sound * 10 ** (VOICE_DB / 20) / np.sqrt(np.mean(np.square(frames[speaks])))
        at = 8
        while at < len(speaks) - 100:
            if speaks[at] and not speaks[at - 8 : at].any() and speaks[at : at + 60].mean() > 0.35:
                part = sound[at * 160 :][: 2 * SPEECH_RATE]
                found.append(part[int(np.argmax(np.abs(part) > 0.015)) :])
                at += 40
            at += 1
    return found


def noticed(reading: Reading, until_s: float) -> list[float]:
    """Give the times at which somebody was noticed."""
    echo, watch = EchoFilter(reading.line), SpeechWatch(ModelDetector(), 0.8)
    times: list[float] = []
    before, now_s = False, 0.0
    for block in reading.blocks():
        now_s += BLOCK / SPEECH_RATE
        watch.feed(echo.feed(block, watch.speaking))
        if watch.speaking and not before:
            times.append(now_s)
        before = watch.speaking
        if now_s > until_s:
            break
    return times


def removed_db(reading: Reading) -> float:
    """Give by how much a canceller lowers the echo of a reading, once it knows it."""
    for _ in reading.blocks():
        pass
    canceller, heard = Canceller(), reading.heard.astype(np.float32)
    starts = range(0, len(heard) - 255, 256)
    left = np.concatenate(
        [
            canceller.step(reading.line.heard(at + 256 + 1600 - SPAN, SPAN), heard[at : at + 256])[0]
            for at in starts
        ]
    )
    known = np.flatnonzero(reading.sounds[: len(left)])
    known = known[known > (BEGIN_S + 5) * SPEECH_RATE]
    return float(10 * np.log10(np.mean(np.square(heard[known])) / np.mean(np.square(left[known]))))


def measured(sentences: list[Samples], rate: int, who: list[Sound], echo_db: int, minutes: float) -> Result:
    """Measure one loudness of the echo."""
    random, after, n_missed, n_before = np.random.default_rng(7), list[float](), 0, 0
    for number, voice in enumerate(who):
        reading = Reading(sentences, rate, 17.0, echo_db, number)
        at_s = reading.add(voice, random.uniform(4.0, 14.0))
        times = noticed(reading, at_s + PATIENCE_S)
        n_before += sum(each <= at_s for each in times)
        later = [each - at_s for each in times if each > at_s]
        after += later[:1]
        n_missed += not later
    n_alone, removed = 0, []
    for number in range(100, 100 + round(minutes * 2)):
        n_alone += len(noticed(Reading(sentences, rate, 30.0, echo_db, number), 30.0))
        removed.append(removed_db(Reading(sentences, rate, 15.0, echo_db, number)))
    after_ms = np.array(after or [np.nan]) * 1000
    return Result(
        echo_db=echo_db,
        n_voices=len(who),
        missed=n_missed,
        late=int(np.sum(after_ms > 300)),
        median_ms=round(float(np.median(after_ms))),
        p95_ms=round(float(np.percentile(after_ms, 95))),
        false_before=n_before,
        false_alone=n_alone,
        removed_db=round(float(np.mean(removed)), 1) if removed else 0.0,
    )


def main() -> int:
    """Measure, print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="WAV files of somebody who speaks, 16,000 samples a second")
    parser.add_argument("--voices", type=int, default=12, help="how many interruptions per loudness")
    parser.add_argument("--minutes", type=float, default=4.0, help="of reading alone per loudness")
    parser.add_argument("--echo-db", type=int, nargs="+", default=ECHO_DB)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    voice = PiperVoice(VOICE_PATH)
    sentences = [
        np.concatenate(list(voice.parts(line, 1.0, lambda: True)))
        for line in SENTENCES.read_text(encoding="utf-8").splitlines()
        if line
    ]
    found = voices(options.folder)
    who = [found[at % len(found)] for at in range(options.voices)]
    began = time.process_time()
    for echo_db in options.echo_db:
        result = measured(sentences, voice.sample_rate, who, echo_db, options.minutes)
        print(json.dumps(asdict(result)) if options.json else result, flush=True)
    print(f"{time.process_time() - began:.0f} s of processor time", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
