"""`h2ogpt models`: what it prints and asks for."""

import json
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.cli import tables
from app.cli.commands import models
from app.cli.main import main
from app.core.errors import ModelError
from app.protocol.catalogue import CatalogueFile, CatalogueList, CatalogueModel, ListCatalogue
from app.protocol.models import (
    BenchModel,
    BenchProgress,
    BenchResult,
    FindFolders,
    Fit,
    FitModel,
    FoundFolder,
    FoundFolders,
    GetModelSettings,
    ImportModel,
    ListModels,
    Loaded,
    ModelEntry,
    ModelList,
    ModelSettingsBody,
    RemovedModel,
    RemoveModel,
    UnloadModelNamed,
    UpdateModelSettings,
    UseFolder,
)
from app.protocol.system import Empty
from tests.unit.cli.conftest import FakeHost

Capture = pytest.CaptureFixture[str]
GIB = 1024**3
FIT = Fit(
    verdict="good",
    words="runs well: about 12 words a second",
    placement="partial",
    n_gpu_layers=3,
    n_layers=30,
    context_length=8192,
    weight_bytes=2 * GIB,
    kv_bytes=GIB // 2,
    compute_bytes=GIB // 4,
    needed_bytes=3 * GIB,
    available_bytes=9 * GIB,
    gpu_needed_bytes=GIB,
    gpu_available_bytes=4 * GIB,
    tokens_per_s=16.0,
)
ENTRY = ModelEntry(
    name="first", path="/m/first.gguf", size_bytes=98_400_000, state="available", quantization="Q4_1", fit=FIT
)
LOADED = Loaded(
    context_length=4096,
    kv_type="f16",
    n_gpu_layers=0,
    n_layers=30,
    device="CPU",
    n_threads=2,
    measured_tokens_per_s=19.5,
)


def run(host: FakeHost, capsys: Capture, *argv: str, code: int = 0) -> str:
    assert main(["models", *argv]) == code
    assert host.n_closed == bool(host.data_dir), "each command closes its connection"
    host.n_closed, host.data_dir = 0, ""
    return capsys.readouterr().out


def values(host: FakeHost, capsys: Capture, *argv: str) -> list[Any]:
    return [json.loads(line) for line in run(host, capsys, *argv, "--json").splitlines()]


def test_the_list(host: FakeHost, capsys: Capture) -> None:
    broken = replace(ENTRY, name="bad", state="broken", problem="It is damaged.", fit=None, quantization="")
    loaded = replace(ENTRY, name="busy", state="loaded", loaded=LOADED)
    quiet = replace(ENTRY, name="quiet", state="loaded", loaded=replace(LOADED, measured_tokens_per_s=None))
    plain = replace(ENTRY, name="plain", fit=None)
    listed = ModelList(models=(ENTRY, broken, loaded, quiet, plain), default="first", folder="/models")
    host.answers[ListModels] = listed
    lines = run(host, capsys, "list").splitlines()
    assert lines[0].split() == ["NAME", "KIND", "FORMAT", "SIZE", "FROM", "STATE"]
    assert lines[1].startswith("first *") and lines[1].endswith("runs well: about 12 words a second")
    assert "98.4 MB" in lines[1] and lines[2].endswith("broken: It is damaged.")
    assert lines[3].endswith("loaded on CPU, context 4,096, 19.5 tokens a second")
    assert lines[4].endswith("context 4,096") and lines[5].endswith("available")
    assert host.requests == [ListModels(with_fit=True)]
    first, *_ = values(host, capsys, "list")
    assert first["default"] is True and first["fit"]["verdict"] == "good"
    host.answers[ListModels] = ModelList(models=(ENTRY,), default="")
    assert "answers where" not in run(host, capsys, "list")
    host.answers[ListModels] = ModelList(models=(), default="", folder="/models")
    assert "/models" in run(host, capsys, "list")


