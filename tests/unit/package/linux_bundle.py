"""A small made-up tree to make Linux packages of, without Qt and without an engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.package import icons
from scripts.package.bundle import Bundle

PROGRAM = '#!/bin/sh\nprintf "%s\\n" "program of {version}: $*"\n'
FILES = {
    "LICENSE": "The licence.\n",
    "NOTICE": "The notice, with é and 中文.\n",
    "_internal/resources/sbom.cdx.json": "{}",
    "_internal/base_library.zip": "zip",
    "_internal/é 中文/x $y %z.txt": "letters",
}
PROGRAMS = ("h2ogpt", "h2ogpt-desktop", "h2ogpt-worker")


def make_bundle(folder: Path, version: str = "1.2.3", variant: str = "standard", **more: str) -> Bundle:
    """Write a tree whose programs are shell scripts."""
    tree = folder / "tree"
    programs = {name: PROGRAM.format(version=version) for name in PROGRAMS}
    for name, text in {**FILES, **programs, **more}.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if name in PROGRAMS else 0o644)
    (tree / "_internal" / "link.so").symlink_to("base_library.zip")
    return Bundle(tree, variant, version)


def draw_no_icons(patch: pytest.MonkeyPatch, *more: str) -> None:
    """Write files where Qt would draw icons.

    Args:
        patch: Undoes it.
        more: Names of further icons.
    """

    def write(folder: Path) -> None:
        for name in ("h2ogpt-desktop", *more):
            path = folder / "48x48" / "apps" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\x89PNG")

    patch.setattr(icons, "write_hicolor", write)
