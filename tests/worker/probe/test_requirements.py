"""What computing on a graphics card needs: real libraries, described drivers, the engine's plug-ins."""

import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from app.core.gpu_reasons import GpuParts
from app.protocol.hardware import Engine, Requirement
from app.worker.probe import requirements as module
from app.worker.probe.requirements import (
    Loading,
    engine_parts,
    load,
    missing_library,
    plugins,
    requirements,
    vulkan_drivers,
)
from tests.worker.probe.test_cards import Key

ICD = '{"file_format_version": "1.0.0", "ICD": {"library_path": "libvulkan_x.so", "api_version": "1.3"}}'
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")


@pytest.mark.parametrize(
    ("words", "name", "missing"),
    [
        ("libvulkan.so.1: cannot open shared object file: No such file or directory", "x", "libvulkan.so.1"),
        (
            "Error loading shared library libvulkan.so.1: No such file (needed by /a/b.so)",
            "x",
            "libvulkan.so.1",
        ),
        ("dlopen(x): Library not loaded: @rpath/libvulkan.1.dylib\n Referenced", "x", "libvulkan.1.dylib"),
        (
            "Could not find module 'vulkan-1.dll' (or one of its dependencies)",
            r"C:\x\vulkan-1.dll",
            "vulkan-1.dll",
        ),
        (
            "dlopen(libvulkan.1.dylib, 6): tried: '/x' (no such file)",
            "libvulkan.1.dylib",
            "libvulkan.1.dylib",
        ),
        ("/x/lib.so: undefined symbol: abc", "/x/lib.so", ""),
    ],
)
def test_the_missing_library_is_read_from_the_loaders_words(words: str, name: str, missing: str) -> None:
    assert missing_library(words, name) == missing


@LINUX
def test_real_libraries() -> None:
    assert load("libc.so.6") == Loading(True)
    found = load("libnothing-of-the-kind.so.7")
    assert (found.found, found.missing) == (False, "libnothing-of-the-kind.so.7") and found.detail


@LINUX
def test_a_real_plugin_whose_library_is_missing(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    (tmp_path / "a.c").write_text("int a(void) { return 1; }")
    (tmp_path / "b.c").write_text("int a(void); int b(void) { return a(); }")
    needed, plugin = tmp_path / "libneeded.so.1", tmp_path / "libggml-vulkan.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-Wl,-soname,libneeded.so.1", "-o", needed, tmp_path / "a.c"],
        check=True,
    )
    subprocess.run([compiler, "-shared", "-fPIC", "-o", plugin, tmp_path / "b.c", needed], check=True)
    needed.unlink()
    parts = engine_parts(Engine(backends=("CPU",)), plugins(tmp_path), True, ())
    assert parts == GpuParts(built=("Vulkan",), missing=("libneeded.so.1",))
    found, _ = requirements(Engine(backends=("CPU",)), tmp_path, [], system="linux")
    assert found[2].detail == "it needs libneeded.so.1, which is missing" and not found[2].found


def test_described_drivers(tmp_path: Path) -> None:
    folder = tmp_path / "usr/share/vulkan/icd.d"
    folder.mkdir(parents=True)
    (folder / "radeon_icd.x86_64.json").write_text(ICD)
    (folder / "broken.json").write_text("{")
    (folder / "list.json").write_text("[]")
    (folder / "layer.json").write_text('{"layer": {}}')
    (folder / "notes.txt").write_text(ICD)
    mine = tmp_path / "home/me/.local/share/vulkan/icd.d"
    mine.mkdir(parents=True)
    (mine / "own_icd.json").write_text(ICD)
    assert vulkan_drivers(tmp_path, {"HOME": "/home/me"}, "linux") == ["own_icd", "radeon_icd.x86_64"]
    assert vulkan_drivers(tmp_path / "nowhere", {}, "linux") == []


