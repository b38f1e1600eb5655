"""The one place that builds the command of a background process."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

KINDS = ("host", "library", "inference", "render", "parser")


def worker_command(kind: str, arguments: Sequence[str] = ()) -> list[str]:
    """Give argv of the background process `kind` with its arguments.

    From source it is this interpreter with `-P` (the working directory never gets onto the module path);
    frozen it is the Qt-free executable that stands beside the program.
    """
    if kind not in KINDS:
        raise ValueError(f"no background process is called {kind!r}")
    if getattr(sys, "frozen", False):
        suffix = ".exe" if os.name == "nt" else ""
        command = [str(Path(sys.executable).with_name(f"h2ogpt-worker{suffix}")), kind]
    elif kind == "host":
        command = [sys.executable, "-P", "-m", "app.host"]
    else:
        command = [sys.executable, "-P", "-m", "app.worker", kind]
    return [*command, *arguments]


def worker_environment() -> dict[str, str]:
    """Give the environment of background processes: no telemetry, no hub access, UTF-8 throughout."""
    return os.environ | {
        "ANONYMIZED_TELEMETRY": "False",
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "OTEL_SDK_DISABLED": "true",
        "PYTHONUTF8": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
