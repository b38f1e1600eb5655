"""What a program asked of the system, as strace wrote it down."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_CONNECT = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)\((?P<rest>.*)")
_INET = re.compile(r"sa_family=AF_INET6?\b.*")
_OPENED = re.compile(
    r"\bopen(?:at)?\((?:(?:AT_FDCWD|\d+)(?:<[^>]*>)?, )?\"(?P<name>(?:[^\"\\]|\\.)+)\".* = (?P<result>-?\d+)"
)
_RUN = re.compile(r"\bexecve(?:at)?\([^\"]*\"(?P<name>(?:[^\"\\]|\\.)+)\".* = 0\b")
_BEGUN = re.compile(r"^(?P<pid>\d+ +)?(?P<call>.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^(?P<pid>\d+ +)?<\.\.\. \w+ resumed>(?P<rest>.*)$")
_ESCAPE = re.compile(r"\\(?:(?P<octal>[0-7]{1,3})|(?P<sign>.))")
_SIGNS = {"n": b"\n", "t": b"\t", "r": b"\r", "v": b"\v", "f": b"\f"}
_WORKER = re.compile(r"\bexecve\(\"[^\"]*h2ogpt-worker\", \[\"[^\"]*\", \"([a-z]+)\"")
_CODE = re.compile(r"\.(so(\.[0-9.]+)?|py|pyc|pyd|dll|dylib)$")

COMMAND = (
    "strace",
    "-f",
    "-qq",
    "-s",
    "256",
    "-e",
    "trace=connect,sendto,sendmsg,sendmmsg,openat,open,execve",
)


def connections(lines: Iterable[str]) -> list[str]:
    """Return the attempts to reach an address of a network (sockets of files are none)."""
    return [line.strip() for line in lines if _CONNECT.search(line) and _INET.search(line)]


def loaded(lines: Iterable[str]) -> list[str]:
    """Return the names of the libraries, modules and programs that were opened or run."""
    found = []
    for line in whole(lines):
        opened = _OPENED.search(line)
        if opened and int(opened["result"]) >= 0 and _CODE.search(opened["name"]):
            found.append(_unescaped(opened["name"]))
        started = _RUN.search(line)
        if started:
            found.append(_unescaped(started["name"]))
    return found


def whole(lines: Iterable[str]) -> list[str]:
    """Join the two halves of each call that another thread's interrupted; the second has the result."""
    begun: dict[str, str] = {}
    found = []
    for line in lines:
        if first := _BEGUN.match(line):
            begun[first["pid"] or ""] = first["call"]
        elif (second := _RESUMED.match(line)) and (call := begun.pop(second["pid"] or "", None)):
            found.append(f"{second['pid'] or ''}{call}{second['rest']}")
        else:
            found.append(line)
    return [*found, *(f"{pid}{call}" for pid, call in begun.items())]


def _unescaped(name: str) -> str:
    """Give a name that strace wrote with its bytes beyond ASCII as octal numbers."""
    parts: list[bytes] = []
    at = 0
    for escape in _ESCAPE.finditer(name):
        parts.append(os.fsencode(name[at : escape.start()]))
        octal, sign = escape["octal"], escape["sign"]
        parts.append(bytes([int(octal, 8)]) if octal else _SIGNS.get(sign, sign.encode()))
        at = escape.end()
    return os.fsdecode(b"".join([*parts, os.fsencode(name[at:])]))


def foreign(names: Iterable[str], allowed: Sequence[str]) -> list[str]:
    """Return the names outside of all allowed folders (or files); a relative name is always foreign."""
    return sorted(
        name for name in {posixpath.normpath(name) for name in names} if not _is_below(name, allowed)
    )


def _is_below(name: str, places: Iterable[str]) -> bool:
    return any(name == place.rstrip("/") or name.startswith(f"{place.rstrip('/')}/") for place in places)


def background_kinds(lines: Iterable[str]) -> set[str]:
    """Return the kinds of background processes that were started (`h2ogpt-worker KIND …`)."""
    return {found[1] for line in lines if (found := _WORKER.search(line))}


def read(path: Path) -> list[str]:
    """Return a trace's lines."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
