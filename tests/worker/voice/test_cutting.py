"""Long sound is cut in silences; times stay true."""

import numpy as np
import pytest

from app.worker.voice.activity import FRAME, FRAME_S, Waveform
from app.worker.voice.cutting import PIECE_S, Piece, Stretch, next_piece, speech_stretches

NOTHING = np.zeros(0, np.float32)


def frames(seconds: float) -> int:
    """Give the frames of a time."""
    return round(seconds / FRAME_S)


def heard(*parts: tuple[float, float]) -> Waveform:
    """Give probabilities from (seconds, probability) in a row."""
    return np.concatenate([np.full(frames(seconds), value, np.float32) for seconds, value in parts])


def sound_of(
    probabilities: Waveform,
) -> Waveform:
    """Give a sound of that length."""
    return np.repeat(probabilities, FRAME)


def cut(probabilities: Waveform, last: bool, piece_s: float = PIECE_S) -> Piece | None:
    """Give the next piece."""
    return next_piece(probabilities, sound_of(probabilities), last, piece_s)


def test_silence_is_forgotten() -> None:
    """Silence is not understood and not kept; its last moment is, because a word may begin there."""
    piece = cut(heard((20.0, 0.02)), last=False)
    assert piece is not None
    assert piece.stretches == ()
    assert frames(19.0) < piece.done < frames(20.0)
    at_end = cut(heard((1.0, 0.02)), last=True)
    assert at_end == Piece((), frames(1.0))
    assert cut(heard((0.2, 0.02)), last=False) is None
    assert cut(NOTHING, last=True) is None


def test_speech_waits_for_more() -> None:
    """A sentence waits until a piece is full, and is given at the end."""
    sentence = heard((1.0, 0.0), (5.0, 0.9), (1.0, 0.0))
    assert cut(sentence, last=False) is None
    piece = cut(sentence, last=True)
    assert piece is not None
    (stretch,) = piece.stretches
    assert stretch.start < frames(1.0)
    assert stretch.end > frames(6.0)
    assert piece.done == len(sentence)


def test_a_full_piece_ends_in_its_longest_late_silence() -> None:
    """Of the silences that make no short piece, the longest is where windows meet."""
    probabilities = heard(
        (8.0, 0.9),
        (3.0, 0.0),
        (8.0, 0.9),
        (1.5, 0.0),
        (6.0, 0.9),
        (0.5, 0.0),
        (3.0, 0.9),
        (0.5, 0.0),
        (9.0, 0.9),
    )
    piece = cut(probabilities, last=False)
    assert piece is not None
    assert len(piece.stretches) == 2
    assert frames(19.0) < piece.done < frames(20.5)
    rest = cut(probabilities[piece.done :], last=True)
    assert rest is not None
    assert len(rest.stretches) == 3


def test_long_silence_within_a_piece_is_left_out_and_times_stay_true() -> None:
    """A moment of the piece's own sound is where it was in the whole."""
    probabilities = heard((1.0, 0.0), (4.0, 0.9), (30.0, 0.0), (4.0, 0.9), (1.0, 0.0))
    piece = cut(probabilities, last=True)
    assert piece is not None
    first, second = piece.stretches
    assert len(piece.sound(sound_of(probabilities))) == (first.n_frames + second.n_frames) * FRAME
    seam = first.n_frames * FRAME_S
    assert piece.time(0.0) == pytest.approx(first.start * FRAME_S)
    assert piece.time(seam, at_end=True) == pytest.approx(first.end * FRAME_S)
    assert piece.time(seam) == pytest.approx(second.start * FRAME_S)
    assert piece.time(seam + 2.0) == pytest.approx(second.start * FRAME_S + 2.0)
    assert piece.time(99.0) == pytest.approx(second.end * FRAME_S)


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    """Nothing is lost and nothing is twice where there is no silence to cut in."""
    probabilities = heard((40.0, 0.9))
    sound = np.ones(len(probabilities) * FRAME, np.float32)
    quiet_at = frames(24.0)
    sound[(quiet_at - 1) * FRAME : (quiet_at + 2) * FRAME] = 0.01
    piece = next_piece(probabilities, sound, last=False)
    assert piece is not None
    assert piece.stretches == (Stretch(0, piece.done),)
    assert abs(piece.done - quiet_at) <= 1


def test_old_speech_does_not_wait_for_ever() -> None:
    """A word before a long silence becomes certain although its piece is not full."""
    piece = cut(heard((2.0, 0.9), (95.0, 0.0)), last=False)
    assert piece is not None
    assert len(piece.stretches) == 1
    assert piece.done < frames(3.0)


def test_a_click_is_not_speech() -> None:
    """One frame alone is nothing; quiet within speech belongs to it; its end is soft."""
    assert speech_stretches(heard((1.0, 0.0), (0.03, 0.9), (1.0, 0.0))) == []
    assert len(speech_stretches(heard((1.0, 0.9), (0.2, 0.0), (1.0, 0.9)))) == 1
    (soft,) = speech_stretches(heard((1.0, 0.9), (1.0, 0.4), (1.0, 0.0)))
    assert soft.end > frames(2.0)


def test_neighbours_share_the_quiet_between_them() -> None:
    """What surrounds two stretches never overlaps, or a word would be heard twice."""
    first, second = speech_stretches(heard((1.0, 0.9), (0.35, 0.0), (1.0, 0.9)))
    assert first.end <= second.start
