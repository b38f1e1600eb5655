"""What surrounds the program: system, distribution, a container and its memory limit.

Source: os-release(5); `Documentation/admin-guide/cgroup-v2.rst` of the Linux kernel; the files that Docker
and Podman put into their containers.
"""

import shlex
import sys
from pathlib import Path

from app.core.gpu_reasons import Machine

_SYSTEMS = {"win32": "windows", "darwin": "macos"}
_FAMILIES = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "arch": "arch",
}
_CONTAINER_FILES = (".dockerenv", "run/.containerenv")
_CONTAINER_WORDS = ("docker", "containerd", "kubepods", "lxc", "libpod")


def machine(root: Path = Path("/"), system: str = sys.platform) -> Machine:
    """Describe this machine; `root` is another folder in tests."""
    name = _SYSTEMS.get(system, "linux")
    if name != "linux":
        return Machine(system=name)
    return Machine(system=name, distribution=_distribution(root), container=_in_container(root))


def _distribution(root: Path) -> str:
    values: dict[str, str] = {}
    for line in _text(root / "etc/os-release").splitlines():
        key, _, value = line.partition("=")
        try:
            values[key] = " ".join(shlex.split(value))
        except ValueError:  # an open quote
            continue
    words = f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".split()
    return next((_FAMILIES[word] for word in words if word in _FAMILIES), "")


def _in_container(root: Path) -> bool:
    if any((root / name).exists() for name in _CONTAINER_FILES):
        return True
    groups = _text(root / "proc/1/cgroup") + _text(root / "proc/self/cgroup")
    return any(word in groups for word in _CONTAINER_WORDS)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Give the bytes that the control groups above this process allow it; None where they set no limit."""
    limits = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        folder = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        group = folder / path.lstrip("/")
        for level in (group, *group.parents):
            text = _text(level / name)
            if text.isdigit() and int(text) < 2**60:
                limits.append(int(text))
            if level == folder:
                break
    return min(limits) if limits else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
