"""Parsing for tests: through real children, or in this process where only the text matters."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.errors import FileError
from app.worker.parser.client import Parsed, ParserClient, ParserLimits
from app.worker.parser.frames import Extract
from app.worker.parser.reasons import Refusal
from app.worker.parser.registry import Registry
from app.worker.parser.source import Source
from app.worker.parser.task import attempt

SHARED_FILES = Path(__file__).parents[4] / "shared/data/files"
REPOSITORY = Path(__file__).parents[3]

Read = Callable[..., Extract]


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.standard()


@pytest.fixture
def read(registry: Registry, tmp_path: Path) -> Read:
    """Read bytes (or a path) in this process."""

    def read_(content: bytes | Path, name: str = "", limits: ParserLimits | None = None) -> Extract:
        path = content if isinstance(content, Path) else tmp_path / "content"
        if isinstance(content, bytes):
            path.write_bytes(content)
        with path.open("rb") as file:
            outcome = attempt(
                Source(file.fileno(), name or path.name, limits or ParserLimits()), registry.read
            )
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    return read_


@pytest.fixture
def refusal(read: Read) -> Callable[..., str]:
    """Give the code that reading refuses with."""

    def refusal_(content: bytes | Path, name: str = "", limits: ParserLimits | None = None) -> str:
        with pytest.raises(Refusal) as caught:
            read(content, name, limits)
        return caught.value.code

    return refusal_


def parse(client: ParserClient, content: bytes | Path, name: str) -> Parsed:
    """Read bytes (or a path) through a child."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            return client.parse(file, name, cancelled=threading.Event())
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return client.parse(file, name, cancelled=threading.Event())


def failure(client: ParserClient, content: bytes | Path, name: str) -> FileError:
    """Give the error that a file ends in."""
    with pytest.raises(FileError) as caught:
        parse(client, content, name)
    return caught.value


@pytest.fixture(scope="session")
def client() -> Iterator[ParserClient]:
    """A client whose parser process runs before any test counts its children."""
    client = ParserClient()
    client.warm()
    yield client
    client.close()


@pytest.fixture(params=["fork", "serve"])
def small_client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ParserClient]:
    """A client with hostile readers and tight limits, in both ways to run children."""
    client = hostile_client(monkeypatch, fork=request.param == "fork")
    yield client
    client.close()


def hostile_client(monkeypatch: pytest.MonkeyPatch, *, fork: bool) -> ParserClient:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    limits = ParserLimits(
        memory_bytes=900_000_000, cpu_s=2, wall_s=3.0, stall_s=0.5, max_wall_s=6.0, output_bytes=20_000_000
    )
    arguments = ("--readers", "tests.worker.parser.hostile_readers")
    return ParserClient(limits, fork=fork, arguments=arguments)
