"""Piper voices: the real starter voice, and files that are none."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.errors import AppError
from app.worker.voice import synthesis as module
from app.worker.voice.ports import Voice
from app.worker.voice.synthesis import MAX_CHARACTERS, MAX_PIECE, PiperVoice, Voices, pieces
from tests.worker.voice.jobs import VOICE

SENTENCE = "The meeting begins at ten o'clock on Thursday."


def speak(voice: PiperVoice, text: str, speed: float = 1.0) -> Any:
    parts = list(voice.parts(text, speed, lambda: True))
    assert all(part.dtype == np.int16 and len(part) for part in parts)
    return np.concatenate([np.empty(0, np.int16), *parts])


def test_a_sentence_is_spoken(voice: PiperVoice) -> None:
    samples = speak(voice, SENTENCE).astype(float)
    seconds = len(samples) / voice.sample_rate
    assert voice.sample_rate == 22_050
    assert 1.8 < seconds < 5.0
    assert np.abs(samples).max() > 20_000
    # Speech: loud and quiet take turns, and its energy lies in the range of voices.
    blocks = samples[: len(samples) // 441 * 441].reshape(-1, 441)
    levels = np.sqrt((blocks**2).mean(axis=1))
    assert np.percentile(levels, 90) > 8 * np.percentile(levels, 10)
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / voice.sample_rate)
    assert spectrum[(frequencies > 80) & (frequencies < 4000)].sum() > 0.9 * spectrum.sum()


def test_speed_changes_the_length(voice: PiperVoice) -> None:
    slow, normal, fast, most = (len(speak(voice, SENTENCE, speed)) for speed in (0.5, 1.0, 2.0, 99.0))
    # Piper varies the length of sounds by chance.
    assert 1.4 < slow / normal < 2.8
    assert 1.4 < normal / fast < 2.8
    assert 1.4 < normal / most < 2.8


@pytest.mark.parametrize("text", ["", "  \n ", "...", "!!!", "😀 →", "[[]]", "—"])
def test_what_cannot_be_spoken_is_no_sound(voice: PiperVoice, text: str) -> None:
    assert len(speak(voice, text)) == 0


def test_several_sentences_follow_each_other(voice: PiperVoice) -> None:
    one, two = len(speak(voice, "It rains.")), len(speak(voice, "It rains. The sun shines again."))
    assert two > 1.5 * one


def test_it_stops_once_it_is_not_wanted(voice: PiperVoice) -> None:
    asked = []

    def is_wanted() -> bool:
        asked.append(True)
        return len(asked) < 2

    parts = list(voice.parts(f"It rains. {SENTENCE} " * 50, 1.0, is_wanted))
    assert len(parts) == 2


def test_a_link_of_a_wiki_is_read_as_words(voice: PiperVoice) -> None:
    assert list(pieces("See [[budget 2024]] now.")) == ["See  budget 2024  now."]
    assert len(speak(voice, "See [[budget]] now.")) > 0.7 * voice.sample_rate


def test_long_text_is_cut_where_one_breathes() -> None:
    text = "A clause with words, " * 40 + "x" * 500 + " and the end."
    cut = list(pieces(text))
    assert all(0 < len(piece) <= MAX_PIECE for piece in cut)
    assert "".join(cut).replace(" ", "") == text.replace(" ", "")
    assert cut[0].endswith("words,")
    assert next(pieces("w " * 200)) == "w " * 100
    assert list(pieces("One. Two!")) == ["One.", "Two!"]


def test_the_first_clause_comes_early_in_a_hurry() -> None:
    text = f"After the first meeting of the year, in which nothing was decided, {'we talked again ' * 7}soon."
    assert list(pieces(text)) == [text]
    first, second = pieces(text, hurry=True)
    assert first == "After the first meeting of the year, in which nothing was decided,"
    assert f"{first} {second}" == text
    for short in ("It rains, and it rains.", "word " * 30):
        assert list(pieces(short, hurry=True)) == [short.strip()]
    assert list(pieces(f"Yes. {text}", hurry=True)) == ["Yes.", text]


def test_far_too_long_text_is_refused(voice: PiperVoice) -> None:
    with pytest.raises(AppError) as caught:
        list(voice.parts("a " * MAX_CHARACTERS, 1.0, lambda: True))
    assert caught.value.code == "voice.text_too_long"


def test_nothing_is_fetched(voice: PiperVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(speak(voice, "No network.")) > 0


def test_an_engine_that_fails_is_named(voice: PiperVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(voice._voice, "synthesize", fail)
    with pytest.raises(AppError) as caught:
        speak(voice, "Hello.")
    assert caught.value.code == "voice.failed"


# -------------------------------------------------------------------------------------------- files


def config() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(Path(f"{VOICE}.json").read_text(encoding="utf-8"))
    return facts


def damaged(folder: Path, model: bytes | None, facts: object) -> AppError:
    """Give the error of a voice with this model (None: the good one) and configuration."""
    path = folder / "voice.onnx"
    if model is None:
        path.symlink_to(VOICE)
    else:
        path.write_bytes(model)
    text = facts if isinstance(facts, str) else json.dumps(facts)
    path.with_name("voice.onnx.json").write_text(text, encoding="utf-8")
    with pytest.raises(AppError) as caught:
        PiperVoice(path)
    assert "“voice”" in caught.value.user_message
    assert caught.value.hint
    return caught.value


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        PiperVoice(tmp_path / "voice.onnx")
    assert (caught.value.code, "voice.onnx is" in caught.value.user_message) == ("voice.model_missing", True)
    (tmp_path / "voice.onnx").write_bytes(b"x")
    with pytest.raises(AppError) as caught:
        PiperVoice(tmp_path / "voice.onnx")
    assert (caught.value.code, "voice.onnx.json is" in caught.value.user_message) == (
        "voice.model_missing",
        True,
    )


@pytest.mark.parametrize("n_bytes", [0, 100, 1_000_000])
def test_a_cut_model_is_damaged(tmp_path: Path, n_bytes: int) -> None:
    with VOICE.open("rb") as file:
        model = file.read(n_bytes)
    assert damaged(tmp_path, model, config()).code == "voice.model_damaged"


@pytest.mark.slow
def test_a_configuration_of_another_voice(tmp_path: Path) -> None:
    assert damaged(tmp_path, None, config() | {"phoneme_id_map": 5}).code == "voice.model_damaged"


@pytest.mark.parametrize(
    "facts",
    [
        "",
        "{",
        "[]",
        {},
        config() | {"audio": {"sample_rate": 7}},
        config() | {"audio": {"sample_rate": "fast"}},
        config() | {"inference": {"length_scale": 0}},
        config() | {"phoneme_type": "song"},
    ],
)
def test_a_configuration_that_is_none(tmp_path: Path, facts: object) -> None:
    assert damaged(tmp_path, None, facts).code == "voice.model_damaged"


def test_a_voice_that_would_fetch_models_is_refused(tmp_path: Path) -> None:
    error = damaged(tmp_path, None, config() | {"phoneme_type": "pinyin"})
    assert error.code == "voice.model_damaged"
    assert "needs parts" in error.user_message


def test_too_little_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "_load", fail)
    with pytest.raises(AppError) as caught:
        PiperVoice(VOICE)
    assert caught.value.code == "voice.no_memory"


def test_voices_are_kept_and_loaded_again_when_changed(tmp_path: Path) -> None:
    loaded: list[Path] = []

    class Silent:
        sample_rate = 8000

    def load(path: Path) -> Voice:
        loaded.append(path)
        return Silent()  # type: ignore[return-value]  # nobody speaks here

    paths = [tmp_path / name for name in ("a.onnx", "b.onnx", "c.onnx")]
    for path in paths[:2]:
        shutil.copy(__file__, path)
    voices = Voices(load)
    first = voices.get(str(paths[0]))
    assert voices.get(str(paths[0])) is first
    voices.get(str(paths[1]))
    assert loaded == paths[:2]
    paths[0].write_bytes(b"another voice")
    assert voices.get(str(paths[0])) is not first
    voices.get(str(paths[2]))  # not there: the loader says so
    voices.get(str(paths[1]))
    assert loaded == [*paths[:2], paths[0], paths[2], paths[1]], "two are kept"
