"""Takes rights away from the calling process for good: files (Landlock), system calls (seccomp), privileges.

Linux only; elsewhere `confine` does nothing and `describe` says so. Everything is best effort on purpose:
a kernel without Landlock still gets the seccomp part, and what a system cannot enforce must not keep a
document from being read, because the limits of the process stand beside this.

Source: the kernel's documentation `userspace-api/landlock.rst`, `userspace-api/seccomp_filter.rst`, and the
headers `linux/landlock.h`, `linux/seccomp.h`, `linux/filter.h`, `linux/audit.h`.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from app.worker.syscalls import AARCH64, X86_64, SyscallTable

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_SECCOMP_MODE_FILTER = 2

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
_SCOPE_ABSTRACT_SOCKET_AND_SIGNAL = 0b11
_NET_BIND_AND_CONNECT = 0b11

_RET_ALLOW, _RET_KILL, _RET_ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LD_W_ABS, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_X32_BIT = 0x40000000
_CLONE_THREAD = 0x00010000
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(frozen=True)
class Rights:
    """What a confined process keeps.

    Attributes:
        readable: places below which files may be opened for reading; nothing may ever be written.
        threads: it may start threads (never processes).
    """

    readable: tuple[str, ...] = ()
    threads: bool = False


class _Instruction(NamedTuple):
    code: int
    if_true: int
    if_false: int
    k: int


class _Program(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def confine(rights: Rights) -> None:
    """Give up everything but `rights`; call it before the process has other threads.

    Afterwards the process can open no socket, start no program or process, signal no other process, and
    change no file. What this system cannot enforce is left out (see `describe`).
    """
    if not sys.platform.startswith("linux"):
        return
    libc = _libc()
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _drop_capabilities(libc)
    abi = landlock_abi()
    has_landlock = abi > 0 and _restrict_files(libc, abi, rights.readable)
    table = _table()
    if table is not None:
        _install_filter(libc, _build_filter(table, rights, deny_writing_opens=not has_landlock))


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends (Linux); exit if that has happened already."""
    if sys.platform.startswith("linux"):
        _libc().prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
        if os.getppid() != parent_pid:
            os._exit(1)


def outlive_starting_thread() -> None:
    """Undo the kernel's promise to kill this process with the thread that started it (Linux).

    For a process that notices the end of its starter by itself, and may be started by a passing thread.
    """
    if sys.platform.startswith("linux"):
        _libc().prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)


@cache
def landlock_abi() -> int:
    """Give the version of Landlock that the kernel offers; 0 without it."""
    if not sys.platform.startswith("linux") or _table() is None:
        return 0
    version = _libc().syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION_FLAG)
    return max(0, int(version))


def describe() -> str:
    """Say in words what `confine` enforces on this system (for `doctor`)."""
    if not sys.platform.startswith("linux"):
        return "no system sandbox on this platform; each file still has its own limits of memory and time"
    parts = []
    if landlock_abi():
        parts.append(f"files closed by Landlock (version {landlock_abi()})")
    else:
        parts.append("this kernel has no Landlock, so files can be read but not written")
    if _table() is not None:
        parts.append("no network, processes or signals (seccomp)")
    else:
        parts.append(f"no system-call filter on {platform.machine()}")
    return "; ".join(parts)


