"""Where the set-up reads and writes: the repository, its environment, and the user's cache folder."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY_DIR = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Layout:
    """The folders that the steps share.

    Attributes:
        root_dir: The repository.
        venv_dir: The virtual environment of the running Python's version.
        cache_dir: The user's cache of downloads and built wheels, shared by all clones.
    """

    root_dir: Path
    venv_dir: Path
    cache_dir: Path

    @property
    def python_path(self) -> Path:
        """The environment's interpreter."""
        if os.name == "nt":
            return self.venv_dir / "Scripts" / "python.exe"
        return self.venv_dir / "bin" / "python"

    @property
    def commands_dir(self) -> Path:
        """The folder of the environment's commands (``h2ogpt`` and the tools)."""
        return self.python_path.parent

    @property
    def stamps_dir(self) -> Path:
        """One small file per finished step."""
        return self.venv_dir / ".setup"

    @property
    def models_dir(self) -> Path:
        """The starter models; ignored by git, filled by the set-up."""
        return self.root_dir / "resources" / "models"

    @property
    def requirements_dir(self) -> Path:
        """The pinned and hashed requirement files."""
        return self.root_dir / "requirements"


def user_cache_dir(environ: dict[str, str] | None = None) -> Path:
    """Return the user's cache folder for this program, by the platform's own rule.

    Args:
        environ: Variables to read instead of the process's.
    """
    env = dict(os.environ) if environ is None else environ
    if override := env.get("H2OGPT_SETUP_CACHE"):
        return Path(override)
    if platform.system() == "Windows" and env.get("LOCALAPPDATA"):
        return Path(env["LOCALAPPDATA"]) / "h2ogpt-desktop" / "Cache"
    if platform.system() == "Darwin":
        return Path.home() / "Library" / "Caches" / "h2ogpt-desktop"
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "h2ogpt-desktop"


def environment_version(venv_dir: Path) -> tuple[int, int] | None:
    """Return the Python version that an environment was made with, or None where there is none."""
    try:
        lines = (venv_dir / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() in {"version", "version_info"}:
            parts = value.strip().split(".")
            return int(parts[0]), int(parts[1])
    return None


def choose_venv_dir(root_dir: Path, version: tuple[int, int]) -> Path:
    """Return ``.venv``, or ``.venv-X.Y`` where ``.venv`` belongs to another Python version.

    Args:
        root_dir: The repository.
        version: Major and minor version of the running interpreter.
    """
    first = root_dir / ".venv"
    if environment_version(first) in (None, version):
        return first
    return root_dir / f".venv-{version[0]}.{version[1]}"


def current_layout(root_dir: Path = REPOSITORY_DIR) -> Layout:
    """Return the folders for the running interpreter."""
    version = (sys.version_info[0], sys.version_info[1])
    return Layout(root_dir, choose_venv_dir(root_dir, version), user_cache_dir())
