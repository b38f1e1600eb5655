"""What the loudspeaker says is not taken for somebody who speaks."""

import numpy as np
import pytest

from app.protocol.audio import SPEECH_RATE
from app.worker.voice.activity import ModelDetector, SpeechWatch
from app.worker.voice.echo import EchoFilter
from tests.worker.voice.hearing import BLOCK, Loudspeaker, Waveform, in_room, quiet, spoken

READING = (
    "He turned to the left and closed the door behind him.",
    "Please wait a moment, I have another question.",
    "The train to the city leaves in twenty minutes.",
)


def reading() -> Waveform:
    """Give what the loudspeaker says."""
    return np.concatenate([part for text in READING for part in (spoken(text), quiet(0.35, 0))])


def echo_of(played: Waveform, delay_s: float, gain_db: float) -> Waveform:
    """Give what a microphone hears of a loudspeaker in a room that reverberates for a quarter of a second."""
    n_tail = SPEECH_RATE // 4
    tail = np.random.default_rng(3).standard_normal(n_tail) * np.exp(-6.9 * np.arange(n_tail) / n_tail)
    heard = np.convolve(played, np.concatenate([[1.0], 0.08 * tail]))[: len(played)]
    heard *= 10 ** (gain_db / 20) * np.sqrt(np.mean(played**2) / np.mean(heard**2))
    delayed = np.concatenate([np.zeros(int(delay_s * SPEECH_RATE)), heard])[: len(played)]
    return in_room(delayed.astype(np.float32))


def noticed_at(heard: Waveform, played: Waveform) -> list[float]:
    """Give the times at which speech was noticed."""
    loudspeaker = Loudspeaker(played)
    echo, watch = EchoFilter(loudspeaker), SpeechWatch(ModelDetector(), 0.8)
    times, before = [], False
    for start in range(0, len(heard), BLOCK):
        watch.feed(echo.feed(heard[start : start + BLOCK], watch.speaking))
        if watch.speaking and not before:
            times.append((start + BLOCK) / SPEECH_RATE)
        before = watch.speaking
    return times


@pytest.mark.parametrize("delay_s", [0.02, 0.25])
@pytest.mark.parametrize("gain_db", [-30.0, -6.0, 6.0])
def test_the_echo_alone_is_nobody(delay_s: float, gain_db: float) -> None:
    """However loud and late it comes back, it is known."""
    played = reading()
    assert noticed_at(echo_of(played, delay_s, gain_db), played) == []


@pytest.mark.parametrize("gain_db", [-60.0, -12.0])
def test_a_voice_is_noticed_in_the_echo(gain_db: float) -> None:
    """Within 300 ms, in a soft echo or (headphones) in none."""
    played = reading()
    heard = echo_of(played, 0.1, gain_db)
    voice = spoken("Stop, I want to ask something else.")
    voice = voice[np.flatnonzero(np.abs(voice) > 0.03)[0] :]
    begin = int(5.0 * SPEECH_RATE)
    heard[begin : begin + len(voice)] += voice[: len(heard) - begin]
    (at_s, *_) = noticed_at(heard, played)
    assert 5.0 < at_s <= 5.3


def test_a_voice_is_noticed_in_an_echo_as_loud_as_itself() -> None:
    """In a room that is known from a reading before; the reading itself is not noticed."""
    played = np.concatenate([reading(), reading()])
    heard = echo_of(played, 0.1, 1.0)
    voice = spoken("Stop, I want to ask something else.")
    voice = voice[np.flatnonzero(np.abs(voice) > 0.03)[0] :]
    begin = len(reading()) + int(1.5 * SPEECH_RATE)
    ratio = np.sqrt(np.mean(voice**2) / np.mean(heard[begin : begin + len(voice)] ** 2))
    assert 20 * np.log10(ratio) < 0
    heard[begin : begin + len(voice)] += voice
    (at_s, *_) = noticed_at(heard, played)
    assert begin / SPEECH_RATE < at_s <= begin / SPEECH_RATE + 0.3


def test_the_volume_of_the_system_is_nobody() -> None:
    """Twice as loud from one moment to the next, as if somebody pressed a key."""
    played = np.concatenate([reading(), reading()])
    heard = echo_of(played, 0.1, -6.0)
    heard[len(reading()) + SPEECH_RATE :] *= 2
    assert noticed_at(heard, played) == []


def test_without_a_reading_nothing_is_taken_out() -> None:
    """The sound comes through as it is, 16 ms late."""
    heard = in_room(spoken(READING[0]))
    echo = EchoFilter(Loudspeaker())
    out = np.concatenate([echo.feed(heard[at : at + 700], False) for at in range(0, len(heard), 700)])
    np.testing.assert_allclose(out[256:], heard[: len(out) - 256], atol=1e-5)
    assert echo.feed(heard[:0], False).size == 0


def test_an_unknown_room_is_learnt_first_and_remembered() -> None:
    """Nothing passes in the first moments of sound; in the next recording the room is known."""
    played = reading()
    heard = echo_of(played, 0.05, -6.0)
    loudspeaker = Loudspeaker(played)
    echo = EchoFilter(loudspeaker)
    first = [echo.feed(heard[at : at + BLOCK], False) for at in range(0, SPEECH_RATE, BLOCK)]
    assert np.abs(np.concatenate(first)).max() < 0.01
    learnt = echo.residue.coupling_db.copy()
    echo.reset()
    np.testing.assert_array_equal(echo.residue.coupling_db, learnt)
    assert learnt.max() > -30
