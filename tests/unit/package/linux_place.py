"""An archive for Linux, unpacked where names are odd, and its scripts run by a plain sh."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.package import tarball
from scripts.setup.progress import Progress
from tests.unit.package.linux_bundle import draw_no_icons, make_bundle

QUIET = Progress(quiet=True)
ODD = "a b é 中文 🙂 'q' $HOME %f 50% \\n \"d\" `id` &|;#*[x]~"
"""What names of folders may hold, on one line."""
SHELL = shutil.which("dash") or "/bin/sh"


@dataclass
class Place:
    """An unpacked archive and where it is installed.

    Attributes:
        top: what the archive holds.
        home: the user's home.
        prefix: where it goes.
        tools: comes first on the PATH.
    wrapper: what the shell is started by.
    """

    top: Path
    home: Path
    prefix: Path
    tools: Path
    wrapper: tuple[str, ...] = ()

    @property
    def target(self) -> Path:
        return self.prefix / "lib" / "h2ogpt-desktop"

    @property
    def data(self) -> Path:
        return self.home / ".local" / "share" / "h2ogpt-desktop"

    def run(self, script: Path, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        """Run a script with a small environment; None takes a variable away."""
        path = f"{self.tools}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(self.home), "LC_ALL": "C.UTF-8"} | variables
        given = {name: value for name, value in environment.items() if value is not None}
        command = [*self.wrapper, SHELL, str(script), *arguments]
        return subprocess.run(
            command, env=given, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def install(self, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        return self.run(self.top / "install.sh", f"--prefix={self.prefix}", *arguments, **variables)

    def uninstall(self, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
        return self.run(self.target / "uninstall.sh", *arguments, **variables)

    def tool(self, name: str, body: str) -> None:
        """Put a made-up command first on the PATH."""
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def make_data(self) -> None:
        self.data.mkdir(parents=True)
        (self.data / "library.db").write_text("kept")

    def files(self) -> set[str]:
        """Give what is in the prefix, folders left out."""
        return {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if not is_folder(path)}


def is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def archive_of(folder: Path, version: str, *icons: str, **more: str) -> Path:
    """Make an archive."""
    bundle = make_bundle(folder, version, **more)
    with pytest.MonkeyPatch.context() as patch:
        draw_no_icons(patch, *icons)
        [path] = tarball.build(bundle, folder / "dist", QUIET, 0)
    return path


def unpacked(archive: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    [top] = folder.iterdir()
    return top


def value_of(path: Path, key: str) -> str:
    """Give a string of a desktop entry. Source: the Desktop Entry Specification, "Possible value types"."""
    [raw] = re.findall(rf"^{key}=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    letters = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    return re.sub(r"\\(.)", lambda found: letters[found[1]], raw)


def command_of(path: Path) -> list[str]:
    """Give the arguments of a desktop entry's command. Source: the same, "The Exec key"."""
    arguments = []
    for quoted, plain in re.findall(r'"((?:[^"\\`$]|\\["`$\\])*)"|(\S+)', value_of(path, "Exec")):
        words = re.sub(r'\\(["`$\\])', r"\1", quoted) if quoted else plain
        arguments.append(re.sub(r"%%", "%", words) if quoted else words)
    return arguments
