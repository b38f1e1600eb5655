"""The echo canceller learns a room, keeps it while somebody speaks, and finds where it was."""

import numpy as np
import pytest

from app.protocol.audio import SPEECH_RATE
from app.worker.voice.alignment import AHEAD, Alignment
from app.worker.voice.canceller import BLOCK, SPAN, Canceller
from tests.worker.voice.hearing import Waveform, quiet, spoken


def reading() -> Waveform:
    """Give what the loudspeaker says."""
    return np.concatenate([spoken("The train to the city leaves in twenty minutes."), quiet(0.3, 0)])


def room(delay_s: float, seed: int = 3) -> Waveform:
    """Give the answer of a room to a click: 0.2 s of reverberation."""
    n_tail = SPEECH_RATE // 5
    tail = np.random.default_rng(seed).standard_normal(n_tail) * np.exp(-6.9 * np.arange(n_tail) / n_tail)
    return np.concatenate([np.zeros(int(delay_s * SPEECH_RATE)), [0.5], 0.02 * tail]).astype(np.float32)


def in_room(played: Waveform, answer: Waveform) -> Waveform:
    """Give how it sounds there."""
    return np.convolve(played, answer)[: len(played)].astype(np.float32) + quiet(len(played) / SPEECH_RATE)


def decibels(waveform: Waveform) -> float:
    """Give the level."""
    return float(10 * np.log10(np.mean(np.square(waveform))))


def left_of(canceller: Canceller, played: Waveform, heard: Waveform) -> Waveform:
    """Give what the canceller leaves."""
    line = np.concatenate([np.zeros(SPAN - BLOCK, np.float32), played])
    starts = range(0, len(heard) - BLOCK + 1, BLOCK)
    return np.concatenate([canceller.step(line[at : at + SPAN], heard[at : at + BLOCK])[0] for at in starts])


@pytest.mark.parametrize("delay_s", [0.0, 0.3])
def test_it_learns_a_room_within_a_sentence(delay_s: float) -> None:
    """Then 12 dB and more of the echo are gone, at once also in the next sentence."""
    played = np.tile(reading(), 2)
    heard = in_room(played, room(delay_s))
    left = left_of(Canceller(), played, heard)
    second = slice(len(played) // 2, len(left))
    assert decibels(left[second]) < decibels(heard[second]) - 12


def test_what_it_does_not_know_it_leaves() -> None:
    heard = reading()[: BLOCK * 20]
    canceller = Canceller()
    np.testing.assert_array_equal(left_of(canceller, np.zeros_like(heard), heard), heard)
    assert canceller.n_learnt == 0


def test_a_voice_passes_and_does_not_spoil_it() -> None:
    """Two seconds of double talk, as loud as the echo."""
    played = np.tile(reading(), 4)
    heard = in_room(played, room(0.1))
    voice = spoken("Please wait a moment, I have another question.")[: 2 * SPEECH_RATE]
    voice = voice * np.float32(10 ** ((decibels(heard) - decibels(voice)) / 20))
    begin = 2 * len(reading())
    both = heard.copy()
    both[begin : begin + len(voice)] += voice
    left = left_of(Canceller(), played, both)
    rest = left[begin : begin + len(voice)] - voice
    assert decibels(rest) < decibels(voice) - 6
    after = slice(3 * len(reading()), len(left))
    assert decibels(left[after]) < decibels(heard[after]) - 15


def test_a_changed_volume_is_followed_at_once() -> None:
    """The filter is scaled; 0.4 s later the echo is gone again."""
    played = np.tile(reading(), 3)
    heard = in_room(played, room(0.05))
    change = 2 * len(reading()) + SPEECH_RATE // 2
    heard[change:] *= 2
    left = left_of(Canceller(), played, heard)
    after = slice(change + int(0.4 * SPEECH_RATE), change + SPEECH_RATE)
    assert decibels(left[after]) < decibels(heard[after]) - 12


# ------------------------------------------------------------------------------------------ alignment


def test_samples_are_counted_however_late_their_blocks_come() -> None:
    alignment = Alignment()
    late = [0, 300, 20, 500, 0, 100]
    numbers = []
    for block, by in enumerate(late):
        alignment.count(320, 50_000 + 320 * (block + 1) + by)
        numbers.append(alignment.number(0))
    assert np.array_equal(numbers, 50_000 + AHEAD + 320 * np.arange(1, 7))


@pytest.mark.parametrize("lost", [2000, -2000])
def test_lost_samples_and_a_late_beginning_are_noticed(lost: int) -> None:
    """The clock is right where it differs for good."""
    alignment = Alignment()
    alignment.count(320, 320)
    for block in range(2, 600):
        alignment.count(320, 320 * block + lost)
    assert alignment.number(0) == 320 * 599 + lost + AHEAD


@pytest.mark.parametrize("shift", [-900, -7, 0, 450])
def test_the_next_recording_finds_the_known_echo(shift: int) -> None:
    """Its time line begins a little off the one before; within 0.4 s of sound that is known."""
    alignment = Alignment()
    alignment.reset(is_known=True)
    echo = in_room(reading(), room(0.05))
    heard = np.roll(echo, shift)
    alignment.count(BLOCK, BLOCK)
    before, at, was_uncertain = alignment.number(0), 0, False
    while not (was_uncertain and alignment.is_certain):
        moved = alignment.number(0) - before
        known = np.roll(echo, -moved)
        alignment.compare(echo[at : at + BLOCK], heard[at : at + BLOCK], known[at : at + BLOCK])
        was_uncertain |= not alignment.is_certain
        at += BLOCK
    assert at < 0.7 * SPEECH_RATE
    assert alignment.number(0) == before - (0 if abs(shift) < 2 else shift)


def test_a_gap_within_a_reading_is_followed() -> None:
    """A sound system that was short of time plays the rest later; after a moment of doubt that is known."""
    alignment = Alignment()
    echo = in_room(np.tile(reading(), 2), room(0.05))
    gap = 20 * BLOCK + len(reading())
    heard = np.concatenate([echo[:gap], np.zeros(300, np.float32), echo[gap:-300]])
    alignment.count(BLOCK, BLOCK)
    before, at = alignment.number(0), 0
    while alignment.number(0) == before:
        assert alignment.is_certain or at > gap
        alignment.compare(echo[at : at + BLOCK], heard[at : at + BLOCK], echo[at : at + BLOCK])
        at += BLOCK
    assert at < gap + 0.25 * SPEECH_RATE
    assert not alignment.is_certain
    assert alignment.number(0) == before - 300


def test_an_unknown_room_needs_no_comparison() -> None:
    alignment = Alignment()
    silence = np.zeros(BLOCK, np.float32)
    for at in range(0, SPEECH_RATE, BLOCK):
        alignment.compare(reading()[at : at + BLOCK], reading()[at : at + BLOCK], silence)
    assert alignment.is_certain
