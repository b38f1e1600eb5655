"""A pytest plug-in that runs one part of the tests: those without Qt, those with it, or those on a display.

``scripts/test.py`` loads it with ``-p scripts.setup.test_parts``. A test belongs to ``display`` if it is
marked ``xvfb``, else to ``ui`` if it is marked ``ui`` or stands in ``tests/ui``, else to ``core``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

PARTS = ("core", "ui", "display")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--part``."""
    parser.addoption("--part", choices=PARTS, default=None, help="run one part of the tests")


def part_of(path: Path, markers: set[str]) -> str:
    """Return the part a test belongs to.

    Args:
        path: The test's file, relative to the repository.
        markers: The names of its markers.
    """
    if "xvfb" in markers:
        return "display"
    if "ui" in markers or path.parts[:2] == ("tests", "ui"):
        return "ui"
    return "core"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import the window's tests where Qt is not there."""
    if config.getoption("--part") == "core" and collection_path == config.rootpath / "tests" / "ui":
        return True
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the chosen part."""
    wanted = config.getoption("--part")
    if wanted is None:
        return
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        markers = {marker.name for marker in item.iter_markers()}
        relative_path = item.path.relative_to(config.rootpath)
        (kept if part_of(relative_path, markers) == wanted else left_out).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)
