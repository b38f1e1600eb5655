"""A staged tree as the frozen program has it, in small, with the names that break installers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