def _table() -> SyscallTable | None:
    return {"x86_64": X86_64, "aarch64": AARCH64}.get(platform.machine()) if sys.maxsize > 2**32 else None


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Empty all capability sets, so that root is bound by limits and file modes too."""
    header = struct.pack("<Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(bytes(24)))


def _restrict_files(libc: ctypes.CDLL, abi: int, readable: Sequence[str]) -> bool:
    """Enter a Landlock domain in which only `readable` can be read; tell whether it is in force."""
    handled = (1 << 13) - 1
    for version, bit in ((2, 13), (3, 14), (5, 15)):  # rename across directories, truncate, device ioctl
        handled |= (1 << bit) if abi >= version else 0
    net = _NET_BIND_AND_CONNECT if abi >= 4 else 0
    scoped = _SCOPE_ABSTRACT_SOCKET_AND_SIGNAL if abi >= 6 else 0
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    attributes = struct.pack("<QQQ", handled, net, scoped)[:size]
    ruleset = libc.syscall(_LANDLOCK_CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow_reading(libc, ruleset, path)
        return bool(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow_reading(libc: ctypes.CDLL, ruleset: int, path: str) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # a place that does not exist needs no right
    access = _READ_FILE | _READ_DIR if os.path.isdir(path) else _READ_FILE  # noqa: PTH112  # no Path in a child
    rule = struct.pack("<Qi", access, place)
    libc.syscall(_LANDLOCK_ADD, ruleset, _RULE_PATH_BENEATH, ctypes.c_char_p(rule), 0)
    os.close(place)


def _install_filter(libc: ctypes.CDLL, instructions: Sequence[_Instruction]) -> None:
    code = b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(instructions), ctypes.cast(buffer, ctypes.c_void_p))
    libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def _build_filter(table: SyscallTable, rights: Rights, *, deny_writing_opens: bool) -> list[_Instruction]:
    """Build the filter: named calls are refused, some depend on an argument, the rest is allowed."""
    program = [
        _Instruction(_LD_W_ABS, 0, 0, 4),  # seccomp_data.arch
        _Instruction(_JEQ, 1, 0, table.audit_arch),
        _Instruction(_RET, 0, 0, _RET_KILL),
        _Instruction(_LD_W_ABS, 0, 0, 0),  # seccomp_data.nr
    ]
    if table is X86_64:
        program += [_Instruction(_JGE, 0, 1, _X32_BIT), _refuse(errno.EPERM)]
    program += _refuse_all(table.refused, errno.EPERM)
    program += _refuse_all(table.missing, errno.ENOSYS)
    program += _refuse_all(table.terminal, errno.ENOTTY)
    for number in table.signal_by_pid:  # abort() signals itself; nobody else may be signalled
        program += _only_if_argument_is(number, 0, os.getpid())
    program += _only_if_argument_is(table.prlimit, 0, 0)
    if rights.threads:
        program += _only_if_argument_has(table.clone, 0, _CLONE_THREAD)
    else:
        program += _refuse_all((table.clone,), errno.EPERM)
    if deny_writing_opens:
        for number, position in table.opens:
            program += _unless_argument_has(number, position, _WRITE_FLAGS)
    return [*program, _Instruction(_RET, 0, 0, _RET_ALLOW)]


def _refuse(error: int) -> _Instruction:
    return _Instruction(_RET, 0, 0, _RET_ERRNO | error)


def _refuse_all(numbers: Iterable[int], error: int) -> list[_Instruction]:
    return [part for number in numbers for part in (_Instruction(_JEQ, 0, 1, number), _refuse(error))]


def _argument(position: int) -> _Instruction:
    """Load the low half of an argument (little endian; the values compared here fit into it)."""
    return _Instruction(_LD_W_ABS, 0, 0, 16 + 8 * position)


def _only_if_argument_is(number: int, position: int, value: int) -> list[_Instruction]:
    return [
        _Instruction(_JEQ, 0, 4, number),
        _argument(position),
        _Instruction(_JEQ, 0, 1, value),
        _Instruction(_RET, 0, 0, _RET_ALLOW),
        _refuse(errno.EPERM),
    ]


def _only_if_argument_has(number: int, position: int, bits: int) -> list[_Instruction]:
    return [
        _Instruction(_JEQ, 0, 4, number),
        _argument(position),
        _Instruction(_JSET, 0, 1, bits),
        _Instruction(_RET, 0, 0, _RET_ALLOW),
        _refuse(errno.EPERM),
    ]


def _unless_argument_has(number: int, position: int, bits: int) -> list[_Instruction]:
    return [
        _Instruction(_JEQ, 0, 4, number),
        _argument(position),
        _Instruction(_JSET, 0, 1, bits),
        _refuse(errno.EACCES),
        _Instruction(_RET, 0, 0, _RET_ALLOW),
    ]
