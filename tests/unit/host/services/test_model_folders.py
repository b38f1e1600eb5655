"""Other programs' folders are found and read in place, whatever stands in them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import NotFoundError
from app.host.services import model_files, model_folders
from app.host.services.model_files import ModelFile, found_at, models_in, version_of, walk, with_projectors
from app.host.services.model_folders import ForeignFolder, Surroundings, known_folders, models_of
from tests.unit.host.services.model_desk import gguf

DIGEST = "a" * 64


def put(path: Path, data: bytes = b"GGUF....") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def manifest(root: Path, name: str, layers: Any) -> Path:
    return put(root / "manifests" / name, json.dumps({"layers": layers}).encode())


def layer(kind: str, digest: str) -> dict[str, Any]:
    return {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest, "size": 8}


def names(models: list[ModelFile]) -> list[str]:
    return [model.name for model in models]


def state_of(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_the_places_of_the_programs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for folder in (
        ".lmstudio/models",
        ".cache/lm-studio/models",
        ".ollama/models",
        ".local/share/nomic.ai/GPT4All",
        ".cache/huggingface/hub",
    ):
        (home / folder).mkdir(parents=True)
    found = known_folders(Surroundings(home, {}, "linux"))
    assert [folder.program for folder in found if folder.path.is_relative_to(home)] == [
        "lm_studio",
        "lm_studio",
        "ollama",
        "gpt4all",
        "hugging_face",
    ]
    assert found[0].title == "LM Studio"


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("win32", {}, "AppData/Local/nomic.ai/GPT4All"),
        ("win32", {"LOCALAPPDATA": "{home}/Local"}, "Local/nomic.ai/GPT4All"),
        ("darwin", {}, "Library/Application Support/nomic.ai/GPT4All"),
        ("linux", {"XDG_DATA_HOME": "{home}/data"}, "data/nomic.ai/GPT4All"),
        ("linux", {"OLLAMA_MODELS": "{home}/llamas"}, "llamas"),
        ("linux", {"HF_HOME": "{home}/hf"}, "hf/hub"),
        ("linux", {"HF_HUB_CACHE": "{home}/hubs"}, "hubs"),
        ("linux", {"XDG_CACHE_HOME": "{home}/c"}, "c/huggingface/hub"),
    ],
)
def test_places_by_system_and_environment(
    tmp_path: Path, platform: str, environ: dict[str, str], folder: str
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    environ = {key: value.format(home=tmp_path) for key, value in environ.items()}
    found = known_folders(Surroundings(tmp_path, environ, platform))
    assert tmp_path / folder in [item.path for item in found]


def test_a_place_that_cannot_be_looked_at_is_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "is_dir", refuse)
    assert known_folders(Surroundings(tmp_path, {}, "linux")) == []


def test_lm_studio_with_projectors_and_parts(tmp_path: Path) -> None:
    repository = tmp_path / "maker" / "Seeing-GGUF"
    put(repository / "Seeing-Q4_K_M.gguf")
    put(repository / "mmproj-model-f16.gguf")
    put(tmp_path / "maker" / "Big-GGUF" / "Big-00001-of-00002.gguf", b"1" * 10)
    put(tmp_path / "maker" / "Big-GGUF" / "Big-00002-of-00002.gguf", b"2" * 20)
    before = state_of(tmp_path)
    models = {model.name: model for model in models_of(ForeignFolder("lm_studio", tmp_path))}
    assert set(models) == {"Seeing-Q4_K_M", "mmproj-model-f16", "Big"}
    assert models["Seeing-Q4_K_M"].projector == repository / "mmproj-model-f16.gguf"
    assert models["Big"].size_bytes == 30 and len(models["Big"].parts) == 2
    assert models["Big"].projector is None and models["mmproj-model-f16"].projector is None
    assert all(model.folder == tmp_path and model.source == "lm_studio" for model in models.values())
    assert state_of(tmp_path) == before


def test_gpt4all_and_any_folder(tmp_path: Path) -> None:
    put(tmp_path / "a.gguf")
    put(tmp_path / "deep" / "b.gguf")
    put(tmp_path / "old.bin", b"tjgg1234")
    put(tmp_path / "weights.bin", b"PK\x03\x04")
    put(tmp_path / "notes.txt")
    assert sorted(names(models_of(ForeignFolder("gpt4all", tmp_path)))) == ["a", "old"]
    assert sorted(names(models_of(ForeignFolder("folder", tmp_path)))) == ["a", "b", "old"]
    put(tmp_path / "incomplete-c.gguf")
    assert sorted(names(models_of(ForeignFolder("gpt4all", tmp_path)))) == ["a", "old"]
    assert models_of(ForeignFolder("folder", tmp_path / "gone")) == []


def test_ollama_by_its_manifests(tmp_path: Path) -> None:
    put(tmp_path / "blobs" / f"sha256-{DIGEST}")
    put(tmp_path / "blobs" / f"sha256-{'b' * 64}", b"GGUFproj")
    both = [layer("model", f"sha256:{DIGEST}"), layer("projector", f"sha256:{'b' * 64}")]
    manifest(tmp_path, "registry.ollama.ai/library/llava/7b", both)
    manifest(tmp_path, "registry.ollama.ai/me/own/latest", both[:1])
    manifest(tmp_path, "hf.co/maker/model-GGUF/Q4_K_M", both[:1])
    manifest(tmp_path, "stray", both)
    models = {model.name: model for model in models_of(ForeignFolder("ollama", tmp_path))}
    assert set(models) == {"llava:7b", "me/own:latest", "hf.co/maker/model-GGUF:Q4_K_M"}
    assert models["llava:7b"].path == tmp_path / "blobs" / f"sha256-{DIGEST}"
    assert models["llava:7b"].projector == tmp_path / "blobs" / f"sha256-{'b' * 64}"


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"layers": 5}',
        b'{"layers": [5, {"mediaType": 1, "digest": 2}, {}]}',
        b"[" * 100_000,
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../x"}]}',
        b'{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:'
        + b"f" * 64
        + b'"}]}',
        b" " * 1_100_000,
    ],
)
def test_hostile_manifests_lead_nowhere(tmp_path: Path, data: bytes) -> None:
    put(tmp_path / "x")
    put(tmp_path / "manifests/registry.ollama.ai/library/m/t", data)
    assert models_of(ForeignFolder("ollama", tmp_path)) == []


def test_blobs_that_lead_out_of_the_store_are_left_alone(tmp_path: Path) -> None:
    secret = put(tmp_path / "secret.gguf")
    store = tmp_path / "store"
    (store / "blobs").mkdir(parents=True)
    (store / "blobs" / f"sha256-{DIGEST}").symlink_to(secret)
    manifest(store, "registry.ollama.ai/library/m/t", [layer("model", f"sha256:{DIGEST}")])
    assert models_of(ForeignFolder("ollama", store)) == []


def test_endless_manifests_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "blobs" / f"sha256-{DIGEST}")
    for tag in range(5):
        manifest(tmp_path, f"registry.ollama.ai/library/m/{tag}", [layer("model", f"sha256:{DIGEST}")])
    monkeypatch.setattr(model_folders, "_MAX_MANIFESTS", 3)
    assert len(models_of(ForeignFolder("ollama", tmp_path))) == 3


def test_the_hugging_face_cache_through_its_links(tmp_path: Path) -> None:
    repository = tmp_path / "models--maker--Seeing-GGUF"
    blob, projector = put(repository / "blobs" / "aa"), put(repository / "blobs" / "bb")
    for commit in ("c1", "c2"):
        folder = repository / "snapshots" / commit
        folder.mkdir(parents=True)
        (folder / "Seeing.gguf").symlink_to(blob)
        (folder / "mmproj-model-f16.gguf").symlink_to(projector)
        (folder / "loop.gguf").symlink_to(folder / "loop.gguf")
        (folder / "out.gguf").symlink_to(put(tmp_path.parent / "out.gguf"))
        (folder / "gone.gguf").symlink_to(repository / "blobs" / "gone")
        (folder / "readme.md").write_text("x")
    models = models_of(ForeignFolder("hugging_face", tmp_path))
    assert sorted(names(models)) == ["Seeing", "mmproj-model-f16"]
    seeing = next(model for model in models if model.name == "Seeing")
    assert seeing.projector is not None and seeing.projector.name == "mmproj-model-f16.gguf"


def test_parts_in_the_hub_cache_count_once(tmp_path: Path) -> None:
    folder = tmp_path / "models--a--b" / "snapshots" / "c"
    put(folder / "big-00001-of-00002.gguf")
    put(folder / "big-00002-of-00002.gguf")
    (model,) = models_of(ForeignFolder("hugging_face", tmp_path))
    assert (model.name, len(model.parts)) == ("big", 2)


def test_links_to_folders_and_deep_trees_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "a" / "one.gguf")
    (tmp_path / "a" / "around").symlink_to(tmp_path)
    deep = tmp_path
    for _ in range(9):
        deep = deep / "d"
    put(deep / "deep.gguf")
    assert [path.name for path in walk(tmp_path, 99)] == ["one.gguf"]
    for number in range(20):
        put(tmp_path / "many" / f"{number}.gguf")
    monkeypatch.setattr(model_files, "MAX_ENTRIES", 8)
    assert len(list(walk(tmp_path, 3))) < 8


def test_entries_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name, path = "odd.gguf", str(tmp_path / "odd.gguf")

        def is_dir(self, *, follow_symlinks: bool) -> bool:
            raise OSError

    assert not model_files._is_folder(Entry())  # type: ignore[arg-type]


def test_odd_files_are_no_models(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.bin"
    os.mkfifo(fifo)
    assert model_files.magic_of(fifo) == b"" and model_files.magic_of(tmp_path / "gone") == b""
    (tmp_path / "folder.gguf").mkdir()
    assert found_at(tmp_path / "folder.gguf", "folder") is None
    assert models_in(tmp_path, "folder") == []


def test_versions_count_every_part(tmp_path: Path) -> None:
    first = put(tmp_path / "m-00001-of-00002.gguf", gguf())
    with pytest.raises(NotFoundError, match="00002"):
        version_of(first)
    put(tmp_path / "m-00002-of-00002.gguf", b"x" * 50)
    assert version_of(first).size_bytes == len(gguf()) + 50
    model = found_at(first, "folder")
    assert model is not None and model.version == version_of(first)


def test_a_projector_found_by_name_counts_before_another(tmp_path: Path) -> None:
    for name in ("one-Q4_0", "mmproj-one-f16", "mmproj-two-f16"):
        put(tmp_path / f"{name}.gguf")
    models = {model.name: model for model in with_projectors(models_in(tmp_path, "folder"))}
    projector = models["one-Q4_0"].projector
    assert projector is not None and projector.name == "mmproj-one-f16.gguf"
