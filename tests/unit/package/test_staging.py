"""From PyInstaller's folder to the tree: the engine once, the system's own libraries left out, modes."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from scripts.package import staging
from scripts.package.staging import ENGINE_DIR, INTERNAL

pytestmark = [
    pytest.mark.linux,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="links and modes as Linux has them"),
]

LIBRARIES = ("libllama.so", "libggml.so", "libggml-base.so")
PLUGINS = (
    "libggml-cpu-haswell.so",
    "libggml-cpu-sapphirerapids.so",
    "libggml-cpu-sse42.so",
    "libggml-vulkan.so",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree é"
    (tree / INTERNAL).mkdir(parents=True)
    return tree


@pytest.fixture
def wheel_path(tmp_path: Path) -> Path:
    """A wheel as the engine's build makes it: three copies of each library, plug-ins in `bin`."""
    path = tmp_path / "engine.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("llama_cpp/__init__.py", "")
        wheel.writestr("llama_cpp/lib/", "")
        for name in LIBRARIES:
            for ending in ("", ".0", ".0.9.4"):
                wheel.writestr(f"llama_cpp/lib/{name}{ending}", f"library {name}")
        for name in PLUGINS:
            wheel.writestr(f"bin/{name}", f"plug-in {name}")
        wheel.writestr("llama_cpp/lib/libmtmd.so", "a library of one name")
    return path


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


EXPECTED = {
    *(f"{name}{ending}" for name in LIBRARIES for ending in ("", ".0")),
    *("libggml-cpu-haswell.so", "libggml-cpu-sse42.so", "libggml-vulkan.so", "libmtmd.so"),
}


def check_engine(engine_dir: Path) -> None:
    """Each library is there once, under the loader's name; the plain one is a link to it."""
    for name in LIBRARIES:
        assert not (engine_dir / f"{name}.0").is_symlink()
        assert (engine_dir / f"{name}.0").read_text() == f"library {name}"
        assert (engine_dir / name).readlink() == Path(f"{name}.0")


def test_the_engine_of_a_wheel(wheel_path: Path, tree: Path) -> None:
    staging.add_engine(wheel_path, tree)
    assert names_in(tree / ENGINE_DIR) == EXPECTED
    check_engine(tree / ENGINE_DIR)
    staging.add_engine(wheel_path, tree)
    check_engine(tree / ENGINE_DIR)


def test_the_engine_of_an_environment(tmp_path: Path, tree: Path) -> None:
    library_dir = tmp_path / "site" / "llama_cpp" / "lib"
    library_dir.mkdir(parents=True)
    (library_dir.parent / "__init__.py").touch()
    for name in LIBRARIES:
        for ending in ("", ".0", ".0.9.4"):
            (library_dir / f"{name}{ending}").write_text(f"library {name}")
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nPYTHONPATH='{library_dir.parents[1]}' exec '{sys.executable}' \"$@\"\n")
    python.chmod(0o755)
    staging.add_engine_of(python, tree)
    assert names_in(tree / ENGINE_DIR) == {f"{name}{ending}" for name in LIBRARIES for ending in ("", ".0")}
    check_engine(tree / ENGINE_DIR)


def test_macos_names_have_their_version_before_the_ending(tmp_path: Path, tree: Path) -> None:
    path = tmp_path / "engine.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for ending in ("", ".0", ".0.9.4"):
            wheel.writestr(f"llama_cpp/lib/libllama{ending}.dylib", "library")
        wheel.writestr("bin/libggml-cpu-apple_m1.so", "plug-in")
        wheel.writestr("llama_cpp/lib/ggml.dll", "of one name")
    staging.add_engine(path, tree)
    found = {"libllama.dylib", "libllama.0.dylib", "libggml-cpu-apple_m1.so", "ggml.dll"}
    assert names_in(tree / ENGINE_DIR) == found
    assert (tree / ENGINE_DIR / "libllama.dylib").readlink() == Path("libllama.0.dylib")


def test_the_compilers_library_comes_along(tree: Path) -> None:
    (tree / ENGINE_DIR).mkdir(parents=True)
    staging.add_openmp(tree)
    path = tree / ENGINE_DIR / "libgomp.so.1"
    assert path.read_bytes()[:4] == b"\x7fELF"
    assert not path.is_symlink()


