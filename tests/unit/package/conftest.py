"""A staged tree as the frozen program has it, in small, with the names that break installers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.package.linux_place import ODD, Place, archive_of, unpacked

FILES = {
    "LICENSE": "The licence.\n",
    "NOTICE": "The notice, with é and 中文.\n",
    "sbom.cdx.json": "{}",
    "licences/A b.txt": "text",
    "_internal/base_library.zip": "zip",
    "_internal/resources/models/chat/model.gguf": "model",
    "_internal/é 中文/x $y.txt": "letters",
    "_internal/[b]#;!.txt": "signs",
    "_internal/it's `here`.txt": "quotes",
    "_internal/" + "/".join(["deep folder"] * 8) + "/f.txt": "deep",
}

StageMaker = Callable[..., Path]


@pytest.fixture
def make_stage(tmp_path: Path) -> StageMaker:
    """Give a function that makes a staged tree with the given ending of its programs."""

    def make(suffix: str, **more: str) -> Path:
        stage_dir = tmp_path / "stage"
        programs = {f"{name}{suffix}": "MZ program" for name in ("h2ogpt", "h2ogpt-desktop", "h2ogpt-worker")}
        for name, text in {**FILES, **programs, **more}.items():
            path = stage_dir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return stage_dir

    return make


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive_of(tmp_path_factory.mktemp("new"), "1.2.3")


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of an older version, with a file and an icon that the newer one lacks."""
    folder = tmp_path_factory.mktemp("old")
    return archive_of(folder, "1.0.0", "only-in-old", **{"_internal/only in old.txt": "old"})


@pytest.fixture
def place(archive: Path, tmp_path: Path) -> Place:
    """Odd names wherever the user chooses them."""
    home = tmp_path / f"home {ODD}"
    (tmp_path / "tools").mkdir()
    home.mkdir()
    return Place(unpacked(archive, tmp_path / "down é"), home, home / f"apps {ODD}", tmp_path / "tools")
