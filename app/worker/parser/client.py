"""The library worker's side of parsing: hands files to sandboxed children and takes their results."""

import threading
from collections.abc import Callable
from typing import BinaryIO

from app.worker.parser.result import WORD_RECORD, Parsed, ParsedHeading, ParsedPage, ParserLimits

__all__ = [
    "WORD_RECORD",
    "ParseCancelled",
    "Parsed",
    "ParsedHeading",
    "ParsedPage",
    "ParserClient",
    "ParserLimits",
]


class ParseCancelled(Exception):  # noqa: N818  # an outcome, not a fault
    """The file's reading was cancelled; nothing of it is kept."""


def _ignore_progress(fraction: float) -> None:
    """Drop progress."""


class ParserClient:
    """Parses untrusted files, each in a process of its own; thread-safe, every call blocks."""

    def __init__(self, limits: ParserLimits = ParserLimits()) -> None:
        """Take the limits; the parser process starts at the first file (or `warm`)."""
        self._limits = limits

    def warm(self) -> None:
        """Start the parser process now, so that the first file does not wait for it."""
        raise NotImplementedError

    def parse(
        self,
        file: BinaryIO,
        name: str,
        *,
        cancelled: threading.Event,
        on_progress: Callable[[float], None] = _ignore_progress,
    ) -> Parsed:
        """Read one file.

        Args:
            file: open for reading at offset 0; must have a descriptor.
            name: file name; only a hint for the type.
            cancelled: set it from any thread to end the child within about 0.1 s.
            on_progress: gets 0 to 1, at most 10 times a second, in the calling thread.

        Raises:
            FileError: `context["state"]` is `failed`, `unsupported` or `empty`.
            ParseCancelled: `cancelled` was set.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End the parser process and its children, in at most 1 s."""
        raise NotImplementedError
