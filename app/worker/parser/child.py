"""The life of a forked child: limits, sandbox, one file, exit."""

import contextlib
import os
import resource
import signal
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn

from app.core import frozen
from app.worker import sandbox
from app.worker.parser.frames import progress_frame
from app.worker.parser.handover import FileRequest
from app.worker.parser.result import ParserLimits
from app.worker.parser.source import Source
from app.worker.parser.task import Reader, answer

_LOWEST_KEPT_FD = 3
_HARD_CPU_MARGIN_S = 5


def run(request: FileRequest, read: Reader, parent_pid: int) -> NoReturn:
    """Read one file and exit; called in the process just forked, never returns."""
    try:
        sandbox.die_with_parent(parent_pid)
        _keep_only(request.file_fd, request.result_fd)
        limits = request.limits
        _limit(limits, os.fstat(request.file_fd).st_size)
        sandbox.confine(sandbox.Rights(readable=code_places()))

        def write(data: bytes) -> None:
            _write(request.result_fd, data)

        source = Source(
            request.file_fd,
            request.name,
            limits,
            report=lambda fraction: write(progress_frame(fraction)),
            extend_cpu=lambda seconds: _extend_cpu(limits, seconds),
        )
        answer(source, read, write)
    finally:
        # Not sys.exit: nothing of the parent's interpreter may run its cleanup here.
        os._exit(0)


def code_places() -> tuple[str, ...]:
    """Give where the program's own code is: parsers import a few modules only when they need them."""
    paths = sysconfig.get_paths()
    places = [paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]]
    places += [str(Path(base, "lib")) for base in (sys.base_prefix,) if base not in ("/", "/usr")]
    return tuple(dict.fromkeys([*places, *frozen.code_places()]))


def _keep_only(*kept: int) -> None:
    """Close every descriptor but `kept`; standard streams go nowhere, messages could hold user text."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(_LOWEST_KEPT_FD):
        os.dup2(nowhere, standard)
    low = _LOWEST_KEPT_FD
    for fd in sorted(kept):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 65536)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _limit(limits: ParserLimits, size_bytes: int) -> None:
    """Take limits of memory (the mapped file comes on top), time, written files, processes and core files."""
    hard_cpu_s = int(limits.max_wall_s) + _HARD_CPU_MARGIN_S
    memory = limits.memory_bytes + size_bytes
    for what, soft, hard in (
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, min(limits.cpu_s, hard_cpu_s), hard_cpu_s),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NPROC, 0, 0),
        (resource.RLIMIT_NOFILE, 64, 64),
    ):
        with contextlib.suppress(ValueError, OSError):  # already lower than wanted
            resource.setrlimit(what, (soft, hard))


def _extend_cpu(limits: ParserLimits, seconds: float) -> None:
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (min(int(limits.cpu_s + seconds), hard), hard))


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
