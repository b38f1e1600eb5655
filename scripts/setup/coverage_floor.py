"""Compare the coverage of each package with its floor. The floors only ever rise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Percent of statements and branches. core and protocol are pure: nothing there excuses an untested line.
FLOORS: dict[str, float] = {
    "app/protocol": 100.0,
    "app/core": 100.0,
    "app/client": 95.0,
    "app/host": 95.0,
    "app/ui": 97.0,
}


@dataclass(frozen=True)
class PackageCoverage:
    """What the tests reached in one package.

    Attributes:
        package: Its folder, such as ``app/core``.
        percent: Statements and branches reached, 0 to 100.
        floor: What it must reach, or None.
    """

    package: str
    percent: float
    floor: float | None

    @property
    def is_enough(self) -> bool:
        """Whether the floor is reached (rounded down to a tenth, as it is shown)."""
        return self.floor is None or self.percent + 1e-9 >= self.floor


def read_report(report_path: Path, root_dir: Path, floors: Mapping[str, float]) -> list[PackageCoverage]:
    """Add up the files of coverage's JSON report by package (the two first folders of their path).

    Args:
        report_path: The report.
        root_dir: The repository, which paths are made relative to.
        floors: Percent by package.

    Raises:
        ValueError: The report is of another form.
    """
    files = json.loads(report_path.read_text(encoding="utf-8"))["files"]
    sums: dict[str, list[int]] = {}
    for name, entry in files.items():
        path = Path(name)
        parts = (path.relative_to(root_dir) if path.is_absolute() else path).parts
        package = "/".join(parts[:2]) if len(parts) > 2 else parts[0]
        summary = entry["summary"]
        total = sums.setdefault(package, [0, 0])
        total[0] += summary["covered_lines"] + summary.get("covered_branches", 0)
        total[1] += summary["num_statements"] + summary.get("num_branches", 0)
    return [
        PackageCoverage(package, 100.0 * hit / count if count else 100.0, floors.get(package))
        for package, (hit, count) in sorted(sums.items())
    ]
