"""The catalogue that comes with the program, and choosing from it."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it brings no types
import pytest

from app.core.catalogue import (
    PREFERRED,
    Catalogue,
    File,
    Model,
    installed_as,
    load_catalogue,
    recommended,
)
from app.core.errors import StorageError
from app.core.fit import Room, advise
from app.core.model_facts import BITS_PER_WEIGHT, quantization_in
from app.core.paths import catalogue_path
from app.protocol.models import Fit

SCHEMA_PATH = catalogue_path().with_name("catalogue.schema.json")
GIB = 1024**3


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(catalogue_path())


def test_it_obeys_its_schema() -> None:
    schema = json.loads(SCHEMA_PATH.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(catalogue_path().read_text("utf-8")), schema)
    assert schema["properties"] == Catalogue.model_json_schema()["properties"]
    assert schema["$defs"] == Catalogue.model_json_schema()["$defs"]


def test_ids_and_files_are_unique(catalogue: Catalogue) -> None:
    ids = [model.id for model in catalogue.models]
    assert len(ids) == len(set(ids))
    for model in catalogue.models:
        names = [file.name for file in model.files]
        assert len(names) == len(set(names)), model.id
        for name in names:
            assert not name.startswith("/") and ".." not in name and "\\" not in name


def test_it_holds_what_matters(catalogue: Catalogue) -> None:
    kinds = [model.kind for model in catalogue.models]
    assert kinds.count("chat") >= 25
    assert {"chat", "embedding", "reranking", "speech", "voice"} == set(kinds)
    families = {model.family for model in catalogue.models if model.kind == "chat"}
    assert {"Llama 3", "Mistral", "Qwen2.5", "Qwen3", "Gemma", "Phi", "SmolLM2", "Falcon"} <= families
    assert {"DeepSeek R1", "H2O Danube", "gpt-oss"} <= families
    n_params = [model.n_params or 0 for model in catalogue.models if model.kind == "chat"]
    assert min(n_params) < 0.2e9 and max(n_params) > 69e9
    assert sum(model.projector() is not None for model in catalogue.models) >= 4


def weights_of(model: Model) -> tuple[float, float]:
    """Compute the weights that a plain transformer of these widths has: with tied embeddings, and without."""
    assert model.n_layers and model.n_heads and model.n_kv_heads and model.head_size
    assert model.width and model.inner and model.n_vocab
    attention = 2 * model.width * model.head_size * (model.n_heads + model.n_kv_heads)
    layers = model.n_layers * (attention + 3 * model.width * model.inner)
    return layers + model.n_vocab * model.width, layers + 2 * model.n_vocab * model.width


def test_the_numbers_of_chat_models_fit_together(catalogue: Catalogue) -> None:
    for model in catalogue.models:
        if model.kind != "chat" or model.n_params_active:
            continue
        assert model.n_params and model.context_length and 2048 <= model.context_length <= 1_048_576
        expected = weights_of(model)
        assert min(abs(model.n_params / n - 1) for n in expected) < 0.001, model.id


def test_sizes_fit_the_weights_and_names_the_quantization(catalogue: Catalogue) -> None:
    for model in catalogue.models:
        for file in model.files:
            if file.role != "model" or not file.name.endswith(".gguf"):
                continue
            assert quantization_in(file.name) == file.quantization, file.name
            assert model.size_bytes(file), file.name
            if file.size_bytes and model.n_params:
                bits = file.size_bytes * 8 / model.n_params
                assert bits == pytest.approx(BITS_PER_WEIGHT[file.quantization], rel=0.35), file.name


def test_mixtures_use_a_part_of_their_weights(catalogue: Catalogue) -> None:
    for model in catalogue.models:
        if model.n_params_active is not None:
            assert model.n_params is not None and model.n_params_active < 0.5 * model.n_params


def test_every_entry_can_be_read_by_people(catalogue: Catalogue) -> None:
    for model in catalogue.models:
        assert model.good_for.endswith(".") and model.source and model.licence is not None
        if model.licence in ("gemma", "mrl", "qwen-research") or model.licence.startswith("llama"):
            assert len(model.licence_note) > 30, model.id


def test_shapes_serve_the_advice(catalogue: Catalogue) -> None:
    room = Room(available_bytes=16 * GIB)
    verdicts = {
        model.id: advise(model.shape(model.files[0]), room).verdict
        for model in catalogue.models
        if model.kind == "chat"
    }
    assert verdicts["llama-3.3-70b-instruct"] == "too_large"
    assert verdicts["llama-3.1-8b-instruct"] == "good"
    assert "unknown" not in verdicts.values()
    voice = next(model for model in catalogue.models if model.kind == "voice")
    assert voice.shape(voice.files[0]) is None
    seeing = next(model for model in catalogue.models if model.projector() is not None)
    assert seeing.shape(seeing.projector() or seeing.files[0]) is None


def model_of(n_params: int, *quantizations: str) -> Model:
    return Model(
        id="m",
        title="M",
        family="M",
        kind="chat",
        repository="o/m",
        n_params=n_params,
        licence="MIT",
        good_for="x.",
        source="page",
        files=tuple(File(name=f"m-{q}.gguf", quantization=q) for q in quantizations),
    )


def advice(**verdicts: str) -> Any:
    def fit_of(file: File) -> Fit | None:
        verdict = verdicts.get(file.quantization)
        return None if verdict is None else Fit(verdict=verdict, words="")

    return fit_of


def test_the_largest_good_one_is_recommended() -> None:
    model = model_of(8_000_000_000, "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "Q2_K")
    every = dict.fromkeys(("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "Q2_K"), "good")
    assert recommended(model, advice(**every)) == "m-Q6_K.gguf"
    assert recommended(model, advice(**every | {"Q6_K": "slow"})) == "m-Q5_K_M.gguf"
    slow = dict.fromkeys(("Q4_K_M", "Q5_K_M", "Q6_K"), "slow")
    assert recommended(model, advice(**slow)) == "m-Q4_K_M.gguf"
    assert recommended(model, advice(Q4_K_M="tight", Q6_K="too_large")) == "m-Q4_K_M.gguf"
    assert recommended(model, advice(Q4_K_M="too_large", Q6_K="unknown")) == ""
    assert recommended(model, advice()) == ""


def test_small_models_keep_more_bits_and_odd_ones_what_they_have() -> None:
    assert recommended(model_of(500_000_000, "Q4_K_M", "Q8_0"), advice(Q4_K_M="good", Q8_0="good")).endswith(
        "Q8_0.gguf"
    )
    assert recommended(model_of(2_000_000_000, "Q8_0"), advice(Q8_0="good")) == "m-Q8_0.gguf"
    assert recommended(model_of(2_000_000_000, "ODD"), advice(ODD="good")) == "m-ODD.gguf"
    assert set(PREFERRED) <= set(BITS_PER_WEIGHT)


def test_parts_of_split_files_keep_their_folder() -> None:
    file = File(name="Q4/m-00001-of-00002.gguf")
    assert file.parts == ("Q4/m-00001-of-00002.gguf", "Q4/m-00002-of-00002.gguf")
    assert File(name="m.gguf").parts == ()


def test_what_is_here_is_known_again(catalogue: Catalogue) -> None:
    chat = catalogue.find("qwen3-4b")
    speech = catalogue.find("faster-whisper-tiny")
    assert chat is not None and speech is not None and catalogue.find("gone") is None
    here = [
        ("models", "QWEN3-4b-Q4_K_M.gguf", "Qwen"),
        ("other", "model.bin", "Other"),
        ("faster-whisper-tiny", "model.bin", "Whisper"),
    ]
    assert installed_as(chat, chat.files[0], here) == "Qwen"
    assert installed_as(chat, chat.files[1], here) == ""
    assert installed_as(speech, speech.files[0], here) == "Whisper"


def test_the_starter_pack_is_known_again(catalogue: Catalogue) -> None:
    here = [
        ("whisper-tiny", "model.bin", "whisper-tiny"),
        ("en_US-joe-medium", "en_US-joe-medium.onnx", "en_US-joe-medium"),
    ]
    found = {
        model.id: name
        for model in catalogue.models
        for file in model.files[:1]
        if (name := installed_as(model, file, here))
    }
    assert found == {
        "faster-whisper-tiny.en": "whisper-tiny",
        "piper-en-us-joe-medium": "en_US-joe-medium",
    }


def test_speech_models_and_voices_are_whole(catalogue: Catalogue) -> None:
    speech = [model for model in catalogue.models if model.kind == "speech"]
    voices = [model for model in catalogue.models if model.kind == "voice"]
    assert len(speech) >= 11 and len(voices) >= 25
    for model in speech:
        names = {file.name for file in model.files}
        assert {"model.bin", "config.json", "tokenizer.json"} <= names
        assert {"vocabulary.txt", "vocabulary.json"} & names, model.id
        size_bytes = model.size_bytes(model.files[0])
        assert size_bytes and model.n_params and size_bytes / model.n_params == pytest.approx(2, rel=0.04)
        assert (model.languages == "English") == (".en" in model.id or "distil" in model.id), model.id
    for model in voices:
        main, config = model.files
        assert (main.role, config.role, config.name) == ("voice", "config", f"{main.name}.json")
        language, region, _name, _quality, file = main.name.split("/")
        assert region.startswith(f"{language}_") and file.startswith(f"{region}-")
        assert main.size_bytes and 60e6 < main.size_bytes < 120e6
        assert model.licence or model.licence_note, model.id
    assert len({model.languages for model in voices}) >= 20


def test_the_whole_of_a_voice_is_recommended(catalogue: Catalogue) -> None:
    voice = catalogue.find("piper-en-us-joe-medium")
    assert voice is not None
    assert recommended(voice, lambda file: Fit(verdict="good", words="")) == voice.files[0].name


@pytest.mark.parametrize("text", ["", "{}", '{"models": [{"id": "x"}]}', None])
def test_a_damaged_catalogue_is_said(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "catalogue.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StorageError, match=r"catalogue\.damaged"):
        load_catalogue(path)
