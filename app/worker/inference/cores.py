"""How many threads generation should use."""

import math
import os
import sys
from pathlib import Path

import psutil


def generation_threads() -> int:
    """Give the number of cores that count: physical, fast, and allowed to this process.

    Two threads on one physical core share its arithmetic units, and the slowest thread sets the pace of all,
    so sibling threads and efficiency cores only add waiting.
    """
    physical = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = _allowed_cpus()
    limits = [physical, len(allowed), quota_cores()]
    if sys.platform == "linux":
        limits.append(fast_cores(allowed))
    return max(1, min(limits))


def _allowed_cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def fast_cores(allowed: set[int], root: Path = Path("/sys/devices")) -> int:
    """Give the physical cores among the allowed ones; on CPUs of two kinds, the fast ones only (Linux)."""
    fast = _cpu_list(root / "cpu_core" / "cpus") & allowed or allowed
    siblings = {
        _text(root / "system" / "cpu" / f"cpu{cpu}" / "topology" / "thread_siblings_list") or str(cpu)
        for cpu in fast
    }
    return len(siblings)


def quota_cores(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Give the cores that a container's quota pays for; many where there is none."""
    quota, _, period = _text(file).partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        return max(1, math.ceil(int(quota) / int(period)))
    return 2**16


def _cpu_list(file: Path) -> set[int]:
    """Read a kernel list such as `0-7,16`."""
    cpus: set[int] = set()
    for part in filter(None, _text(file).split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except OSError:
        return ""
