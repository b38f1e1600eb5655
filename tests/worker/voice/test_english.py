"""An English-only model says when what it heard was another language."""

import wave
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.audio import decode_audio

from app.worker.voice.english import DOUBTFUL_BELOW, Evidence, goes_in_circles, without_rounds
from app.worker.voice.speech_model import Utterance
from tests.worker.voice.hearing import OPTIONS, Waveform, in_room, spoken, understanding

SHARED = Path(__file__).parents[4] / "shared/data/speech"


def doubtful(sound: Waveform) -> bool:
    """Whether a transcription of a sound is in doubt."""
    return understanding().transcriber(OPTIONS).feed(sound, True, lambda: True).doubtful


def utterance(text: str, log_probability: float, was_guessed: bool = False) -> Utterance:
    """Give what was understood, ten tokens long."""
    return Utterance(
        start_s=0, end_s=1, text=text, log_probability=log_probability, n_tokens=10, was_guessed=was_guessed
    )


def test_another_language_is_doubtful() -> None:
    """Another language, spoken by the starter voice, is not taken for English."""
    assert doubtful(in_room(spoken("Il treno per Firenze parte dal binario sette.", "it")))


def test_english_is_not_doubtful() -> None:
    """English of the same voice is."""
    assert not doubtful(
        in_room(spoken("The committee met on Monday and agreed on the budget for this year."))
    )


@pytest.mark.skipif(not SHARED.exists(), reason="the shared test data is not here")
@pytest.mark.parametrize(
    ("name", "expected"), [("french.aiff", True), ("chinese.flac", True), ("english.wav", False)]
)
def test_real_clips(name: str, expected: bool) -> None:
    """Real clips of a few words."""
    assert doubtful(np.asarray(decode_audio(str(SHARED / name)), np.float32)) is expected


@pytest.mark.skipif(not SHARED.exists(), reason="the shared test data is not here")
def test_real_reading_is_english() -> None:
    """A reader of a novel is not in doubt."""
    with wave.open(str(next((SHARED / "librivox").glob("*.wav")))) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert not doubtful((samples / 32768).astype(np.float32))


def test_no_words_for_speech_are_evidence() -> None:
    """Speech of which nothing was understood is doubtful; a word's length of it says nothing yet."""
    evidence = Evidence()
    assert (evidence.score, evidence.probability, evidence.doubtful) == (0.0, 0.0, False)
    evidence.add([], 1.0)
    assert not evidence.doubtful
    evidence.add([], 3.0)
    assert evidence.doubtful


def test_guesses_and_circles_count_as_bad() -> None:
    """A model that repeats itself is sure of every word; that is no evidence of English."""
    for bad in (utterance("who knows", -0.2, was_guessed=True), utterance("one two three four " * 2, -0.1)):
        evidence = Evidence()
        evidence.add([bad], 3.0)
        assert evidence.doubtful
    evidence = Evidence()
    evidence.add([utterance("A sentence.", -0.3), utterance("Mumbled.", -0.9)], 3.0)
    assert not evidence.doubtful
    assert evidence.score == pytest.approx(-0.6)
    assert 0.5 < evidence.probability < 1.0
    assert evidence.score > DOUBTFUL_BELOW


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See you in the next video, see you in the next video.", True),
        ("3, 4, 4, 4, 4, 1", True),
        ("One hundred, one hundred and fifty, and that was that.", False),
        ("He had had enough of it, and it is what it is.", False),
        ("", False),
    ],
)
def test_circles(text: str, expected: bool) -> None:
    """Phrases that come twice in a row are circles, words that may are not."""
    assert goes_in_circles(text) is expected


@pytest.mark.parametrize(
    ("text", "seconds", "expected"),
    [
        ("Mr. " + "mister " * 100, 11.0, "Mr. mister mister"),
        ("We will " + "be able to " * 9 + "be", 3.5, "We will be able to be able to be"),
        ("I said " + "cold, " * 9 + "cold.", 4.0, "I said " + "cold, " * 9 + "cold."),  # somebody can say it
        ("No no no no no no", 0.5, "No no no no no no"),
        ("One two three four five six seven eight nine ten eleven twelve.", 1.0, None),
    ],
)
def test_rounds_that_nobody_can_have_said_are_left_out(
    text: str, seconds: float, expected: str | None
) -> None:
    assert without_rounds(text, seconds) == (text if expected is None else expected)
