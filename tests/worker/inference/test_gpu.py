"""Graphics processors are tested before they are offered, and what is found out outlives crashes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.protocol.hardware import Gpu
from app.worker.inference import gpu
from app.worker.inference.backend import AbortFlag
from app.worker.inference.gpu import Written, difference, is_software, self_test, trusted_gpus, usable_gpus
from app.worker.inference.gpu_trust import GpuTrust
from app.worker.inference.native_model import NativeModel
from app.worker.inference.random_model import RandomModel
from app.worker.runtime import Cancelled

CARD = Gpu(name="Vulkan0", description="A card", memory_total_bytes=8, memory_free_bytes=8, backend="Vulkan")

# --- comparing


def written(*rows: tuple[float, ...]) -> Written:
    logits = np.array(rows, np.float32)
    return Written([int(row.argmax()) for row in logits], logits)


def test_same_text() -> None:
    assert difference(written((0, 1), (3, 2)), written((0, 1.3), (3, 1))) == ""


def test_near_tie_is_no_difference() -> None:
    assert difference(written((1.0, 1.09)), written((1.1, 1.0))) == ""


def test_another_text() -> None:
    assert "another text" in difference(written((1.0, 1.2)), written((1.1, 1.0)))


def test_no_numbers() -> None:
    assert "no numbers" in difference(written((1.0, 2.0)), written((float("nan"), 1.0)))


# --- the test itself; the graphics processor is the processor in disguise


class Disguise:
    """What the disguised device does wrong."""

    refuses = False
    spoils = False


@pytest.fixture
def disguise(monkeypatch: pytest.MonkeyPatch, backend: None) -> Disguise:
    state = Disguise()

    class Model(NativeModel):
        def __init__(self, path: Path, on_progress: Any, *, gpu_layers: int) -> None:
            if gpu_layers and state.refuses:
                raise OSError("no such device")
            super().__init__(path, on_progress, use_gpu=False)
            self.is_disguised = bool(gpu_layers)

    true_generation = gpu._generation

    def generation(path: Path, gpu_layers: int, *rest: Any) -> Written:
        result = true_generation(path, gpu_layers, *rest)
        return Written(result.tokens, -result.logits) if gpu_layers and state.spoils else result

    monkeypatch.setattr(gpu, "NativeModel", Model)
    monkeypatch.setattr(gpu, "_generation", generation)
    return state


def never() -> bool:
    return False


def test_a_good_device_passes(disguise: Disguise, abort: AbortFlag) -> None:
    assert self_test(abort, never) == ""


def test_a_device_that_computes_wrongly_fails(disguise: Disguise, abort: AbortFlag) -> None:
    disguise.spoils = True
    assert "another text" in self_test(abort, never)


def test_a_device_that_refuses_fails(disguise: Disguise, abort: AbortFlag) -> None:
    disguise.refuses = True
    assert self_test(abort, never) == "it failed its test (no such device)"


def test_test_can_be_cancelled(disguise: Disguise, abort: AbortFlag) -> None:
    disguise.refuses = True
    with pytest.raises(Cancelled):
        self_test(abort, lambda: True)


def test_without_room_for_the_test_nothing_is_said(
    disguise: Disguise, abort: AbortFlag, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_options: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(RandomModel, "write", full)
    assert self_test(abort, never) == ""


def test_devices_are_tested_once(disguise: Disguise, abort: AbortFlag) -> None:
    trust = GpuTrust()
    key, against = trusted_gpus((CARD,), trust, abort, never)
    assert against == "" and "Vulkan A card" in key
    disguise.spoils = True  # not asked again
    assert trusted_gpus((CARD,), trust, abort, never) == (key, "")
    other = trusted_gpus((Gpu(**(vars(CARD) | {"driver": "new"})),), trust, abort, never)
    assert "another text" in other[1], "another driver is another device"


@pytest.mark.usefixtures("backend")
def test_this_engine_has_none() -> None:
    assert usable_gpus() == ()


@pytest.mark.usefixtures("backend")
def test_engine_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(_lib: object) -> None:
        raise AttributeError("the engine has no function")

    monkeypatch.setattr(gpu, "has_gpu", lambda: True)
    assert usable_gpus() == ()
    monkeypatch.setattr(gpu, "Devices", lacking)
    assert usable_gpus() == ()


def test_devices_that_are_programs() -> None:
    assert is_software(Gpu(**(vars(CARD) | {"description": "llvmpipe (LLVM 15.0.6, 256 bits)"})))
    assert not is_software(CARD)


# --- remembering


def trust_in(path: Path) -> GpuTrust:
    trust = GpuTrust()
    trust.use_file(path)
    return trust


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "devices.json"


def test_results_are_kept(kept: Path) -> None:
    trust_in(kept).note("good", "")
    trust_in(kept).note("bad", "it failed")
    later = trust_in(kept)
    assert later.is_tested("good") and later.reason_against("good") == ""
    assert not later.is_tested("bad") and later.reason_against("bad") == "it failed"
    assert later.reason_against("new") == "" and not later.is_tested("new")


def crash(path: Path, what: str) -> None:
    """Leave what a process leaves that dies while it tries a device."""
    trust = trust_in(path)
    with trust.trying("key", what):
        left = path.read_text()
    path.write_text(left)


def test_a_crash_in_the_test_counts_at_once(kept: Path) -> None:
    crash(kept, "test")
    later = trust_in(kept)
    assert later.reason_against("key") == "its driver crashed when it was tested"
    assert trust_in(kept).reason_against("key") == "its driver crashed when it was tested"


def test_a_second_death_while_loading_counts_for_good(kept: Path) -> None:
    trust_in(kept).note("key", "")
    crash(kept, "load")
    second = trust_in(kept)
    assert second.reason_against("key") == "the program ended while a model was loaded onto it"
    assert second.reason_against("key") == "", "it is tried again at the next load"
    assert second.is_tested("key")
    crash(kept, "load")
    for _ in range(2):
        assert "twice" in trust_in(kept).reason_against("key")


def test_failures_without_a_crash_leave_no_mark(kept: Path) -> None:
    trust = trust_in(kept)
    with pytest.raises(OSError, match="full"), trust.trying("key", "load"):
        raise OSError("full")
    assert trust_in(kept).reason_against("key") == ""


@pytest.mark.parametrize("content", ["", "[]", "{", '{"key": 1}', '{"key": {"colour": "red"}}'])
def test_a_bad_file_is_forgotten(kept: Path, content: str) -> None:
    kept.parent.mkdir()
    kept.write_text(content)
    trust = trust_in(kept)
    assert trust.reason_against("key") == ""
    trust.note("key", "")
    assert json.loads(kept.read_text())["key"]["tested"] is True


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    trust = trust_in(tmp_path / "file" / "devices.json")
    trust.note("key", "it failed")
    assert trust.reason_against("key") == "it failed"


def test_without_a_file_it_is_remembered_in_the_process() -> None:
    trust = GpuTrust()
    trust.use_file(None)
    trust.note("key", "it failed")
    assert trust.reason_against("key") == "it failed"
