"""One process is the window; the others hand over, or become it when it ends."""

import asyncio
import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from app.client import window as module
from app.client.window import Claim, claim_window
from app.core.errors import AppError, StorageError, WorkerError
from app.core.locks import FileLock
from app.core.paths import DataPaths
from app.protocol.system import Empty
from app.protocol.window import OpenInWindow

OPENING = OpenInWindow(paths=("/a/\udcff.txt",), activation_token="token")


class FakeClient:
    """Stands in for HostClient: each connection takes the next of `outcomes`.

    Attributes:
        outcomes: an error of connecting or of the request, "hang" for a request without an answer, or None.
        started: whether each connection was to start a host.
    """

    outcomes: list[Any]
    started: list[bool]
    sent: list[Any]
    n_closed: int
    fails_to_connect: bool

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    @classmethod
    async def connect(cls, paths: DataPaths, kind: str, start_host: bool) -> Self:
        assert kind == "launcher"
        cls.started.append(start_host)
        outcome = cls.outcomes.pop(0) if cls.outcomes else WorkerError("host.not_running", "Nobody.")
        await asyncio.sleep(0)
        if isinstance(outcome, Exception) and cls.fails_to_connect:
            raise outcome
        return cls(outcome)

    async def call(self, request: Any) -> Empty:
        self.sent.append(request)
        if self.outcome == "hang":
            await asyncio.Event().wait()
        if self.outcome is not None:
            raise self.outcome
        return Empty()

    async def close(self) -> None:
        type(self).n_closed += 1


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    FakeClient.outcomes, FakeClient.started, FakeClient.sent = [], [], []
    FakeClient.n_closed, FakeClient.fails_to_connect = 0, False
    monkeypatch.setattr(module, "HostClient", FakeClient)
    return FakeClient


@pytest.fixture
def held(paths: DataPaths) -> Iterator[FileLock]:
    """Another window holds the lock."""
    paths.root.mkdir()
    lock = FileLock.acquire(paths.window_lock_path)
    assert lock is not None
    yield lock


def test_the_first_is_the_window_and_makes_the_folder(paths: DataPaths, client: type[FakeClient]) -> None:
    claim = claim_window(paths, OPENING)
    assert claim.is_window and claim.lock is not None and client.started == []
    assert paths.root.stat().st_mode & 0o777 == 0o700
    assert FileLock.acquire(paths.window_lock_path) is None
    claim.lock.release()


def test_the_second_hands_over(paths: DataPaths, held: FileLock, client: type[FakeClient]) -> None:
    client.outcomes = [None]
    assert claim_window(paths, OPENING) == Claim(is_window=False)
    assert client.sent == [OPENING] and client.n_closed == 1
    assert client.started == [False], "the window starts the host"
    held.release()


def test_a_host_that_comes_late_or_goes_is_tried_again(
    paths: DataPaths, held: FileLock, client: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAVE_STARTING_S", 0.04)
    client.outcomes = [WorkerError("host.lost", "Gone."), WorkerError("host.not_running", "Nobody."), None]
    assert not claim_window(paths, OPENING).is_window
    assert client.sent == [OPENING] * 3 and client.n_closed == 3
    assert client.started[0] is False and client.started[-1] is True
    held.release()


@pytest.mark.parametrize("connecting", [True, False])
def test_what_waiting_does_not_help_is_told(
    paths: DataPaths, held: FileLock, client: type[FakeClient], connecting: bool
) -> None:
    client.fails_to_connect = connecting
    client.outcomes = [StorageError("storage.full", "Full.", "Free some.")]
    with pytest.raises(StorageError, match=r"storage\.full"):
        claim_window(paths, OPENING)
    held.release()


def test_it_does_not_try_for_ever(
    paths: DataPaths, held: FileLock, client: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.1)
    client.fails_to_connect = True
    with pytest.raises(AppError, match=r"host\.not_running"):
        claim_window(paths, OPENING)
    assert len(client.started) > 1
    held.release()


def test_when_the_window_ends_meanwhile_this_is_it(
    paths: DataPaths, held: FileLock, client: type[FakeClient]
) -> None:
    client.outcomes = ["hang"]
    ending = threading.Timer(0.2, held.release)
    ending.start()
    claim = claim_window(paths, OPENING)
    ending.join()
    assert claim.is_window and claim.lock is not None
    assert client.n_closed == 1, "nobody is left waiting at the host"
    assert FileLock.acquire(paths.window_lock_path) is None
    claim.lock.release()


def test_a_folder_that_cannot_be_made_or_locked_keeps_no_window_from_opening(
    tmp_path: Path, client: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    assert claim_window(DataPaths(tmp_path / "file"), OPENING) == Claim(is_window=True)
    assert claim_window(DataPaths(tmp_path / "file" / "below"), OPENING) == Claim(is_window=True)

    def fail(path: Path) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", fail)
    assert claim_window(DataPaths(tmp_path / "data"), OPENING) == Claim(is_window=True)


def test_a_folder_that_vanishes_meanwhile(
    paths: DataPaths, held: FileLock, client: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.outcomes = ["hang"]
    held.release()
    answers: list[Any] = [None, FileNotFoundError(errno.ENOENT, "No such file")]

    def acquire(path: Path) -> None:
        if isinstance(answer := answers.pop(0), OSError):
            raise answer

    monkeypatch.setattr(FileLock, "acquire", acquire)
    assert claim_window(paths, OPENING) == Claim(is_window=True)
