"""The archive for Linux: the program runs where it lies; `install.sh` installs it for one user."""

from __future__ import annotations

import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.package.bundle import PROGRAM, Bundle, link_or_copy
from scripts.package.linux_files import TEMPLATES_DIR, write_share
from scripts.package.text import filled
from scripts.setup.progress import Progress, SetupError

# What the window needs of a Debian or Ubuntu system; `install.sh` names them where a library is missing.
DEBIAN_PACKAGES = (
    "libdbus-1-3",
    "libegl1",
    "libfontconfig1",
    "libfreetype6",
    "libgl1",
    "libglib2.0-0",
    "libwayland-cursor0",
    "libwayland-egl1",
    "libx11-xcb1",
    "libxcb-glx0",
    "libxcb-randr0",
    "libxcb-render0",
    "libxcb-shape0",
    "libxcb-shm0",
    "libxcb-sync1",
    "libxcb-xfixes0",
    "libxcb-xkb1",
    "libxkbcommon-x11-0",
)


def file_name(bundle: Bundle) -> str:
    """Return the archive's name."""
    return f"{PROGRAM}-{bundle.version}-linux-{platform.machine()}-{bundle.variant}.tar.xz"


def build(bundle: Bundle, output_dir: Path, progress: Progress, level: int = 6) -> list[Path]:
    """Make the archive; return its path in a list.

    Args:
        bundle: What goes into it.
        output_dir: Receives it.
        progress: Where the lines go.
        level: Of compression, 0 to 9.

    Raises:
        SetupError: tar failed.
    """
    path = output_dir / file_name(bundle)
    output_dir.mkdir(parents=True, exist_ok=True)
    top = f"{PROGRAM}-{bundle.version}"
    with (
        progress.step(f"Making {path.name}"),
        tempfile.TemporaryDirectory(prefix="tar-", dir=bundle.tree.parent) as temporary,
    ):
        lay_out(bundle, Path(temporary) / top)
        command = ["tar", "--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]
        command += [f"--use-compress-program=xz -T0 -{level}", "--file", str(path), "-C", temporary, top]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            path.unlink(missing_ok=True)
            raise SetupError(f"tar failed: {result.stderr.strip()}", "Check the free disk space.")
    return [path]


def lay_out(bundle: Bundle, top: Path) -> None:
    """Put every file where the archive holds it."""
    shutil.copytree(bundle.tree, top / "program", symlinks=True, copy_function=link_or_copy)
    write_share(top / "share", bundle.version, "@EXEC@")
    for name in ("install.sh", "uninstall.sh"):
        values = {"MACHINE": platform.machine(), "DEBIAN_PACKAGES": " ".join(DEBIAN_PACKAGES)}
        script = filled(TEMPLATES_DIR / name, {**values, "EXEC": "@EXEC@", "TRYEXEC": "@TRYEXEC@"})
        (top / name).write_text(script, encoding="utf-8")
        (top / name).chmod(0o755)
    for name in ("LICENSE", "NOTICE"):
        shutil.copyfile(bundle.tree / name, top / name)
