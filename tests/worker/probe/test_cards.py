"""Graphics cards as the systems list them: whole machines in a folder, a registry, a profiler."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from app.core.gpu_reasons import Card
from app.worker.probe import cards, desktop_cards
from app.worker.probe.cards import linux_cards, pci_name
from app.worker.probe.desktop_cards import macos_cards, profiler_cards, windows_cards
from tests.worker.probe.trees import Tree

GIB = 2**30


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setattr("platform.release", lambda: "6.1.0-18")
    return Tree(tmp_path)


def test_a_machine_without_cards(tree: Tree, tmp_path: Path) -> None:
    assert linux_cards(tree.root) == []
    assert linux_cards(tmp_path / "nowhere") == []


def test_a_card_with_nvidias_driver(tree: Tree) -> None:
    tree.pci("0000:01:00.0", "10de", "2504", "nvidia")
    tree.nvidia("0000:01:00.0", 0, "NVIDIA GeForce RTX 3060")
    tree.write("dev/nvidiactl", mode=0o666)
    tree.write("dev/nvidia0", mode=0o666)
    assert linux_cards(tree.root) == [
        Card(
            name="NVIDIA GeForce RTX 3060",
            vendor="NVIDIA",
            driver="nvidia",
            driver_version="550.54.14",
            node="/dev/nvidia0",
            access="ok",
            address="0000:01:00.0",
        )
    ]


def test_a_container_that_was_given_no_device_file(tree: Tree) -> None:
    tree.pci("0000:01:00.0", "10de", "2504", "nvidia", kind="0x030200")
    tree.nvidia("0000:01:00.0", 0, "NVIDIA H100")
    (card,) = linux_cards(tree.root)
    assert (card.access, card.node) == ("missing", "/dev/nvidiactl")


def test_an_amd_card_with_its_memory_and_name(tree: Tree) -> None:
    folder = tree.pci("0000:03:00.0", "1002", "744c", "amdgpu")
    tree.render_node(folder, 128)
    tree.write(f"{folder}/mem_info_vram_total", str(24 * GIB))
    tree.names()
    assert linux_cards(tree.root) == [
        Card(
            name="AMD Navi 31 [Radeon RX 7900 XTX]",
            vendor="AMD",
            driver="amdgpu",
            driver_version="Linux 6.1.0-18",
            memory_total_bytes=24 * GIB,
            node="/dev/dri/renderD128",
            access="ok",
            address="0000:03:00.0",
        )
    ]


def test_a_laptop_with_two_cards(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tree.pci("0000:00:02.0", "8086", "5917", "i915")
    tree.render_node(folder, 128, mode=0o600)
    tree.pci("0000:01:00.0", "10de", "2504", "nouveau")
    tree.names()
    tree.write("sys/module/nouveau/version", "1.4.0")
    monkeypatch.setattr(os, "access", lambda path, _mode: "renderD" not in str(path))
    intel, nvidia = linux_cards(tree.root)
    assert (intel.name, intel.access, intel.node) == (
        "Intel UHD Graphics 620",
        "denied",
        "/dev/dri/renderD128",
    )
    assert (nvidia.driver, nvidia.driver_version, nvidia.access) == ("nouveau", "1.4.0", "missing")


def test_cards_without_driver_and_of_unknown_makers(tree: Tree) -> None:
    tree.pci("0000:01:00.0", "10de", "2504")
    tree.pci("0000:02:00.0", "beef", "0001", "odd")
    tree.pci("0000:03:00.0", "1af4", "1050", "virtio-pci")
    nvidia, odd, virtual = linux_cards(tree.root)
    assert (nvidia.name, nvidia.driver, nvidia.access) == ("NVIDIA graphics card 10de:2504", "", "unknown")
    assert (odd.name, odd.vendor) == ("graphics card beef:0001", "PCI beef")
    assert virtual.vendor == "Red Hat"


def test_a_device_file_that_is_listed_but_not_there(tree: Tree) -> None:
    folder = tree.pci("0000:03:00.0", "1002", "744c", "amdgpu")
    tree.render_node(folder, 128, mode=None)
    (card,) = linux_cards(tree.root)
    assert (card.access, card.node) == ("missing", "/dev/dri/renderD128")


def test_graphics_inside_a_chip(tree: Tree) -> None:
    for name in ("card0", "renderD128", "renderD129"):
        (tree.root / "sys/class/drm" / name / "device").mkdir(parents=True)
    tree.write("sys/class/drm/renderD129/device/vendor", "0x10de")  # a PCI card, listed there too
    tree.driver("sys/class/drm/renderD128/device", "panfrost")
    tree.write("dev/dri/renderD128", mode=0o666)
    (card,) = linux_cards(tree.root)
    assert (card.name, card.driver, card.access) == ("Graphics of this chip (panfrost)", "panfrost", "ok")


def test_names_that_the_list_does_not_have(tree: Tree) -> None:
    assert pci_name("10de", "2504", tree.root) == ""
    tree.names()
    assert pci_name("10de", "2504", tree.root) == "NVIDIA GA106 [GeForce RTX 3060 Lite Hash Rate]"
    assert pci_name("10de", "744c", tree.root) == "" and pci_name("ffff", "2504", tree.root) == ""
    assert pci_name("8086", "ffff", tree.root) == ""


def test_nonsense_in_the_systems_files(tree: Tree) -> None:
    folder = tree.pci("0000:03:00.0", "1002", "744c", "amdgpu")
    (tree.root / folder / "class").write_bytes(b"0x030000\xff\xfe")
    tree.write(f"{folder}/mem_info_vram_total", "much")
    assert linux_cards(tree.root)[0].memory_total_bytes is None
    assert cards._driver_version("", tree.root) == ""
    tree.pci("0000:04:00.0", "10de", "2504", "nvidia")
    tree.write("proc/driver/nvidia/version", "no number")
    assert linux_cards(tree.root)[1].driver_version == "Linux 6.1.0-18"


# ------------------------------------------------------------------------------------------ other systems


class Key:
    """A key of a registry: values and subkeys."""

    def __init__(self, values: dict[str, Any], keys: "dict[str, Key] | None" = None) -> None:
        self.values, self.keys = values, keys or {}

    def __enter__(self) -> "Key":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def registry_of(root: Key) -> Any:
    def open_key(key: Any, name: str) -> Key:
        found = root if key == 1 else key.keys.get(name)
        if found is None or found.values.get("denied"):
            raise PermissionError
        return found

    def enum_key(key: Key, number: int) -> str:
        names = list(key.keys)
        if number >= len(names):
            raise OSError("no more")
        return names[number]

    def query(key: Key, name: str) -> tuple[Any, int]:
        if name not in key.values:
            raise FileNotFoundError
        return key.values[name], 1

    return types.SimpleNamespace(HKEY_LOCAL_MACHINE=1, OpenKey=open_key, EnumKey=enum_key, QueryValueEx=query)


def test_the_registry_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    card = Key(
        {
            "DriverDesc": "NVIDIA GeForce RTX 3060",
            "DriverVersion": "31.0.15.5161",
            "ProviderName": "NVIDIA",
            "HardwareInformation.qwMemorySize": 12 * GIB,
        }
    )
    basic = Key({"DriverDesc": "Microsoft Basic Display Adapter", "ProviderName": "Microsoft"})
    root = Key(
        {},
        {"0000": card, "0001": basic, "0002": Key({"denied": 1}), "Properties": Key({}), "0003": Key({})},
    )
    monkeypatch.setitem(sys.modules, "winreg", registry_of(root))
    assert windows_cards() == [
        Card(
            name="NVIDIA GeForce RTX 3060",
            vendor="NVIDIA",
            driver="NVIDIA",
            driver_version="31.0.15.5161",
            memory_total_bytes=12 * GIB,
        ),
        Card(name="Microsoft Basic Display Adapter", vendor="Microsoft", driver="Microsoft"),
    ]
    monkeypatch.setitem(sys.modules, "winreg", registry_of(Key({"denied": 1})))
    assert windows_cards() == []


PROFILE = {
    "SPDisplaysDataType": [
        {"_name": "Apple M3", "sppci_model": "Apple M3", "spdisplays_vendor": "sppci_vendor_Apple"},
        {"_name": "x", "sppci_model": "Radeon Pro 560", "spdisplays_vram": "4 GB"},
        {"_name": "", "spdisplays_vendor": "Intel", "spdisplays_vram": "1536 MB"},
    ]
}


def test_the_profiler_of_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps(PROFILE).encode()
    monkeypatch.setattr("subprocess.run", lambda *_, **__: types.SimpleNamespace(stdout=data))
    assert macos_cards() == [
        Card(name="Apple M3", vendor="Apple", driver="macOS"),
        Card(name="Radeon Pro 560", vendor="AMD", driver="macOS", memory_total_bytes=4 * GIB),
        Card(name="Graphics card", vendor="Intel", driver="macOS", memory_total_bytes=1536 * 2**20),
    ]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"SPDisplaysDataType": 3}'])
def test_a_profiler_that_says_nothing(data: bytes) -> None:
    assert list(profiler_cards(data)) == []


def test_a_profiler_that_hangs_or_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **options: Any) -> None:
        assert options["timeout"] == desktop_cards.PROFILER_LIMIT_S
        raise subprocess.TimeoutExpired("system_profiler", options["timeout"])

    monkeypatch.setattr("subprocess.run", hang)
    assert macos_cards() == []
