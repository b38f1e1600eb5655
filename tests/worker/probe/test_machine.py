"""What surrounds the program."""

from pathlib import Path

import pytest

from app.core.gpu_reasons import Machine
from app.worker.probe.machine import machine, memory_limit


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ('NAME="Debian GNU/Linux"\nID=debian\n', "debian"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "debian"),
        ("ID=fedora", "fedora"),
        ('ID="manjaro"\nID_LIKE=arch', "arch"),
        ('ID=void\nNAME="open', ""),
        ("", ""),
    ],
)
def test_distributions(tmp_path: Path, text: str, family: str) -> None:
    write(tmp_path / "etc/os-release", text)
    assert machine(tmp_path, "linux") == Machine(distribution=family)


def test_other_systems_and_nothing_known(tmp_path: Path) -> None:
    assert machine(tmp_path, "win32") == Machine(system="windows")
    assert machine(tmp_path, "darwin") == Machine(system="macos")
    assert machine(tmp_path, "linux") == Machine()


def test_containers(tmp_path: Path) -> None:
    write(tmp_path / "a/.dockerenv", "")
    write(tmp_path / "b/run/.containerenv", "")
    write(tmp_path / "c/proc/1/cgroup", "0::/kubepods/pod1\n")
    write(tmp_path / "d/proc/1/cgroup", "0::/init.scope\n")
    assert [machine(tmp_path / name, "linux").container for name in "abcd"] == [True, True, True, False]


def test_memory_limits(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) is None
    write(tmp_path / "proc/self/cgroup", "0::/a/b\n")
    assert memory_limit(tmp_path) is None
    write(tmp_path / "sys/fs/cgroup/a/b/memory.max", "max\n")
    write(tmp_path / "sys/fs/cgroup/a/memory.max", "4096\n")
    write(tmp_path / "sys/fs/cgroup/memory.max", "8192\n")
    assert memory_limit(tmp_path) == 4096
    write(tmp_path / "proc/self/cgroup", "5:cpu:/x\n4:memory,hugetlb:/c\n")
    write(tmp_path / "sys/fs/cgroup/memory/c/memory.limit_in_bytes", "2048\n")
    write(tmp_path / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert memory_limit(tmp_path) == 2048
