"""Argument types and options that commands share."""

import argparse
import os

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Let `--data-dir` stand before and after the subcommand; the later one counts."""
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="data folder (default: H2OGPT_DATA_DIR, or the user's own)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON value a line and nothing else")


def add_collection(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Add `--collection NAME`."""
    parser.add_argument("--collection", metavar="NAME", default="", help=purpose)


def add_generation(parser: argparse.ArgumentParser) -> None:
    """Add the options of an answer."""
    add_collection(parser, "use only the documents of this collection")
    parser.add_argument("--model", metavar="NAME", default="", help="chat model (default: the setting's)")
    parser.add_argument("--no-documents", action="store_true", help="ask the model alone, without documents")
    parser.add_argument("--max-tokens", type=whole_number(1), metavar="N", help="longest answer in tokens")
    parser.add_argument(
        "--temperature", type=real_number(0.0, 2.0), metavar="T", help="0 (always the likeliest word) to 2"
    )
    parser.add_argument("--seed", type=whole_number(0), metavar="S", help="makes a random answer repeatable")


def absolute_path(text: str) -> str:
    """Make a path absolute without following links; it need not exist."""
    return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111  # bytes of odd names survive


class whole_number:  # noqa: N801  # reads as a type in add_argument
    """A whole number of at least `least`."""

    def __init__(self, least: int) -> None:
        """Keep the bound."""
        self._least = least

    def __call__(self, text: str) -> int:
        """Read one argument."""
        try:
            value = int(text)
        except ValueError:
            value = self._least - 1
        if not self._least <= value < 2**31:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {self._least}")
        return value


class real_number:  # noqa: N801
    """A number within bounds."""

    def __init__(self, least: float, most: float) -> None:
        """Keep the bounds."""
        self._least, self._most = least, most

    def __call__(self, text: str) -> float:
        """Read one argument."""
        try:
            value = float(text)
        except ValueError:
            value = self._least - 1
        if not self._least <= value <= self._most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {self._least} to {self._most}")
        return value
