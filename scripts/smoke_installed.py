#!/usr/bin/env python3
"""Install the packages in ``dist/`` as a person would, do the main job, upgrade, remove; see what is left.

    sudo python3 scripts/smoke_installed.py [PACKAGE...] [--places] [--pictures DIR]

Linux: each package in a clean Debian system made by debootstrap (no Python, no compiler, no network), with a
real window on a virtual screen. Windows and macOS: on the machine itself, for the user who runs it.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the message must reach users of older versions
    sys.exit("Python 3.11 or later is needed.")

import argparse
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.setup.layout import current_layout
from scripts.setup.progress import Progress, SetupError, explain
from scripts.setup.steps import set_up
from scripts.setup.system_libraries import Need, apt_prefix, ensure

IN_ENVIRONMENT = "H2OGPT_SMOKE"
NEEDS = (
    Need("command", "debootstrap", "debootstrap", "the clean system"),
    Need(
        "file", "/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring", "the clean system"
    ),
    Need("command", "Xvfb", "xvfb", "the virtual screen"),
    Need("command", "openbox", "openbox", "the virtual screen"),
    Need("command", "xdotool", "xdotool", "the virtual screen"),
    Need("command", "strace", "strace", "seeing what is loaded"),
    Need("command", "qemu-x86_64-static", "qemu-user-static", "an older processor"),
)
SUFFIXES = {"Linux": (".deb", ".tar.xz"), "Windows": (".exe",), "Darwin": (".dmg",)}


def packages_in(folder: Path) -> list[Path]:
    """Return this platform's packages in a folder that can answer at once (with the chat model)."""
    suffixes = SUFFIXES[platform.system()]
    return sorted(
        path for path in folder.glob("*") if path.name.endswith(suffixes) and "slim" not in path.name
    )


def smoke(options: argparse.Namespace, packages: Sequence[Path]) -> int:
    """Test each package; return the exit code."""
    from scripts.smoke.report import Report

    report, progress = Report(), Progress()
    options.pictures.mkdir(parents=True, exist_ok=True)
    for package in packages:
        print(f"--- {package.name}", flush=True)
        if platform.system() == "Linux":
            from scripts.smoke.linux import LinuxSmoke

            cache_dir = current_layout().cache_dir
            LinuxSmoke(package, options.pictures, cache_dir, report, progress).run(places=options.places)
        else:
            from scripts.smoke.here import smoke_here

            smoke_here(package, report)
    return report.close()


def as_root(arguments: Sequence[str] | None) -> int:
    """Run the same command as root: making a clean system needs it.

    Raises:
        SetupError: sudo is not there or asks for a password.
    """
    prefix = apt_prefix()
    if not prefix:
        raise SetupError("Making a clean system needs root.", "Run it again with sudo.")
    command = [*prefix, "-E", sys.executable, str(Path(__file__).resolve()), *(arguments or sys.argv[1:])]
    return subprocess.call(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Test the installed program.")
    parser.add_argument("packages", nargs="*", type=Path, help="those in dist/, if none is named")
    parser.add_argument(
        "--places", action="store_true", help="also odd folders, little space, old processors"
    )
    parser.add_argument("--pictures", type=Path, default=Path("build") / "pictures", help="where pictures go")
    options = parser.parse_args(arguments)
    layout, progress = current_layout(), Progress()
    try:
        set_up(layout, progress)
        if platform.system() == "Linux":
            if os.geteuid() != 0:
                return as_root(arguments)
            ensure(NEEDS, progress)
        if os.environ.get(IN_ENVIRONMENT) != "1":  # the rest needs the environment's packages
            command = [str(layout.python_path), str(Path(__file__).resolve()), *(arguments or sys.argv[1:])]
            return subprocess.call(command, env={**os.environ, IN_ENVIRONMENT: "1"})
        packages = options.packages or packages_in(layout.root_dir / "dist")
        if not packages:
            raise SetupError("There is no package in dist/.", "Run python3 scripts/build_installer.py first.")
        return smoke(options, packages)
    except SetupError as error:
        explain(error)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
