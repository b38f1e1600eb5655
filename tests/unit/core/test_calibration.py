"""A calibration is stale where processor, engine, threads or graphics processor are others."""

from dataclasses import replace

import pytest

from app.core.calibration import calibration_key
from app.protocol.hardware import Cpu, Engine, Gpu

CPU = Cpu(name="A processor", physical_cores=2, logical_cores=4)
ENGINE = Engine(backends=("CPU", "Vulkan"), cpu_variant="zen4", cpu_features=("avx2", "avx512"))
GPU = Gpu(name="Vulkan0", description="A card", memory_total_bytes=8, memory_free_bytes=4, backend="Vulkan")
KEY = calibration_key(CPU, ENGINE, (GPU,), 2)


def test_key_names_the_machine() -> None:
    assert KEY == "A processor | CPU+Vulkan | zen4 | avx2+avx512 | 2 threads | Vulkan A card"


@pytest.mark.parametrize(
    "other",
    [
        calibration_key(replace(CPU, name="Another"), ENGINE, (GPU,), 2),
        calibration_key(CPU, replace(ENGINE, cpu_variant=""), (GPU,), 2),
        calibration_key(CPU, ENGINE, (), 2),
        calibration_key(CPU, ENGINE, (replace(GPU, driver="2.0"),), 2),
        calibration_key(CPU, ENGINE, (GPU,), 1),
    ],
)
def test_another_machine_has_another_key(other: str) -> None:
    assert other != KEY


def test_free_memory_does_not_matter() -> None:
    assert calibration_key(CPU, ENGINE, (replace(GPU, memory_free_bytes=1),), 2) == KEY