@pytest.mark.parametrize("variable", ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"])
def test_drivers_that_the_environment_names(tmp_path: Path, variable: str) -> None:
    path = tmp_path / "my_icd.json"
    path.write_text(ICD)
    given = {variable: f"{path}:/nowhere/x.json" if sys.platform != "win32" else f"{path};C:/x.json"}
    assert vulkan_drivers(tmp_path, given, "linux") == ["my_icd"]


def test_drivers_of_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "nv-vk64.json"
    path.write_text(ICD)

    def enum_value(_key: Key, number: int) -> tuple[str, int, int]:
        if number:
            raise OSError("no more")
        return str(path), 0, 4

    def refuse(*_: object) -> Key:
        raise PermissionError

    registry = types.SimpleNamespace(HKEY_LOCAL_MACHINE=1, OpenKey=lambda *_: Key({}), EnumValue=enum_value)
    monkeypatch.setitem(sys.modules, "winreg", registry)
    assert vulkan_drivers(tmp_path, {}, "win32") == ["nv-vk64"]
    registry.OpenKey = refuse
    assert vulkan_drivers(tmp_path, {}, "win32") == []


def test_plugins_are_found_by_name(tmp_path: Path) -> None:
    for name in (
        "libggml-vulkan.so",
        "ggml-cuda.dll",
        "libggml-base.so",
        "libggml-cpu-zen4.so",
        "libllama.so",
    ):
        (tmp_path / name).touch()
    assert set(plugins(tmp_path)) == {"Vulkan", "CUDA"}
    assert plugins(tmp_path / "nowhere") == {}


def fake_loads(monkeypatch: pytest.MonkeyPatch, missing: dict[str, str]) -> None:
    def fake(name: str) -> Loading:
        lacks = next((value for key, value in missing.items() if key in name), None)
        return Loading(True) if lacks is None else Loading(False, lacks, f"{lacks} is not there")

    monkeypatch.setattr(module, "load", fake)
    monkeypatch.setattr(module, "vulkan_drivers", lambda **_: ["radeon_icd"])


def test_requirements_of_linux_with_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_loads(monkeypatch, {})
    (tmp_path / "libggml-vulkan.so").touch()
    found, parts = requirements(Engine(backends=("Vulkan", "CPU")), tmp_path, ["AMD"], system="linux")
    assert found == (
        Requirement(name="Vulkan loader (libvulkan.so.1)", found=True, needed_for="Vulkan"),
        Requirement(name="Vulkan driver", found=True, detail="radeon_icd", needed_for="Vulkan"),
        Requirement(name="The engine's part for Vulkan", found=True, detail="loaded", needed_for="Vulkan"),
    )
    assert parts == GpuParts(loaded=("Vulkan",), built=("Vulkan",), drivers=("radeon_icd",))


def test_requirements_with_a_card_of_nvidia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_loads(monkeypatch, {"libvulkan": "libvulkan.so.1", "ggml-vulkan": "libvulkan.so.1", "ggml-cuda": ""})
    for name in ("libggml-vulkan.so", "libggml-cuda.so"):
        (tmp_path / name).touch()
    found, parts = requirements(Engine(backends=("CPU",)), tmp_path, ["NVIDIA"], "debian", "linux")
    details = {each.name: (each.found, each.detail) for each in found}
    assert details["Vulkan loader (libvulkan.so.1)"] == (
        False,
        "missing; install the package libvulkan1",
    )
    assert details["The engine's part for Vulkan"] == (False, "it needs libvulkan.so.1, which is missing")
    assert details["CUDA driver (libcuda.so.1)"] == (True, "")
    assert details["The engine's part for CUDA"] == (False, " is not there")
    assert parts.missing == ("libvulkan.so.1",) and not parts.loader and parts.built == ("CUDA", "Vulkan")


@pytest.mark.parametrize(
    ("vendors", "system", "words"),
    [
        ([], "linux", "install the package mesa-vulkan-drivers"),
        (["NVIDIA", "Intel"], "linux", "install the package nvidia-driver"),
        ([], "win32", "newest graphics driver of the card's maker"),
    ],
)
def test_without_drivers_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendors: list[str], system: str, words: str
) -> None:
    fake_loads(monkeypatch, {})
    monkeypatch.setattr(module, "vulkan_drivers", lambda **_: [])
    found, _ = requirements(Engine(backends=("CPU",)), tmp_path, vendors, "debian", system)
    assert not found[1].found and words in found[1].detail


def test_a_part_that_loads_but_was_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_loads(monkeypatch, {})
    (tmp_path / "libggml-vulkan.so").touch()
    found, _ = requirements(Engine(backends=("CPU",)), tmp_path, [], system="linux")
    assert "the engine did not take it" in found[-1].detail


def test_requirements_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_loads(monkeypatch, {})
    (mac,), parts = requirements(
        Engine(backends=("MTL", "BLAS", "CPU")), tmp_path, ["Apple"], system="darwin"
    )
    assert (mac.name, mac.found, parts.loaded) == ("The engine's part for Metal", True, ("Metal",))
    windows, _ = requirements(Engine(backends=("CPU",)), tmp_path, ["NVIDIA"], system="win32")
    assert [each.name for each in windows][0::3] == [
        "Vulkan loader (vulkan-1.dll)",
        "CUDA driver (nvcuda.dll)",
    ]
    assert windows[2].detail == "this build of the engine has none"
    fake_loads(monkeypatch, {"vulkan-1": "vulkan-1.dll"})
    windows, _ = requirements(Engine(backends=("CPU",)), tmp_path, [], system="win32")
    assert windows[0].detail == "missing; a graphics driver brings it along"
