"""Graphics cards as Linux lists them, whether or not the engine can use them.

Source: Documentation/ABI/testing/sysfs-bus-pci, sysfs-class-drm and Documentation/gpu/amdgpu of the Linux
kernel; the README of NVIDIA's driver (/proc/driver/nvidia).
"""

import contextlib
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from app.core.gpu_reasons import Card

_DISPLAY_CLASS = "0x03"  # PCI base class 03h: display controller
_VENDORS = {
    "10de": "NVIDIA",
    "1002": "AMD",
    "1022": "AMD",
    "8086": "Intel",
    "106b": "Apple",
    "1af4": "Red Hat",
    "1b36": "Red Hat",
    "1234": "Bochs",
    "15ad": "VMware",
    "80ee": "VirtualBox",
    "1414": "Microsoft",
    "1d0f": "Amazon",
    "1a03": "ASPEED",
    "102b": "Matrox",
    "1013": "Cirrus",
}
_NAMES = ("usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids", "usr/share/pci.ids")
_VERSION = re.compile(r"\b\d+\.\d+(?:\.\d+)*\b")


def linux_cards(root: Path = Path("/")) -> list[Card]:
    """Give the graphics cards in the order of their places on the bus, and those of a system on a chip.

    Args:
        root: where `sys`, `proc`, `dev` and `usr` are; another one in tests.
    """
    devices = root / "sys/bus/pci/devices"
    found = [device for device in _entries(devices) if _text(device / "class").startswith(_DISPLAY_CLASS)]
    return [_pci_card(device, root) for device in found] + list(_platform_cards(root))


def _pci_card(device: Path, root: Path) -> Card:
    vendor_id, device_id = (_text(device / name).removeprefix("0x") for name in ("vendor", "device"))
    vendor = _VENDORS.get(vendor_id, "")
    driver = _driver(device)
    node, access = _access(device, driver, root)
    return Card(
        name=_nvidia_name(device, root)
        or pci_name(vendor_id, device_id, root)
        or _numbers(vendor, vendor_id, device_id),
        vendor=vendor or f"PCI {vendor_id}",
        driver=driver,
        driver_version=_driver_version(driver, root),
        memory_total_bytes=_number(device / "mem_info_vram_total"),
        node=node,
        access=access,
        address=device.name,
    )


def _numbers(vendor: str, vendor_id: str, device_id: str) -> str:
    return f"{vendor} graphics card {vendor_id}:{device_id}".strip()


def _platform_cards(root: Path) -> Iterator[Card]:
    """Give cards that are no PCI devices: those inside ARM chips."""
    for entry in _entries(root / "sys/class/drm"):
        device = entry / "device"
        if not re.fullmatch(r"renderD\d+", entry.name) or (device / "vendor").exists():
            continue
        driver = _driver(device)
        node = root / "dev/dri" / entry.name
        yield Card(
            name=f"Graphics of this chip ({driver or 'unknown'})",
            vendor="",
            driver=driver,
            driver_version=_driver_version(driver, root),
            node=_shown(node, root),
            access=_node_access(node),
        )


def _driver(device: Path) -> str:
    try:
        return (device / "driver").resolve(strict=True).name
    except OSError:
        return ""


def _driver_version(driver: str, root: Path) -> str:
    """Give the version of a kernel driver; those that belong to the kernel have its own."""
    if not driver:
        return ""
    own = _text(root / "sys/module" / driver / "version")
    if driver == "nvidia":
        found = _VERSION.search(_text(root / "proc/driver/nvidia/version"))
        own = own or (found[0] if found else "")
    return own or f"Linux {platform.release()}"


def _access(device: Path, driver: str, root: Path) -> tuple[str, str]:
    """Give the device file that programs open to compute, and whether this one may."""
    if not driver:
        return "", "unknown"
    if driver == "nvidia":
        nodes = [root / "dev/nvidiactl", *_nvidia_nodes(device, root)]
    else:
        nodes = [
            root / "dev/dri" / entry.name for entry in _entries(device / "drm") if "renderD" in entry.name
        ]
    if not nodes:
        return "", "missing"
    states = {node: _node_access(node) for node in nodes}
    worst = next(
        (node for kind in ("missing", "denied") for node in nodes if states[node] == kind), nodes[-1]
    )
    return _shown(worst, root), states[worst]


def _nvidia_nodes(device: Path, root: Path) -> list[Path]:
    minor = re.search(r"Device Minor:\s*(\d+)", _text(_nvidia_folder(device, root)))
    return [root / f"dev/nvidia{minor[1]}"] if minor else []


def _nvidia_folder(device: Path, root: Path) -> Path:
    return root / "proc/driver/nvidia/gpus" / device.name / "information"


def _nvidia_name(device: Path, root: Path) -> str:
    found = re.search(r"Model:[ \t]*(.+)", _text(_nvidia_folder(device, root)))
    return found[1].strip() if found else ""


def _node_access(node: Path) -> str:
    if not node.exists():
        return "missing"
    return "ok" if os.access(node, os.R_OK | os.W_OK) else "denied"


def _shown(node: Path, root: Path) -> str:
    return f"/{node.relative_to(root).as_posix()}"


def pci_name(vendor_id: str, device_id: str, root: Path = Path("/")) -> str:
    """Look up a card's name in the system's list of PCI numbers; empty where it has none.

    Source: pci.ids, pci-ids.ucw.cz: a vendor's line begins with its number, its devices' lines with a tab.
    """
    for name in _NAMES:
        with contextlib.suppress(OSError), (root / name).open(encoding="utf-8", errors="replace") as file:
            vendor = ""
            for line in file:
                if vendor and line.startswith(f"\t{device_id} "):
                    return f"{vendor} {line.split(None, 1)[1].strip()}"
                if line.startswith(f"{vendor_id} "):
                    vendor = _short(line.split(None, 1)[1].strip())
                elif vendor and line[:1].strip() and not line.startswith("#"):
                    break
    return ""


def _short(vendor: str) -> str:
    """Shorten a company's name: `Advanced Micro Devices, Inc. [AMD/ATI]` to `AMD`."""
    bracketed = re.search(r"\[([\w ]+)", vendor)
    if bracketed:
        return bracketed[1]
    return re.sub(r",?\s+(Corporation|Inc\.?|Corp\.?|Ltd\.?|Technologies)\b.*", "", vendor)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None
