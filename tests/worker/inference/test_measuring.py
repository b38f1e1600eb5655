"""What a model takes is measured, and near what was predicted."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.core.gguf import read_head
from app.core.processes import worker_environment
from app.protocol.engine import EngineInfo, LoadModel, MeasureSpeed
from app.worker.inference.backend import Buffer, start_backend, take_buffers
from app.worker.inference.measuring import MemoryMeter, on_gpu
from app.worker.inference.native_model import NativeModel
from app.worker.inference.random_model import RandomModel
from scripts.bench.worker_client import WorkerClient

MB = 1_000_000


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("CPU", False),
        ("CPU_Mapped", False),
        ("CPU_REPACK", False),
        ("Vulkan_Host", False),
        ("BLAS", False),
        ("Vulkan0", True),
        ("CUDA1", True),
        ("MTL0", True),
    ],
)
def test_buffers_on_a_gpu(device: str, expected: bool) -> None:
    assert on_gpu(device) is expected


def test_buffers_of_a_gpu_are_added() -> None:
    buffers = [
        Buffer("CPU_Mapped", "model", 50 * MB),
        Buffer("CPU", "compute", 30 * MB),
        Buffer("Vulkan0", "model", 500 * MB),
        Buffer("Vulkan0", "compute", 20 * MB),
    ]
    meter, software = MemoryMeter(), MemoryMeter()
    meter.loaded([], buffers)
    assert 545 * MB < meter.loaded_bytes() < 600 * MB, "weights in main memory show as resident"
    assert 515 * MB < meter.peak_bytes() < 570 * MB
    software.loaded([], buffers, gpu_in_main=True)
    assert software.loaded_bytes() < 80 * MB


GROWTH = """
from app.worker.inference.measuring import MemoryMeter
meter = MemoryMeter()
meter.loaded([], [])
block = bytearray(60_000_000)
grown = meter.peak_bytes()
del block
print(grown, meter.peak_bytes())
"""


def test_growth_is_measured() -> None:
    # In a process of its own: this one may give memory of earlier tests back at any moment.
    done = subprocess.run(
        [sys.executable, "-c", GROWTH], env=worker_environment(), capture_output=True, text=True, check=True
    )
    grown, peak = map(int, done.stdout.split())
    assert 55 * MB < grown < 90 * MB
    if sys.platform == "linux":
        assert peak > 55 * MB, "the peak stays"


@pytest.mark.skipif(sys.platform != "linux", reason="pages of a mapped file can be given back on Linux")
def test_copied_weights_do_not_count_twice(tmp_path: Path) -> None:
    start_backend()
    model = RandomModel(n_layers=4, width=1024, n_heads=8, n_kv_heads=8, inner=4096, n_vocab=4096)
    path = model.write(tmp_path / "q4.gguf")  # Q4_0 is rearranged on processors with AVX2 or NEON
    head = read_head(path)
    meter = MemoryMeter()
    take_buffers()
    native = NativeModel(path, lambda _done: True, use_gpu=False)
    try:
        buffers = take_buffers()
        copied = sum(buffer.size_bytes for buffer in buffers if buffer.device != "CPU_Mapped")
        meter.loaded([head], buffers)
        embeddings = head.tensors[0].size_bytes
        assert meter.peak_bytes() < copied + embeddings + 12 * MB
        assert any(buffer.use == "model" for buffer in buffers)
    finally:
        native.close()


@pytest.mark.slow
@pytest.mark.parametrize(("n_ctx", "kv_type"), [(4096, "f16"), (2048, "q8_0")])
def test_prediction_is_within_15_percent(starter_path: Path, n_ctx: int, kv_type: str) -> None:
    with WorkerClient("inference") as worker:
        info: EngineInfo = worker.call(
            LoadModel(path=str(starter_path), context_length=n_ctx, kv_type=kv_type)
        )
        speed = worker.call(MeasureSpeed(n_prompt=n_ctx - 100, n_generate=2))
    assert info.kv_type == kv_type
    for measured in (info.measured_bytes, speed.measured_bytes):
        assert 0.85 < info.predicted_bytes / measured < 1.15
