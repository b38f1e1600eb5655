"""Start the program out of its environment, in the window or in the terminal."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.setup.layout import Layout

SAMPLE_COLLECTION = "Sample"


def has_display(environ: Mapping[str, str], system: str | None = None) -> bool:
    """Return whether a window can be opened here.

    Args:
        environ: The process's variables.
        system: The platform's name; this one's if none is given.
    """
    if (system or platform.system()) in {"Windows", "Darwin"}:
        return True
    return any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def program_command(layout: Layout, arguments: Sequence[str]) -> list[str]:
    """Return the command line of ``h2ogpt`` with ``arguments``."""
    name = "h2ogpt.exe" if os.name == "nt" else "h2ogpt"
    return [str(layout.commands_dir / name), *arguments]


def become(command: Sequence[str]) -> int:
    """Replace this process by ``command``, so that signals and the exit code are the program's own.

    Windows cannot replace a process; there the command runs as a child and its exit code is returned.
    """
    if os.name == "nt":
        return subprocess.run(list(command), check=False).returncode
    os.execv(command[0], list(command))  # noqa: S606 - an argument list without a shell


def ingest_sample(layout: Layout) -> subprocess.CompletedProcess[str]:
    """Add the sample document to the collection ``Sample`` (again: it is found as a duplicate)."""
    sample_dir: Path = layout.root_dir / "resources" / "sample"
    command = program_command(
        layout, ["ingest", str(sample_dir), "--collection", SAMPLE_COLLECTION, "--json"]
    )
    return subprocess.run(command, capture_output=True, text=True, check=False)


def chat_command(layout: Layout) -> list[str]:
    """Return the command line of the terminal chat over the sample document."""
    return program_command(layout, ["chat", "--collection", SAMPLE_COLLECTION])