def test_without_the_compilers_library_nothing_is_shipped(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = subprocess.CompletedProcess([], 0, stdout="libz.so.1 (libc6,x86-64) => /lib/libz.so.1\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: listing)
    with pytest.raises(FileNotFoundError, match="libgomp"):
        staging.add_openmp(tree)


@pytest.mark.linux
@pytest.mark.skipif(staging._system_library("libportaudio.so.2") is None, reason="PortAudio is not here")
def test_portaudio_comes_along_with_what_it_needs(tree: Path) -> None:
    names = staging.add_portaudio(tree)
    assert names_in(tree / staging.SOUND_DIR) == set(names) >= {"libportaudio.so.2"}
    for name in names:
        path = tree / staging.SOUND_DIR / name
        assert path.read_bytes()[:4] == b"\x7fELF" and not path.is_symlink()
    needed = subprocess.run(
        ["ldd", tree / staging.SOUND_DIR / "libportaudio.so.2"],
        env={"LD_LIBRARY_PATH": str(tree / staging.SOUND_DIR)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "not found" not in needed
    assert f"libjack.so.0 => {tree}" in needed or "libjack" not in needed, needed


def test_without_portaudio_nothing_is_shipped(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "_system_library", lambda name: None)
    with pytest.raises(FileNotFoundError, match="libportaudio"):
        staging.add_portaudio(tree)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert staging.add_portaudio(tree) == []


KEPT = (
    *(
        "libpython3.11.so.1.0",
        "libssl.so.3",
        "libcrypto.so.3",
        "libz.so.1",
        "libxcb-cursor.so.0",
        "libzstd.so.1",
    ),
    *("libpyside6.abi3.so.6.11", "libicudata.so.73"),
)
SYSTEMS = (
    "libstdc++.so.6",
    "libX11.so.6",
    "libxcb.so.1",
    "libGL.so.1",
    "libglib-2.0.so.0",
    "libfontconfig.so.1",
)
OTHERS = ("mmh3.cpython-311-x86_64-linux-gnu.so", "base_library.zip", "library.txt")


def touched(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).write_text(name)


def test_the_systems_own_libraries_are_left_to_it(tree: Path) -> None:
    internal = tree / INTERNAL
    touched(internal, [*KEPT, *SYSTEMS, *OTHERS])
    (internal / "numpy.libs").mkdir()
    touched(internal / "numpy.libs", ["libgfortran.so.5"])
    (internal / "libgfortran.so.5").symlink_to("numpy.libs/libgfortran.so.5")
    kept = staging.keep_own_libraries(tree)
    assert set(kept) == {"libgomp.so.1", *KEPT}, "what travels along is listed"
    assert names_in(internal) == {*KEPT, *OTHERS, "numpy.libs", "libgfortran.so.5"}
    assert (internal / "libgfortran.so.5").is_file()


def test_elsewhere_every_library_stays(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched(tree / INTERNAL, SYSTEMS)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert staging.keep_own_libraries(tree) == []
    assert names_in(tree / INTERNAL) == set(SYSTEMS)


def test_models_stand_where_the_program_looks(tmp_path: Path, tree: Path) -> None:
    for name in staging.STANDARD_MODELS:
        path = tmp_path / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    staging.add_models(tmp_path / "models", tree, staging.SLIM_MODELS)
    models_dir = tree / INTERNAL / "resources" / "models"
    found = {path.relative_to(models_dir).as_posix() for path in models_dir.rglob("*") if path.is_file()}
    assert found == set(staging.SLIM_MODELS)
    assert not any(name.startswith("chat/") for name in found)


needs_gcc = pytest.mark.skipif(
    shutil.which("gcc") is None or shutil.which("strip") is None, reason="gcc or strip is not here"
)


@needs_gcc
def test_symbols_of_python_engine_and_the_heaviest_alone_are_stripped(tmp_path: Path, tree: Path) -> None:
    source, library = tmp_path / "x.c", tmp_path / "x.so"
    source.write_text("int answer(void) { return 42; }\n")
    subprocess.run(["gcc", "-g", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    places = [
        Path(INTERNAL) / "libpython3.11.so.1.0",
        ENGINE_DIR / "libggml-cpu-sse42.so",
        ENGINE_DIR / "libllama.so.0",
        Path(INTERNAL) / "python3.11" / "lib-dynload" / "_bisect.so",
        Path(INTERNAL) / "ctranslate2" / "_ext.cpython-311-x86_64-linux-gnu.so",
        Path(INTERNAL) / "av" / "video" / "frame.abi3.so",
        Path(INTERNAL) / "ctranslate2.libs" / "libctranslate2.so.4",
        Path(INTERNAL) / "numpy" / "core.so",
        Path(INTERNAL) / "libssl.so.3",
    ]
    for place in places:
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(library, tree / place)
    (tree / ENGINE_DIR / "libllama.so").symlink_to("libllama.so.0")
    full = library.stat().st_size
    saved = staging.strip_symbols(tree)
    smaller = {place for place in places if (tree / place).stat().st_size < full}
    assert smaller == set(places[:6])
    assert saved == sum(full - (tree / place).stat().st_size for place in smaller) > 0
    assert (tree / ENGINE_DIR / "libllama.so").is_symlink()


def test_modes(tree: Path) -> None:
    wanted = {
        "h2ogpt": 0o755,
        "sbom.json": 0o644,
        f"{INTERNAL}/lib.so": 0o644,
        f"{INTERNAL}/pkg/run.sh": 0o755,
        f"{INTERNAL}/pkg/tool": 0o644,
    }
    for name, mode in wanted.items():
        path = tree / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        path.chmod(0o644 if name == "sbom.json" and mode == 0o644 else 0o777)
    (tree / INTERNAL / "link").symlink_to("/no/such/file")
    (tree / INTERNAL / "pkg").chmod(0o700)
    staging.set_modes(tree)
    for name, mode in wanted.items():
        assert stat.S_IMODE((tree / name).stat().st_mode) == mode, name
    for folder, _, _ in os.walk(tree):
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o755


def test_of_the_engine_for_old_files_only_what_is_used(tmp_path: Path, tree: Path) -> None:
    path = tmp_path / "legacy.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name in ("__init__.py", "hub.py", "llm.py", "lib.py", "logger.py", "utils.py", "gptq/llm.py"):
            wheel.writestr(f"ctransformers/{name}", name)
        wheel.writestr("ctransformers/lib/avx2/libctransformers.so", "library")
        wheel.writestr("ctransformers-0.2.27.dist-info/METADATA", "")
    staging.add_legacy(path, tree)
    found = sorted(
        str(item.relative_to(tree / staging.LEGACY_DIR))
        for item in (tree / staging.LEGACY_DIR).rglob("*")
        if item.is_file()
    )
    assert found == ["lib.py", "lib/avx2/libctransformers.so", "llm.py", "logger.py", "utils.py"]
