"""What each part of a bundle weighs, and what may not be in it.

python3 -m scripts.package.weights TREE
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.package.freezing import NOWHERE
from scripts.package.staging import INTERNAL

LIMIT_BYTES = 750_000_000
"""Of the installed program without models."""
COMPRESSED_LIMIT_BYTES = 300_000_000
"""Of a package without models."""
MODELS = Path(INTERNAL) / "resources" / "models"
_TITLES = {
    "PySide6": "Qt and PySide6",
    "shiboken6": "Qt and PySide6",
    "libQt6": "Qt and PySide6",
    "libicu": "Qt and PySide6",
    "libpyside6": "Qt and PySide6",
    "libshiboken6": "Qt and PySide6",
    "llama_cpp": "engine (llama.cpp)",
    "ctransformers": "engine for old files (ctransformers)",
    "numpy": "NumPy",
    "pymupdf": "PyMuPDF",
    "chromadb": "Chroma",
    "onnxruntime": "ONNX Runtime",
    "tokenizers": "Tokenizers",
    "ctranslate2": "CTranslate2",
    "faster_whisper": "faster-whisper",
    "av": "PyAV and FFmpeg",
    "piper": "Piper",
    "sound": "PortAudio",
    "lxml": "lxml",
    "pillow": "Pillow",
    "PIL": "Pillow",
    "libpython": "Python",
    "python3": "Python",
    "base_library": "Python",
    "libcrypto": "Python",
    "libssl": "Python",
    "apsw": "SQLite (APSW)",
}
# Names of packages, directly in a tree's folder, and beginnings of libraries' names, anywhere in it.
FORBIDDEN_PACKAGES = frozenset(NOWHERE)
FORBIDDEN_LIBRARIES = ("libstdc++", "libcuda", "libcublas", "Qt6Web", "libQt6Web", "Qt6Qml", "libQt6Qml")


def sizes(tree: Path) -> dict[str, int]:
    """Return the bytes of each part of a tree by title; links weigh nothing."""
    found: dict[str, int] = defaultdict(int)
    for path in files_of(tree):
        found[_title(path.relative_to(tree))] += path.stat().st_size
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def files_of(tree: Path) -> Iterable[Path]:
    """Yield each file of a tree that is not a link."""
    for folder, _, names in os.walk(tree):
        for name in names:
            path = Path(folder) / name
            if not path.is_symlink():
                yield path


def _title(path: Path) -> str:
    if path.parts[0] != INTERNAL:
        return "programs and their modules"
    if path.is_relative_to(MODELS):
        return "models"
    if path.parts[1] == "resources":
        return "resources and licences"
    for prefix, title in _TITLES.items():
        if path.parts[1].startswith(prefix):
            return title
    return "other packages"


def without_models(tree: Path) -> int:
    """Return the bytes of a tree without its models."""
    return sum(size for title, size in sizes(tree).items() if title != "models")


def problems(tree: Path) -> list[str]:
    """Return a sentence for each thing that may not be in a tree, or for its being too large."""
    names = [path.name for path in (tree / INTERNAL).iterdir() if _package(path) in FORBIDDEN_PACKAGES]
    names += [path.name for path in files_of(tree) if path.name.startswith(FORBIDDEN_LIBRARIES)]
    found = [f"{name} slipped in" for name in sorted(names)]
    total = without_models(tree)
    if total > LIMIT_BYTES:
        found.append(f"it takes {total / 1e6:.0f} MB without models; {LIMIT_BYTES / 1e6:.0f} MB are allowed")
    return [*found, *_twice(tree)]


def _package(path: Path) -> str:
    """Give the name of the package that a folder, a module or a folder of metadata is of."""
    return path.name.partition("-")[0].partition(".")[0]


def _twice(tree: Path) -> list[str]:
    """Name the libraries that are there more than once with the same content."""
    by_size: dict[tuple[str, int], list[Path]] = defaultdict(list)
    for path in files_of(tree):
        if ".so" in path.name or path.suffix in {".dll", ".dylib", ".pyd"}:
            by_size[(path.name.partition(".")[0], path.stat().st_size)].append(path)
    return [
        f"{paths[0].name} is there {len(paths)} times"
        for paths in by_size.values()
        if len(paths) > 1 and len({path.read_bytes() for path in paths}) < len(paths)
    ]


def report(tree: Path) -> str:
    """Return the weights as lines."""
    rows = [f"{size / 1e6:8.1f} MB  {title}" for title, size in sizes(tree).items()]
    return "\n".join([*rows, f"{without_models(tree) / 1e6:8.1f} MB  in all without models"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the weights; return 1 where something is wrong."""
    parser = argparse.ArgumentParser(description="Say what each part of a bundle weighs.")
    parser.add_argument("tree", type=Path)
    tree = parser.parse_args(arguments).tree
    print(report(tree))
    found = problems(tree)
    for text in found:
        print(f"Problem: {text}.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