def test_names_do_not_command_the_terminal(host: FakeHost, capsys: Capture) -> None:
    odd = replace(ENTRY, name="a\x1b[31m\r\nb\x9b2J", fit=None)
    host.answers[ListModels] = ModelList(models=(odd,), default="")
    assert run(host, capsys, "list").splitlines()[1].startswith("a\ufffd[31m b\ufffd2J ")
    (entry,) = values(host, capsys, "list")
    assert entry["name"] == odd.name


def test_the_catalogue(host: FakeHost, capsys: Capture) -> None:
    model = CatalogueModel(
        id="qwen3-4b",
        title="Qwen3 4B",
        repository="Qwen/Qwen3-4B-GGUF",
        n_params=4_022_468_096,
        licence="Apache-2.0",
        good_for="Documents.",
        files=(
            CatalogueFile(name="a.gguf", size_bytes=None, size_about_bytes=3_300_000_000, fit=FIT),
            CatalogueFile(name="b.gguf", size_bytes=2_500_000_000, installed="b", fit=FIT),
        ),
        recommended="a.gguf",
    )
    voice = CatalogueModel(
        id="voice",
        title="Voice",
        repository="r/v",
        kind="voice",
        good_for="Reading aloud.",
        files=(CatalogueFile(name="v.onnx", size_bytes=None, role="voice"),),
    )
    config_only = replace(voice, id="odd", files=(CatalogueFile(name="c", size_bytes=5, role="config"),))
    host.answers[ListCatalogue] = CatalogueList(models=(model, voice, config_only))
    lines = run(host, capsys, "catalogue", "--kind", "chat").splitlines()
    assert host.requests == [ListCatalogue(kind="chat")]
    assert lines[1].startswith("qwen3-4b (installed)  4.0 B") and "about 3.3 GB" in lines[1]
    assert lines[1].endswith("runs well: about 12 words a second")
    assert lines[2].split()[:3] == ["voice", "-", "-"] and lines[2].endswith("Reading aloud.")
    assert "5 bytes" in lines[3]
    host.answers[ListCatalogue] = CatalogueList(models=(replace(model, recommended=""),))
    assert "2.5 GB" in run(host, capsys, "catalogue")
    (value,) = values(host, capsys, "catalogue")
    assert value["id"] == "qwen3-4b" and len(value["files"]) == 2


def test_import_and_remove(host: FakeHost, capsys: Capture, tmp_path: Path) -> None:
    host.answers[ImportModel] = ENTRY
    assert "used where it is: /m/first.gguf" in run(host, capsys, "import", str(tmp_path / "x.gguf"))
    assert host.requests == [ImportModel(path=str(tmp_path / "x.gguf"))]
    assert values(host, capsys, "import", "x.gguf")[0]["name"] == "first"
    host.answers[RemoveModel] = RemovedModel(freed_bytes=98_400_000)
    assert run(host, capsys, "remove", "first") == "Removed first; 98.4 MB are free again.\n"
    host.answers[RemoveModel] = RemovedModel(freed_bytes=0)  # its file had gone by itself
    assert run(host, capsys, "remove", "first") == "first is no longer in the list.\n"
    host.answers[RemoveModel] = RemovedModel(freed_bytes=0, kept_path="/m/first.gguf")
    assert "its file stays: /m/first.gguf" in run(host, capsys, "remove", "first")
    assert values(host, capsys, "remove", "first", "--delete-file")[0]["kept_path"] == "/m/first.gguf"
    assert host.requests[-1] == RemoveModel(name="first", delete_file=True)


