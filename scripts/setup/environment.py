"""Make the virtual environment and install the pinned packages into it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scripts.setup import system_libraries
from scripts.setup.layout import Layout, environment_version
from scripts.setup.progress import Progress, SetupError

MINIMUM_VERSION = (3, 11)


def require_python(version: tuple[int, int] | None = None) -> None:
    """Check that this Python can run the program.

    Raises:
        SetupError: It is too old.
    """
    found = version or (sys.version_info[0], sys.version_info[1])
    if found < MINIMUM_VERSION:
        raise SetupError(
            f"Python {found[0]}.{found[1]} is too old; Python 3.11 or later is needed.",
            "Install a newer Python and start this script with it, for example: python3.12 scripts/run.py",
        )


def require_venv_modules(progress: Progress) -> None:
    """Make sure that this Python can make a virtual environment with pip in it.

    Raises:
        SetupError: A part is missing and could not be installed, with the command that brings it.
    """
    missing = [need for need in system_libraries.VENV_NEEDS if not system_libraries.is_present(need)]
    if missing:
        missing = system_libraries.ensure(missing, progress)
    if missing:
        names = " and ".join(need.name for need in missing)
        raise SetupError(
            f"This Python lacks the module {names}, so no environment can be made.",
            f"On Debian and Ubuntu: sudo apt-get install {missing[0].package}. "
            "Elsewhere: install Python from its usual installer.",
        )


def create_venv(layout: Layout, progress: Progress) -> None:
    """Make the environment if it is missing or was left half-made.

    Raises:
        SetupError: The folder could not be made.
    """
    version = (sys.version_info[0], sys.version_info[1])
    if layout.python_path.exists() and environment_version(layout.venv_dir) == version:
        return
    require_venv_modules(progress)
    with progress.step(f"Making the environment {layout.venv_dir.name} (Python {version[0]}.{version[1]})"):
        if layout.venv_dir.exists():
            shutil.rmtree(layout.venv_dir)
        command = [sys.executable, "-m", "venv", str(layout.venv_dir)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SetupError(
                f"The environment could not be made: {last_line(result.stdout + result.stderr)}",
                f"Check that {layout.root_dir} can be written and has some GB of free space.",
            )


def last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason was given"


def pip_error(output: str) -> str:
    """Return pip's own reason out of its output: its last line that begins with ``ERROR``, else the last."""
    errors = [line.strip() for line in output.splitlines() if line.startswith("ERROR")]
    return errors[-1].removeprefix("ERROR:").strip() if errors else last_line(output)


def pip(
    python: Path,
    arguments: Sequence[str],
    what: str,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Run pip and show nothing of its output.

    Args:
        python: The interpreter whose pip is meant.
        arguments: What follows ``pip``.
        what: What is being done, for the message.
        environment: Variables on top of this process's.
        on_line: Called with each line of output as it comes.

    Raises:
        SetupError: pip failed, with its reason.
    """
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    lines: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1", **(environment or {})},
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            if on_line is not None:
                on_line(line)
    if process.returncode != 0:
        raise _pip_failure("".join(lines), what)


def _pip_failure(output: str, what: str) -> SetupError:
    """Return pip's failure in words."""
    if "DO NOT MATCH THE HASHES" in output:
        return SetupError(
            f"{what} failed: a downloaded package is not the one that was expected (its sha256 differs).",
            "Check which package index pip is configured for; nothing was installed.",
        )
    return SetupError(
        f"{what} failed: {pip_error(output)}",
        "Check the network connection, the package index that pip is configured for, and free disk space.",
    )


def install_pinned(layout: Layout, names: Sequence[str]) -> None:
    """Install requirement files whose every package is pinned by hash.

    They are compiled here, because an interpreter told not to write byte code (PYTHONDONTWRITEBYTECODE) would
    otherwise compile them again in every process: seconds and tens of MB each.

    Args:
        layout: Where the environment is.
        names: File names in ``requirements/``.

    Raises:
        SetupError: pip failed.
    """
    # The files name every package that is needed, so pip need not look for others: its resolver refuses a
    # pinned package as soon as the index has a newer one and a third package asks for an extra of it.
    arguments = ["install", "--quiet", "--no-compile", "--no-deps", "--require-hashes"]
    for name in names:
        arguments += ["-r", str(layout.requirements_dir / name)]
    pip(layout.python_path, arguments, "Installing packages")
    compile_packages(layout)


def compile_packages(layout: Layout) -> None:
    """Write the byte code of every installed module; one that is not for this Python is passed over."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [str(layout.python_path), "-m", "compileall", "-q", "-q", "-j", "0", str(layout.venv_dir)]
    subprocess.run(command, env=environment, capture_output=True, check=False)


def install_project(layout: Layout) -> None:
    """Install the repository itself, editable: ``app`` imports from anywhere and the commands exist.

    The mode ``compat`` writes a plain path file; the default's import hook costs every process 11 ms.

    Raises:
        SetupError: pip failed.
    """
    arguments = [
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--editable",
        str(layout.root_dir),
    ]
    pip(layout.python_path, arguments, "Installing the program")
