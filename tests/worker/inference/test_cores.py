"""Threads for generation: fast physical cores that this process may use."""

import os
from pathlib import Path

import pytest

from app.worker.inference import cores


def test_machine_gives_a_number() -> None:
    assert 1 <= cores.generation_threads() <= (os.cpu_count() or 1)


def topology(root: Path, siblings: dict[int, str], fast: str = "") -> None:
    for cpu, text in siblings.items():
        folder = root / "system" / "cpu" / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(text + "\n")
    if fast:
        (root / "cpu_core").mkdir()
        (root / "cpu_core" / "cpus").write_text(fast + "\n")


def test_sibling_threads_count_once(tmp_path: Path) -> None:
    topology(tmp_path, {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"})
    assert cores.fast_cores({0, 1, 4, 5}, tmp_path) == 2
    assert cores.fast_cores({0, 4}, tmp_path) == 1


def test_efficiency_cores_do_not_count(tmp_path: Path) -> None:
    topology(tmp_path, {0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3", 4: "4", 5: "5"}, fast="0-3")
    assert cores.fast_cores({0, 1, 2, 3, 4, 5}, tmp_path) == 2
    assert cores.fast_cores({4, 5}, tmp_path) == 2  # only slow ones are allowed: better than none


def test_unknown_topology_counts_every_cpu(tmp_path: Path) -> None:
    assert cores.fast_cores({0, 1, 2}, tmp_path) == 3


@pytest.mark.parametrize(
    ("text", "n"), [("max 100000", 2**16), ("150000 100000", 2), ("50000 100000", 1), ("", 2**16)]
)
def test_quota(text: str, n: int, tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(text)
    assert cores.quota_cores(file) == n


def test_no_quota_file(tmp_path: Path) -> None:
    assert cores.quota_cores(tmp_path / "none") == 2**16
