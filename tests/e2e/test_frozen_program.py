"""The installed program: frozen for real, in a folder with an odd name, started among planted files."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from app import __version__
from app.core.components import components, licence_text
from app.core.paths import starter_models_dir
from app.core.processes import worker_environment
from app.protocol.body import from_json
from app.protocol.hardware import ProbeReport
from app.worker.library import index_client
from scripts.package import bundle, staging, weights
from scripts.package.bundle import link_or_copy
from scripts.package.freezing import EXCLUDED
from scripts.package.staging import INTERNAL
from scripts.setup.layout import current_layout
from scripts.setup.progress import Progress
from scripts.smoke import traces
from tests.e2e.timings import timings_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.linux,
    pytest.mark.ui,  # what is frozen holds Qt
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tree is staged for Linux"),
    pytest.mark.skipif(
        not list(starter_models_dir().glob("chat/*.gguf")), reason="the starter models are not here"
    ),
]

NOTE = "The boat house in Lübeck was built in 1987. Its roof was painted green by Helga Brandt."
QUESTION = "When was the boat house in Lübeck built?"
PATIENCE_S = 60.0
TIMEOUT_S = 240.0
PLANTED = ("json.py", "sitecustomize.py", "encodings.py", "app.py", "numpy.py")
OWN_LIBRARIES = "/nowhere/of the user"


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The standard variant's tree with the engine of this environment; takes about a minute and a half."""
    pytest.importorskip("PyInstaller", reason="needs the extra 'build'")
    work_dir = tmp_path_factory.mktemp("frozen")
    layout, progress = current_layout(), Progress(quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith("COVERAGE_"):  # tracing PyInstaller itself takes long and tells nothing
                patch.delenv(name)
        patch.setenv("PYINSTALLER_CONFIG_DIR", str(work_dir / "cache"))
        frozen_dir = bundle.freeze(layout, work_dir, progress)
    slim_tree = bundle.complete(layout, frozen_dir, None, work_dir, progress)
    [made] = bundle.variants(layout, slim_tree, ["standard"], work_dir, progress)
    yield made.tree
    shutil.rmtree(work_dir)  # a gigabyte


@dataclass
class Program:
    """The program in a folder with an odd name, started where files with the names of modules lie.

    Attributes:
        folder: the program's.
        data_dir: its data folder.
        planted_dir: the working folder.
    own_libraries: the user's LD_LIBRARY_PATH.
    """

    folder: Path
    data_dir: Path
    planted_dir: Path
    own_libraries: str | None = OWN_LIBRARIES

    def command(self, name: str, *arguments: str) -> list[str]:
        return [str(self.folder / name), *arguments, "--data-dir", str(self.data_dir)]

    @property
    def environment(self) -> dict[str, str]:
        """Give variables of a user who has planted modules, and libraries of their own."""
        left_out = ("COVERAGE_", "LD_LIBRARY_PATH")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        own = {"LD_LIBRARY_PATH": self.own_libraries} if self.own_libraries else {}
        return (
            kept
            | own
            | {
                "PYTHONPATH": str(self.planted_dir),
                "PYTHONHOME": str(self.planted_dir),
                "PYTHONSTARTUP": str(self.planted_dir / "json.py"),
                "QT_QPA_PLATFORM": "offscreen",
                "QT_PLUGIN_PATH": str(self.planted_dir),
                "GGML_BACKEND_PATH": str(self.planted_dir / "libggml-planted.so"),
            }
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the console program; a traceback fails."""
        done = subprocess.run(
            self.command("h2ogpt", *arguments),
            cwd=self.planted_dir,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr and "planted" not in done.stderr, done.stderr
        return done

    def values(self, *arguments: str) -> list[Any]:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def processes(self) -> list[psutil.Process]:
        """Give the background processes of the data folder, and what they started."""
        named = [
            process
            for process in psutil.process_iter(["cmdline"])
            if str(self.data_dir) in (process.info["cmdline"] or [])
        ]
        found = set(named)
        for process in named:
            with contextlib.suppress(psutil.NoSuchProcess):
                found |= set(process.children(recursive=True))
        return sorted(filter(lives, found), key=lambda process: process.pid)


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], object], window: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come to hold"
        assert window is None or window.poll() is None, window.communicate()
        time.sleep(0.05)


@pytest.fixture
def program(tree: Path, tmp_path: Path) -> Iterator[Program]:
    place = tmp_path / "Prógramme 中文 🙂 $HOME 'x'" / "h2ogpt-desktop"
    shutil.copytree(tree, place, symlinks=True, copy_function=link_or_copy)
    planted_dir = tmp_path / "Down loads é"
    planted_dir.mkdir()
    for name in PLANTED:
        (planted_dir / name).write_text("raise SystemExit('planted')\n")
    program = Program(place, tmp_path / "data é 🙂", planted_dir)
    yield program
    until(lambda: not program.processes())


# --- what is in it


def test_nothing_unwanted_is_in_it(tree: Path) -> None:
    assert weights.problems(tree) == []
    assert {path.name for path in tree.iterdir()} == {
        *("h2ogpt", "h2ogpt-desktop", "h2ogpt-worker", "LICENSE", "NOTICE", INTERNAL),
    }
    models_dir = tree / INTERNAL / "resources" / "models"
    found = {path.relative_to(models_dir).as_posix() for path in models_dir.rglob("*") if path.is_file()}
    assert found == {*staging.STANDARD_MODELS, "catalogue.json", "catalogue.schema.json"}


def modules_of(executable: Path) -> set[str]:
    """Give the names of the modules in an executable."""
    from PyInstaller.archive.readers import CArchiveReader

    return set(CArchiveReader(str(executable)).open_embedded_archive("PYZ.pyz").toc)


@pytest.mark.parametrize(
    ("name", "program", "has"),
    [
        ("h2ogpt", "console", {"app.cli.main"}),
        ("h2ogpt-desktop", "window", {"app.ui.main_window", "PySide6"}),
        ("h2ogpt-worker", "worker", {"app.host.__main__", "app.worker.probe.main", "chromadb.api.rust"}),
        ("h2ogpt-worker", "worker", {"faster_whisper.transcribe", "piper.voice", "av"}),
    ],
)
def test_each_program_holds_its_own_modules_only(tree: Path, name: str, program: str, has: set[str]) -> None:
    modules = modules_of(tree / name)
    assert has <= modules
    unwanted = {
        module
        for module in modules
        if any(module == other or module.startswith(f"{other}.") for other in EXCLUDED[program])
    }
    assert unwanted == set()


def test_no_module_is_of_a_test_or_of_a_tool(tree: Path) -> None:
    for name in ("h2ogpt", "h2ogpt-desktop", "h2ogpt-worker"):
        tops = {module.partition(".")[0] for module in modules_of(tree / name)}
        assert not tops & {"tests", "scripts", "pytest", "kubernetes", "torch", "grpc", "opentelemetry"}


def test_every_part_has_version_licence_and_text(tree: Path) -> None:
    found = components(tree / INTERNAL / "resources")
    names = {component.name for component in found}
    assert {"PySide6_Essentials", "pymupdf", "chromadb", "llama.cpp", "Python"} <= names
    assert any("SmolLM2" in name for name in names)
    assert {"faster-whisper", "piper-tts", "eSpeak NG", "x264", "Intel oneMKL", "libportaudio2"} <= names
    assert not names & {"pytest", "mypy", "kubernetes", "grpcio", "opentelemetry-api"}
    for component in found:
        assert component.version and component.licence, component
        assert len(licence_text(component)) > 200, component.name


# --- the command line


def test_it_says_its_version(program: Program) -> None:
    done = program.run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"h2oGPT Desktop {__version__}")


def test_it_reads_a_file_and_answers_with_a_citation(program: Program) -> None:
    note = program.planted_dir / "böat hoüse 🙂.txt"
    note.write_text(NOTE, encoding="utf-8")
    (read,) = program.values("ingest", note.name)
    assert (Path(read["path"]), read["state"]) == (note, "ready")
    (answer,) = program.values("ask", QUESTION, "--max-tokens", "60")
    assert answer["found"] and "1987" in answer["answer"]
    verified = [citation for citation in answer["citations"] if citation["verified"]]
    assert verified and "1987" in verified[0]["quote"]
    (report,) = program.values("doctor")
    assert report["ok"], report
    assert not [check for check in report["checks"] if check["status"] == "error"]


# --- voice


def test_it_speaks_a_sentence_and_understands_it_again(program: Program) -> None:
    """With the engines and models that it brings, and without any network."""
    wav = program.planted_dir / "gesprochen é.wav"
    sentence = "The spare key of the boat house hangs behind the blue door."
    (spoken,) = program.values("speak", sentence, "--out", wav.name)
    assert spoken["voice"] == "en_US-joe-medium" and 2 < spoken["seconds"] < 8
    (heard,) = program.values("transcribe", wav.name)
    assert "behind the blue door" in heard["text"].lower() and heard["language"] == "en"
    assert heard["segments"][0]["start_s"] < heard["segments"][-1]["end_s"] <= heard["seconds"] + 0.5


def test_what_came_along_for_sound_is_whole(tree: Path) -> None:
    assert {path.name for path in (tree / staging.SOUND_DIR).iterdir()} >= {"libportaudio.so.2"}
    models_dir = tree / INTERNAL / "resources" / "models"
    assert (models_dir / "speech-to-text" / "whisper-tiny" / "model.bin").stat().st_size > 70e6
    assert "piper.phonemize_chinese" not in modules_of(tree / "h2ogpt-worker")
    assert not (tree / INTERNAL / "huggingface_hub").exists()


# --- the window


@contextlib.contextmanager
def open_window(program: Program, path: Path, *wrapper: str) -> Iterator[subprocess.Popen[str]]:
    """Open the window, wait until it is connected, and end what is left of it."""
    window = subprocess.Popen(
        [*wrapper, *program.command("h2ogpt-desktop", "--timings", str(path))],
        cwd=program.planted_dir,
        env=program.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: "connected_ms" in timings_in(path), window)
        yield window
    finally:
        if window.poll() is None:
            window.kill()
        window.communicate()


def test_the_window_connects_and_ends_when_asked(program: Program, tmp_path: Path) -> None:
    with open_window(program, tmp_path / "timings.json") as window:
        running = program.processes()
        assert any("host" in process.cmdline() for process in running)
        window.terminate()
        _, errors = window.communicate(timeout=PATIENCE_S)
        assert (window.returncode, errors) == (0, "")
    # A process that is ending has no command line any more, and lives until its memory is given back.
    until(lambda: not program.processes() and not any(map(lives, running)))


def variables_of(process: psutil.Process) -> dict[str, str]:
    """Give the variables of a process; none of one that has just ended."""
    try:
        return variables_in(Path(f"/proc/{process.pid}/environ"))
    except (FileNotFoundError, ProcessLookupError):
        return {}


def variables_in(path: Path) -> dict[str, str]:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return dict(item.split("=", 1) for item in text.split("\0") if "=" in item)


@pytest.mark.parametrize("own", [OWN_LIBRARIES, None])
def test_the_bootloader_finds_none_of_its_parents_variables(
    program: Program, tmp_path: Path, own: str | None
) -> None:
    """It makes its own variables anew for each program, and keeps aside what it was given."""
    program.own_libraries = own
    internal = str(program.folder / INTERNAL)
    with open_window(program, tmp_path / "timings.json") as window:
        others = [process for process in program.processes() if process.pid != window.pid]
        children = [variables for variables in map(variables_of, others) if variables]
        assert len(children) >= 2, "the host and a worker at least"
        for found in children:
            assert found.get("LD_LIBRARY_PATH_ORIG") == own, found
            assert found["LD_LIBRARY_PATH"] == (f"{internal}:{own}" if own else internal)
            assert found["_PYI_ARCHIVE_FILE"] == str(program.folder / "h2ogpt-worker")
            assert "GGML_BACKEND_PATH" not in found and "QT_PLUGIN_PATH" not in found
        window.terminate()
        window.communicate(timeout=PATIENCE_S)


@pytest.mark.parametrize("own", [OWN_LIBRARIES, None])
def test_a_started_program_gets_the_users_variables(program: Program, own: str | None) -> None:
    """A script in the background program's place writes down what any started program would get."""
    program.own_libraries = own
    path = program.folder / "h2ogpt-worker"
    path.rename(program.folder / "real-worker")
    path.write_text('#!/bin/sh\nenv -0 > "$0.$1.env"\nexec "${0%/*}/real-worker" "$@"\n')
    path.chmod(0o755)
    assert program.run("search", "boat house").returncode == 0
    for kind in ("host", "library"):
        found = variables_in(path.with_name(f"h2ogpt-worker.{kind}.env"))
        assert found.get("LD_LIBRARY_PATH") == own, kind
        assert not [name for name in found if name.startswith("_PYI_") or name.endswith("_ORIG")]
        assert found["PYTHONPATH"] == str(program.planted_dir), "others may need it"


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
def test_nothing_foreign_is_loaded_and_no_connection_is_tried(program: Program, tmp_path: Path) -> None:
    trace_path = tmp_path / "trace"
    with open_window(program, tmp_path / "t.json", *traces.COMMAND, "-o", str(trace_path)):
        [window] = [item for item in program.processes() if item.name() == "h2ogpt-desktop"]
        window.terminate()
        until(lambda: not program.processes())
    lines = traces.read(trace_path)
    assert traces.connections(lines) == []
    names = traces.loaded(lines)
    assert len(names) > 100
    system = ("/usr", "/lib", "/lib64", "/etc", "/bin", "/sbin")
    assert traces.foreign(names, (str(program.folder), *system)) == []


# --- the background program


def worker(tree: Path, kind: str, arguments: list[str] | None = None) -> list[str]:
    return [str(tree / "h2ogpt-worker"), kind, *(arguments or [])]


def test_the_index_serves_what_was_added(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        index_client, "worker_command", lambda kind, arguments: worker(program.folder, kind, list(arguments))
    )
    client = index_client.IndexClient(tmp_path / "index é")
    try:
        vectors = np.eye(4, dtype=np.float32)
        client.add(np.array([11, 12, 13, 14], dtype=np.int64), vectors)
        assert client.query(vectors[2:3] * 0.9 + 0.01, 1, 10.0) == [[13]]
        client.delete(np.array([13], dtype=np.int64))
        assert client.ids().tolist() == [11, 12, 14]
    finally:
        client.close()


def test_the_probe_prints_its_report(program: Program) -> None:
    done = subprocess.run(
        worker(program.folder, "probe"),
        env=worker_environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *_, line = done.stdout.splitlines()
    report = from_json(ProbeReport, json.loads(line))
    assert "CPU" in report.engine.backends and not report.engine.problem


def test_a_kind_that_is_not_there_is_told(program: Program) -> None:
    done = subprocess.run(worker(program.folder, "nosuch"), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.match(r"usage: .*\{.*probe.*\}", done.stderr)
