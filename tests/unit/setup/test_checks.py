"""The check runner: everything runs, everything is reported, and one failure fails the run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.setup import checks
from scripts.setup.checks import Check, CheckRunner, TestCounts
from scripts.setup.coverage_floor import read_report
from scripts.setup.layout import REPOSITORY_DIR
from scripts.setup.progress import SetupError
from scripts.setup.test_parts import part_of


def test_all_checks_run_even_when_one_fails(tmp_path: Path) -> None:
    runner = CheckRunner(tmp_path)
    runner.run(Check("lint", lambda: (False, "two errors")))
    runner.run(Check("tests", lambda: (True, "5 passed")))

    def missing() -> tuple[bool, str]:
        raise SetupError("Xvfb is missing.", "Install it.")

    runner.run(Check("display", missing))
    runner.leave_out("coverage", "with --fast")
    assert runner.has_failed
    assert [result.state for result in runner.results] == ["FAILED", "passed", "FAILED", "left out"]
    table = runner.table()
    assert "two errors" in table
    assert "Xvfb is missing. Install it." in table
    assert len(table.splitlines()) == 4


def test_a_command_gives_its_exit_code_and_sees_its_variables(tmp_path: Path) -> None:
    runner = CheckRunner(tmp_path)
    code = "import os, sys; sys.exit(int(os.environ['WANTED']))"
    assert runner.call([sys.executable, "-c", code], {"WANTED": "6"}) == 6


def test_a_command_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LIMIT_SECONDS", 0.2)
    assert CheckRunner(tmp_path).call([sys.executable, "-c", "import time; time.sleep(60)"]) == 124


def test_counts_are_added_over_reports(tmp_path: Path) -> None:
    report_path = tmp_path / "report.xml"
    report_path.write_text(
        '<testsuites><testsuite tests="10" failures="1" errors="1" skipped="2"/></testsuites>',
        encoding="utf-8",
    )
    counts = TestCounts()
    assert counts.add_report(report_path) == "6 passed, 2 failed, 2 skipped"
    counts.add_report(report_path)
    assert (counts.passed, counts.failed, counts.skipped) == (12, 4, 4)
    assert counts.add_report(tmp_path / "missing.xml") == "no report"


def write_report(path: Path, files: dict[str, tuple[int, int, int, int]]) -> Path:
    names = ("covered_lines", "num_statements", "covered_branches", "num_branches")
    content = {
        "files": {name: {"summary": dict(zip(names, row, strict=True))} for name, row in files.items()}
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_coverage_is_compared_with_each_floor(tmp_path: Path) -> None:
    report_path = write_report(
        tmp_path / "report.json",
        {
            "app/core/errors.py": (10, 10, 4, 4),
            "app/core/paths.py": (9, 10, 4, 4),
            str(tmp_path / "app" / "ui" / "window.py"): (8, 10, 1, 1),
            "app/__main__.py": (0, 3, 0, 0),
        },
    )
    packages = {
        item.package: item for item in read_report(report_path, tmp_path, {"app/core": 100.0, "app/ui": 81.0})
    }
    assert not packages["app/core"].is_enough
    assert packages["app/core"].percent == pytest.approx(2700 / 28)
    assert packages["app/ui"].is_enough
    assert packages["app"].is_enough


@pytest.mark.parametrize(
    ("path", "markers", "expected"),
    [
        ("tests/unit/core/test_a.py", set(), "core"),
        ("tests/ui/chat/test_b.py", set(), "ui"),
        ("tests/e2e/test_c.py", {"ui"}, "ui"),
        ("tests/ui/test_d.py", {"xvfb"}, "display"),
        ("tests/e2e/test_e.py", {"xvfb", "slow"}, "display"),
    ],
)
def test_each_test_belongs_to_one_part(path: str, markers: set[str], expected: str) -> None:
    assert part_of(Path(path), markers) == expected


def test_qt_cannot_be_imported_in_the_run_without_it() -> None:
    import os

    folder = REPOSITORY_DIR / "scripts" / "setup" / "without_qt"
    for module in ("PySide6.QtCore", "qasync"):
        result = subprocess.run(
            [sys.executable, "-c", f"import importlib; importlib.import_module({module!r})"],
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode != 0
        assert "blocked by this test run" in result.stderr


@pytest.mark.xvfb
def test_a_virtual_display_opens_and_closes() -> None:
    from scripts.setup.display import virtual_display

    with virtual_display() as variables:
        result = subprocess.run(["xwininfo", "-root", "-display", variables["DISPLAY"]], check=False)
        assert result.returncode == 0
    after = subprocess.run(
        ["xwininfo", "-root", "-display", variables["DISPLAY"]], capture_output=True, check=False
    )
    assert after.returncode != 0
