"""What a program asked of the system, as strace wrote it down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_CONNECT = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)\((?P<rest>.*)")
_INET = re.compile(r"sa_family=AF_INET6?\b.*")
_OPENED = re.compile(r"\bopen(?:at)?\((?:AT_FDCWD|\d+)[^\"]*\"(?P<name>[^\"]+)\"[^=]*= (?P<result>-?\d+)")
_RUN = re.compile(r"\bexecve(?:at)?\(.*?\"(?P<name>[^\"]+)\".* = 0")
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
    for line in lines:
        opened = _OPENED.search(line)
        if opened and int(opened["result"]) >= 0 and _CODE.search(opened["name"]):
            found.append(opened["name"])
        started = _RUN.search(line)
        if started:
            found.append(started["name"])
    return found


def foreign(names: Iterable[str], allowed: Sequence[str]) -> list[str]:
    """Return the names outside of all allowed folders; a relative name is always foreign."""
    return sorted({name for name in names if not name.startswith(tuple(allowed))})


def read(path: Path) -> list[str]:
    """Return a trace's lines."""
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
