#!/usr/bin/env python3
"""Set up everything, then run every check and print how each ended.

Format, lint, types and layers; the tests without Qt (in an environment where it cannot be imported), the
window's tests offscreen, those on a real display under Xvfb; coverage against each package's floor.
``--fast`` leaves out the tests marked ``slow`` and those on a display. ``-k WORDS`` passes to pytest.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the message must reach users of older versions
    sys.exit(
        "Python %d.%d is too old; Python 3.11 or later is needed.\n" % sys.version_info[:2]  # noqa: UP031
        + "Start this script with a newer one, for example: python3.12 scripts/test.py"
    )

import argparse
import platform
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.setup.checks import PYTEST_FOUND_NOTHING, Check, CheckRunner, TestCounts
from scripts.setup.coverage_floor import FLOORS, read_report
from scripts.setup.display import virtual_display
from scripts.setup.layout import Layout, current_layout
from scripts.setup.progress import Progress, SetupError, explain
from scripts.setup.steps import set_up

CHECKED_FOLDERS = ("app", "scripts", "tests")
PART_TITLES = {"core": "tests without Qt", "ui": "tests of the window", "display": "tests on a display"}


class TestRun:
    """The checks of one run.

    Attributes:
        runner: Runs them and keeps the results.
        counts: The tests of all parts together.
    """

    __test__ = False  # pytest would take the class for a test because of its name

    def __init__(self, layout: Layout, options: argparse.Namespace, work_dir: Path) -> None:
        """Prepare a run whose reports and coverage data go to ``work_dir``."""
        self.runner = CheckRunner(layout.root_dir)
        self.counts = TestCounts()
        self._layout = layout
        self._options = options
        self._work_dir = work_dir
        self._coverage = {"COVERAGE_FILE": str(work_dir / "coverage" / "data")}
        (work_dir / "coverage").mkdir()

    def tool(self, name: str, *arguments: str) -> tuple[bool, str]:
        """Run one of the environment's tools; pass if it exits with 0."""
        program = shutil.which(name, path=str(self._layout.commands_dir))
        if program is None:
            raise SetupError(f"{name} is not installed.", "Delete .venv/.setup and run this again.")
        return self.runner.call([program, *arguments]) == 0, ""

    def static_checks(self) -> None:
        """Check format, lint, types and layers."""
        self.runner.run(Check("format", lambda: self.tool("ruff", "format", "--check", *CHECKED_FOLDERS)))
        self.runner.run(Check("lint", lambda: self.tool("ruff", "check", *CHECKED_FOLDERS)))
        self.runner.run(Check("types", lambda: self.tool("mypy")))
        self.runner.run(Check("layers", lambda: self.tool("lint-imports")))

    def pytest(
        self, part: str, environment: dict[str, str], output: IO[bytes] | None = None
    ) -> tuple[bool, str]:
        """Run one part of the tests, under coverage (child processes included) unless it has to be fast."""
        report_path = self._work_dir / f"{part}.xml"
        command = [str(self._layout.python_path), "-m"]
        if not self._options.fast:
            command += ["coverage", "run", "-m"]
        command += [
            "pytest",
            "-p",
            "scripts.setup.test_parts",
            "--part",
            part,
            "--junitxml",
            str(report_path),
        ]
        if part == "core":
            command += ["-p", "no:pytest-qt"]
        if self._options.fast:
            command += ["-m", "not slow and not torch"]
        if self._options.k:
            command += ["-k", self._options.k]
        exit_code = self.runner.call(command, {**self._coverage, **environment}, output)
        return exit_code in {0, PYTEST_FOUND_NOTHING}, self.counts.add_report(report_path)

    def tests(self) -> None:
        """Run the three parts of the tests."""
        blocked = {"PYTHONPATH": str(self._layout.root_dir / "scripts" / "setup" / "without_qt")}
        core = Check(PART_TITLES["core"], lambda: self.pytest("core", blocked))
        self._side_by_side(core, {"QT_QPA_PLATFORM": "offscreen"})
        if self._options.fast:
            self.runner.leave_out(PART_TITLES["display"], "with --fast")
        elif platform.system() != "Linux":
            self.runner.leave_out(PART_TITLES["display"], "Xvfb is there on Linux only")
        else:
            self.runner.run(Check(PART_TITLES["display"], self._tests_on_a_display))

    def _side_by_side(self, core: Check, offscreen: dict[str, str]) -> None:
        """Run the window's tests beside the others; their output is shown when the others are done."""
        output_path = self._work_dir / "window.txt"
        with output_path.open("wb") as output, ThreadPoolExecutor(1) as pool:
            window = pool.submit(self.pytest, "ui", offscreen, output)
            self.runner.run(core)
            self.runner.run(Check(PART_TITLES["ui"], window.result))
        print(output_path.read_text(encoding="utf-8", errors="replace"), flush=True)

    def _tests_on_a_display(self) -> tuple[bool, str]:
        with virtual_display() as variables:
            return self.pytest("display", variables)

    def coverage(self) -> tuple[bool, str]:
        """Join the data of all processes and compare each package with its floor."""
        coverage = [str(self._layout.python_path), "-m", "coverage"]
        report_path = self._work_dir / "coverage.json"
        # Data of a process that was killed while writing it cannot be read; it is named and left out.
        self.runner.call([*coverage, "combine", "--quiet"], self._coverage)
        if self.runner.call([*coverage, "json", "--quiet", "-o", str(report_path)], self._coverage) != 0:
            return False, "no data"
        self.runner.call([*coverage, "report"], self._coverage)
        packages = read_report(report_path, self._layout.root_dir, FLOORS)
        for item in packages:
            needed = "" if item.floor is None else f" (needed: {item.floor:.0f})"
            print(f"{item.package:<16} {int(item.percent * 10) / 10:5.1f} %{needed}")
        short = [item.package for item in packages if not item.is_enough]
        return not short, f"below the floor: {', '.join(short)}" if short else ""

    def everything(self) -> bool:
        """Run all checks, print the table, and return whether all passed."""
        self.static_checks()
        self.tests()
        if self._options.fast or self._options.k:
            self.runner.leave_out("coverage", "only with all tests")
        else:
            self.runner.run(Check("coverage", self.coverage))
        print(f"\n{self.runner.table()}\n")
        print(f"{self.counts.passed} passed, {self.counts.failed} failed, {self.counts.skipped} skipped")
        return not self.runner.has_failed


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Set up everything, then run every check.")
    parser.add_argument("--fast", action="store_true", help="leave out slow tests, displays and coverage")
    parser.add_argument("-k", metavar="WORDS", default="", help="only tests whose names match (see pytest)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    started = time.monotonic()
    layout = current_layout()
    try:
        set_up(layout, Progress(), for_tests=True)
        set_up_seconds = time.monotonic() - started
        with tempfile.TemporaryDirectory(prefix="h2ogpt-checks-") as temporary:
            passed = TestRun(layout, options, Path(temporary)).everything()
    except SetupError as error:
        explain(error)
        return 1
    total = time.monotonic() - started
    print(f"{'All checks passed' if passed else 'Some checks FAILED'} in {total:.0f} s", end="")
    print(f" (set-up {set_up_seconds:.1f} s), Python {platform.python_version()}.")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
