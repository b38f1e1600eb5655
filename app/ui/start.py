"""Starts the program: at most one window a data folder; a second start hands over what it was to open.

Nothing here imports Qt before this process is sure to be the window, so that a second start is quick.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from app import __version__
from app.client.window import claim_window
from app.core.errors import AppError
from app.core.paths import data_paths
from app.protocol.window import OpenInWindow

FAILED = 1
INTERRUPTED = 130
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|file:/", re.IGNORECASE)
_DRIVE = re.compile(r"/[A-Za-z]:(/|$)")
_TOKENS = ("XDG_ACTIVATION_TOKEN", "DESKTOP_STARTUP_ID")
_NOT_SEEN = ("offscreen", "minimal", "vnc")  # Qt platforms that show nothing to the person at the computer


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window and run until it is closed, or pass on what is to be opened; gives the exit status."""
    arguments = parser().parse_args(argv)
    os.umask(0o077)
    paths = data_paths(arguments.data_dir)
    opening = opening_of(arguments.paths, os.environ)
    if opening.n_refused:
        _print_error("Addresses on the network cannot be added.", "Save them on this computer first.")
    try:
        claim = claim_window(paths, opening)
    except AppError as error:
        return _tell(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    if not claim.is_window:
        return 0
    from app.ui.application import run

    arguments.paths, arguments.n_refused = opening.paths, opening.n_refused
    try:
        return run(paths, arguments)
    finally:
        if claim.lock is not None:
            claim.lock.release()


def parser() -> argparse.ArgumentParser:
    """Declare the arguments."""
    result = argparse.ArgumentParser(
        prog="h2ogpt-desktop", description="Private answers from your own documents."
    )
    result.add_argument("paths", nargs="*", help="files and folders to add to the library")
    result.add_argument("--data-dir", help="keep everything in this folder")
    result.add_argument(
        "--timings", type=Path, help="write start times and event-loop delays (JSON) to a file"
    )
    result.add_argument("--began", type=float, default=time.time(), help=argparse.SUPPRESS)
    result.add_argument("--version", action="version", version=f"h2oGPT Desktop {__version__}")
    return result


def opening_of(arguments: Sequence[str], environment: Mapping[str, str]) -> OpenInWindow:
    """Give what the command line asks for: paths and `file:` addresses, absolute, links not followed."""
    named = [path_of(argument) for argument in arguments if argument]
    token = next((value for name in _TOKENS if (value := environment.get(name, ""))), "")
    return OpenInWindow(
        paths=tuple(path for path in named if path),
        n_refused=sum(not path for path in named),
        activation_token=token,
    )


def path_of(argument: str) -> str:
    """Give the absolute path of a path or `file:` address; empty for what is no file of this computer."""
    if not _ADDRESS.match(argument):
        return os.path.abspath(argument)  # noqa: PTH100  # resolve() would follow links
    try:
        address = urlsplit(argument, allow_fragments=False)
    except ValueError:  # brackets that are no IPv6 address
        return ""
    path = os.fsdecode(unquote_to_bytes(os.fsencode(address.path)))
    if os.name == "nt" and _DRIVE.match(path):  # pragma: no cover  # this system only
        path = path[1:]
    is_here = address.scheme.lower() == "file" and address.netloc in ("", "localhost")
    # `//host/share` names another machine; touching one can give away credentials (Windows).
    return os.path.abspath(path) if is_here and path and not path.startswith(("//", "\\\\")) else ""  # noqa: PTH100


def is_seen(environment: Mapping[str, str], system: str = sys.platform) -> bool:
    """Whether a window would be seen by somebody."""
    if environment.get("QT_QPA_PLATFORM", "").partition(":")[0] in _NOT_SEEN:
        return False
    return not system.startswith("linux") or any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _tell(error: AppError) -> int:
    """Say why there is no window; who double-clicked sees no standard error."""
    _print_error(error.user_message, error.hint)
    if is_seen(os.environ):
        from app.ui.start_failure import show_failure

        show_failure(error)
    return FAILED


def _print_error(*lines: str) -> None:
    if sys.stderr is not None:  # a program without a console has none (Windows)
        sys.stderr.write("\n".join(line for line in lines if line) + "\n")
