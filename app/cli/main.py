"""The `h2ogpt` command: reads arguments, connects, runs one command; never a traceback.

Exit codes: 0 done (also when nothing was found), 1 failed, 2 usage, 130 interrupted.
"""

import argparse
import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from types import ModuleType

from app import __version__
from app.cli import arguments
from app.cli.commands import (
    ask,
    chat,
    doctor,
    ingest,
    library,
    models,
    network,
    search,
    speak,
    transcribe,
    voices,
)
from app.cli.notices import Notices
from app.cli.output import close_quietly, prepare, print_error
from app.client import Cancelled, HostClient
from app.core.errors import AppError, UsageError
from app.core.paths import data_paths
from app.core.processes import window_command

COMMANDS: dict[str, tuple[ModuleType, str]] = {
    "chat": (chat, "chat in the terminal, with citations"),
    "ingest": (ingest, "add files and folders to the library"),
    "search": (search, "find passages"),
    "ask": (ask, "answer a question from the documents"),
    "library": (library, "list and remove files and collections"),
    "models": (models, "list, choose, measure and set models"),
    "transcribe": (transcribe, "write down what is said in audio and video files"),
    "speak": (speak, "speak a text into a sound file"),
    "voices": (voices, "list speech models, voices and sound devices"),
    "network": (network, "show and switch connections to the network"),
    "doctor": (doctor, "check the data folder and the engines"),
}

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    prepare()
    logging.basicConfig(level=logging.CRITICAL)
    options = build_parser().parse_args(argv)
    data_dir: str | None = getattr(options, "data_dir", None)
    try:
        if options.command is None:
            return open_window(data_dir)
        if options.command == "chat":
            return chat.run(options, data_dir)
        return asyncio.run(_run(options, data_dir))
    except AppError as error:
        print_error(error, as_json=getattr(options, "json", False))
    except Cancelled:
        sys.stderr.write("Cancelled.\n")
    except KeyboardInterrupt:
        return arguments.INTERRUPTED
    except BrokenPipeError:
        close_quietly()
    except Exception as error:  # the border of the process: whatever went wrong is told in words
        sys.stderr.write(f"Something went wrong inside ({type(error).__name__}: {error}).\n")
        sys.stderr.write("Run `h2ogpt doctor`; the logs in the data folder say more.\n")
    return arguments.FAILED


def build_parser() -> argparse.ArgumentParser:
    """Declare every command."""
    parser = argparse.ArgumentParser(
        prog="h2ogpt",
        description="A private, offline assistant for your documents. Without a command it opens the window.",
    )
    parser.add_argument("--version", action="version", version=f"h2oGPT Desktop {__version__}")
    arguments.add_data_dir(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (module, purpose) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
        arguments.add_data_dir(command)
        module.add_parser(command)
    return parser


def open_window(data_dir: str | None) -> int:
    """Become the window's process (or wait for it, where a process cannot be replaced).

    Raises:
        UsageError: `window.no_display`.
    """
    if sys.platform.startswith("linux") and not any(map(os.environ.get, _DISPLAYS)):
        raise UsageError(
            "window.no_display",
            "There is no display here to open the window on.",
            "Chat in the terminal with: h2ogpt chat",
        )
    command = window_command(["--data-dir", data_dir] if data_dir else [])
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606  # our own command, no shell
    return subprocess.call(command)


async def _run(options: argparse.Namespace, data_dir: str | None) -> int:
    module, _ = COMMANDS[options.command]
    notices = Notices()
    client = await HostClient.connect(data_paths(data_dir), kind="cli", on_event=notices.on_event)
    try:
        if module is ingest:
            return await notices.or_storage_trouble(module.run(options, client))
        code: int = await module.run(options, client)
        return code
    finally:
        await client.close()
