"""Whether a speech model or a voice fits, and how fast it should be."""

import pytest

from app.core.fit import Room
from app.core.speech_fit import advise_speech, advise_voice
from app.protocol.engine import Calibration

MIB, GIB = 1024**2, 1024**3
# The machine on which the constants were measured.
MEASURED = Calibration(cpu_bytes_per_s=13.5e9, cpu_flops=40e9)
STRONG = Calibration(cpu_bytes_per_s=60e9, cpu_flops=400e9)
TINY, BASE, LARGE = 75_537_502, 145_217_532, 3_087_284_237
VOICE = 63_201_294


def room(gib: float) -> Room:
    return Room(available_bytes=int(gib * GIB), gpu_available_bytes=8 * GIB)


def test_the_starter_model_is_told_as_it_was_measured() -> None:
    fit = advise_speech(TINY, room(8), MEASURED)
    assert (fit.verdict, fit.words) == ("good", "runs well: transcribes an hour in about 4 minutes")
    assert 248 * MIB < fit.needed_bytes < 300 * MIB, "its peak was 248 MiB"
    assert fit.weight_bytes == TINY // 2 and fit.weight_bytes + fit.compute_bytes == fit.needed_bytes
    assert fit.placement == "cpu" and fit.n_gpu_layers == 0 and fit.tokens_per_s is None


@pytest.mark.parametrize(
    ("size", "calibration", "verdict", "words"),
    [
        (BASE, MEASURED, "good", "runs well: transcribes an hour in about 8 minutes"),
        (LARGE, MEASURED, "slow", "slow: transcribes an hour in about 3 hours"),
        (LARGE, STRONG, "good", "runs well: transcribes an hour in about 20 minutes"),
        (TINY, STRONG, "good", "runs well: transcribes an hour in about a minute"),
        (LARGE, None, "good", "fits: needs 4.5 GB, 8.0 GB free"),
        (LARGE, Calibration(), "good", "fits: needs 4.5 GB, 8.0 GB free"),
    ],
)
def test_time_goes_with_weights_and_machine(
    size: int, calibration: Calibration | None, verdict: str, words: str
) -> None:
    fit = advise_speech(size, room(8), calibration)
    assert (fit.verdict, fit.words) == (verdict, words)


def test_what_does_not_fit_is_told() -> None:
    fit = advise_speech(LARGE, room(2), MEASURED)
    assert (fit.verdict, fit.words) == ("too_large", "will not fit: needs 4.5 GB, 2.0 GB free")
    assert fit.placement == "" and fit.available_bytes == 2 * GIB
    tight = advise_speech(TINY, room(0.6), MEASURED)
    assert tight.words == "fits barely: 0.3 GB would stay free, transcribes an hour in about 4 minutes"
    assert advise_speech(TINY, room(0.6), None).words == "fits barely: 0.3 GB would stay free"


def test_a_voice_speaks_faster_than_one_listens_or_not() -> None:
    fit = advise_voice(VOICE, room(8), MEASURED)
    assert (fit.verdict, fit.words) == ("good", "runs well: reads aloud without waiting")
    assert 250 * MIB <= fit.needed_bytes < 260 * MIB, "it took 252 MiB with Python and the engine"
    weak = Calibration(cpu_bytes_per_s=1e9, cpu_flops=3e9)
    slow = advise_voice(VOICE, room(8), weak)
    assert (slow.verdict, slow.words) == ("slow", "slow: reads aloud with pauses between sentences")
    assert advise_voice(VOICE, room(8), None).words == "fits: needs 0.2 GB, 8.0 GB free"
    assert advise_voice(VOICE, room(0.1), None).verdict == "too_large"
