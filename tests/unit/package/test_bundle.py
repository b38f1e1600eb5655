"""The variants of a bundle: one tree under two names, except for what differs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from scripts.package import bundle, licences, sbom, staging
from scripts.package.sbom import Part
from scripts.package.staging import INTERNAL
from scripts.setup.layout import REPOSITORY_DIR, Layout
from scripts.setup.progress import Progress, SetupError

QUIET = Progress(quiet=True)
EMBEDDING = Part("all-MiniLM-L6-v2", "1", "Apache-2.0", "machine-learning-model", source="own")
CHAT = Part("SmolLM2-135M-Instruct", "1", "Apache-2.0", "machine-learning-model", source="own")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A repository with a version and starter models."""
    layout = Layout(tmp_path / "repository", tmp_path / "venv", tmp_path / "cache")
    (layout.root_dir / "app").mkdir(parents=True)
    (layout.root_dir / "app" / "__init__.py").write_text('"""The program."""\n\n__version__ = "3.2.1"\n')
    for name in staging.STANDARD_MODELS:
        path = layout.models_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return layout


@pytest.fixture
def work_dir(tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A frozen folder, and stand-ins for what looks at the environment."""
    frozen_dir = tmp_path / "work é" / "frozen"
    (frozen_dir / INTERNAL / "resources").mkdir(parents=True)
    for name in ("h2ogpt", f"{INTERNAL}/x.txt"):
        (frozen_dir / name).write_text(name)
    (frozen_dir / "h2ogpt").chmod(0o755)
    monkeypatch.setattr(staging, "add_engine_of", lambda python, tree: None)
    monkeypatch.setattr(staging, "add_openmp", lambda tree: None)
    monkeypatch.setattr(sbom, "parts_of", lambda toc_dir, carried, layout: [EMBEDDING, CHAT])
    monkeypatch.setattr(licences, "add", lambda parts, root_dir, tree: None)
    return frozen_dir.parent


def names_of(tree: Path) -> list[str]:
    import json

    return [item["name"] for item in json.loads((tree / sbom.FILE).read_text())["components"]]


def models_in(tree: Path) -> set[str]:
    models_dir = tree / INTERNAL / "resources" / "models"
    return {path.relative_to(models_dir).as_posix() for path in models_dir.rglob("*") if path.is_file()}


def test_each_variant_lists_and_holds_its_own_models(layout: Layout, work_dir: Path) -> None:
    tree = bundle.complete(layout, work_dir / "frozen", None, work_dir, QUIET)
    standard, slim = bundle.variants(layout, tree, ["standard", "slim"], work_dir, QUIET)
    assert (standard.variant, slim.variant) == ("standard", "slim")
    assert {standard.version, slim.version} == {"3.2.1"}
    assert slim.tree == tree != standard.tree
    assert names_of(slim.tree) == [EMBEDDING.name]
    assert names_of(standard.tree) == [EMBEDDING.name, CHAT.name]
    assert models_in(slim.tree) == set(staging.SLIM_MODELS)
    assert models_in(standard.tree) == set(staging.STANDARD_MODELS)
    assert (standard.tree / "h2ogpt").samefile(slim.tree / "h2ogpt"), "the disk holds it once"


def test_making_them_again_begins_anew(layout: Layout, work_dir: Path) -> None:
    for _ in range(2):
        tree = bundle.complete(layout, work_dir / "frozen", None, work_dir, QUIET)
        [standard] = bundle.variants(layout, tree, ["standard"], work_dir, QUIET)
        for folder in (tree, standard.tree):
            assert not (folder / "left over").exists()
            (folder / "left over").touch()
    assert names_of(tree) == [EMBEDDING.name]


def test_where_files_cannot_have_two_names_they_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("not on this disk")

    source, target = tmp_path / "a", tmp_path / "b"
    source.write_text("x")
    monkeypatch.setattr(os, "link", refuse)
    assert bundle.link_or_copy(str(source), str(target)) == str(target)
    assert target.read_text() == "x"
    assert not target.samefile(source)


def test_the_version_is_the_programs_own(tmp_path: Path) -> None:
    from app import __version__

    assert bundle.version_of(REPOSITORY_DIR) == __version__
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    with pytest.raises(SetupError, match="names no version"):
        bundle.version_of(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="uses a shell script as a stand-in")
def test_a_failed_freeze_names_the_log(layout: Layout, tmp_path: Path) -> None:
    layout.python_path.parent.mkdir(parents=True)
    layout.python_path.write_text("#!/bin/sh\necho 'module not found'\nexit 1\n")
    layout.python_path.chmod(0o755)
    with pytest.raises(SetupError, match="could not be frozen") as caught:
        bundle.freeze(layout, tmp_path / "work", QUIET)
    log_path = tmp_path / "work" / "pyinstaller.log"
    assert str(log_path) in caught.value.hint
    assert "module not found" in log_path.read_text()
