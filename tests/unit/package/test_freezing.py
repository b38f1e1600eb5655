"""What goes into the frozen programs: nothing that they use is left out, nothing unwanted gets in."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.core.processes import KINDS, worker_environment
from app.worker.__main__ import MODULES
from scripts.package import freezing
from scripts.package.bundle import PROGRAM
from scripts.package.staging import INTERNAL
from scripts.setup.layout import REPOSITORY_DIR

pytestmark = pytest.mark.slow  # real tools and processes

QT = "PySide6/Qt"


@pytest.mark.parametrize(
    "name",
    [
        f"{QT}/plugins/platforms/libqxcb.so",
        f"{QT}/plugins/platforms/libqoffscreen.so",
        f"{QT}/plugins/platforms/libqwayland.so",
        f"{QT}/plugins/imageformats/libqsvg.so",
        f"{QT}/plugins/imageformats/libqjpeg.so",
        f"{QT}/plugins/platforminputcontexts/libibusplatforminputcontextplugin.so",
        f"{QT}/plugins/platformthemes/libqgtk3.so",
        f"{QT}/plugins/styles/qwindowsvistastyle.dll",
        f"{QT}/lib/libQt6Core.so.6",
        f"{QT}/lib/libQt6WaylandClient.so.6",
        f"{QT}/translations/qtbase_de.qm",
        "PySide6/QtWidgets.abi3.so",
        "PySide6\\plugins\\platforms\\qwindows.dll",
        "libpython3.11.so.1.0",
        "libssl.so.3",
        "chromadb/migrations/sysdb/00001-collections.sqlite.sql",
        "resources/icons/app-icon.svg",
        "numpy.libs/libgfortran.so.5",
        "av.libs/libavcodec-5e6b81c2.so.62.28.102",
        "ctranslate2.libs/libctranslate2-a7a60d30.so.4.8.5",
        "piper/espeak-ng-data/lang/gmw/en",
        "faster_whisper/assets/silero_vad_v6.onnx",
    ],
)
def test_what_the_program_uses_may_go_in(name: str) -> None:
    assert freezing.is_wanted(name)


@pytest.mark.parametrize(
    "name",
    [
        f"{QT}/lib/libQt6Qml.so.6",
        f"{QT}/lib/libQt6Network.so.6",
        f"{QT}/plugins/tls/libqopensslbackend.so",
        f"{QT}/plugins/platforms/libqeglfs.so",
        f"{QT}/plugins/platforms/libqminimal.so",
        f"{QT}/plugins/platforms/libqvnc.so",
        f"{QT}/plugins/imageformats/libqpdf.so",
        f"{QT}/plugins/platforminputcontexts/libqtvirtualkeyboardplugin.so",
        "PySide6\\plugins\\tls\\qschannelbackend.dll",
        "PySide6/QtNetwork.abi3.so",
        "llama_cpp/lib/libllama.so",
        "libggml-base.so.0",
        "libstdc++.so.6",
        "libgcc_s.so.1",
        "numpy/_core/tests/data/x.csv",
        "lxml/includes/lxml-version.h",
        "orjson/__init__.pyi",
    ],
)
def test_what_it_does_not_use_stays_out(name: str) -> None:
    assert not freezing.is_wanted(name)


# In the child every module that the program leaves out cannot be found, as in the frozen one. What is asked
# for all the same is told: those that do without handle its absence.
CHILD = """
import importlib, json, sys
left_out, refused = json.loads(sys.argv[1]), []

class Blocker:
    def find_spec(self, name, path=None, target=None):
        for other in left_out:
            if name == other or name.startswith(other + "."):
                refused.append(name)
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Blocker())
for name in json.loads(sys.argv[2]):
    importlib.import_module(name)
exec(sys.argv[3])
print(json.dumps(sorted(set(refused))))
"""
# What a kind imports only when it works.
WORK = {
    "index": """
import tempfile
from pathlib import Path
from app.worker.library.index_process import IndexProcess
with tempfile.TemporaryDirectory() as folder:
    IndexProcess(Path(folder) / "index").count()
""",
    "parser": """
from app.worker.parser.main import preload
from app.worker.parser.registry import Registry
preload()
Registry.standard()
import app.worker.parser.serving, app.worker.parser.forking
from pptx import Presentation
from docx import Document
Presentation(), Document()
""",
    "voice": """
