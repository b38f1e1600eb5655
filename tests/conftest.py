"""House rules that every test obeys: no loud log unseen, and no thread, task or child process left behind."""

import asyncio
import gc
import inspect
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from app.core.paths import DataPaths

PATIENCE_S = 10.0
# Pools and watchers that belong to a loop or to a library and end with it, or with the interpreter.
_LASTING_THREADS = (
    "asyncio_",
    "ThreadPoolExecutor",
    "waitpid-",
    "pytest_timeout",
    "QThread",
    "Dummy-",
    "tqdm_monitor",
)
_LASTING_CHILDREN = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", "Xvfb")


@pytest.fixture(autouse=True)
def no_log_warnings(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A log message of level WARNING or above fails the test, unless the test clears it after checking it."""
    yield
    loud = [record for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    assert not loud, [record.getMessage() for record in loud]


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """A thread, an asyncio task or a child process that outlives its test fails it."""
    threads, children = set(threading.enumerate()), set(_children())
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("no_leaked_tasks")
    yield
    deadline = time.monotonic() + PATIENCE_S
    while (left := [*_left_threads(threads), *_left_children(children)]) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    assert not left, left


@pytest.fixture
async def no_leaked_tasks() -> AsyncIterator[None]:
    """See no_leaks; it is set up before all other fixtures of a coroutine test and torn down after them."""
    before = asyncio.all_tasks()
    yield
    deadline = time.monotonic() + PATIENCE_S
    while (left := asyncio.all_tasks() - before - _own_task()) and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    assert not left, left


def _own_task() -> set[asyncio.Task[object]]:
    task = asyncio.current_task()
    return set() if task is None else {task}


def _left_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    return [
        thread
        for thread in set(threading.enumerate()) - before
        if thread.is_alive() and not thread.name.startswith(_LASTING_THREADS)
    ]


def _children() -> list[psutil.Process]:
    """Give this process's children, without looking at every process of the machine where there are none."""
    if hasattr(os, "waitid"):
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return []
    return psutil.Process().children(recursive=True)


def _left_children(before: set[psutil.Process]) -> list[str]:
    left = []
    for process in set(_children()) - before:
        try:
            command = " ".join(process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and not any(k in command for k in _LASTING_CHILDREN):
                left.append(f"{process.pid}: {command}")
        except psutil.NoSuchProcess:
            continue
    return left


@pytest.fixture
def paths(tmp_path: Path) -> DataPaths:
    """A data folder that does not exist yet."""
    return DataPaths(tmp_path / "data")
