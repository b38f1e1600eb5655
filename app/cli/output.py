"""What the commands print: JSON values, lines of words, errors with their next step."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from app.core.errors import AppError

# What a terminal would obey: names of files, answers and documents are others' text.
_OBEYED = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"} | {13: None}


def prepare() -> None:
    """Make standard output and error take any text, and standard input any bytes, whatever the locale."""
    for stream, errors in (
        (sys.stdout, "backslashreplace"),
        (sys.stderr, "backslashreplace"),
        (sys.stdin, "replace"),
    ):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=errors)


def readable(text: str) -> str:
    """Replace what is no text in an argument (bytes that the locale cannot decode)."""
    return text.encode("utf-8", "replace").decode("utf-8")


def plain(text: str) -> str:
    """Take out of a text what a terminal would obey instead of showing it."""
    return text.translate(_OBEYED)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON value on its line; non-ASCII is escaped, so that odd file names survive."""
    print(json.dumps(value, ensure_ascii=True), flush=True)


def print_words(text: str) -> None:
    """Print a line for a person."""
    print(plain(text), flush=True)


def print_error(error: AppError, *, as_json: bool = False) -> None:
    """Tell what happened and the next step on standard error, and with `--json` as a JSON value too."""
    hint = f"\n{error.hint}" if error.hint else ""
    print(plain(f"{error.user_message}{hint}"), file=sys.stderr, flush=True)
    if as_json:
        print_json({"error": {"code": error.code, "message": error.user_message, "hint": error.hint}})


def one_line(text: str, limit: int = 200) -> str:
    """Give the text on one line, shortened with an ellipsis."""
    joined = " ".join(text.split())
    return joined if len(joined) <= limit else joined[: limit - 1].rstrip() + "…"


def file_name(path: str) -> str:
    """Give the last part of a path."""
    return os.path.basename(path) or path  # noqa: PTH119  # text that may be of another system


def close_quietly() -> None:
    """Point standard output at nothing after its reader has gone, so that the exit flush is silent."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
