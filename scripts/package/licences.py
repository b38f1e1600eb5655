"""The licence texts of every part of a bundle, in its ``resources/licences``."""

from __future__ import annotations

import dataclasses
import shutil
import sysconfig
from pathlib import Path

from scripts.collect_licences import BY_NAME, licence_text
from scripts.package.sbom import Part, normal
from scripts.package.staging import INTERNAL
from scripts.setup.progress import SetupError

_STANDARD = ("Apache-2.0", "AGPL-3.0", "CC0-1.0", "GPL-3.0", "LGPL-3.0", "MPL-2.0")


def add(parts: list[Part], root_dir: Path, tree: Path) -> None:
    """Write a text for each part and note its file name in the list.

    Args:
        parts: Changed in place: each gets its ``licence_file``.
        root_dir: The repository, whose ``resources/licences`` holds the standard texts.
        tree: Receives the texts, and LICENSE and NOTICE at its top.

    Raises:
        SetupError: A part has no licence text.
    """
    target_dir = tree / INTERNAL / "resources" / "licences"
    shutil.copytree(root_dir / "resources" / "licences", target_dir, dirs_exist_ok=True)
    for name in ("LICENSE", "NOTICE"):
        shutil.copyfile(root_dir / name, tree / name)
    without = []
    for index, part in enumerate(parts):
        name = _write(part, target_dir)
        if name:
            parts[index] = dataclasses.replace(part, licence_file=name)
        else:
            without.append(part.name)
    if without:
        raise SetupError(
            f"No licence text was found for: {', '.join(without)}.",
            "Add the text to resources/licences, or leave the part out (scripts/package/freezing.py).",
        )


def _write(part: Part, target_dir: Path) -> str:
    """Write one part's text; return the file's name, empty where there is no text."""
    file_name = f"{normal(part.name) if part.source == 'python' else part.name.lower()}.txt"
    text = _text(part)
    if text:
        (target_dir / file_name).write_text(text, encoding="utf-8")
    elif part.licence_file and (target_dir / part.licence_file).is_file():
        return part.licence_file
    if (target_dir / file_name).is_file():
        return file_name
    standard = BY_NAME.get(normal(part.name), part.licence)
    for name in _STANDARD:
        if standard.startswith(name) and (target_dir / f"{name}.txt").is_file():
            return f"{name}.txt"
    return ""


def _text(part: Part) -> str | None:
    if part.source == "python":
        return licence_text(normal(part.name))
    if part.source == "system":
        path = Path("/usr/share/doc") / part.name / "copyright"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
    if part.name == "Python":
        path = Path(sysconfig.get_path("stdlib")) / "LICENSE.txt"
        return path.read_text(encoding="utf-8") if path.is_file() else None
    return None
