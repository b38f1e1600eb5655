"""The library worker's side of parsing: hands files to sandboxed children and takes their results."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from app.worker import sandbox
from app.worker.parser import frames
from app.worker.parser.launch import ForkLauncher, Job, Launcher, ServeLauncher, can_fork
from app.worker.parser.reasons import Refusal, size_words, to_error
from app.worker.parser.result import WORD_RECORD, Parsed, ParsedHeading, ParsedPage, ParserLimits

__all__ = [
    "WORD_RECORD",
    "ParseCancelled",
    "Parsed",
    "ParsedHeading",
    "ParsedPage",
    "ParserClient",
    "ParserLimits",
    "sandbox_description",
]

_POLL_S = 0.05
_START_S = 120.0
_MAX_NAME_CHARS = 255


class ParseCancelled(Exception):  # noqa: N818  # an outcome, not a fault
    """The file's reading was cancelled; nothing of it is kept."""


class _ParentDied(Exception):  # noqa: N818  # handled here
    """The parser process itself ended, so the file is not to blame."""


def sandbox_description() -> str:
    """Say in words what surrounds the reading of a file on this system (for `doctor`)."""
    way = "one process a file" if can_fork() else "one process for up to 50 files, replaced after any failure"
    return f"{way}; {sandbox.describe()}"


def _ignore_progress(fraction: float) -> None:
    """Drop progress."""


class ParserClient:
    """Parses untrusted files, each in a process of its own; thread-safe, every call blocks."""

    def __init__(
        self,
        limits: ParserLimits = ParserLimits(),  # noqa: B008  # frozen
        *,
        fork: bool | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        """Take the limits; the parser process starts at the first file (or `warm`).

        Args:
            limits: of each file.
            fork: force one of the two ways to run children; None takes this system's.
            arguments: further arguments of the parser process (tests).
        """
        self._limits = limits
        by_fork = can_fork() if fork is None else fork
        self._launcher: Launcher = ForkLauncher(arguments) if by_fork else ServeLauncher(arguments)
        self._closed = threading.Event()

    def warm(self) -> None:
        """Start the parser process now, so that the first file does not wait for it (about 0.7 s)."""
        self._launcher.warm()

    def pids(self) -> list[int]:
        """Give the id of the running parser process; its children come and go."""
        return self._launcher.pids()

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
            ParseCancelled: `cancelled` was set, or the client was closed.
        """
        try:
            if os.fstat(file.fileno()).st_size == 0:
                raise Refusal("file.empty")
            name = name[-_MAX_NAME_CHARS:]  # the end holds the extension
            try:
                return self._parse(file, name, cancelled, on_progress)
            except _ParentDied:
                return self._parse(file, name, cancelled, on_progress)
        except _ParentDied:
            raise to_error(Refusal("parser.crashed")) from None
        except Refusal as refusal:
            raise to_error(refusal) from None

    def close(self) -> None:
        """End the parser process and its children, in at most 1 s."""
        self._closed.set()
        self._launcher.close()

    def _parse(
        self, file: BinaryIO, name: str, cancelled: threading.Event, on_progress: Callable[[float], None]
    ) -> Parsed:
        if cancelled.is_set() or self._closed.is_set():
            raise ParseCancelled
        try:
            job = self._launcher.submit(file, name, self._limits)
        except OSError as error:
            raise Refusal("parser.unavailable") from error
        healthy = False
        try:
            parsed = self._collect(job, cancelled, on_progress)
            healthy = True
            return parsed
        except frames.BadFrames as error:
            raise Refusal("parser.crashed") from error
        except Refusal as refusal:
            healthy = to_error(refusal).context["state"] != "failed"
            raise
        finally:
            job.end(healthy=healthy)

    def _collect(self, job: Job, cancelled: threading.Event, on_progress: Callable[[float], None]) -> Parsed:
        """Take a child's frames until its result or refusal."""
        reader = frames.FrameReader(self._limits.output_bytes)
        received: dict[bytes, bytes] = {}
        clock = _Clock(self._limits)
        while True:
            if cancelled.is_set() or self._closed.is_set():
                raise ParseCancelled
            clock.check()
            if job.uses_too_much():
                raise Refusal("parser.memory", {"size": size_words(self._limits.memory_bytes)})
            data = job.read(_POLL_S)
            if data is None:
                continue
            if not data:
                self._judge_end(reader.exit_status())
            for kind, payload in _frames(reader, data, self._limits):
                if kind == frames.PROGRESS:
                    clock.saw_progress()
                    on_progress(frames.read_progress(payload))
                else:
                    received[kind] = payload
            if frames.REFUSED in received:
                raise frames.read_refusal(received[frames.REFUSED])
            if frames.DONE in received:
                return _result(received)

    def _judge_end(self, status: int | None) -> None:
        """Say why a child ended without a result, from its wait status."""
        if self._closed.is_set():
            raise ParseCancelled
        if status is None:
            raise _ParentDied
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if number == getattr(signal, "SIGXCPU", -1):
            raise Refusal("parser.time", {"seconds": self._limits.cpu_s})
        if number == getattr(signal, "SIGBUS", -1):
            raise Refusal("file.changed")  # its end was cut off while it was mapped
        raise Refusal("parser.crashed")


class _Clock:
    """Wall time of one file: an allowance, then progress must be seen, and an end in any case.

    It starts with the child's first sign of life, so that a busy machine's slow start costs no file its time.
    """

    def __init__(self, limits: ParserLimits) -> None:
        self._limits = limits
        self._started = self._progressed = time.monotonic()
        self._alive = False

    def saw_progress(self) -> None:
        self._progressed = time.monotonic()
        if not self._alive:
            self._alive, self._started = True, self._progressed

    def check(self) -> None:
        now, limits = time.monotonic(), self._limits
        used = now - self._started
        if not self._alive:
            if used > _START_S:
                raise Refusal("parser.unavailable")
            return
        stalled = used > limits.wall_s and now - self._progressed > limits.stall_s
        if stalled or used > limits.max_wall_s:
            raise Refusal("parser.time", {"seconds": round(used)})


def _frames(reader: frames.FrameReader, data: bytes, limits: ParserLimits) -> list[tuple[bytes, bytes]]:
    try:
        return reader.feed(data)
    except frames.BadFrames as error:
        raise Refusal("parser.output", {"size": size_words(limits.output_bytes)}) from error


def _result(received: dict[bytes, bytes]) -> Parsed:
    try:
        return frames.to_parsed(received[frames.HEAD], received[frames.TEXT], received[frames.WORDS])
    except (KeyError, frames.BadFrames) as error:
        raise Refusal("parser.crashed") from error
