"""Speech models and voices: what is found, what it is called, and which is used."""

from pathlib import Path
from typing import Any

import pytest

from app.core.errors import AppError
from app.core.paths import starter_models_dir
from app.host.services import voice_models as module
from app.host.services.voice_models import SPEECH_DIR, VOICE_DIR, VoiceModels
from tests.unit.host.services.voice_fakes import FakeSettings, put_speech_model, put_voice

JOE = {
    "language": {"family": "en", "name_english": "English", "country_english": "United States"},
    "dataset": "joe",
}


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    bundled, own = tmp_path / "bundled", tmp_path / "own"
    put_speech_model(bundled / SPEECH_DIR / "whisper-tiny")
    put_voice(bundled / VOICE_DIR / "en_US-joe-medium", "en_US-joe-medium", JOE)
    own.mkdir()
    return bundled, own


def models_in(places: tuple[Path, Path], **settings: Any) -> VoiceModels:
    return VoiceModels(*places, FakeSettings(**settings))


async def test_the_starter_models_are_found(places: tuple[Path, Path]) -> None:
    choices = await models_in(places).choices()
    (model,), (voice,) = choices.speech_models, choices.voices
    assert (model.name, model.title, model.languages) == ("whisper-tiny", "Whisper tiny (English)", ("en",))
    assert (voice.name, voice.title) == ("en_US-joe-medium", "Joe, English (United States)")
    assert model.bundled and voice.bundled and not model.multilingual and model.size_bytes > 10
    assert (choices.speech_model, choices.voice) == ("whisper-tiny", "en_US-joe-medium")


async def test_the_real_starter_models_are_what_they_say() -> None:
    if not (starter_models_dir() / SPEECH_DIR).is_dir():
        pytest.skip("the starter models are not here")
    found = await VoiceModels(starter_models_dir(), Path("/nowhere"), FakeSettings()).find()
    assert [model.entry.multilingual for model in found.speech_models] == [False]
    assert [voice.entry.languages for voice in found.voices] == [("en",)]
    assert (found.speech_models[0].path / "model.bin").is_file() and found.voices[0].path.suffix == ".onnx"


async def test_a_downloaded_model_is_preferred_and_settings_decide(places: tuple[Path, Path]) -> None:
    put_speech_model(places[1] / "faster-whisper-base", 51_865)
    put_speech_model(places[1] / "whisper-tiny", 51_866, as_json=True)
    choices = await models_in(places).choices()
    assert [model.name for model in choices.speech_models] == [
        "whisper-tiny",
        "faster-whisper-base",
        "whisper-tiny (2)",
    ]
    assert [model.multilingual for model in choices.speech_models] == [False, True, True]
    assert choices.speech_models[1].title == "Whisper base" and choices.speech_models[1].languages == ()
    assert choices.speech_model == "whisper-tiny (2)"  # the largest
    assert (await models_in(places, speech_model="whisper-tiny").choices()).speech_model == "whisper-tiny"
    gone = await models_in(places, speech_model="gone").choices()
    assert gone.speech_model == "whisper-tiny (2)"


async def test_another_language_needs_a_multilingual_model(places: tuple[Path, Path]) -> None:
    models = models_in(places, speech_language="de")
    assert (await models.speech_model()).entry.name == "whisper-tiny"  # the worker says that it cannot
    put_speech_model(places[1] / "large-english")
    put_speech_model(places[1] / "small", 51_865)
    assert (await models.speech_model()).entry.name == "small"
    assert (await models_in(places).speech_model("", "fr")).entry.name == "small"
    assert (await models_in(places, speech_translate=True).speech_model()).entry.name == "small"
    assert (await models_in(places).speech_model("whisper-tiny")).entry.name == "whisper-tiny"


async def test_a_voice_of_the_language_is_chosen(places: tuple[Path, Path]) -> None:
    put_voice(places[1] / "de_DE-anna", "de_DE-anna", {"language": {"family": "de"}})
    put_voice(places[1] / "odd", "odd", ["no object"])
    put_voice(places[1] / "uk", "uk", {"dataset": "alan_x", "language": {"name_english": "English"}})
    choices = await models_in(places).choices()
    assert choices.voice == "en_US-joe-medium"
    titles = {voice.name: (voice.title, voice.languages) for voice in choices.voices}
    assert titles["de_DE-anna"] == ("de_DE-anna", ("de",)) and titles["odd"] == ("odd", ("odd",))
    assert titles["uk"] == ("Alan X, English", ("uk",))
    german = models_in(places, speech_language="de")
    assert (await german.voice()).entry.name == "de_DE-anna"
    translated = models_in(places, speech_language="de", speech_translate=True)
    assert (await translated.voice()).entry.name == "en_US-joe-medium"
    assert (await models_in(places, voice="odd").voice()).entry.name == "odd"
    assert (await models_in(places).voice("odd")).path.name == "odd.onnx"


async def test_what_is_not_there_is_told_with_the_next_step(
    tmp_path: Path, places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = VoiceModels(tmp_path / "no", tmp_path / "no", FakeSettings())
    for ask, code in ((nothing.speech_model, "speech.none"), (nothing.voice, "voice.none")):
        with pytest.raises(AppError) as caught:
            await ask()
        assert caught.value.code == code and "page of models" in caught.value.hint
        assert "scripts/run.py" in caught.value.hint
    assert (await nothing.choices()).speech_model == ""
    monkeypatch.setattr(module, "is_frozen", lambda: True)
    with pytest.raises(AppError) as frozen:
        await nothing.voice()
    assert "scripts" not in frozen.value.hint
    models = models_in(places)
    for ask, code in ((models.speech_model, "speech.not_found"), (models.voice, "voice.not_found")):
        with pytest.raises(AppError) as unknown:
            await ask("nope")
        assert unknown.value.code == code and "Those here are: " in unknown.value.hint


async def test_damaged_descriptions_do_not_hide_a_model(places: tuple[Path, Path]) -> None:
    folder = put_speech_model(places[1] / "broken", 1, as_json=True)
    (folder / "vocabulary.json").write_text("{")
    path = put_voice(places[1] / "broken-voice", "xx1-broken")
    path.with_name("xx1-broken.onnx.json").write_text("{")
    found = await models_in(places).find()
    assert [model.entry.multilingual for model in found.speech_models] == [False, False]
    assert found.voices[-1].entry.languages == () and found.voices[-1].entry.title == "xx1-broken"
