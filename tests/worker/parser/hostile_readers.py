"""Readers that do what a parser taken over by a hostile file would; only tests load them.

Each is chosen by the file's extension. One that gets away with its deed says `ESCAPED` in its text.
"""

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.worker.parser.frames import Extract
from app.worker.parser.registry import Registry
from app.worker.parser.result import ParsedPage
from app.worker.parser.source import Source

BLOCKED = "blocked"


def register(registry: Registry) -> None:
    for name, deed in DEEDS.items():
        registry.add_extension(name, _reader(deed))
    registry.add_extension("lie", _lie)
    registry.add_extension("flood", _flood)
    registry.add_extension("early", _early)


def _reader(deed: Callable[[str], object]) -> Callable[[Source], Extract]:
    def read(source: Source) -> Extract:
        argument = source.head(1000).decode()
        try:
            outcome = f"ESCAPED {deed(argument)!r}"
        except OSError as error:
            outcome = f"{BLOCKED} {error.errno}"
        return Extract(outcome, "text", "", "test")

    return read


def _connect(port: str) -> object:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5) as connection:
        return connection.send(b"secret")


def _connect_unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)


def _read(path: str) -> object:
    return Path(path).read_text()


def _list(path: str) -> object:
    return list(Path(path).iterdir())


def _write(path: str) -> object:
    return Path(path).write_text("x")


def _remove(path: str) -> None:
    Path(path).unlink()


def _change_mode(path: str) -> None:
    Path(path).chmod(0o777)


def _fork_bomb(_: str) -> object:
    started = [os.fork() for _ in range(20)]
    return started


def _run(_: str) -> object:
    return subprocess.run(["true"], check=False)


def _kill_parent(_: str) -> None:
    os.kill(os.getppid(), 9)


def _take_memory(_: str) -> object:
    return len(bytearray(8 * 1024**3))


def _sleep(_: str) -> None:
    time.sleep(10_000)


def _spin(_: str) -> object:
    while True:
        pass


def _abort(_: str) -> object:
    return os.abort()


def _crash(_: str) -> object:
    return ctypes.string_at(8)


def _recurse(_: str) -> object:
    sys.setrecursionlimit(10**9)

    def deeper(depth: int) -> int:
        return deeper(depth + 1) + deeper(depth + 2)

    return deeper(0)


DEEDS: dict[str, Callable[[str], object]] = {
    "connect": _connect,
    "unix": _connect_unix,
    "read": _read,
    "list": _list,
    "write": _write,
    "remove": _remove,
    "mode": _change_mode,
    "fork": _fork_bomb,
    "run": _run,
    "kill": _kill_parent,
    "memory": _take_memory,
    "sleep": _sleep,
    "spin": _spin,
    "abort": _abort,
    "crash": _crash,
    "recurse": _recurse,
}


def _lie(source: Source) -> Extract:
    return Extract("short", "text", "", "test", pages=[ParsedPage(0, 10_000, None, None)])


def _flood(source: Source) -> Extract:
    return Extract("x" * 50_000_000, "text", "", "test")


def _early(source: Source) -> Extract:
    os._exit(0)
