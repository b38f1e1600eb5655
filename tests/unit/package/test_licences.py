"""The licence texts of a bundle: one for every part, or there is no bundle."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.package import licences
from scripts.package.sbom import Part
from scripts.package.staging import INTERNAL
from scripts.setup.layout import REPOSITORY_DIR
from scripts.setup.progress import SetupError

TEXTS = Path(INTERNAL) / "resources" / "licences"


def added(tree: Path, *parts: Part) -> list[str]:
    """Add the texts; give the name of each part's file."""
    changed = list(parts)
    licences.add(changed, REPOSITORY_DIR, tree)
    return [part.licence_file for part in changed]


def test_a_package_brings_its_own_text(tmp_path: Path) -> None:
    assert added(tmp_path, Part("MarkupSafe", "1", "BSD-3-Clause")) == ["markupsafe.txt"]
    assert "Pallets" in (tmp_path / TEXTS / "markupsafe.txt").read_text(encoding="utf-8")


def test_names_are_those_of_indexes(tmp_path: Path) -> None:
    assert added(tmp_path, Part("typing_extensions", "1", "PSF-2.0")) == ["typing-extensions.txt"]


def test_one_that_only_names_a_licence_gets_the_standard_text(tmp_path: Path) -> None:
    parts = [
        Part("PyMuPDF", "1", "AGPL-3.0-only"),
        Part("PySide6_Essentials", "6", "LGPL-3.0-only"),
        Part("SmolLM2", "1", "Apache-2.0", "machine-learning-model", source="own"),
    ]
    assert added(tmp_path, *parts) == ["AGPL-3.0.txt", "LGPL-3.0.txt", "Apache-2.0.txt"]
    assert "AFFERO" in (tmp_path / TEXTS / "AGPL-3.0.txt").read_text(encoding="utf-8")


def test_python_and_the_engine_have_theirs(tmp_path: Path) -> None:
    parts = [Part("Python", "3", "PSF-2.0", source="own"), Part("llama.cpp", "1", "MIT", source="own")]
    assert added(tmp_path, *parts) == ["python.txt", "llama.cpp.txt"]
    assert "PYTHON SOFTWARE FOUNDATION" in (tmp_path / TEXTS / "python.txt").read_text(encoding="utf-8")


@pytest.mark.linux
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Debian's packages are Linux's")
@pytest.mark.skipif(not Path("/usr/share/doc/zlib1g/copyright").exists(), reason="not Debian or Ubuntu")
def test_a_library_of_the_system_brings_debians_text(tmp_path: Path) -> None:
    assert added(tmp_path, Part("zlib1g", "1", "Zlib", source="system")) == ["zlib1g.txt"]
    assert "Gailly" in (tmp_path / TEXTS / "zlib1g.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("source", ["python", "system", "own"])
def test_a_part_without_a_text_stops_the_build(tmp_path: Path, source: str) -> None:
    parts = [Part("Good", "1", "MPL-2.0"), Part("nosuchpart", "1", "Own words", source=source)]
    with pytest.raises(SetupError, match=r"for: nosuchpart\.$") as caught:
        added(tmp_path, *parts)
    assert "resources/licences" in caught.value.hint


def test_the_programs_own_texts_stand_at_the_top(tmp_path: Path) -> None:
    added(tmp_path)
    for name in ("LICENSE", "NOTICE"):
        assert (tmp_path / name).read_bytes() == (REPOSITORY_DIR / name).read_bytes()
    for path in (REPOSITORY_DIR / "resources" / "licences").iterdir():
        assert (tmp_path / TEXTS / path.name).read_bytes() == path.read_bytes()
