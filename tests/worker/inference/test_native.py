"""Which of the engine's plug-ins are loaded."""

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from app.worker.inference import native
from app.worker.inference.backend import has_gpu
from app.worker.inference.native_model import NativeModel

LINUX = ("libggml.so.0", "libggml-base.so.0", "libggml-base.so", "libllama.so")
PLUGINS = ("libggml-cpu-haswell.so", "libggml-cpu-sse42.so", "libggml-vulkan.so")


class FakeFunction:
    """A C function that notes what it is called with."""

    def __init__(self, name: str, calls: list[tuple[str, str]], refused: set[str]) -> None:
        self._name, self._calls, self._refused = name, calls, refused

    def __call__(self, path: bytes) -> int | None:
        self._calls.append((self._name, Path(os.fsdecode(path)).name))
        return None if os.fsdecode(path).endswith(tuple(self._refused)) else 1


class FakeRegistry:
    """The engine's registry of plug-ins.

    Attributes:
        opened: the library that was opened.
        calls: what was loaded, as (function, file's or folder's name).
        refused: endings of files that cannot be used.
    """

    def __init__(self) -> None:
        self.opened: list[Path] = []
        self.calls: list[tuple[str, str]] = []
        self.refused: set[str] = set()

    def open(self, path: str) -> Any:
        """Stand in for `ctypes.CDLL`."""
        self.opened.append(Path(path))
        names = ("ggml_backend_load", "ggml_backend_load_all_from_path")
        return type("Library", (), {name: FakeFunction(name, self.calls, self.refused) for name in names})


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    fake = FakeRegistry()
    monkeypatch.setattr(ctypes, "CDLL", fake.open)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv(native.CPU_VARIANT_VARIABLE, raising=False)
    monkeypatch.setenv("GGML_BACKEND_PATH", "/tmp/planted.so")
    return fake


def folder(tmp_path: Path, *names: str) -> Path:
    directory = tmp_path / "é engine"
    directory.mkdir()
    for name in names:
        (directory / name).touch()
    return directory


def test_the_best_is_chosen_from_one_folder_only(registry: FakeRegistry, tmp_path: Path) -> None:
    directory = folder(tmp_path, *LINUX, *PLUGINS)
    native.load_plugins(directory)
    assert registry.opened == [directory / "libggml.so.0"]
    assert registry.calls == [("ggml_backend_load_all_from_path", "é engine")]
    assert "GGML_BACKEND_PATH" not in os.environ


def test_an_engine_in_one_piece_is_left_alone(registry: FakeRegistry, tmp_path: Path) -> None:
    native.load_plugins(folder(tmp_path, *LINUX, "libggml-cpu.so", "libggml-cpu.so.0", "libggml-blas.so"))
    assert registry.opened == []


def test_the_installed_engine_is_looked_at_by_default(registry: FakeRegistry) -> None:
    native.load_plugins()
    assert native.library_dir().is_dir()
    assert registry.opened == [], "the engine that was compiled for this machine has no plug-ins"


def test_a_processors_plugin_can_be_asked_for(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(native.CPU_VARIANT_VARIABLE, "sse42")
    native.load_plugins(folder(tmp_path, *LINUX, *PLUGINS))
    # the GPU's comes first: devices are chosen in this order
    wanted = ["libggml-vulkan.so", "libggml-cpu-sse42.so"]
    assert registry.calls == [("ggml_backend_load", name) for name in wanted]
    assert "GGML_BACKEND_PATH" not in os.environ


def test_one_that_is_not_there_is_an_error(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(native.CPU_VARIANT_VARIABLE, "sse4")
    with pytest.raises(OSError, match=r"no plug-in called sse4$"):
        native.load_plugins(folder(tmp_path, *LINUX, *PLUGINS))
    assert ("ggml_backend_load", "libggml-cpu-sse42.so") not in registry.calls


def test_one_that_this_processor_cannot_run_is_an_error(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(native.CPU_VARIANT_VARIABLE, "haswell")
    registry.refused = {"haswell.so"}
    with pytest.raises(OSError, match="haswell cannot be used on this processor"):
        native.load_plugins(folder(tmp_path, *LINUX, *PLUGINS))


def test_a_gpu_plugin_without_a_driver_is_no_error(
    registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(native.CPU_VARIANT_VARIABLE, "haswell")
    registry.refused = {"vulkan.so"}
    native.load_plugins(folder(tmp_path, *LINUX, *PLUGINS))
    assert registry.calls[-1] == ("ggml_backend_load", "libggml-cpu-haswell.so")


@pytest.mark.parametrize(
    ("system", "library", "files"),
    [
        ("win32", "ggml.dll", ["ggml-base.dll", "ggml-cpu-sse42.dll", "ggml-vulkan.dll", "llama.dll"]),
        (
            "darwin",
            "libggml.dylib",
            ["libggml-base.dylib", "libggml-cpu-sse42.so", "libggml-metal.so", "libllama.dylib"],
        ),
    ],
)
def test_names_on_other_systems(
    registry: FakeRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    library: str,
    files: list[str],
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setenv(native.CPU_VARIANT_VARIABLE, "sse42")
    directory = folder(tmp_path, library, *files)
    native.load_plugins(directory)
    assert registry.opened == [directory / library]
    assert registry.calls == [("ggml_backend_load", files[2]), ("ggml_backend_load", files[1])]


# --- the engine itself


@pytest.mark.usefixtures("backend")
def test_the_real_model_loads_on_the_processor_alone(starter_path: Path) -> None:
    told: list[float] = []

    def tell(done: float) -> bool:
        told.append(done)
        return True

    model = NativeModel(starter_path, tell, use_gpu=False)
    try:
        assert model.generates_text
        assert model.n_params > 100_000_000
        assert told[-1] == 1.0
    finally:
        model.close()
    assert model.pointer is None


@pytest.mark.skipif(sys.platform == "darwin", reason="Metal is part of every engine there")
@pytest.mark.usefixtures("backend")
def test_the_engine_of_this_environment_has_no_gpu() -> None:
    assert has_gpu() is False
