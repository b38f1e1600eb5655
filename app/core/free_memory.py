"""How much main memory is free for a model, on this machine and in this control group."""

from collections.abc import Sequence
from pathlib import Path

import psutil


def available_memory() -> int:
    """Give the bytes usable without swapping: the machine's, or the control group's if less."""
    return min([int(psutil.virtual_memory().available), *own_rooms()])


def own_rooms(groups: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Give the memory left in each limited control group of this process; nothing outside Linux."""
    try:
        lines = groups.read_text("ascii").splitlines()
    except OSError:
        return []
    return control_group_rooms(lines, Path("/sys/fs/cgroup"))


def control_group_rooms(lines: Sequence[str], root: Path) -> list[int]:
    """Give the memory left in each limited control group above a process.

    Args:
        lines: of its `/proc/PID/cgroup`.
        root: where the groups are mounted; version 1 stands in `memory` below it.

    Source: `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst` of the Linux kernel.
    """
    rooms = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            folder, names = root, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            folder = root / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = folder / path.lstrip("/")
        n_above = len(group.parts) - len(folder.parts)
        for level in (group, *group.parents)[: n_above + 1]:
            rooms.extend(_room(level, *names))
    return rooms


def _room(group: Path, limit_name: str, usage_name: str, reclaimable_name: str) -> list[int]:
    """Give the room of one control group; nothing where it has no limit or does not exist."""
    try:
        limit = (group / limit_name).read_text("ascii").strip()
        if not limit.isdigit() or int(limit) >= 2**60:
            return []
        usage = int((group / usage_name).read_text("ascii"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text("ascii").splitlines())
        return [max(int(limit) - usage + int(stat.get(reclaimable_name, 0)), 0)]
    except (OSError, ValueError):
        return []
