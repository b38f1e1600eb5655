"""The probe as a process, and how it reads what systems and engine say."""

import ctypes
import json
import os
import platform
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core.gpu_reasons import Card, Machine
from app.core.processes import worker_command, worker_environment
from app.protocol.body import from_json
from app.protocol.hardware import Engine, ProbeReport
from app.worker import inference
from app.worker.probe import devices, main, processor
from app.worker.probe.devices import Devices, engine_features, variant_of

SYSTEM_INFO = "Vulkan : X = 1 | CPU : SSE3 = 1 | AVX2 = 1 | AVX512 = 0 | REPACK = 1 | "


def test_the_process_prints_what_it_knows_at_once_and_then_everything() -> None:
    done = subprocess.run(
        worker_command("probe"), capture_output=True, env=worker_environment(), timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    first, report = (from_json(ProbeReport, json.loads(line)) for line in done.stdout.splitlines())
    assert first.engine == Engine() and first.cpu == report.cpu and not first.requirements
    assert 1 <= report.cpu.cores_used <= (psutil.cpu_count() or 1)
    assert any("Vulkan" in each.name for each in report.requirements) or sys.platform == "darwin"
    assert len(first.adapters) == len(report.adapters)
    assert all(each.usable or each.reason for each in report.adapters)
    assert report.cpu.name and report.cpu.logical_cores == psutil.cpu_count()
    assert 0 < report.memory.available_bytes <= report.memory.total_bytes == psutil.virtual_memory().total
    assert "CPU" in report.engine.backends and not report.engine.problem
    assert report.engine.cpu_features


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_what_needs_no_driver_is_said_before_one_crashes_the_process(tmp_path: Path) -> None:
    package = tmp_path / "llama_cpp"
    package.mkdir()
    (package / "__init__.py").write_text("import os; os.kill(os.getpid(), 11)")
    environment = worker_environment()
    environment["PYTHONPATH"] = os.pathsep.join((environment["PYTHONPATH"], str(tmp_path)))
    done = subprocess.run(
        worker_command("probe"), capture_output=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == -11
    (line,) = done.stdout.splitlines()
    first = from_json(ProbeReport, json.loads(line))
    assert first.cpu.name and first.memory.total_bytes and first.engine == Engine()


def test_an_engine_that_cannot_be_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("libllama.so: no such file")

    failing = types.SimpleNamespace(load_plugins=fail, library_dir=Path)
    monkeypatch.setattr(inference, "native", failing, raising=False)
    report = main.report()
    assert report.engine == Engine(problem="OSError: libllama.so: no such file")
    assert report.cpu.name and report.gpus == ()


class Function:
    """A C function: `restype` and `argtypes` can be set."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)


def fake_engine(found: list[tuple[int, str, str, int, int, str]]) -> Any:
    """An engine with devices of (type, name, description, free, total, backend)."""

    def memory(device: int, free: Any, total: Any) -> None:
        ctypes.cast(free, ctypes.POINTER(ctypes.c_size_t))[0] = found[device - 1][3]
        ctypes.cast(total, ctypes.POINTER(ctypes.c_size_t))[0] = found[device - 1][4]

    names = [*dict.fromkeys(each[5] for each in found)]
    calls = {
        "ggml_backend_dev_count": lambda: len(found),
        "ggml_backend_dev_get": lambda number: number + 1,
        "ggml_backend_dev_name": lambda device: found[device - 1][1].encode(),
        "ggml_backend_dev_description": lambda device: found[device - 1][2].encode() or None,
        "ggml_backend_dev_type": lambda device: found[device - 1][0],
        "ggml_backend_dev_memory": memory,
        "ggml_backend_dev_backend_reg": lambda device: names.index(found[device - 1][5]) + 1,
        "ggml_backend_reg_count": lambda: len(names),
        "ggml_backend_reg_get": lambda number: number + 1,
        "ggml_backend_reg_name": lambda registry: names[registry - 1].encode(),
    }
    handle = types.SimpleNamespace(**{name: Function(call) for name, call in calls.items()})
    return types.SimpleNamespace(
        llama_cpp=types.SimpleNamespace(_lib=handle), llama_print_system_info=SYSTEM_INFO.encode
    )


def test_graphics_processors_are_listed_and_others_not() -> None:
    lib = fake_engine(
        [
            (1, "Vulkan0", "Card 7", 7, 8, "Vulkan"),
            (2, "Vulkan1", "", 3, 4, "Vulkan"),
            (0, "CPU", "Chip 9", 1, 2, "CPU"),
            (3, "BLAS", "OpenBLAS", 0, 0, "BLAS"),
        ]
    )
    found = Devices(lib).gpus()
    assert [(gpu.name, gpu.description, gpu.backend, gpu.integrated) for gpu in found] == [
        ("Vulkan0", "Card 7", "Vulkan", False),
        ("Vulkan1", "", "Vulkan", True),
    ]
    assert (found[0].memory_free_bytes, found[0].memory_total_bytes) == (7, 8)
    engine = Devices(lib).engine()
    assert engine.backends == ("Vulkan", "CPU", "BLAS")
    assert engine.cpu_features == ("sse3", "avx2", "repack")


def test_an_engine_without_the_functions_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    lib = types.SimpleNamespace(llama_cpp=types.SimpleNamespace(_lib=object()))
    bare = types.SimpleNamespace(lib=lib, load_plugins=lambda: None, library_dir=Path)
    monkeypatch.setattr(inference, "native", bare, raising=False)
    assert "ggml_backend_dev_count" in main.report().engine.problem


def test_cards_devices_and_reasons_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [
        Card(name="AMD Navi 31", vendor="AMD", driver="amdgpu", driver_version="Linux 6.1", access="ok"),
        Card(name="NVIDIA GeForce 7", vendor="NVIDIA"),
    ]
    lib = fake_engine([(1, "Vulkan0", "AMD Navi 31 (RADV)", 7, 8, "Vulkan"), (0, "CPU", "Chip", 1, 2, "CPU")])
    engine = types.SimpleNamespace(lib=lib, load_plugins=lambda: None, library_dir=Path)
    monkeypatch.setattr(inference, "native", engine, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(main, "linux_cards", lambda: cards)
    monkeypatch.setattr(main, "machine", lambda: Machine(distribution="debian"))
    report = main.report()
    amd, nvidia = report.adapters
    assert (amd.usable, amd.backends, amd.memory_total_bytes) == (True, ("Vulkan",), 8)
    assert not nvidia.usable and "nvidia-driver" in nvidia.reason
    assert report.gpus[0].driver == "amdgpu Linux 6.1"


def test_cards_that_cannot_be_listed_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[Card]:
        raise RuntimeError("a system that lies")

    monkeypatch.setattr(main, "linux_cards", fail)
    monkeypatch.setattr(main, "macos_cards", fail)
    monkeypatch.setattr(main, "windows_cards", fail)
    assert main._cards() == []
    monkeypatch.setattr(sys, "platform", "haiku")
    assert main._cards() == []


@pytest.mark.parametrize(
    ("text", "features"),
    [
        (SYSTEM_INFO, ("sse3", "avx2", "repack")),
        ("CPU : NEON = 1 | DOTPROD = 1 | Metal : EMBED = 1 | ", ("neon", "dotprod")),
        ("", ()),
    ],
)
def test_the_engines_own_words(text: str, features: tuple[str, ...]) -> None:
    assert engine_features(text) == features


@pytest.mark.parametrize(
    ("paths", "variant"),
    [
        (["/x/libc.so.6", "/x/bin/libggml-cpu-haswell.so"], "haswell"),
        ([r"C:\x\ggml-cpu-alderlake.dll"], "alderlake"),
        (["/x/libggml-cpu.so.0"], ""),
        ([], ""),
    ],
)
def test_the_variant_is_read_from_the_loaded_file(paths: list[str], variant: str) -> None:
    assert variant_of(iter(paths)) == variant


def test_where_loaded_files_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil.Process", types.SimpleNamespace)
    assert list(devices._loaded_files()) == []


X86 = "processor\t: 0\nmodel name\t: Chip  9 @ 3 GHz\nflags\t\t: fpu pni avx2 avx512f\n\nflags : none\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n"


def test_the_kernels_list(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    assert processor.linux_cpu(path) == ("", ())
    path.write_text(X86)
    assert processor.linux_cpu(path) == ("Chip 9 @ 3 GHz", ("sse3", "avx2", "avx512"))
    path.write_text(ARM)
    assert processor.linux_cpu(path) == ("", ("neon", "dotprod", "matmul_int8"))


def test_the_words_of_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    apple = "machdep.cpu.brand_string: Apple M3\nhw.optional.neon: 1\nhw.optional.arm.FEAT_I8MM: 0\nodd\n"
    intel = "machdep.cpu.features: SSE3 AVX1.0\nmachdep.cpu.leaf7_features: AVX2\n"
    monkeypatch.setattr("subprocess.run", lambda *_, **__: types.SimpleNamespace(stdout=apple))
    assert processor.macos_cpu() == ("Apple M3", ("neon",))
    assert processor.macos_facts(intel) == ("", ("sse3", "avx", "avx2"))


class Key:
    def __enter__(self) -> "Key":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_the_words_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    def query(key: Key, _name: str) -> tuple[str, int]:
        return " Chip 9 ", 1

    def refuse(*_: object) -> Key:
        raise FileNotFoundError

    registry = types.SimpleNamespace(HKEY_LOCAL_MACHINE=1, OpenKey=lambda *_: Key(), QueryValueEx=query)
    kernel = types.SimpleNamespace(IsProcessorFeaturePresent=lambda number: number in (39, 40))
    monkeypatch.setitem(sys.modules, "winreg", registry)
    monkeypatch.setattr(ctypes, "windll", types.SimpleNamespace(kernel32=kernel), raising=False)
    assert processor.windows_cpu() == ("Chip 9", ("avx", "avx2"))
    registry.OpenKey = refuse
    assert processor.windows_cpu() == ("", ("avx", "avx2"))


def test_an_unknown_system_has_a_name_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "haiku")
    monkeypatch.setattr("platform.processor", lambda: "")
    found = processor.processor()
    assert found.name == platform.machine() and found.features == ()
