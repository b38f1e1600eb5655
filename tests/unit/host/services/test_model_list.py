"""The list of models changes: import in place, other programs' folders, removal, settings."""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ModelError, NotFoundError, StorageError, UsageError
from app.core.gguf import read_head
from app.host.services import model_inspection, models
from app.host.services.model_files import ModelFile, found_at
from app.host.services.model_inspection import Inspection, Inspector
from app.host.services.model_places import RECORD_NAME, read_records
from app.protocol.models import (
    FindFolders,
    GetModelSettings,
    ImportModel,
    ListModels,
    ModelsChanged,
    RemoveModel,
    UpdateModelSettings,
    UseFolder,
)
from tests.unit.core.ggml_writer import OldFile
from tests.unit.host.conftest import Recorder, WorkerMaker
from tests.unit.host.services.model_desk import ModelDesk, gguf, shaped


@pytest.fixture
async def desk(tmp_path: Path, make_worker: WorkerMaker, events: Recorder) -> AsyncIterator[ModelDesk]:
    desk = ModelDesk(tmp_path, make_worker(), events)
    yield desk
    await desk.service.close()


def verify(desk: ModelDesk, *paths: Path, repository: str = "o/r") -> None:
    """Record files as downloaded."""
    record = desk.own / RECORD_NAME
    value = json.loads(record.read_text()) if record.exists() else {}
    for path in paths:
        state = path.stat()
        value[path.relative_to(desk.own).as_posix()] = {
            "size_bytes": state.st_size,
            "modified_ns": state.st_mtime_ns,
            "sha256": "0",
            "repository": repository,
            "revision": "c",
            "licence": "MIT",
        }
    record.write_text(json.dumps(value))


async def test_speech_and_voice_of_the_starter_pack_are_listed_and_stay(desk: ModelDesk) -> None:
    speech, voices = desk.sounds
    files = [
        speech / "whisper-tiny" / "model.bin",
        speech / "whisper-tiny" / "vocabulary.txt",
        voices / "en_US-joe-medium" / "en_US-joe-medium.onnx",
        voices / "en_US-joe-medium" / "en_US-joe-medium.onnx.json",
    ]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234")
    listed = await desk.ask(ListModels())
    assert [(entry.name, entry.kind, entry.source) for entry in listed.models] == [
        ("en_US-joe-medium", "voice", "bundled"),
        ("whisper-tiny", "speech", "bundled"),
    ]
    assert [(entry.format, entry.licence) for entry in listed.models] == [
        ("onnx", "CC0-1.0"),
        ("ctranslate2", "MIT"),
    ]
    assert listed.disk_bytes == 0 and all(entry.freed_bytes == 0 for entry in listed.models)
    with pytest.raises(ModelError, match=r"model\.bundled"):
        await desk.ask(RemoveModel(name="whisper-tiny", delete_file=True))
    assert all(path.exists() for path in files)


async def test_a_voice_that_was_put_here_goes_with_all_its_files(desk: ModelDesk) -> None:
    folder = desk.own / "piper-de"
    folder.mkdir()
    for name in ("de.onnx", "de.onnx.json", "MODEL_CARD"):
        (folder / name).write_bytes(b"1234")
    removed = await desk.ask(RemoveModel(name="piper-de", delete_file=True))
    assert removed.freed_bytes == 12
    assert not any(path.is_file() for path in desk.own.rglob("*de*"))


async def test_what_the_head_says_stands_in_the_list(desk: ModelDesk) -> None:
    desk.add(
        "real-Q4_K_M",
        data=gguf(
            general__architecture="llama",
            general__license="apache-2.0",
            llama__context_length=8192,
            tokenizer__chat_template="{{ x }}",
        ),
        own=False,
    )
    listed = await desk.ask(ListModels())
    (entry,) = listed.models
    assert (entry.source, entry.format, entry.architecture) == ("bundled", "gguf", "llama")
    assert (entry.licence, entry.context_trained, entry.has_template) == ("apache-2.0", 8192, True)
    assert (entry.quantization, entry.kind, entry.verified) == ("Q4_K_M", "chat", False)
    assert (listed.folder, listed.disk_bytes) == (str(desk.own), 0)


