"""Run the checks of ``scripts/test.py`` one after the other and report on all of them, whatever fails."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from scripts.setup.progress import SetupError

# Nothing here takes as long; a check that hangs must not hang the whole run.
LIMIT_SECONDS = 2400
PYTEST_FOUND_NOTHING = 5


@dataclass(frozen=True)
class Result:
    """How one check ended.

    Attributes:
        name: What it checked.
        state: ``passed``, ``FAILED`` or ``left out``.
        seconds: How long it took.
        remark: A few words for the table.
    """

    name: str
    state: str
    seconds: float
    remark: str = ""


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: What it checks.
        run: Does it; returns whether it passed and a remark.
    """

    name: str
    run: Callable[[], tuple[bool, str]]


@dataclass
class TestCounts:
    """How many tests ended how, over all parts.

    Attributes:
        passed: Ran and held.
        failed: Did not hold, or broke.
        skipped: Could not run here.
    """

    __test__ = False  # pytest would take the class for a test because of its name

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add_report(self, report_path: Path) -> str:
        """Add the numbers of a JUnit report; return them in words, or nothing where there is no report."""
        if not report_path.is_file():
            return "no report"
        suite = ElementTree.parse(report_path).getroot().find("testsuite")  # noqa: S314 - written by pytest just now
        if suite is None:
            return "empty report"
        total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        self.passed += total - skipped - failed
        self.failed += failed
        self.skipped += skipped
        return f"{total - skipped - failed} passed, {failed} failed, {skipped} skipped"


@dataclass
class CheckRunner:
    """Run checks and remember how they ended.

    Attributes:
        root_dir: The repository, where commands run.
        results: One entry per finished check.
    """

    root_dir: Path
    results: list[Result] = field(default_factory=list)

    def call(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        output: IO[bytes] | None = None,
    ) -> int:
        """Run a command with its output shown as it comes, or written to `output`.

        Returns:
            its exit code (124: took too long).
        """
        process = subprocess.Popen(
            list(command),
            cwd=self.root_dir,
            env={**os.environ, **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            start_new_session=os.name == "posix",
        )
        try:
            return process.wait(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"Stopped after {LIMIT_SECONDS} s.", flush=True)
            _end(process)
            return 124
        except KeyboardInterrupt:
            _end(process)
            raise

    def run(self, check: Check) -> None:
        """Run one check; a failure is remembered and the next check still runs."""
        print(f"\n=== {check.name}", flush=True)
        started = time.monotonic()
        try:
            passed, remark = check.run()
        except SetupError as error:
            passed, remark = False, f"{error.message} {error.hint}".strip()
            print(remark, flush=True)
        state = "passed" if passed else "FAILED"
        self.results.append(Result(check.name, state, time.monotonic() - started, remark))

    def leave_out(self, name: str, reason: str) -> None:
        """Remember that a check does not run, and why."""
        self.results.append(Result(name, "left out", 0.0, reason))

    def table(self) -> str:
        """Return every result as aligned lines."""
        width = max((len(result.name) for result in self.results), default=0)
        return "\n".join(
            f"{item.name:<{width}}  {item.state:<8}  {item.seconds:7.1f} s  {item.remark}".rstrip()
            for item in self.results
        )

    @property
    def has_failed(self) -> bool:
        """Whether any check failed."""
        return any(result.state == "FAILED" for result in self.results)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
