"""Models used where they are, with real processes and the real starter model."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.paths import starter_models_dir
from tests.e2e.test_cli import Program, environment, wait_for_end

STARTERS = sorted(starter_models_dir().glob("chat/*.gguf"))
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not STARTERS, reason="the starter models are not here"),
]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """A data folder; a terminal chat that waits keeps the host alive."""
    program = Program(tmp_path / "data", tmp_path / "files")
    holder = subprocess.Popen(
        program.command("chat"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    try:
        yield program
    finally:
        holder.communicate()
        wait_for_end(program.data_dir)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A copy of the starter model that belongs to somebody else."""
    path = tmp_path / "theirs" / "Their-Model-Q4_1.gguf"
    path.parent.mkdir()
    shutil.copyfile(STARTERS[0], path)
    return path


def answers(program: Program, model: str) -> bool:
    (value,) = program.values("ask", "--no-documents", "--max-tokens", "4", "--model", model, "Say yes.")
    return bool(value["answer"]) and value["model"] == model


def entry(program: Program, name: str) -> Any:
    return next(value for value in program.values("models", "list") if value["name"] == name)


def test_an_imported_file_answers_vanishes_and_is_never_deleted(program: Program, foreign: Path) -> None:
    before = foreign.stat()
    (imported,) = program.values("models", "import", str(foreign))
    assert (imported["source"], imported["kind"], imported["quantization"]) == ("imported", "chat", "Q4_1")
    assert imported["has_template"] and imported["n_params"] == 134_515_008
    assert answers(program, "Their-Model-Q4_1")
    (fit,) = program.values("models", "fit", "Their-Model-Q4_1", "--context", "1024", "--kv", "q8_0")
    assert (fit["context_length"], fit["n_layers"]) == (1024, 30) and fit["needed_bytes"] > before.st_size
    (removed,) = program.values("models", "remove", "Their-Model-Q4_1")
    assert removed == {"freed_bytes": 0, "kept_path": str(foreign)}
    after = foreign.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    program.values("models", "import", str(foreign))
    foreign.rename(foreign.with_suffix(".away"))
    assert entry(program, "Their-Model-Q4_1")["state"] == "missing"
    (error,) = program.values("ask", "--no-documents", "--model", "Their-Model-Q4_1", "x", code=1)
    assert error["error"]["code"] == "model.missing"


def test_ollamas_models_answer_from_their_blobs(program: Program, foreign: Path, tmp_path: Path) -> None:
    store, digest = tmp_path / "ollama", "5" * 64
    manifest = store / "manifests" / "registry.ollama.ai" / "library" / "smol" / "135m"
    for path in (manifest, store / "blobs" / "x"):
        path.parent.mkdir(parents=True)
    os.link(foreign, store / "blobs" / f"sha256-{digest}")
    layers = [{"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}", "size": 1}]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    folders = program.values("models", "folders", "--use", str(store), "--program", "ollama")
    assert [(folder["n_models"], folder["in_use"]) for folder in folders if folder["path"] == str(store)] == [
        (1, True)
    ]
    assert answers(program, "smol:135m")
    (removed,) = program.values("models", "remove", "smol:135m")
    assert removed["kept_path"].endswith(digest) and Path(removed["kept_path"]).exists()
    assert sorted(path.name for path in (store / "blobs").iterdir()) == [f"sha256-{digest}"]


def test_the_starter_model_is_measured_set_and_stays(program: Program) -> None:
    name = STARTERS[0].stem
    (measured,) = program.values("models", "bench", name, "--prompt", "32", "--answer", "16")
    assert measured["n_generated"] == 16 and measured["tokens_per_s"] > 0
    assert measured["predicted_bytes"] == pytest.approx(measured["measured_bytes"], rel=0.25)
    (settings,) = program.values("models", "settings", name, "--set", "context_length=1024")
    assert settings["changed"] == ["context_length"]
    assert answers(program, name)
    assert entry(program, name)["loaded"]["context_length"] == 1024
    (error,) = program.values("models", "remove", name, "--delete-file", code=1)
    assert error["error"]["code"] == "model.bundled" and STARTERS[0].exists()
    program.values("models", "unload")
    assert entry(program, name)["state"] == "available"