async def test_models_from_before_gguf_are_listed(desk: ModelDesk) -> None:
    (desk.own / "gpt2-old.bin").write_bytes(OldFile(kind="gpt2").encode())
    (desk.own / "gpt2-cut.bin").write_bytes(OldFile(kind="gpt2").encode()[:-10])
    cut, entry = await desk.service.entries()
    assert (entry.name, entry.format, entry.state, entry.architecture) == (
        "gpt2-old",
        "ggml",
        "available",
        "gpt2",
    )
    assert (entry.quantization, entry.context_trained) == ("F32", 64) and entry.n_params > 2000
    assert (cut.format, cut.state) == ("ggml", "broken") and cut.problem
    (desk.own / "gpt2-cut.bin").unlink()
    (with_fit,) = await desk.service.entries(with_fit=True)
    assert with_fit.fit is not None and with_fit.fit.verdict in ("good", "tight")


async def test_split_models_are_one_and_miss_parts_in_words(desk: ModelDesk) -> None:
    desk.add("big-00001-of-00002", data=shaped())
    (entry,) = await desk.service.entries()
    assert (entry.name, entry.state) == ("big", "broken") and "00002-of-00002" in entry.problem
    desk.add("big-00002-of-00002", data=shaped())
    (entry,) = await desk.service.entries()
    assert (entry.state, entry.n_params) == ("available", 2 * 32_768)
    assert entry.size_bytes == 2 * len(shaped())


async def test_downloaded_models_are_verified_until_they_change(desk: ModelDesk) -> None:
    path = desk.add("first")
    verify(desk, path)
    entry = await desk.entry("first")
    assert (entry.source, entry.verified, entry.licence) == ("downloaded", True, "MIT")
    assert entry.freed_bytes == entry.size_bytes
    path.write_bytes(gguf() + b"more")
    entry = await desk.entry("first")
    assert (entry.source, entry.verified, entry.freed_bytes) == ("folder", False, 0)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"a": 5, "b": {"size_bytes": "x"}}'])
async def test_a_damaged_record_verifies_nothing(desk: ModelDesk, text: str) -> None:
    (desk.own / RECORD_NAME).write_text(text)
    assert read_records(desk.own) == {}


async def test_projectors_of_the_same_repository_pair(desk: ModelDesk) -> None:
    seeing, other = desk.add("seeing-Q4_0"), desk.add("other")
    projector = desk.add("mmproj-model-f16", data=gguf(general__type="mmproj"))
    verify(desk, seeing, projector, repository="o/seeing")
    verify(desk, other, repository="o/other")
    assert (await desk.entry("seeing-Q4_0")).projector == "mmproj-model-f16.gguf"
    assert (await desk.entry("other")).projector == ""
    assert (await desk.entry("mmproj-model-f16")).kind == "projector"


async def test_folders_of_files_are_models_too(desk: ModelDesk) -> None:
    contents: dict[str, dict[str, bytes]] = {
        "whisper": {"model.bin": b"x", "vocabulary.txt": b"", "config.json": b"{}"},
        "voice": {"joe.onnx": b"x", "joe.onnx.json": b"{}"},
        "embedder": {"model.safetensors": b"x", "config.json": b'{"architectures": ["BertModel"]}'},
        "reranker": {
            "pytorch_model.bin": b"x",
            "config.json": b'{"architectures": ["XLMRobertaForSequenceClassification"]}',
        },
        "broken": {"model.safetensors": b"x", "config.json": b"["},
        "odd": {"readme.md": b"x"},
        "bare": {"model.onnx": b"x"},
        ".cache": {"model.bin": b"x", "vocabulary.txt": b""},
    }
    for folder, files in contents.items():
        (desk.own / folder).mkdir()
        for name, data in files.items():
            (desk.own / folder / name).write_bytes(data)
    kinds = {entry.name: entry.kind for entry in await desk.service.entries()}
    assert kinds == {
        "whisper": "speech",
        "voice": "voice",
        "embedder": "embedding",
        "reranker": "reranking",
        "broken": "embedding",
    }
    verify(desk, *(desk.own / "whisper").iterdir())
    assert (await desk.entry("whisper")).source == "downloaded"
    removed = await desk.ask(RemoveModel(name="whisper"))
    assert removed.freed_bytes == 3 and not (desk.own / "whisper").exists()
    assert read_records(desk.own) == {}
    (desk.own / "voice" / "more").mkdir()
    await desk.ask(RemoveModel(name="voice", delete_file=True))
    assert (desk.own / "voice" / "more").is_dir()


