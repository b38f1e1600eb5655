#!/usr/bin/env python3
"""Copy the licence texts of what the program is made of into one folder.

The repository keeps those of the packages that the program asks for itself (``resources/licences``). An
installer, which holds every package, ships the texts of all: ``--all --output DIR``. Run it with the
environment's Python.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

REPOSITORY_DIR = Path(__file__).resolve().parents[1]
# Where a package ships its text inside its import package, or only names a licence.
ELSEWHERE = {"onnxruntime": ("onnxruntime/LICENSE",)}
BY_NAME = {
    "pymupdf": "AGPL-3.0",
    "pymupdf4llm": "AGPL-3.0",
    "pymupdf-layout": "AGPL-3.0",
    "pyside6-essentials": "LGPL-3.0",
    "shiboken6": "LGPL-3.0",
    "tokenizers": "Apache-2.0",
    "flatbuffers": "Apache-2.0",
    "piper-tts": "GPL-3.0",
}
_TEXT_NAME = re.compile(r"(LICEN[CS]E|COPYING|NOTICE)", re.IGNORECASE)


def direct_dependencies(pyproject_path: Path) -> list[str]:
    """Return the names of the packages that ``pyproject.toml`` asks for, without extras."""
    project = tomllib.loads(pyproject_path.read_text(encoding="utf-8"))["project"]
    return [re.split(r"[<>=!~ \[;]", item, maxsplit=1)[0].lower() for item in project["dependencies"]]


def all_dependencies(requirements_dir: Path) -> list[str]:
    """Return the names of all pinned packages of the program."""
    names = set()
    for name in ("runtime.txt", "engine.txt"):
        for line in (requirements_dir / name).read_text(encoding="utf-8").splitlines():
            if "==" in line and not line.startswith((" ", "#")):
                names.add(line.split("==")[0].lower())
    return sorted(names)


def licence_files(distribution: metadata.Distribution, name: str) -> list[Path]:
    """Return the paths of a package's licence texts."""
    wanted = ELSEWHERE.get(name, ())
    found = []
    for file in distribution.files or []:
        in_metadata = ".dist-info" in str(file) and _TEXT_NAME.search(file.name) and file.suffix != ".py"
        if in_metadata or str(file) in wanted:
            found.append(Path(str(file.locate())))
    return sorted(found)


def licence_text(name: str) -> str | None:
    """Return a package's texts as one, or None where it is not installed here or names a standard licence."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    files = licence_files(distribution, name)
    if name in BY_NAME or not files:
        return None
    texts = [path.read_text(encoding="utf-8", errors="replace").strip() for path in files]
    return "\n\n----\n\n".join(texts) + "\n"


def collect(names: Iterable[str], output_dir: Path) -> list[str]:
    """Write one file per package; return the names of those that have no text and no standard licence."""
    output_dir.mkdir(parents=True, exist_ok=True)
    without = []
    for name in names:
        text = licence_text(name)
        if text is not None:
            (output_dir / f"{name}.txt").write_text(text, encoding="utf-8", newline="\n")
        elif name not in BY_NAME:
            without.append(name)
    return without


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description="Copy licence texts into one folder.")
    parser.add_argument("--all", action="store_true", help="of every package, not only the direct ones")
    parser.add_argument("--output", type=Path, default=REPOSITORY_DIR / "resources" / "licences")
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    if options.all:
        names = all_dependencies(REPOSITORY_DIR / "requirements")
    else:
        names = direct_dependencies(REPOSITORY_DIR / "pyproject.toml")
    for name in collect(names, options.output):
        print(f"{name}: not installed here, or no licence text found")
    print(f"{len(list(options.output.glob('*.txt')))} texts in {options.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
