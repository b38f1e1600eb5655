"""Entry of the host process: `python -m app.host --data-dir DIR`, or `h2ogpt-worker host …` when frozen.

On standard output it says one line of JSON to whoever started it: `{"state": "ready"}`,
`{"state": "taken"}` (another host has the folder) or `{"state": "failed", "error": {…}}`. Heavy imports come
after the lock, so that losing a race costs little.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one data folder until nobody needs it; return the exit code."""
    os.umask(0o077)  # before anything else: nothing the host or a library makes is for others
    parser = argparse.ArgumentParser(prog="h2ogpt-worker host", description="The background process.")
    parser.add_argument("--data-dir", help="the data folder")
    parser.add_argument("--port", action="store_true", help="listen on a loopback port with a token")
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    arguments = parser.parse_args(argv)
    if arguments.detach and hasattr(os, "fork"):
        if os.fork():
            os._exit(0)  # the starter reaps this process at once; the host belongs to the system from now on
        os.chdir("/")  # keeps no folder of the starter's busy
    return run(arguments.data_dir, on_port=arguments.port or not hasattr(os, "getuid"))


def run(data_dir: str | None, on_port: bool) -> int:
    """Take the data folder and serve it; return the exit code."""
    from app.core.errors import AppError
    from app.core.paths import data_paths
    from app.host.data_folder import take_over

    paths = data_paths(data_dir)
    try:
        lock = take_over(paths)
        if lock is None:
            say({"state": "taken"})
            return 0
        from app.host.process import serve

        serve(paths, on_port, on_ready=lambda: say({"state": "ready"}))
    except AppError as error:
        body = error.to_body()
        failure = {
            "code": body.code,
            "message": body.message,
            "hint": body.hint,
            "context": body.context,
        }
        say({"state": "failed", "error": failure})
        return 1
    return 0


def say(line: dict[str, Any]) -> None:
    """Tell the starter, once, and let go of its pipe; it may have gone."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