# ------------------------------------------------------------------------------------------ import


async def test_a_file_is_used_where_it_is(desk: ModelDesk) -> None:
    path = desk.other / "mine-Q8_0.gguf"
    path.write_bytes(gguf())
    entry = await desk.ask(ImportModel(path=str(path)))
    assert (entry.name, entry.source, entry.path) == ("mine-Q8_0", "imported", str(path))
    again = await desk.ask(ImportModel(path=str(path)))
    assert again == entry and await desk.names() == ["mine-Q8_0"]
    assert len(desk.events.of(ModelsChanged)) == 1
    path.unlink()
    (missing,) = await desk.service.entries(with_fit=True)
    assert missing.state == "missing" and str(desk.other) in missing.problem and missing.hint
    assert missing.fit is None
    with pytest.raises(NotFoundError, match=r"model\.missing"):
        await desk.service.ensure_loaded("mine-Q8_0")
    removed = await desk.ask(RemoveModel(name="mine-Q8_0"))
    assert (removed.freed_bytes, removed.kept_path) == (0, "") and await desk.names() == []


async def test_an_imported_model_finds_its_projector_beside_it(desk: ModelDesk) -> None:
    for name in ("seeing-Q4_0", "mmproj-seeing-f16", "unrelated"):
        (desk.other / f"{name}.gguf").write_bytes(gguf())
    entry = await desk.ask(ImportModel(path=str(desk.other / "seeing-Q4_0.gguf")))
    assert entry.projector == "mmproj-seeing-f16.gguf" and await desk.names() == ["seeing-Q4_0"]


async def test_a_part_stands_for_its_model(desk: ModelDesk) -> None:
    for number in (1, 2):
        (desk.other / f"big-0000{number}-of-00002.gguf").write_bytes(shaped())
    entry = await desk.ask(ImportModel(path=str(desk.other / "big-00002-of-00002.gguf")))
    assert entry.name == "big" and entry.path.endswith("00001-of-00002.gguf")


async def test_what_is_no_model_is_not_taken(desk: ModelDesk) -> None:
    (desk.other / "page.gguf").write_bytes(b"<html>")
    with pytest.raises(ModelError, match=r"model\.not_gguf"):
        await desk.ask(ImportModel(path=str(desk.other / "page.gguf")))
    with pytest.raises(NotFoundError, match=r"model\.not_found"):
        await desk.ask(ImportModel(path=str(desk.other / "gone.gguf")))
    with pytest.raises(UsageError, match=r"path\.not_whole"):
        await desk.ask(ImportModel(path="page.gguf"))
    assert await desk.names() == []


async def test_what_stands_in_the_place_of_a_model_is_named(desk: ModelDesk) -> None:
    (desk.other / "set.gguf").mkdir()
    (desk.other / "link.gguf").symlink_to(desk.other / "gone.gguf")
    os.mkfifo(desk.other / "pipe.gguf")
    for name, words in (("set", "is a folder"), ("link", "leads to a file"), ("pipe", "is not a file")):
        with pytest.raises(NotFoundError, match=words):
            await desk.ask(ImportModel(path=str(desk.other / f"{name}.gguf")))
    with pytest.raises(UsageError, match="No file is named"):
        await desk.ask(ImportModel(path=""))


async def test_a_name_that_is_no_text_is_imported(desk: ModelDesk) -> None:
    path = desk.other / os.fsdecode(b"bad\xff.gguf")
    path.write_bytes(shaped())
    entry = await desk.ask(ImportModel(path=str(path)))
    assert entry.path == str(path) and entry.name == "bad"
    assert (await desk.ask(ImportModel(path=str(path)))).name == entry.name
    path = desk.other / "two\nlines\x1b[31m.gguf"
    path.write_bytes(shaped())
    assert (await desk.ask(ImportModel(path=str(path)))).name == "two lines [31m"
    path.unlink()
    assert "two lines [31m" in await desk.names()


