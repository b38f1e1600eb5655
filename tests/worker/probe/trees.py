"""Builds what Linux shows of graphics cards, below a folder of a test."""

from pathlib import Path

PCI_IDS = """# comment
1002  Advanced Micro Devices, Inc. [AMD/ATI]
\t744c  Navi 31 [Radeon RX 7900 XTX]
\t\t1002 0e3b  a subsystem
10de  NVIDIA Corporation
\t2504  GA106 [GeForce RTX 3060 Lite Hash Rate]
8086  Intel Corporation
\t5917  UHD Graphics 620
"""


class Tree:
    """A root folder with `sys`, `proc`, `dev` and `usr`."""

    def __init__(self, root: Path) -> None:
        """Begin with a machine without cards."""
        self.root = root
        self.write("sys/bus/pci/devices/0000:00:00.0/class", "0x060000")

    def write(self, path: str, text: str = "", mode: int = 0o644) -> Path:
        """Write a file with its folders."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
        file.chmod(mode)
        return file

    def pci(self, address: str, vendor: str, device: str, driver: str = "", kind: str = "0x030000") -> str:
        """Add a card; gives its folder."""
        folder = f"sys/bus/pci/devices/{address}"
        self.write(f"{folder}/class", kind)
        self.write(f"{folder}/vendor", f"0x{vendor}")
        self.write(f"{folder}/device", f"0x{device}")
        if driver:
            self.driver(folder, driver)
        return folder

    def driver(self, folder: str, name: str) -> None:
        """Put a kernel driver in charge."""
        target = self.root / "sys/bus/pci/drivers" / name
        target.mkdir(parents=True, exist_ok=True)
        (self.root / folder / "driver").symlink_to(target)

    def render_node(self, folder: str, number: int, mode: int | None = 0o666) -> None:
        """Give a card its device file; None for one that is not there."""
        (self.root / folder / "drm" / f"renderD{number}").mkdir(parents=True)
        if mode is not None:
            self.write(f"dev/dri/renderD{number}", mode=mode)

    def nvidia(self, address: str, minor: int, model: str) -> None:
        """Add what NVIDIA's own driver shows."""
        self.write(
            f"proc/driver/nvidia/gpus/{address}/information", f"Model: \t\t {model}\nDevice Minor: \t {minor}"
        )
        self.write(
            "proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22",
        )

    def names(self) -> None:
        """Install the list of PCI numbers."""
        self.write("usr/share/misc/pci.ids", PCI_IDS)
