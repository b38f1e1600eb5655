#!/usr/bin/env python3
"""Write ``requirements/*.txt``: exact versions with the hashes of every release file, for every platform.

Run it to move to newer versions. It resolves ``pyproject.toml`` for Python 3.11 and later on Linux, Windows
and macOS at once, with ``uv`` in a throw-away environment and the package index that pip or uv is configured
for. The files name no index, so whoever installs from them uses their own; the hashes make sure that it
serves the same bytes.

Files: ``runtime.txt`` (what the program needs), ``build.txt`` (what the set-up and the installers need on
top), ``test.txt`` (what ``scripts/test.py`` needs on top), ``engine.txt`` (llama-cpp-python's source) and
``engine_build.txt`` (the tools that compile it), ``legacy.txt`` and ``legacy_build.txt`` (the same for
ctransformers, the engine for files from before GGUF). No package stands in two of the first three files.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.setup.layout import REPOSITORY_DIR
from scripts.setup.model_files import sha256_of

ENGINE = "llama-cpp-python"
ENGINE_BUILD_TOOLS = ("scikit-build-core[pyproject]>=0.10", "cmake>=3.31,<5", "ninja>=1.11")
LEGACY, LEGACY_VERSION = "ctransformers", "0.2.27"  # the last one; its project has ended
LEGACY_BUILD_TOOLS = ("cmake>=3.31,<5", "ninja>=1.11", "setuptools>=77")
MINIMUM_PYTHON = "3.11"

_HEADER = "# Written by scripts/pin_requirements.py; do not edit. {}\n"
_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==")


class Resolver:
    """Run ``uv pip compile`` in a throw-away environment."""

    def __init__(self, work_dir: Path) -> None:
        """Install uv into ``work_dir``."""
        venv.create(work_dir / "uv", with_pip=True)
        scripts_dir = work_dir / "uv" / ("Scripts" if sys.platform == "win32" else "bin")
        self.python_path = scripts_dir / "python"
        self._work_dir = work_dir
        subprocess.run([str(self.python_path), "-m", "pip", "install", "--quiet", "uv"], check=True)

    def compile(
        self,
        source: Path,
        *,
        extras: Sequence[str] = (),
        constraints: Path | None = None,
        preferred: str = "",
    ) -> str:
        """Return the hashed requirements of ``source`` without a header, comments or index addresses.

        Args:
            source: A project file or a list of requirements.
            extras: Extras of the project to include.
            constraints: Versions that must be kept.
            preferred: A compiled file whose versions are kept where they still fit.
        """
        output_path = self._work_dir / "compiled.txt"
        output_path.write_text(preferred, encoding="utf-8")  # uv keeps the versions of a file it overwrites
        command = [str(self.python_path), "-m", "uv", "pip", "compile", str(source), "--quiet"]
        command += ["--universal", "--python-version", MINIMUM_PYTHON, "--generate-hashes"]
        command += ["--no-emit-index-url", "--no-emit-find-links", "--no-header", "--no-annotate"]
        command += ["--no-sources", "--output-file", str(output_path)]
        for extra in extras:
            command += ["--extra", extra]
        if constraints is not None:
            command += ["--constraints", str(constraints)]
        subprocess.run(command, check=True, cwd=REPOSITORY_DIR, stdout=subprocess.DEVNULL)
        return output_path.read_text(encoding="utf-8")

    def source_archive_pin(self, name: str, version: str) -> str:
        """Return the pin of a package's source archive alone: no prebuilt wheel can take its place."""
        target_dir = self._work_dir / f"source-{name}"
        command = [
            str(self.python_path),
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            name,
        ]
        command += ["--dest", str(target_dir), f"{name}=={version}"]
        # ctransformers' setup.py then needs setuptools alone to tell its name.
        subprocess.run(command, check=True, env=dict(os.environ, CT_WHEEL="1"))
        (archive_path,) = target_dir.iterdir()
        return f"{name}=={version} \\\n    --hash=sha256:{sha256_of(archive_path)}\n"


