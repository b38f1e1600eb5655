"""This machine is calibrated with models of random weights, which leave nothing behind."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ModelError
from app.core.gguf import read_head
from app.core.model_shape import shape_of
from app.protocol.hardware import Gpu
from app.worker.inference import calibrating
from app.worker.inference.backend import AbortFlag
from app.worker.inference.calibrating import LARGE, SMALL, Timing, _from_timings, calibrate
from app.worker.inference.native_model import NativeModel
from app.worker.inference.random_model import TYPES, RandomModel, tokenizer_of
from app.worker.inference.vocabulary import Vocabulary
from app.worker.runtime import Cancelled
from scripts import make_gguf

TINY = RandomModel(n_layers=2, width=256, n_heads=4, n_kv_heads=2, inner=512, n_vocab=512, storage="Q4_K")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def never() -> bool:
    return False


@pytest.mark.usefixtures("backend")
def test_machine_is_calibrated(abort: AbortFlag, folder: Path) -> None:
    result = calibrate(1, abort, never, TINY, TINY)
    assert result.cpu_bytes_per_s > 1e6
    assert result.cpu_flops > 1e6
    assert result.gpu_bytes_per_s == 0
    assert "1 threads" in result.key
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("backend")
def test_gpu_is_calibrated_too(abort: AbortFlag, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = Gpu(
        name="Vulkan0", description="A card", memory_total_bytes=8, memory_free_bytes=8, backend="Vulkan"
    )
    monkeypatch.setattr(calibrating, "usable_gpus", lambda: (card,))
    result = calibrate(1, abort, never, TINY, TINY)
    assert result.gpu_bytes_per_s > 1e6
    assert "A card" in result.key


def test_overhead_is_parted_from_weights() -> None:
    large, small = Timing(200_000_000, 400_000_000, 0.021, 0.004), Timing(4_000_000, 8_000_000, 0.001, 0.001)
    result = _from_timings(large, small)
    assert result.cpu_bytes_per_s == pytest.approx(1e10)
    assert result.overhead_s == 0.001
    assert result.cpu_flops == pytest.approx(1e11)


def test_a_disturbed_measurement_puts_all_down_to_weights() -> None:
    large, small = Timing(200_000_000, 400_000_000, 0.02, 0.004), Timing(4_000_000, 8_000_000, 0.018, 0.01)
    result = _from_timings(large, small)
    assert result.cpu_bytes_per_s == pytest.approx(1e10)
    assert result.overhead_s == 0


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("calls", [0, 2, 30])
def test_calibration_can_be_cancelled(abort: AbortFlag, folder: Path, calls: int) -> None:
    asked: list[None] = []

    def is_cancelled() -> bool:
        asked.append(None)
        return len(asked) > calls

    with pytest.raises(Cancelled):
        calibrate(1, abort, is_cancelled, TINY, TINY)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("cancelled", [False, True])
def test_full_disk_is_named(
    abort: AbortFlag, monkeypatch: pytest.MonkeyPatch, folder: Path, cancelled: bool
) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(RandomModel, "write", full)
    with pytest.raises(Cancelled if cancelled else ModelError):
        calibrate(1, abort, lambda: cancelled)


def test_models_are_of_the_right_size(tmp_path: Path) -> None:
    large = shape_of(read_head(LARGE.write(tmp_path / "large.gguf", hollow=True)))
    small = shape_of(read_head(SMALL.write(tmp_path / "small.gguf", hollow=True)))
    assert 200_000_000 < large.weight_bytes < 300_000_000
    assert small.weight_bytes < 10_000_000


# --- models of random weights


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("storage", TYPES)
def test_every_storage_computes_numbers(storage: str, tmp_path: Path, abort: AbortFlag) -> None:
    model = RandomModel(
        n_layers=2, width=256, n_heads=4, n_kv_heads=2, inner=512, n_vocab=512, storage=storage, is_tied=True
    )
    timing = calibrating._timing(
        model.write(tmp_path / "model.gguf"), 1, 0, calibrating._Stopping(abort, never)
    )
    assert timing.token_s > 0
    assert timing.n_params == 512 * 256 + 256 + 2 * (2 * 256 + 2 * 256 * 256 + 2 * 256 * 128 + 3 * 256 * 512)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("preset", ["mixture", "qwen3", "gemma3"])
def test_other_families_compute_numbers(
    preset: str, tmp_path: Path, abort: AbortFlag, caplog: pytest.LogCaptureFixture
) -> None:
    small = replace(make_gguf.PRESETS[preset], n_layers=6, width=256, inner=512, n_vocab=512)
    path = small.write(tmp_path / "model.gguf")
    assert shape_of(read_head(path)).n_layers == 6
    assert calibrating._timing(path, 1, 0, calibrating._Stopping(abort, never)).token_s > 0
    # The whole context is kept, so that turns can be taken back; the engine remarks on it.
    assert all("full-size SWA cache" in record.getMessage() for record in caplog.records)
    caplog.clear()


@pytest.mark.usefixtures("backend")
def test_tokenizer_is_taken_over(tmp_path: Path, starter_path: Path) -> None:
    keys, n_vocab = tokenizer_of(starter_path)
    assert n_vocab == 49_152
    assert "tokenizer.chat_template" in keys
    model = RandomModel(n_layers=1, width=64, n_heads=2, n_kv_heads=1, inner=64, tokenizer=starter_path)
    native = NativeModel(model.write(tmp_path / "talks.gguf"), lambda _done: True, use_gpu=False)
    try:
        assert Vocabulary(native).count("The lighthouse keeper") == 3
    finally:
        native.close()


def test_same_seed_same_file(tmp_path: Path) -> None:
    one, again = TINY.write(tmp_path / "one.gguf"), TINY.write(tmp_path / "again.gguf")
    assert one.read_bytes() == again.read_bytes()


def test_script_writes_what_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "made.gguf"
    arguments = ["--preset", "tiny", "--layers", "3", "--type", "Q8_0", "--vocab", "1000", "--tied"]
    assert make_gguf.main([str(path), *arguments]) == 0
    assert str(path) in capsys.readouterr().out
    head = read_head(path)
    shape = shape_of(head)
    assert (shape.n_layers, shape.width, shape.n_vocab, shape.is_tied) == (3, 512, 1000, True)
    assert head.tensors[0].type == TYPES["Q8_0"].number


def test_hollow_file_takes_no_room(tmp_path: Path) -> None:
    path = tmp_path / "hollow.gguf"
    make_gguf.main([str(path), "--preset", "8b", "--hollow"])
    status = path.stat()
    assert status.st_size > 4_000_000_000
    assert status.st_blocks * 512 < 10_000_000
    assert shape_of(read_head(path)).n_params > 7_000_000_000
