"""The file that a child reads: its bytes by position, its name as a hint, and what reading may cost."""

import io
import mmap
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath

from app.worker.parser.reasons import Refusal
from app.worker.parser.result import ParserLimits

_PROGRESS_PERIOD_S = 0.1


def _no_report(fraction: float) -> None:
    """Drop progress."""


def _no_extension(seconds: float) -> None:
    """Leave the time limit."""


@dataclass
class Source:
    """One file being read.

    Attributes:
        fd: open for reading; its offset is never used, because the library worker shares it.
        name: file name, a hint for the type and the title's last resort.
        size_bytes: at the time it was opened.
        report: sends progress, 0 to 1; `progress` calls it at most 10 times a second.
        extend_cpu: allows this many more seconds of processor time, within the hard limit.
    """

    fd: int
    name: str
    limits: ParserLimits
    report: Callable[[float], None] = _no_report
    extend_cpu: Callable[[float], None] = _no_extension
    size_bytes: int = 0
    _reported_at: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        """Take the size from the descriptor."""
        self.size_bytes = os.fstat(self.fd).st_size

    @property
    def stem(self) -> str:
        """The file name without its extension, for a title."""
        return PurePath(self.name).stem or self.name

    @property
    def extension(self) -> str:
        """The extension in lower case without its dot; empty without one."""
        return PurePath(self.name).suffix[1:].lower()

    def progress(self, fraction: float) -> None:
        """Report how far reading is; cheap enough for every page and row."""
        now = time.monotonic()
        if now - self._reported_at >= _PROGRESS_PERIOD_S:
            self._reported_at = now
            self.report(fraction)

    def open(self) -> io.BufferedReader:
        """Give a new seekable stream over the file with an offset of its own."""
        return io.BufferedReader(_PositionedFile(self.fd, self.size_bytes), 256 * 1024)

    def head(self, n_bytes: int) -> bytes:
        """Read the first bytes."""
        return self.read_at(0, n_bytes)

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        """Read bytes at an offset; fewer at the end.

        Raises:
            Refusal: the disk fails.
        """
        with self.open() as stream:
            stream.seek(offset)
            return stream.read(n_bytes)

    def view(self) -> memoryview:
        """Give the whole file as one read-only buffer, mapped where the file system can."""
        try:
            return memoryview(mmap.mmap(self.fd, self.size_bytes, access=mmap.ACCESS_READ))
        except (OSError, ValueError):
            with self.open() as stream:
                return memoryview(stream.read())


class _PositionedFile(io.RawIOBase):
    """A descriptor read with `pread`, so that its shared offset stays untouched."""

    def __init__(self, fd: int, size_bytes: int) -> None:
        self._fd, self._size, self._offset = fd, size_bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError(22, "negative seek position")
        self._offset = base + offset
        return self._offset

    def tell(self) -> int:
        return self._offset

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader passes
        try:
            data = _pread(self._fd, len(buffer), self._offset)
        except OSError as error:
            raise Refusal("file.unreadable") from error
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)


def _pread(fd: int, n_bytes: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, n_bytes, offset)
    os.lseek(fd, offset, os.SEEK_SET)  # Windows: the descriptor is a private copy there
    return os.read(fd, n_bytes)