from app.worker.voice.left_out import leave_out_downloads
leave_out_downloads()
import faster_whisper, sounddevice
from faster_whisper.vad import get_vad_model
get_vad_model()
from piper import PiperVoice
import app.worker.voice.main
""",
    "decoder": "import av",
    "probe": "from app.worker.probe.main import report; assert not report().engine.problem",
}
# Chroma's clients over a network and its progress bars; Pillow's text, drawn only into pictures.
DONE_WITHOUT = {"index": {"google", "rich"}, "parser": {"PIL._imagingft"}}
# httpx offers a program of its own where it finds what that needs.
OTHERS_DO_WITHOUT = {"app.host": {"rich"}}


def refused(program: str, modules: list[str], work: str = "") -> set[str]:
    """Give what these ask for in vain where the program's excluded modules are missing."""
    arguments = [json.dumps(freezing.EXCLUDED[program]), json.dumps(modules), work]
    command = [sys.executable, "-P", "-c", CHILD, *arguments]
    done = subprocess.run(command, env=worker_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("kind", sorted(MODULES))
def test_no_worker_needs_what_is_left_out(kind: str) -> None:
    found = refused("worker", ["app.worker.__main__", MODULES[kind]], WORK.get(kind, ""))
    assert found == DONE_WITHOUT.get(kind, set())


def modules_below(package: str) -> list[str]:
    """Give every module of one of the program's packages."""
    top = REPOSITORY_DIR / package.replace(".", "/")
    paths = [path.relative_to(REPOSITORY_DIR).with_suffix("") for path in sorted(top.rglob("*.py"))]
    return [".".join(path.parts).removesuffix(".__init__") for path in paths]


@pytest.mark.parametrize(
    ("program", "package"),
    [
        ("worker", "app.host"),
        ("worker", "app.core"),
        ("console", "app.cli"),
        ("console", "app.client"),
        pytest.param("window", "app.ui", marks=pytest.mark.ui),
    ],
)
def test_no_other_module_needs_what_is_left_out(program: str, package: str) -> None:
    modules = modules_below(package)
    assert len(modules) > 3
    assert refused(program, modules) == OTHERS_DO_WITHOUT.get(package, set())


def test_the_check_can_fail() -> None:
    with pytest.raises(AssertionError, match=r"No module named .*app.worker"):
        refused("console", ["app.worker.library.vectors"])


def test_every_kind_has_its_module_in_the_worker() -> None:
    pytest.importorskip("PyInstaller", reason="needs the extra 'build'")
    found = freezing.hidden_imports("worker")
    assert set(KINDS) == {*MODULES, "host"}
    assert {*MODULES.values(), "app.host.__main__", "chromadb.api.rust"} <= set(found)
    excluded = freezing.EXCLUDED["worker"]
    for name in found:
        assert not any(name == other or name.startswith(f"{other}.") for other in excluded), name


def test_files_that_are_read_are_there() -> None:
    pytest.importorskip("PyInstaller", reason="needs the extra 'build'")
    found = {program: freezing.data_files(program, REPOSITORY_DIR) for program in freezing.EXCLUDED}
    for files in found.values():
        assert all(Path(source).exists() for source, _ in files)
        assert {"resources/icons", "resources/sample", "resources"} <= {folder for _, folder in files}
    assert any(source.endswith(".sql") for source, _ in found["worker"])
    for name in ("silero_vad_v6.onnx", "phontab", "en_dict"):
        assert [source for source, _ in found["worker"] if Path(source).name == name], name
    sound = ("faster_whisper", "piper")
    assert not [
        folder for name in ("console", "window") for _, folder in found[name] if folder.startswith(sound)
    ]
    assert all(freezing.is_wanted(f"{folder}/x") for files in found.values() for _, folder in files)


# --- h2ogpt.spec


class FakeAnalysis:
    """What PyInstaller finds for a program.

    Attributes:
        arguments: what it was asked for.
    """

    def __init__(self, scripts: list[str], **arguments: Any) -> None:
        self.arguments = arguments
        self.scripts, self.pure = scripts, [("app", "app/__init__.py", "PYMODULE")]
        self.binaries = [("libz.so.1", "/x", "BINARY"), ("libstdc++.so.6", "/y", "BINARY")]
        self.datas = [("lxml/etree.h", "/x", "DATA"), ("resources/icons/a.svg", "/y", "DATA")]


@dataclass
class Spec:
    """What the spec makes.

    Attributes:
        programs: the entry of each executable and whether it has a console, by name.
        collected: the names of the files in the folder.
    """

    programs: dict[str, tuple[str, bool]]
    collected: set[str]
    name: str = ""


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Run the spec with stand-ins for PyInstaller's classes."""
    made = Spec({}, set())

    def executable(pyz: Any, scripts: list[str], nothing: list[Any], **options: Any) -> str:
        assert options["exclude_binaries"] and not options["upx"]
        assert options["contents_directory"] == INTERNAL
        made.programs[options["name"]] = (Path(scripts[0]).name, options["console"])
        return str(options["name"])

    def collect(*pieces: Any, **options: Any) -> None:
        made.collected = {item[0] for piece in pieces if isinstance(piece, list) for item in piece}
        made.name = options["name"]

    monkeypatch.setattr(freezing, "hidden_imports", lambda program: [program])
    monkeypatch.setattr(freezing, "data_files", lambda program, top: [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = REPOSITORY_DIR / "h2ogpt.spec"
    names = {"Analysis": FakeAnalysis, "PYZ": list, "EXE": executable, "COLLECT": collect}
    exec(
        compile(path.read_text(encoding="utf-8"), str(path), "exec"),
        {"SPECPATH": str(REPOSITORY_DIR), **names},
    )
    return made


def test_the_spec_makes_three_programs_in_one_folder(spec: Spec) -> None:
    assert spec.programs == {
        "h2ogpt": ("console.py", True),
        "h2ogpt-desktop": ("window.py", False),
        "h2ogpt-worker": ("worker.py", True),
    }
    assert spec.name == PROGRAM
    assert spec.collected == {"libz.so.1", "resources/icons/a.svg"}


@pytest.mark.parametrize("name", ["console", "window", "worker"])
def test_an_entry_cleans_up_before_it_imports_the_program(name: str) -> None:
    path = REPOSITORY_DIR / "installer" / "entries" / f"{name}.py"
    body = ast.parse(path.read_text(encoding="utf-8")).body
    lines = [ast.unparse(node) for node in body[1:]]
    cleaned = lines.index("clean_environment()")
    assert lines[:cleaned] == ["import sys", "from app.core.frozen import clean_environment"]
