"""The engine for old files: compiled once from the pinned source, for every processor of its kind."""

from __future__ import annotations

import platform
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.pin_requirements import split_blocks
from scripts.setup import legacy
from scripts.setup.engine import CompileProgress
from scripts.setup.layout import REPOSITORY_DIR, Layout
from scripts.setup.progress import Progress, SetupError


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    requirements_dir = tmp_path / "requirements"
    requirements_dir.mkdir()
    for name in ("legacy.txt", "legacy_build.txt"):
        (requirements_dir / name).write_text("pin\n", encoding="utf-8")
    return Layout(tmp_path, tmp_path / ".venv", tmp_path / "cache")


def test_each_kind_of_processor_has_its_libraries() -> None:
    assert legacy.variants("AMD64") == legacy.variants("x86_64") == ("basic", "avx", "avx2")
    assert legacy.variants("arm64") == ("basic",)


def test_the_pins_are_of_a_source_and_of_tools() -> None:
    requirements_dir = REPOSITORY_DIR / "requirements"
    ((name, block),) = split_blocks((requirements_dir / "legacy.txt").read_text("utf-8"))
    assert (name, block.count("--hash=sha256:")) == ("ctransformers", 1)
    tools = dict(split_blocks((requirements_dir / "legacy_build.txt").read_text("utf-8")))
    assert set(tools) == {"cmake", "ninja", "setuptools"}
    assert all("--hash=sha256:" in block for block in tools.values())


def test_the_key_follows_source_and_tools(layout: Layout) -> None:
    before = legacy.legacy_key(layout)
    assert legacy.legacy_key(layout) == before
    (layout.requirements_dir / "legacy_build.txt").write_text("another\n", encoding="utf-8")
    assert legacy.legacy_key(layout) != before


def fake_compile(layout: Layout, work_dir: Path, progress: CompileProgress) -> Path:
    progress.read("[1/6] c++\n")
    path = work_dir / "out" / "ctransformers-0.2.27-py3-none-any.whl"
    path.parent.mkdir()
    path.touch()
    return path


def test_it_is_compiled_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy, "require_compiler", lambda progress: None)
    monkeypatch.setattr(legacy, "_compile", fake_compile)
    wheel_path = legacy.built_wheel(layout, Progress(quiet=True))
    assert wheel_path.parent == layout.cache_dir / "wheels" / legacy.legacy_key(layout)
    monkeypatch.setattr(legacy, "_compile", lambda *arguments: pytest.fail("compiled again"))
    assert legacy.built_wheel(layout, Progress(quiet=True)) == wheel_path


def test_a_failed_compilation_names_the_log(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(layout: Layout, work_dir: Path, progress: CompileProgress) -> Path:
        progress.read("fatal error\n")
        raise SetupError("Compiling failed")

    monkeypatch.setattr(legacy, "require_compiler", lambda progress: None)
    monkeypatch.setattr(legacy, "_compile", fail)
    with pytest.raises(SetupError) as caught:
        legacy.built_wheel(layout, Progress(quiet=True))
    log_path = layout.cache_dir / "wheels" / "build-legacy.log"
    assert str(log_path) in caught.value.hint
    assert "fatal error" in log_path.read_text(encoding="utf-8")
    assert [path.name for path in log_path.parent.iterdir()] == ["build-legacy.log"]


def archive_of(build_file: str, work_dir: Path) -> None:
    source_dir = work_dir / "ctransformers-0.2.27"
    source_dir.mkdir()
    (source_dir / "CMakeLists.txt").write_text(build_file, encoding="utf-8")
    (work_dir / "archive").mkdir()
    with tarfile.open(work_dir / "archive" / "ctransformers-0.2.27.tar.gz", "w:gz") as archive:
        archive.add(source_dir, source_dir.name)


def test_the_source_is_not_compiled_for_one_processor_alone(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Sequence[str]] = []

    def pip(python: Path, arguments: Sequence[str], *rest: Any) -> None:
        asked.append(arguments)

    monkeypatch.setattr(legacy, "pip", pip)
    archive_of(f"if\n    {legacy._NATIVE}\nendif\n", tmp_path)
    source_dir = legacy._source(layout, Path("python"), tmp_path)
    assert "native" not in (source_dir / "CMakeLists.txt").read_text("utf-8")
    assert "--require-hashes" in asked[0]
    other = tmp_path / "other"
    other.mkdir()
    archive_of("nothing known", other)
    with pytest.raises(SetupError, match="not what it was"):
        legacy._source(layout, Path("python"), other)


def test_a_library_that_cannot_be_loaded_is_refused(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel_path = layout.cache_dir / "wheels" / legacy.legacy_key(layout) / "legacy.whl"
    wheel_path.parent.mkdir(parents=True)
    wheel_path.touch()
    monkeypatch.setattr(legacy, "pip", lambda *arguments: None)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'OSError: wrong machine' >&2\nexit 1\n", encoding="utf-8")
    python.chmod(0o755)
    if platform.system() != "Windows":
        with pytest.raises(SetupError, match="wrong machine"):
            legacy.install(layout, Progress(quiet=True))
