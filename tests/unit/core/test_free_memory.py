"""The memory that is free is the machine's, or the control group's."""

from pathlib import Path

from app.core.free_memory import available_memory, control_group_rooms, own_rooms


def test_available_memory_is_plausible() -> None:
    assert 2**24 < available_memory() < 2**50


def group(folder: Path, names: tuple[str, str], limit: str, usage: int, stat: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(limit)
    (folder / names[1]).write_text(str(usage))
    (folder / "memory.stat").write_text(stat)


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
V2 = ("memory.max", "memory.current")


def test_control_groups_limit_the_memory(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    group(root / "user" / "app", V2, "max", 5, "")
    group(root / "user", V2, "1000", 700, "anon 1\ninactive_file 100\n")
    group(root / "memory" / "old", V1, "5000", 6000, "total_inactive_file 10\n")
    group(root / "memory", V1, str(2**63 - 4096), 1, "")
    lines = ["0::/user/app", "4:cpu,memory:/old", "3:freezer:/x"]
    assert control_group_rooms(lines, root) == [400, 0]


def test_system_without_control_groups(tmp_path: Path) -> None:
    assert control_group_rooms([], tmp_path) == []
    assert control_group_rooms(["0::/nowhere", "7:cpu:/x"], tmp_path) == []
    assert own_rooms(tmp_path / "nothing") == []
