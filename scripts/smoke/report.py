"""The findings of a smoke test, printed as they come."""

from __future__ import annotations


class Report:
    """Counts what held and what did not."""

    def __init__(self) -> None:
        """Begin."""
        self.passed = 0
        self.failed: list[str] = []

    def check(self, name: str, ok: object, detail: str = "") -> bool:
        """Print one finding; return whether it holds."""
        mark = "ok    " if ok else "FAILED"
        print(f"{mark} {name}{': ' if detail else ''}{detail}", flush=True)
        if ok:
            self.passed += 1
        else:
            self.failed.append(name)
        return bool(ok)

    def figure(self, name: str, value: str) -> None:
        """Print a figure that nothing is asked of."""
        print(f"       {name}: {value}", flush=True)

    def close(self) -> int:
        """Print the sum; return the exit code."""
        print(f"{self.passed} passed, {len(self.failed)} failed", flush=True)
        return 1 if self.failed else 0
