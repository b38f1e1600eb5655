"""Library workers in temporary folders, and shortcuts to what tests ask of them."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.paths import DataPaths
from app.protocol.body import Body
from app.protocol.library import AddPaths, FileEntry, FileResult, GetLibraryStatus, ListFiles
from app.worker.library.database import Database
from app.worker.library.document_store import DocumentStore
from app.worker.library.embedding import OnnxEmbedder
from app.worker.library.schema import MIGRATIONS
from scripts.bench.worker_client import LibraryWorker

PATIENCE_S = 60.0


@pytest.fixture
def worker(paths: DataPaths) -> Iterator[LibraryWorker]:
    """A running library worker on an empty data folder."""
    with LibraryWorker(paths.root, subprocess.DEVNULL) as running:
        yield running


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder for source files."""
    directory = tmp_path / "sources"
    directory.mkdir()
    return directory


@pytest.fixture
def database(paths: DataPaths) -> Iterator[Database]:
    """An empty library database."""
    paths.root.mkdir()
    opened = Database(paths.library_db_path, MIGRATIONS, paths.backups_dir)
    yield opened
    opened.close()


@pytest.fixture
def documents(database: Database) -> DocumentStore:
    """The documents of the empty database."""
    return DocumentStore(database)


@pytest.fixture(scope="session")
def embedder() -> OnnxEmbedder:
    """The bundled embedding model."""
    return OnnxEmbedder()


def add(worker: LibraryWorker, *paths: Path | str, collection: str = "") -> dict[str, FileResult]:
    """Add paths and wait for their final states; give the results by file name."""
    results: dict[str, FileResult] = {}

    def on_progress(body: Body) -> None:
        assert isinstance(body, FileResult)
        results[Path(body.path).name] = body

    request = AddPaths(paths=tuple(str(path) for path in paths), collection=collection, wait=True)
    worker.call(request, on_progress=on_progress)
    return results


def listed(worker: LibraryWorker) -> dict[str, FileEntry]:
    """Give all files by name."""
    return {entry.name: entry for entry in worker.call(ListFiles(limit=1000)).files}


def wait_until(condition: Callable[[], bool], interval_s: float = 0.03) -> None:
    """Wait for something that the worker does in the background."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(interval_s)


def wait_idle(worker: LibraryWorker) -> None:
    """Wait until nothing is being read or embedded."""
    wait_until(lambda: worker.call(GetLibraryStatus()).waiting == 0)
