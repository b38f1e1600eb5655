"""Reading ahead tells how far it is, stops when asked, and passes over what the system has already."""

from pathlib import Path

import pytest

from app.worker.inference import warming
from app.worker.inference.warming import read_ahead
from app.worker.runtime import Cancelled


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(warming, "_STEP_BYTES", 1000)
    path = tmp_path / "weights"
    path.write_bytes(bytes(2500))
    return path


@pytest.mark.parametrize("can_ask", [True, False])
def test_progress_reaches_the_end(file: Path, can_ask: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warming, "_CAN_ASK_CACHE", can_ask and warming._CAN_ASK_CACHE)
    progress: list[float] = []
    read_ahead(file, progress.append, lambda: False)
    assert progress == [0.4, 0.8, 1.0]


def test_cancelling_stops_the_reading(file: Path) -> None:
    progress: list[float] = []
    with pytest.raises(Cancelled):
        read_ahead(file, progress.append, lambda: len(progress) == 2)
    assert len(progress) == 2


@pytest.mark.skipif(not warming._CAN_ASK_CACHE, reason="the system cannot be asked what it has in memory")
def test_parts_that_are_not_in_memory_are_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_there(*_args: object) -> int:
        raise BlockingIOError

    monkeypatch.setattr("app.worker.inference.warming.os.preadv", not_there)
    progress: list[float] = []
    read_ahead(file, progress.append, lambda: False)
    assert progress[-1] == 1.0
