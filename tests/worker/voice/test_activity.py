"""Both detectors say when somebody speaks."""

import numpy as np
import pytest

from app.protocol.audio import SPEECH_RATE
from app.worker.voice.activity import (
    FRAME,
    SILENCE_DB,
    EnergyDetector,
    ModelDetector,
    SpeechWatch,
    level_db,
    to_waveform,
)
from app.worker.voice.meter import Meter
from tests.worker.voice.hearing import Waveform, in_room, quiet, spoken, to_samples

SENTENCE = "Please wait a moment, I have another question."


def watched(sound: Waveform, silence_s: float = 0.8, block: int = 800) -> tuple[SpeechWatch, list[float]]:
    """Give a watch that heard a sound, and the times at which it changed its mind."""
    watch, changes, before = SpeechWatch(ModelDetector(), silence_s), [], False
    for start in range(0, len(sound), block):
        watch.feed(sound[start : start + block])
        if watch.speaking != before:
            changes.append(min(len(sound), start + block) / SPEECH_RATE)
            before = watch.speaking
    return watch, changes


def test_speech_begins_and_ends() -> None:
    """Speech is noticed within a quarter of a second, and ends after the quiet that was asked for."""
    speech = spoken(SENTENCE)
    loud = np.flatnonzero(np.abs(speech) > 0.02)
    sound = in_room(np.concatenate([quiet(2.0), speech, quiet(3.0)]))
    watch, (began, ended) = watched(sound, silence_s=0.8)
    first, last = 2.0 + loud[0] / SPEECH_RATE, 2.0 + loud[-1] / SPEECH_RATE
    assert first < began < first + 0.3
    assert last + 0.6 < ended < last + 1.2
    assert abs(watch.started_at / SPEECH_RATE - first) < 0.2


def test_a_pause_within_speech_does_not_end_it() -> None:
    """A pause that is shorter than the quiet asked for belongs to speech."""
    speech = spoken(SENTENCE)
    sound = in_room(np.concatenate([quiet(1.0), speech, quiet(0.4), speech, quiet(2.5)]))
    _, changes = watched(sound, silence_s=1.0)
    assert len(changes) == 2


def test_noise_is_not_speech() -> None:
    """Loud noise, a tone and clicks are loud, and the model knows that nobody speaks."""
    generator = np.random.default_rng(3)
    times = np.arange(3 * SPEECH_RATE) / SPEECH_RATE
    noise = generator.normal(0, 0.05, len(times)).astype(np.float32)
    tone = (0.2 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    clicks = quiet(3.0)
    clicks[:: SPEECH_RATE // 3] = 0.9
    _, changes = watched(np.concatenate([quiet(1.0), noise, quiet(1.0), tone, quiet(1.0), clicks]))
    assert changes == []


def test_speech_too_faint_for_the_room_is_left_out() -> None:
    """The model alone hears a voice far below the noise of the room; both must agree."""
    far = spoken(SENTENCE) * 0.02
    sound = in_room(np.concatenate([quiet(6.0), far, quiet(1.0)]), level=0.004)
    assert watched(sound)[1] == []


def test_the_room_is_learnt() -> None:
    """A fan that is switched on becomes part of the room."""
    detector = EnergyDetector()
    fan = quiet(12.0, level=0.01)
    excesses = [detector.excess_db(fan[start : start + FRAME]) for start in range(0, len(fan) - FRAME, FRAME)]
    assert excesses[0] > EnergyDetector.CLEAR_DB
    assert max(excesses[-20:]) < EnergyDetector.FAINT_DB


@pytest.mark.parametrize("block", [160, 800, 16_000])
def test_the_model_remembers_between_calls(block: int) -> None:
    """The size of blocks changes nothing."""
    sound = in_room(np.concatenate([quiet(0.5), spoken(SENTENCE)]))
    sound = sound[: len(sound) // FRAME * FRAME]
    at_once = ModelDetector().probabilities(sound)
    watch = ModelDetector()
    n_frames = max(1, block // FRAME)
    parts = [
        watch.probabilities(sound[start : start + n_frames * FRAME])
        for start in range(0, len(sound), n_frames * FRAME)
    ]
    assert at_once.max() > 0.9
    np.testing.assert_allclose(np.concatenate(parts), at_once, atol=1e-4)
    watch.reset()
    np.testing.assert_allclose(watch.probabilities(sound[:FRAME]), at_once[:1], atol=1e-5)
    assert watch.probabilities(sound[:0]).shape == (0,)


def test_levels() -> None:
    """Silence and full scale have the levels that everybody knows."""
    assert level_db(np.zeros(0, np.float32)) == level_db(np.zeros(100, np.float32)) == SILENCE_DB
    square = to_waveform(np.full(1000, -32768, np.int16))
    assert level_db(square) == pytest.approx(0.0, abs=0.01)


def test_the_meter_gives_a_peak_for_each_20_ms() -> None:
    """Peaks are of the samples that came since the message before, whatever the blocks."""
    meter = Meter()
    sound = np.zeros(1600, np.float32)
    sound[650] = -0.5
    meter.feed(sound[:1000])
    meter.feed(sound[1000:])
    level, peaks = meter.read()
    assert peaks == (0.0, 0.0, 0.5, 0.0, 0.0)
    assert -40 < level < -30
    assert meter.read() == (SILENCE_DB, ())


def test_samples_of_a_microphone() -> None:
    """What the stand-in gives is what was meant."""
    assert to_waveform(to_samples(np.array([0.5], np.float32)))[0] == pytest.approx(0.5, abs=1e-3)
