#!/usr/bin/env python3
"""Set up everything that is missing, then start h2oGPT Desktop.

``python3 scripts/run.py`` opens the window, or, where there is no display, a terminal chat over the sample
document. ``python3 scripts/run.py -- ARGS`` runs ``h2ogpt ARGS``: its exit code is the program's, and
standard output belongs to the program alone.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the message must reach users of older versions
    sys.exit(
        "Python %d.%d is too old; Python 3.11 or later is needed.\n" % sys.version_info[:2]  # noqa: UP031
        + "Start this script with a newer one, for example: python3.12 scripts/run.py"
    )

import os
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.setup import launch
from scripts.setup.layout import Layout, current_layout
from scripts.setup.progress import Progress, SetupError, explain
from scripts.setup.steps import set_up

USAGE = """usage: python3 scripts/run.py [--setup-only] [-- ARGS]

  --setup-only   set up and stop
  -- ARGS        run `h2ogpt ARGS` instead of opening the window, for example:
                 python3 scripts/run.py -- ask "How long is the warranty?"
"""


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Return this script's own arguments, and the program's if there is a ``--``."""
    own = list(arguments)
    if "--" not in own:
        return own, None
    position = own.index("--")
    return own[:position], own[position + 1 :]


def start(layout: Layout, program_arguments: Sequence[str] | None, progress: Progress) -> int:
    """Start the window, the terminal chat, or the command that was asked for; return its exit code."""
    if program_arguments:
        return launch.become(launch.program_command(layout, program_arguments))
    if launch.has_display(os.environ):
        return launch.become(launch.program_command(layout, []))
    progress.say("There is no display here, so no window can open: starting the terminal chat instead.")
    result = launch.ingest_sample(layout)
    if result.returncode != 0:
        progress.say(
            f"The sample document could not be added: {result.stderr.strip() or result.stdout.strip()}"
        )
        return result.returncode
    progress.say(f"You can ask about the sample document, {layout.root_dir / 'resources' / 'sample'}.")
    return launch.become(launch.chat_command(layout))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    own, program_arguments = split_arguments(sys.argv[1:] if arguments is None else arguments)
    unknown = [word for word in own if word not in {"--setup-only", "-h", "--help"}]
    if unknown or "-h" in own or "--help" in own:
        print(USAGE, end="", file=sys.stderr if unknown else sys.stdout)
        return 2 if unknown else 0
    progress = Progress(sys.stdout if program_arguments is None else sys.stderr)
    layout = current_layout()
    try:
        set_up(layout, progress)
        return 0 if "--setup-only" in own else start(layout, program_arguments, progress)
    except SetupError as error:
        explain(error)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Running the same command again continues where it was.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
