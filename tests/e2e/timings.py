"""What a window that was started with `--timings` has written down so far."""

import contextlib
import json
from pathlib import Path
from typing import Any


def timings_in(path: Path) -> dict[str, Any]:
    """Give the figures; none before they are whole."""
    with contextlib.suppress(OSError, ValueError):
        timings: dict[str, Any] = json.loads(path.read_text())
        return timings
    return {}