def split_blocks(text: str) -> list[tuple[str, str]]:
    """Return (package name, its lines) for each requirement of a compiled file, in order."""
    blocks: list[tuple[str, str]] = []
    for line in text.splitlines(keepends=True):
        found = _REQUIREMENT.match(line)
        if found:
            blocks.append((found["name"].lower(), line))
        elif blocks and line.startswith(" "):
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + line)
    return blocks


def without(text: str, names: set[str]) -> str:
    """Return a compiled file without the packages called ``names``."""
    return "".join(block for name, block in split_blocks(text) if name not in names)


def names_in(text: str) -> set[str]:
    """Return the names of the packages in a compiled file."""
    return {name for name, _ in split_blocks(text)}


def engine_version(text: str) -> str:
    """Return the version of the engine in a compiled file.

    Raises:
        ValueError: It is not there.
    """
    found = re.search(rf"^{re.escape(ENGINE)}==([^ ;\\]+)", text, re.MULTILINE)
    if not found:
        raise ValueError(f"{ENGINE} is not among the resolved packages")
    return found[1]


def write(requirements_dir: Path, name: str, purpose: str, text: str) -> None:
    """Write one file and say how many packages it pins.

    Raises:
        ValueError: The text holds an address, which this repository does not carry.
    """
    if "://" in text or "--index" in text or "--find-links" in text:
        raise ValueError(f"{name} would hold an address")
    (requirements_dir / name).write_text(_HEADER.format(purpose) + text, encoding="utf-8", newline="\n")
    print(f"requirements/{name}: {len(names_in(text))} packages")


def pin_all(requirements_dir: Path, *, upgrade: bool) -> None:
    """Resolve everything together, then write the files apart.

    Args:
        requirements_dir: Where the files go.
        upgrade: Take the newest versions; otherwise keep those that are pinned already.
    """
    requirements_dir.mkdir(exist_ok=True)
    project_path = REPOSITORY_DIR / "pyproject.toml"
    with tempfile.TemporaryDirectory() as temporary:
        work_dir = Path(temporary)
        all_path = work_dir / "all.txt"
        old = [] if upgrade else sorted(requirements_dir.glob("*.txt"))
        pinned = "".join(path.read_text(encoding="utf-8") for path in old)
        resolver = Resolver(work_dir)
        everything = resolver.compile(project_path, extras=("build", "dev"), preferred=pinned)
        all_path.write_text(everything, encoding="utf-8")
        runtime = resolver.compile(project_path, constraints=all_path)
        build = resolver.compile(project_path, extras=("build",), constraints=all_path)
        tools_path = work_dir / "tools.in"
        tools_path.write_text("\n".join(ENGINE_BUILD_TOOLS) + "\n", encoding="utf-8")
        tools = resolver.compile(tools_path, preferred=pinned)
        engine = resolver.source_archive_pin(ENGINE, engine_version(runtime))
        tools_path.write_text("\n".join(LEGACY_BUILD_TOOLS) + "\n", encoding="utf-8")
        legacy_tools = resolver.compile(tools_path, preferred=pinned)
        legacy = resolver.source_archive_pin(LEGACY, LEGACY_VERSION)
    runtime_names = names_in(runtime)
    write(requirements_dir, "runtime.txt", "What the program needs.", without(runtime, {ENGINE}))
    write(requirements_dir, "build.txt", "Set-up and installers, on top.", without(build, runtime_names))
    write(
        requirements_dir, "test.txt", "Checks, on top.", without(everything, runtime_names | names_in(build))
    )
    write(requirements_dir, "engine.txt", "The engine's source; compiled by the set-up.", engine)
    write(requirements_dir, "engine_build.txt", "The tools that compile the engine.", tools)
    write(
        requirements_dir,
        "legacy.txt",
        "The source of the engine for old files; compiled by the set-up.",
        legacy,
    )
    write(
        requirements_dir,
        "legacy_build.txt",
        "The tools that compile the engine for old files.",
        legacy_tools,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Write requirements/*.txt with exact versions and hashes.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    try:
        pin_all(REPOSITORY_DIR / "requirements", upgrade=options.upgrade)
    except subprocess.CalledProcessError as error:
        print(f"{Path(error.cmd[0]).name} could not resolve or fetch the packages; nothing more was written.")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
