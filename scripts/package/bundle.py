"""Builds the tree that every kind of package is made of: frozen, with engine, models, licences and SBOM."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.package import licences, sbom, staging
from scripts.setup.layout import Layout
from scripts.setup.progress import Progress, SetupError

PROGRAM = "h2ogpt-desktop"
_STANDARD_SBOM = "standard.cdx.json"


@dataclass(frozen=True)
class Bundle:
    """A staged tree.

    Attributes:
        tree: Its folder.
        variant: ``standard`` (with the chat model) or ``slim``.
        version: Of the program.
    """

    tree: Path
    variant: str
    version: str


def version_of(root_dir: Path) -> str:
    """Return the program's version (`app/__init__.py`)."""
    for line in (root_dir / "app" / "__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.split('"')[1]
    raise SetupError("app/__init__.py names no version.")


def freeze(layout: Layout, work_dir: Path, progress: Progress) -> Path:
    """Run PyInstaller over `h2ogpt.spec`; return the frozen folder.

    Raises:
        SetupError: It failed.
    """
    log_path = work_dir / "pyinstaller.log"
    work_dir.mkdir(parents=True, exist_ok=True)
    command = [str(layout.python_path), "-m", "PyInstaller", str(layout.root_dir / "h2ogpt.spec")]
    # Anew each time: what it keeps for the next time is stale where a source changed while it was reading.
    command += ["--clean", "--noconfirm", "--log-level", "WARN"]
    command += ["--distpath", str(work_dir / "frozen"), "--workpath", str(work_dir / "pyinstaller")]
    environment = {**os.environ, "PYTHONHASHSEED": "1"}  # the same input gives the same archive
    with progress.step("Freezing the program"), log_path.open("wb") as log:
        result = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
    if result.returncode != 0:
        raise SetupError("The program could not be frozen.", f"PyInstaller's messages are in {log_path}.")
    return work_dir / "frozen" / PROGRAM


def complete(
    layout: Layout,
    frozen_dir: Path,
    engine_wheel: Path | None,
    work_dir: Path,
    progress: Progress,
    legacy_wheel: Path | None = None,
) -> Path:
    """Turn the frozen folder into the slim tree, in ``work_dir/slim``; return it.

    Args:
        layout: Where repository and environment are.
        frozen_dir: What `freeze` returned.
        engine_wheel: The engine's wheel; None takes the engine of the environment, which runs on
            processors like this one only.
        work_dir: Receives the tree.
        progress: Where the lines go.
        legacy_wheel: The wheel of the engine for old files; None leaves it out.
    """
    tree = work_dir / "slim" / PROGRAM
    with progress.step("Adding engine, licences and the list of parts"):
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(frozen_dir, tree, symlinks=True)
        if engine_wheel is not None:
            staging.add_engine(engine_wheel, tree)
        else:
            staging.add_engine_of(layout.python_path, tree)
        if legacy_wheel is not None:
            staging.add_legacy(legacy_wheel, tree)
        staging.add_openmp(tree)
        carried = staging.keep_own_libraries(tree) + staging.add_portaudio(tree)
        parts = sbom.parts_of(work_dir / "pyinstaller", carried, layout)
        licences.add(parts, layout.root_dir, tree)
        version = version_of(layout.root_dir)
        sbom.write(parts, version, work_dir / _STANDARD_SBOM)
        sbom.write(sbom.without_chat_model(parts), version, tree / sbom.FILE)
        staging.add_models(layout.models_dir, tree, staging.SLIM_MODELS)
        staging.strip_symbols(tree)
        staging.set_modes(tree)
    return tree


def variants(
    layout: Layout, slim_tree: Path, names: Sequence[str], work_dir: Path, progress: Progress
) -> list[Bundle]:
    """Return a bundle for each variant; the standard one is the slim tree with the chat model added."""
    version = version_of(layout.root_dir)
    bundles = []
    for name in names:
        tree = slim_tree
        if name == "standard":
            tree = work_dir / "standard" / PROGRAM
            with progress.step("Adding the starter models"):
                shutil.rmtree(tree, ignore_errors=True)
                shutil.copytree(slim_tree, tree, symlinks=True, copy_function=link_or_copy)
                added = [item for item in staging.STANDARD_MODELS if item not in staging.SLIM_MODELS]
                staging.add_models(layout.models_dir, tree, added)
                (tree / sbom.FILE).unlink()  # it is the slim tree's own file under a second name
                shutil.copyfile(work_dir / _STANDARD_SBOM, tree / sbom.FILE)
                staging.set_modes(tree)
        bundles.append(Bundle(tree, name, version))
    return bundles


def link_or_copy(source: str, target: str) -> str:
    """Make a second name for a file where the disk allows it, else a copy: trees are not changed later."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
    return target
