"""The data folder's layout, and where the socket and the resources are."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from app.core import paths as module
from app.core.paths import DataPaths, data_paths, resources_dir, runtime_dir, starter_models_dir


def test_everything_stands_in_the_data_folder(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    names = {
        getattr(paths, name) for name in dir(DataPaths) if isinstance(getattr(DataPaths, name), property)
    }
    assert len(names) == 18 and all(tmp_path in path.parents for path in names)
    assert not list(tmp_path.iterdir())


def test_the_argument_wins_then_the_variable_then_the_platform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("H2OGPT_DATA_DIR", "relative")
    assert data_paths(tmp_path / "é").root == tmp_path / "é"
    assert data_paths().root == tmp_path / "relative"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_paths("~/here").root == tmp_path / "here"
    monkeypatch.delenv("H2OGPT_DATA_DIR")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert data_paths().root.name == "h2ogpt-desktop"


def test_the_socket_is_named_by_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/tmp")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp")
    first, second = DataPaths(tmp_path / "a"), DataPaths(tmp_path / "b")
    assert first.socket_path() != second.socket_path()
    assert first.socket_path().parent == runtime_dir() == Path("/tmp/h2ogpt-desktop")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    assert runtime_dir() == Path(f"/tmp/h2ogpt-desktop-{os.getuid()}")
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    assert first.socket_path().parent == Path(f"/tmp/h2ogpt-desktop-{os.getuid()}")
    monkeypatch.delattr(os, "getuid")
    assert module._short_runtime_dir() == Path("/tmp/h2ogpt-desktop-0")


def test_resources_from_source_and_frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (resources_dir().parent / "app" / "core" / "paths.py").exists()
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path), raising=False)
    assert starter_models_dir() == tmp_path / "resources" / "models"