async def test_files_of_one_name_keep_their_settings_when_another_leaves_or_comes(desk: ModelDesk) -> None:
    for folder in ("a", "b"):
        (desk.other / folder).mkdir()
        (desk.other / folder / "twin.gguf").write_bytes(shaped())
        await desk.ask(ImportModel(path=str(desk.other / folder / "twin.gguf")))
    assert await desk.names() == ["twin", "twin (2)"]
    await desk.ask(UpdateModelSettings(name="twin (2)", values={"top_k": 7}))
    await desk.ask(RemoveModel(name="twin"))
    assert await desk.names() == ["twin (2)"]
    assert (await desk.ask(GetModelSettings(name="twin (2)"))).changed == ("top_k",)
    (desk.own / "twin.gguf").write_bytes(shaped())
    paths = {entry.name: entry.path for entry in (await desk.ask(ListModels())).models}
    assert paths["twin (2)"] == str(desk.other / "b" / "twin.gguf")
    assert paths["twin"] == str(desk.own / "twin.gguf")


async def test_names_that_cannot_be_kept_are_no_trouble(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add("twin")
    (desk.starter / "twin.gguf").write_bytes(shaped())

    def refuse(*args: Any) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr("app.host.services.json_file.write_object", refuse)
    assert await desk.names() == ["twin", "twin (2)"]
    monkeypatch.undo()
    desk.paths.model_places_path.write_text(json.dumps({"names": {str(desk.own / "twin.gguf"): 5}}))
    assert await desk.names() == ["twin", "twin (2)"]


async def test_importing_what_was_hidden_brings_it_back(desk: ModelDesk) -> None:
    path = desk.add("first")
    removed = await desk.ask(RemoveModel(name="first"))
    assert removed.kept_path == str(path) and path.exists() and await desk.names() == []
    entry = await desk.ask(ImportModel(path=str(path)))
    assert entry.source == "folder"


# ------------------------------------------------------------------------------------------ folders


async def test_another_programs_models_are_offered_then_used_in_place(desk: ModelDesk) -> None:
    folder = desk.home / ".lmstudio" / "models"
    path = folder / "maker" / "repo" / "theirs.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(gguf())
    (found,) = (await desk.ask(FindFolders())).folders
    assert (found.program, found.n_models, found.in_use) == ("lm_studio", 1, False)
    assert await desk.names() == []
    (found,) = (await desk.ask(UseFolder(path=str(folder), program="lm_studio"))).folders
    assert found.in_use and desk.settings.current().model_folders == (f"lm_studio={folder}",)
    entry = await desk.entry("theirs")
    assert (entry.source, entry.freed_bytes) == ("lm_studio", 0)
    removed = await desk.ask(RemoveModel(name="theirs"))
    assert path.exists() and removed.kept_path == str(path) and await desk.names() == []
    await desk.ask(ImportModel(path=str(path)))
    assert await desk.names() == ["theirs"]
    await desk.ask(RemoveModel(name="theirs", delete_file=True))
    assert not path.exists()
    (found,) = (await desk.ask(FindFolders())).folders
    assert (found.n_models, found.in_use) == (0, True)
    assert (await desk.ask(UseFolder(path=str(folder), program="lm_studio", use=False))).folders == ()


async def test_the_same_file_in_two_places_stands_once(desk: ModelDesk) -> None:
    path = desk.other / "mine.gguf"
    path.write_bytes(gguf())
    await desk.ask(ImportModel(path=str(path)))
    await desk.ask(UseFolder(path=str(desk.other)))
    assert await desk.names() == ["mine"]
    desk.settings.change({"model_folders": ("nonsense", "unknown=/x", f"folder={desk.other}")})
    assert await desk.names() == ["mine"]


async def test_folders_that_cannot_be_used(desk: ModelDesk) -> None:
    with pytest.raises(UsageError, match=r"folder\.not_found"):
        await desk.ask(UseFolder(path=str(desk.other / "gone")))
    with pytest.raises(UsageError, match=r"folder\.unknown"):
        await desk.ask(UseFolder(path=str(desk.other), program="jan"))
    with pytest.raises(UsageError, match=r"path\.not_whole"):
        await desk.ask(UseFolder(path="models"))


async def test_deleting_from_the_hub_cache_frees_the_blob(desk: ModelDesk) -> None:
    hub = desk.home / ".cache" / "huggingface" / "hub"
    blob = hub / "models--a--b" / "blobs" / "aa"
    link = hub / "models--a--b" / "snapshots" / "c" / "m.gguf"
    for path in (blob, link):
        path.parent.mkdir(parents=True)
    blob.write_bytes(gguf())
    link.symlink_to(blob)
    await desk.ask(UseFolder(path=str(hub), program="hugging_face"))
    removed = await desk.ask(RemoveModel(name="m", delete_file=True))
    assert removed.freed_bytes == len(gguf()) and not blob.exists() and not link.is_symlink()


# ------------------------------------------------------------------------------------------ removal


async def test_a_downloaded_model_goes_with_its_parts_projector_and_record(desk: ModelDesk) -> None:
    parts = [desk.add(f"big-0000{number}-of-00002", data=shaped()) for number in (1, 2)]
    projector = desk.add("mmproj-model-f16", data=gguf(general__type="mmproj"))
    verify(desk, *parts, projector)
    await desk.service.ensure_loaded("big")
    await desk.ask(UpdateModelSettings(name="big", values={"temperature": 0.5}))
    removed = await desk.ask(RemoveModel(name="big"))
    assert removed.freed_bytes == 2 * len(shaped()) + 1000 and removed.kept_path == ""
    assert await desk.names() == [] and read_records(desk.own) == {}
    assert [path.name for path in desk.own.iterdir()] == [RECORD_NAME]
    assert desk.store.own("big") == {} and not desk.loader.present()


async def test_a_projector_that_another_model_uses_stays(desk: ModelDesk) -> None:
    one, two = desk.add("one"), desk.add("two")
    projector = desk.add("mmproj-model-f16", data=gguf(general__type="mmproj"))
    verify(desk, one, two, projector)
    await desk.ask(RemoveModel(name="one"))
    assert projector.exists() and not one.exists()


async def test_what_belongs_to_the_program_stays(desk: ModelDesk) -> None:
    path = desk.add("starter", own=False)
    with pytest.raises(ModelError, match=r"model\.bundled"):
        await desk.ask(RemoveModel(name="starter", delete_file=True))
    assert path.exists()
    for name in ("gone", ""):
        with pytest.raises((NotFoundError, UsageError), match=r"model\.not_found"):
            await desk.ask(RemoveModel(name=name))


async def test_imported_files_go_only_where_that_is_said(desk: ModelDesk) -> None:
    path = desk.other / "mine.gguf"
    path.write_bytes(gguf())
    await desk.ask(ImportModel(path=str(path)))
    removed = await desk.ask(RemoveModel(name="mine", delete_file=True))
    assert removed.freed_bytes == len(gguf()) and not path.exists() and await desk.names() == []


async def test_a_file_that_cannot_be_deleted_is_said(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = desk.add("first")
    verify(desk, path)

    def refuse(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ModelError, match=r"model\.not_deleted") as failure:
        await desk.ask(RemoveModel(name="first"))
    assert "Permission denied" in failure.value.user_message


async def test_a_linked_file_frees_nothing_and_one_that_is_gone_is_no_trouble(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = desk.add("first")
    os.link(path, desk.other / "second-name")
    verify(desk, path)
    assert (await desk.ask(RemoveModel(name="first"))).freed_bytes == 0
    gone = desk.add("gone")
    verify(desk, gone)
    real = Path.unlink

    def vanish(self: Path, missing_ok: bool = False) -> None:
        real(self)
        raise FileNotFoundError

    monkeypatch.setattr(Path, "unlink", vanish)
    assert (await desk.ask(RemoveModel(name="gone"))).freed_bytes == 0


# ------------------------------------------------------------------------------------------ settings


async def test_settings_follow_the_programs_until_set(desk: ModelDesk) -> None:
    desk.add("first")
    desk.settings.change({"temperature": 0.3, "max_tokens": 55})
    body = await desk.ask(GetModelSettings(name="first"))
    assert (body.values["temperature"], body.values["max_tokens"], body.changed) == (0.3, 55, ())
    assert body.schema is not None and body.schema["properties"]["top_k"]["group"] == "Answers"
    values: dict[str, Any] = {"temperature": 0.9, "stop": ["END"], "mirostat": 2, "seed": 5}
    body = await desk.ask(UpdateModelSettings(name="first", values=values))
    assert body.changed == ("mirostat", "seed", "stop", "temperature")
    options = desk.service.generation_options("first")
    assert (options.temperature, options.max_tokens, options.stop) == (0.9, 55, ("END",))
    assert (options.sampling.mirostat, options.seed) == (2, 5)
    body = await desk.ask(UpdateModelSettings(name="first", values={"temperature": None}))
    assert body.values["temperature"] == 0.3 and "temperature" not in body.changed
    body = await desk.ask(UpdateModelSettings(name="first", values={"top_k": 7}, reset=True))
    assert body.changed == ("top_k",)
    text = json.loads(desk.paths.model_settings_path.read_text())
    assert text["models"] == {"first": {"top_k": 7}}


async def test_bad_settings_are_refused_by_name(desk: ModelDesk) -> None:
    desk.add("first")
    with pytest.raises(UsageError, match="temperature"):
        await desk.ask(UpdateModelSettings(name="first", values={"temperature": 9}))
    with pytest.raises(UsageError, match="colour"):
        await desk.ask(UpdateModelSettings(name="first", values={"colour": "red"}))
    for request in (GetModelSettings(name="gone"), UpdateModelSettings(name="gone", values={})):
        with pytest.raises(NotFoundError):
            await desk.ask(request)


async def test_stored_settings_that_are_bad_are_left_out(desk: ModelDesk) -> None:
    desk.add("first")
    models = {"first": {"temperature": 99, "top_k": 3, "newer": 1}, "second": 5}
    desk.paths.model_settings_path.write_text(json.dumps({"models": models}))
    body = await desk.ask(GetModelSettings(name="first"))
    assert body.changed == ("top_k",)
    desk.paths.model_settings_path.write_text(json.dumps({"models": 5}))
    desk.store._own = None
    assert desk.store.own("first") == {}


async def test_a_full_disk_leaves_the_old_settings(desk: ModelDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add("first")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match=r"storage\.not_saved"):
        await desk.ask(UpdateModelSettings(name="first", values={"top_k": 3}))
    assert desk.store.own("first") == {}


# ------------------------------------------------------------------------------------------ inspection


async def test_heads_are_read_once(desk: ModelDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = desk.add("first")
    reads: list[Path] = []
    real = read_head

    def counted(file: Path) -> Any:
        reads.append(file)
        return real(file)

    monkeypatch.setattr(model_inspection, "read_head", counted)
    await desk.names()
    await desk.names()
    assert reads == [path]
    monkeypatch.setattr(model_inspection, "_MAX_REMEMBERED", 1)
    desk.add("second")
    await desk.names()
    await desk.names()
    assert len(reads) > 2


async def test_a_file_that_hangs_does_not_hold_up_the_others(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = found_at(desk.add("slow"), "folder"), found_at(desk.add("quick"), "folder")
    assert slow is not None and quick is not None
    go, n_reads = threading.Event(), 0
    real = model_inspection.inspect

    def hang(model: ModelFile) -> Inspection:
        nonlocal n_reads
        if model.name == "slow":
            n_reads += 1
            go.wait(10)
        return real(model)

    monkeypatch.setattr(model_inspection, "inspect", hang)
    inspector = Inspector(deadline_s=0.05)
    for _ in range(2):
        found = await inspector.inspect(slow)
        assert found.problem is not None and found.problem.code == "model.unreadable"
    assert n_reads == 1 and (await inspector.inspect(quick)).problem is None
    go.set()
    while (await inspector.inspect(slow)).problem is not None:
        await asyncio.sleep(0.01)
    inspector.close()


async def test_a_disk_that_hangs_leaves_the_list_as_it_was(
    desk: ModelDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add("first")
    assert await desk.names() == ["first"]
    go = threading.Event()

    def hang() -> dict[str, ModelFile]:
        go.wait(10)
        return {}

    monkeypatch.setattr(models, "SCAN_DEADLINE_S", 0.05)
    monkeypatch.setattr(desk.places, "scan", hang)
    assert await desk.names() == ["first"]
    (desk.other / "mine.gguf").write_bytes(gguf())
    with pytest.raises(NotFoundError, match=r"model\.not_found"):
        await desk.ask(ImportModel(path=str(desk.other / "mine.gguf")))
    go.set()
