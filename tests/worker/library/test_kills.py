"""The worker killed at random moments of an ingestion loses, doubles and leaves nothing."""

from pathlib import Path

import pytest

from scripts.faults.kill_library import run


@pytest.mark.slow
@pytest.mark.linux
def test_nothing_is_lost_over_ten_kills(tmp_path: Path) -> None:
    said: list[str] = []
    assert run(10, 6, 3, tmp_path, said.append) == []
    assert said[-1] == "60 files listed, 60 accepted, 10 kills"