def test_a_refusal_is_told(host: FakeHost, capsys: Capture) -> None:
    host.answers[RemoveModel] = ModelError("model.bundled", "It belongs to the program.", "Choose another.")
    assert main(["models", "remove", "first", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "model.bundled"


def test_unload(host: FakeHost, capsys: Capture) -> None:
    host.answers[UnloadModelNamed] = Empty()
    assert run(host, capsys, "unload") == "Every model is out of memory.\n"
    assert run(host, capsys, "unload", "first") == "first is out of memory.\n"
    assert values(host, capsys, "unload", "first") == [{"unloaded": "first"}]


def test_fit(host: FakeHost, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.answers[FitModel] = FIT
    text = run(host, capsys, "fit", "first", "--context", "8192", "--kv", "q8_0", "--gpu-layers", "0")
    assert host.requests == [FitModel(name="first", context_length=8192, kv_type="q8_0", gpu_layers=0)]
    assert text.splitlines() == [
        "Runs well: about 12 words a second.",
        "Needs 3.0 GB: weights 2.0 GB, context 512 MB, computing 256 MB.",
        "Free: 9.0 GB of main memory, 4.0 GB on the GPU.",
        "With a context of 8,192 tokens, KV cache f16, 3 of 30 layers on the GPU.",
    ]
    (tmp_path / "x.gguf").touch()
    monkeypatch.chdir(tmp_path)
    assert values(host, capsys, "fit", "x.gguf")[0]["verdict"] == "good"
    assert host.requests[-1] == FitModel(name=str(tmp_path / "x.gguf"))
    host.answers[FitModel] = replace(FIT, gpu_available_bytes=0, n_gpu_layers=0)
    assert run(host, capsys, "fit", "/m/x.gguf").endswith("KV cache f16, no GPU.\n")
    host.answers[FitModel] = Fit(verdict="unknown", words="not known")
    assert run(host, capsys, "fit", "first") == "Not known.\n"
    host.answers[FitModel] = FIT
    assert "no longer context" in run(host, capsys, "fit", "first", "--context", "999999")
    host.answers[FitModel] = replace(FIT, context_length=1)
    assert "context of 1 token," in run(host, capsys, "fit", "first", "--context", "1")


def test_an_empty_path_is_not_the_folder_one_stands_in(host: FakeHost, capsys: Capture) -> None:
    host.answers[ImportModel] = ENTRY
    run(host, capsys, "import", "")
    assert host.requests == [ImportModel(path="")]


def test_bench(host: FakeHost, capsys: Capture) -> None:
    result = BenchResult(
        name="first",
        n_prompt=512,
        n_generated=64,
        prompt_tokens_per_s=90.0,
        tokens_per_s=18.2,
        predicted_tokens_per_s=None,
        load_seconds=0.5,
        predicted_bytes=340 * 1024**2,
        measured_bytes=331 * 1024**2,
        device="CPU",
        n_gpu_layers=0,
        n_layers=30,
        context_length=8192,
        kv_type="f16",
        n_threads=2,
        notes=("fewer layers",),
    )
    progress = [BenchProgress(fraction=0.1, note="loading"), BenchProgress(fraction=0.5, note="measuring")]
    host.answers[BenchModel] = [*progress, ENTRY, result]
    assert run(host, capsys, "bench").splitlines() == [
        "Measuring…",
        "first: 18.2 tokens a second (no estimate)",
        "reading 512 tokens: 90.0 tokens a second",
        "memory: 331 MB measured, 340 MB predicted",
        "context 8,192 tokens, KV cache f16, CPU, 2 threads",
        "fewer layers",
    ]
    on_gpu = replace(result, n_gpu_layers=30, device="Card 7", predicted_tokens_per_s=20.0)
    host.answers[BenchModel] = [on_gpu]
    text = run(host, capsys, "bench", "first", "--prompt", "16", "--answer", "8")
    assert "20.0 predicted" in text and "30 of 30 layers on Card 7" in text
    assert host.requests[-1] == BenchModel(name="first", n_prompt=16, n_generate=8)
    host.answers[BenchModel] = [*progress, result]
    assert values(host, capsys, "bench")[0]["tokens_per_s"] == 18.2


def test_folders(host: FakeHost, capsys: Capture) -> None:
    folder = FoundFolder(
        program="ollama", title="Ollama", path="/o", n_models=3, size_bytes=9_000_000_000, in_use=False
    )
    host.answers[FindFolders] = FoundFolders(folders=(folder,))
    host.answers[UseFolder] = FoundFolders(folders=(replace(folder, in_use=True),))
    assert run(host, capsys, "folders").splitlines()[1].split() == [
        "Ollama",
        "3",
        "9.0",
        "GB",
        "not",
        "used",
        "/o",
    ]
    assert "in use" in run(host, capsys, "folders", "--use", "/o")
    assert host.requests[-1] == UseFolder(path="/o", program="ollama", use=True)
    assert values(host, capsys, "folders", "--use", "/other")[0]["in_use"] is True
    assert host.requests[-1] == UseFolder(path="/other", program="folder", use=True)
    run(host, capsys, "folders", "--drop", "/o", "--program", "lm_studio")
    assert host.requests[-1] == UseFolder(path="/o", program="lm_studio", use=False)
    host.answers[FindFolders] = FoundFolders(folders=())
    assert "No folder" in run(host, capsys, "folders")


def test_settings(host: FakeHost, capsys: Capture, tmp_path: Path) -> None:
    body = ModelSettingsBody(values={"temperature": 0.5, "stop": ["é"]}, changed=("temperature",))
    host.answers[GetModelSettings] = host.answers[UpdateModelSettings] = body
    lines = run(host, capsys, "settings", "first").splitlines()
    assert lines[1].split() == ["temperature", "0.5", "set"] and lines[2].split() == ["stop", '["é"]']
    arguments = ["--set", "temperature=0.5", "--set", "template=a=b", "--set", "top_k="]
    run(host, capsys, "settings", "first", *arguments, "--lora", f"{tmp_path}/l.gguf=0.5", "--lora", "/m")
    assert host.requests[-1] == UpdateModelSettings(
        name="first",
        values={
            "temperature": 0.5,
            "template": "a=b",
            "top_k": None,
            "loras": [{"path": f"{tmp_path}/l.gguf", "scale": 0.5}, {"path": "/m", "scale": 1.0}],
        },
    )
    assert values(host, capsys, "settings", "first", "--reset")[0]["changed"] == ["temperature"]
    assert host.requests[-1] == UpdateModelSettings(name="first", values={}, reset=True)
    for bad in (["--set", "temperature"], ["--lora", "/m=loud"]):
        assert main(["models", "settings", "first", *bad]) == 1
        assert "For example" in capsys.readouterr().err
        host.n_closed, host.data_dir = 0, ""


def test_downloads_are_another_part(host: FakeHost, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    part: Any = types.ModuleType(models._DOWNLOADS)
    part.__spec__ = types.SimpleNamespace(name=models._DOWNLOADS)

    def add_parsers(commands: Any) -> None:
        commands.add_parser("fetch")

    async def fetch(options: Any, client: Any) -> int:
        assert options.action == "fetch"
        return 7

    part.add_parsers, part.run = add_parsers, fetch
    monkeypatch.setitem(sys.modules, models._DOWNLOADS, part)
    assert main(["models", "fetch"]) == 7


def test_without_that_part_there_are_no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_DOWNLOADS", "app.cli.commands.gone")
    assert models._downloads() is None


@pytest.mark.parametrize(
    ("n_bytes", "expected"),
    [
        (None, "-"),
        (7, "7 bytes"),
        (1500, "2 kB"),
        (1_500_000, "1.5 MB"),
        (123e9, "123 GB"),
        (4e15, "4000 TB"),
    ],
)
def test_sizes(n_bytes: int | None, expected: str) -> None:
    assert tables.size(n_bytes) == expected


def test_counts_and_tables() -> None:
    assert (tables.count(None), tables.count(135_000_000), tables.count(7_600_000_000)) == (
        "-",
        "135 M",
        "7.6 B",
    )
    assert tables.table(("A", "B"), [("long", "x"), ("s", "")]) == "A     B\nlong  x\ns"
    assert tables.table(("A", "B"), [("two\nlines", "x\ny")]) == "A          B\ntwo lines  x y"
