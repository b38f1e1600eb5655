"""Background processes: the one place that builds their command, and their end with their parent's."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from app.core.frozen import is_frozen

_PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h
KINDS = (
    "host",
    "library",
    "index",
    "inference",
    "render",
    "parser",
    "template",
    "grammar",
    "probe",
    "decoder",
    "voice",
)


def worker_command(kind: str, arguments: Sequence[str] = ()) -> list[str]:
    """Give argv of the background process `kind` with its arguments.

    From source it is this interpreter with `-P` (the working directory never gets onto the module path);
    frozen it is the Qt-free executable that stands beside the program.
    """
    if kind not in KINDS:
        raise ValueError(f"no background process is called {kind!r}")
    if is_frozen():
        suffix = ".exe" if os.name == "nt" else ""
        command = [str(Path(sys.executable).with_name(f"h2ogpt-worker{suffix}")), kind]
    elif kind == "host":
        command = [sys.executable, "-P", "-m", "app.host"]
    else:
        command = [sys.executable, "-P", "-m", "app.worker", kind]
    return [*command, *arguments]


def window_command(arguments: Sequence[str] = ()) -> list[str]:
    """Give argv of the window with its arguments; frozen, it stands beside the program that asks."""
    if is_frozen():
        suffix = ".exe" if os.name == "nt" else ""
        return [str(Path(sys.executable).with_name(f"h2ogpt-desktop{suffix}")), *arguments]
    return [sys.executable, "-P", "-m", "app.ui", *arguments]


def worker_environment() -> dict[str, str]:
    """Give the environment of background processes: no telemetry, no hub access, UTF-8 throughout.

    From source, the tree that this program runs from comes first on their module path.
    """
    environment = dict(os.environ)
    if not is_frozen():
        top = str(Path(__file__).resolve().parents[2])
        others = [
            part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part not in ("", top)
        ]
        environment["PYTHONPATH"] = os.pathsep.join([top, *others])
    return environment | {
        "ANONYMIZED_TELEMETRY": "False",
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        # Exact search is bound by memory: a second BLAS thread gains little and spins where cores are busy.
        "OPENBLAS_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "OTEL_SDK_DISABLED": "true",
        "PYTHONUTF8": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def die_with_parent() -> None:
    """Have the system kill this process when the process that started it ends, however it ends.

    Linux only; elsewhere the end of stdin is what tells a background process. Called by the child, first
    thing. The signal comes when the thread that started the child ends: that must be a lasting one.
    """
    if sys.platform == "linux":
        import ctypes  # only background processes need it

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
