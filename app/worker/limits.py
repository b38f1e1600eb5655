"""Limits of memory for processes that run what others wrote."""

import contextlib
import sys


def limit_growth(n_bytes: int) -> None:
    """Let the calling process grow by so much and write no core file (growth: Linux; nothing on Windows)."""
    if sys.platform == "win32":
        return
    import resource  # POSIX only

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            present = int(file.read().split()[0]) * resource.getpagesize()
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (present + n_bytes, present + n_bytes))
