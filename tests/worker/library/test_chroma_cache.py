"""Chroma as a cache: built when idle, answers as exact search does, healed whatever stands in its folder."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.paths import DataPaths
from app.protocol.library import CheckLibrary, RemoveFiles
from app.protocol.search import Search
from scripts.bench.worker_client import LibraryWorker
from tests.worker.library.conftest import add, wait_until

pytestmark = pytest.mark.slow

FIXTURE = Path(__file__).parents[4] / "shared" / "data" / "chroma" / "wedged_by_kill.tar.xz"
IN_USE = "answers searches"
QUESTIONS = ("pressure of the boiler", "When was device 7 checked?", "something else")


def start(paths: DataPaths, mode: str = "chroma") -> LibraryWorker:
    return LibraryWorker(paths.root, subprocess.DEVNULL, ["--index", mode, "--index-idle-s", "0.1"])


def index_check(worker: LibraryWorker) -> str:
    return next(c.detail for c in worker.call(CheckLibrary()).checks if c.name == "library.index")


def answers(worker: LibraryWorker) -> list[list[int]]:
    found = [worker.call(Search(query=question, mode="dense")) for question in QUESTIONS]
    return [[hit.chunk_id for hit in result.hits] for result in found]


@pytest.fixture
def filled(paths: DataPaths, sources: Path) -> DataPaths:
    """A data folder with thirty documents and no index yet."""
    for number in range(30):
        (sources / f"{number}.txt").write_text(
            f"Device {number} was checked in week {number + 3}. Its pressure is {number * 7} bar."
        )
    with start(paths, "exact") as worker:
        add(worker, sources)
        assert index_check(worker).startswith("The index is not built yet")
    assert not paths.index_dir.exists()
    return paths


def test_the_index_is_built_when_idle_and_answers_as_exact_search_does(
    filled: DataPaths, sources: Path
) -> None:
    with start(filled, "exact") as worker:
        expected = answers(worker)
    with start(filled) as worker:
        wait_until(lambda: IN_USE in index_check(worker), 0.5)
        assert answers(worker) == expected
        worker.call(RemoveFiles(paths=(str(sources / "7.txt"),)))
        assert str(sources / "7.txt") not in [
            hit.path for hit in worker.call(Search(query="device 7", mode="dense")).hits
        ]
        wait_until(lambda: "(29 vectors)" in index_check(worker) and IN_USE in index_check(worker), 0.5)
    modes = {path.stat().st_mode & 0o077 for path in filled.index_dir.rglob("*")}
    assert modes == {0}
    with start(filled, "auto") as worker:  # small: kept in step, not used
        wait_until(lambda: "holds every vector" in index_check(worker), 0.2)
        assert IN_USE not in index_check(worker)


def truncate(directory: Path) -> None:
    for path in directory.rglob("data_level0.bin"):
        os.truncate(path, 10)
    os.truncate(directory / "chroma.sqlite3", 5000)


def delete_segments(directory: Path) -> None:
    for path in [path for path in directory.iterdir() if path.is_dir()]:
        shutil.rmtree(path)


def leave_marker(directory: Path) -> None:
    (directory / "opening").touch()


@pytest.mark.parametrize("damage", [truncate, delete_segments, leave_marker])
def test_a_damaged_folder_is_noticed_and_built_anew(
    filled: DataPaths, damage: Callable[[Path], None]
) -> None:
    with start(filled) as worker:
        wait_until(lambda: IN_USE in index_check(worker), 0.5)
        expected = answers(worker)
    damage(filled.index_dir)
    with start(filled) as worker:
        assert answers(worker) == expected
        wait_until(lambda: IN_USE in index_check(worker), 0.5)
        assert answers(worker) == expected
    wait_until(lambda: not filled.index_dir.with_name("index.damaged").exists())


@pytest.fixture
def wedged(filled: DataPaths, tmp_path: Path) -> Iterator[DataPaths]:
    """The filled data folder with a Chroma folder that hard kills left unusable."""
    if not FIXTURE.exists():
        pytest.skip("the wedged Chroma folder of the shared test data is not here")
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(tmp_path / "fixture", filter="data")
    (unpacked,) = (tmp_path / "fixture").iterdir()
    shutil.move(unpacked, filled.index_dir)
    yield filled


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_folder_wedged_by_kills_heals_by_itself(wedged: DataPaths, is_trusted: bool) -> None:
    if is_trusted:  # as if it had been ours, so that it is opened and fails in use
        manifest = {"format": 1, "model": "all-MiniLM-L6-v2/int8", "count": 30, "state": "another"}
        (wedged.index_dir / "manifest.json").write_text(json.dumps(manifest))
    with start(wedged) as worker:
        assert len(answers(worker)[0]) == 10
        wait_until(lambda: IN_USE in index_check(worker), 0.5)
        assert len(answers(worker)[0]) == 10
